"""What is true of every run of a workflow, shown on its graph, with the path that shows the contrary where it is not.

The claims: every state can be reached; an end can be reached from each; nothing irreversible is done without a
person; a run ends though nobody ever answers; what goes round passes a person or a bound; somebody may decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.schema.approvals import Approvals, find_unapproved
from holdpoint.schema.flow import Flow, Step, written
from holdpoint.schema.nodes import Path
from holdpoint.schema.people import only_decider
from holdpoint.schema.report import listed
from holdpoint.schema.sheet import HUMAN_TYPES, NEVER, Sheet, crash_request
from holdpoint.schema.silence import Silence

REACH: Final = "reach"
END: Final = "end"
PERSON: Final = "person"
SILENCE: Final = "silence"
CYCLE: Final = "cycle"
DECIDERS: Final = "deciders"

CLAIMS: Final[Mapping[str, str]] = {
    REACH: "every state can be reached",
    END: "an end can be reached from every state",
    PERSON: "nothing irreversible is done without a person",
    SILENCE: "a run ends even if nobody ever answers",
    CYCLE: "every cycle passes a person or a bounded counter",
    DECIDERS: "somebody may decide every request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether a claim holds: `reason` says why, or why not; `path` are the states of the way that shows it."""

    claim: str
    holds: bool
    reason: str
    path: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The claim in words."""
        return CLAIMS[self.claim]

    def to_dict(self) -> dict[str, Json]:
        """The proof as `flow check --explain --json` prints it."""
        return {
            "claim": self.claim,
            "text": self.text,
            "holds": self.holds,
            "reason": self.reason,
            "path": list(self.path),
        }


def prove(sheet: Sheet, flow: Flow) -> list[Proof]:
    """Every claim about a workflow, in the order of `CLAIMS`; what fails it is reported too, where it stands."""
    silence = Silence(sheet, flow)
    return [
        _reach(sheet, flow),
        _end(sheet, flow),
        _person(sheet, flow),
        _silence(sheet, silence),
        _cycle(sheet, silence),
        _deciders(sheet),
    ]


def _reach(sheet: Sheet, flow: Flow) -> Proof:
    missed = [name for name in sheet.states if name not in flow.nodes]
    for name in missed:
        message = f"state {name!r} cannot be reached"
        sheet.report.key(("states", name), "HP250", message, "lead to it or remove it")
    if missed:
        return Proof(claim=REACH, holds=False, reason=f"no path leads to {listed(map(repr, missed))}")
    return Proof(claim=REACH, holds=True, reason=f"{len(sheet.states)} states")


def _end(sheet: Sheet, flow: Flow) -> Proof:
    reached = {node for name, _ in sheet.of_types("end") for node in flow.nodes.get(name, ())}
    waiting = list(reached)
    while waiting:
        for step in flow.before[waiting.pop()]:
            if step.source is not None and step.source not in reached:
                reached.add(step.source)
                waiting.append(step.source)
    trapped = [node for nodes in flow.nodes.values() for node in nodes if node not in reached]
    if not trapped:
        ends = listed(name for name, _ in sheet.of_types("end") if name in flow.nodes)
        return Proof(claim=END, holds=True, reason=f"the ends are {ends}")
    names = list(dict.fromkeys(node.state for node in trapped))
    message = f"no state of type 'end' can be reached from {listed(map(repr, names))}"
    sheet.report.key(("states", names[0]), "HP251", message, "lead to an end state")
    way = flow.way_to(trapped[0])
    return Proof(claim=END, holds=False, reason=f"{message}: {written(way)}", path=_states(way))


def _person(sheet: Sheet, flow: Flow) -> Proof:
    approvals = Approvals(sheet, flow)
    reasons, allowed = [], []
    failed: Proof | None = None
    for name, state in sheet.of_types("agent"):
        if state.get("effect") != "irreversible" or name not in flow.nodes:
            continue
        if state.get("unattended") == "allowed":
            allowed.append(name)
            continue
        found = find_unapproved(approvals, name)
        if not found.way:
            reasons.append(f"{name!r} after {_either(found.gates)}")
            continue
        message, fix, code = _unapproved(name, found.stale, found.silent, found.way)
        sheet.report.value(("states", name, "effect"), code, message, fix)
        failed = failed or Proof(claim=PERSON, holds=False, reason=message, path=_states(found.way))
    if failed is not None:
        return failed
    if allowed:
        reasons.append(f"{listed(map(repr, allowed))} may run unattended: the workflow says so")
    return Proof(claim=PERSON, holds=True, reason="; ".join(reasons) or "nothing is irreversible")


def _unapproved(
    name: str, stale: tuple[str, str, str] | None, silent: str | None, way: Sequence[Step]
) -> tuple[str, str, str]:
    """The message, the fix and the code for an irreversible agent that a run can come to without an approval."""
    fix = "lead every path to it through an approval by a person, or write 'unattended: allowed'"
    if stale is not None:
        gate, made, maker = stale
        message = (
            f"{name!r} is irreversible, and what {gate!r} approved is not what it finds: "
            f"{maker!r} makes {made} anew in between: {written(way)}"
        )
        return message, "ask a person again after it", "HP302"
    who = f"; silence at {silent!r} is no person's approval" if silent else ""
    return f"{name!r} is irreversible, and no person need approve before it{who}: {written(way)}", fix, "HP301"


def _silence(sheet: Sheet, silence: Silence) -> Proof:
    if silence.endless is not None:
        way = silence.endless
        message = f"if nobody answers, the run goes round for ever: {written(way)}"
        if silence.runaway is None:
            fix = "let the default lead on, or bound the rounds, such as 'when: visits.STATE < 3'"
            sheet.report.value(_place(way), "HP310", message, fix)
        return Proof(claim=SILENCE, holds=False, reason=message, path=_states(way))
    if silence.stays is not None:
        way = silence.stays
        name = way[-1].target.state
        why = "for a signal" if sheet.states[name]["type"] == "wait" else "for a person"
        reason = f"state {name!r} waits {why} for ever: {written(way)}"
        return Proof(claim=SILENCE, holds=False, reason=reason, path=_states(way))
    way = silence.longest
    reason = "; ".join([f"{silence.figure}: {written(way)}", *_left_aside(sheet)])
    return Proof(claim=SILENCE, holds=True, reason=reason, path=_states(way))


def _left_aside(sheet: Sheet) -> Iterator[str]:
    """The questions after a crash that nothing but a person ends: crashes are no part of the claim."""
    for name, state in sheet.of_types("agent"):
        usual = "ask" if state.get("effect") == "irreversible" else "retry"
        is_asked = state.get("after_crash", usual) not in ("retry", "fail")
        ask = crash_request(state) or {}
        if is_asked and ask.get("timeout", NEVER) == NEVER:
            who = "somebody who is assigned" if ask.get("assign") else "anyone"
            yield f"left aside: after a crash of {name!r} {who} is asked, for ever"


def _cycle(sheet: Sheet, silence: Silence) -> Proof:
    way = silence.runaway
    if way is not None:
        message = f"nothing bounds this cycle, in which no person is asked: {written(way)}"
        if not sheet.report.has_errors:  # a trap is reported as such
            fix = "ask a person in it, or bound it, such as 'when: visits.STATE < 3'"
            sheet.report.value(_place(way), "HP311", message, fix)
        return Proof(claim=CYCLE, holds=False, reason=message, path=_states(way))
    bounds = listed(silence.bounds)
    reason = f"bounded without a person: {bounds}" if silence.bounds else "none goes round without a person"
    return Proof(claim=CYCLE, holds=True, reason=reason)


def _deciders(sheet: Sheet) -> Proof:
    people = sheet.report.people
    alone: list[str] = []
    for name, state in sheet.of_types("agent", *HUMAN_TYPES):
        path: Path = ("states", name) if state["type"] in HUMAN_TYPES else ("states", name, "after_crash", "ask")
        asked = state if state["type"] in HUMAN_TYPES else crash_request(state)
        if asked is not None and sheet.report.has_findings_below((*path, "assign"), ("HP238", "HP239")):
            reason = f"all who are assigned in state {name!r} are excluded"
            return Proof(claim=DECIDERS, holds=False, reason=reason, path=(name,))
        if asked is not None and people is not None and (person := only_decider(asked, people)) is not None:
            alone.append(f"but for runs that {person!r} starts: nobody else may decide {name!r}")
    known = "" if people is not None else ", as far as the workflow says: nobody is named in flow.toml"
    reason = "; ".join([f"nobody who is needed is excluded{known}", *alone])
    return Proof(claim=DECIDERS, holds=True, reason=reason)


def _place(way: Sequence[Step]) -> Path:
    """Where the file says what closes a cycle."""
    return way[-1].arc.path


def _states(way: Iterable[Step]) -> tuple[str, ...]:
    steps = list(way)
    first = (steps[0].source.state,) if steps and steps[0].source else ()
    return (*first, *(step.target.state for step in steps))


def _either(gates: Sequence[str]) -> str:
    return " or ".join(map(repr, gates)) or "none"
