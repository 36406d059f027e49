"""Cases: inputs with what should become of them, and how the people of them decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from holdpoint.engine.canonical import Json
from holdpoint.engine.expressions import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How somebody decides, *when* a condition holds. `option` is None for silence, `by` for somebody who may."""

    option: str | None
    when: Expression | None = None
    by: str | None = None
    after: timedelta = timedelta()
    comment: str | None = None
    answers: Json = None
    artifact: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A signal that comes so long after the start."""

    name: str
    after: timedelta
    data: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One input. `agents` and `decisions` are by state; `expect` is as in a scenario, empty where nothing is.

    `is_output_partial` says that the expected output names only the keys to compare.
    """

    name: str
    line: int
    input: Json = field(default_factory=dict)
    initiator: str = "initiator"
    agents: Mapping[str, Json] = field(default_factory=dict)
    decisions: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    signals: Sequence[Sent] = ()
    expect: Mapping[str, Json] = field(default_factory=dict)
    is_output_partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """A file of cases.

    `recommendation` has by state the path of what is recommended there, `cost` the paths of numbers to be summed.
    """

    path: Path
    cases: Sequence[Case]
    start: datetime
    people: Mapping[str, Sequence[str]] | None = None
    recommendation: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cost: Sequence[Sequence[str]] = ()
