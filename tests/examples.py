"""What the tests of the example workflows share: a copy of an example, and an engine on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from holdpoint.testing import Clock

WORKFLOWS = Path(__file__).parents[1] / "workflows"

FILES: Mapping[str, tuple[str, ...]] = {
    "expense": ("expense.yaml",),
    "article": ("article.yaml",),
    "single-approval": ("single-approval.yaml",),
    "migration": ("migration.yaml",),
    "missing-information": ("supplier.yaml",),
    "incident": ("incident.yaml",),
    "deploy": ("deploy.yaml",),
    "tactus": (
        "basic.yaml",
        "meeting-recap.yaml",
        "deployment.yaml",
        "batched-inputs.yaml",
        "name-and-color.yaml",
        "resume.yaml",
        "each-kind-once.yaml",
    ),
}
"""The files of each example, in the order of its README."""


def copy(name: str, folder: Path) -> Path:
    """A copy of an example, which is a project of its own."""
    ignore = shutil.ignore_patterns("__pycache__", "*.db*")
    return Path(shutil.copytree(WORKFLOWS / name, folder / name, ignore=ignore))


class Example:
    """A copy of an example and an engine on it, under a clock that stands still until it is moved.

    *file* is one of the example's, by default its first; *agents* stand in for those that the workflow names.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        file: str | None = None,
        url: str = "sqlite:///:memory:",
        agents: Mapping[str, Callable[..., Any]] = {},
    ) -> None:
        self.folder = copy(name, folder)
        self.clock = Clock()
        self.engine = holdpoint.Engine(url, clock=self.clock, project=self.folder, agents=agents)
        self.definition = self.engine.load(self.folder / (file or FILES[name][0]))

    def start(self, **input: Any) -> holdpoint.Run:
        """Start a run, as ann."""
        return self.engine.start(self.definition, input, initiator="ann")

    def decide(self, run: holdpoint.Run, option: str, by: str, **more: Any) -> holdpoint.Run:
        """Settle the run's open request."""
        return self.engine.decide(run.id, option, by=by, **more)

    def pass_time(self, run: holdpoint.Run, duration: str) -> holdpoint.Run:
        """The run once this time has passed."""
        self.clock.advance(self.engine, duration)
        return self.engine.get_run(run.id)

    def path(self, run: holdpoint.Run) -> list[str]:
        """The states that a run has entered."""
        return [entry.data["state"] for entry in self.engine.history(run.id) if entry.kind == "state.entered"]

    def refusal(self, run: holdpoint.Run, option: str, by: str, **more: Any) -> type[holdpoint.HoldpointError]:
        """The class of the error that a decision meets; the run must stand as it stood."""
        with pytest.raises(holdpoint.HoldpointError) as caught:
            self.decide(run, option, by, **more)
        after = self.engine.get_run(run.id)
        assert (after.state, after.requests, after.artifacts) == (run.state, run.requests, run.artifacts)
        return caught.type

    def lines(self, name: str) -> list[Any]:
        """What agents have written into a file of JSON lines."""
        file = self.folder / name
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


@contextmanager
def opened(name: str, folder: Path, **more: Any) -> Iterator[Example]:
    """An example for one test; whatever the test did, the database holds up to `verify` at its end."""
    example = Example(name, folder, **more)
    with example.engine:
        yield example
        assert [str(flaw) for flaw in example.engine.verify()] == []
