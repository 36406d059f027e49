"""The history, and that nothing is guessed (spec 3.8, 3.10)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdpoint import Invalid, NotAllowed
from tests.building import MIB, World, drafted, gate, hash_of, review, utc, worker

# --- 3.8 history ------------------------------------------------------------------------------------------------------


def a_run_with_everything(world: World) -> Any:
    """A run with a revision, a refusal, a return, a default and an end."""
    states = {
        "draft": worker("review", artifact="report", **{"with": {"n": "{{ visits.draft }}"}}),
        "review": review(on={"accept": "ask", "revise": "draft"}, assign=["ann"]),
        "ask": gate(timeout="1d", default="reject"),
    }
    run = world.start(states, {"è": 1.5})
    run = world.decide(run, "revise", comment="più \u2028 \U0001f600")
    with world.refusal(run, NotAllowed, is_noted=True):
        world.decide(run, "accept", by="mallory")
    world.decide(run, "accept", artifact={"edited": True})
    world.pass_time("2d")
    return world.engine.get_run(run.id)


def test_the_history_is_a_chain_that_anybody_can_recompute(world: World) -> None:
    run = a_run_with_everything(world)
    entries = [entry.to_dict() for entry in world.engine.history(run.id)]

    prev = "0" * 64
    for seq, entry in enumerate(entries, start=1):
        without = {key: member for key, member in entry.items() if key != "hash"}
        assert (entry["seq"], entry["prev"]) == (seq, prev)
        assert hash_of(without) == entry["hash"]
        prev = entry["hash"]


def test_the_history_has_an_entry_for_all_that_happened(world: World) -> None:
    run = a_run_with_everything(world)

    assert world.kinds(run) == [
        *("run.started", "state.entered", "agent.started", "agent.succeeded", "artifact.revised"),
        *("transition", "state.entered", "request.opened", "request.decided"),
        *("transition", "state.entered", "agent.started", "agent.succeeded", "artifact.revised"),
        *("transition", "state.entered", "request.opened", "decision.refused", "artifact.revised", "request.decided"),
        *("transition", "state.entered", "request.opened", "request.expired"),
        *("transition", "state.entered", "run.ended"),
    ]


def test_an_entry_has_the_members_of_the_specification(world: World) -> None:
    run = a_run_with_everything(world)

    for entry in world.engine.history(run.id):
        assert set(entry.to_dict()) >= {"seq", "at", "kind", "actor", "actor_kind", "data", "prev", "hash"}


def test_large_values_are_named_by_their_hash_in_the_history(world: World) -> None:
    big = "x" * 50_000
    run = world.start(drafted("{{ input.big }}"), {"big": big})
    world.decide(run, "accept", artifact=big + "y")

    history = json.dumps([entry.to_dict() for entry in world.engine.history(run.id)])

    assert big not in history
    assert hash_of(big) in history
    assert hash_of(big + "y") in history


# --- 3.10 nothing is guessed ------------------------------------------------------------------------------------------


INPUT = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer", "minimum": 1}, "unit": {"type": "string", "default": "kg"}},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "given",
    [None, {}, {"n": 0}, {"n": "1"}, {"n": True}, {"n": 1, "m": 2}, [], "n", 7, {"n": 1.5}, {"n": 2**64}, {"n": {1}}],
    ids=repr,
)
def test_an_input_that_does_not_meet_its_schema_starts_nothing(world: World, given: Any) -> None:
    definition = world.load({"ask": gate()}, input=INPUT)

    with pytest.raises(Invalid):
        world.engine.start(definition, given)

    assert world.engine.runs().items == ()


def test_defaults_of_the_input_are_filled_in_before_it_is_checked(world: World) -> None:
    schema = {**INPUT, "required": ["n", "unit"]}

    assert world.start({"ask": gate()}, {"n": 1}, input=schema).input == {"n": 1, "unit": "kg"}


@pytest.mark.parametrize("given", [{"a": 1}, [], "x"], ids=repr)
def test_without_a_schema_a_workflow_takes_no_input(world: World, given: Any) -> None:
    definition = world.load({"ask": gate()}, input=None)

    with pytest.raises(Invalid):
        world.engine.start(definition, given)

    assert world.engine.start(definition).input == {}


@pytest.mark.parametrize(
    "given",
    [float("nan"), float("-inf"), 2**63, -(2**63) - 1, "\ud800", b"x", {1: 2}, utc("2026-01-01T00:00"), {1, 2}],
    ids=repr,
)
def test_an_input_must_be_strict_json(world: World, given: Any) -> None:
    definition = world.load({"ask": gate()})

    with pytest.raises(Invalid):
        world.engine.start(definition, {"x": given})

    assert world.engine.runs().items == ()


@pytest.mark.parametrize("given", [2**63 - 1, -(2**63), 0.1, 1e300, 5e-324, "\U0001f600\x00\u2028", ""], ids=repr)
def test_what_json_has_is_kept_exactly(world: World, given: Any) -> None:
    run = world.start({"ask": gate()}, {"x": given})

    assert world.engine.get_run(run.id).input == {"x": given}


def test_an_input_is_at_most_a_mebibyte(world: World) -> None:
    definition = world.load({"ask": gate()})
    room = MIB - len('{"x":""}')

    assert world.engine.start(definition, {"x": "a" * room}).status == "waiting"
    with pytest.raises(Invalid):
        world.engine.start(definition, {"x": "a" * (room + 1)})

    assert len(world.engine.runs().items) == 1


def test_the_limit_of_a_value_can_be_set_in_flow_toml(tmp_path: Path) -> None:
    (tmp_path / "flow.toml").write_text("[limits]\nvalue_bytes = 100\n")
    with World(tmp_path) as world, pytest.raises(Invalid):
        world.start({"ask": gate()}, {"x": "a" * 100})


def test_text_is_not_normalised(world: World) -> None:
    run = world.start({"ask": gate()}, {"e\u0301": "\u00e9"})

    assert list(run.input) == ["e\u0301"]
    assert world.entries(run, "run.started")[0]["data"]["input"] == hash_of({"e\u0301": "\u00e9"})
