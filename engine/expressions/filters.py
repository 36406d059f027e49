"""The filters and tests, by name: functions of a call, a value and arguments, strict in their types.

A function's parameters after the first two are the arguments that a workflow may give, in this order or by name.
`default`, `map`, `select` and the like, `defined` and `undefined` are not here: they steer how their operand is
evaluated, and live in `evaluate.py`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from holdpoint.engine.canonical import Json
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.errors import Invalid
from holdpoint.engine.expressions.operators import (
    COMPARISONS,
    MISSING,
    built,
    check_ordered,
    check_size,
    contains,
    greater,
    joined,
    less,
    made_plain,
    number,
    plus,
    to_json,
    to_text,
    type_name,
)
from holdpoint.engine.expressions.parse import Filter, Test
from holdpoint.engine.expressions.reading import attribute_reader
from holdpoint.engine.expressions.scope import ExpressionError, Run
from holdpoint.engine.times import format_time, parse_time


class Call:
    """One use of a filter or test in one evaluation."""

    __slots__ = ("node", "run")

    def __init__(self, run: Run, node: Filter | Test) -> None:
        self.run = run
        self.node = node

    def refusal(self, wanted: str, value: Json) -> ExpressionError:
        return ExpressionError(f"'{self.node.name}' takes {wanted}, not {type_name(value)}")

    def text(self, value: Json, what: str = "a text") -> str:
        if not isinstance(value, str):
            raise self.refusal(what, value)
        self.run.spend(len(value) // 1000)
        return value

    def number(self, value: Json) -> int | float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        raise self.refusal("a number", value)

    def integer(self, value: Json, what: str = "an integer") -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self.refusal(what, value)

    def flag(self, value: Json, what: str) -> bool:
        if isinstance(value, bool):
            return value
        raise self.refusal(f"true or false as {what}", value)

    def items(self, value: Json, what: str = "a list") -> list[Json]:
        """The list, paid for by its length and by that of its texts."""
        if not isinstance(value, list):
            raise self.refusal(what, value)
        self.run.spend(len(value))
        self.run.spend(sum(len(item) for item in value if type(item) is str) // 1000)
        return value

    def mapping(self, value: Json) -> Mapping[str, Json]:
        if not isinstance(value, Mapping):
            raise self.refusal("an object", value)
        self.run.spend(len(value))
        return value

    def reader(self, attribute: Json) -> Callable[[Json], Json]:
        """A function that reads the attribute of an item; without an attribute, the item itself."""
        if attribute is None:
            return lambda item: item
        return attribute_reader(self.run, self.node.base, attribute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Builtin:
    """A filter or test: its function, what it takes, and what to check of an argument written as a literal."""

    function: Callable[..., Json]
    parameters: tuple[str, ...]
    defaults: tuple[Json, ...]
    check: Callable[[Json], object] | None = None


FILTERS: dict[str, Builtin] = {}
TESTS: dict[str, Builtin] = {}

_Function = TypeVar("_Function", bound=Callable[..., Json])


def _named(
    table: dict[str, Builtin], *names: str, check: Callable[[Json], object] | None = None
) -> Callable[[_Function], _Function]:
    def register(function: _Function) -> _Function:
        code = function.__code__
        builtin = Builtin(
            function=function,
            parameters=code.co_varnames[2 : code.co_argcount],
            defaults=function.__defaults__ or (),
            check=check,
        )
        table.update(dict.fromkeys(names, builtin))
        return function

    return register


# -- numbers


@_named(FILTERS, "abs")
def _abs(call: Call, value: Json) -> Json:
    return number(abs(call.number(value)))


@_named(FILTERS, "round")
def _round(call: Call, value: Json, precision: Json = 0, method: Json = "common") -> Json:
    """As in Jinja, a half goes to the even neighbour, and a float stays a float."""
    given = call.number(value)
    digits = call.integer(precision, "an integer as precision")
    if not -30 <= digits <= 30:
        raise ExpressionError("'round' takes a precision from -30 to 30")
    if method not in ("common", "ceil", "floor"):
        raise ExpressionError("'round' takes the methods common, ceil and floor")
    if method == "common":
        return number(round(given, digits))
    scale = 10 ** abs(digits)
    if isinstance(given, int):
        if digits >= 0:
            return given
        return number(-(-given // scale) * scale if method == "ceil" else given // scale * scale)
    # Both ways by a whole power of ten: 10 ** -2 is not exact.
    whole = (math.ceil if method == "ceil" else math.floor)(number(given * scale if digits >= 0 else given / scale))
    return number(whole / scale if digits >= 0 else float(whole * scale))


_NUMBER_TEXT = re.compile(r"[ \t\r\n]*([+-]?[0-9]{1,400}(?:(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?))[ \t\r\n]*")


def _number_of(call: Call, value: Json) -> int | float:
    if isinstance(value, str):
        match = _NUMBER_TEXT.fullmatch(value) if len(value) <= 1000 else None
        if match is None:
            raise ExpressionError(f"'{call.node.name}' takes a number or the text of one; this text is none")
        return number(float(match[1]) if match[2] or match[3] else int(match[1]))
    return call.number(value)


@_named(FILTERS, "int")
def _int(call: Call, value: Json, default: Json = MISSING) -> Json:
    """Cut off towards zero; the default stands for what is not a number."""
    try:
        return number(int(_number_of(call, value)))
    except ExpressionError:
        if default is MISSING:
            raise
        return default


@_named(FILTERS, "float")
def _float(call: Call, value: Json, default: Json = MISSING) -> Json:
    try:
        return number(float(_number_of(call, value)))
    except ExpressionError:
        if default is MISSING:
            raise
        return default


# -- texts


@_named(FILTERS, "lower")
def _lower(call: Call, value: Json) -> Json:
    return built(call.run, call.text(value).lower())


@_named(FILTERS, "upper")
def _upper(call: Call, value: Json) -> Json:
    return built(call.run, call.text(value).upper())


@_named(FILTERS, "capitalize")
def _capitalize(call: Call, value: Json) -> Json:
    return built(call.run, call.text(value).capitalize())


@_named(FILTERS, "title")
def _title(call: Call, value: Json) -> Json:
    """Each word with a capital; a word begins after a space, a hyphen or an opening bracket, so `it's` has one."""
    words = re.split(r"([-\s({\[<]+)", call.text(value))
    call.run.spend(len(words))
    return joined(call.run, (word[:1].upper() + word[1:].lower() for word in words))


@_named(FILTERS, "trim")
def _trim(call: Call, value: Json, chars: Json = None) -> Json:
    """Without the characters at both ends; without an argument, without white space."""
    if chars is None:
        return call.text(value).strip()
    if len(call.text(chars, "a text as chars")) > 100:
        raise ExpressionError("'trim' takes at most 100 chars")
    return call.text(value).strip(chars)


@_named(FILTERS, "replace")
def _replace(call: Call, value: Json, old: Json, new: Json, count: Json = None) -> Json:
    text, before, after = call.text(value), call.text(old, "texts"), call.text(new, "texts")
    if not before:
        raise ExpressionError("'replace' takes a text to replace that is not empty")
    times = text.count(before)
    if count is not None:
        times = max(0, min(times, call.integer(count, "an integer as count")))
    check_size(len(text) + times * (len(after) - len(before)))
    return built(call.run, text.replace(before, after, times))


@_named(FILTERS, "split")
def _split(call: Call, value: Json, separator: Json = None) -> Json:
    """The parts between the separators; without an argument, the words."""
    text = call.text(value)
    if separator == "":
        raise ExpressionError("'split' takes a separator that is not empty")
    if separator is not None:
        call.run.spend(text.count(call.text(separator, "a text as separator")))
        return text.split(separator)
    parts = text.split()
    call.run.spend(len(parts))
    return parts


@_named(FILTERS, "string")
def _string(call: Call, value: Json) -> Json:
    return to_text(call.run, value)


@_named(FILTERS, "tojson")
def _tojson(call: Call, value: Json, indent: Json = None) -> Json:
    """The canonical JSON text, or one with line breaks."""
    if indent is None:
        return to_json(call.run, value)
    width = call.integer(indent, "an integer as indent")
    if not 0 <= width <= 8:
        raise ExpressionError("'tojson' takes an indent from 0 to 8")
    # In pieces: the white space alone may be many times the value.
    encoder = json.JSONEncoder(indent=width, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return joined(call.run, encoder.iterencode(made_plain(call.run, value)))


# -- lists and objects


@_named(FILTERS, "length", "count")
def _length(call: Call, value: Json) -> Json:
    if isinstance(value, (str, list, Mapping)):
        return len(value)
    raise call.refusal("a text, a list or an object", value)


@_named(FILTERS, "first")
def _first(call: Call, value: Json) -> Json:
    return _at(call, value, 0)


@_named(FILTERS, "last")
def _last(call: Call, value: Json) -> Json:
    return _at(call, value, -1)


def _at(call: Call, value: Json, index: int) -> Json:
    if not isinstance(value, (list, str)):
        raise call.refusal("a list or a text", value)
    return value[index] if value else MISSING


@_named(FILTERS, "max")
def _max(call: Call, value: Json, attribute: Json = None) -> Json:
    return _extreme(call, value, attribute, greater)


@_named(FILTERS, "min")
def _min(call: Call, value: Json, attribute: Json = None) -> Json:
    return _extreme(call, value, attribute, less)


def _extreme(call: Call, value: Json, attribute: Json, wins: Callable[[Run, Json, Json], bool]) -> Json:
    """The first item that no other beats; MISSING of an empty list."""
    read = call.reader(attribute)
    best: Json = MISSING
    best_key: Json = None
    for item in call.items(value):
        key = read(item)
        if best is MISSING:
            check_ordered(call.run, key, key)
        if best is MISSING or wins(call.run, key, best_key):
            best, best_key = item, key
    return best


@_named(FILTERS, "sum")
def _sum(call: Call, value: Json, attribute: Json = None, start: Json = 0) -> Json:
    read = call.reader(attribute)
    total = call.number(start)
    for item in call.items(value):
        total = plus(call.run, total, call.number(read(item)))
    return total


@_named(FILTERS, "join")
def _join(call: Call, value: Json, separator: Json = "", attribute: Json = None) -> Json:
    between = call.text(separator, "a text as separator")
    read = call.reader(attribute)
    return joined(call.run, (to_text(call.run, read(item)) for item in call.items(value)), between)


@_named(FILTERS, "list")
def _list(call: Call, value: Json) -> Json:
    """A list as it is, the characters of a text, the keys of an object."""
    if isinstance(value, str):
        call.run.spend(len(value))
        return list(value)
    if isinstance(value, Mapping):
        return list(call.mapping(value))
    return call.items(value, "a list, a text or an object")


@_named(FILTERS, "items")
def _items(call: Call, value: Json) -> Json:
    """The pairs `[key, value]` of an object."""
    mapping = call.mapping(value)
    return [[key, mapping[key]] for key in mapping]


@_named(FILTERS, "dictsort")
def _dictsort(call: Call, value: Json, by: Json = "key", reverse: Json = False) -> Json:
    """The pairs of an object, in the order of its keys or values."""
    if by not in ("key", "value"):
        raise ExpressionError("'dictsort' sorts by 'key' or 'value'")
    pairs = _items(call, value)
    at = 1 if by == "value" else 0
    return _sorted(call, pairs, lambda pair: pair[at], call.flag(reverse, "reverse"))


@_named(FILTERS, "sort")
def _sort(call: Call, value: Json, reverse: Json = False, case_sensitive: Json = True, attribute: Json = None) -> Json:
    """Stable, in the order of `<`."""
    read = call.reader(attribute)
    if call.flag(case_sensitive, "case_sensitive"):
        return _sorted(call, call.items(value), read, call.flag(reverse, "reverse"))
    return _sorted(call, call.items(value), lambda item: _folded(read(item)), call.flag(reverse, "reverse"))


def _folded(value: Json) -> Json:
    return value.lower() if isinstance(value, str) else value


def _sorted(call: Call, items: list[Json], read: Callable[[Json], Json], is_reversed: bool) -> list[Json]:
    keys = [read(item) for item in items]
    for key in keys:
        check_ordered(call.run, key, keys[0])
    order = sorted(range(len(keys)), key=keys.__getitem__, reverse=is_reversed)
    return [items[index] for index in order]


@_named(FILTERS, "reverse")
def _reverse(call: Call, value: Json) -> Json:
    if isinstance(value, str):
        return call.text(value)[::-1]
    return call.items(value, "a list or a text")[::-1]


@_named(FILTERS, "unique")
def _unique(call: Call, value: Json, attribute: Json = None) -> Json:
    """The first of each that are equal."""
    read = call.reader(attribute)
    found: dict[Json, Json] = {}
    for item in call.items(value):
        found.setdefault(_hashable(call.run, read(item)), item)
    return list(found.values())


def _hashable(run: Run, value: Json) -> Json:
    """A value that is equal where the JSON values are."""
    run.spend(1)
    if isinstance(value, list):
        return "list", tuple(_hashable(run, item) for item in value)
    if isinstance(value, Mapping):
        return "object", frozenset((key, _hashable(run, value[key])) for key in value)
    return isinstance(value, bool), value


# -- times


def _time(call: Call, value: Json) -> datetime:
    try:
        return parse_time(call.text(value, "the text of a time"))
    except Invalid:
        raise ExpressionError(
            f"'{call.node.name}' takes the text of a time, e.g. '2026-11-25T15:26:00Z'; this text is none"
        ) from None


@_named(FILTERS, "add", check=parse_duration)
def _add(call: Call, value: Json, duration: Json) -> Json:
    """The time that is so much later; days are those of the scope's zone."""
    at = _time(call, value)
    try:
        return format_time(parse_duration(duration).after(at, call.run.scope.zone))
    except Invalid as error:
        raise ExpressionError(f"'add': {error.message}") from None


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
# Our own, not strftime's: that depends on the process's locale and on the platform, and has field widths without bound.
_DIRECTIVES: dict[str, Callable[[datetime], str]] = {
    "%a": lambda at: _DAYS[at.weekday()][:3],
    "%A": lambda at: _DAYS[at.weekday()],
    "%b": lambda at: _MONTHS[at.month - 1][:3],
    "%B": lambda at: _MONTHS[at.month - 1],
    "%d": lambda at: f"{at.day:02}",
    "%-d": lambda at: f"{at.day}",
    "%e": lambda at: f"{at.day:2}",
    "%D": lambda at: f"{at.month:02}/{at.day:02}/{at.year % 100:02}",
    "%f": lambda at: f"{at.microsecond:06}",
    "%F": lambda at: f"{at.year:04}-{at.month:02}-{at.day:02}",
    "%G": lambda at: f"{at.isocalendar().year:04}",
    "%H": lambda at: f"{at.hour:02}",
    "%-H": lambda at: f"{at.hour}",
    "%I": lambda at: f"{(at.hour - 1) % 12 + 1:02}",
    "%-I": lambda at: f"{(at.hour - 1) % 12 + 1}",
    "%j": lambda at: f"{at.timetuple().tm_yday:03}",
    "%m": lambda at: f"{at.month:02}",
    "%-m": lambda at: f"{at.month}",
    "%M": lambda at: f"{at.minute:02}",
    "%p": lambda at: "AM" if at.hour < 12 else "PM",
    "%R": lambda at: f"{at.hour:02}:{at.minute:02}",
    "%S": lambda at: f"{at.second:02}",
    "%T": lambda at: f"{at.hour:02}:{at.minute:02}:{at.second:02}",
    "%u": lambda at: f"{at.isoweekday()}",
    "%V": lambda at: f"{at.isocalendar().week:02}",
    "%y": lambda at: f"{at.year % 100:02}",
    "%Y": lambda at: f"{at.year:04}",
    "%z": lambda at: f"{at:%z}",
    "%Z": lambda at: at.tzname() or "",
    "%%": lambda at: "%",
}
_DIRECTIVE = re.compile(r"%-?(?:.|\Z)", re.DOTALL)
_MAX_FORMAT = 200


def _check_format(text: Json) -> None:
    if not isinstance(text, str):
        raise ExpressionError(f"a format is a text, not {type_name(text)}")
    if len(text) > _MAX_FORMAT:
        raise ExpressionError(f"a format has at most {_MAX_FORMAT} characters")
    for directive in _DIRECTIVE.findall(text):
        if directive not in _DIRECTIVES:
            raise ExpressionError(f"the format has no {directive!r}; it has {' '.join(_DIRECTIVES)}")


@_named(FILTERS, "local", check=_check_format)
def _local(call: Call, value: Json, format: Json = "%Y-%m-%d %H:%M") -> Json:
    """The time in the scope's zone, in English words."""
    _check_format(format)
    try:
        at = _time(call, value).astimezone(call.run.scope.zone)
    except OverflowError:
        raise ExpressionError("'local': the time is past the year 9999 in this zone") from None
    return _DIRECTIVE.sub(lambda match: _DIRECTIVES[match[0]](at), format)


# -- tests


def _is_of(*types: type) -> Callable[[Call, Json], bool]:
    def test(call: Call, value: Json) -> bool:
        return type(value) in types

    return test


for _name, _types in (
    ("none", (type(None),)),
    ("boolean", (bool,)),
    ("integer", (int,)),
    ("float", (float,)),
    ("number", (int, float)),
    ("string", (str,)),
    ("sequence", (list,)),
):
    _named(TESTS, _name)(_is_of(*_types))


@_named(TESTS, "true")
def _is_true(call: Call, value: Json) -> bool:
    return value is True


@_named(TESTS, "false")
def _is_false(call: Call, value: Json) -> bool:
    return value is False


@_named(TESTS, "mapping")
def _is_mapping(call: Call, value: Json) -> bool:
    return isinstance(value, Mapping)


@_named(TESTS, "iterable")
def _is_iterable(call: Call, value: Json) -> bool:
    return isinstance(value, (list, str, Mapping))


@_named(TESTS, "odd")
def _is_odd(call: Call, value: Json) -> bool:
    return call.integer(value) % 2 == 1


@_named(TESTS, "even")
def _is_even(call: Call, value: Json) -> bool:
    return call.integer(value) % 2 == 0


@_named(TESTS, "divisibleby")
def _is_divisible(call: Call, value: Json, divisor: Json) -> bool:
    if call.integer(divisor) == 0:
        raise ExpressionError("'divisibleby' divides by zero")
    return call.integer(value) % call.integer(divisor) == 0


@_named(TESTS, "lower")
def _is_lower(call: Call, value: Json) -> bool:
    return call.text(value).islower()


@_named(TESTS, "upper")
def _is_upper(call: Call, value: Json) -> bool:
    return call.text(value).isupper()


@_named(TESTS, "startingwith")
def _is_starting_with(call: Call, value: Json, text: Json) -> bool:
    return call.text(value).startswith(call.text(text))


@_named(TESTS, "endingwith")
def _is_ending_with(call: Call, value: Json, text: Json) -> bool:
    return call.text(value).endswith(call.text(text))


@_named(TESTS, "in")
def _is_in(call: Call, value: Json, whole: Json) -> bool:
    return contains(call.run, value, whole)


def _is_compared(operator: str) -> Callable[[Call, Json, Json], bool]:
    compare = COMPARISONS[operator]

    def test(call: Call, value: Json, other: Json) -> bool:
        return bool(compare(call.run, value, other))

    return test


for _operator, _names in (
    ("==", ("eq", "equalto", "==")),
    ("!=", ("ne", "!=")),
    ("<", ("lt", "lessthan", "<")),
    ("<=", ("le", "<=")),
    (">", ("gt", "greaterthan", ">")),
    (">=", ("ge", ">=")),
):
    _named(TESTS, *_names)(_is_compared(_operator))
