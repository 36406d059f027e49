"""One commit a transition, and a request that is settled once (spec 3.1, 3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from holdpoint import Conflict, Invalid, NotAllowed, NotFound
from tests.building import FORM, World, drafted, gate, review


def test_the_same_decision_by_the_same_person_is_the_first_answer(world: World) -> None:
    run = world.start({"ask": gate()})
    request = run.requests[0].id
    first = world.engine.decide(request, "approve", by="ann", comment="ok")
    entries = world.kinds(run)

    again = world.engine.decide(request, "approve", by="ann", comment="ok")

    assert (first.replayed, again.replayed) == (False, True)
    assert {**again.to_dict(), "replayed": False} == first.to_dict()
    assert world.kinds(run) == entries


def test_a_run_that_has_gone_on_is_replayed_as_it_is_now(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "more"}), "more": gate()})
    request = run.requests[0].id
    world.engine.decide(request, "approve", by="ann")
    world.decide(run, "reject", by="eli")

    again = world.engine.decide(request, "approve", by="ann")

    assert (again.replayed, again.state) == (True, "refused")


@pytest.mark.parametrize(
    "other",
    [
        {"option": "reject"},
        {"by": "eli"},
        {"comment": "other"},
        {"comment": None},
        {"answers": {"sum": 5}},
        {"option": "nonsense"},
    ],
    ids=repr,
)
def test_a_different_decision_is_a_conflict_that_names_the_winner(world: World, other: Any) -> None:
    run = world.start({"ask": gate(form=FORM)})
    request = run.requests[0].id
    wish: dict[str, Any] = {"option": "approve", "by": "dora", "comment": "ok", "answers": {"sum": 4}}
    run = world.engine.decide(request, **wish)

    with world.refusal(run, Conflict, is_noted=True) as caught:
        world.engine.decide(request, **{**wish, **other})

    assert "dora" in str(caught.value)
    assert caught.value.details["decision"]["by"] == "dora"
    assert caught.value.details["decision"]["decision"] == "approve"


def test_answers_that_the_defaults_complete_are_the_same_answers(world: World) -> None:
    run = world.start({"ask": gate(form=FORM)})
    request = run.requests[0].id
    world.engine.decide(request, "approve", by="ann", answers={"sum": 4})

    again = world.engine.decide(request, "approve", by="ann", answers={"currency": "EUR", "sum": 4})

    assert again.replayed


def test_the_same_edit_again_is_the_first_answer_and_another_is_a_conflict(world: World) -> None:
    run = world.start(drafted())
    request = run.requests[0].id
    run = world.engine.decide(request, "accept", by="ann", artifact="edited")

    assert world.engine.decide(request, "accept", by="ann", artifact="edited").replayed
    with world.refusal(run, Conflict, is_noted=True):
        world.engine.decide(request, "accept", by="ann", artifact="other")
    with world.refusal(run, Conflict, is_noted=True):
        world.engine.decide(request, "accept", by="ann")


def test_an_edit_that_changed_nothing_is_replayed_too(world: World) -> None:
    run = world.start(drafted("text"))
    request = run.requests[0].id
    world.engine.decide(request, "accept", by="ann", artifact="text")

    assert world.engine.decide(request, "accept", by="ann", artifact="text").replayed


def test_a_decision_by_the_runs_id_is_replayed_once_the_run_has_ended(world: World) -> None:
    run = world.start({"ask": gate()})
    world.decide(run, "approve")

    assert world.decide(run, "approve").replayed


def test_an_ended_run_has_no_request_to_decide(world: World) -> None:
    run = world.decide(world.start({"ask": gate()}), "approve")

    with world.refusal(run, Conflict, is_noted=True):
        world.decide(run, "reject")


def test_a_key_gives_the_first_answer_even_when_the_run_has_gone_on(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "more"}), "more": gate()})
    world.decide(run, "approve", key="k")

    again = world.decide(run, "approve", key="k")

    assert (again.replayed, again.state) == (True, "more")


@pytest.mark.parametrize("by_run", [True, False])
@pytest.mark.parametrize("other", [{"option": "reject"}, {"by": "eli"}, {"comment": "x"}], ids=repr)
def test_a_key_with_another_body_is_reused(world: World, other: Any, by_run: bool) -> None:
    run = world.start({"ask": gate()})
    target = run.id if by_run else run.requests[0].id
    run = world.engine.decide(target, "approve", by="ann", key="k")

    with world.refusal(run, Conflict, is_noted=True) as caught:
        world.engine.decide(target, **{"option": "approve", "by": "ann", **other}, key="k")

    assert caught.value.code == "key_reused"


def test_a_key_is_kept_with_its_request(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "more"}), "more": gate()})
    first = run.requests[0].id
    second = world.engine.decide(first, "approve", by="ann", key="k").requests[0].id

    run = world.engine.decide(second, "reject", by="ann", key="k")

    assert (run.replayed, run.state) == (False, "refused")


def test_a_key_of_a_refused_decision_is_free(world: World) -> None:
    run = world.start({"ask": gate()})
    with world.refusal(run, Invalid):
        world.decide(run, "nonsense", key="k")

    assert world.decide(run, "approve", key="k").state == "accepted"


def test_a_start_with_a_key_and_the_same_input_returns_the_first_run(world: World) -> None:
    definition = world.load({"ask": gate()})
    first = world.engine.start(definition, {"a": 1, "b": 2}, key="k", initiator="bob")

    again = world.engine.start(definition, {"b": 2, "a": 1}, key="k", initiator="bob")

    assert (again.id, len(world.engine.runs().items)) == (first.id, 1)


def test_a_start_with_a_key_and_another_input_is_a_conflict(world: World) -> None:
    definition = world.load({"ask": gate()})
    world.engine.start(definition, {"a": 1}, key="k")

    with pytest.raises(Conflict) as caught:
        world.engine.start(definition, {"a": 2}, key="k")

    assert (caught.value.code, len(world.engine.runs().items)) == ("key_reused", 1)


def test_a_key_comes_before_what_is_wrong_with_the_input(world: World) -> None:
    definition = world.load({"ask": gate()}, input={"type": "object", "properties": {"a": {"type": "integer"}}})
    world.engine.start(definition, {"a": 1}, key="k")

    with pytest.raises(Conflict):
        world.engine.start(definition, {"a": "x"}, key="k")


def test_the_key_of_a_start_is_kept_with_the_workflows_name(world: World) -> None:
    first = world.engine.start(world.load({"ask": gate()}), key="k")

    other = world.engine.start(world.load({"ask": gate()}, workflow="other"), key="k")
    edited = world.engine.start(world.load({"ask": gate(message="New?")}), key="k")

    assert other.id != first.id
    assert edited.id == first.id


def test_a_start_without_input_is_the_start_with_an_empty_one(world: World) -> None:
    definition = world.load({"ask": gate()})
    first = world.engine.start(definition, key="k")

    assert world.engine.start(definition, {}, key="k").id == first.id


# The order of the checks: exists, key and replay, what is due, settled or stale, allowed, valid.


@pytest.mark.parametrize("target", ["req_0000000000000000", "run_0000000000000000", "req_zz", "run_zz"])
def test_that_it_exists_is_checked_first(world: World, target: str) -> None:
    with pytest.raises(NotFound):
        world.engine.decide(target, "", by="", comment="\ud800")


def test_a_conflict_comes_before_not_allowed(world: World) -> None:
    run = world.start({"ask": gate(assign=["role:legal"])})
    request = run.requests[0].id
    run = world.engine.decide(request, "approve", by="dora")

    with world.refusal(run, Conflict, is_noted=True):
        world.engine.decide(request, "approve", by="mallory")


def test_a_stale_revision_comes_before_not_allowed(world: World) -> None:
    states = {**drafted(), "review": review(assign=["role:legal"])}
    run = world.decide(world.start(states), "revise", by="dora", comment="again", artifact="edited")

    with world.refusal(run, Conflict, is_noted=True):
        world.decide(run, "accept", by="mallory", base=1)


@pytest.mark.parametrize(
    "malformed",
    [
        {"option": "nonsense"},
        {"option": "reject"},
        {"answers": {"a": 1}},
        {"artifact": "edit"},
        {"base": 9},
    ],
    ids=repr,
)
def test_not_allowed_comes_before_what_is_malformed(world: World, malformed: Any) -> None:
    run = world.start({"ask": gate(assign=["role:legal"], comment=["reject"])})

    with world.refusal(run, NotAllowed, is_noted=True):
        world.engine.decide(run.id, **{"option": "approve", "by": "mallory", **malformed})


def test_a_revision_that_does_not_exist_is_malformed_and_comes_after_not_allowed(world: World) -> None:
    run = world.start({**drafted(), "review": review(assign=["role:legal"])})

    with world.refusal(run, NotAllowed, is_noted=True):
        world.decide(run, "accept", by="mallory", base=9)
    with world.refusal(run, Invalid):
        world.decide(run, "accept", by="dora", base=9)


def test_a_refusal_says_in_the_history_who_wanted_what_and_moves_nothing(world: World) -> None:
    run = world.start({"ask": gate(assign=["role:legal"])})
    request = run.requests[0].id

    with world.refusal(run, NotAllowed, is_noted=True):
        world.engine.decide(request, "approve", by="mallory")

    (entry,) = world.entries(run, "decision.refused")
    assert (entry["actor"], entry["actor_kind"]) == ("mallory", "human")
    assert "approve" in entry["data"].values()
    assert request in entry["data"].values()


def test_a_refusal_is_no_change_of_the_run(world: World) -> None:
    """`updated_at` is the last change; what is only noted in the history, before or after the end, is none."""
    run = world.start({"ask": gate(assign=["dora"])})

    times = [run.updated_at]
    for _ in range(2):
        world.pass_time("1h")
        with world.refusal(run, NotAllowed, is_noted=True):
            world.decide(run, "approve", by="mallory")
        times.append(world.engine.get_run(run.id).updated_at)
    ended = world.decide(run, "approve", by="dora")
    world.pass_time("1h")
    with world.refusal(run, Conflict, is_noted=True):
        world.engine.decide(run.requests[0].id, "reject", by="dora")

    after = world.engine.get_run(run.id)
    assert times == [run.started_at] * 3
    assert after.updated_at == after.ended_at == ended.updated_at > run.updated_at
    assert world.engine.runs().items[0].updated_at == after.updated_at


def test_a_refused_decision_by_the_runs_id_names_the_request_in_the_history(world: World) -> None:
    run = world.start({"ask": gate(assign=["role:legal"])})

    with world.refusal(run, NotAllowed, is_noted=True):
        world.decide(run, "approve", by="mallory")

    assert run.requests[0].id in world.entries(run, "decision.refused")[0]["data"].values()


@pytest.mark.parametrize("person", ["", "a:b", "a\nb", "role:legal", "\x00", "a\u202eb"[:0]], ids=repr)
def test_who_decides_must_have_a_persons_name(world: World, person: str) -> None:
    run = world.start({"ask": gate()})

    with world.refusal(run, Invalid):
        world.decide(run, "approve", by=person)


def test_at_refuses_where_the_run_is_elsewhere(world: World) -> None:
    run = world.start({"ask": gate()})

    with world.refusal(run, Conflict, is_noted=True) as caught:
        world.decide(run, "approve", at="other")

    assert "ask" in str(caught.value)
    assert world.decide(run, "approve", at="ask").state == "accepted"
