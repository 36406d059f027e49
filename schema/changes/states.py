"""What changed in one state, key by key, in the words of the language."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import DEFAULT_MAX_RETURNS, DEFAULT_TIMEOUT
from holdpoint.schema.changes.change import (
    Change,
    Place,
    differing,
    duration,
    kind_of,
    now_and_was,
    only,
    quoted,
    told,
    told_both,
)
from holdpoint.schema.changes.fields import compare_fields
from holdpoint.schema.changes.requests import (
    GATES,
    REQUEST_KEYS,
    Asked,
    compare_crash_requests,
    compare_timeout,
    silence_approves,
)
from holdpoint.schema.sheet import HUMAN_TYPES

_WORK: Final = ("python", "command", "value")
_AWAITED: Final = ("for", "until", "signal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A state of both definitions, without its texts for people: *name* is the later one's."""

    name: str
    before: Mapping[str, Json]
    after: Mapping[str, Json]

    @property
    def who(self) -> str:
        """The state in a sentence."""
        return repr(self.name)

    @property
    def kind(self) -> str:
        """Its type, where both have the same."""
        return str(self.after["type"])

    def at(self, key: str, option: str | None = None) -> Place:
        """The place of a key, or of an option of it."""
        return Place(state=self.name, key=key, option=option)

    def both(self, key: str, usual: Json = None) -> tuple[Json, Json]:
        """The values of a key, before and after; *usual* is what it means to say nothing."""
        return self.before.get(key, usual), self.after.get(key, usual)


def compare_states(pair: Pair) -> Iterator[Change]:
    """Everything that differs in a state. Of one that is of another type, its ways out alone are compared."""
    types = {str(pair.before["type"]), str(pair.after["type"])}
    if len(types) > 1:
        yield _type(pair)
    is_alike = len(types) == 1 or types <= set(HUMAN_TYPES)
    seen: set[Callable[[Pair], Iterator[Change]]] = {_after_crash}
    for key, _, old, new in differing(pair.before, pair.after):
        compare = _COMPARERS.get(key)
        if key == "type" or not (is_alike or key == "on") or compare in seen:
            continue
        if compare is None:
            yield pair.at(key).change(now_and_was(f"{key!r} of {pair.who}", old, new), old, new)
        else:
            seen.add(compare)
            yield from compare(pair)
    if is_alike and pair.kind == "agent":
        yield from _after_crash(pair)  # what it is without a word depends on another key


def added_state(name: str, state: Mapping[str, Json]) -> Change:
    """A state that is new; one that acts, or approves, without a person is risky."""
    kind, default = state["type"], state.get("default")
    is_irreversible = state.get("effect") == "irreversible"
    text = f"state {name!r} is new ({kind}{', irreversible' if is_irreversible else ''})"
    is_risky = is_irreversible or silence_approves(kind, default)
    return Place(state=name).change(text, None, state, is_risky=is_risky)


def removed_state(name: str, state: Mapping[str, Json]) -> Change:
    """A state that is gone; where a person stood, that is risky."""
    text = f"state {name!r} was removed ({state['type']})"
    return Place(state=name).change(text, state, None, is_risky=state["type"] in GATES)


def written_targets(targets: Sequence[Json]) -> str:
    """Where targets lead: `'director' if input.amount > 5000, else 'pay'`."""
    parts = [f"{target['to']!r}" + (f" if {target['when']}" if "when" in target else "") for target in targets]
    end = ", else the run fails" if targets and "when" in targets[-1] else ""
    return ", else ".join(parts) + end


def _type(pair: Pair) -> Change:
    old, new = pair.both("type")
    is_risky = old in GATES and new not in GATES
    return pair.at("type").change(f"state {pair.who} is of type {new}, was {old}", old, new, is_risky=is_risky)


def _ways(pair: Pair) -> Iterator[Change]:
    old_ways, new_ways = pair.both("on", {})
    for option, kind, old, new in differing(old_ways, new_ways):
        texts: dict[str, str] = {
            "added": f"{pair.who} has a new option {option!r}, which leads to {written_targets(new or [])}",
            "removed": f"{pair.who} no longer has the option {option!r} (it led to {written_targets(old or [])})",
            "changed": f"{pair.who} option {option!r} now leads to {written_targets(new or [])} "
            f"(was: {written_targets(old or [])})",
        }
        yield pair.at("on", option).change(texts[kind], old, new)


# -- people


def _request(key: str) -> Callable[[Pair], Iterator[Change]]:
    """What a state that asks people shares with a crash request."""

    def compare(pair: Pair) -> Iterator[Change]:
        return REQUEST_KEYS[key](_asked(pair))

    return compare


def _asked(pair: Pair) -> Asked:
    return Asked(who=pair.who, place=Place(state=pair.name), kind=pair.kind, before=pair.before, after=pair.after)


def _message(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("message")
    texts = {
        (True, False): f"{pair.who} has a message, and had none: {told(new)}",
        (False, True): f"{pair.who} no longer has a message (it was {told(old)})",
        (False, False): now_and_was(f"the message of {pair.who}", old, new),
    }
    yield pair.at("message").change(texts[old is None, new is None], old, new)


def _show(pair: Pair) -> Iterator[Change]:
    old, new = (value or [] for value in pair.both("show"))
    place = pair.at("show")
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _members(pair, "show", "what is shown as")
        return
    if isinstance(old, dict) or isinstance(new, dict):
        yield place.change(f"{pair.who} now shows {quoted(new)}, was: {quoted(old)}", old or None, new or None)
        return
    if added := only(new, old):
        yield place.change(f"{pair.who} now shows {quoted(added)} too", None, added)
    if gone := only(old, new):
        yield place.change(f"{pair.who} no longer shows {quoted(gone)}", gone, None)
    if not added and not gone:
        yield place.change(f"{pair.who} shows the same in another order: {quoted(new)}", old, new)


def _comment(pair: Pair) -> Iterator[Change]:
    old, new = (value or [] for value in pair.both("comment"))
    for option in (added := only(new, old)):
        yield pair.at("comment", option).change(f"{pair.who} option {option!r} now needs a comment", None, True)
    for option in (gone := only(old, new)):
        yield pair.at("comment", option).change(f"{pair.who} option {option!r} no longer needs a comment", True, None)
    if not added and not gone:
        yield pair.at("comment").change(f"{pair.who} lists its comments in another order", old, new)


def _max_returns(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("max_returns", DEFAULT_MAX_RETURNS)
    text = f"{pair.who} may send the work back {_times(new)}, was {_times(old)}"
    yield pair.at("max_returns").change(text, old, new)


def _form(pair: Pair) -> Iterator[Change]:
    return compare_fields(f"the form of {pair.who}", pair.at("form"), *pair.both("form"))


def _forms(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("forms", {})
    for option in dict.fromkeys((*new, *old)):
        what = f"the form of option {option!r} of {pair.who}"
        yield from compare_fields(what, pair.at("forms", option), old.get(option), new.get(option))


# -- agents


def _timeout(pair: Pair) -> Iterator[Change]:
    if pair.kind != "agent":
        yield from compare_timeout(_asked(pair))
        return
    old, new = pair.both("timeout", DEFAULT_TIMEOUT.iso)
    yield pair.at("timeout").change(f"the timeout of {pair.who} is {duration(new)}, was {duration(old)}", old, new)


def _work(pair: Pair) -> Iterator[Change]:
    old, new = (next(((key, state[key]) for key in _WORK if key in state), ("value", None)) for state in _sides(pair))
    words = {"python": "calls", "command": "runs", "value": "gives"}
    first, second = told_both(old[1], new[1])
    text = f"{pair.who} now {words[new[0]]} {second}, was: {words[old[0]]} {first}"
    yield pair.at(new[0] if old[0] == new[0] else "work").change(text, old[1], new[1], kind="changed")


def _output(pair: Pair) -> Iterator[Change]:
    if pair.kind == "end":
        return _result(pair)
    what = f"the data of the signal of {pair.who}" if pair.kind == "wait" else f"the output of {pair.who}"
    return compare_fields(what, pair.at("output"), *pair.both("output"))


def _artifact(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("artifact")
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _members(pair, "artifact", "artifact")
        return
    texts = {
        (True, False): f"{pair.who} now makes the artifact {told(new)}",
        (False, True): f"{pair.who} no longer makes the artifact {told(old)}",
        (False, False): f"{pair.who} now makes the artifact {told(new)}, was: {told(old)}",
    }
    yield pair.at("artifact").change(texts[old is None, new is None], old, new)


def _effect(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("effect", "none")
    is_final = new == "irreversible"
    text = f"{pair.who} is now irreversible" if is_final else f"{pair.who} is no longer irreversible"
    yield pair.at("effect").change(text, old, new, is_risky=is_final)


def _unattended(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("unattended")
    allowed, refused = "may now run unattended: no person need approve before it", "may no longer run unattended"
    text = f"{pair.who} {refused if new is None else allowed}"
    yield pair.at("unattended").change(text, old, new, is_risky=new is not None)


def _isolate(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("isolate", True)
    where = "a process of its own" if new else "the engine's process"
    yield pair.at("isolate").change(f"{pair.who} now runs in {where}", old, new)


def _retry(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("retry")
    if old is None or new is None:
        was, now = (f"up to {_times(retry['attempts'])}" if retry else "once" for retry in (old, new))
        yield pair.at("retry").change(f"{pair.who} is tried {now}{_figures(new)}, was {was}{_figures(old)}", old, new)
        return
    for key, kind, was, now in differing(old, new):
        if kind == "changed" and key in ("delay", "max_delay"):
            text = f"{key!r} of the retries of {pair.who} is {duration(now)}, was {duration(was)}"
        elif kind == "changed" and key == "attempts":
            text = f"{pair.who} is tried up to {_times(now)}, was up to {_times(was)}"
        else:
            said, had = ("any code" if codes is None else told(codes) for codes in (now, was))
            text = f"{key!r} of the retries of {pair.who} is {said}, was {had}"
        yield pair.at(f"retry.{key}").change(text, was, now)


def _figures(retry: Json) -> str:
    if retry is None:
        return ""
    codes = f", on {', '.join(retry['on'])}" if "on" in retry else ""
    delays = f"delay {duration(retry['delay'])}, factor {retry['factor']}, at most {duration(retry['max_delay'])}"
    return f" ({delays}{codes})"


def _after_crash(pair: Pair) -> Iterator[Change]:
    """What is done after a crash. That an irreversible agent runs again unasked is risky."""
    old, new = (state.get("after_crash", _usual_after_crash(state)) for state in _sides(pair))
    was, now = ("ask" if isinstance(value, dict) else value for value in (old, new))
    if was == now == "ask":
        yield from compare_crash_requests(pair.name, old, new)
    elif was != now:
        text = f"after a crash {pair.who} now {_crashed(new)}, was: {_crashed(old)}"
        is_risky = now == "retry" and pair.after.get("effect") == "irreversible"
        yield pair.at("after_crash").change(text, old, new, is_risky=is_risky)


def _crashed(after_crash: Json) -> str:
    if isinstance(after_crash, dict):
        return f"asks a person {told(after_crash['ask'])}"
    return {"ask": "asks a person", "retry": "is tried again", "fail": "fails"}[after_crash]


def _usual_after_crash(state: Mapping[str, Json]) -> str:
    return "ask" if state.get("effect") == "irreversible" else "retry"


# -- waits and ends


def _awaited(pair: Pair) -> Iterator[Change]:
    (old, was), (new, now) = (_waits_for(state) for state in _sides(pair))
    yield pair.at(old if old == new else "wait").change(
        f"{pair.who} now waits {now}, was: {was}", pair.before.get(old), pair.after.get(new)
    )


def _waits_for(state: Mapping[str, Json]) -> tuple[str, str]:
    key = next(key for key in _AWAITED if key in state)
    value = state[key]
    if key == "for":
        return key, f"for {duration(value)}"
    if key == "until":
        return key, f"until {value}"
    return key, f"for signal {value if isinstance(value, str) else ' or '.join(value)}"


def _outcome(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("outcome", "success")
    yield pair.at("outcome").change(f"{pair.who} ends with {new}, was {old}", old, new)


def _result(pair: Pair) -> Iterator[Change]:
    old, new = pair.both("output")
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _members(pair, "output", "output")
        return
    texts = {
        (False, True): f"{pair.who} has an output, and had none: {told(new)}",
        (True, False): f"{pair.who} no longer has an output (it was {told(old)})",
    }
    there = "output" in pair.before, "output" in pair.after  # null is an output, too
    text = texts.get(there) or now_and_was(f"the output of {pair.who}", old, new)
    yield pair.at("output").change(text, old, new, kind=kind_of(*there))


def _arguments(pair: Pair) -> Iterator[Change]:
    return _members(pair, "with", "argument")


def _members(pair: Pair, key: str, noun: str) -> Iterator[Change]:
    """The named parts of a key, each with a value."""
    for name, kind, old, new in differing(*pair.both(key, {})):
        what = f"{noun} {name!r} of {pair.who}"
        texts: dict[str, str] = {
            "added": f"{what} is new: {told(new)}",
            "removed": f"{what} was removed (it was {told(old)})",
        }
        text = texts.get(kind) or now_and_was(what, old, new)
        yield pair.at(f"{key}.{name}").change(text, old, new, kind=kind)


def _sides(pair: Pair) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
    return pair.before, pair.after


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


_COMPARERS: Final[Mapping[str, Callable[[Pair], Iterator[Change]]]] = {
    "on": _ways,
    "message": _message,
    "show": _show,
    **{key: _request(key) for key in ("default", "assign", "exclude", "priority")},
    "comment": _comment,
    "max_returns": _max_returns,
    "form": _form,
    "forms": _forms,
    "timeout": _timeout,
    **dict.fromkeys(_WORK, _work),
    "with": _arguments,
    "output": _output,
    "artifact": _artifact,
    "effect": _effect,
    "unattended": _unattended,
    "isolate": _isolate,
    "retry": _retry,
    "after_crash": _after_crash,
    **dict.fromkeys(_AWAITED, _awaited),
    "outcome": _outcome,
}
