"""The example workflows: every outcome of each, through the public API; and their READMEs, command by command."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from holdpoint.testing import Clock

WORKFLOWS = Path(__file__).parents[1] / "workflows"
FILES = {
    "expense": "expense.yaml",
    "article": "article.yaml",
    "single-approval": "single-approval.yaml",
}
each_example = pytest.mark.parametrize("name", FILES)


def _copy(name: str, folder: Path) -> Path:
    """A copy of an example: a project of its own."""
    ignore = shutil.ignore_patterns("__pycache__", "*.db*")
    return Path(shutil.copytree(WORKFLOWS / name, folder / name, ignore=ignore))


class Example:
    """A copy of an example with an engine on it, under a clock that moves when it is told to."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = _copy(name, folder)
        self.clock = Clock()
        self.engine = holdpoint.Engine("sqlite:///:memory:", clock=self.clock, project=self.folder)
        self.definition = self.engine.load(self.folder / FILES[name])

    def start(self, **input: Any) -> holdpoint.Run:
        return self.engine.start(self.definition, input, initiator="ann")

    def decide(self, run: holdpoint.Run, option: str, by: str, **more: Any) -> holdpoint.Run:
        return self.engine.decide(run.id, option, by=by, **more)

    def pass_time(self, run: holdpoint.Run, duration: str) -> holdpoint.Run:
        self.clock.advance(self.engine, duration)
        return self.engine.get_run(run.id)

    def path(self, run: holdpoint.Run) -> list[str]:
        return [entry.data["state"] for entry in self.engine.history(run.id) if entry.kind == "state.entered"]

    def assert_unchanged(self, run: holdpoint.Run) -> None:
        assert self.engine.get_run(run.id).to_dict() == {
            key: value for key, value in run.to_dict().items() if key != "replayed"
        } | {"updated_at": self.engine.get_run(run.id).to_dict()["updated_at"]}


def _open(name: str, folder: Path) -> Iterator[Example]:
    example = Example(name, folder)
    with example.engine:
        yield example
        assert example.engine.verify() == ()


# --- all of them ------------------------------------------------------------------------------------------------------


@each_example
def test_check_finds_nothing(name: str) -> None:
    assert holdpoint.api.check(WORKFLOWS / name / FILES[name]) == ()
