"""What the operators do to JSON values: strict in their types, bounded in their cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.errors import with_article
from holdpoint.engine.expressions.parse import MAX_INTEGER, MIN_INTEGER
from holdpoint.engine.expressions.scope import MAX_RESULT, ExpressionError, Run


class Missing:
    """What reading a property that is not there gives, where that is not an error."""

    __slots__ = ()


MISSING: Final = Missing()

Operator = Callable[[Run, Json, Json], Json]

_NUMBERS = frozenset((int, float))
_ATOMS = frozenset((str, int, float, bool, type(None)))
_TYPES = {type(None): "none", bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}


def type_name(value: Json) -> str:
    """How messages call the type of a value."""
    if isinstance(value, Mapping):
        return "an object"
    return _TYPES.get(type(value)) or f"{with_article(type(value).__name__)}, which is not JSON"


def is_number(value: Json) -> bool:
    """Booleans are no numbers."""
    return type(value) in _NUMBERS


# -- texts


def byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def check_size(size: int, limit: int = MAX_RESULT) -> None:
    if size > limit:
        raise ExpressionError(f"the result is larger than {limit} bytes")


def built(run: Run, text: str) -> str:
    """A text that an operation made, once it is known to be within the bounds."""
    if len(text) > 1000:
        check_size(byte_length(text))
        run.spend(len(text) // 1000)
    return text


def joined(run: Run, parts: Iterable[str], separator: str = "") -> str:
    """The parts as one text; nothing is built that is too large."""
    kept: list[str] = []
    size = 0
    for part in parts:
        size += len(part) + len(separator)
        if size > MAX_RESULT + len(separator):
            check_size(size)
        kept.append(part)
    return built(run, separator.join(kept))


def to_text(run: Run, value: Json) -> str:
    """A value in other text: none is empty, booleans are `true` and `false`, texts stay, the rest is JSON."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    return to_json(run, value)


def to_json(run: Run, value: Json) -> str:
    return built(run, canonical(made_plain(run, value)))


def made_plain(run: Run, value: Json) -> Json:
    """The value, as plain JSON and within the bound of a result; what loads lazily is loaded."""
    plain, count = measured(value, MAX_RESULT)
    run.spend(count // 24)
    return plain


def measured(value: Json, limit: int) -> tuple[Json, int]:
    """The value as plain JSON, and how many values are in it; raises `ExpressionError` when it is too large.

    The size that is measured is a lower bound: separators and quotes count, escapes do not.
    """
    size = count = 0
    is_plain = True
    stack = [value]
    while stack:
        item = stack.pop()
        count += 1
        if type(item) is str:
            size += byte_length(item) + 2
        elif type(item) is list:
            size += len(item) + 1
            # A list of a million references is not unfolded to see that it is too long.
            if size <= limit:
                stack.extend(item)
        elif isinstance(item, Mapping):
            is_plain = is_plain and type(item) is dict
            size += 3 * len(item) + 1
            if size <= limit:
                for key in item:
                    size += byte_length(key)
                    stack.append(item[key])
        elif type(item) in _ATOMS:
            size += 1
        else:
            raise ExpressionError(f"there is {type_name(item)}")
        check_size(size, limit)
    return (value if is_plain else _plain(value)), count


def _plain(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in value}
    if type(value) is list:
        return [_plain(item) for item in value]
    return value


# -- comparison


def equal(run: Run, left: Json, right: Json) -> bool:
    """Equality of JSON values: numbers by value, and no value equals one of another type."""
    kind = type(left)
    if kind in _ATOMS and kind is type(right):
        if kind is str and len(left) > 1000:
            run.spend(len(left) // 1000)
        return bool(left == right)
    if kind in _NUMBERS and type(right) in _NUMBERS:
        return bool(left == right)
    if kind is list and type(right) is list:
        if len(left) != len(right):
            return False
        for index, item in enumerate(left):
            run.spend(1)
            if not equal(run, item, right[index]):
                return False
        return True
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        if len(left) != len(right):
            return False
        for key in left:
            run.spend(1)
            if key not in right or not equal(run, left[key], right[key]):
                return False
        return True
    return False


def unequal(run: Run, left: Json, right: Json) -> bool:
    return not equal(run, left, right)


def check_ordered(run: Run, left: Json, right: Json) -> None:
    """Raise `ExpressionError` unless both are numbers or both are texts."""
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return
    if type(left) is str and type(right) is str:
        run.spend(min(len(left), len(right)) // 1000)
        return
    raise ExpressionError(
        f"{type_name(left)} and {type_name(right)} cannot be ordered; only two numbers or two texts can"
    )


def less(run: Run, left: Json, right: Json) -> bool:
    check_ordered(run, left, right)
    return bool(left < right)


def less_or_equal(run: Run, left: Json, right: Json) -> bool:
    check_ordered(run, left, right)
    return bool(left <= right)


def greater(run: Run, left: Json, right: Json) -> bool:
    check_ordered(run, left, right)
    return bool(left > right)


def greater_or_equal(run: Run, left: Json, right: Json) -> bool:
    check_ordered(run, left, right)
    return bool(left >= right)


def contains(run: Run, item: Json, whole: Json) -> bool:
    """`item in whole`: an item of a list, a part of a text, a key of an object."""
    if type(whole) is list:
        for other in whole:
            run.spend(1)
            if equal(run, item, other):
                return True
        return False
    if type(whole) is str or isinstance(whole, Mapping):
        if type(item) is not str:
            raise ExpressionError(f"'in' asks {type_name(whole)} for a text, not {type_name(item)}")
        if type(whole) is str:
            run.spend(len(whole) // 1000)
        return item in whole
    raise ExpressionError(f"'in' asks a list, a text or an object, not {type_name(whole)}")


def lacks(run: Run, item: Json, whole: Json) -> bool:
    return not contains(run, item, whole)


# -- arithmetic


def number(value: int | float) -> int | float:
    """A number that an operation gave, once it is known to be within the bounds."""
    if type(value) is int:
        if MIN_INTEGER <= value <= MAX_INTEGER:
            return value
        raise ExpressionError("an integer of more than 128 bits")
    if type(value) is float and math.isfinite(value):
        return value
    raise ExpressionError("a number that is too large" if type(value) is float else "a root of a negative number")


def _check_numbers(operator: str, left: Json, right: Json) -> None:
    if type(left) not in _NUMBERS or type(right) not in _NUMBERS:
        raise ExpressionError(f"'{operator}' takes two numbers, not {type_name(left)} and {type_name(right)}")


def plus(run: Run, left: Json, right: Json) -> Json:
    """Two numbers, two texts or two lists."""
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return number(left + right)
    if type(left) is str and type(right) is str:
        return joined(run, (left, right))
    if type(left) is list and type(right) is list:
        run.spend(len(left) + len(right))
        return left + right
    hint = "; '~' joins as text" if str in (type(left), type(right)) else ""
    raise ExpressionError(
        f"'+' takes two numbers, two texts or two lists, not {type_name(left)} and {type_name(right)}{hint}"
    )


def minus(run: Run, left: Json, right: Json) -> Json:
    _check_numbers("-", left, right)
    return number(left - right)


def times(run: Run, left: Json, right: Json) -> Json:
    _check_numbers("*", left, right)
    return number(left * right)


def divided(run: Run, left: Json, right: Json) -> Json:
    _check_divisor("/", left, right)
    return number(left / right)


def floor_divided(run: Run, left: Json, right: Json) -> Json:
    _check_divisor("//", left, right)
    return number(left // right)


def modulo(run: Run, left: Json, right: Json) -> Json:
    _check_divisor("%", left, right)
    return number(left % right)


def _check_divisor(operator: str, left: Json, right: Json) -> None:
    _check_numbers(operator, left, right)
    if right == 0:
        raise ExpressionError(f"'{operator}' divides by zero")


def power(run: Run, left: Json, right: Json) -> Json:
    """`left ** right`; how large it gets is known before it is computed."""
    _check_numbers("**", left, right)
    if left == 0 and right < 0:
        raise ExpressionError("'**' divides by zero")
    if type(left) is int and type(right) is int and abs(left) > 1 and (left.bit_length() - 1) * right > 128:
        raise ExpressionError("an integer of more than 128 bits")
    try:
        return number(left**right)
    except OverflowError:
        raise ExpressionError("a number that is too large") from None


COMPARISONS: dict[str, Operator] = {
    "==": equal,
    "!=": unequal,
    "<": less,
    "<=": less_or_equal,
    ">": greater,
    ">=": greater_or_equal,
    "in": contains,
    "not in": lacks,
}
ARITHMETIC: dict[str, Operator] = {
    "+": plus,
    "-": minus,
    "*": times,
    "/": divided,
    "//": floor_divided,
    "%": modulo,
    "**": power,
}
