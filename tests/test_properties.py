"""Random workflows under random commands, beside a small model that says what must be (faults.md, I1-I4, I10, I16, I22).

The model knows the rules of spec 3 and nothing of how the engine keeps them: a run is a place, a time, and for each
request that it has opened the decision that settled it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, precondition, rule

import holdpoint
from holdpoint.testing import Clock
from tests.building import workflow

GATES = ("first", "second", "third")
OPTIONS = ("approve", "reject", "defer")
ENDS = ("accepted", "refused")
PRIORITIES = ("urgent", "high", "normal", "low")
PEOPLE: Mapping[str, list[str]] = {"dora": ["manager"], "eli": []}
