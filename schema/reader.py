"""YAML text to nodes with positions; nothing is expanded or constructed before it is known to be small and plain.

The scanner and parser are ruamel.yaml's; the nodes are built here from its events, so that no tag, merge key or
date ever becomes more than text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn

from ruamel.yaml import events
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from holdpoint.engine.canonical import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER, Json
from holdpoint.engine.errors import Finding
from holdpoint.schema.codes import CODES
from holdpoint.schema.letters import describe_character
from holdpoint.schema.nodes import Document, Node, Place, Style
from holdpoint.schema.scanning import QuickLoader, QuickScanner

MAX_BYTES: Final = 2**20
MAX_NODES: Final = 100_000
MAX_FINDINGS: Final = 100
_MAX_MESSAGE: Final = 1_000
_FIX_OF_YAML: Final = "look at the indentation, brackets and quotes up to there; quote a text that has ': ' in it"

# Bidirectional controls make a text read differently from what it is; the line separators are line breaks to some
# readers and not to others; a lone surrogate is no character at all.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff"
    "\ud800-\udfff]"
)
_DATE = re.compile(
    r"\d{4}-\d\d?-\d\d?(?:(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::?\d\d)?))?)?"
)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Final[dict[str, Json]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def read(text: str | bytes, file: str) -> tuple[Document | None, tuple[Finding, ...]]:
    """The nodes of a YAML text, or None and what is wrong with it."""
    problems: list[Finding] = []
    try:
        source = _decode(text, file)
        problems.extend(_forbidden_characters(source, file))
        if problems:
            return None, tuple(problems)
        root = _Builder(source, file, problems).document()
    except _Refused as refused:
        problems.append(refused.finding)
    if problems:
        return None, tuple(problems)
    return Document(file=file, root=root, lines=source.splitlines()), ()


class _Refused(Exception):
    """Reading cannot go on after this finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


def _problem(file: str, place: Place, code: str, message: str, fix: str) -> Finding:
    message, fix = (text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}…" for text in (message, fix))
    return Finding(
        file=file,
        line=place.line,
        column=place.column,
        severity=CODES[code].severity,
        code=code,
        message=message,
        fix=fix,
    )


def _decode(text: str | bytes, file: str) -> str:
    start = Place(line=1, column=1)
    try:
        size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
        if size > MAX_BYTES:
            message = f"the file is {size} bytes; at most {MAX_BYTES} are allowed"
            raise _Refused(_problem(file, start, "HP002", message, "split the workflow"))
        if isinstance(text, bytes):
            if text.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise _Refused(_problem(file, start, "HP001", "the file is UTF-16", "save it as UTF-8"))
            text = text.decode()
    except UnicodeDecodeError as error:
        place = _place_of_byte(error.object, error.start)
        message = f"the file is not UTF-8: byte 0x{error.object[error.start]:02x}"
        raise _Refused(_problem(file, place, "HP001", message, "save it as UTF-8")) from None
    if text.startswith("\ufeff"):
        message = "the file begins with a byte order mark, U+FEFF"
        raise _Refused(_problem(file, start, "HP001", message, "save it as UTF-8 without a byte order mark"))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _place_of_byte(data: bytes, index: int) -> Place:
    before = data[:index]
    last_line = before[before.rfind(b"\n") + 1 :]
    return Place(line=before.count(b"\n") + 1, column=len(last_line.decode(errors="replace")) + 1)


def _forbidden_characters(text: str, file: str) -> list[Finding]:
    found: list[Finding] = []
    if text.isascii() and text.isprintable():
        return found
    for match in _FORBIDDEN.finditer(text):
        before = text.rfind("\n", 0, match.start())
        place = Place(line=text.count("\n", 0, match.start()) + 1, column=match.start() - before)
        found.append(_forbidden(file, place, match.group()))
        if len(found) >= MAX_FINDINGS:
            break
    return found


def _forbidden(file: str, place: Place, character: str) -> Finding:
    message = f"the character {describe_character(character)} is not allowed"
    return _problem(file, place, "HP016", message, "remove it")


class _Scanner(QuickScanner):
    """ruamel's scanner, which stops at what no workflow may have before it is looked at any further."""

    builder: _Builder

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 (ruamel's name)
        self._bound_depth()
        super().fetch_flow_collection_start(TokenClass, to_push)

    def add_indent(self, column: int) -> bool:
        if self.indent < column:
            self._bound_depth()
        return bool(super().add_indent(column))

    def fetch_tag(self) -> None:
        self.builder.refuse(self.reader.get_mark(), "HP009", "tags ('!…') are not allowed", "remove the tag")

    def fetch_directive(self) -> None:
        self.builder.refuse(self.reader.get_mark(), "HP010", "directives ('%…') are not allowed", "remove the line")

    def _bound_depth(self) -> None:
        if len(self.flow_context) + len(self.indents) >= MAX_DEPTH:
            self.builder.refuse_depth(self.reader.get_mark())


class _Builder:
    """Turns the event stream of one document into nodes; collects what does not stop the reading."""

    def __init__(self, text: str, file: str, problems: list[Finding]) -> None:
        self._text = text
        self._file = file
        self._problems = problems
        self._anchors: dict[str, Node | None] = {}  # None while the node is open
        self._nodes = 0
        self._loader = QuickLoader(text, _Scanner)
        self._loader.scanner.builder = self  # type: ignore[attr-defined]

    def document(self) -> Node:
        """The root of the one document in the stream."""
        start = self._next(), self._next()
        if not isinstance(start[1], events.DocumentStartEvent):
            self.refuse(start[1].start_mark, "HP012", "the file is empty", "write a workflow")
        event = self._next()
        if isinstance(event, events.ScalarEvent) and not event.value and event.style is None:
            self.refuse(event.start_mark, "HP012", "the file is empty", "write a workflow")
        root = self._node(event, 0)
        self._next()
        after = self._next()
        if isinstance(after, events.DocumentStartEvent):
            message = "a second document begins here; a file holds one workflow"
            self.refuse(after.start_mark, "HP011", message, "move it to a file of its own")
        return root

    def refuse(self, mark: Any, code: str, message: str, fix: str) -> NoReturn:
        """Stop reading, with a finding at a mark of ruamel's."""
        raise _Refused(_problem(self._file, _place(mark), code, message, fix))

    def refuse_depth(self, mark: Any) -> NoReturn:
        """Stop reading: nested too deep."""
        self.refuse(mark, "HP003", f"nested deeper than {MAX_DEPTH}", "flatten it")

    def _next(self) -> Any:
        try:
            return self._loader.parser.get_event()
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark or self._loader.reader.get_mark()
            if error.context_mark is not None and not self._loader.reader.peek().strip("\0"):
                mark = error.context_mark  # what was opened there is still open where the text ends
            problem, fix = self._told(error, mark)
            raise _Refused(_problem(self._file, _place(mark), "HP006", f"not YAML: {problem}", fix)) from None
        except _Refused:
            raise
        except (YAMLError, ValueError, TypeError, AttributeError, LookupError, AssertionError, OverflowError):
            # The library's own way to fail on some malformed escapes and directives; the place is all we know.
            mark = self._loader.reader.get_mark()
            raise _Refused(
                _problem(self._file, _place(mark), "HP006", "not YAML: malformed text here", _FIX_OF_YAML)
            ) from None

    def _told(self, error: MarkedYAMLError, mark: Any) -> tuple[str, str]:
        """What the library found, and what to do; of a tab it says no more than that it is one."""
        if self._loader.reader.peek() != "\t":
            return " ".join(str(part) for part in (error.context, error.problem) if part), _FIX_OF_YAML
        before = self._text.split("\n")[mark.line][: mark.column]
        if before.strip():
            return "a tab is not allowed here", "use a space"
        return "tabs are not allowed for indentation", "use spaces"

    def _count(self, mark: Any, size: int) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            message = f"more than {MAX_NODES} nodes, aliases written out"
            self.refuse(mark, "HP004", message, "write less, or use fewer aliases")

    def _complain(self, place: Place, code: str, message: str, fix: str) -> None:
        self._problems.append(_problem(self._file, place, code, message, fix))
        if len(self._problems) >= MAX_FINDINGS:
            message = f"more than {MAX_FINDINGS} problems, and reading stopped here"
            raise _Refused(_problem(self._file, place, code, message, "mend those before it"))

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, events.AliasEvent):
            return self._alias(event, depth)
        self._count(event.start_mark, 1)
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, events.ScalarEvent):
            node = self._scalar(event)
        else:
            if depth >= MAX_DEPTH:
                self.refuse_depth(event.start_mark)
            is_mapping = isinstance(event, events.MappingStartEvent)
            node = self._mapping(event, depth + 1) if is_mapping else self._list(event, depth + 1)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, depth: int) -> Node:
        name = event.anchor
        if name not in self._anchors:
            message = f"the alias '*{name}' has no anchor '&{name}' before it"
            self.refuse(event.start_mark, "HP005", message, "add the anchor, or write the value out")
        node = self._anchors[name]
        if node is None:
            message = f"the alias '*{name}' stands inside of what it stands for"
            self.refuse(event.start_mark, "HP005", message, "write the value out")
        if depth + node.height > MAX_DEPTH:
            self.refuse_depth(event.start_mark)
        self._count(event.start_mark, node.size)
        return node

    def _list(self, start: Any, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := self._next(), events.SequenceEndEvent):
            items.append(self._node(event, depth))
        return _collection([item.value for item in items], _place(start.start_mark), items, {}, items)

    def _mapping(self, start: Any, depth: int) -> Node:
        parts: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := self._next(), events.MappingEndEvent):
            place = _place(event.start_mark)
            key = self._key(event, depth, place)
            node = _after_key(self._node(self._next(), depth), event)
            if key in keys:
                message = f"duplicate key {key!r}; it is already on line {keys[key].line}"
                self._complain(place, "HP007", message, "remove or rename one of them")
            else:
                keys[key], parts[key] = place, node
        value = {key: node.value for key, node in parts.items()}
        return _collection(value, _place(start.start_mark), parts, keys, list(parts.values()))

    def _key(self, event: Any, depth: int, place: Place) -> str:
        if isinstance(event, events.ScalarEvent) and not event.anchor:
            self._count(event.start_mark, 1)
            value = self._value(event, place)
        else:
            value = self._node(event, depth).value
        if not isinstance(event, events.ScalarEvent):
            if not isinstance(value, str):
                is_template = isinstance(event, events.MappingStartEvent) and event.flow_style  # a brace in a brace
                fix = 'quote what has braces: "{{ … }}"' if is_template else "write a text"
                self._complain(place, "HP015", f"a key is {_kind(value)}, not a text", fix)
            return str(value)
        if event.value == "<<" and event.style is None:
            self._complain(place, "HP008", "merge keys ('<<') are not allowed", "write the keys out")
        elif not isinstance(value, str):
            message = f"the key {event.value!r} is {_kind(value)}, not a text"
            self._complain(place, "HP015", message, f'quote it: "{event.value}"')
        return str(event.value)

    def _scalar(self, event: Any) -> Node:
        place = _place(event.start_mark)
        style: Style = "plain" if event.style is None else "block" if event.style in "|>" else "quoted"
        return Node(
            value=self._value(event, place),
            place=place,
            style=style,
            is_one_line=event.start_mark.line == event.end_mark.line,
            is_anchored=event.anchor is not None,
            is_absent=style == "plain" and not event.value,
        )

    def _value(self, event: Any, place: Place) -> Json:
        """What a scalar means."""
        text: str = event.value
        value = self._plain(text, place) if event.style is None else text
        if not text.isprintable() and (match := _FORBIDDEN.search(text)):
            self._problems.append(_forbidden(self._file, place, match.group()))
        return value

    def _plain(self, text: str, place: Place) -> Json:
        """What a plain scalar means in the core schema of YAML 1.2, which knows neither `yes` nor `12:30:00`."""
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in "-+.0123456789":
            return text
        if _DATE.fullmatch(text):
            self._complain(place, "HP013", f"{text!r} would be a date to YAML", f'quote it: "{text}"')
        elif _NOT_FINITE.fullmatch(text):
            self._complain(place, "HP014", f"{text!r} is not a JSON number", "quote it if it is a text")
        elif _INTEGER.fullmatch(text):
            return self._integer(text, 10, place)
        elif _OCTAL.fullmatch(text):
            return self._integer(text[2:], 8, place)
        elif _HEXADECIMAL.fullmatch(text):
            return self._integer(text[2:], 16, place)
        elif _FLOAT.fullmatch(text):
            return self._float(text, place)
        return text

    def _integer(self, digits: str, base: int, place: Place) -> int:
        significant = digits.lstrip("+-0")
        if len(significant) <= 64 and MIN_INTEGER <= (number := int(digits, base)) <= MAX_INTEGER:
            return number
        shown = digits if len(digits) <= 40 else f"{digits[:40]}…"
        self._complain(place, "HP014", f"the integer {shown} has more than 64 bits", "quote it if it is a text")
        return 0

    def _float(self, text: str, place: Place) -> float:
        number = float(text)
        if not math.isfinite(number):
            self._complain(place, "HP014", f"the number {text} is too large", "quote it if it is a text")
        return number


def _place(mark: Any) -> Place:
    return Place(line=mark.line + 1, column=mark.column + 1)


def _after_key(node: Node, key: Any) -> Node:
    """A value that is not written has the place where it would be, not that of what comes next."""
    if not node.is_absent:
        return node
    return replace(node, place=Place(line=key.end_mark.line + 1, column=key.end_mark.column + 2))


def _collection(
    value: Json,
    place: Place,
    parts: Mapping[str, Node] | Sequence[Node],
    keys: Mapping[str, Place],
    below: Sequence[Node],
) -> Node:
    return Node(
        value=value,
        place=place,
        keys=keys,
        parts=parts,
        size=1 + sum(node.size for node in below) + len(keys),
        height=1 + max((node.height for node in below), default=0),
    )


_KINDS: Final = {
    dict: "a mapping",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "empty",
}


def _kind(value: Json) -> str:
    return _KINDS[type(value)]
