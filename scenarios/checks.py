"""What a scenario file says that its workflow cannot do: each a finding at its place, several at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from holdpoint.engine.agents import FAILURES
from holdpoint.engine.asking import asking
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import TIMEOUT, AgentState, Definition
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.errors import REFUSALS, Conflict, Invalid, NotAllowed, NotFound, UsageError
from holdpoint.engine.jsonschemas import errors
from holdpoint.engine.people import ROLE, is_role
from holdpoint.engine.times import parse_time
from holdpoint.engine.verify_rows import ACTORS
from holdpoint.scenarios.agents import KINDS, kind_of
from holdpoint.scenarios.expect import OF_A_REQUEST
from holdpoint.scenarios.model import Step
from holdpoint.schema.available import MESSAGE
from holdpoint.schema.nodes import Path as Where
from holdpoint.schema.report import Report, hinted, listed, suggestion

VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "decide": ("at", "by", "comment", "answers", "artifact", "base", "key", "refused"),
    "advance": ("ticks",),
    "signal": ("data", "by", "key", "refused"),
    "cancel": ("by", "reason", "refused"),
    "retry": ("by", "reason", "refused"),
    "move": ("by", "reason", "refused"),
    "extend": ("at", "by", "reason", "refused"),
    "assign": ("at", "by", "refused"),
    "claim": ("at", "by", "refused"),
    "tick": (),
    "expect": (),
}
"""What a step can do, each with the keys that say more of it."""

LATER: Final = ("notifications",)
"""What cannot be expected yet: it is refused by name."""
_REFUSALS: Final = (*(kind.code for kind in (NotAllowed, Conflict, Invalid, NotFound, UsageError)), *REFUSALS)
_REFERENCE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_STARTED: Final = "the run was started before the first step"
_NOT_STARTED: Final = "a run whose start is refused has no steps, and is in no state"
_ERROR_KEYS: Final = ("code", "message", "details")


def verbs_of(step: Mapping[str, Json]) -> list[str]:
    """What a step does: one thing, where it is right."""
    return [verb for verb in VERBS if verb in step]


def step_of(said: Mapping[str, Json], number: int) -> Step:
    """A step that a program says, which has its number for a line. Raises `UsageError` where it is none."""
    verbs = verbs_of(said)
    if len(verbs) != 1:
        raise UsageError(f"step {number} does {listed(verbs)}; a step does one of {listed(VERBS)}")
    strange = next((key for key in said if key not in (*verbs, *VERBS[verbs[0]])), None)
    if strange is not None:
        allowed = listed(VERBS[verbs[0]])
        raise UsageError(f"step {number}: {strange!r} says nothing beside {verbs[0]!r}; allowed: {allowed}")
    return Step(verb=verbs[0], keys=said, line=number)


class Checker:
    """Reports what a scenario file says that its workflow cannot do."""

    def __init__(self, report: Report, definition: Definition, value: Mapping[str, Json]) -> None:
        self._report = report
        self._definition = definition
        self._value = value

    def check(self) -> None:
        """Report everything. Raises `TooManyErrors`."""
        self._check_people(self._value.get("people", {}))
        self._check_time(("start",), self._value.get("start"))
        self.check_agents(("agents",), self._value.get("agents", {}))
        names: set[str] = set()
        for index, scenario in enumerate(self._value.get("scenarios", ())):
            here: Where = ("scenarios", index)
            if scenario["name"] in names:
                message = f"two scenarios are named {scenario['name']!r}"
                self._report.value((*here, "name"), "HP403", message, "say what each of them shows")
            names.add(scenario["name"])
            self._check_time((*here, "start"), scenario.get("start"))
            self.check_agents((*here, "agents"), scenario.get("agents", {}))
            for number, step in enumerate(scenario.get("steps", ())):
                self._check_step((*here, "steps", number), step)
            self._check_steps_refused((*here, "steps"), scenario.get("steps", ()))
            self.check_end((*here, "expect"), scenario.get("expect", {}), has_steps=bool(scenario.get("steps")))

    def check_end(self, path: Where, expect: Mapping[str, Json], *, has_steps: bool = False) -> None:
        """Report what cannot be expected at the end, after steps or without them."""
        self._check_expect(path, expect)
        if "refused" in expect:
            self._check_refusal((*path, "refused"), expect["refused"])
        if "refused" in expect and (len(expect) > 1 or has_steps):
            fix = "remove the steps and what else is expected" if has_steps else "remove what else is expected"
            self._report.key((*path, "refused"), "HP406", _NOT_STARTED, fix)

    def _check_people(self, people: Mapping[str, Sequence[str]]) -> None:
        """Report a role that is misspelt: who has it could do nothing that the scenarios say."""
        held = frozenset[str]().union(*people.values())
        for name, roles in people.items():
            for index, role in enumerate(roles):
                if meant := self._definition.role_meant(role, held):
                    message = f"no request of the workflow asks the role {role!r}"
                    self._report.value(("people", name, index), "HP405", message, meant)

    def _check_time(self, path: Where, text: str | None) -> None:
        if text is not None:
            self._check_text(path, text, parse_time)

    def _check_text(self, path: Where, text: str, parse: Callable[[str], object]) -> None:
        try:
            parse(text)
        except Invalid as error:
            self._report.value(path, "HP404", *hinted(str(error), "write a time such as 2026-01-05T09:00:00Z"))

    # --- agents

    def check_agents(self, path: Where, agents: Mapping[str, Json]) -> None:
        """Report what made-up agents cannot give: agents by state, each as it is described."""
        states = self._definition.states
        known = [name for name, state in states.items() if isinstance(state, AgentState) and state.value is None]
        for name, described in agents.items():
            if name not in known:
                what = "no agent whose work could be made up" if name in states else "no state"
                message = f"the workflow has {what} {name!r}"
                self._report.key((*path, name), "HP405", message, suggestion(name, known))
            elif isinstance(described, list):
                self._check_visits((*path, name), described)
            else:
                self._check_agent((*path, name), described, is_whole=True)

    def _check_visits(self, path: Where, visits: Sequence[Json]) -> None:
        if not visits:
            fix = "describe at least one visit, or write {output: []} for an empty list"
            self._report.value(path, "HP407", "the list of visits is empty", fix)
        for index, described in enumerate(visits):
            self._check_agent((*path, index), described)

    def _check_agent(self, path: Where, described: Json, *, is_whole: bool = False, is_attempt: bool = False) -> None:
        kind = kind_of(described)
        if kind is None:
            self._check_given(path, described)
        if kind is None or kind == "output":
            return
        value = described[kind]
        at: Where = (*path, kind)
        if kind in ("crash", "real") and value is not True:
            self._report.value(at, "HP407", f"{kind!r} can only be true", "write true, or leave it out")
        elif kind == "real" and not is_whole:
            message = "the real agent runs on every visit or on none"
            self._report.value(at, "HP407", message, "write {real: true} for the whole state")
        elif kind == "python" and not (isinstance(value, str) and _REFERENCE.fullmatch(value)):
            message = "'python' names a function of the project"
            self._report.value(at, "HP407", message, "write 'package.module:function'")
        elif kind == "error":
            self._check_error(at, value)
        elif kind == "attempts":
            self._check_attempts(at, value, is_attempt)

    def _check_given(self, path: Where, output: Json) -> None:
        """Report an output that the state refuses: a misspelt description would pass for a failing agent."""
        name = str(path[path.index("agents") + 1])
        state = self._definition.states[name]
        schema = state.output if isinstance(state, AgentState) else None
        problems = () if schema is None else errors(schema, output, "output")
        if problems:
            message = f"what the agent of {name!r} gives is not what its state takes: {problems[0]}"
            fix = f"describe it by one of {listed(KINDS)}, or write {{output: …}} where it is to be refused"
            self._report.value(path, "HP407", message, fix)

    def _check_attempts(self, path: Where, attempts: Json, is_attempt: bool) -> None:
        if is_attempt or not isinstance(attempts, list) or not attempts:
            message = "'attempts' is the list of what the attempts of one visit come to"
            self._report.value(path, "HP407", message, "write e.g. [{crash: true}, {output: …}]")
            return
        for index, described in enumerate(attempts):
            self._check_agent((*path, index), described, is_attempt=True)

    def _check_error(self, path: Where, error: Json) -> None:
        if isinstance(error, str):
            return
        if not isinstance(error, dict) or not all(isinstance(error.get(key, ""), str) for key in ("code", "message")):
            self._report.value(path, "HP407", "'error' is a message", "write a text, or {code: …, message: …}")
            return
        for key in error:
            if key not in _ERROR_KEYS:
                self._report.key((*path, key), "HP407", f"an error has no {key!r}", suggestion(key, _ERROR_KEYS))
        if not isinstance(error.get("details", {}), dict):
            self._report.value((*path, "details"), "HP407", "'details' is a mapping", "write {name: value}")
        code = error.get("code")
        if code is not None and code not in FAILURES:
            message = f"no agent fails with the code {code!r}"
            self._report.value((*path, "code"), "HP407", message, suggestion(code, list(FAILURES)))

    # --- steps

    def _check_step(self, path: Where, step: Mapping[str, Json]) -> None:
        verbs = verbs_of(step)
        if not verbs and self._report.has_errors_below(path):
            return  # its verb is misspelt, which is reported
        if len(verbs) != 1:
            what = f"this does {' and '.join(verbs)}" if verbs else "this does nothing"
            fix = "write a step for each" if verbs else f"write one of {listed(VERBS)}"
            self._report.value(path, "HP406", f"a step does one thing; {what}", fix)
            return
        verb = verbs[0]
        for key in step:
            if key != verb and key not in VERBS[verb]:
                allowed = f"allowed beside it: {listed(VERBS[verb])}"
                self._report.key((*path, key), "HP406", f"{key!r} says nothing in a step with {verb!r}", allowed)
        self._check_verb(path, step, verb)

    def _check_verb(self, path: Where, step: Mapping[str, Json], verb: str) -> None:
        given, at = step[verb], (*path, verb)
        if verb in ("advance", "extend"):
            self._check_text(at, given, parse_duration)
        elif verb in ("move", "signal") and "refused" in step:
            pass  # that there is no such state or signal may be what is to be seen
        elif verb == "move":
            self._check_state(at, given)
        elif verb == "decide":
            self._check_decision(path, step)
        elif verb == "signal":
            self._check_signal(at, given)
        elif verb == "assign":
            self._check_assigned(at, given)
        elif verb == "expect":
            self._check_expect(at, given)
        elif given is False:
            self._report.value(at, "HP406", f"{verb!r} cannot be false", "write true, or leave the step out")
        if "at" in step:
            self._check_state((*path, "at"), step["at"])
        if "refused" in step:
            self._check_refusal((*path, "refused"), step["refused"])

    def _check_state(self, path: Where, name: str) -> None:
        states = self._definition.states
        if name not in states:
            self._report.value(path, "HP405", f"the workflow has no state {name!r}", suggestion(name, list(states)))

    def _check_decision(self, path: Where, step: Mapping[str, Json]) -> None:
        if "artifact" in step and step["artifact"] is None:
            fix = "remove the key, or write the edit"
            self._report.key((*path, "artifact"), "HP406", "an edit cannot be none", fix)
        if "refused" not in step and step.get("at", "") in ("", *self._definition.states):
            self._check_option((*path, "decide"), step["decide"], step.get("at"))

    def _check_option(self, path: Where, option: str, state: str | None) -> None:
        """Report an option that a state does not have; without a state, one that none has."""
        known = list(dict.fromkeys(one for name in self._definition.states for one in self._options_of(name)))
        whose = "any state"
        if state is not None:
            known, whose = self._options_of(state), f"state {state!r}"
        if known and option not in known:
            self._report.value(path, "HP405", f"{option!r} is not an option of {whose}", suggestion(option, known))

    def _options_of(self, name: str) -> list[str]:
        """What people may choose in a state, also after a crash; nothing where nobody is asked."""
        asked = asking(self._definition.states[name])
        return [] if asked is None else list(asked.options)

    def _check_assigned(self, path: Where, people: Sequence[str]) -> None:
        """Report a role that nobody has and that no request asks."""
        held = frozenset[str]().union(*self._value.get("people", {}).values())
        known = sorted({*held, *self._definition.roles_asked})
        for index, entry in enumerate(people):
            role = entry.removeprefix(ROLE)
            if is_role(entry) and role not in known:
                message = f"nobody has the role {role!r}, and no request asks it"
                self._report.value((*path, index), "HP405", message, suggestion(role, known))

    def _check_signal(self, path: Where, name: str) -> None:
        known = [one for state in self._definition.states.values() for one in getattr(state, "takes", ())]
        if name not in known:
            message = f"no wait of the workflow takes the signal {name!r}"
            self._report.value(path, "HP405", message, suggestion(name, known))

    # --- expectations

    def _check_expect(self, path: Where, expect: Mapping[str, Json]) -> None:
        for key in LATER:
            if key in expect:
                self._report.key((*path, key), "HP190", f"{key!r} is {MESSAGE}", "remove it")
        for place, name in _named_states(path, expect):
            self._check_state(place, name)
        for name, decision in expect.get("decisions", {}).items():
            self._check_decided((*path, "decisions", name), name, decision)
        for key in ("artifacts", "revisions", "authors"):
            self._check_keys((*path, key), expect.get(key, {}), "artifact", list(self._definition.producers))
        self._check_keys((*path, "counts"), expect.get("counts", {}), "kind of entry", list(ACTORS))
        for index, kind in enumerate(expect.get("history", ())):
            if kind not in ACTORS:
                message = f"there is no kind of entry {kind!r}"
                self._report.value((*path, "history", index), "HP405", message, suggestion(kind, list(ACTORS)))
        for index, request in enumerate(expect.get("requests", ())):
            here: Where = (*path, "requests", index)
            self._check_keys(here, request, "member of a request", OF_A_REQUEST)
            if isinstance(request.get("due"), str):
                self._check_text((*here, "due"), request["due"], _parse_moment)

    def _check_steps_refused(self, path: Where, steps: Sequence[Mapping[str, Json]]) -> None:
        """Report a refused start that is expected of a run that was started."""
        for number, step in enumerate(steps):
            if "refused" in step.get("expect", {}):
                fix = "write it beside the step that is refused, or expect it at the end of a scenario without steps"
                self._report.key((*path, number, "expect", "refused"), "HP406", _STARTED, fix)

    def _check_decided(self, path: Where, name: str, decision: Json) -> None:
        is_option = isinstance(decision, str)
        option = decision if is_option else decision.get("decision") if isinstance(decision, dict) else None
        if isinstance(option, str) and option != TIMEOUT and name in self._definition.states:
            self._check_option(path if is_option else (*path, "decision"), option, name)
        if isinstance(decision, dict) and isinstance(decision.get("at"), str):
            self._check_text((*path, "at"), decision["at"], _parse_moment)

    def _check_refusal(self, path: Where, code: str) -> None:
        if code not in _REFUSALS:
            message = f"nothing is refused with the code {code!r}"
            self._report.value(path, "HP405", message, suggestion(code, _REFUSALS))

    def _check_keys(self, path: Where, keys: Mapping[str, Json], what: str, known: Sequence[str]) -> None:
        for key in keys:
            if key not in known:
                self._report.key((*path, key), "HP405", f"there is no {what} {key!r}", suggestion(key, known))


def _parse_moment(text: str) -> None:
    """Raise `Invalid` for what is neither a time nor a duration."""
    try:
        parse_time(text)
    except Invalid:
        parse_duration(text)


def _named_states(path: Where, expect: Mapping[str, Json]) -> Iterator[tuple[Where, str]]:
    if isinstance(expect.get("state"), str):
        yield (*path, "state"), expect["state"]
    for index, name in enumerate(expect.get("path", ())):
        yield (*path, "path", index), name
    for key in ("results", "arguments", "decisions", "visits"):
        yield from (((*path, key, name), name) for name in expect.get(key, {}))
