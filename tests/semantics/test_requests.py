"""Requests and return loops, as spec 2 says them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdpoint import Invalid, NotAllowed
from tests.building import FORM, World, drafted, gate, hash_of, review, utc, value

# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_keeps_what_was_rendered_when_it_opened(world: World) -> None:
    states = {
        "ask": gate(
            message="Pay {{ input.n }} at {{ now }}?",
            show={"amount": "{{ input.n }}", "note": "n = {{ input.n }}"},
            assign=["{{ input.boss }}", "role:legal", "initiator"],
            priority="high",
        )
    }

    run = world.start(states, {"n": 4, "boss": "zoe"})
    world.clock.set(utc("2026-02-01T00:00"))

    request = world.request(run)
    assert request.message == "Pay 4 at 2026-01-05T09:00:00.000000Z?"
    assert list(request.show) == [{"name": "amount", "value": 4}, {"name": "note", "value": "n = 4"}]
    assert list(request.assign) == ["zoe", "role:legal", "bob"]
    assert (request.kind, request.priority, request.status) == ("approval", "high", "open")


def test_options_are_offered_in_the_authors_order_and_the_timeout_edge_is_not(world: World) -> None:
    on = {"zebra": "accepted", "timeout": "refused", "apple": "refused", "mango": "accepted"}

    run = world.start({"ask": gate(on=on, timeout="1d")})

    assert list(run.requests[0].options) == ["zebra", "apple", "mango"]


def test_nobody_can_choose_the_timeout_edge(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "accepted", "timeout": "refused"}, timeout="1d")})

    with world.refusal(run, Invalid):
        world.decide(run, "timeout")


def test_an_option_that_is_not_offered_is_refused_and_the_offered_ones_are_named(world: World) -> None:
    run = world.start({"ask": gate()})

    with world.refusal(run, Invalid) as caught:
        world.decide(run, "aprove")

    assert "approve" in str(caught.value)
    assert "aprove" in str(caught.value)


@pytest.mark.parametrize("option", ["Approve", "approve ", "yes", "", "done", "approved"])
def test_an_option_is_matched_exactly(world: World, option: str) -> None:
    run = world.start({"ask": gate()})

    with world.refusal(run, Invalid):
        world.decide(run, option)


@pytest.mark.parametrize("comment", [None, "", "  \n"], ids=repr)
def test_an_option_may_need_a_comment(world: World, comment: str | None) -> None:
    run = world.start({"ask": gate(comment=["reject"])})

    with world.refusal(run, Invalid):
        world.decide(run, "reject", comment=comment)

    assert world.decide(run, "reject", comment="too dear").state == "refused"


def test_an_option_that_needs_no_comment_is_taken_without(world: World) -> None:
    run = world.start({"ask": gate(comment=["reject"])})

    assert world.decide(run, "approve").state == "accepted"


def test_the_timer_needs_no_comment(world: World) -> None:
    run = world.start({"ask": gate(comment=["reject"], timeout="1d", default="reject")})

    world.pass_time("2d")

    assert world.engine.get_run(run.id).state == "refused"


@pytest.mark.parametrize(
    ("assign", "person", "is_allowed"),
    [
        (["alice"], "alice", True),
        (["alice"], "Alice", False),
        (["alice"], "dora", False),
        (["role:legal"], "dora", True),
        (["role:legal"], "eli", False),
        (["role:legal"], "legal", False),
        (["alice", "role:director"], "eli", True),
        (["initiator"], "bob", True),
        (["initiator"], "ann", False),
        (["initiator"], "initiator", False),
        (["{{ input.boss }}"], "zoe", True),
        (["{{ 'ann' }}"], "ann", True),
        (["{{ 'initiator' }}"], "bob", False),
        (["{{ input.boss }}"], "bob", False),
        ({"approve": ["role:legal"], "reject": ["initiator"]}, "dora", True),
        ({"approve": ["role:legal"], "reject": ["initiator"]}, "bob", False),
    ],
)
def test_who_may_approve(world: World, assign: Any, person: str, is_allowed: bool) -> None:
    run = world.start({"ask": gate(assign=assign)}, {"boss": "zoe"})

    if is_allowed:
        assert world.decide(run, "approve", by=person).state == "accepted"
    else:
        with world.refusal(run, NotAllowed, is_noted=True):
            world.decide(run, "approve", by=person)


def test_without_assign_anyone_may_decide(world: World) -> None:
    assert world.decide(world.start({"ask": gate()}), "approve", by="nobody in particular").state == "accepted"


def test_assigned_by_option_each_option_has_its_own_people(world: World) -> None:
    run = world.start({"ask": gate(assign={"approve": ["role:legal"], "reject": ["initiator"]})})

    with world.refusal(run, NotAllowed, is_noted=True):
        world.decide(run, "reject", by="dora")

    assert world.decide(run, "reject", by="bob").state == "refused"


@pytest.mark.parametrize("name", ["role:legal", "a:b", "a\nb", "", 7, None, ["alice"]], ids=repr)
def test_a_rendered_assignee_is_a_persons_name_or_the_run_fails(world: World, name: Any) -> None:
    run = world.start({"ask": gate(assign=["{{ input.boss }}"])}, {"boss": name})

    assert (run.status, run.state, run.requests) == ("failed", "ask", ())


def test_a_rendered_initiator_is_a_person_of_that_name(world: World) -> None:
    run = world.start({"ask": gate(assign=["{{ input.boss }}"])}, {"boss": "initiator"})

    with world.refusal(run, NotAllowed, is_noted=True):
        world.decide(run, "approve", by="bob")


def test_who_holds_a_role_is_asked_at_the_decision(tmp_path: Path) -> None:
    roles: dict[str, list[str]] = {}
    with World(tmp_path, people=lambda name: roles.get(name, [])) as world:
        run = world.start({"ask": gate(assign=["role:legal"])})
        with world.refusal(run, NotAllowed, is_noted=True):
            world.decide(run, "approve", by="ann")
        roles["ann"] = ["legal"]

        assert world.decide(run, "approve", by="ann").state == "accepted"


def test_answers_are_checked_by_the_form_and_its_defaults_filled_in(world: World) -> None:
    run = world.start({"ask": gate(form=FORM)})

    run = world.decide(run, "reject", answers={"sum": 4})

    assert (run.state, run.results["ask"]["answers"]) == ("refused", {"sum": 4, "currency": "EUR"})


@pytest.mark.parametrize(
    "answers",
    [
        None,
        {},
        {"sum": "4"},
        {"sum": 4, "currency": "USD"},
        {"sum": 4, "more": 1},
        [],
        "x",
        {"sum": 4.5},
        {"sum": True},
        {"sum": float("nan")},
        {"sum": 2**64},
    ],
    ids=repr,
)
def test_answers_that_do_not_meet_the_form_are_refused(world: World, answers: Any) -> None:
    run = world.start({"ask": gate(form=FORM)})

    with world.refusal(run, Invalid):
        world.decide(run, "approve", answers=answers)


@pytest.mark.parametrize("answers", [{}, {"a": 1}, []], ids=repr)
def test_answers_without_a_form_are_refused(world: World, answers: Any) -> None:
    run = world.start({"ask": gate()})

    with world.refusal(run, Invalid):
        world.decide(run, "approve", answers=answers)


def test_a_form_is_rendered_in_its_seven_keywords(world: World) -> None:
    form = {
        "type": "object",
        "title": "Up to {{ input.n }}",
        "properties": {
            "sum": {
                "type": "integer",
                "minimum": "{{ input.n - 4 }}",
                "maximum": "{{ input.n }}",
                "default": "{{ input.n }}",
                "description": "at most {{ input.n }}",
            },
            "kind": {"enum": ["{{ input.k }}", "other"]},
            "same": {"const": "{{ input.k }}"},
            "title": {"type": "string", "pattern": "^x{2}$"},
        },
    }

    run = world.start({"ask": gate(form=form)}, {"n": 5, "k": "new"})

    shown = run.requests[0].form
    assert shown["title"] == "Up to 5"
    assert shown["properties"] == {
        "sum": {"type": "integer", "minimum": 1, "maximum": 5, "default": 5, "description": "at most 5"},
        "kind": {"enum": ["new", "other"]},
        "same": {"const": "new"},
        "title": {"type": "string", "pattern": "^x{2}$"},
    }
    with world.refusal(run, Invalid):
        world.decide(run, "approve", answers={"sum": 6})
    assert world.decide(run, "approve", answers={"kind": "new"}).results["ask"]["answers"] == {"kind": "new", "sum": 5}


def test_a_pattern_of_a_form_is_bounded(world: World) -> None:
    form = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}}
    run = world.start({"ask": gate(form=form)})

    with world.refusal(run, Invalid):
        world.decide(run, "approve", answers={"x": "a" * 40 + "!"})


def test_a_default_may_carry_answers(world: World) -> None:
    run = world.start({"ask": gate(form=FORM, timeout="1d", default={"decision": "reject", "answers": {"sum": 0}})})

    world.pass_time("1d")

    assert world.engine.get_run(run.id).results["ask"]["answers"] == {"sum": 0, "currency": "EUR"}


def test_a_timeout_edge_is_taken_when_the_time_is_over(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "accepted", "timeout": "refused"}, timeout="1d")})
    assert run.requests[0].default is None

    world.pass_time("1d")

    run = world.engine.get_run(run.id)
    assert (run.state, run.results["ask"]["by"], run.results["ask"]["by_kind"]) == ("refused", None, "timer")


def test_a_timeout_edge_may_be_guarded(world: World) -> None:
    edge = [{"to": "accepted", "when": "ask.by_kind == 'timer'"}, {"to": "refused"}]
    run = world.start({"ask": gate(on={"reject": "refused", "timeout": edge}, timeout="1d")})

    world.pass_time("1d")

    assert world.engine.get_run(run.id).state == "accepted"


def test_timeout_never_waits_for_ever(world: World) -> None:
    run = world.start({"ask": gate()})

    world.pass_time("5000d")

    assert (run.requests[0].due_at, world.engine.get_run(run.id).status) == (None, "waiting")


def test_a_waiting_run_has_one_open_request(world: World) -> None:
    run = world.start({"ask": gate(timeout="2d", default="reject")})

    (request,) = run.requests
    assert (run.status, run.state, request.state, request.run) == ("waiting", "ask", "ask", run.id)
    assert (request.opened_at, request.due_at) == (utc("2026-01-05T09:00"), utc("2026-01-07T09:00"))
    assert (request.default, request.decision, list(request.votes)) == ({"decision": "reject"}, None, [])


# --- return loops -----------------------------------------------------------------------------------------------------


def test_accept_goes_on(world: World) -> None:
    run = world.decide(world.start(drafted()), "accept")

    assert (run.status, run.state, run.artifacts["report"]["revision"]) == ("done", "accepted", 1)


def test_accept_may_carry_a_revised_artifact_and_the_run_goes_on_with_it(world: World) -> None:
    states = {**drafted(), "review": review(on={"accept": "after", "revise": "draft"})}
    states["after"] = value("{{ artifacts.report }}")

    run = world.decide(world.start(states), "accept", artifact="edited")

    assert run.results["after"] == "edited"
    assert run.artifacts["report"] == {
        "revision": 2,
        "author": "ann",
        "author_kind": "human",
        "sha256": hash_of("edited"),
        "content": "edited",
    }


def test_revise_sends_the_work_back_with_a_comment(world: World) -> None:
    states = {
        "draft": value("{{ review.comment if review else 'first' }}", "review", artifact="report"),
        "review": review(),
    }

    run = world.decide(world.start(states), "revise", comment="shorter")

    assert (run.state, run.artifacts["report"]["content"], run.visits["draft"]) == ("review", "shorter", 2)


@pytest.mark.parametrize("comment", [None, "", " "], ids=repr)
def test_revise_always_needs_a_comment(world: World, comment: str | None) -> None:
    run = world.start(drafted())

    with world.refusal(run, Invalid):
        world.decide(run, "revise", comment=comment)


def test_revise_may_carry_an_edit_too(world: World) -> None:
    states = {
        "draft": value("{{ artifacts.report ~ '+' if artifacts.report else 'a' }}", "review", artifact="report"),
        "review": review(),
    }

    run = world.decide(world.start(states), "revise", comment="like this", artifact="b")

    assert (run.artifacts["report"]["revision"], run.artifacts["report"]["content"]) == (3, "b+")
    assert world.engine.artifact(run.id, "report", revision=2).author == "ann"


def test_a_return_may_be_rejected_and_a_rejection_takes_no_edit(world: World) -> None:
    states = {**drafted(), "review": review(on={"accept": "accepted", "revise": "draft", "reject": "refused"})}
    run = world.start(states)

    with world.refusal(run, Invalid):
        world.decide(run, "reject", artifact="edited")

    assert world.decide(run, "reject").state == "refused"


def test_an_approval_takes_no_edit(world: World) -> None:
    run = world.start({"draft": value("a", "ask", artifact="report"), "ask": gate(show=["report"])})

    with world.refusal(run, Invalid):
        world.decide(run, "approve", artifact="b")


@pytest.mark.parametrize(("keys", "times"), [({"max_returns": 1}, 1), ({"max_returns": 3}, 3), ({}, 5)])
def test_after_max_returns_revise_is_no_longer_offered(world: World, keys: Any, times: int) -> None:
    run = world.start({**drafted(), "review": review(**keys)})

    for _ in range(times):
        assert list(run.requests[0].options) == ["accept", "revise"]
        run = world.decide(run, "revise", comment="again")

    assert list(run.requests[0].options) == ["accept"]
    with world.refusal(run, Invalid):
        world.decide(run, "revise", comment="again")


def test_returns_are_counted_over_the_run(world: World) -> None:
    states = {
        **drafted(),
        "review": review(on={"accept": "ask", "revise": "draft"}, max_returns=1),
        "ask": gate(on={"approve": "accepted", "reject": "draft"}),
    }
    run = world.decide(world.start(states), "revise", comment="again")
    run = world.decide(world.decide(run, "accept"), "reject")

    assert (run.state, list(run.requests[0].options)) == ("review", ["accept"])
