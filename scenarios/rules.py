"""What holds in every run, told from its history and its definition alone, and not from how the engine comes to it.

It is a second, small account of spec 3: who may decide and when, what is asked and until when, which way a run goes,
how often an agent is tried. `flow explore` holds every run to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from holdpoint.engine.agents import FAILURES
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import TIMEOUT, AgentState, AnyState, Definition, EndState, HumanState, WaitState
from holdpoint.engine.errors import Invalid
from holdpoint.engine.model import MAX_CRASHES, MOVED, ON_CANCEL, Entry
from holdpoint.engine.moments import Moment
from holdpoint.engine.people import is_excluded, may_act
from holdpoint.engine.times import parse_time

Roles = Callable[[str], frozenset[str]]
APPROVING: Final = ("approval", "return")
REFUSING: Final = ("reject", "revise")


def broken_rules(definition: Definition, roles: Roles, moments: Sequence[Moment]) -> Iterator[str]:
    """Every rule that a run breaks, in words, in the order of its history."""
    audit = _Audit(definition, roles)
    before: Moment | None = None
    for moment in moments:
        yield from audit.look_at(moment, before)
        before = moment


def unapproved(document: Mapping[str, Any], history: Sequence[Entry]) -> tuple[str, ...]:
    """The irreversible steps that were taken though no approval by a person stood, told from the history alone.

    An approval stands until something that it showed is made anew.
    """
    states = document["states"]
    standing: list[frozenset[str]] = []
    shown: dict[str, frozenset[str]] = {}
    found = []
    for entry in history:
        data = entry.data
        if entry.kind == "request.opened" and data["kind"] in APPROVING:
            shown[data["request"]] = frozenset(one["name"] for one in data["show"])
        elif entry.kind == "request.decided" and data["request"] in shown and data["decision"] not in REFUSING:
            standing.append(shown[data["request"]])
        elif entry.kind == "artifact.revised" and entry.actor_kind == "agent":
            standing = [names for names in standing if data["name"] not in names]
        elif entry.kind == "agent.started":
            state = states[data["state"]]
            is_irreversible = state.get("effect") == "irreversible" and "unattended" not in state
            if is_irreversible and not standing:
                found.append(data["state"])
    return tuple(found)


@dataclass(slots=True)
class _Asked:
    """A request that is open."""

    data: Mapping[str, Json]
    state: AnyState
    due_at: datetime | None


@dataclass(slots=True)
class _Audit:
    """What is known of a run up to some entry of its history."""

    definition: Definition
    roles: Roles
    initiator: str | None = None
    asked: dict[str, _Asked] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    returns: dict[str, int] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    signals: list[tuple[int, str]] = field(default_factory=list)
    way_out: str | None = None
    is_left: bool = True
    failures: int = 0
    crashes: int = 0
    retry_from: datetime | None = None
    is_retried: bool = False
    cancellations: int = 0
    wait_until: datetime | None = None

    def look_at(self, moment: Moment, before: Moment | None) -> Iterator[str]:
        """What the entry of a moment breaks."""
        entry = moment.entry
        if before is not None and entry.seq != before.entry.seq + 1:
            yield f"entry {entry.seq} follows entry {before.entry.seq}: one is missing"
        look = _LOOKS.get(entry.kind)
        if look is not None and before is not None:
            yield from look(self, entry, moment, before)
        elif entry.kind == "run.started":
            self.initiator = entry.actor

    # --- ways ---

    def _transition(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        data = entry.data
        state = self.definition.states[data["from"]]
        if data["option"] != self.way_out:
            yield f"it leaves {state.name!r} by {data['option']!r}, and what came of it is {self.way_out!r}"
        targets = self.definition.on_cancel if data["option"] == ON_CANCEL else state.on.get(data["option"], ())
        expected = _chosen(targets, before)
        if data["option"] != MOVED and data["to"] != expected:
            yield f"from {state.name!r} by {data['option']!r} it goes to {data['to']!r}, and not to {expected!r}"
        self.is_left = True

    def _entered(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        if not self.is_left:
            yield f"it enters {entry.data['state']!r} without having left the state before"
        if self.asked:
            yield f"it enters {entry.data['state']!r} while a request is open"
        self.is_left, self.way_out = False, None
        self.failures = self.crashes = 0
        self.retry_from, self.is_retried = None, False

    def _ended(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        state = self._state(moment)
        if isinstance(state, EndState) and entry.data["outcome"] != state.outcome:
            yield f"it ends in {state.name!r} as {entry.data['outcome']!r}, and not as {state.outcome!r}"

    def _failed(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        code, message = entry.data["code"], entry.data["message"]
        state = self.definition.states.get(moment.run.state or "")
        if code == "poisoned" and self.crashes >= MAX_CRASHES:
            return
        if code not in FAILURES or "error" in (state.on if state else {}):
            yield f"it is stuck, failed in {moment.run.state!r}: {message} ({code})"

    def _cancelled(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        self.cancellations += 1
        self.way_out = ON_CANCEL
        if self.cancellations > 1:
            yield "on_cancel is taken a second time"

    def _moved(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        self.way_out = MOVED
        return iter(())

    # --- requests ---

    def _opened(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        data, state = entry.data, self._state(moment)
        if self.asked:
            yield f"a second request is opened in {state.name!r}"
        due_at = parse_time(data["due_at"]) if data.get("due_at") else None
        self.asked[data["request"]] = _Asked(data=data, state=state, due_at=due_at)
        asks = state.ask if isinstance(state, AgentState) else state
        timeout = getattr(asks, "timeout", None)
        expected = timeout.after(entry.at, self.definition.zone) if timeout else None
        if due_at != expected:
            yield f"the request of {state.name!r} is due at {due_at}, and not at {expected}"
        excluded = [self.initiator if one == "initiator" else one for one in getattr(asks, "exclude", ())]
        if set(data.get("exclude", ())) != {one for one in excluded if one is not None}:
            yield f"the request of {state.name!r} excludes {data.get('exclude')}, and not {excluded}"
        if isinstance(state, HumanState):
            yield from self._offered(state, data)

    def _offered(self, state: HumanState, data: Mapping[str, Json]) -> Iterator[str]:
        returns = self.returns.get(state.name, 0)
        is_spent = state.type == "return" and returns >= state.max_returns
        expected = [one for one in state.on if one != TIMEOUT and not (is_spent and one == "revise")]
        if data["options"] != expected:
            yield (
                f"{state.name!r} offers {', '.join(data['options'])} after {returns} returns,"
                f" and not {', '.join(expected)}"
            )

    def _decided(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        asked = self.asked.pop(entry.data["request"], None)
        if asked is None:
            yield f"a request that is not open is decided: {entry.data['decision']!r}"
            return
        option, by, name = entry.data["decision"], entry.actor or "", asked.state.name
        if asked.due_at is not None and entry.at >= asked.due_at:
            yield f"{by!r} decides in {name!r} at {entry.at}, and it was due at {asked.due_at}"
        if is_excluded(asked.data.get("exclude") or (), by, self.roles):
            yield f"{by!r} decides in {name!r}, and is excluded"
        if not may_act(asked.data.get("assign") or [], option, by, self.roles):
            yield f"{by!r} decides in {name!r}, and was not asked"
        if option not in asked.data["options"]:
            yield f"{by!r} chooses {option!r} in {name!r}, which is not offered"
        yield from self._settled(entry, asked)

    def _expired(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        asked = self.asked.pop(entry.data["request"], None)
        if asked is None:
            yield f"the deadline of a request that is not open is applied: {entry.data['decision']!r}"
            return
        name, due_at = asked.state.name, asked.due_at
        if due_at is None or due_at > entry.at:
            yield f"the deadline of {name!r} is applied at {entry.at}, and it is due at {due_at}"
        elif parse_time(entry.data["at"]) != due_at:
            yield f"the deadline of {name!r} is noted for {entry.data['at']}, and it was due at {due_at}"
        asks = asked.state.ask if isinstance(asked.state, AgentState) else asked.state
        default = getattr(asks, "default", None)
        expected = default["decision"] if default else TIMEOUT
        if entry.data["decision"] != expected:
            yield f"silence in {name!r} gives {entry.data['decision']!r}, and not {expected!r}"
        yield from self._settled(entry, asked)

    def _settled(self, entry: Entry, asked: _Asked) -> Iterator[str]:
        if entry.data["request"] in self.settled:
            yield f"a request of {asked.state.name!r} is settled twice"
        self.settled.add(entry.data["request"])
        if isinstance(asked.state, AgentState):
            return
        self.way_out = entry.data["decision"]
        if entry.data["decision"] == "revise":
            self.returns[asked.state.name] = self.returns.get(asked.state.name, 0) + 1

    def _voided(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        if self.asked.pop(entry.data["request"], None) is None:
            yield "a request that is not open is voided"

    def _extended(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        self.asked[entry.data["request"]].due_at = parse_time(entry.data["due_at"])
        return iter(())

    def _refused(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        now, then = moment.run, before.run
        changed = [name for name in _KEPT if getattr(now, name) != getattr(then, name)]
        if changed:
            yield f"a decision that was refused changes {', '.join(changed)}"

    # --- agents ---

    def _agent_started(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        number = entry.data["attempt"]
        name = entry.data["state"]
        if not self.is_retried and number != self.failures + 1:
            yield f"attempt {number} of {name!r} is made after {self.failures} that failed"
        if self.retry_from is not None and entry.at < self.retry_from:
            yield f"{name!r} is tried again at {entry.at}, before its delay is over at {self.retry_from}"
        self.retry_from = None

    def _agent_failed(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        state = self._state(moment)
        if entry.data.get("uncounted") or not isinstance(state, AgentState):
            return
        self.failures += 1
        code = entry.data["code"]
        is_final = code == "agent_crashed" or self.is_retried
        delay = None if is_final else _shortest_delay(state, self.failures, code)
        if delay is not None:
            self.retry_from = entry.at + delay - timedelta(microseconds=1)
        if not self.is_retried and (delay is None) is not ("retry_at" not in entry.data):
            yield f"{state.name!r} {'is' if delay is None else 'is not'} tried again after {self.failures} failures"
        if delay is None and "error" in state.on:
            self.way_out = "error"

    def _agent_succeeded(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        self.way_out = "done"
        return iter(())

    def _crashed(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        self.crashes += 1
        return iter(())

    def _retried(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        self.is_retried = True
        self.crashes = 0
        return iter(())

    def _revised(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        name, revision = entry.data["name"], entry.data["revision"]
        if revision != self.revisions.get(name, 0) + 1:
            yield f"revision {revision} of {name!r} follows revision {self.revisions.get(name, 0)}"
        self.revisions[name] = revision

    # --- waits ---

    def _wait_started(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        state = self._state(moment)
        self.wait_until = parse_time(entry.data["due_at"]) if entry.data.get("due_at") else None
        if not isinstance(state, WaitState):
            return
        duration = state.timeout if state.takes else state.duration
        if duration is not None and self.wait_until != duration.after(entry.at, self.definition.zone):
            yield f"the wait in {state.name!r} is over at {self.wait_until}, and not {duration} after {entry.at}"
        kept = [name for _, name in self.signals if name in state.takes]
        if kept:
            yield f"{state.name!r} waits, though the signal {kept[0]!r} had come before"

    def _wait_ended(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        state, option = self._state(moment), entry.data["option"]
        self.way_out = option
        if not isinstance(state, WaitState):
            return
        taken = entry.data.get("signal")
        if taken is not None:
            first = next((seq for seq, name in self.signals if name in state.takes), None)
            if taken != first:
                yield f"{state.name!r} takes the signal of entry {taken}, and not the oldest, of entry {first}"
            self.signals = [one for one in self.signals if one[0] != taken]
        elif self.wait_until is not None and entry.at < self.wait_until:
            yield f"the wait in {state.name!r} is over at {entry.at}, before {self.wait_until}"
        self.wait_until = None

    def _signal(self, entry: Entry, moment: Moment, before: Moment) -> Iterator[str]:
        self.signals.append((entry.seq, entry.data["name"]))
        return iter(())

    def _state(self, moment: Moment) -> AnyState:
        return self.definition.states[moment.run.state or ""]


def _shortest_delay(state: AgentState, failures: int, code: str) -> timedelta | None:
    """How long at least until the next attempt, after so many that failed; None where there is none."""
    retry = state.retry
    if retry is None or failures >= retry.attempts or (retry.on is not None and code not in retry.on):
        return None
    grown = float(retry.delay.seconds) * retry.factor ** (failures - 1)
    return timedelta(seconds=min(grown, retry.max_delay.seconds) / 2)  # half of it may be taken off


def _chosen(targets: Sequence[Any], before: Moment) -> str | None:
    """The first target whose condition holds."""
    for target in targets:
        try:
            if target.when is None or target.when.holds(before.scope()):
                return str(target.to)
        except Invalid:
            return None
    return None


_KEPT: Final = (
    "state",
    "phase",
    "requests",
    "results",
    "artifacts",
    "visits",
    "returns",
    "alarm",
    "signals",
    "failure",
)
_LOOKS: Final[Mapping[str, Callable[[_Audit, Entry, Moment, Moment], Iterator[str]]]] = {
    "transition": _Audit._transition,
    "state.entered": _Audit._entered,
    "run.ended": _Audit._ended,
    "run.failed": _Audit._failed,
    "operator.cancelled": _Audit._cancelled,
    "operator.moved": _Audit._moved,
    "operator.retried": _Audit._retried,
    "operator.extended": _Audit._extended,
    "request.opened": _Audit._opened,
    "request.decided": _Audit._decided,
    "request.expired": _Audit._expired,
    "request.voided": _Audit._voided,
    "decision.refused": _Audit._refused,
    "agent.started": _Audit._agent_started,
    "agent.failed": _Audit._agent_failed,
    "agent.succeeded": _Audit._agent_succeeded,
    "agent.crashed": _Audit._crashed,
    "artifact.revised": _Audit._revised,
    "wait.started": _Audit._wait_started,
    "wait.ended": _Audit._wait_ended,
    "signal.received": _Audit._signal,
}
