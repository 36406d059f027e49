"""From the text of an expression to its tree: Jinja's expressions, without calls, statements and comments.

Binding powers, loosest first: `if else`, `or`, `and`, `not`, comparisons, `+ -`, `~`, `* / // %`, `**`,
filters and tests, `.name [key]`. As in Jinja, a sign binds tighter than `**`, and every operator is left-associative.
A chain of one power is one node, so that the height of a tree is what a person would call its nesting.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid

MAX_LENGTH = 64 * 1024
MAX_DEPTH = 64
MAX_INTEGER = 2**127 - 1
MIN_INTEGER = -(2**127)


class ExpressionSyntaxError(Invalid):
    """A text that is not an expression. `offset` counts characters from the beginning of the text that was given."""

    code = "expression"

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message, details={"offset": offset})
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Literal:
    offset: int
    value: Json


@dataclass(frozen=True, slots=True)
class Name:
    offset: int
    name: str


@dataclass(frozen=True, slots=True)
class Access:
    """`base.key[key]…`; the keys are nodes, `.key` a literal."""

    offset: int
    base: Node
    keys: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    offset: int
    base: Node
    start: Node | None
    stop: Node | None


@dataclass(frozen=True, slots=True)
class ListOf:
    offset: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ObjectOf:
    offset: int
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`-`, `+` or `not`."""

    offset: int
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Operators of one power, applied from the left."""

    offset: int
    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Concat:
    offset: int
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """`a < b <= c`: each pair is compared, each operand evaluated once."""

    offset: int
    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` or `or`."""

    offset: int
    operator: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if test else otherwise`."""

    offset: int
    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Filter:
    """`base | name(arguments, key=named)`; `offset` is that of the name."""

    offset: int
    base: Node
    name: str
    arguments: tuple[Node, ...]
    named: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Test:
    """`base is name argument`; `offset` is that of the name."""

    offset: int
    base: Node
    name: str
    arguments: tuple[Node, ...]
    named: tuple[tuple[str, Node], ...]
    is_negated: bool


Node: TypeAlias = (
    Literal
    | Name
    | Access
    | Slice
    | ListOf
    | ObjectOf
    | Unary
    | Arithmetic
    | Concat
    | Compare
    | Logic
    | Choice
    | Filter
    | Test
)


class Tree(NamedTuple):
    """A parsed expression: its root, how many nodes it has, and where its text ends."""

    root: Node
    size: int
    end: int


def parse(text: str) -> Tree:
    """The tree of a bare expression; raises `ExpressionSyntaxError`."""
    if text.lstrip().startswith("{{"):
        raise ExpressionSyntaxError("a bare expression belongs here; leave out the '{{' and '}}'", text.index("{{"))
    parser = _Parser(text, 0, None)
    root = parser.expression(_CHOICE)
    if parser.token.kind != "end":
        raise parser.unexpected("the end of the expression")
    return Tree(root, parser.size, len(text))


def parse_inner(text: str, opening: int) -> Tree:
    """The tree of the expression whose `{{` stands at *opening*; `end` is after its `}}`."""
    parser = _Parser(text, opening + 2, opening)
    root = parser.expression(_CHOICE)
    end = parser.token.offset
    if not text.startswith("}}", end):
        raise parser.unexpected("'}}'")
    return Tree(root, parser.size, end + 2)


class _Token(NamedTuple):
    kind: str  # end, name, number, string, or the operator or keyword itself
    text: str
    offset: int


_CHOICE, _OR, _AND, _NOT, _COMPARE, _SUM, _CONCAT, _PRODUCT, _POWER, _FILTER, _POSTFIX = range(1, 12)

_POWERS = {
    "if": _CHOICE,
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in", "not"), _COMPARE),
    **dict.fromkeys(("+", "-"), _SUM),
    "~": _CONCAT,
    **dict.fromkeys(("*", "/", "//", "%"), _PRODUCT),
    "**": _POWER,
    **dict.fromkeys(("|", "is"), _FILTER),
    **dict.fromkeys((".", "[", "("), _POSTFIX),
}
_CONSTANTS = {"true": True, "True": True, "false": False, "False": False, "none": None, "None": None}
_KEYWORDS = {"if", "else", "or", "and", "not", "in", "is", *_CONSTANTS}
_BEGINS_ARGUMENT = {"name", "number", "string", "(", "[", "{", *_CONSTANTS}

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[^\W\d]\w*)
      | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<operator>\*\*|//|==|!=|<=|>=|[-+*/%~<>|.,:()\[\]{}=])
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(r"[ \t\r\n]*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"', "/": "/"}
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")
_HINTS = {"&": "; write 'and'", "!": "; write 'not'", "?": "; write 'a if test else b'", "=": "; write '==' to compare"}


class _Parser:
    def __init__(self, text: str, start: int, opening: int | None) -> None:
        self.text = text
        self.start = start
        self.opening = opening
        self.position = start
        self.depth = 0
        self.size = 0
        if text[start : start + 1] in ("-", "+") and opening is not None:
            raise ExpressionSyntaxError("whitespace control is not available; write a space after '{{'", start)
        self.token = self.lex()

    # -- tokens

    def lex(self) -> _Token:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise self.bad_character()
        kind = match.lastgroup or "end"
        text = match[kind]
        token = _Token(text if kind == "operator" or text in _KEYWORDS else kind, text, match.start(kind))
        if token.offset - self.start > MAX_LENGTH:
            raise ExpressionSyntaxError(f"an expression has at most {MAX_LENGTH} characters", self.start)
        self.position = match.end()
        return token

    def bad_character(self) -> ExpressionSyntaxError:
        offset = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
        char = self.text[offset]
        if char in "'\"":
            return ExpressionSyntaxError(f"the text that begins with {char} is not closed", offset)
        return ExpressionSyntaxError(f"{char!r} is not part of an expression{_HINTS.get(char, '')}", offset)

    def advance(self) -> _Token:
        token = self.token
        self.token = self.lex()
        return token

    def take(self, kind: str) -> bool:
        if self.token.kind != kind:
            return False
        self.token = self.lex()
        return True

    def expect(self, kind: str) -> _Token:
        if self.token.kind != kind:
            raise self.unexpected(f"'{kind}'" if kind != "name" else "a name")
        return self.advance()

    def unexpected(self, wanted: str) -> ExpressionSyntaxError:
        token = self.token
        if token.kind == "end" and self.opening is not None:
            return ExpressionSyntaxError("'{{' is not closed; '}}' is missing", self.opening)
        found = (
            "the end" if token.kind == "end" else repr(token.text if len(token.text) <= 40 else token.text[:39] + "…")
        )
        return ExpressionSyntaxError(f"expected {wanted}, found {found}{_HINTS.get(token.text, '')}", token.offset)

    # -- the grammar

    def expression(self, power: int) -> Node:
        """What binds at least as tightly as *power*."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionSyntaxError(f"nested deeper than {MAX_DEPTH}", self.token.offset)
        left = self.operand(power)
        while (found := _POWERS.get(self.token.kind, 0)) >= power and found:
            self.size += 1
            left = _INFIX[found](self, left)
        self.depth -= 1
        return left

    def operand(self, power: int) -> Node:
        token = self.token
        kind = token.kind
        if kind == "(":
            return self.parentheses()
        self.size += 1
        if kind == "name":
            return Name(token.offset, self.advance().text)
        if kind == "number":
            return Literal(token.offset, self.number(self.advance()))
        if kind == "string":
            return Literal(token.offset, self.string(self.advance()))
        if kind in _CONSTANTS:
            self.advance()
            return Literal(token.offset, _CONSTANTS[kind])
        if kind in ("-", "+"):
            self.advance()
            return _signed(token.offset, kind, self.expression(_POSTFIX))
        if kind == "not":
            if power > _NOT:
                raise ExpressionSyntaxError("put this 'not' and what follows in parentheses", token.offset)
            self.advance()
            return Unary(token.offset, "not", self.expression(_NOT))
        if kind == "[":
            return ListOf(token.offset, tuple(self.items()))
        if kind == "{":
            return ObjectOf(token.offset, tuple(self.entries()))
        raise self.unexpected("a value")

    def number(self, token: _Token) -> int | float:
        text = token.text
        if text.isdigit():
            if len(text) > 1 and text[0] == "0":
                raise ExpressionSyntaxError(f"the number {text[:20]!r} begins with 0", token.offset)
            if len(text) <= 39 and (value := int(text)) <= MAX_INTEGER:
                return value
            raise ExpressionSyntaxError("an integer of more than 128 bits", token.offset)
        if not math.isfinite(number := float(text)):
            raise ExpressionSyntaxError("a number that is too large", token.offset)
        return number

    def string(self, token: _Token) -> str:
        body = token.text[1:-1]
        if "\\" in body:
            body = _ESCAPE.sub(lambda match: self.escape(match, token), body)
            body = _PAIR.sub(lambda match: match[0].encode("utf-16", "surrogatepass").decode("utf-16"), body)
        if not body.isascii() and _LONE.search(body):
            raise ExpressionSyntaxError("a text with half of a surrogate pair", token.offset)
        return body

    def escape(self, match: re.Match[str], token: _Token) -> str:
        code = match[1] or match[2] or match[3]
        if code is None and match[4] in _ESCAPES:
            return _ESCAPES[match[4]]
        if code is not None and (number := int(code, 16)) <= 0x10FFFF:
            return chr(number)
        raise ExpressionSyntaxError(
            f"{match[0]!s} is not an escape; write '\\\\' for a backslash", token.offset + 1 + match.start()
        )

    def parentheses(self) -> Node:
        self.expect("(")
        node = self.expression(_CHOICE)
        if self.token.kind == ",":
            raise ExpressionSyntaxError("expected ')', found ','; a list is written [a, b]", self.token.offset)
        self.expect(")")
        return node

    def items(self) -> list[Node]:
        self.expect("[")
        items: list[Node] = []
        while self.token.kind != "]":
            items.append(self.expression(_CHOICE))
            if not self.take(","):
                break
        self.expect("]")
        return items

    def entries(self) -> list[tuple[Node, Node]]:
        self.expect("{")
        entries: list[tuple[Node, Node]] = []
        seen: set[Json] = set()
        while self.token.kind != "}":
            key = self.expression(_CHOICE)
            if isinstance(key, Literal):
                if not isinstance(key.value, str):
                    raise ExpressionSyntaxError("a key of an object is a text", key.offset)
                if key.value in seen:
                    raise ExpressionSyntaxError(f"the key {key.value!r} stands twice", key.offset)
                seen.add(key.value)
            self.expect(":")
            entries.append((key, self.expression(_CHOICE)))
            if not self.take(","):
                break
        self.expect("}")
        return entries

    def choice(self, then: Node) -> Node:
        self.expect("if")
        test = self.expression(_OR)
        otherwise = self.expression(_CHOICE) if self.take("else") else Literal(self.token.offset, None)
        return Choice(then.offset, test, then, otherwise)

    def either(self, left: Node) -> Node:
        return self.logic(left, "or", _OR)

    def both(self, left: Node) -> Node:
        return self.logic(left, "and", _AND)

    def logic(self, left: Node, operator: str, power: int) -> Node:
        parts = [left]
        while self.take(operator):
            parts.append(self.expression(power + 1))
        return Logic(left.offset, operator, tuple(parts))

    def comparison(self, left: Node) -> Node:
        rest = []
        while _POWERS.get(self.token.kind) == _COMPARE:
            operator = self.advance().kind
            if operator == "not":
                self.expect("in")
                operator = "not in"
            rest.append((operator, self.expression(_COMPARE + 1)))
        return Compare(left.offset, left, tuple(rest))

    def concat(self, left: Node) -> Node:
        parts = [left]
        while self.take("~"):
            parts.append(self.expression(_CONCAT + 1))
        return Concat(left.offset, tuple(parts))

    def arithmetic(self, left: Node) -> Node:
        rest = []
        power = _POWERS[self.token.kind]
        while _POWERS.get(self.token.kind) == power:
            operator = self.advance().kind
            rest.append((operator, self.expression(power + 1)))
        return Arithmetic(left.offset, left, tuple(rest))

    def postfix(self, left: Node) -> Node:
        """One `base.key[key]…`, or one slice."""
        keys: list[Node] = []
        while True:
            token = self.token
            if token.kind == "(":
                raise ExpressionSyntaxError("calls are not available; use a filter: value | name", token.offset)
            if token.kind == ".":
                keys.append(self.attribute())
            elif token.kind == "[":
                self.advance()
                start = None if self.token.kind == ":" else self.expression(_CHOICE)
                if start is None or self.token.kind == ":":
                    base = Access(left.offset, left, tuple(keys)) if keys else left
                    return self.slice(base, start)
                keys.append(self.key(start))
                self.expect("]")
            else:
                return Access(left.offset, left, tuple(keys))
            self.size += 1

    def attribute(self) -> Node:
        self.expect(".")
        token = self.token
        if token.kind == "number":
            raise ExpressionSyntaxError(f"an item of a list is read with brackets: [{token.text[:20]}]", token.offset)
        if token.kind != "name" and token.kind not in _KEYWORDS:
            raise self.unexpected("the name of a property")
        return Literal(token.offset, self.advance().text)

    def key(self, node: Node) -> Node:
        if isinstance(node, Literal) and type(node.value) not in (int, str):
            raise ExpressionSyntaxError("a key is a text or an integer", node.offset)
        return node

    def slice(self, base: Node, start: Node | None) -> Node:
        self.expect(":")
        stop = None if self.token.kind in ("]", ":") else self.expression(_CHOICE)
        if self.token.kind == ":":
            raise ExpressionSyntaxError("a slice has no step; use the filters reverse or select", self.token.offset)
        self.expect("]")
        return Slice(base.offset, base, start, stop)

    def filters(self, left: Node) -> Node:
        """Filters and tests one after the other; they bind alike."""
        for count in range(MAX_DEPTH + 1):
            if self.take("|"):
                left = self.filter(left)
            elif self.take("is"):
                left = self.test(left)
                if self.token.kind == "is":
                    raise ExpressionSyntaxError("a test of a test; join tests with 'and'", self.token.offset)
            else:
                return left
            if self.token.kind in (".", "["):
                raise ExpressionSyntaxError(
                    f"put what stands before this {self.token.kind!r} in parentheses", self.token.offset
                )
            self.size += count > 0  # the first is counted with the operators
        raise ExpressionSyntaxError(f"more than {MAX_DEPTH} filters in a row", self.token.offset)

    def filter(self, base: Node) -> Node:
        if self.token.kind == "|":
            raise ExpressionSyntaxError("expected the name of a filter, found '|'; write 'or'", self.token.offset)
        name = self.expect("name")
        arguments, named = self.arguments() if self.token.kind == "(" else ((), ())
        return Filter(name.offset, base, name.text, arguments, named)

    def test(self, base: Node) -> Node:
        is_negated = self.take("not")
        token = self.token
        if token.kind != "name" and token.kind not in ("in", *_CONSTANTS):
            raise self.unexpected("the name of a test")
        self.advance()
        arguments: tuple[Node, ...] = ()
        named: tuple[tuple[str, Node], ...] = ()
        if self.token.kind == "(":
            arguments, named = self.arguments()
        elif self.token.kind in _BEGINS_ARGUMENT:
            arguments = (self.expression(_POSTFIX),)
        name = token.text.lower() if token.kind in _CONSTANTS else token.text
        return Test(token.offset, base, name, arguments, named, is_negated)

    def arguments(self) -> tuple[tuple[Node, ...], tuple[tuple[str, Node], ...]]:
        self.expect("(")
        arguments: list[Node] = []
        named: dict[str, Node] = {}
        while self.token.kind != ")":
            value = self.expression(_CHOICE)
            if isinstance(value, Name) and self.take("="):
                if value.name in named:
                    raise ExpressionSyntaxError(f"the argument {value.name!r} stands twice", value.offset)
                named[value.name] = self.expression(_CHOICE)
            elif named:
                raise ExpressionSyntaxError("an argument without a name stands after one with a name", value.offset)
            else:
                arguments.append(value)
            if not self.take(","):
                break
        self.expect(")")
        return tuple(arguments), tuple(named.items())


_INFIX: dict[int, Callable[[_Parser, Node], Node]] = {
    _CHOICE: _Parser.choice,
    _OR: _Parser.either,
    _AND: _Parser.both,
    _COMPARE: _Parser.comparison,
    _SUM: _Parser.arithmetic,
    _CONCAT: _Parser.concat,
    _PRODUCT: _Parser.arithmetic,
    _POWER: _Parser.arithmetic,
    _FILTER: _Parser.filters,
    _POSTFIX: _Parser.postfix,
}


def _signed(offset: int, sign: str, operand: Node) -> Node:
    """A sign before a number is part of the number, so that `items[-1]` has a fixed key."""
    if isinstance(operand, Literal) and type(operand.value) in (int, float):
        return Literal(offset, -operand.value if sign == "-" else operand.value)
    return Unary(offset, sign, operand)
