"""`flow demo`: a bundled workflow in a project of its own, moved on by one real `flow` process after the other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from shlex import join

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.output import print_json, say, say_all
from holdpoint.engine.canonical import Json

_WORKFLOW = "article"
_RUN = re.compile(r"run_[0-9a-z]+")
_REQUEST = re.compile(r"req_[0-9a-z]+")
_NOT_ALLOWED = 5
# What would lead the demo's own processes to the caller's database, or make them speak as the caller.
_OURS = ("FLOW_DB", "FLOW_USER")


@click.command(cls=Command)
@click.option("--keep", "is_kept", is_flag=True, help="Keep the project and say where it is.")
@pass_call
def command(call: Call, is_kept: bool) -> int:
    """Watch a run wait, be decided and go on.

    An article is drafted by an agent, goes back and forth with an editor, is released by a publisher and is published,
    once. Every step is a `flow` process of its own; between two of them nothing runs. It takes a few seconds and leaves
    nothing behind.
    """
    with _project(is_kept) as folder:
        tour = _Tour(folder, is_silent=call.is_json)
        tour.go()
        if call.is_json:
            print_json({"run": tour.run, "project": str(folder) if is_kept else None, "steps": tour.steps})
        elif is_kept:
            say("the project is in ", (str(folder), "bold"))
    return 0


@contextmanager
def _project(is_kept: bool) -> Iterator[Path]:
    """A copy of the bundled workflow in a folder that goes away again unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="flow-demo-"))
    try:
        with as_file(files("holdpoint") / "workflows" / _WORKFLOW) as source:
            shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        yield folder
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)


class _Tour:
    """The steps of the demo; each says why, then runs one command and shows what it printed."""

    def __init__(self, folder: Path, *, is_silent: bool) -> None:
        self.run = ""
        self.steps: list[Json] = []
        self._folder = folder
        self._is_silent = is_silent
        self._environment = {name: value for name, value in os.environ.items() if name not in _OURS}

    def go(self) -> None:
        """All steps in order."""
        self._step("A workflow is one file: states, and who may lead on from each. First, is the file right?", "check")
        started = self._step(
            "Ann starts a run. An agent writes the draft; then the run needs an editor, and this process ends.",
            *("--as", "ann", "start", _WORKFLOW, "-i", "slug=hold-points", "-i", "topic=Hold points"),
            *("-i", 'notes=["Some steps cannot be taken back.", "Before these, work holds until somebody says go."]'),
        )
        self.run = _first(_RUN, started)
        self._step(
            "Now nothing runs: the wait is a few rows in flow.db. Nora, an editor, finds it in her inbox.",
            *("--as", "nora", "inbox", "--mine"),
        )
        self._step("She reads what she is asked to accept.", "show", _first(_REQUEST, started))
        self._step(
            "She sends it back with a comment. Her process takes the run on: the agent writes again, and it waits.",
            *("--as", "nora", "decide", self.run, "revise", "--comment", "title: The step that waits"),
        )
        self._step("She takes the second draft into a file …", "artifact", self.run, "article", "-o", "draft.md")
        self._edit("draft.md", "Nobody is blocked meanwhile.\n")
        self._step(
            "… writes a sentence of her own, and accepts her version. It is revision 3, and the next gate opens.",
            *("--as", "nora", "decide", self.run, "accept", "--artifact", "draft.md"),
        )
        self._step(
            "Publishing cannot be taken back, so a publisher holds that gate. Nora is none: refused, and noted.",
            *("--as", "nora", "decide", self.run, "approve"),
            status=_NOT_ALLOWED,
        )
        self._step(
            "Paul is one. He approves, and the agent publishes, once.", "--as", "paul", "decide", self.run, "approve"
        )
        self._step("What happened, entry by entry, each sealed with the hash of the one before.", "history", self.run)
        self._step("The proof: every hash recomputed, every run replayed from its history.", "verify")
        self._step("And the way that the run took.", "graph", self.run)
        self._say("Next: flow check, flow start and flow inbox in a project of your own; flow --help lists the rest.")

    def _step(self, why: str, *words: str, status: int = 0) -> str:
        """Run `flow` in a process of its own; what it printed. An unexpected exit status is a bug of ours."""
        self._say(why)
        self._say(("$ " + join(["flow", *words]), "bold cyan"))
        done = subprocess.run(
            [sys.executable, "-P", "-m", "holdpoint.cli", *words],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        printed = done.stdout + done.stderr
        self.steps.append({"why": why, "command": ["flow", *words], "status": done.returncode})
        if done.returncode != status:
            raise RuntimeError(f"{join(['flow', *words])} exited with {done.returncode}, not {status}: {printed}")
        if not self._is_silent:
            say_all(printed, "    ")
            say("")
        return printed

    def _edit(self, name: str, text: str) -> None:
        with (self._folder / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{text}")

    def _say(self, *parts: str | tuple[str, str]) -> None:
        if not self._is_silent:
            say(*parts)
            sys.stdout.flush()


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    if found is None:
        raise RuntimeError(f"no {pattern.pattern} in {text!r}")
    return found.group()
