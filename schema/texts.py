"""The texts of a workflow that are rendered or evaluated, each with where it stands and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.expressions import Expression, ExpressionSyntaxError, Template, parse_expression, parse_template
from holdpoint.engine.expressions import Path as Use
from holdpoint.engine.expressions.parse import Node
from holdpoint.schema.jsonschemas import RENDERED_KEYWORDS, subschemas
from holdpoint.schema.names import ENV, OUTPUT
from holdpoint.schema.nodes import Path
from holdpoint.schema.sheet import HUMAN_TYPES, Edge, Sheet, State, crash_request, forms_of
from holdpoint.schema.types import LIST, NUMBER, TEXT

_KEYWORDS_TAKE: Final = {
    "enum": LIST,
    **dict.fromkeys(("minimum", "maximum"), NUMBER),
    **dict.fromkeys(("title", "description"), TEXT),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that is rendered or evaluated; `extra` are the names of its place alone, `takes` is the kind of value that
    its place takes, where not any. A condition leads to the state `to`; `rest` are those of the targets after it."""

    path: Path
    source: str
    is_condition: bool = False
    extra: Sequence[str] = ()
    takes: str = ""
    to: str = ""
    rest: Sequence[str] = ()

    def parse(self) -> Expression | Template:
        """What it says; raises `ExpressionSyntaxError`."""
        return parse_expression(self.source) if self.is_condition else parse_template(self.source)

    @property
    def trees(self) -> Sequence[Node]:
        """The trees of its expressions; none where it cannot be parsed."""
        try:
            parsed = self.parse()
        except ExpressionSyntaxError:
            return ()
        return (parsed.root,) if isinstance(parsed, Expression) else parsed.roots

    @property
    def uses(self) -> Sequence[Use]:
        """The names that it reads; none where it cannot be parsed."""
        try:
            return self.parse().paths
        except ExpressionSyntaxError:
            return ()


def texts_of(sheet: Sheet) -> Sequence[Text]:
    """Every text of a workflow, found once for all checks."""
    return sheet.remembered("texts", lambda: tuple(_all_texts(sheet)))


def _all_texts(sheet: Sheet) -> Iterator[Text]:
    for edge in sheet.all_edges():
        yield from _conditions(edge)
    for name, state in sheet.of_types("agent"):
        yield from _agent_texts(("states", name), state)
    for name, state in sheet.of_types(*HUMAN_TYPES):
        yield from _human_texts(("states", name), state)
    for name, state in sheet.of_types("wait"):
        yield from _texts_in(("states", name, "until"), state.get("until"), takes=TEXT)
    for name, state in sheet.of_types("end"):
        yield from _texts_in(("states", name, "output"), state.get("output"))


def _conditions(edge: Edge) -> Iterator[Text]:
    for index, (path, to, when) in enumerate(edge.targets):
        if when is not None:
            rest = [other for _, other, _ in edge.targets[index + 1 :]]
            yield Text(path=(*path[:-1], "when"), source=when, is_condition=True, to=to, rest=rest)


def _agent_texts(path: Path, state: State) -> Iterator[Text]:
    yield from _texts_in((*path, "value"), state.get("value"))
    for key in ("with", "command"):
        yield from _texts_in((*path, key), state.get(key), ENV)
    if isinstance(state.get("artifact"), dict):
        yield from _texts_in((*path, "artifact"), state["artifact"], OUTPUT)
    yield from _texts_in(
        (*path, "after_crash", "ask", "assign"), (crash_request(state) or {}).get("assign"), takes=TEXT
    )


def _human_texts(path: Path, state: State) -> Iterator[Text]:
    yield from _texts_in((*path, "message"), state.get("message"))
    if isinstance(state.get("show"), dict):
        yield from _texts_in((*path, "show"), state["show"])
    yield from _texts_in((*path, "assign"), state.get("assign"), takes=TEXT)
    for below, form in forms_of(state):
        for part, schema in subschemas(form):
            for keyword in RENDERED_KEYWORDS:
                where, value = (*path, *below, *part, keyword), schema.get(keyword)
                takes = _KEYWORDS_TAKE.get(keyword, "") if isinstance(value, str) else ""
                yield from _texts_in(where, value, takes=takes)


def _texts_in(path: Path, value: Json, extra: Sequence[str] = (), takes: str = "") -> Iterator[Text]:
    if isinstance(value, str):
        yield Text(path=path, source=value, extra=extra, takes=takes)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts_in((*path, key), item, extra, takes)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts_in((*path, index), item, extra, takes)
