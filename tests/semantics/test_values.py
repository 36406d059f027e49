"""Values, names and durations of spec 2 at run time, sentence by sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.building import MIB, World, gate, utc, value, worker

# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [None, True, False, 0, -7, 1.5, "", "text", "{{ 7 * 7 }}", [], [1, [2]], {}, {"a": {"b": None}}],
    ids=json.dumps,
)
def test_a_string_that_is_one_expression_keeps_the_values_type(world: World, given: Any) -> None:
    found = world.evaluate("{{ input.x }}", {"x": given})

    assert (found, type(found)) == (given, type(given))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, "<>"),
        (True, "<true>"),
        (False, "<false>"),
        (7, "<7>"),
        (1.5, "<1.5>"),
        ("a", "<a>"),
        ([1, "a", None], '<[1,"a",null]>'),
        ({"b": 1, "a": True}, '<{"a":true,"b":1}>'),
    ],
)
def test_in_other_text_a_value_is_written_as_json(world: World, given: Any, text: str) -> None:
    found = world.evaluate("<{{ input.x }}>", {"x": given})

    assert found.replace(" ", "") == text or json.loads(found[1:-1]) == given


def test_two_expressions_side_by_side_are_text(world: World) -> None:
    assert world.evaluate("{{ input.x }}{{ input.x }}", {"x": 4}) == "44"


def test_templates_are_rendered_at_any_depth_of_a_value_but_never_in_its_keys(world: World) -> None:
    found = world.evaluate({"{{ input.x }}": ["{{ input.x }}", {"n": "{{ input.x + 1 }}"}]}, {"x": 1})

    assert found == {"{{ input.x }}": [1, {"n": 2}]}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("input.n + 2 * 3", 10),
        ("input.n // 3", 1),
        ("input.n % 3", 1),
        ("input.n > 3 and not false", True),
        ("'b' in ['a', 'b']", True),
        ("'x' ~ input.n", "x4"),
        ("input.l[1]", "b"),
        ("input['l'] | length", 2),
        ("'yes' if input.n == 4 else 'no'", "yes"),
        ("input.n is defined", True),
        ("'ab' | upper", "AB"),
        ("none", None),
    ],
)
def test_expressions_are_those_of_jinja(world: World, expression: str, expected: Any) -> None:
    assert world.evaluate(f"{{{{ {expression} }}}}", {"n": 4, "l": ["a", "b"]}) == expected


def test_a_property_that_the_schema_names_and_the_value_lacks_is_none(world: World) -> None:
    schema = {"type": "object", "properties": {"note": {"type": "string"}}}

    assert world.evaluate("{{ input.note }}", {}, input=schema) is None


def test_a_property_that_no_schema_names_and_the_value_lacks_is_an_error(world: World) -> None:
    run = world.start({"begin": value("{{ input.note }}")}, {})

    assert (run.status, run.state) == ("failed", "begin")


@pytest.mark.parametrize(
    "expression", ["input.n > input.t", "input.t < input.n", "input.b > input.n", "input.z < input.n"]
)
def test_ordering_values_of_two_kinds_is_an_error(world: World, expression: str) -> None:
    run = world.start({"begin": value(f"{{{{ {expression} }}}}")}, {"n": 1, "t": "1", "b": True, "z": None})

    assert run.status == "failed"


@pytest.mark.parametrize("given", [1, 0, "", "no", "true", None, [], {}], ids=json.dumps)
def test_a_condition_must_give_true_or_false(world: World, given: Any) -> None:
    on = {"done": [{"to": "accepted", "when": "input.x"}, {"to": "refused"}]}

    run = world.start({"begin": {"type": "agent", "value": 1, "on": on}}, {"x": given})

    assert (run.status, run.state, run.results) == ("failed", "begin", {"begin": 1})


@pytest.mark.parametrize("expression", ["input.n * input.n * input.n", "1 // 0", "1 / 0", "input.n ** 9"])
def test_arithmetic_that_has_no_bounded_result_fails_the_run(world: World, expression: str) -> None:
    run = world.start({"begin": value(f"{{{{ {expression} }}}}")}, {"n": 2**62})

    assert (run.status, run.state) == ("failed", "begin")


def test_a_result_of_more_than_a_mebibyte_fails_the_run(world: World) -> None:
    run = world.start({"begin": value("{{ input.t ~ input.t }}")}, {"t": "x" * (MIB - 100)})

    assert run.status == "failed"


def test_what_people_write_is_never_a_template(world: World) -> None:
    states = {"first": gate(on={"approve": "second"}), "second": gate(message="{{ first.comment }}")}
    run = world.start(states)

    run = world.decide(run, "approve", comment="{{ 7 * 7 }} {% raw %}")

    assert run.requests[0].message == "{{ 7 * 7 }} {% raw %}"


def test_what_agents_write_is_never_a_template(world: World) -> None:
    world.agent = lambda: "{{ run.id }}"
    run = world.start({"begin": worker("ask"), "ask": gate(message="see {{ begin }}")})

    assert run.requests[0].message == "see {{ run.id }}"


def test_titles_and_descriptions_are_not_rendered(world: World) -> None:
    definition = world.load({"ask": gate(title="{{ nope }}", description="{% nope")}, title="{{ nope }}")

    assert world.engine.start(definition, initiator="bob").status == "waiting"


def test_none_of_an_end_without_output_is_its_output(world: World) -> None:
    assert world.start({"begin": value(1)}).output is None


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_state_has_no_result_before_its_first_and_keeps_it_until_it_is_left_again(world: World) -> None:
    states = {
        "count": value({"before": "{{ count.n if count else 'none' }}", "n": "{{ visits.count }}"}, "ask"),
        "ask": gate(on={"approve": "accepted", "reject": "count"}),
    }
    run = world.start(states)
    assert run.results["count"] == {"before": "none", "n": 1}

    run = world.decide(run, "reject")

    assert run.results["count"] == {"before": 1, "n": 2}


def test_the_result_of_a_request_has_its_six_members(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "after"}), "after": value("{{ ask }}")})

    run = world.decide(run, "approve", by="dora", comment="fine")

    assert run.results["after"] == {
        "decision": "approve",
        "by": "dora",
        "by_kind": "human",
        "comment": "fine",
        "answers": None,
        "at": "2026-01-05T09:00:00.000000Z",
    }
    assert run.results["ask"] == run.results["after"]


def test_an_artifact_is_none_before_its_first_revision_and_then_its_latest(world: World) -> None:
    states = {
        "before": value("{{ artifacts.report }}", "draft"),
        "draft": value("text", "after", artifact="report"),
        "after": value("{{ artifacts.report }}"),
    }

    run = world.start(states)

    assert (run.results["before"], run.results["after"]) == (None, "text")


def test_visits_count_how_often_a_state_was_entered(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "after", "reject": "ask"}), "after": value("{{ visits }}")})

    run = world.decide(world.decide(run, "reject"), "approve")

    assert run.results["after"]["ask"] == 2
    assert run.visits == {"ask": 2, "after": 1, "accepted": 1}


def test_previous_says_how_the_state_was_entered(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "after"}), "after": value("{{ previous }}")})

    previous = world.decide(run, "approve", by="dora").results["after"]

    assert (previous["state"], previous["option"], previous["result"]["by"]) == ("ask", "approve", "dora")


def test_nothing_is_previous_to_the_first_state(world: World) -> None:
    assert world.evaluate("{{ previous }}") is None


def test_error_is_about_the_last_agent_that_failed(world: World) -> None:
    def fail() -> None:
        raise ValueError("no paper")

    world.agent = fail
    states = {
        "print": {"type": "agent", "python": "agents:work", "on": {"done": "accepted", "error": "after"}},
        "after": value("{{ error }}"),
    }

    error = world.start(states).results["after"]

    assert set(error) == {"state", "code", "message", "attempts", "details"}
    assert (error["state"], error["attempts"]) == ("print", 1)
    assert "no paper" in error["message"]


def test_error_is_none_while_no_agent_has_failed(world: World) -> None:
    assert world.evaluate("{{ error }}") is None


def test_run_and_now_are_known_to_expressions(world: World) -> None:
    run = world.start({"begin": value({"run": "{{ run }}", "now": "{{ now }}"})})

    assert run.results["begin"] == {
        "run": {"id": run.id, "workflow": "flow", "initiator": "bob", "started_at": "2026-01-05T09:00:00.000000Z"},
        "now": "2026-01-05T09:00:00.000000Z",
    }


def test_add_and_local_work_in_the_workflows_timezone(world: World) -> None:
    world.clock.set(utc("2026-03-28T12:00"))
    found = world.evaluate(
        ["{{ now | add('1d') }}", "{{ now | add('24h') }}", "{{ now | local('%d %B %H:%M') }}"], timezone="Europe/Rome"
    )

    assert found == ["2026-03-29T11:00:00.000000Z", "2026-03-29T12:00:00.000000Z", "28 March 13:00"]


def test_an_environment_variable_reaches_the_agent_and_is_stored_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "canary-7d1f")
    world.agent = lambda token: len(token)

    run = world.start({"send": worker(**{"with": {"token": "{{ env.SECRET_TOKEN }}"}})})
    world.engine.close()

    assert (run.results["send"], world.calls) == (11, [{"token": "canary-7d1f"}])
    assert not [path for path in world.folder.iterdir() if path.is_file() and b"canary-7d1f" in path.read_bytes()]
    world.engine = world.another()


# --- durations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opened", "timeout", "due"),
    [
        pytest.param("2026-03-28T12:00", "1d", "2026-03-29T11:00", id="a-day-is-calendar-time"),
        pytest.param("2026-03-28T12:00", "24h", "2026-03-29T12:00", id="hours-are-elapsed-time"),
        pytest.param("2026-03-28T12:00", "1d12h", "2026-03-29T23:00", id="days-are-added-first"),
        pytest.param("2026-03-28T12:00", "P1D", "2026-03-29T11:00", id="iso-days"),
        pytest.param("2026-03-28T12:00", "PT4H", "2026-03-28T16:00", id="iso-hours"),
        pytest.param("2026-03-28T01:30", "1d", "2026-03-29T01:30", id="a-gap-moves-on"),
        pytest.param("2026-10-24T00:30", "1d", "2026-10-25T00:30", id="of-two-the-earlier"),
        pytest.param("2026-03-01T09:00", "60d", "2026-04-30T08:00", id="sixty-days-to-the-same-time-of-day"),
        pytest.param("2026-03-26T12:00", "1w", "2026-04-02T11:00", id="a-week"),
        pytest.param("2026-01-05T09:00", "90s", "2026-01-05T09:01:30", id="seconds"),
        pytest.param("2028-02-28T09:00", "1d", "2028-02-29T09:00", id="leap-day"),
    ],
)
def test_a_deadline_is_counted_in_the_workflows_timezone(world: World, opened: str, timeout: str, due: str) -> None:
    world.clock.set(utc(opened))

    run = world.start({"ask": gate(timeout=timeout, default="reject")}, timezone="Europe/Rome")

    assert run.requests[0].due_at == utc(due)


def test_without_a_timezone_days_are_counted_in_utc(world: World) -> None:
    world.clock.set(utc("2026-03-28T12:00"))

    assert world.start({"ask": gate(timeout="1d", default="reject")}).requests[0].due_at == utc("2026-03-29T12:00")
