"""What a scenario expects, compared with what is: each difference says where, what was expected and what is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from difflib import unified_diff
from itertools import zip_longest
from typing import Final
from zoneinfo import ZoneInfo

from holdpoint.engine.canonical import Json
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.errors import Invalid
from holdpoint.engine.model import Entry
from holdpoint.engine.moments import Moment
from holdpoint.engine.times import format_time, parse_time
from holdpoint.engine.views import Request, Run

_MAX_SHOWN: Final = 200
_CONTEXT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run as it stands when something is expected of it. `moments` gives those of its history."""

    run: Run
    history: Sequence[Entry]
    moments: Callable[[], Iterable[Moment]]
    now: datetime
    zone: ZoneInfo


def differences(expect: Mapping[str, Json], seen: Seen, *, is_output_partial: bool = False) -> list[str]:
    """Every expectation that is not met, in words; nothing, if all are. An output may be expected in part."""
    known = {**_EXPECTATIONS, "output": _partly(_output)} if is_output_partial else _EXPECTATIONS
    return [message for name, expected in expect.items() for message in known[name](name, expected, seen)]


def _output(seen: Seen) -> Json:
    return seen.run.output


def _plain(read: Callable[[Seen], Json]) -> Callable[[str, Json, Seen], Iterator[str]]:
    def compare(name: str, expected: Json, seen: Seen) -> Iterator[str]:
        yield from _exactly(name, expected, read(seen))

    return compare


def _partly(read: Callable[[Seen], Json]) -> Callable[[str, Json, Seen], Iterator[str]]:
    def compare(name: str, expected: Json, seen: Seen) -> Iterator[str]:
        yield from _at_least(name, expected, read(seen))

    return compare


def _exactly(where: str, expected: Json, found: Json) -> Iterator[str]:
    """The places where two values differ, down to the members of mappings and lists."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in dict.fromkeys([*expected, *found]):
            if key not in found:
                yield f"{where}: {key!r} is missing, expected {_shown(expected[key])}"
            elif key not in expected:
                yield f"{where}: {key!r} is {_shown(found[key])}, expected not to be there"
            else:
                yield from _exactly(f"{where}.{key}", expected[key], found[key])
    elif _are_alike(expected, found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _exactly(f"{where}[{index}]", one, other)
    elif not _is_equal(expected, found):
        yield _differ(where, expected, found)


def _at_least(where: str, expected: Json, found: Json) -> Iterator[str]:
    """The same, where a mapping may have members that are not expected, and none stands for not being there."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            if key in found:
                yield from _at_least(f"{where}.{key}", value, found[key])
            elif value is not None:
                there = ", ".join(map(repr, found)) or "nothing"
                yield f"{where}: {key!r} is missing, expected {_shown(value)}; there: {there}"
    elif _are_alike(expected, found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _at_least(f"{where}[{index}]", one, other)
    elif not _is_equal(expected, found):
        yield _differ(where, expected, found)


def _are_alike(expected: Json, found: Json) -> bool:
    """Whether both are lists that can be compared item by item."""
    return isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found)


def _is_equal(expected: Json, found: Json) -> bool:
    # True and 1 are equal to Python, and not the same to anybody else.
    return isinstance(expected, bool) == isinstance(found, bool) and bool(expected == found)


def _differ(where: str, expected: Json, found: Json) -> str:
    if isinstance(expected, str) and isinstance(found, str):
        if "\n" in expected or "\n" in found:
            lines = unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm="", n=1)
            return f"{where} differs:\n" + "\n".join(lines)
        return _differ_in_text(where, expected, found)
    return f"{where} is {_shown(found)}, expected {_shown(expected)}"


def _differ_in_text(where: str, expected: str, found: str) -> str:
    """Two texts, long ones from a little before the place where they part."""
    same = next((at for at, (one, other) in enumerate(zip_longest(expected, found)) if one != other), 0)
    start = max(0, same - _CONTEXT) if max(len(expected), len(found)) > _MAX_SHOWN else 0
    place = f" from character {start + 1} on" if start else ""
    return f"{where} is {_shown(found[start:])}{place}, expected {_shown(expected[start:])}"


def _shown(value: Json) -> str:
    """A value as a scenario file would say it, cut to a readable length."""
    text = repr(value) if isinstance(value, str) else "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _path(name: str, expected: Sequence[str], seen: Seen) -> Iterator[str]:
    found = path_of(seen.history)
    if found == expected:
        return
    step = next((number for number, pair in enumerate(zip_longest(found, expected)) if pair[0] != pair[1]), 0)
    here, there = (repr(path[step]) if step < len(path) else "nothing" for path in (found, expected))
    yield (
        f"the path is {_way(found)}, expected {_way(expected)}: they part at state {step + 1}, which is {here},"
        f" expected {there}"
    )


def path_of(history: Sequence[Entry]) -> list[str]:
    """The states that a run entered, in order."""
    return [entry.data["state"] for entry in history if entry.kind == "state.entered"]


def _way(path: Sequence[str]) -> str:
    return " → ".join(path) or "nothing"


def _artifacts(name: str, expected: Mapping[str, Json], seen: Seen) -> Iterator[str]:
    for artifact, content in expected.items():
        if artifact in seen.run.artifacts:
            yield from _exactly(f"artifacts.{artifact}", content, seen.run.artifacts[artifact]["content"])
        elif content is not None:
            there = ", ".join(map(repr, seen.run.artifacts)) or "none"
            yield f"the artifact {artifact!r} was not made; there: {there}"


def _visits(name: str, expected: Mapping[str, int | None], seen: Seen) -> Iterator[str]:
    """How often states were entered; 0, or none, is never."""
    for state, count in expected.items():
        yield from _exactly(f"visits.{state}", count or 0, seen.run.visits.get(state, 0))


def _revisions(name: str, expected: Mapping[str, Json], seen: Seen) -> Iterator[str]:
    for artifact, revision in expected.items():
        found = seen.run.artifacts.get(artifact, {}).get("revision", 0)
        yield from _exactly(f"revisions.{artifact}", revision, found)


def _authors(name: str, expected: Mapping[str, Json], seen: Seen) -> Iterator[str]:
    """The authors of an artifact: of the latest revision, or (a list) of all of them, the first first."""
    for artifact, authors in expected.items():
        made = [
            entry.actor or ""
            for entry in seen.history
            if entry.kind == "artifact.revised" and entry.data["name"] == artifact
        ]
        found: Json = made if isinstance(authors, list) else (made[-1] if made else None)
        yield from _exactly(f"authors.{artifact}", authors, found)


def _requests(name: str, expected: Sequence[Mapping[str, Json]], seen: Seen) -> Iterator[str]:
    found = [request.to_dict() for request in seen.run.requests]
    if len(found) != len(expected):
        there = ", ".join(repr(request["state"]) for request in found) or "none"
        yield f"{_counted(len(found))} open ({there}), expected {len(expected)}"
        return
    for index, (one, other) in enumerate(zip(expected, found, strict=True)):
        wanted = {key: value for key, value in one.items() if key not in ("assigned", "due")}
        yield from _at_least(f"requests[{index}]", wanted, other)
        if "assigned" in one:
            yield from _exactly(f"requests[{index}].assigned", one["assigned"], other["assign"])
        if "due" in one:
            yield from _exactly(f"requests[{index}].due", _moment(one["due"], seen), other["due_at"])


def _counted(count: int) -> str:
    return "1 request is" if count == 1 else f"{count} requests are"


def _moment(text: str | None, seen: Seen) -> str | None:
    """The time that a text says: a time, or so long from now."""
    if text is None:
        return None
    try:
        return format_time(parse_time(text))
    except Invalid:
        return format_time(parse_duration(text).after(seen.now, seen.zone))


def _history(name: str, expected: Sequence[str], seen: Seen) -> Iterator[str]:
    """These kinds, in this order, whatever else stands between them."""
    kinds = [entry.kind for entry in seen.history]
    position = 0
    for kind in expected:
        if kind not in kinds[position:]:
            yield f"the history has no {kind!r} after {kinds[position - 1] if position else 'its beginning'!r}"
            return
        position = kinds.index(kind, position) + 1


def _counts(name: str, expected: Mapping[str, int], seen: Seen) -> Iterator[str]:
    found = Counter(entry.kind for entry in seen.history)
    for kind, count in expected.items():
        if found[kind] != count:
            yield f"the history has {found[kind]} of {kind!r}, expected {count}"


def arguments_given(moments: Iterable[Moment]) -> dict[str, Json]:
    """What agents were given, by state, in its latest attempt; environment variables by their names alone."""
    return dict(found for found in (moment.arguments for moment in moments) if found is not None)


def _count_of(kind: str) -> Callable[[str, Json, Seen], Iterator[str]]:
    def compare(name: str, expected: Json, seen: Seen) -> Iterator[str]:
        yield from _exactly(name, expected, sum(entry.kind == kind for entry in seen.history))

    return compare


def _decisions(name: str, expected: Mapping[str, Json], seen: Seen) -> Iterator[str]:
    """The latest decision of a state: its option, or its members."""
    for state, decision in expected.items():
        found = seen.run.results.get(state)
        if isinstance(decision, str) and isinstance(found, dict):
            yield from _exactly(f"decisions.{state}", decision, found.get("decision"))
        else:
            if isinstance(decision, dict) and isinstance(decision.get("at"), str):
                decision = {**decision, "at": _moment(decision["at"], seen)}
            yield from _at_least(f"decisions.{state}", decision, found)


def _error(name: str, expected: Json, seen: Seen) -> Iterator[str]:
    """Why a run is failed: its code, or members of it; null where it is not."""
    found: Json = None if seen.run.error is None else dict(seen.run.error)
    if isinstance(expected, str):
        yield from _exactly("error.code", expected, None if found is None else found["code"])
    else:
        yield from _at_least(name, expected, found)


def _refused(name: str, expected: str, seen: Seen) -> Iterator[str]:
    """A run that is there was started."""
    yield f"the run was expected to be refused as {expected!r}, and was started"


_EXPECTATIONS: Final[Mapping[str, Callable[[str, Json, Seen], Iterator[str]]]] = {
    "state": _plain(lambda seen: seen.run.state),
    "status": _plain(lambda seen: seen.run.status),
    "outcome": _plain(lambda seen: seen.run.outcome),
    "output": _plain(_output),
    "path": _path,
    "results": _partly(lambda seen: dict(seen.run.results)),
    "arguments": _partly(lambda seen: arguments_given(seen.moments())),
    "decisions": _decisions,
    "artifacts": _artifacts,
    "revisions": _revisions,
    "authors": _authors,
    "requests": _requests,
    "visits": _visits,
    "error": _error,
    "history": _history,
    "counts": _counts,
    "refused": _refused,
    "reminded": _count_of("request.reminded"),
    "assigned": _count_of("request.assigned"),
    "expired": _count_of("request.expired"),
    "crashed": _count_of("agent.crashed"),
    "attempts": _count_of("agent.started"),
}
EXPECTATIONS: Final = tuple(_EXPECTATIONS)
"""What can be expected of a run."""

OF_A_REQUEST: Final = (*(item.name for item in fields(Request)), "assigned", "due")
"""What can be expected of an open request."""
