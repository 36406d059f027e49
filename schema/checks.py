"""The semantic checks: what a workflow of the right shape still has to get right."""

from __future__ import annotations

from holdpoint.schema.agents import check_agents
from holdpoint.schema.available import check_available
from holdpoint.schema.graph import check_graph
from holdpoint.schema.jsonschemas import check_schemas
from holdpoint.schema.requests import check_requests
from holdpoint.schema.sheet import Sheet
from holdpoint.schema.times import check_times
from holdpoint.schema.values import check_values
from holdpoint.schema.waits import check_waits


def check_meaning(sheet: Sheet) -> None:
    """Report everything about a workflow of the right shape that cannot work, or that says nothing."""
    check_schemas(sheet)
    check_times(sheet)
    check_agents(sheet)
    check_requests(sheet)
    check_waits(sheet)
    check_values(sheet)
    check_graph(sheet)
    check_available(sheet)
