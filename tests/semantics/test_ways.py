"""Where a run goes: initial states, targets and conditions, as spec 2 says it."""

from __future__ import annotations

import pytest

from tests.building import MIB, World, gate, utc, value


def test_targets_are_tried_in_order(world: World) -> None:
    states = {
        "ask": gate(
            on={
                "approve": [
                    {"to": "refused", "when": "input.n > 5"},
                    {"to": "accepted", "when": "input.n > 3"},
                    {"to": "refused"},
                ]
            }
        )
    }

    assert world.decide(world.start(states, {"n": 4}), "approve").state == "accepted"


def test_a_condition_sees_the_decision_that_was_just_taken(world: World) -> None:
    on = {"approve": [{"to": "accepted", "when": "ask.by == 'dora'"}, {"to": "refused"}]}

    assert world.decide(world.start({"ask": gate(on=on)}), "approve", by="dora").state == "accepted"


def test_where_no_condition_holds_the_run_fails_and_names_state_and_option(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": [{"to": "accepted", "when": "input.n > 5"}]})}, {"n": 1})

    run = world.decide(run, "approve", by="dora")

    assert (run.status, run.state, run.results["ask"]["by"]) == ("failed", "ask", "dora")
    assert run.error is not None
    assert "ask" in run.error["message"]
    assert "approve" in run.error["message"]


def test_the_first_state_is_the_default_initial(world: World) -> None:
    assert world.start({"one": gate(), "two": gate()}).state == "one"


def test_initial_names_a_state(world: World) -> None:
    assert world.start({"one": gate(), "two": gate()}, initial="two").state == "two"


@pytest.mark.parametrize(("n", "state"), [(1, "one"), (9, "two")])
def test_initial_may_be_guarded(world: World, n: int, state: str) -> None:
    initial = [{"to": "two", "when": "input.n > 5"}, {"to": "one"}]

    assert world.start({"one": gate(), "two": gate()}, {"n": n}, initial=initial).state == state


def test_where_no_condition_of_initial_holds_the_run_fails(world: World) -> None:
    run = world.start({"one": gate()}, {"n": 1}, initial=[{"to": "one", "when": "input.n > 5"}])

    assert (run.status, run.state) == ("failed", None)
    assert run.error is not None
    assert "initial" in run.error["message"]


@pytest.mark.parametrize("outcome", ["success", "failure", "cancelled"])
def test_a_run_ends_done_with_the_outcome_of_its_end(world: World, outcome: str) -> None:
    end = {"type": "end", "outcome": outcome, "output": {"n": "{{ input.n }}"}}

    run = world.start({"begin": value(1, "over"), "over": end}, {"n": 4})

    assert (run.status, run.outcome, run.output, run.ended_at) == ("done", outcome, {"n": 4}, world.clock())


def test_the_outcome_of_an_end_is_success_by_default(world: World) -> None:
    assert world.start({"begin": value(1)}).outcome == "success"


def test_an_expression_that_fails_keeps_the_decision_and_retry_asks_nobody_twice(world: World) -> None:
    on = {"approve": [{"to": "accepted", "when": "now > '2026-01-06'"}]}
    run = world.decide(world.start({"ask": gate(on=on)}), "approve", by="dora")
    assert (run.status, run.state, run.requests) == ("failed", "ask", ())
    world.clock.set(utc("2026-01-07T00:00"))

    run = world.engine.retry(run.id)

    assert (run.status, run.state, run.results["ask"]["by"]) == ("done", "accepted", "dora")
    assert world.kinds(run).count("request.opened") == 1


def test_an_expression_that_fails_after_an_agent_keeps_its_output(world: World) -> None:
    world.agent = lambda: "once"
    on = {"done": [{"to": "accepted", "when": "now > '2026-01-06'"}]}
    run = world.start({"work": {"type": "agent", "python": "agents:work", "on": on}})
    assert (run.status, run.results) == ("failed", {"work": "once"})
    world.clock.set(utc("2026-01-07T00:00"))

    run = world.engine.retry(run.id)

    assert (run.status, run.state, len(world.calls)) == ("done", "accepted", 1)


def test_an_artifact_is_not_revised_twice_when_the_way_on_is_tried_again(world: World) -> None:
    on = {"done": [{"to": "accepted", "when": "now > '2026-01-06'"}]}
    run = world.start({"work": {"type": "agent", "value": "text", "artifact": "report", "on": on}})
    world.clock.set(utc("2026-01-07T00:00"))

    run = world.engine.retry(run.id)

    assert (run.state, run.artifacts["report"]["revision"]) == ("accepted", 1)


def test_a_message_that_cannot_be_rendered_fails_the_run_in_the_state_it_has_entered(world: World) -> None:
    run = world.start({"first": value(1, "ask"), "ask": gate(message="{{ input.nope }}")}, {})

    assert (run.status, run.state, run.requests, run.results) == ("failed", "ask", (), {"first": 1})


def test_what_was_rendered_before_a_message_failed_is_not_stored(world: World) -> None:
    """`verify`, at the end of each test, finds contents that no entry names."""
    run = world.start({"ask": gate(show={"n": "{{ input.n }}"}, assign=["{{ input.nope }}"])}, {"n": 4})

    assert (run.status, run.state, run.requests) == ("failed", "ask", ())


def test_parts_of_an_output_become_artifacts_all_or_none(world: World) -> None:
    parts = {"article": "{{ output.text }}", "words": "{{ output.nope }}"}

    run = world.start({"work": value({"text": "abc"}, artifact=parts)})

    assert (run.status, run.results, run.artifacts) == ("failed", {"work": {"text": "abc"}}, {})


def test_a_part_that_is_too_large_fails_the_run_with_the_output_kept(world: World) -> None:
    parts = {"short": "{{ output }}", "long": "{{ output ~ output }}"}

    run = world.start({"work": value("{{ input.x }}", artifact=parts)}, {"x": "y" * (MIB - 100)})

    assert (run.status, list(run.results), run.artifacts) == ("failed", ["work"], {})


def test_ten_thousand_transitions_fail_a_run(world: World) -> None:
    on = {"done": [{"to": "accepted", "when": "visits.turn > 20000"}, {"to": "turn"}]}

    run = world.start({"turn": {"type": "agent", "value": 1, "on": on}})

    assert (run.status, run.state) == ("failed", "turn")
    assert world.kinds(run).count("transition") == 10_000
