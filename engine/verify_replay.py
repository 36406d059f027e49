"""A run's history played again from its first entry: what the checks of `verify` look at.

What is stored may be damaged in any way, so nothing here or in the checks relies on its shape: what cannot be read
is a problem like any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from holdpoint.engine.definition import Definition
from holdpoint.engine.evolve import begin, evolve
from holdpoint.engine.model import Entry, RunRecord
from holdpoint.engine.ports import Dossier

Problem: TypeAlias = tuple[str, str]
"""The code and the message of what does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One entry behind the first, with the run before and after it, and the history that it stands in."""

    entry: Entry
    before: RunRecord
    after: RunRecord
    place: int
    history: Sequence[Entry]

    @property
    def previous(self) -> Entry:
        """The entry before."""
        return self.history[self.place - 1]

    @property
    def following(self) -> Entry | None:
        """The entry behind, None for the last."""
        return self.history[self.place + 1] if self.place + 1 < len(self.history) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What is stored of a run, and what its history says.

    `moments` go as far as the history can be played; `final` is the run at its end, None where it breaks off before,
    and `stop` then says why. `definition` is None where the pinned one cannot be read.
    """

    dossier: Dossier
    moments: tuple[Moment, ...]
    final: RunRecord | None
    stop: str
    definition: Definition | None

    @property
    def entries(self) -> Sequence[Entry]:
        """The history as it is stored."""
        return self.dossier.entries


def play(dossier: Dossier) -> Replay:
    """Play the history of a run."""
    moments: list[Moment] = []
    final, stop = None, ""
    try:
        final = _play(dossier.entries, moments)
    except Exception as error:  # what the entries hold is not believed: any of it may be missing or of another type
        number = moments[-1].entry.seq + 1 if moments else 1
        stop = f"entry {number} cannot be applied: {_reason(error)}"
    return Replay(
        dossier=dossier,
        moments=tuple(moments),
        final=final,
        stop=stop,
        definition=_definition(dossier.definition_text),
    )


def guarded(what: str, problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems that a check finds; where the check itself cannot read what is stored, that is one too."""
    try:
        yield from problems
    except Exception as error:  # as above
        yield "unreadable", f"{what} cannot be checked: {_reason(error)}"


def _play(entries: Sequence[Entry], moments: list[Moment]) -> RunRecord:
    if not entries or entries[0].kind != "run.started":
        raise ValueError("a history begins with run.started")
    run = begin(entries[0])
    for place in range(1, len(entries)):
        before, run = run, evolve(run, entries[place])
        moments.append(Moment(entry=entries[place], before=before, after=run, place=place, history=entries))
    return run


def _definition(text: str) -> Definition | None:
    try:
        return _compiled(text)
    except Exception:  # as above; the check of the definition says what is wrong
        return None


@lru_cache(maxsize=64)
def _compiled(text: str) -> Definition:
    return Definition.from_document(json.loads(text))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
