"""What the language has and this version of the engine has not: refused by name, never ignored."""

from __future__ import annotations

import re
from typing import Final

from holdpoint.schema.sheet import AVAILABLE_TYPES, Sheet, State

MESSAGE: Final = "not available in this version"

_TOP_KEYS: Final = ("calendar", "on_cancel")
_STATE_KEYS: Final = (
    *("http", "llm", "retry", "isolate", "queue"),
    *("exclude", "quorum", "forms", "escalate", "calendar"),
)
_BUSINESS = re.compile(r"\bbusiness\b")


def check_available(sheet: Sheet) -> None:
    """Report every use of a feature that is still to come."""
    for key in _TOP_KEYS:
        if key in sheet.value:
            sheet.report.key((key,), "HP190", f"{key!r} is {MESSAGE}")
    for name, state in sheet.states.items():
        _check_state(sheet, name, state)


def is_available(state: State) -> bool:
    """Whether the engine has states of this type."""
    return state["type"] in AVAILABLE_TYPES


def is_business_time(duration: str) -> bool:
    """Whether a duration is in working days or hours."""
    return _BUSINESS.search(duration) is not None


def _check_state(sheet: Sheet, name: str, state: State) -> None:
    path = ("states", name)
    if not is_available(state):
        sheet.report.key((*path, "type"), "HP190", f"a state of type {state['type']!r} is {MESSAGE}")
        return
    for key in _STATE_KEYS:
        if key in state:
            sheet.report.key((*path, key), "HP190", f"{key!r} is {MESSAGE}")
    if isinstance(state.get("after_crash"), dict):
        message = f"'after_crash' as a mapping is {MESSAGE}"
        sheet.report.key((*path, "after_crash"), "HP190", message, "write retry, fail or ask")
    if is_business_time(state.get("timeout", "")):
        message = f"a timeout in business days or hours is {MESSAGE}"
        sheet.report.value((*path, "timeout"), "HP190", message)
