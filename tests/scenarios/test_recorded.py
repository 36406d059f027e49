"""A scenario that is written from what happened in a run passes: what can be seen can be expected."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import holdpoint
from holdpoint.scenarios.reading import load_suite
from holdpoint.scenarios.run import play_suite
from holdpoint.testing import Clock, agents, path_of, take_steps
from tests.scenarios.desk import LETTER

PEOPLE = {"dora": ["boss"], "olga": ["operator"]}
STEPS: list[dict[str, Any]] = [
    {"decide": "accept", "by": "ann"},
    {"decide": "accept", "by": "ann", "artifact": "Dear me"},
    {"decide": "revise", "by": "ann", "comment": "shorter"},
    {"decide": "approve", "by": "dora"},
    {"decide": "reject", "by": "dora", "comment": "no"},
    {"decide": "retry", "by": "dora"},
    {"signal": "stamped", "data": 7},
    {"advance": "1h"},
    {"advance": "2d"},
    {"move": "write", "by": "olga"},
    {"retry": True, "by": "olga"},
    {"cancel": True, "by": "olga"},
]
WORK: list[Any] = [
    "Dear all",
    {"output": ["a", {"b": None}]},
    {"error": "no ink"},
    {"attempts": [{"crash": True}, "x"]},
]


@settings(max_examples=60)
@given(
    pages=st.sampled_from([2, 11]),
    write=st.lists(st.sampled_from(WORK), min_size=1, max_size=3),
    post=st.sampled_from([{"ok": True}, {"error": "no stamps"}, [{"crash": True}, {"ok": True}]]),
    wishes=st.lists(st.sampled_from(STEPS), max_size=8),
)
def test_a_scenario_written_from_a_run_passes(
    tmp_path_factory: Any, pages: int, write: list[Any], post: Any, wishes: list[dict[str, Any]]
) -> None:
    clock, by_state = Clock(), {"write": write, "post": post}
    with holdpoint.Engine("memory://", clock=clock, agents=agents("letter", by_state), people=PEOPLE) as engine:
        run = engine.start(engine.loads(LETTER), {"pages": pages}, initiator="ann")
        steps = [taken for wish in wishes if (taken := _taken(engine, run, clock, wish))]
        expect = _seen(engine, run.id)
    scenario = {"name": "one", "input": {"pages": pages}, "initiator": "ann", "agents": by_state}
    document = {
        "workflow": "letter.yaml",
        "people": PEOPLE,
        "scenarios": [{**scenario, "steps": steps, "expect": expect}],
    }

    (played,) = play_suite(load_suite(_written(tmp_path_factory.mktemp("one"), document))).played

    assert played.passed, played.told("one")


def _taken(engine: holdpoint.Engine, run: holdpoint.Run, clock: Clock, wish: dict[str, Any]) -> dict[str, Any] | None:
    """The step as it was taken, or with the code of its refusal; None where there was no request to decide."""
    if "decide" in wish and not engine.get_run(run.id).requests:
        return None
    try:
        take_steps(engine, run, [wish], clock)
    except AssertionError as error:
        (code,) = re.findall(r" \((\w+)\)$", str(error).splitlines()[0])
        return {**wish, "refused": code}
    return wish


def _seen(engine: holdpoint.Engine, run_id: str) -> dict[str, Any]:
    run, history = engine.get_run(run_id), engine.history(run_id)
    return {
        "state": run.state,
        "status": run.status,
        "outcome": run.outcome,
        "output": run.output,
        "path": path_of(engine, run),
        "results": dict(run.results),
        "artifacts": {name: artifact["content"] for name, artifact in run.artifacts.items()},
        "revisions": {name: artifact["revision"] for name, artifact in run.artifacts.items()},
        "authors": {name: artifact["author"] for name, artifact in run.artifacts.items()},
        "visits": dict(run.visits),
        "requests": [
            {"state": one.state, "options": list(one.options), "assigned": one.assign} for one in run.requests
        ],
        "error": None if run.error is None else run.error["code"],
        "history": [entry.kind for entry in history],
        "counts": {kind: sum(entry.kind == kind for entry in history) for kind in {entry.kind for entry in history}},
    }


def _written(folder: Path, document: dict[str, Any]) -> Path:
    (folder / "letter.yaml").write_text(LETTER)
    path = folder / "letter.scenarios.yaml"
    path.write_text(json.dumps(document))  # which is YAML too
    return path
