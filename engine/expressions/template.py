"""Expressions, templates and values: what a workflow's texts become, parsed once and rendered in a scope."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.expressions.evaluate import Code, Path, compiled, paths_of
from holdpoint.engine.expressions.operators import joined, made_plain, measured, to_text, type_name
from holdpoint.engine.expressions.parse import (
    Access,
    Compare,
    Concat,
    ExpressionSyntaxError,
    Name,
    Node,
    Test,
    Tree,
    Unary,
    parse,
    parse_inner,
)
from holdpoint.engine.expressions.scope import MAX_RESULT, MAX_STEPS, ExpressionError, Run, Scope

MAX_VALUE = 4 * MAX_RESULT
"""Bytes of all results of one value together."""

_PLAIN = frozenset((type(None), bool, int, float, str, list, dict))
_SCALARS = _PLAIN - {list, dict}
_GIVES_SCALAR = (Compare, Concat, Test, Unary)
_OPENING = re.compile(r"\{[{%#]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A bare expression, ready to be evaluated any number of times. `root` is its tree, for who reasons about it."""

    source: str
    root: Node = field(repr=False, compare=False)
    names: frozenset[str]
    paths: tuple[Path, ...]
    _cost: int = field(repr=False, compare=False)
    _code: Code = field(repr=False, compare=False)

    def evaluate(self, scope: Scope) -> Json:
        """The value, which may share parts with the scope's; raises `ExpressionError`."""
        try:
            return self._code(Run(scope, self._cost))
        except ExpressionError as error:
            raise _placed(error, self.source) from None

    def holds(self, scope: Scope) -> bool:
        """Whether the condition holds; raises `ExpressionError` when it gives anything but true or false."""
        value = self.evaluate(scope)
        if value is True or value is False:
            return value
        raise _placed(ExpressionError(f"a condition gives true or false; this gave {type_name(value)}"), self.source)


_Part: TypeAlias = tuple[str, Code]
_Render: TypeAlias = Callable[[Scope], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text with expressions in it. `roots` are their trees; offsets count in the whole text."""

    source: str
    roots: tuple[Node, ...] = field(repr=False, compare=False)
    names: frozenset[str]
    paths: tuple[Path, ...]
    is_constant: bool
    _cost: int = field(repr=False, compare=False)
    _parts: tuple[str | _Part, ...] = field(repr=False, compare=False)

    @property
    def is_whole(self) -> bool:
        """Whether the text is exactly one expression, whose value it then gives, of whatever kind."""
        return len(self._parts) == 1 and not self.is_constant

    def render(self, scope: Scope) -> Json:
        """The text; or, where it is exactly one expression, that one's value. Raises `ExpressionError`."""
        if self.is_constant:
            return self.source
        run = Run(scope, self._cost)
        only = self._parts[0]
        if len(self._parts) == 1 and not isinstance(only, str):
            return _evaluated(run, only)
        return joined(run, (part if isinstance(part, str) else _shown(run, part) for part in self._parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Any JSON whose texts, but not keys, are templates. A path's offset counts in the text that has it."""

    names: frozenset[str]
    paths: tuple[Path, ...]
    is_constant: bool
    _render: _Render = field(repr=False, compare=False)

    def render(self, scope: Scope) -> Json:
        """The rendered value, which may share parts with the scope's and with what was parsed."""
        value = self._render(scope)
        return value if self.is_constant else measured(value, MAX_VALUE)[0]


@lru_cache(maxsize=8192)  # a large workflow has thousands, and each is asked for by several checks
def parse_expression(text: str) -> Expression:
    """The expression that a text says; raises `ExpressionSyntaxError`."""
    tree = parse(text)
    code = _bounded(tree.root)  # first: it bounds the depth of the tree
    paths = tuple(paths_of(tree.root))
    return Expression(
        source=text,
        root=tree.root,
        names=frozenset(path.root for path in paths),
        paths=paths,
        _cost=_cost(tree.size),
        _code=code,
    )


@lru_cache(maxsize=8192)  # a large workflow has thousands, and each is asked for by several checks
def parse_template(text: str) -> Template:
    """The template that a text says; raises `ExpressionSyntaxError`."""
    parts: list[str | _Part] = []
    roots: list[Node] = []
    paths: list[Path] = []
    size = position = 0
    while match := _OPENING.search(text, position):
        tree = _inner(text, match)
        if match.start() > position:
            parts.append(text[position : match.start()])
        parts.append((text[match.end() : tree.end - 2].strip(), _bounded(tree.root)))
        roots.append(tree.root)
        paths += paths_of(tree.root)
        size += tree.size
        position = tree.end
    if position < len(text):
        parts.append(text[position:])
    return Template(
        source=text,
        roots=tuple(roots),
        names=frozenset(path.root for path in paths),
        paths=tuple(paths),
        is_constant=not any(isinstance(part, tuple) for part in parts),
        _cost=_cost(size),
        _parts=tuple(parts),
    )


def parse_value(value: Json) -> Value:
    """The value whose texts are templates; raises `ExpressionSyntaxError`, its offset that in the text which has it."""
    templates: list[Template] = []
    render = _renderer(value, templates)
    return Value(
        names=frozenset(path.root for template in templates for path in template.paths),
        paths=tuple(path for template in templates for path in template.paths),
        is_constant=render is None,
        _render=render or (lambda scope: value),
    )


def _renderer(value: Json, templates: list[Template]) -> _Render | None:
    """What renders a value, or none where nothing in it changes; its templates are added to the list."""
    if isinstance(value, str):
        template = parse_template(value)
        if template.is_constant:
            return None
        templates.append(template)
        return template.render
    if isinstance(value, list):
        items = [(item, _renderer(item, templates)) for item in value]
        if all(render is None for _, render in items):
            return None
        return lambda scope: [render(scope) if render else item for item, render in items]
    if isinstance(value, dict):
        entries = [(key, item, _renderer(item, templates)) for key, item in value.items()]
        if all(render is None for _, _, render in entries):
            return None
        return lambda scope: {key: render(scope) if render else item for key, item, render in entries}
    return None


def _inner(text: str, opening: re.Match[str]) -> Tree:
    if opening[0] == "{{":
        return parse_inner(text, opening.start())
    what = "statements" if opening[0] == "{%" else "comments"
    message = f"{what} are not available, only {{{{ expression }}}}; write {{{{ '{opening[0]}' }}}} for the characters"
    raise ExpressionSyntaxError(message, opening.start())


def _cost(size: int) -> int:
    if size > MAX_STEPS:
        raise ExpressionSyntaxError(f"more than {MAX_STEPS} operands and operators", 0)
    return size


def _bounded(node: Node) -> Code:
    """The function that evaluates a whole expression, and whose result is plain JSON within the bounds."""
    code = compiled(node)
    if isinstance(node, _GIVES_SCALAR):
        return code
    if isinstance(node, Name | Access):
        # What is read is as large as what is stored; only a root name can be something that loads lazily.
        def path(run: Run) -> Json:
            value = code(run)
            return value if type(value) in _PLAIN else made_plain(run, value)

        return path

    def bounded(run: Run) -> Json:
        value = code(run)
        return value if type(value) in _SCALARS else made_plain(run, value)

    return bounded


def _evaluated(run: Run, part: _Part) -> Json:
    source, code = part
    try:
        return code(run)
    except ExpressionError as error:
        raise _placed(error, source) from None


def _shown(run: Run, part: _Part) -> str:
    return to_text(run, _evaluated(run, part))


def _placed(error: ExpressionError, source: str) -> ExpressionError:
    """The error with the expression that it happened in."""
    line = " ".join(source[:200].split())
    shown = line if len(line) <= 80 else line[:79] + "…"
    return ExpressionError(f"{error.message} (in '{shown}')", details={"expression": shown})
