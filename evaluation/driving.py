"""Drives one run to its end under a virtual clock: what is due, what people answer, what comes from outside.

The engine is the real one; who answers what, and when, is a script's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from holdpoint.api import Engine
from holdpoint.engine.errors import Conflict, HoldpointError, Invalid
from holdpoint.engine.model import ENDED
from holdpoint.engine.views import Request, Run
from holdpoint.evaluation.recording import Answer, Change, Event
from holdpoint.testing import Clock

MAX_MOVES: Final = 10_000
_DUE: Final = -1  # a deadline is strict: a decision at the due time comes second

Why: TypeAlias = Literal["refused", "unasked", "silence", "unrecorded", "input", "endless"]
"""Why a run cannot go on.

refused     a decision that the script gives, or a signal that it sends, is not taken
unasked     it waits for a decision of which the script says nothing
silence     nobody answers, and no deadline decides instead
unrecorded  an agent is to run of which the script does not say what it gives
input       it does not start
endless     it was moved ten thousand times and has not ended
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a run cannot go on, in a word and in a sentence; of a refusal, the error."""

    why: Why
    text: str
    error: HoldpointError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What becomes of a request: an answer, or silence; and what is changed of it meanwhile."""

    answer: Answer | None = None
    changes: Sequence[Change] = ()


class Script(Protocol):
    """What a run meets."""

    @property
    def stop(self) -> Stop | None:
        """Why it cannot go on, once an agent was to run that is not in the script."""
        ...

    def react(self, run: Run, request: Request) -> Reaction | Stop:
        """What becomes of a request that has opened; asked once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """What happens next, and when; of several at one time the lowest *order* comes first."""

    at: datetime
    order: int
    act: Callable[[], None]


class Driver:
    """Drives one run. `notes` are what of the script had no effect; *is_strict* says that a signal must have one."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        run_id: str,
        script: Script,
        events: Sequence[Event] = (),
        *,
        is_strict: bool = False,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._run_id = run_id
        self._script = script
        self._events = list(events)
        self._is_strict = is_strict
        self._reactions: dict[str, Reaction] = {}
        self._changed: dict[str, int] = {}
        self._stop: Stop | None = None
        self.notes: list[str] = []

    def drive(self, until: datetime | None = None) -> Stop | None:
        """Go on until the run ends, rests, cannot go on, or *until* is over; why it cannot, if so."""
        for _ in range(MAX_MOVES):
            run = self._engine.get_run(self._run_id)
            if self._stop or self._script.stop or run.status in ENDED:
                return self._script.stop or self._stop
            moves = [move for move in self._moves(run) if until is None or move.at <= until]
            if self._stop or not moves:
                return self._stop or self._at_rest(run, until)
            move = min(moves, key=lambda move: (move.at, move.order))
            self._clock.set(max(self._clock(), move.at))
            move.act()
        return Stop(why="endless", text=f"it was moved {MAX_MOVES} times and has not ended")

    def _at_rest(self, run: Run, until: datetime | None) -> Stop | None:
        """Why a run rests to which nothing happens any more; None where the script simply ends, or it has failed."""
        if until is not None:
            self._clock.set(max(self._clock(), until))
            return None
        if run.status == "failed":
            return None
        if run.requests:
            return Stop(why="silence", text=f"nobody answers in {run.state!r}, and no deadline decides instead")
        return Stop(why="silence", text=f"it waits in {run.state!r} for a signal that does not come")

    def _moves(self, run: Run) -> Iterator[_Move]:
        now = self._clock()
        due = self._engine.next_due()
        if due is not None:
            yield _Move(at=max(due, now), order=_DUE, act=self._tick)
        if self._events:
            yield _Move(at=max(self._events[0].at, now), order=self._events[0].order, act=self._send)
        for request in run.requests:
            yield from self._moves_of(run, request)

    def _moves_of(self, run: Run, request: Request) -> Iterator[_Move]:
        reaction = self._reactions.get(request.id)
        if reaction is None:
            found = self._script.react(run, request)
            if isinstance(found, Stop):
                self._stop = found
                return
            reaction = self._reactions[request.id] = found
        done = self._changed.get(request.id, 0)
        if done < len(reaction.changes):
            change = reaction.changes[done]
            yield _Move(
                at=request.opened_at + change.after, order=change.order, act=lambda: self._change(request, change)
            )
        if reaction.answer is not None:
            answer = reaction.answer
            yield _Move(
                at=request.opened_at + answer.after, order=answer.order, act=lambda: self._decide(request, answer)
            )

    def _tick(self) -> None:
        before = self._engine.next_due()
        self._engine.tick()
        if self._engine.next_due() == before and before is not None:
            raise RuntimeError(f"what is due at {before} could not be applied")

    def _decide(self, request: Request, answer: Answer) -> None:
        try:
            self._engine.decide(
                request.id,
                answer.option,
                by=answer.by,
                comment=answer.comment,
                answers=answer.answers,
                artifact=answer.artifact,
            )
        except HoldpointError as error:
            text = f"{answer.option!r} by {answer.by!r} in {request.state!r} is refused: {error.message}"
            self._stop = Stop(why="refused", text=text.replace(f"request {request.id}", "its request"), error=error)

    def _change(self, request: Request, change: Change) -> None:
        self._changed[request.id] = self._changed.get(request.id, 0) + 1
        try:
            if change.assign is not None:
                self._engine.assign(request.id, change.assign)
            if change.extend is not None:
                self._engine.extend(request.id, f"{max(1, round(change.extend.total_seconds()))}s")
        except HoldpointError as error:
            self.notes.append(f"a change of the request in {request.state!r} has no effect: {error.message}")

    def _send(self) -> None:
        event = self._events.pop(0)
        try:
            self._apply(event)
        except (Conflict, Invalid) as error:
            what = f"signal {event.name!r}" if event.verb == "signal" else f"operator's {event.verb}"
            if self._is_strict and isinstance(error, Invalid):
                self._stop = Stop(why="refused", text=f"the {what} is refused: {error.message}", error=error)
            self.notes.append(f"the {what} has no effect: {error.message}".replace(self._run_id, "it"))

    def _apply(self, event: Event) -> None:
        engine, run_id = self._engine, self._run_id
        if event.verb == "signal":
            engine.signal(run_id, event.name, event.data, by=event.by)
        elif event.verb == "cancel":
            engine.cancel(run_id, reason=event.reason)
        elif event.verb == "move":
            engine.move(run_id, event.name, reason=event.reason)
        else:
            engine.retry(run_id, reason=event.reason)
