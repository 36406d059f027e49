"""What is read and what is not: results before anything has produced them, artifacts and outputs that nobody reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from holdpoint.schema.facts import ERROR, PREVIOUS, Facts, Key
from holdpoint.schema.flow import Arc, Flow, Node, arcs_of, beginnings, chosen, left, written
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import listed
from holdpoint.schema.sheet import HUMAN_TYPES, Sheet, artifacts_of
from holdpoint.schema.texts import Text, texts_of

_WRITE: Final = "read it where it is there, or write '… if {} else …'"


def check_reads(sheet: Sheet, flow: Flow) -> None:
    """Report what is read before it is there, and what is made and never read."""
    places = _Places(sheet, flow)
    for text in texts_of(sheet):
        found: dict[tuple[int, Key], _Found] = {}
        given: dict[tuple[int, Key], _Found] = {}
        entered = list(places.of(text.path))
        for node, facts in entered:
            for tree in text.trees:
                for unset in flow.knowledge.unset(tree, facts):
                    found.setdefault((unset.offset, unset.key), _Found()).add(node, unset.is_certain)
                for unset in flow.knowledge.neither(tree, facts) if text.is_condition else ():
                    given.setdefault((unset.offset, unset.key), _Found()).add(node, unset.is_certain)
        for (offset, key), seen in found.items():
            _report(sheet, flow, text, offset, key, seen, len(entered))
        for (offset, key), seen in given.items():
            _report_neither(sheet, flow, text, offset, key, seen)
    _check_shown(sheet, flow)
    _check_unread(sheet)


@dataclass(slots=True)
class _Found:
    """The nodes in which something may be none where it is read."""

    nodes: list[Node | None] = field(default_factory=list)
    certain: int = 0

    def add(self, node: Node | None, is_certain: bool) -> None:
        self.nodes.append(node)
        self.certain += is_certain


class _Places:
    """What is known where a text stands."""

    def __init__(self, sheet: Sheet, flow: Flow) -> None:
        self._sheet = sheet
        self._flow = flow
        self._arcs: dict[Path, list[Arc]] = defaultdict(list)
        for arc in _all_arcs(sheet):
            if arc.when is not None:
                self._arcs[(*arc.path[:-1], "when")].append(arc)

    def of(self, path: Path) -> Iterator[tuple[Node | None, Facts]]:
        """The nodes in which the text at a path is rendered, with what is then known; None for a beginning."""
        if path in self._arcs:
            for arc in self._arcs[path]:
                yield from self._before_choosing(arc)
        elif path[0] == "states":
            yield from ((node, node.facts) for node in self._flow.nodes.get(str(path[1]), ()))

    def _before_choosing(self, arc: Arc) -> Iterator[tuple[Node | None, Facts]]:
        knowledge = self._flow.knowledge
        entered: Iterable[tuple[Node | None, Facts]]
        if arc.source is None:
            entered = [(None, knowledge.nothing_yet if arc.by == "beginning" else Facts())]
        else:
            nodes = self._flow.nodes.get(arc.source, ())
            entered = [(node, left(self._sheet, knowledge, arc, node.facts)) for node in nodes]
        for node, facts in entered:
            then = chosen(knowledge, arc, facts, is_taken=False)
            if then is not None:
                yield node, then


def _all_arcs(sheet: Sheet) -> Iterator[Arc]:
    yield from beginnings(sheet)
    for name in sheet.states:
        yield from arcs_of(sheet, name)


def _report(sheet: Sheet, flow: Flow, text: Text, offset: int, key: Key, found: _Found, places: int) -> None:
    name = ".".join(key)
    fix = _WRITE.format(name)
    node = found.nodes[0]
    way = "" if node is None else f" on the path {written(flow.way_to(node))}"
    if found.certain == places:
        message = f"{name!r} is none here: {_why_never(key)}{way and f'; it comes here{way}'}"
        sheet.report.text(text.path, offset, "HP253", message, fix)
        return
    message = f"{name!r} may be none here, and then has no properties: {_why_perhaps(key)}{way}"
    sheet.report.text(text.path, offset, "HP254", message, fix)


def _report_neither(sheet: Sheet, flow: Flow, text: Text, offset: int, key: Key, found: _Found) -> None:
    name, node = ".".join(key), found.nodes[0]
    way = "" if node is None else f" on the path {written(flow.way_to(node))}"
    message = f"the condition may give none, and must give true or false: {name!r} may be none here{way}"
    sheet.report.text(text.path, offset, "HP258", message, f"write '{name} is not none'")


def _why_never(key: Key) -> str:
    if key == ERROR:
        return "no agent has failed on any path to it"
    if key[0] == "artifacts":
        return f"no path to it has made the artifact {key[1]!r}"
    if key == PREVIOUS or len(key) > 1:
        return _why_perhaps(key)
    return f"no path to it has gone through state {key[0]!r}"


def _why_perhaps(key: Key) -> str:
    if key == PREVIOUS:
        return "nothing comes before the first state"
    if key == ERROR:
        return "no agent need have failed"
    if key[0] == "artifacts":
        return f"the artifact {key[1]!r} is not made"
    if len(key) == 1:
        return f"state {key[0]!r} has left no result"
    return "no answers were given" if key[1] == "answers" else "what came before left no result"


def _check_shown(sheet: Sheet, flow: Flow) -> None:
    """Report an artifact that is put before a person though it has not been made."""
    for name, state in sheet.of_types(*HUMAN_TYPES):
        show = state.get("show", ())
        nodes = flow.nodes.get(name, ())
        for index, artifact in enumerate(show if isinstance(show, list) else ()):
            known = [flow.knowledge.known(node.facts, ("artifacts", artifact)) for node in nodes]
            if artifact not in sheet.artifacts or not nodes or all(known):
                continue
            path: Path = ("states", name, "show", index)
            if not any(is_made is not False for is_made in known):
                makers = listed(map(repr, sheet.artifacts[artifact]))
                message = (
                    f"the artifact {artifact!r} cannot be shown: no path to state {name!r} has made it, by {makers}"
                )
                sheet.report.value(path, "HP253", message, "lead through the state that makes it first")
                continue
            way = written(flow.way_to(nodes[known.index(next(is_made for is_made in known if not is_made))]))
            message = f"the artifact {artifact!r} may not have been made when it is shown: it is not on the path {way}"
            sheet.report.value(path, "HP254", message, "make it on every path")


def _check_unread(sheet: Sheet) -> None:
    """Report artifacts and outputs that are made for nothing."""
    read = _read_names(sheet)
    for name, state in sheet.of_types("agent"):
        for artifact in artifacts_of(state):
            if ("artifacts", artifact) not in read and ("artifacts",) not in read:
                key = "artifact" if isinstance(state["artifact"], str) else ("artifact", artifact)
                path = ("states", name, *((key,) if isinstance(key, str) else key))
                message = f"the artifact {artifact!r} is shown to nobody and read by nothing"
                sheet.report.key(path, "HP255", message, "show it, read it, or do not keep it")
        is_kept = "artifact" in state or (name,) in read
        if not is_kept and "output" in state:
            message = f"nothing reads the output of state {name!r}"
            fix = f"read it as {name!r}, or leave out 'output'"
            sheet.report.key(("states", name, "output"), "HP256", message, fix)


def _read_names(sheet: Sheet) -> frozenset[Key]:
    """The names that some text reads or some state shows; results also by way of `previous`."""
    found: set[Key] = set()
    for text in texts_of(sheet):
        for use in text.uses:
            found.add((use.root,))
            if use.root == "artifacts":
                found.discard(("artifacts",))
                found.add(("artifacts", str(use.keys[0])) if use.keys else ("artifacts",))
            if use.root == "previous":
                found.update(_read_by_previous(sheet, text.path))
    for _, state in sheet.of_types(*HUMAN_TYPES):
        show = state.get("show", ())
        found.update(("artifacts", artifact) for artifact in (show if isinstance(show, list) else ()))
    return frozenset(found)


def _read_by_previous(sheet: Sheet, path: Path) -> Iterator[Key]:
    if path[0] != "states":
        return
    for name in sheet.states:
        if any(to == path[1] for edge in sheet.edges(name) for _, to, _ in edge.targets):
            yield (name,)
