"""What an evaluation may read, and how much it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid

MAX_STEPS = 30_000
MAX_RESULT = 1024 * 1024
"""Bytes of UTF-8."""


class ExpressionError(Invalid):
    """An expression met values that it cannot work with, or grew beyond its bounds.

    The message names types and properties, never a value: values may be secrets.
    """

    code = "expression"


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that an expression may read, what is known of their shape, and the zone for days and local times.

    A value is plain JSON, or a `Mapping` that loads what is asked of it: it is then asked only for what is read.
    """

    values: Mapping[str, Json]
    schemas: Mapping[str, Json] = field(default_factory=dict)
    zone: tzinfo = UTC


class Run:
    """One evaluation: its scope, and the steps that it has left."""

    __slots__ = ("scope", "steps", "values")

    def __init__(self, scope: Scope, cost: int) -> None:
        self.scope = scope
        self.values = scope.values
        self.steps = MAX_STEPS - cost

    def spend(self, steps: int) -> None:
        """Use steps up; raises `ExpressionError` when too few are left."""
        self.steps -= steps
        if self.steps < 0:
            raise ExpressionError(f"the evaluation takes more than {MAX_STEPS} steps; work on fewer or shorter values")
