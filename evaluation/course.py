"""The course of a run: the states that it went through, how it left each, and where it stands; and what that is called.

Two courses are compared leg by leg: the first that differs is where they part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from holdpoint.engine.canonical import Json
from holdpoint.engine.model import SETTLING, Entry
from holdpoint.engine.views import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One visit of a state. `option` and `to` say how it was left, and are None where the run stands there.

    `by` is who decided, None where a deadline or no request did; `after` is how long the request was open.
    """

    state: str
    visit: int
    option: str | None = None
    to: str | None = None
    by: str | None = None
    after: timedelta | None = None

    @property
    def way(self) -> tuple[str, int, str | None, str | None, str | None]:
        """What makes two legs the same: where they were, which way they went on, and by whom."""
        return self.state, self.visit, self.option, self.to, self.by


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The legs of a run, and how it stands at the end of them; `error` says why where it has failed."""

    legs: Sequence[Leg]
    status: str
    state: str | None
    outcome: str | None
    output: Json
    error: str | None = None

    @property
    def path(self) -> list[str]:
        """The states, in the order in which they were entered."""
        return [leg.state for leg in self.legs]

    @property
    def end(self) -> str:
        """Where it stands, in words that follow a subject in the plural: `end in 'paid'`."""
        where = f" in {self.state!r}" if self.state else ""
        if self.status == "done":
            return f"end{where}"
        return {"cancelled": "are cancelled", "failed": "fail"}.get(self.status, "wait") + where

    @property
    def said(self) -> str:
        """The same of one run: `ends in 'paid'`."""
        verb, _, rest = self.end.partition(" ")
        return f"{'is' if verb == 'are' else verb + 's'} {rest}".strip()

    def to_dict(self) -> dict[str, Json]:
        """The course as `--json` prints it."""
        return {
            "status": self.status,
            "state": self.state,
            "outcome": self.outcome,
            "output": self.output,
            "error": self.error,
            "path": self.path,
        }


def course_of(run: Run, history: Iterable[Entry]) -> Course:
    """The course of a run, by its history."""
    error = None if run.error is None else str(run.error["message"])
    return Course(
        legs=_legs(history), status=run.status, state=run.state, outcome=run.outcome, output=run.output, error=error
    )


def _legs(history: Iterable[Entry]) -> list[Leg]:
    legs: list[Leg] = []
    opened: dict[str, datetime] = {}
    for entry in history:
        data = entry.data
        if entry.kind == "state.entered":
            legs.append(Leg(state=data["state"], visit=data["visit"]))
        elif entry.kind == "request.opened":
            opened[data["request"]] = entry.at
        elif entry.kind in SETTLING and entry.kind != "request.voided" and legs:
            legs[-1] = replace(legs[-1], by=entry.actor, after=entry.at - opened[data["request"]])
        elif entry.kind == "transition":
            legs[-1] = replace(legs[-1], option=data["option"], to=data["to"])
    return legs


def first_difference(one: Course, other: Course) -> int | None:
    """The number of the first leg that differs, from 0; None where one is the other as far as both go."""
    for number, (leg, against) in enumerate(zip(one.legs, other.legs, strict=False)):
        if leg.way != against.way:
            return number
    return None if len(one.legs) == len(other.legs) else min(len(one.legs), len(other.legs))
