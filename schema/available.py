"""What the language has and this version of the engine has not: refused by name, never ignored."""

from __future__ import annotations

from typing import Final

from holdpoint.schema.report import listed
from holdpoint.schema.sheet import AVAILABLE_TYPES, Sheet, State, crash_request

MESSAGE: Final = "not available in this version"

_TOP_KEYS: Final = ("calendar",)
_STATE_KEYS: Final = ("http", "llm", "queue", "quorum", "escalate", "calendar")


def check_available(sheet: Sheet) -> None:
    """Report every type and key that is still to come; values, such as business days, are reported where they stand."""
    for key in _TOP_KEYS:
        if key in sheet.value:
            sheet.report.key((key,), "HP190", f"{key!r} is {MESSAGE}", "remove it")
    for name, state in sheet.states.items():
        _check_state(sheet, name, state)


def _check_state(sheet: Sheet, name: str, state: State) -> None:
    path = ("states", name)
    if state["type"] not in AVAILABLE_TYPES:
        message = f"a state of type {state['type']!r} is {MESSAGE}"
        sheet.report.key((*path, "type"), "HP190", message, f"available are: {listed(AVAILABLE_TYPES)}")
        return
    for key in _STATE_KEYS:
        if key in state:
            sheet.report.key((*path, key), "HP190", f"{key!r} is {MESSAGE}", "remove it")
    if "escalate" in (crash_request(state) or {}):
        below = (*path, "after_crash", "ask", "escalate")
        sheet.report.key(below, "HP190", f"'escalate' is {MESSAGE}", "remove it")
