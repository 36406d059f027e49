"""Several processes at one database: actors that are told what to do, and a gate that lets them begin together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

import holdpoint
from holdpoint.testing import Clock

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a call in another process: its value, or the error that refused it."""

    value: Any = None
    error: str | None = None
    code: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of an engine's method, and what the clock reads meanwhile."""

    method: str
    args: Sequence[Any] = ()
    options: dict[str, Any] = field(default_factory=dict)
    times: Sequence[datetime]
    nested: Sequence[str] = ()

    def line(self, *, is_gated: bool) -> str:
        """The call as an actor reads it."""
        return json.dumps(
            {
                "method": self.method,
                "args": list(self.args),
                "options": self.options,
                "times": [time.isoformat() for time in self.times],
                "nested": list(self.nested),
                "is_gated": is_gated,
            }
        )


class Actor:
    """A process that runs actor.py."""

    def __init__(self, url: str, folder: Path, fate: str, gate: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", str(HERE / "actor.py"), url, fate, str(gate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(gate,),
            cwd=folder,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        with self._process:  # closes the pipes and waits
            pass

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return when it is there, or stands at the gate."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def send(self, call: Call, *, is_gated: bool = False) -> None:
        """Have it make a call, at once or when the gate opens."""
        assert self._process.stdin is not None
        self._process.stdin.write(call.line(is_gated=is_gated) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Answer:
        """Wait for what came of the call."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"process {self.pid} has ended"
        return Answer(**json.loads(line))

    def ask(self, call: Call) -> Answer:
        """Have it make a call, and wait for what comes of it."""
        self.send(call)
        return self.answer()

    def wait_until_killed(self) -> None:
        """Return when SIGKILL has ended it and the system has forgotten it."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "", f"process {self.pid} lives"
        assert self._process.wait() == -signal.SIGKILL

    def wait_until_stopped(self) -> None:
        """Return when it has stopped itself."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "stopping\n", f"process {self.pid} did not stop"
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def wake(self) -> None:
        """Let it go on where it has stopped itself."""
        os.kill(self.pid, signal.SIGCONT)


class World:
    """One database, an engine of the test's own under a clock that stands still, and the actors."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        # SIGKILL takes nothing that was written, whether it was synced or not.
        self.url = f"sqlite:///{folder / 'flow.db'}?synchronous=normal"
        self.clock = Clock()
        self.engine = stack.enter_context(holdpoint.Engine(self.url, clock=self.clock))
        self._gate, self._key = os.pipe()
        stack.callback(os.close, self._gate)
        stack.callback(os.close, self._key)

    def actors(self, number: int, fate: str = "work") -> list[Actor]:
        """So many processes, ready."""
        actors = [self._stack.enter_context(Actor(self.url, self.folder, fate, self._gate)) for _ in range(number)]
        for actor in actors:
            actor.wait_until_ready()
        return actors

    def actor(self, fate: str = "work") -> Actor:
        """One process, ready."""
        return self.actors(1, fate)[0]

    def line_up(self, actors: Sequence[Actor], calls: Sequence[Call]) -> None:
        """Have each actor stand at the gate with its call."""
        for actor, call in zip(actors, calls, strict=True):
            actor.send(call, is_gated=True)
        for actor in actors:
            actor.wait_until_ready()

    def open_gate(self, number: int) -> None:
        """Let so many actors begin."""
        os.write(self._key, b"x" * number)

    def at_once(self, actors: Sequence[Actor], calls: Sequence[Call]) -> list[Answer]:
        """Have each actor make its call, all at one moment."""
        self.line_up(actors, calls)
        self.open_gate(len(actors))
        return [actor.answer() for actor in actors]

    def effects(self) -> list[str]:
        """The keys under which agents took effect, in this order."""
        return (self.folder / "effects").read_text().split()

    def entries(self, run_id: str, *kinds: str) -> list[Any]:
        """The run's entries of these kinds."""
        return [entry for entry in self.engine.history(run_id) if entry.kind in kinds]


@pytest.fixture
def call() -> type[Call]:
    """How a test says what an actor shall do."""
    return Call


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh database; whatever the test did with it, it holds up to `verify` at the end."""
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        yield world
        assert world.engine.verify() == ()
