"""The semantic checks: what a workflow of the right shape still has to get right."""

from __future__ import annotations

from typing import Final

from holdpoint.schema.available import check_available
from holdpoint.schema.graph import check_graph
from holdpoint.schema.jsonschemas import check_schemas
from holdpoint.schema.requests import check_requests
from holdpoint.schema.sheet import Sheet
from holdpoint.schema.times import check_times
from holdpoint.schema.values import check_values

# With `value` no process runs, so these would be ignored.
_NOTHING_WITH_VALUE: Final = ("with", "timeout", "after_crash")


def check_meaning(sheet: Sheet) -> None:
    """Report everything about a workflow of the right shape that cannot work, or that says nothing."""
    check_schemas(sheet)
    check_times(sheet)
    check_requests(sheet)
    check_values(sheet)
    check_graph(sheet)
    check_available(sheet)
    _check_ignored_keys(sheet)


def _check_ignored_keys(sheet: Sheet) -> None:
    for name, state in sheet.of_types("agent"):
        for key in _NOTHING_WITH_VALUE:
            if "value" in state and key in state:
                message = f"{key!r} says nothing beside 'value', which runs nothing"
                sheet.report.key(("states", name, key), "HP206", message, "remove it", severity="warning")
