"""Values that hypothesis draws from JSON Schemas: for runs at random, what nobody would have thought of.

Only where hypothesis is installed, as the extra `explore`, may this be imported. Schemas that are put together
(`allOf`, `if`, references) are drawn from their plain parts, and what does not meet all of them is dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from tempfile import TemporaryDirectory
from typing import Any, Final

import hypothesis
from hypothesis import strategies
from hypothesis.configuration import set_hypothesis_home_dir, storage_directory
from hypothesis.errors import InvalidArgument
from hypothesis.strategies import SearchStrategy

from holdpoint.engine.canonical import Json
from holdpoint.engine.times import format_time
from holdpoint.schema.samples import is_met, properties_of, samples

COUNT: Final = 12
"""So many values of each schema are drawn."""

_LARGEST: Final = 2**53
_LONGEST: Final = 64
_MOST_ITEMS: Final = 6

CHARACTERS: Final = "".join(map(chr, range(0x20, 0x7F))) + (
    "\t\n\u00a0\u0301\u200d"  # what is not seen, or only on what stands before it
    "ÀßéñøÿĀčžİıſΑωЖяאבעالعرب中文字한ﬁ𝒳😀👩🏽"  # other scripts, letters that change their length or shape in other case
)
"""Of these texts are drawn: each can stand in a scenario. All of Unicode would take hypothesis seconds to prepare."""


def drawn(schema: Json, seed: int) -> list[Json]:
    """Different values that meet a schema, the same for the same seed; none where there is no schema."""
    return [] if schema is None else [json.loads(text) for text in _drawn(json.dumps(schema), seed)]


@lru_cache(maxsize=256)  # forms are rendered anew for each request, and are mostly the same
def _drawn(text: str, seed: int) -> tuple[str, ...]:
    schema = json.loads(text)
    found: dict[str, None] = {}

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=COUNT,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(_strategy(schema))
    def collect(value: Json) -> None:
        if is_met(schema, value):
            found[json.dumps(value)] = None

    with _elsewhere():
        collect()
    return tuple(found)


@contextmanager
def _elsewhere() -> Iterator[None]:
    """What hypothesis keeps for itself is not left in the folder of whoever explores."""
    before = storage_directory(intent_to_write=False).home_directory
    with TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(before)


def _strategy(schema: Json) -> SearchStrategy[Any]:
    if not isinstance(schema, dict):
        return _anything({})
    if "const" in schema:
        return strategies.just(schema["const"])
    if "enum" in schema:
        return strategies.sampled_from(schema["enum"])
    for word in ("anyOf", "oneOf"):
        if schema.get(word):
            return strategies.one_of([_strategy({**schema, **part, word: ()}) for part in schema[word]])
    if schema.get("allOf"):
        parts = [{key: value for key, value in schema.items() if key != "allOf"}, *schema["allOf"]]
        return _strategy({key: value for part in parts for key, value in part.items()})
    kinds = schema.get("type", "object" if "properties" in schema or "required" in schema else "any")
    return strategies.one_of([_KINDS[kind](schema) for kind in (kinds if isinstance(kinds, list) else [kinds])])


def _objects(schema: Mapping[str, Json]) -> SearchStrategy[Any]:
    parts = {name: _strategy(part) for name, part in properties_of(schema).items()}
    required = {name: parts.pop(name) for name in schema.get("required", ())}
    return strategies.fixed_dictionaries(required, optional=parts)


def _arrays(schema: Mapping[str, Json]) -> SearchStrategy[Any]:
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", least + _MOST_ITEMS), least + _MOST_ITEMS)
    by = json.dumps if schema.get("uniqueItems") else None
    return strategies.lists(_strategy(schema.get("items", {})), min_size=least, max_size=most, unique_by=by)


def _numbers(schema: Mapping[str, Json]) -> SearchStrategy[Any]:
    whole = _integers(schema)
    if "multipleOf" in schema:
        return whole
    return whole | strategies.floats(*_bounds(schema), allow_nan=False, allow_infinity=False)


def _integers(schema: Mapping[str, Json]) -> SearchStrategy[Any]:
    low, high = _bounds(schema)
    step = schema.get("multipleOf", 1)
    least = int(-(-low // step))
    return strategies.integers(least, max(least, int(high // step))).map(lambda count: count * step)


def _bounds(schema: Mapping[str, Json]) -> tuple[float, float]:
    low = max(schema.get("minimum", -_LARGEST), schema.get("exclusiveMinimum", -_LARGEST))
    high = min(schema.get("maximum", _LARGEST), schema.get("exclusiveMaximum", _LARGEST))
    return low, max(low, high)


def _strings(schema: Mapping[str, Json]) -> SearchStrategy[Any]:
    if "pattern" in schema:
        found = _matching(schema["pattern"])
        return found if found is not None else strategies.sampled_from(samples(schema) or [""])
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if "format" in schema:
        return strategies.sampled_from(samples(schema) or [""])
    least = schema.get("minLength", 0)
    most = min(schema.get("maxLength", least + _LONGEST), least + _LONGEST)
    return strategies.text(CHARACTERS, min_size=least, max_size=most)


def _matching(pattern: str) -> SearchStrategy[Any] | None:
    """Texts that match a pattern; None where it is none for Python, whose patterns hypothesis draws from."""
    try:
        found = strategies.from_regex(pattern, alphabet="".join(dict.fromkeys(CHARACTERS + pattern)))
        found.validate()
    except (re.error, InvalidArgument):
        return None
    return found


def _anything(schema: Mapping[str, Json]) -> SearchStrategy[Any]:
    text = strategies.text(CHARACTERS, max_size=_LONGEST)
    plain = strategies.none() | strategies.booleans() | strategies.integers(-_LARGEST, _LARGEST) | text
    return strategies.recursive(
        plain, lambda inner: strategies.lists(inner) | strategies.dictionaries(text, inner), max_leaves=_MOST_ITEMS
    )


def _moment(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))


_FORMATS: Final[Mapping[str, SearchStrategy[Any]]] = {
    "date-time": strategies.floats(0, 2**32).map(_moment),
    "date": strategies.dates().map(str),
    "uuid": strategies.uuids().map(str),
}
_KINDS: Final[Mapping[str, Callable[[Mapping[str, Json]], SearchStrategy[Any]]]] = {
    "object": _objects,
    "array": _arrays,
    "number": _numbers,
    "integer": _integers,
    "string": _strings,
    "boolean": lambda schema: strategies.booleans(),
    "null": lambda schema: strategies.none(),
    "any": _anything,
}
