"""Pinned definitions and revisions of artifacts (spec 3.6, 3.7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdpoint import Conflict, Invalid
from tests.building import MIB, World, drafted, gate, hash_of, review, value, workflow

# --- 3.6 pinned definitions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [workflow({"other": gate()}), "not: [yaml", None], ids=["edited", "broken", "gone"])
def test_a_run_keeps_its_definition_whatever_happens_to_the_file(world: World, after: str | None) -> None:
    path = world.folder / "flow.yaml"
    path.write_text(workflow({"ask": gate(on={"approve": "more"}), "more": gate(message="Second?")}))
    run = world.engine.start(world.engine.load(path), initiator="bob")
    path.unlink() if after is None else path.write_text(after)
    other = world.another()

    run = other.decide(run.id, "approve", by="ann")

    assert (run.state, run.requests[0].message) == ("more", "Second?")
    other.close()


def test_a_new_run_starts_with_the_file_as_it_is_now(world: World) -> None:
    path = world.folder / "flow.yaml"
    path.write_text(workflow({"ask": gate(message="Old?")}))
    old = world.engine.start(world.engine.load(path))
    path.write_text(workflow({"ask": gate(message="New?")}))

    new = world.engine.start(world.engine.load(path))

    assert (world.request(old).message, world.request(new).message) == ("Old?", "New?")
    assert old.definition != new.definition


# --- 3.7 revisions ----------------------------------------------------------------------------------------------------


TEXT = "one\ntwo\nthree\nfour\nfive\nsix\n"


def twice_revised(world: World, latest: str) -> Any:
    """A run in review of the third revision: TEXT by the agent, *latest* by ann, the same again by the agent."""
    states = {
        "draft": value("{{ artifacts.report if artifacts.report else input.text }}", "review", artifact="report"),
        "review": review(),
    }
    run = world.start(states, {"text": TEXT})
    return world.decide(run, "revise", comment="so", artifact=latest)


def test_revisions_are_numbered_and_never_overwritten(world: World) -> None:
    run = twice_revised(world, "edited")

    contents = [world.engine.artifact(run.id, "report", revision=number).content for number in (1, 2)]
    assert contents == [TEXT, "edited"]
    first = world.engine.artifact(run.id, "report", revision=1)
    assert (first.author, first.author_kind, first.sha256, first.at) == (
        "draft",
        "agent",
        hash_of(TEXT),
        world.clock(),
    )


def test_an_accept_of_an_old_revision_is_refused(world: World) -> None:
    run = twice_revised(world, "edited")

    with world.refusal(run, Conflict, is_noted=True):
        world.decide(run, "accept", base=1)


def test_an_edit_of_an_old_revision_is_a_conflict_that_shows_both_and_the_merge(world: World) -> None:
    run = twice_revised(world, TEXT.replace("one", "ONE"))

    with world.refusal(run, Conflict, is_noted=True) as caught:
        world.decide(run, "accept", artifact=TEXT.replace("six", "SIX"), base=1)

    shown = json.dumps(caught.value.details)
    assert json.dumps(TEXT.replace("one", "ONE"))[1:-1] in shown
    assert json.dumps(TEXT.replace("six", "SIX"))[1:-1] in shown
    assert json.dumps(TEXT.replace("one", "ONE").replace("six", "SIX"))[1:-1] in shown


def test_an_edit_that_does_not_merge_is_a_conflict_without_a_merge(world: World) -> None:
    run = twice_revised(world, TEXT.replace("one", "ONE"))

    for option in ("accept", "revise"):
        with world.refusal(run, Conflict, is_noted=True) as caught:
            world.decide(run, option, comment="so", artifact=TEXT.replace("one", "uno"), base=1)
        assert "merge" not in caught.value.details


def test_revise_takes_a_clean_merge(world: World) -> None:
    run = twice_revised(world, TEXT.replace("one", "ONE"))

    run = world.decide(run, "revise", comment="so", artifact=TEXT.replace("six", "SIX"), base=1)

    assert run.artifacts["report"]["content"] == TEXT.replace("one", "ONE").replace("six", "SIX")


def test_an_edit_that_was_merged_is_replayed_as_it_was_handed_in(world: World) -> None:
    run = twice_revised(world, TEXT.replace("one", "ONE"))
    wish: dict[str, Any] = {"by": "ann", "comment": "so", "artifact": TEXT.replace("six", "SIX"), "base": 1}
    world.engine.decide(run.requests[0].id, "revise", **wish)

    assert world.engine.decide(run.requests[0].id, "revise", **wish).replayed


def test_an_edit_without_a_base_is_of_the_revision_that_the_request_opened_with(world: World) -> None:
    run = twice_revised(world, "edited")

    assert world.decide(run, "accept", artifact="again").artifacts["report"]["content"] == "again"


SCHEMA = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}


@pytest.mark.parametrize("edit", ["x", {}, {"text": 4}, ["text"]], ids=repr)
@pytest.mark.parametrize("option", ["accept", "revise"])
def test_an_edit_must_meet_the_output_schema_of_the_state_that_made_it(world: World, option: str, edit: Any) -> None:
    run = world.start(drafted({"text": "a"}, output=SCHEMA))

    with world.refusal(run, Invalid):
        world.decide(run, option, comment="so", artifact=edit)


@pytest.mark.parametrize(
    "edit", [float("nan"), {"a": {1: 2}}, "\ud800", 2**64, b"x", "x" * MIB], ids=lambda edit: repr(edit)[:12]
)
def test_an_edit_must_be_json_of_at_most_a_mebibyte(world: World, edit: Any) -> None:
    run = world.start(drafted())

    with world.refusal(run, Invalid):
        world.decide(run, "accept", artifact=edit)


@pytest.mark.parametrize("edit", ["", 0, False, [], {}], ids=repr)
def test_an_edit_may_be_empty(world: World, edit: Any) -> None:
    run = world.decide(world.start(drafted()), "accept", artifact=edit)

    assert (run.artifacts["report"]["revision"], run.artifacts["report"]["content"]) == (2, edit)


def test_an_edit_that_changes_nothing_makes_no_revision(world: World) -> None:
    run = world.decide(world.start(drafted({"a": 1, "b": 2})), "accept", artifact={"b": 2, "a": 1})

    assert (run.state, run.artifacts["report"]["revision"]) == ("accepted", 1)
    assert run.artifacts["report"]["author"] == "draft"


def test_a_decision_stores_the_revisions_shown_and_their_hashes(world: World) -> None:
    run = world.start(drafted("text"))
    assert list(run.requests[0].show) == [{"name": "report", "revision": 1, "sha256": hash_of("text")}]
    request = run.requests[0].id

    world.decide(run, "accept")

    decision = world.engine.get_request(request).decision
    assert decision is not None
    assert decision["artifacts"] == {"report": {"revision": 1, "sha256": hash_of("text")}}


def test_a_decision_with_an_edit_stores_the_revision_that_it_approves(world: World) -> None:
    run = world.start(drafted("text"))

    world.decide(run, "accept", artifact="edited")

    decision = world.engine.get_request(run.requests[0].id).decision
    assert decision is not None
    assert decision["artifacts"] == {"report": {"revision": 2, "sha256": hash_of("edited")}}


def test_a_settled_request_still_shows_what_was_put_before_the_person(world: World) -> None:
    run = world.start(drafted("text"))
    world.decide(run, "accept", artifact="edited")

    (shown,) = world.engine.get_request(run.requests[0].id).show

    assert (shown["revision"], shown["content"]) == (1, "text")
