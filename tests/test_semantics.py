"""Spec 2 at run time and spec 3, sentence by sentence, through the public engine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdpoint import Conflict, DefinitionError, HoldpointError, Invalid, NotAllowed, NotFound
from tests.building import World, drafted, gate, hash_of, program, review, utc, value, worker, workflow

MIB = 1024 * 1024


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An engine on a temporary file. Whatever a test does, `verify` is silent at its end."""
    with World(tmp_path) as world:
        yield world


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


# --- agents -----------------------------------------------------------------------------------------------------------


def test_a_python_agent_is_called_with_its_arguments_by_name(world: World) -> None:
    world.agent = lambda amount, note: {"doubled": amount * 2, "note": note}

    run = world.start({"work": worker(**{"with": {"amount": "{{ input.x }}", "note": "n{{ input.x }}"}})}, {"x": 4})

    assert run.results == {"work": {"doubled": 8, "note": "n4"}}


AGENTS = """
from __future__ import annotations
import holdpoint
from holdpoint import Context

def plain(amount): return amount + 1
async def later(amount): return amount + 2
def keyed(amount, context: Context): return [context.key, context.state, context.visit, context.attempt, amount]
def keyed_by_module(it: holdpoint.Context): return it.key
def silent(): pass
"""


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("plain", {"amount": 1}, 2),
        ("later", {"amount": 1}, 3),
        ("keyed", {"amount": 1}, ["RUN/work/1", "work", 1, 1, 1]),
        ("keyed_by_module", {}, "RUN/work/1"),
        ("silent", {}, None),
    ],
)
def test_a_python_agent_comes_from_the_projects_folder(
    world: World, function: str, arguments: Any, expected: Any
) -> None:
    (world.folder / "semantic_agents.py").write_text(AGENTS)
    state = {"type": "agent", "python": f"semantic_agents:{function}", "with": arguments, "next": "accepted"}

    run = world.start({"work": state})

    run.raise_for_failure()
    assert run.results["work"] == json.loads(json.dumps(expected).replace("RUN", run.id))


def test_the_key_names_the_visit_and_is_never_used_twice(tmp_path: Path) -> None:
    (tmp_path / "visit_agents.py").write_text("from holdpoint import Context\ndef key(c: Context): return c.key\n")
    states = {
        "work": {"type": "agent", "python": "visit_agents:key", "next": "ask"},
        "ask": gate(on={"approve": "accepted", "reject": "work"}),
    }
    with World(tmp_path) as world:
        run = world.start(states)
        again = world.decide(run, "reject")

    assert (run.results["work"], again.results["work"]) == (f"{run.id}/work/1", f"{run.id}/work/2")


def test_every_attempt_of_a_visit_has_the_same_key(world: World) -> None:
    source = "import os, json, sys; print(json.dumps(os.environ['FLOW_KEY'])); sys.exit(not os.path.exists('ok'))"
    run = world.start({"work": program(source)})
    (world.folder / "ok").touch()

    run = world.engine.retry(run.id)

    assert (run.status, run.results["work"]) == ("done", f"{run.id}/work/1")


@pytest.mark.parametrize(
    "output",
    [{1, 2}, b"x", float("nan"), float("inf"), object(), 2**64, {1: 2}, "\ud800", [utc]],
    ids=["set", "bytes", "nan", "infinity", "object", "large", "number as key", "surrogate", "function"],
)
def test_an_output_that_is_no_json_fails_the_attempt(world: World, output: Any) -> None:
    world.agent = lambda: output

    run = world.start({"work": worker()})

    assert (run.status, run.state, run.results) == ("failed", "work", {})


def test_an_output_of_more_than_a_mebibyte_fails_the_attempt(world: World) -> None:
    world.agent = lambda: "x" * (MIB - 1)

    run = world.start({"work": worker()})

    assert (run.status, run.state) == ("failed", "work")


def test_an_output_of_exactly_a_mebibyte_is_taken(world: World) -> None:
    world.agent = lambda: "x" * (MIB - 2)

    assert world.start({"work": worker()}).status == "done"


def test_an_output_must_meet_the_states_schema(world: World) -> None:
    world.agent = lambda: {"ok": "yes"}
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}

    run = world.start({"work": worker(output=schema)})

    assert (run.status, run.state, run.results) == ("failed", "work", {})
    assert run.error is not None
    assert "ok" in run.error["message"]


def test_a_value_must_meet_the_states_schema(world: World) -> None:
    run = world.start({"work": value("{{ input.x }}", output={"type": "string"})}, {"x": 4})

    assert (run.status, run.state) == ("failed", "work")


def test_an_agent_that_raises_leaves_the_run_failed_where_it_stands(world: World) -> None:
    world.agent = lambda: 1 / 0

    run = world.start({"work": worker()})

    assert (run.status, run.state, run.outcome, run.ended_at) == ("failed", "work", None, None)
    assert run.error is not None
    assert set(run.error) == {"code", "message", "state", "attempt", "details", "stderr"}
    assert (run.error["state"], run.error["attempt"]) == ("work", 1)


def test_an_agent_that_raises_goes_by_its_error_edge(world: World) -> None:
    world.agent = lambda: 1 / 0
    state = {"type": "agent", "python": "agents:work", "on": {"done": "accepted", "error": "refused"}}

    run = world.start({"work": state})

    assert (run.status, run.state, run.outcome, run.error) == ("done", "refused", "failure", None)


def test_an_agent_that_does_not_exist_fails_the_run(world: World) -> None:
    run = world.start({"work": {"type": "agent", "python": "no_such_module:function", "next": "accepted"}})

    assert (run.status, run.state) == ("failed", "work")


def test_a_failed_run_is_taken_up_by_retry_where_it_stands(world: World) -> None:
    world.agent = lambda: 1 / 0
    run = world.start({"first": value(1, "work"), "work": worker()})
    world.agent = lambda: "ok"

    run = world.engine.retry(run.id)

    assert (run.status, run.results, world.path(run)) == (
        "done",
        {"first": 1, "work": "ok"},
        ["first", "work", "accepted"],
    )


def test_a_value_needs_no_attempt(world: World) -> None:
    run = world.start({"begin": value(1)})

    assert "agent.started" not in world.kinds(run)


def test_a_command_gets_its_arguments_as_json_on_standard_input(world: World) -> None:
    source = "import json, sys; print(json.dumps({'got': json.load(sys.stdin)}))"

    run = world.start({"work": program(source, **{"with": {"n": "{{ input.n }}", "t": "è"}})}, {"n": 3})

    assert run.results["work"] == {"got": {"n": 3, "t": "è"}}


def test_a_command_runs_in_the_projects_folder_under_our_interpreter_with_its_key(world: World) -> None:
    source = "import json, os, sys; print(json.dumps([os.getcwd(), sys.executable, os.environ['FLOW_KEY']]))"

    run = world.start({"work": program(source)})

    folder, interpreter, key = run.results["work"]
    assert Path(folder) == world.folder.resolve()
    assert Path(interpreter).resolve() == Path(sys.executable).resolve()
    assert key == f"{run.id}/work/1"


def test_an_element_of_a_command_stays_one_argument(world: World) -> None:
    command = ["python", "-c", "import json, sys; print(json.dumps(sys.argv[1:]))", "{{ input.x }}", "a{{ input.n }}"]

    run = world.start(
        {"work": {"type": "agent", "command": command, "next": "accepted"}}, {"x": "a b; echo $HOME", "n": 1}
    )

    assert run.results["work"] == ["a b; echo $HOME", "a1"]


def test_standard_error_of_a_command_goes_to_the_history(world: World) -> None:
    run = world.start({"work": program("import sys; print('a warning', file=sys.stderr); print(1)")})

    assert "a warning" in json.dumps(world.entries(run, "agent.succeeded"))


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import sys; print(1); sys.exit(3)", id="status"),
        pytest.param("print('{')", id="no-json"),
        pytest.param("print('NaN')", id="nan"),
        pytest.param('print(\'{"a": 1, "a": 2}\')', id="duplicate-key"),
        pytest.param("print('1 2')", id="two-documents"),
        pytest.param("import os; os.kill(os.getpid(), 9)", id="killed"),
    ],
)
def test_a_command_that_does_not_end_well_has_failed(world: World, source: str) -> None:
    run = world.start({"work": program(source)})

    assert (run.status, run.state, run.results) == ("failed", "work", {})


def test_standard_error_of_a_failed_command_goes_to_the_history(world: World) -> None:
    run = world.start({"work": program("import sys; sys.exit('no paper')")})

    assert "no paper" in json.dumps(world.entries(run, "agent.failed"))


def test_a_command_that_takes_too_long_is_ended(world: World) -> None:
    run = world.start({"work": program("import threading; threading.Event().wait(60)", timeout="1s")})

    assert (run.status, run.state) == ("failed", "work")


def test_a_timeout_that_cannot_be_kept_is_refused_and_not_ignored(world: World) -> None:
    """Without a process of its own a Python agent runs in this one, where nothing can stop it."""
    with pytest.raises(DefinitionError) as caught:
        world.start({"work": worker(timeout="1s", isolate=False)})

    assert "'timeout' cannot be kept" in str(caught.value)


def test_an_output_becomes_the_next_revision_of_its_artifact(world: World) -> None:
    states = {**drafted(), "draft": value("v{{ visits.draft }}", "review", artifact="report")}
    run = world.start(states)

    run = world.decide(run, "revise", comment="more")

    assert run.artifacts["report"] == {
        "revision": 2,
        "author": "draft",
        "author_kind": "agent",
        "sha256": hash_of("v2"),
        "content": "v2",
    }
    assert world.engine.artifact(run.id, "report", revision=1).content == "v1"


def test_parts_of_an_output_become_artifacts(world: World) -> None:
    parts = {"article": "{{ output.text }}", "words": "{{ output.text | length }}"}

    run = world.start({"work": value({"text": "abc"}, artifact=parts)})

    assert {name: artifact["content"] for name, artifact in run.artifacts.items()} == {"article": "abc", "words": 3}


# --- where a run goes -------------------------------------------------------------------------------------------------


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


FORM = {
    "type": "object",
    "required": ["sum", "currency"],
    "properties": {"sum": {"type": "integer"}, "currency": {"enum": ["EUR", "CHF"], "default": "EUR"}},
    "additionalProperties": False,
}


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


# --- 3.1 transitions, 3.2 settled once --------------------------------------------------------------------------------


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


# --- 3.3 deadlines ----------------------------------------------------------------------------------------------------

DUE = utc("2026-01-06T09:00")
TICK = timedelta(microseconds=1)


def a_gate_of_one_day(world: World, **keys: Any) -> Any:
    return world.start({"ask": gate(timeout="1d", default="reject", **keys)})


def test_a_decision_before_the_due_time_wins(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE - TICK)

    assert world.decide(run, "approve").state == "accepted"


@pytest.mark.parametrize("late", [timedelta(0), TICK, timedelta(days=400)], ids=str)
def test_a_decision_at_or_after_the_due_time_comes_second(world: World, late: timedelta) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE + late)

    with pytest.raises(Conflict) as caught:
        world.engine.decide(run.requests[0].id, "approve", by="ann")

    decision = caught.value.details["decision"]
    assert (decision["decision"], decision["by"], decision["by_kind"]) == ("reject", None, "timer")
    assert decision["at"] == "2026-01-06T09:00:00.000000Z"
    assert world.kinds(run)[-1] == "decision.refused"
    assert world.engine.get_run(run.id).state == "refused"


def test_the_very_decision_that_the_default_took_is_a_conflict_too(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    with pytest.raises(Conflict):
        world.engine.decide(run.requests[0].id, "reject", by="ann")


def test_a_default_is_the_timers_at_the_due_time_and_its_entry_has_the_time_of_writing(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(utc("2026-01-09T12:00"))

    world.engine.tick()

    (entry,) = world.entries(run, "request.expired")
    assert entry["at"] == "2026-01-09T12:00:00.000000Z"
    assert "2026-01-06T09:00:00.000000Z" in entry["data"].values()
    assert (entry["actor"], entry["actor_kind"]) == (None, "timer")
    assert world.engine.get_run(run.id).results["ask"] == {
        "decision": "reject",
        "by": None,
        "by_kind": "timer",
        "comment": None,
        "answers": None,
        "at": "2026-01-06T09:00:00.000000Z",
    }


def test_what_follows_a_default_is_entered_when_it_is_written(world: World) -> None:
    states = {
        "ask": gate(on={"approve": "accepted", "reject": "more"}, timeout="1d", default="reject"),
        "more": gate(timeout="1d", default="reject"),
    }
    run = world.start(states)
    world.clock.set(utc("2026-02-01T00:00"))

    world.engine.tick()

    request = world.request(run)
    assert (request.state, request.opened_at, request.due_at) == (
        "more",
        utc("2026-02-01T00:00"),
        utc("2026-02-02T00:00"),
    )


def test_an_overdue_request_reads_decided_by_its_default_before_anything_is_written(world: World) -> None:
    run = a_gate_of_one_day(world)
    entries = world.kinds(run)
    world.clock.set(utc("2026-01-09T12:00"))

    request = world.engine.get_request(run.requests[0].id)

    assert request.status == "decided"
    assert request.decision is not None
    assert (request.decision["decision"], request.decision["by"]) == ("reject", None)
    assert (request.decision["by_kind"], request.decision["at"]) == ("timer", "2026-01-06T09:00:00.000000Z")
    assert world.kinds(run) == entries


def test_the_run_of_an_overdue_request_reads_running_in_the_same_state(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    run = world.engine.get_run(run.id)

    assert (run.status, run.state, run.requests, run.results) == ("running", "ask", (), {})
    assert [item.status for item in world.engine.runs().items] == ["running"]
    assert "ask" in world.engine.why(run.id)


def test_an_overdue_request_is_in_no_inbox(world: World) -> None:
    run = a_gate_of_one_day(world)
    assert [request.id for request in world.engine.inbox().items] == [run.requests[0].id]

    world.clock.set(DUE)

    assert world.engine.inbox().items == ()


def test_a_run_is_listed_under_the_status_that_it_reads(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    assert world.engine.runs(status="waiting").items == ()
    assert [item.id for item in world.engine.runs(status="running").items] == [run.id]


def test_a_refused_late_command_does_not_advance_the_run(world: World) -> None:
    states = {
        "ask": gate(on={"approve": "accepted", "reject": "work"}, timeout="1d", default="reject"),
        "work": worker("refused"),
    }
    run = world.start(states)
    world.clock.set(DUE)

    with pytest.raises(Conflict):
        world.engine.decide(run.requests[0].id, "approve", by="ann")

    after = world.engine.get_run(run.id)
    assert (after.status, after.state, world.calls) == ("running", "work", [])
    assert world.engine.tick()["advanced"] == 1
    assert world.engine.get_run(run.id).state == "refused"


@pytest.mark.parametrize("at", [None, "ask"])
def test_a_late_decision_by_the_runs_id_never_settles_the_request_that_follows(world: World, at: str | None) -> None:
    states = {
        "ask": gate(on={"approve": "accepted", "reject": "more"}, timeout="1d", default="reject"),
        "more": gate(),
    }
    run = world.start(states)
    world.clock.set(DUE)

    with pytest.raises(Conflict):
        world.decide(run, "approve", at=at)

    after = world.engine.get_run(run.id)
    assert (after.state, after.status, after.results["ask"]["by_kind"]) == ("more", "waiting", "timer")


def test_a_malformed_late_decision_is_a_conflict_not_malformed(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    with pytest.raises(Conflict):
        world.engine.decide(run.requests[0].id, "nonsense", by="ann")


def test_a_deadline_is_applied_once_however_often_it_is_looked_for(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    counts = [world.engine.tick()["defaults"] for _ in range(3)]

    assert (counts, world.kinds(run).count("request.expired")) == ([1, 0, 0], 1)


def test_advance_applies_what_is_due(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    assert world.engine.advance(run.id).state == "refused"


def test_other_events_of_the_run_leave_a_deadline_alone(world: World) -> None:
    run = a_gate_of_one_day(world, assign=["role:legal"])
    world.clock.set(utc("2026-01-06T08:00"))
    with world.refusal(run, NotAllowed, is_noted=True):
        world.decide(run, "approve", by="mallory")

    assert world.request(run).due_at == DUE


def test_a_default_on_a_return_accepts_the_revision_that_was_shown(world: World) -> None:
    run = world.start({**drafted("text"), "review": review(timeout="1d", default="accept")})

    world.pass_time("1d")

    decision = world.engine.get_request(run.requests[0].id).decision
    assert decision is not None
    assert decision["artifacts"] == {"report": {"revision": 1, "sha256": hash_of("text")}}


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


# --- 3.9 time ---------------------------------------------------------------------------------------------------------


def test_the_times_of_a_history_never_decrease_when_the_clock_goes_back(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "more"}), "more": gate(timeout="1d", default="reject")})
    world.clock.set(utc("2026-01-01T00:00"))

    run = world.decide(run, "approve")

    assert {entry.at for entry in world.engine.history(run.id)} == {utc("2026-01-05T09:00")}
    assert (run.updated_at, run.requests[0].opened_at) == (utc("2026-01-05T09:00"), utc("2026-01-05T09:00"))
    assert run.requests[0].due_at == utc("2026-01-06T09:00")


def test_now_is_the_runs_time_and_not_the_clocks(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "after"}), "after": value("{{ now }}")})
    world.clock.set(utc("2026-01-01T00:00"))

    assert world.decide(run, "approve").results["after"] == "2026-01-05T09:00:00.000000Z"


def test_no_default_comes_early_when_the_clock_goes_back(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(utc("2025-12-01T00:00"))

    assert world.engine.tick()["defaults"] == 0
    assert world.decide(run, "approve").state == "accepted"


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


# --- 3.12 cancel ------------------------------------------------------------------------------------------------------


def test_cancel_ends_a_run_and_voids_its_request(world: World) -> None:
    run = world.start({"ask": gate(timeout="1d", default="approve")})

    after = world.engine.cancel(run.id, reason="a mistake")

    assert (after.status, after.state, after.outcome, after.requests) == ("cancelled", "ask", None, ())
    assert after.ended_at == world.clock()
    assert world.engine.get_request(run.requests[0].id).status == "void"
    assert "a mistake" in json.dumps(world.entries(run, "run.cancelled"))
    assert world.pass_time("2d")["defaults"] == 0


def test_a_void_request_is_decided_by_nobody(world: World) -> None:
    run = world.start({"ask": gate()})
    cancelled = world.engine.cancel(run.id)

    for target in (run.id, run.requests[0].id):
        with world.refusal(cancelled, Conflict, is_noted=True):
            world.engine.decide(target, "approve", by="ann")


def test_a_failed_run_can_be_cancelled(world: World) -> None:
    world.agent = lambda: 1 / 0
    run = world.start({"work": worker()})

    run = world.engine.cancel(run.id)

    assert (run.status, run.error) == ("cancelled", None)


def test_an_ended_run_can_neither_be_cancelled_nor_retried(world: World) -> None:
    run = world.start({"begin": value(1)})

    with pytest.raises(Conflict):
        world.engine.cancel(run.id)
    with pytest.raises(Conflict):
        world.engine.retry(run.id)

    assert world.engine.get_run(run.id) == run


def test_a_run_that_waits_cannot_be_retried(world: World) -> None:
    run = world.start({"ask": gate()})

    with pytest.raises(Conflict):
        world.engine.retry(run.id)

    assert world.engine.get_run(run.id) == run


def test_a_deadline_that_passed_before_the_cancel_was_applied_first(world: World) -> None:
    run = world.start(
        {"ask": gate(on={"approve": "accepted", "reject": "more"}, timeout="1d", default="reject"), "more": gate()}
    )
    world.clock.set(DUE)

    run = world.engine.cancel(run.id)

    assert (run.status, run.state, run.results["ask"]["by_kind"]) == ("cancelled", "more", "timer")


# --- 3.13 the version of a definition ---------------------------------------------------------------------------------

BASE = """\
workflow: flow
title: One
input:
  type: object
  properties: {n: {type: integer, title: N}}
states:
  work:
    type: agent
    title: Work
    value: {a: "{{ input.n }}", title: kept}
    next: ask
  ask:
    type: approval
    message: "Go?"
    on: {approve: yes, reject: no}
    timeout: 2d
    default: reject
  yes: {type: end}
  no: {type: end, outcome: failure}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("title: One", "title: Two", id="title"),
        pytest.param("title: One", "title: One\ndescription: text", id="description"),
        pytest.param("    title: Work\n", "", id="title-of-a-state"),
        pytest.param(", title: N}", ", description: the number}", id="title-in-a-schema"),
        pytest.param("states:", "# a comment\nstates:", id="comment"),
        pytest.param("{approve: yes, reject: no}", "{reject: no, approve: yes}", id="order-of-options"),
        pytest.param("    next: ask\n", "    on: {done: ask}\n", id="next-is-short-for-done"),
        pytest.param("timeout: 2d", "timeout: P2D", id="spelling-of-a-duration"),
        pytest.param("states:", "initial: work\nstates:", id="the-default-initial"),
        pytest.param("states:", "timezone: UTC\nstates:", id="the-default-timezone"),
        pytest.param("reject: no}", "reject: [{to: no}]}", id="spelling-of-a-target"),
        pytest.param("yes: {type: end}", "yes: {type: end, outcome: success}", id="the-default-outcome"),
    ],
)
def test_the_version_does_not_depend_on(world: World, old: str, new: str) -> None:
    assert old in BASE
    assert world.engine.loads(BASE.replace(old, new)).version == world.engine.loads(BASE).version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("workflow: flow", "workflow: other", id="name"),
        pytest.param('"Go?"', '"Go!"', id="message"),
        pytest.param("2d", "48h", id="timeout"),
        pytest.param("default: reject", "default: approve", id="default"),
        pytest.param("type: integer", "type: number", id="input"),
        pytest.param("title: kept", "title: other", id="a-value-under-the-key-title"),
        pytest.param("outcome: failure", "outcome: cancelled", id="outcome"),
        pytest.param("approve: yes", "approve: no", id="target"),
        pytest.param("approve: yes", "accept: yes", id="option"),
        pytest.param("reject: no}", "reject: [{to: no, when: 'true'}]}", id="condition"),
        pytest.param("states:", "timezone: Europe/Rome\nstates:", id="timezone"),
        pytest.param("    default: reject", "    default: reject\n    priority: high", id="priority"),
        pytest.param("    default: reject", "    default: reject\n    assign: [ann]", id="assign"),
    ],
)
def test_the_version_depends_on(world: World, old: str, new: str) -> None:
    assert old in BASE
    assert world.engine.loads(BASE.replace(old, new)).version != world.engine.loads(BASE).version


def test_the_version_is_a_sha_256_that_the_run_and_its_listing_name(world: World) -> None:
    definition = world.load({"ask": gate()})
    run = world.engine.start(definition)

    assert len(definition.version) == 64
    assert run.definition == definition.version == world.engine.runs().items[0].definition


def test_the_authors_order_is_kept_beside_the_version(world: World) -> None:
    first = world.engine.start(world.engine.loads(BASE), {"n": 1})
    second = world.engine.start(
        world.engine.loads(BASE.replace("{approve: yes, reject: no}", "{reject: no, approve: yes}")), {"n": 1}
    )

    assert first.definition == second.definition
    assert list(world.request(first).options) == ["approve", "reject"]
    assert list(world.request(second).options) == ["reject", "approve"]


# --- what is out of scope ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        {"exclude": ["authors"]},
        {"quorum": {"approve": 2}},
        {"escalate": [{"after": "1h", "remind": True}]},
        {"calendar": "work"},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_what_is_still_to_come_starts_nothing(world: World, keys: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        world.start({"ask": gate(timeout="2d", default="reject", **keys)})

    assert "not available in this version" in str(caught.value)


def test_a_signal_of_a_run_is_refused_because_nothing_waits_for_one(world: World) -> None:
    run = world.start({"ask": gate()})

    with world.refusal(run, Invalid):
        world.engine.signal(run.id, "paid", {"ref": 7})

    ended = world.decide(run, "approve")
    with world.refusal(ended, Conflict):
        world.engine.signal(run.id, "paid")


def test_every_error_is_of_the_one_tree(world: World) -> None:
    assert all(issubclass(kind, HoldpointError) for kind in (Conflict, Invalid, NotAllowed, NotFound, DefinitionError))


# --- at the edges -----------------------------------------------------------------------------------------------------


def broken(**given: Any) -> Any:
    """An agent that never works."""
    raise RuntimeError("no luck")


def test_a_run_that_fails_before_its_retry_has_nothing_that_falls_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDPOINT_TOKEN", "t")
    keys = {"with": {"token": "{{ env.HOLDPOINT_TOKEN }}"}, "retry": {}}
    world.agent = broken
    run = world.start({"work": worker(**keys)})
    monkeypatch.delenv("HOLDPOINT_TOKEN")

    world.clock.advance(world.engine, "1h")

    assert world.engine.get_run(run.id).status == "failed"
    assert world.engine.next_due() is None


def test_a_wait_takes_its_signal_however_many_others_are_kept(world: World) -> None:
    states = {
        "hold": {"type": "wait", "signal": "paid", "timeout": "never", "on": {"received": "later"}},
        "later": {"type": "wait", "signal": "other", "timeout": "never", "on": {"received": "accepted"}},
    }
    run = world.start(states)
    for _ in range(1_000):
        world.engine.signal(run.id, "other")
    with pytest.raises(Conflict):
        world.engine.signal(run.id, "other")

    assert world.engine.signal(run.id, "paid").status == "done"


def test_an_approval_may_call_an_option_revise_for_ever(world: World) -> None:
    run = world.start({"ask": {"type": "approval", "timeout": "never", "on": {"revise": "ask", "approve": "accepted"}}})

    for _ in range(7):
        run = world.engine.decide(run.id, "revise", by="ann", comment="again")

    assert list(run.requests[0].options) == ["revise", "approve"]


def test_an_operators_retry_begins_the_retry_policy_anew(world: World) -> None:
    world.agent = broken
    run = world.start({"work": worker(retry={"attempts": 2})})
    world.clock.advance(world.engine, "1h")
    assert world.engine.get_run(run.id).status == "failed"

    assert world.engine.retry(run.id).status == "waiting"
    world.clock.advance(world.engine, "1h")

    assert [entry["data"]["attempt"] for entry in world.entries(run, "agent.started")] == [1, 2, 3, 4]


def test_who_acts_has_a_name_in_every_command(world: World) -> None:
    run = world.start({"ask": gate()})
    request = run.requests[0].id

    for act in (
        lambda: world.engine.claim(request, by="", person="bob"),
        lambda: world.engine.cancel(run.id, by="a:b"),
        lambda: world.engine.move(run.id, "accepted", by="a\x1b"),
    ):
        with pytest.raises(Invalid):
            act()


def test_a_run_that_failed_before_its_first_state_can_be_moved(world: World) -> None:
    run = world.start({"ask": gate()}, initial=[{"to": "ask", "when": "false"}])
    assert (run.status, run.state) == ("failed", None)

    assert world.engine.move(run.id, "ask").status == "waiting"


def test_unknown_signal_is_told_each_that_there_is_once(world: World) -> None:
    wait = {"type": "wait", "signal": ["better", "worse"], "timeout": "never"}
    first = {**wait, "on": {"better": "again", "worse": "refused"}}
    again = {**wait, "on": {"better": "accepted", "worse": "refused"}}
    run = world.start({"first": first, "again": again})

    with world.refusal(run, Invalid) as caught:
        world.engine.signal(run.id, "nothing")

    assert str(caught.value).endswith("has no wait for signal 'nothing'; it has better, worse")
