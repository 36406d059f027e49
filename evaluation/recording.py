"""Recordings: what agents gave, people decided and the world sent in a run, each with how long it took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol, TypeAlias

from holdpoint.engine.agents import Crashed, Failure, Outcome, Success
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import Invalid, UsageError, did_you_mean
from holdpoint.engine.evolve import request_opened
from holdpoint.engine.model import Entry
from holdpoint.engine.times import parse_time
from holdpoint.evaluation.course import Course

OWN: Final = "own"
"""The kind of a state's own request; the other is that of a crash."""

Place: TypeAlias = tuple[str, int]
"""A state and the number of a visit to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of one attempt of an agent, and how long it took."""

    outcome: Outcome | Crashed
    took: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person decided, so long *after* the request had opened.

    Of what happens at one time, the lowest *order* comes first.
    """

    option: str
    by: str
    after: timedelta = timedelta()
    comment: str | None = None
    answers: Json = None
    artifact: Json = None
    order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was changed of an open request: whom it asks (`assign`), or by how much longer it stays open (`extend`)."""

    after: timedelta
    assign: Sequence[str] | None = None
    extend: timedelta | None = None
    order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request of a run, and what became of it: `answer` is None where a deadline settled it or nobody has yet.

    `shown` holds the hashes of the artifacts that were put before the person, by name.
    """

    place: Place
    kind: str
    opened_at: datetime
    assign: Json
    shown: Mapping[str, str]
    status: Literal["open", "answered", "silent", "void"] = "open"
    answer: Answer | None = None
    changes: Sequence[Change] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What came from outside at a time: a signal, or what an operator did to the run."""

    at: datetime
    verb: Literal["signal", "cancel", "move", "retry"]
    name: str = ""
    data: Json = None
    by: str | None = None
    reason: str | None = None
    order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All that moved a run from outside the rules of its definition.

    `attempts` and `questions` are by state and visit. `until` is when the record stops of a run that has not ended.
    """

    run: str
    definition: Definition
    input: Json
    initiator: str | None
    started_at: datetime
    until: datetime | None
    course: Course
    attempts: Mapping[Place, Sequence[Attempt]] = field(default_factory=dict)
    questions: Sequence[Question] = ()
    events: Sequence[Event] = ()

    def asked(self, state: str, visit: int, kind: str) -> list[Question]:
        """The requests of a visit, in order: one of the state's own, several of crashes."""
        return [one for one in self.questions if one.place == (state, visit) and one.kind == kind]


class Contents(Protocol):
    """The values that a run's history names by their hashes."""

    def content(self, sha256: str) -> Json:
        """The value with this hash."""
        ...


def record(
    definition: Definition, course: Course, history: Sequence[Entry], contents: Contents, until: datetime | None
) -> Recording:
    """The recording of a run that went this course."""
    first = history[0]
    recorder = _Recorder(contents)
    for entry in history:
        recorder.note(entry)
    return Recording(
        run=first.run,
        definition=definition,
        input=contents.content(first.data["input"]),
        initiator=first.actor,
        started_at=first.at,
        until=until,
        course=course,
        attempts=recorder.attempts,
        questions=list(recorder.questions.values()),
        events=recorder.events,
    )


class _Recorder:
    """Reads a history, entry by entry."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._place: Place = ("", 0)
        self._begun: datetime | None = None
        self.attempts: dict[Place, list[Attempt]] = {}
        self.questions: dict[str, Question] = {}
        self._due: dict[str, datetime | None] = {}
        self.events: list[Event] = []

    def note(self, entry: Entry) -> None:
        """Take one entry in."""
        kind, data = entry.kind, entry.data
        if kind == "state.entered":
            self._place, self._begun = (data["state"], data["visit"]), None
        elif kind == "agent.started":
            self._begun = entry.at
        elif kind in ("agent.succeeded", "agent.failed", "agent.crashed") and self._begun is not None:
            attempt = Attempt(outcome=self._outcome(entry), took=entry.at - self._begun)
            self.attempts.setdefault(self._place, []).append(attempt)
            self._begun = None
        elif kind == "request.opened":
            self._open(entry)
        elif data.get("request") in self.questions:
            self._on_request(entry, self.questions[data["request"]])
        else:
            self._note_event(entry)

    def _outcome(self, entry: Entry) -> Outcome | Crashed:
        data = entry.data
        if entry.kind == "agent.succeeded":
            return Success(output=self._contents.content(data["output"]))
        if entry.kind == "agent.failed":
            return Failure(code=data["code"], message=data["message"], details=data.get("details") or {})
        return Crashed(reason=data["reason"])

    def _open(self, entry: Entry) -> None:
        request = request_opened(entry, self._place[0])
        self._due[request.id] = request.due_at
        self.questions[request.id] = Question(
            place=self._place,
            kind=kind_of(request.kind),
            opened_at=entry.at,
            assign=request.assign,
            shown=shown_by(entry.data.get("show", ())),
        )

    def _on_request(self, entry: Entry, question: Question) -> None:
        data, after = entry.data, entry.at - question.opened_at
        request = data["request"]
        if entry.kind == "request.decided":
            question = replace(question, status="answered", answer=self._answer(entry, after))
        elif entry.kind == "request.expired":
            question = replace(question, status="silent")
        elif entry.kind == "request.voided":
            question = replace(question, status="void")
        elif entry.kind == "request.assigned":
            change = Change(after=after, assign=data["assign"], order=entry.seq)
            question = replace(question, assign=data["assign"], changes=[*question.changes, change])
        elif entry.kind == "operator.extended":
            due_at, before = parse_time(data["due_at"]), self._due[request]
            self._due[request] = due_at
            longer = due_at - before if before is not None else timedelta()
            question = replace(
                question, changes=[*question.changes, Change(after=after, extend=longer, order=entry.seq)]
            )
        self.questions[request] = question

    def _answer(self, entry: Entry, after: timedelta) -> Answer:
        data = entry.data
        return Answer(
            option=data["decision"],
            by=entry.actor or "",
            after=after,
            comment=data.get("comment"),
            answers=self._value(data.get("answers")),
            artifact=self._value(data.get("edit")),
            order=entry.seq,
        )

    def _value(self, sha256: str | None) -> Json:
        return None if sha256 is None else self._contents.content(sha256)

    def _note_event(self, entry: Entry) -> None:
        data = entry.data
        if entry.kind == "signal.received":
            value = self._value(data.get("output"))
            self.events.append(
                Event(at=entry.at, verb="signal", name=data["name"], data=value, by=entry.actor, order=entry.seq)
            )
        elif entry.kind == "operator.moved":
            self.events.append(self._operated(entry, "move", data["to"]))
        elif entry.kind == "operator.retried":
            self.events.append(self._operated(entry, "retry"))
        elif entry.kind == "operator.cancelled" or (entry.kind == "run.cancelled" and entry.actor_kind == "operator"):
            self.events.append(self._operated(entry, "cancel"))

    @staticmethod
    def _operated(entry: Entry, verb: Literal["cancel", "move", "retry"], name: str = "") -> Event:
        reason = entry.data.get("reason")
        return Event(at=entry.at, verb=verb, name=name, by=entry.actor, reason=reason, order=entry.seq)


def kind_of(request: str) -> str:
    """The kind of a question: a crash is asked about apart from what the state itself asks."""
    return request if request == "crash" else OWN


def shown_by(show: Iterable[Mapping[str, Json]]) -> dict[str, str]:
    """The hashes of the artifacts among what a request shows, by name."""
    return {item["name"]: item["sha256"] for item in show if item.get("sha256") is not None}


def fork(recording: Recording, state: str, answer: Answer, visit: int | None = None) -> Recording:
    """The recording in which a person had given *answer* in *state*, by default in its last visit, at the same time.

    Where nobody had decided, it comes as soon as the request opens if a deadline settled that, and when the record
    stops if it is still open; an answer by nobody is by who did decide. What operators did later is left out. Raises
    `Invalid` where the run was never asked there, `UsageError` where nobody is named who decides.
    """
    found = [one for one in recording.questions if one.place[0] == state and visit in (None, one.place[1])]
    if not found:
        asked = list(dict.fromkeys(one.place[0] for one in recording.questions))
        hint = "" if state in asked else did_you_mean(state, asked)
        hint = hint or f"it was asked in {', '.join(map(repr, asked)) or 'no state'}"
        which = f"visit {visit} of " if visit is not None else ""
        raise Invalid(f"run {recording.run} was not asked in {which}{state!r}; {hint}", code="at")
    question = found[-1]
    by = answer.by or (question.answer.by if question.answer is not None else "")
    if not by:
        raise UsageError(f"no person decided in {state!r} of run {recording.run}; say by whom", code="by")
    after = timedelta()
    if question.answer is not None:
        after = question.answer.after
    elif question.status == "open" and recording.until is not None:
        after = recording.until - question.opened_at
    forked = replace(question, status="answered", answer=replace(answer, by=by, after=after))
    forked_at = question.opened_at + after
    return replace(
        recording,
        questions=[forked if one is question else one for one in recording.questions],
        events=[event for event in recording.events if event.verb == "signal" or event.at <= forked_at],
        until=None,
    )
