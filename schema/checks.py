"""The semantic checks: what a workflow of the right shape still has to get right."""

from __future__ import annotations

from holdpoint.schema.agents import check_agents
from holdpoint.schema.available import check_available
from holdpoint.schema.confusables import check_confusables
from holdpoint.schema.facts import Knowledge
from holdpoint.schema.flow import flow_of
from holdpoint.schema.graph import check_graph
from holdpoint.schema.guards import check_guards
from holdpoint.schema.jsonschemas import check_schemas
from holdpoint.schema.proofs import Proof, prove
from holdpoint.schema.reads import check_reads
from holdpoint.schema.requests import check_requests
from holdpoint.schema.sheet import HUMAN_TYPES, Sheet
from holdpoint.schema.texts import texts_of
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
    check_confusables(sheet)
    check_values(sheet)
    check_graph(sheet)
    check_available(sheet)


def check_runs(sheet: Sheet) -> list[Proof]:
    """Report what runs of a workflow without errors can meet, and say what is proved of all of them."""
    needed = dict.fromkeys(
        ("artifacts", name)
        for _, state in sheet.of_types(*HUMAN_TYPES)
        for name in (state["show"] if isinstance(state.get("show"), list) else ())
    )
    trees = [(tree, text.is_condition) for text in texts_of(sheet) for tree in text.trees]
    flow = flow_of(sheet, Knowledge(sheet, trees, needed))
    check_reads(sheet, flow)
    check_guards(sheet, flow)
    return prove(sheet, flow)
