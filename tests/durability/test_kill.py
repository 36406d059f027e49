"""Kill -9 at every commit and around every agent call: whoever comes after ends the run as if nothing had been.

$HOLDPOINT_KILL_POINTS says at how many points, at least (200; each commit and each agent are always among them),
$HOLDPOINT_SEED which of the others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ORDERS = ("tick-first", "client-first")
ALWAYS = {
    "retry": 36,
    "ask": 36,
    "command": 36,
    "forms": 16,
    "waits": 36,
    "isolated": 8,
    "silence": 16,
    "steered": 20,
}
"""How many points each story has at least that are always played: two a commit, four an agent's call."""

POINTS = int(os.environ.get("HOLDPOINT_KILL_POINTS", "200"))
SEED = int(os.environ.get("HOLDPOINT_SEED", "1"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("story", ALWAYS)
def test_a_run_whose_processes_are_killed_ends_as_it_would_have(story: str, order: str, tmp_path: Path) -> None:
    share = -(-POINTS // (len(ALWAYS) * len(ORDERS)))

    report = _play(tmp_path, story, order, "--points", str(share), "--seed", str(SEED))

    again = "python -m tests.durability.killing NEW_FOLDER STORY ORDER --only POINT"
    assert report["wrong"] == {}, f"seed {SEED}; once more: {again}"
    assert report["died"] == report["played"] >= share
    assert report["always"] >= ALWAYS[story]


def _play(folder: Path, *arguments: str) -> dict[str, Any]:
    # A process of its own: a fork must not inherit another test's threads and connections.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.durability.killing", str(folder), *arguments],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    report: dict[str, Any] = json.loads(done.stdout)
    return report
