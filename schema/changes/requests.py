"""What changed in how people are asked: who may decide, for how long, and what silence means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import CRASH_OPTIONS, TIMEOUT
from holdpoint.schema.approvals import REFUSALS
from holdpoint.schema.changes.change import Change, Place, duration, is_same, now_and_was, only, quoted, told
from holdpoint.schema.sheet import NEVER

GATES: Final = ("approval", "return")
"""The types of states in which a person approves."""

PRIORITY: Final = "normal"
_VERBS: Final = {"approve": "approves", "accept": "accepts", "reject": "rejects", "submit": "submits"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks (`'manager'`), and how, before and after: a state of people, or the crash request of an agent."""

    who: str
    place: Place
    kind: str
    before: Mapping[str, Json]
    after: Mapping[str, Json]

    def at(self, key: str, option: str | None = None) -> Place:
        """The place of one of its keys."""
        return Place(state=self.place.state, key=f"{self.place.key}{key}", option=option)

    def both(self, key: str) -> tuple[Json, Json]:
        """The values of a key, before and after."""
        return self.before.get(key), self.after.get(key)


def compare_timeout(asked: Asked) -> Iterator[Change]:
    """How long a request, or a wait, waits."""
    old, new = asked.both("timeout")
    is_risky = old not in (None, NEVER) and new in (None, NEVER)
    texts = {
        (True, False): f"{asked.who} has a timeout of {new and duration(new)}, and had none",
        (False, True): f"{asked.who} no longer has a timeout (it was {old and duration(old)})",
        (False, False): f"the timeout of {asked.who} is {new and duration(new)}, was {old and duration(old)}",
    }
    yield asked.at("timeout").change(texts[old is None, new is None], old, new, is_risky=is_risky)


def compare_default(asked: Asked) -> Iterator[Change]:
    """What silence means. That it approves what it did not is risky."""
    old, new = asked.both("default")
    text = f"on silence {asked.who} now {_decides(new)}, was: {_decides(old)}"
    is_risky = silence_approves(asked.kind, new) and not silence_approves(asked.kind, old)
    yield asked.at("default").change(text, old, new, is_risky=is_risky)


def silence_approves(kind: str, default: Json) -> bool:
    """Whether nobody's answer is a yes: the gate's approval, or one more attempt at what has crashed."""
    if default is None:
        return False
    if kind == "crash":
        return bool(default["decision"] == "retry")
    return kind in GATES and default["decision"] not in REFUSALS


def compare_assign(asked: Asked) -> Iterator[Change]:
    """Who may decide; option by option where one of the two says so."""
    old, new = asked.both("assign")
    if not isinstance(old, dict) and not isinstance(new, dict):
        yield from _people(asked.at("assign"), asked.who, old, new)
        return
    for option in dict.fromkeys((*_options(asked.after, asked.kind), *_options(asked.before, asked.kind))):
        where = asked.at("assign", option)
        yield from _people(where, f"option {option!r} of {asked.who}", _of(old, option), _of(new, option))


def compare_exclude(asked: Asked) -> Iterator[Change]:
    """Who may not decide. That somebody may who was excluded is risky."""
    old, new = (value or [] for value in asked.both("exclude"))
    place = asked.at("exclude")
    if added := only(new, old):
        yield place.change(f"{asked.who} now excludes {', '.join(added)}", None, added)
    if gone := only(old, new):
        yield place.change(f"{asked.who} no longer excludes {', '.join(gone)}", gone, None, is_risky=True)
    if not added and not gone:
        yield place.change(f"{asked.who} excludes the same people in another order", old, new)


def compare_priority(asked: Asked) -> Iterator[Change]:
    """How urgent a request is."""
    old, new = (value or PRIORITY for value in asked.both("priority"))
    yield asked.at("priority").change(f"the priority of {asked.who} is {new}, was {old}", old, new)


def compare_crash_requests(state: str, before: Json, after: Json) -> Iterator[Change]:
    """How a person is asked after a crash: what `after_crash` says beyond `ask`, where both ask."""
    place = Place(state=state, key="after_crash.ask.")
    asked = Asked(
        who=f"the crash request of {state!r}", place=place, kind="crash", before=_ask(before), after=_ask(after)
    )
    for key in dict.fromkeys((*asked.after, *asked.before)):
        old, new = asked.both(key)
        if is_same(old, new):
            continue
        if key in REQUEST_KEYS:
            yield from REQUEST_KEYS[key](asked)
        else:
            yield asked.at(key).change(now_and_was(f"{key!r} of {asked.who}", old, new), old, new)


REQUEST_KEYS: Final = {
    "timeout": compare_timeout,
    "default": compare_default,
    "assign": compare_assign,
    "exclude": compare_exclude,
    "priority": compare_priority,
}
"""What a state that asks people, and a crash request, have in common."""


def _ask(after_crash: Json) -> Mapping[str, Json]:
    return after_crash["ask"] if isinstance(after_crash, dict) else {}


def _decides(default: Json) -> str:
    if default is None:
        return "decides nothing"
    option = default["decision"]
    answers = f" with {told(default['answers'])}" if "answers" in default else ""
    return _VERBS.get(option, f"decides {option!r}") + answers


def _people(place: Place, who: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """Nobody named means anyone."""
    if is_same(old or [], new or []):
        return
    if not old or not new:
        word = f"{', '.join(new)} only, was: anyone" if new else f"anyone, was: {', '.join(old)}"
        yield place.change(f"{who} may now be decided by {word}", old or None, new or None, is_risky=not new)
        return
    if added := only(new, old):
        yield place.change(f"{who} may now be decided by {', '.join(added)} too", None, added)
    if gone := only(old, new):
        yield place.change(f"{who} may no longer be decided by {', '.join(gone)}", gone, None)
    if not added and not gone:
        yield place.change(f"{who} asks the same people in another order: {quoted(new)}", old, new)


def _options(asked: Mapping[str, Json], kind: str) -> Sequence[str]:
    return CRASH_OPTIONS if kind == "crash" else [option for option in asked.get("on", {}) if option != TIMEOUT]


def _of(assign: Json, option: str) -> Sequence[str]:
    people: Sequence[str] = assign.get(option, []) if isinstance(assign, dict) else assign or []
    return people
