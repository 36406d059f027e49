"""What can happen to a run that rests: decisions of people, silence, signals, ticks, and what operators do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeAlias

from holdpoint.api import Engine
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, HumanState, WaitState
from holdpoint.engine.durations import Duration
from holdpoint.engine.model import Entry
from holdpoint.engine.people import assigned, is_excluded, is_role, may_act
from holdpoint.engine.views import Request, Run
from holdpoint.scenarios.model import INITIATOR
from holdpoint.scenarios.subjects import Subject
from holdpoint.testing import Clock

STRANGER: Final = "a stranger"
COMMENT: Final = "so it is"
_RETRY: Final[Mapping[str, Json]] = {"retry": True}

Act: TypeAlias = Mapping[str, Json]
"""A step of a scenario."""


class Acts:
    """The acts that are possible with a run, as it was last looked at.

    *used* counts how often operators cancelled and retried it.
    """

    def __init__(self, subject: Subject, engine: Engine, clock: Clock, used: Mapping[str, int]) -> None:
        self._subject = subject
        self._engine = engine
        self._clock = clock
        self._used = used
        self._run: Run | None = None
        self.history: Sequence[Entry] = ()

    def look(self, run: Run, history: Sequence[Entry]) -> None:
        """Go by this from now on."""
        self._run, self.history = run, history

    @property
    def run(self) -> Run:
        """The run as it was last looked at."""
        assert self._run is not None
        return self._run

    def possible(self) -> list[Act]:
        """Everything that can happen now, the plainest first."""
        run = self.run
        found: list[Act] = []
        if run.status == "failed":
            found += [] if self._used.get("retry") else [_RETRY]
        elif run.requests:
            found = [*self._decisions(run.requests[0]), *self._silence(), *self._early_signals()]
        elif run.status == "running":
            found = [{"tick": True}]
        else:
            found = [*self._signals(), *self._silence(), *self._early_signals()]
        most = 2 if self._subject.suite.definition.on_cancel else 1
        if self._used.get("cancel", 0) < most:
            found.append({"cancel": "explored"})
        return found

    def _decisions(self, request: Request) -> list[Act]:
        plain: list[Act] = []
        more: list[Act] = []
        for option in request.options:
            by = self.somebody(request, option)
            if by is None:
                continue
            act: dict[str, Json] = {"decide": option, "at": request.state, "by": by}
            if option in request.needs_comment:
                act["comment"] = COMMENT
            answers = self.answers(request, option)
            if answers is None:
                plain.append(act)
            elif answers:
                plain.append({**act, "answers": answers[0]})
                more += [{**act, "answers": value} for value in answers[1:]]
            more += [{**act, "artifact": value} for value in self._edits(request, option)]
        return plain + more

    def answers(self, request: Request, option: str) -> list[Json] | None:
        """Answers to the form of an option, None where it has none."""
        if request.kind == "crash":
            state = self._subject.suite.definition.states[request.state]
            has_answers = option == "done" and isinstance(state, AgentState)
            return list(self._subject.outputs[request.state][:2]) if has_answers else None
        form = (request.forms or {}).get(option, request.form)
        return None if form is None else self._subject.values(form)

    def _edits(self, request: Request, option: str) -> list[Json]:
        """Other contents of the artifact under review."""
        definition = self._subject.suite.definition
        state = definition.states[request.state]
        name = state.under_review if isinstance(state, HumanState) and request.kind != "crash" else None
        if name is None or option not in ("accept", "revise") or name not in self.run.artifacts:
            return []
        content = self.run.artifacts[name]["content"]
        makers = [maker for maker in definition.producers[name] if maker.artifact == name]
        known = [value for maker in makers for value in self._subject.outputs[maker.name]]
        found = [value for value in known if value != content]
        if not found and isinstance(content, str):
            found = [f"{content}, edited"]
        return found[:1]

    def somebody(self, request: Request, option: str) -> str | None:
        """Somebody who may choose the option: who is named or has the role; the initiator, if anybody may."""
        roles = self._subject.roles
        people = assigned(request.assign or [], option)
        named = [name for name in people if not is_role(name)]
        others = [name for name in self._subject.suite.people if name != INITIATOR]
        candidates: list[str] = [*named, *(others if people else []), INITIATOR, STRANGER]
        for person in candidates:
            is_out = is_excluded(request.exclude, person, roles)
            if not is_out and may_act(request.assign or [], option, person, roles):
                return person
        return None

    def _silence(self) -> list[Act]:
        seconds = self._seconds_to_wait()
        if seconds is None:
            return []
        # Somebody may answer at the last moment: of that only the time of a run is another.
        late: list[Act] = (
            [self._passing(seconds - 1)] if self._subject.is_timed and self.run.requests and seconds > 1 else []
        )
        return [self._passing(seconds), *late]

    def _passing(self, seconds: int) -> Act:
        """So many seconds pass; said in days, where days have 24 hours in the workflow's zone."""
        days, rest = divmod(seconds, 86_400)
        text, now = Duration(days=days, seconds=rest), self._clock()
        is_so = text.after(now, self._subject.suite.definition.zone) == now + timedelta(seconds=seconds)
        return {"advance": str(text if is_so else Duration(days=0, seconds=seconds))}

    def _seconds_to_wait(self) -> int | None:
        """Until what is due next; the whole delay of a retry, of which the engine takes a part off."""
        due_at = self._engine.next_due()
        if due_at is None:
            return None
        state = self._subject.suite.definition.states[self.run.state or ""]
        if isinstance(state, AgentState) and not self.run.requests and state.retry is not None:
            failures = [entry for entry in self._since_entered() if entry.kind == "agent.failed"]
            delay = state.retry.delay_after(len(failures), failures[-1].data["code"], 0.0) if failures else None
            if delay is not None:
                return _whole(delay)
        return max(1, _whole(due_at - self._clock()))

    def _since_entered(self) -> Sequence[Entry]:
        entered = [index for index, entry in enumerate(self.history) if entry.kind == "state.entered"]
        return self.history[entered[-1] :] if entered else self.history

    def _signals(self) -> list[Act]:
        """The signals that the wait takes."""
        state = self._subject.suite.definition.states[self.run.state or ""]
        if not isinstance(state, WaitState):
            return []
        return [act for name in state.takes for act in self.signal_acts(name)]

    def _early_signals(self) -> list[Act]:
        """One signal that nobody waits for yet: it is kept."""
        state = self._subject.suite.definition.states[self.run.state or ""]
        takes = state.takes if isinstance(state, WaitState) else {}
        if any(entry.kind == "signal.received" for entry in self.history):
            return []
        return [self.signal_acts(name)[0] for name in self._subject.signals if name not in takes]

    def signal_acts(self, name: str) -> list[Act]:
        waits = [
            state
            for state in self._subject.suite.definition.states.values()
            if isinstance(state, WaitState) and name in state.takes and state.output is not None
        ]
        values = self._subject.values(waits[0].output) if waits else []
        return [{"signal": name, "data": value} for value in values] or [{"signal": name}]


def _whole(wait: timedelta) -> int:
    """So many seconds, the next whole number of them."""
    return -int(-wait.total_seconds() // 1)
