"""`holdpoint.testing`: what embedders test with: a clock, made-up agents, scripted people, assertions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from holdpoint import testing
from holdpoint.engine.errors import NotFound, UsageError
from tests.scenarios.desk import HEAD, LETTER


@pytest.fixture
def clock() -> testing.Clock:
    return testing.Clock()


def start(engine: holdpoint.Engine, pages: int = 2) -> holdpoint.Run:
    return engine.start(engine.loads(LETTER), {"pages": pages}, initiator="ann")


@pytest.fixture
def engine(clock: testing.Clock) -> Iterator[holdpoint.Engine]:
    agents = testing.agents("letter", {"write": ["Dear all", "Dear both"], "post": {"output": {"ok": True}}})
    people = {"dora": ["boss"]}
    with holdpoint.Engine("sqlite:///:memory:", clock=clock, agents=agents, people=people) as engine:
        yield engine
        assert engine.verify() == ()


def test_people_and_time_do_what_the_steps_say(engine: holdpoint.Engine, clock: testing.Clock) -> None:
    run = testing.take_steps(
        engine,
        start(engine),
        [
            {"decide": "revise", "at": "review", "by": "ann", "comment": "to both"},
            {"advance": "49h"},
            {"decide": "approve", "at": "sign", "by": "initiator", "refused": "not_allowed"},
            {"expect": {"state": "sign", "requests": [{"due": "47h"}]}},
            {"decide": "approve", "at": "sign", "by": "dora"},
        ],
        clock,
    )

    assert (run.state, run.output) == ("sent", {"text": "Dear both"})
    assert testing.path_of(engine, run) == ["write", "review", "write", "review", "sign", "post", "sent"]
    testing.assert_run(engine, run.id, outcome="success", authors={"text": "write"}, expired=1)


def test_a_step_that_is_not_as_it_says_is_told_by_its_number(engine: holdpoint.Engine) -> None:
    with pytest.raises(AssertionError) as failed:
        testing.take_steps(engine, start(engine), [{"decide": "accept", "by": "ann"}, {"expect": {"state": "post"}}])

    assert str(failed.value) == "step 2: state is 'sign', expected 'post'\nthe run went write → review → sign"


def test_all_that_is_not_so_is_told(engine: holdpoint.Engine) -> None:
    with pytest.raises(AssertionError) as failed:
        testing.assert_run(engine, start(engine), state="sign", visits={"write": 2})

    assert str(failed.value) == (
        "state is 'review', expected 'sign'\nvisits.write is 1, expected 2\nthe run went write → review"
    )


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"decied": "x"}, "step 1 does none; a step does one of"),
        ({"tick": True, "advance": "1d"}, "step 1 does advance, tick; a step does one of"),
        ({"advance": "1d", "by": "ann"}, "step 1: 'by' says nothing beside 'advance'; allowed: ticks"),
    ],
)
def test_what_is_no_step_is_refused_and_nothing_is_done(
    engine: holdpoint.Engine, step: Mapping[str, Any], message: str
) -> None:
    run = start(engine)

    with pytest.raises(UsageError, match=message):
        testing.take_steps(engine, run, [step, {"decide": "accept", "by": "ann"}])

    assert engine.get_run(run.id).state == "review"


def test_time_needs_its_clock(engine: holdpoint.Engine) -> None:
    with pytest.raises(AssertionError, match="step 1: advance: there is no clock that could be moved"):
        testing.take_steps(engine, start(engine), [{"advance": "1d"}])


def test_what_cannot_be_expected_is_refused(engine: holdpoint.Engine) -> None:
    with pytest.raises(UsageError, match="nothing called 'stat' can be expected of a run; did you mean 'state'"):
        testing.assert_run(engine, start(engine), stat="sign")


def test_made_up_agents_fail_and_crash_on_several_runs_alike(clock: testing.Clock) -> None:
    agents = testing.agents("letter", {"write": {"attempts": [{"crash": True}, {"error": "no ink"}, "Dear all"]}})
    with holdpoint.Engine("memory://", clock=clock, agents=agents) as engine:
        runs = [start(engine), start(engine)]
        clock.advance(engine, "5m")

        for run in runs:
            testing.assert_run(engine, run, state="review", crashed=1, attempts=3)


@pytest.mark.parametrize("described", [[], {"attempts": []}, ["a letter", {"attempts": []}]])
def test_an_agent_of_which_nothing_is_said_is_refused(described: Any) -> None:
    with pytest.raises(UsageError, match="described by an empty list"):
        testing.agents("letter", {"write": described})


def test_a_real_agent_is_none_that_is_made_up(tmp_path: Path) -> None:
    (tmp_path / "mocks.py").write_text("def write(pages):\n    return 'a' * pages\n")

    agents = testing.agents("letter", {"post": {"real": True}, "write": {"python": "mocks:write"}}, project=tmp_path)

    assert list(agents) == ["letter/write"]
    with holdpoint.Engine("memory://", agents=agents) as engine:
        testing.assert_run(engine, start(engine, 3), artifacts={"text": "aaa"})


def test_one_scenario_of_a_file_is_played(tmp_path: Path) -> None:
    (tmp_path / "letter.yaml").write_text(LETTER)
    path = tmp_path / "letter.scenarios.yaml"
    path.write_text(
        f"{HEAD}  - {{name: silence, input: {{pages: 2}}, steps: [{{advance: 5d}}], expect: {{state: sent}}}}\n"
    )

    suite = testing.load_scenarios(path)
    played = testing.play_scenario(suite, "silence")

    assert not played.passed
    assert played.path == ["write", "review", "sign", "lost"]
    assert [one.message for one in played.mismatches] == ["state is 'lost', expected 'sent'"]
    with pytest.raises(NotFound, match="has no scenario 'silense'; did you mean 'silence'"):
        testing.play_scenario(suite, "silense")


def test_what_scenarios_cover_is_counted_and_drawn(tmp_path: Path) -> None:
    workflow = tmp_path / "letter.yaml"
    workflow.write_text(LETTER)
    (tmp_path / "letter.scenarios.yaml").write_text(f"{HEAD}  - {{name: silence, input: {{pages: 2}}}}\n")

    coverage = testing.coverage_of(workflow)

    assert coverage.said["states"] == (2, 7)
    with holdpoint.Engine("memory://") as engine:
        assert "✗ sign" in str(engine.graph(engine.load(workflow), coverage=coverage))
        with pytest.raises(UsageError):
            engine.graph(engine.load(workflow), coverage=coverage, heat=True)


def test_importing_it_loads_no_store_and_no_schema() -> None:
    program = "import sys, holdpoint.testing; print(*[name for name in sys.modules if name.startswith('holdpoint')])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    rooms = {name.split(".")[1] for name in done.stdout.split() if "." in name}
    assert rooms == {"engine", "testing"}
