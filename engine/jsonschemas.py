"""JSON Schema (draft 2020-12) for inputs, outputs and answers: values are checked, and defaults filled in.

The library knows the language; what is ours here keeps a schema or a value from hanging the process: patterns run with
a time limit, no keyword is quadratic in the value, no reference leaves the schema. Importing this module loads neither
`jsonschema` nor `regex`.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time
from functools import cache, lru_cache
from itertools import islice
from threading import Lock, local
from time import monotonic
from typing import TYPE_CHECKING, Any

from holdpoint.engine.canonical import MAX_DEPTH, Json, canonical
from holdpoint.engine.errors import Invalid, did_you_mean

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

DIALECT = "https://json-schema.org/draft/2020-12/schema"

MAX_ERRORS = 20
"""As many messages are made of one value; after them the check stops."""

MAX_DEFAULTS = 1 << 20
"""As many characters of canonical JSON may be filled into one value."""

PATTERN_SECONDS = 0.1
"""One pattern may take this long on one text."""

PATTERNS_SECONDS = 2.0
"""All patterns together may take this long on one value."""

MAX_PATTERN = 1_000
"""A pattern has at most this many characters…"""

MAX_PATTERN_SIZE = 20_000
"""… and this many once its fixed repetitions, `(ab){100}`, are written out, as the engine does."""

MAX_REFERENCES = 2 * MAX_DEPTH
"""As many references may be followed inside each other: a schema may refer to itself, a value has an end."""

_SHOWN = 60
_CACHED = 256


def validator(schema: Json) -> Validator:
    """The validator of a schema, made once for each schema text.

    Raises `Invalid`, code `schema`, where the schema is none or refers to what it does not contain.
    """
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))  # in the author's order: so are the messages
    with _lock:
        found = _validators.get(text)
        if found is not None:
            _validators.move_to_end(text)
            return found
    made = _make(json.loads(text))
    with _lock:
        _validators[text] = made
        if len(_validators) > _CACHED:
            _validators.popitem(last=False)
    return made


def errors(schema: Json, value: Json, what: str) -> tuple[str, ...]:
    """What is wrong with a value, each with its place: `input.amount: 0 is less than the minimum of 1`.

    At most `MAX_ERRORS` messages. Raises as `validator` does, and where the schema refers to itself without end.
    """
    checker = validator(schema)
    _limits.seconds, _limits.references = PATTERNS_SECONDS, 0
    try:
        return tuple(
            f"{_place(what, error)}: {_message(error)}" for error in islice(checker.iter_errors(value), MAX_ERRORS)
        )
    except RecursionError:
        raise _invalid_schema(f"the schema of {what} refers to itself without end, or is nested too deep") from None


def validate(schema: Json, value: Json, what: str, code: str) -> None:
    """Refuse a value that does not meet its schema with `Invalid`, the given code and `details={"errors": […]}`."""
    found = errors(schema, value, what)
    if found:
        more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
        raise Invalid("; ".join(found[:3]) + more, code=code, details={"errors": list(found)})


def fill_defaults(schema: Json, value: Json) -> Json:
    """A copy of a value in which properties that are missing have the `default` that the schema gives them.

    Looks through `properties`, `prefixItems`, `items`, `allOf` and local `$ref`. Raises `Invalid`, code `schema` where
    defaults never end, `too_large` where they are more than `MAX_DEFAULTS`.
    """
    return _Filler(schema).fill(schema, _copy(value), 0)


# --- the validator ----------------------------------------------------------------------------------------------------

_lock = Lock()
_validators: OrderedDict[str, Validator] = OrderedDict()


def _make(schema: Json) -> Validator:
    from referencing import Registry

    found = _schema_errors(schema)
    if found:
        raise _invalid_schema("; ".join(found[:3]), errors=list(found))
    made: Validator = _validator_class()(schema, format_checker=_format_checker(), registry=Registry())
    _check_references(made)
    return made


def _invalid_schema(message: str, **details: Json) -> Invalid:
    return Invalid(message, code="schema", details=details)


def _schema_errors(schema: Json) -> tuple[str, ...]:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    _limits.seconds, _limits.references = PATTERNS_SECONDS, 0
    meta = _validator_class()(Draft202012Validator.META_SCHEMA, format_checker=_pattern_checker(), registry=Registry())
    try:
        found = islice(meta.iter_errors(schema), MAX_ERRORS)
        return tuple(f"{_place('schema', error)}: {_message(error)}" for error in found)
    except RecursionError:
        return ("schema: it is nested too deep",)


def _check_references(made: Any) -> None:
    """Follow every reference once, so that a bad one is found with the schema and not with a value."""
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    rest = [(made._resolver, DRAFT202012.create_resource(made.schema))]
    while rest:
        resolver, resource = rest.pop()
        contents = resource.contents
        if not isinstance(contents, Mapping):
            continue
        dialect = contents.get("$schema", DIALECT)
        if str(dialect).rstrip("#") != DIALECT:
            raise _invalid_schema(f"schema: $schema is '{_short(str(dialect))}'; only '{DIALECT}' is understood")
        for reference in (contents[key] for key in ("$ref", "$dynamicRef") if key in contents):
            try:
                resolver.lookup(reference)
            except Unresolvable:
                raise _invalid_schema(
                    f"schema: $ref '{_short(reference)}' leads nowhere; a schema refers to its own parts alone"
                ) from None
        for part in DRAFT202012.subresources_of(contents):
            inner = DRAFT202012.create_resource(part)
            rest.append((resolver.in_subresource(inner), inner))


@cache
def _validator_class() -> Any:
    from jsonschema import Draft202012Validator, validators

    extend: Any = validators.extend
    own = extend(
        Draft202012Validator,
        {
            "$dynamicRef": _reference,
            "$ref": _reference,
            "additionalProperties": _additional_properties,
            "anyOf": _any_of,
            "multipleOf": _multiple_of,
            "oneOf": _one_of,
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "unevaluatedItems": _unevaluated_items,
            "unevaluatedProperties": _unevaluated_properties,
            "uniqueItems": _unique_items,
        },
    )
    own.evolve = _evolve
    return own


def _evolve(self: Any, **changes: Any) -> Any:
    """The validator of a part of the schema: of this class even where the part has a `$schema`, which the library
    would obey with a class of its own."""
    return type(self)(
        changes.get("schema", self.schema),
        format_checker=self.format_checker,
        registry=self._registry,
        _resolver=changes.get("_resolver", self._resolver),
    )


_limits = local()
"""Of the check that a thread is at: the `seconds` that patterns may still take, the `references` that it is inside."""


# --- keywords that are ours -------------------------------------------------------------------------------------------

_Errors = Iterator[Any]


def _error(message: str, **facts: Any) -> Any:
    from jsonschema import ValidationError

    return ValidationError(message, **facts)


def _reference(validator: Any, reference: str, instance: Json, schema: Json) -> _Errors:
    # Well before Python's own limit: the library's native parts do not take that well.
    depth = getattr(_limits, "references", 0)
    if depth >= MAX_REFERENCES:
        raise RecursionError
    _limits.references = depth + 1
    try:
        yield from validator._validate_reference(ref=reference, instance=instance)
    finally:
        _limits.references -= 1


def _pattern(validator: Any, pattern: str, instance: Json, schema: Json) -> _Errors:
    if isinstance(instance, str):
        try:
            if not _matches(pattern, instance):
                yield _error(f"does not match '{_short(pattern)}'")
        except _TooSlow as slow:
            yield _error(str(slow), validator="")


def _pattern_properties(validator: Any, patterns: dict[str, Json], instance: Json, schema: Json) -> _Errors:
    if isinstance(instance, dict):
        for pattern, subschema in patterns.items():
            try:
                keys = [key for key in instance if _matches(pattern, key)]
            except _TooSlow as slow:
                yield _error(str(slow), validator="")
                return
            for key in keys:
                yield from validator.descend(instance[key], subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Json, instance: Json, schema: Json) -> _Errors:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    try:
        extras = [key for key in instance if key not in known and not any(_matches(item, key) for item in patterns)]
    except _TooSlow as slow:
        yield _error(str(slow), validator="")
        return
    if isinstance(allowed, dict):
        for key in extras:
            yield from validator.descend(instance[key], allowed, path=key)
    elif allowed is False and extras:
        yield _error(_unexpected(extras, [*known, *(f"what matches '{_short(pattern)}'" for pattern in patterns)]))


def _unexpected(extras: list[str], known: list[str]) -> str:
    shown = ", ".join(f"'{_short(key)}'" for key in extras[:3]) + (f" and {len(extras) - 3} more" if extras[3:] else "")
    hint = did_you_mean(extras[0], known[:1000]) if len(extras[0]) <= _SHOWN else ""
    allowed = hint or (f"allowed are {_listed(known)}" if known else "nothing is allowed there")
    return f"{shown} {'are' if extras[1:] else 'is'} not allowed; {allowed}"


def _any_of(validator: Any, branches: list[Json], instance: Json, schema: Json) -> _Errors:
    failed = []
    for index, branch in enumerate(branches):
        # The first few errors: a long list may have one for each of its items.
        found = list(islice(validator.descend(instance, branch, schema_path=index), 3))
        if not found:
            return
        failed += found
    yield _error("meets none of the alternatives", context=failed)


def _one_of(validator: Any, branches: list[Json], instance: Json, schema: Json) -> _Errors:
    yield from _any_of(validator, branches, instance, schema)
    met = [index + 1 for index, branch in enumerate(branches) if validator.evolve(schema=branch).is_valid(instance)]
    if len(met) > 1:
        yield _error(f"meets the alternatives {_listed(met)} at once; exactly one is allowed", context=())


def _multiple_of(validator: Any, factor: float, instance: Json, schema: Json) -> _Errors:
    from fractions import Fraction

    if isinstance(instance, (int, float)) and not isinstance(instance, bool):
        # As the decimal numbers that were written: 19.99 is a multiple of 0.01, which no binary fraction is.
        exact = Fraction(str(instance)) / Fraction(str(factor))
        if exact.denominator != 1:
            yield _error("")


def _unique_items(validator: Any, unique: bool, instance: Json, schema: Json) -> _Errors:
    if unique and isinstance(instance, list):
        seen: dict[str, int] = {}
        for index, item in enumerate(instance):
            first = seen.setdefault(canonical(_with_one_spelling(item)), index)
            if first != index:
                yield _error(f"items {first} and {index} are equal; each may be there once")
                return


def _with_one_spelling(value: Json) -> Json:
    """A value in which equal numbers are written alike: 1.0 as 1."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    if isinstance(value, list):
        return [_with_one_spelling(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_one_spelling(item) for key, item in value.items()}
    return value


def _unevaluated_items(validator: Any, allowed: Json, instance: Json, schema: Json) -> _Errors:
    from jsonschema._utils import find_evaluated_item_indexes_by_schema

    if isinstance(instance, list):
        known = set(find_evaluated_item_indexes_by_schema(validator, instance, schema))
        extras = [index for index in range(len(instance)) if index not in known]
        if extras:
            yield _error(f"item {extras[0]} is not allowed")


def _unevaluated_properties(validator: Any, allowed: Json, instance: Json, schema: Json) -> _Errors:
    if isinstance(instance, dict):
        try:
            known = _evaluated(validator, instance, schema)
        except _TooSlow as slow:
            yield _error(str(slow), validator="")
            return
        inner = validator.evolve(schema=allowed)
        extras = [key for key in instance if key not in known and not inner.is_valid(instance[key])]
        if extras:
            yield _error(_unexpected(extras, sorted(known)))


def _evaluated(validator: Any, instance: dict[str, Json], schema: Json) -> set[str]:
    """The keys of an object that some keyword of the schema has looked at (the library keeps them in a list)."""
    if not isinstance(schema, dict):
        return set()
    keys: set[str] = schema.get("properties", {}).keys() & instance.keys()
    for name in ("$ref", "$dynamicRef"):
        if name in schema:
            found = validator._resolver.lookup(schema[name])
            inner = validator.evolve(schema=found.contents, _resolver=found.resolver)
            keys |= _evaluated(inner, instance, found.contents)
    keys |= {key for pattern in schema.get("patternProperties", ()) for key in instance if _matches(pattern, key)}
    for name in ("additionalProperties", "unevaluatedProperties"):
        if name in schema:
            inner = validator.evolve(schema=schema[name])
            keys |= {key for key, value in instance.items() if inner.is_valid(value)}
    for part in _applied(validator, instance, schema):
        keys |= _evaluated(validator, instance, part)
    return keys


def _applied(validator: Any, instance: dict[str, Json], schema: dict[str, Json]) -> Iterator[Json]:
    """The subschemas that a schema applies to the same object, and that it meets."""
    for name in ("allOf", "oneOf", "anyOf"):
        yield from (part for part in schema.get(name, ()) if validator.evolve(schema=part).is_valid(instance))
    yield from (part for key, part in schema.get("dependentSchemas", {}).items() if key in instance)
    if "if" in schema:
        if validator.evolve(schema=schema["if"]).is_valid(instance):
            yield schema["if"]
            yield schema.get("then", True)
        else:
            yield schema.get("else", True)


# --- patterns ---------------------------------------------------------------------------------------------------------


class _TooSlow(Exception):
    pass


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; raises `_TooSlow` when that cannot be told in time."""
    left: float = getattr(_limits, "seconds", PATTERN_SECONDS)
    begun = monotonic()
    try:
        if left <= 0:
            raise TimeoutError
        return _compiled(pattern).search(text, timeout=min(left, PATTERN_SECONDS)) is not None
    except TimeoutError:
        raise _TooSlow(f"the pattern took too long: '{_short(pattern)}'") from None
    finally:
        _limits.seconds = left - (monotonic() - begun)


@lru_cache(maxsize=_CACHED)
def _compiled(pattern: str) -> Any:
    """The pattern as `regex` takes it. Raises `ValueError` that says what is wrong with it."""
    import regex

    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"is {len(pattern)} characters long; at most {MAX_PATTERN} are allowed")
    text, size = _translated(pattern)
    if size > MAX_PATTERN_SIZE:
        raise ValueError(f"repeats {size} parts; at most {MAX_PATTERN_SIZE} are allowed")
    try:
        return regex.compile(text)
    except regex.error as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("is nested too deep") from None


_TOKEN = r"(?s)\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|."


# ECMA 262, by which the standard reads patterns: ASCII digits and words, and `$` not before a last newline.
_ECMA = {"$": r"\Z", r"\d": "[0-9]", r"\D": "[^0-9]", r"\w": "[0-9A-Za-z_]", r"\W": "[^0-9A-Za-z_]"}
_ECMA_IN_CLASS = {r"\d": "0-9", r"\w": "0-9A-Za-z_"}


def _translated(pattern: str) -> tuple[str, int]:
    """The pattern in the dialect of `regex`, and the number of its parts, repetitions unrolled."""
    pieces: list[str] = []
    sizes = [0]  # of the groups that are open
    last = 0  # the size of what a repetition would repeat
    for token in re.finditer(_TOKEN, pattern):
        text = token[0]
        if text[0] == "[":
            pieces.append(re.sub(r"\\.", lambda escape: _ECMA_IN_CLASS.get(escape[0], escape[0]), text))
        else:
            pieces.append(_ECMA.get(text, text))
        if text == "(":
            sizes.append(0)
            last = 0
        elif text == ")" and len(sizes) > 1:
            last = sizes.pop() + 1
            sizes[-1] += last
        elif token[1] is not None:
            times = max(int(token[1]), int(token[2] or 0), 1)
            sizes[-1] += last * (times - 1)
            last *= times
        else:
            last = 1
            sizes[-1] += last
    return "".join(pieces), sum(sizes)


# --- formats ----------------------------------------------------------------------------------------------------------

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-5][0-9])"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


def _is_date(text: str) -> bool:
    return bool(re.fullmatch(_DATE, text) and date.fromisoformat(text))


def _is_time(text: str) -> bool:
    found = re.fullmatch(_TIME, text)
    if found is None:
        return False
    seconds = "59" if found[2] == "60" else found[2]  # a leap second
    time.fromisoformat(f"{found[1]}:{seconds}{found[3].upper()}")
    return True


def _is_date_time(text: str) -> bool:
    day, clock = text[:10], text[11:]
    return text[10:11] in {"T", "t"} and _is_date(day) and _is_time(clock) and bool(datetime.fromisoformat(day))


def _is_ipv4(text: str) -> bool:
    from ipaddress import IPv4Address

    return bool(IPv4Address(text).packed)


def _is_ipv6(text: str) -> bool:
    from ipaddress import IPv6Address

    return "%" not in text and bool(IPv6Address(text).packed)


def _fits(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


# Our own checks, none of which needs a package: the library's depend on what happens to be installed.
FORMATS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "date": ("a date such as 2025-12-31", _is_date),
    "time": ("a time such as 12:30:00Z", _is_time),
    "date-time": ("a time such as 2025-12-31T12:30:00Z", _is_date_time),
    "duration": (
        "an ISO 8601 duration such as P2D",
        _fits(r"(?a)P(?!$)(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)"),
    ),
    "email": ("an e-mail address", _fits(r"[^@\s]+@[^@\s]+")),
    "hostname": ("a host name", _fits(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")),
    "ipv4": ("an IPv4 address", _is_ipv4),
    "ipv6": ("an IPv6 address", _is_ipv6),
    "uri": ("a URI", _fits(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[!#$&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]|%[0-9A-Fa-f]{2})*")),
    "uuid": ("a UUID", _fits("[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")),
}
"""Format → what a text of it is, and its check. Other formats are notes, as the standard has it."""


@cache
def _format_checker() -> Any:
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    for name, (_, check) in FORMATS.items():
        checker.checks(name, raises=ValueError)(_of_text(check))
    return checker


@cache
def _pattern_checker() -> Any:
    """What is checked of the texts of a schema itself: that its patterns are some."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("regex", raises=ValueError)(_of_text(lambda text: _compiled(text) is not None))
    return checker


def _of_text(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)


# --- messages ---------------------------------------------------------------------------------------------------------


def _place(what: str, error: Any) -> str:
    """`input.items[3].name`; a key that is no plain name is quoted."""
    place = what
    for part in error.absolute_path:
        if isinstance(part, int):
            place += f"[{part}]"
        elif re.fullmatch(r"[\w-]{1,60}", part):
            place += f".{part}"
        else:
            place += f"['{_short(part)}']"
    return place


def _message(error: Any) -> str:
    """What was found and what is allowed, in a bounded text."""
    say = _MESSAGES.get(error.validator)
    if error.validator is None:
        return "nothing is allowed here"
    return say(_show(error.instance), error) if say else _short(error.message, 200)


def _compares(words: str) -> Callable[[str, Any], str]:
    return lambda found, error: f"{found} {words} {_show(error.validator_value)}"


def _counts(few: str, unit: str) -> Callable[[str, Any], str]:
    return lambda found, error: (
        f"{found} has {_count(len(error.instance), unit)}; {few} {_show(error.validator_value)}"
        + (" are allowed" if few == "at most" else " are needed")
    )


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _say_type(found: str, error: Any) -> str:
    types = error.validator_value
    return f"{found} is not of type {_listed([types] if isinstance(types, str) else types)}"


def _say_required(found: str, error: Any) -> str:
    missing = [key for key in error.validator_value if key not in error.instance]
    # One error comes for each missing key, and the library's message begins with the key's repr.
    key = next((key for key in missing if error.message.startswith(f"{key!r} ")), missing[0])
    return f"'{_short(key)}' is required"


def _say_format(found: str, error: Any) -> str:
    if error.validator_value == "regex":
        return f"the pattern {found} cannot be used: {_short(str(error.cause), 200)}"
    return f"{found} is not {FORMATS[error.validator_value][0]}"


def _say_alternatives(found: str, error: Any) -> str:
    if not error.context:
        return f"{found} {error.message}"
    from jsonschema.exceptions import relevance

    nearest = min(error.context, key=relevance)
    place = _place("", nearest).removeprefix(_place("", error)).lstrip(".")
    return f"{found} {error.message}; nearest: {f'{place}: ' if place else ''}{_message(nearest)}"


def _say_own(found: str, error: Any) -> str:
    return str(error.message)


def _say_own_of_value(found: str, error: Any) -> str:
    return f"{found} {error.message}"


_MESSAGES: dict[str | None, Callable[[str, Any], str]] = {
    "": _say_own,
    "additionalProperties": _say_own,
    "anyOf": _say_alternatives,
    "const": lambda found, error: f"{found} is not {_show(error.validator_value)}",
    "contains": lambda found, error: f"no item of {found} is of the kind that must be there",
    "enum": lambda found, error: f"{found} is not one of {_listed(error.validator_value)}",
    "exclusiveMaximum": _compares("is greater than or equal to the maximum of"),
    "exclusiveMinimum": _compares("is less than or equal to the minimum of"),
    "format": _say_format,
    "items": lambda found, error: f"{found} has more items than are allowed",
    "maxItems": _counts("at most", "item"),
    "maxLength": _counts("at most", "character"),
    "maxProperties": _counts("at most", "key"),
    "maximum": _compares("is greater than the maximum of"),
    "minItems": _counts("at least", "item"),
    "minLength": _counts("at least", "character"),
    "minProperties": _counts("at least", "key"),
    "minimum": _compares("is less than the minimum of"),
    "multipleOf": _compares("is not a multiple of"),
    "not": lambda found, error: f"{found} is what is not allowed here",
    "oneOf": _say_alternatives,
    "pattern": _say_own_of_value,
    "required": _say_required,
    "type": _say_type,
    "unevaluatedItems": _say_own,
    "unevaluatedProperties": _say_own,
    "uniqueItems": _say_own,
}


def _short(text: str, limit: int = _SHOWN) -> str:
    text = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _show(value: Json) -> str:
    """A value in a message: a text in quotes, others as JSON, what is long by its size."""
    if isinstance(value, str):
        return f"'{_short(value)}'"
    if isinstance(value, (list, dict)):
        text = json.dumps(value, ensure_ascii=False) if len(value) <= 5 else ""
        if text and len(text) <= _SHOWN:
            return _short(text)
        what, unit = ("a list", "item") if isinstance(value, list) else ("an object", "key")
        return f"{what} of {_count(len(value), unit)}"
    return json.dumps(value)


def _listed(values: Iterable[Json]) -> str:
    shown = [_show(value) for value in islice(values, 11)]
    return ", ".join(shown[:10]) + (", …" if len(shown) > 10 else "")


# --- defaults ---------------------------------------------------------------------------------------------------------


class _Filler:
    """Fills the defaults of one schema into one value, in place."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._left = MAX_DEFAULTS

    def fill(self, schema: Json, value: Json, depth: int) -> Json:
        if depth > MAX_DEPTH:
            raise _invalid_schema(f"the defaults of the schema are nested deeper than {MAX_DEPTH}; do they never end?")
        for part in self._parts(schema, set()):
            if isinstance(value, dict):
                self._fill_object(part, value, depth)
            elif isinstance(value, list):
                self._fill_list(part, value, depth)
        return value

    def _parts(self, schema: Json, seen: set[int]) -> Iterator[dict[str, Json]]:
        """A schema and those that it applies to the same value through `$ref` and `allOf`, each once."""
        if not isinstance(schema, dict) or id(schema) in seen:
            return
        seen.add(id(schema))
        yield schema
        yield from self._parts(self._target(schema.get("$ref")), seen)
        for part in schema.get("allOf", ()):
            yield from self._parts(part, seen)

    def _target(self, reference: Json) -> Json:
        """What a local reference leads to, or None."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        from urllib.parse import unquote

        place = self._root
        for step in unquote(reference[1:]).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict):
                place = place.get(name)
            elif isinstance(place, list) and name.isdecimal() and int(name) < len(place):
                place = place[int(name)]
            else:
                return None
        return place

    def _fill_object(self, schema: dict[str, Json], value: dict[str, Json], depth: int) -> None:
        for name, subschema in schema.get("properties", {}).items():
            if name not in value:
                found = [part["default"] for part in self._parts(subschema, set()) if "default" in part]
                if not found:
                    continue
                value[name] = self._copy(found[0])
            value[name] = self.fill(subschema, value[name], depth + 1)

    def _fill_list(self, schema: dict[str, Json], value: list[Json], depth: int) -> None:
        first = schema.get("prefixItems", [])
        for index, subschema in enumerate(first[: len(value)]):
            self.fill(subschema, value[index], depth + 1)
        if isinstance(schema.get("items"), dict):
            for item in value[len(first) :]:
                self.fill(schema["items"], item, depth + 1)

    def _copy(self, default: Json) -> Json:
        self._left -= len(canonical(default))
        if self._left < 0:
            raise Invalid(
                f"the defaults that are missing are more than {MAX_DEFAULTS} characters",
                code="too_large",
                details={"max_bytes": MAX_DEFAULTS},
            )
        return _copy(default)


def _copy(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value
