"""What the states of agents do, as spec 2 says it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from holdpoint import DefinitionError
from tests.building import MIB, World, drafted, gate, hash_of, program, utc, value, worker


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
