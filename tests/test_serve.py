"""`flow serve` as a real process: it applies what falls due, and ends as it is told to."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from holdpoint import Engine, Run, cli

SYSTEMD = Path(__file__).parents[1] / "docs" / "systemd"
SECONDS = 60  # nothing here takes as long: it is for what hangs

SILENCE = """
workflow: silence
states:
  ask: {type: approval, message: "Go on?", timeout: 1s, default: approve, on: {approve: work, reject: refused}}
  work: {type: agent, command: [python, -c, "print(7)"], next: end}
  end: {type: end, output: "{{ work }}"}
  refused: {type: end, outcome: failure}
"""

# It says that it has begun, and works until it may end.
HELD = """
workflow: held
states:
  work:
    type: agent
    command: [python, -c, "import os; open('begun', 'w').write('x'); os.read(os.open('may_end', 0), 1); print(1)"]
    timeout: 1m
    next: end
  end: {type: end}
"""


class Served:
    """A project in a folder of its own, the processes on it, and an engine to look with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = Engine(project=folder)
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, text: str) -> Run:
        """A run that is left to whoever serves."""
        return self.engine.start(self.engine.loads(text), initiator="ann", advance=False)

    def flow(self, *words: str) -> subprocess.Popen[str]:
        """A process of its own."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLOW_")}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "holdpoint.cli", *words],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End whatever a test has left."""
        for process in self._processes:
            process.kill()
            process.communicate()
        self.engine.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A project to be served."""
    (tmp_path / "flow.toml").touch()
    served = Served(tmp_path)
    yield served
    served.close()


@pytest.fixture
def gate(served: Served) -> Iterator[Callable[[str], None]]:
    """`gate("begun")` waits until the agent of `held` has begun, `gate("may_end")` lets it go on."""
    ends = {}
    for name in ("begun", "may_end"):
        os.mkfifo(served.folder / name)
        ends[name] = os.open(served.folder / name, os.O_RDWR)  # open to both sides, so nobody waits for the other

    def pass_gate(name: str) -> None:
        if name == "may_end":
            os.write(ends[name], b"\n")
        else:
            assert select.select([ends[name]], [], [], SECONDS)[0], "the agent has not begun"
            os.read(ends[name], 1)

    yield pass_gate
    for end in ends.values():
        os.close(end)


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    assert select.select([stream], [], [], SECONDS)[0], "nothing was said"
    return stream.readline()


def test_it_applies_what_falls_due_and_ends_when_it_is_told(served: Served) -> None:
    server = served.flow("serve", "--no-web", "--sweep", "1s", "--health", "health.json")
    said = _line(server.stdout)
    run = served.start(SILENCE)

    followed, _ = served.flow("history", run.id, "--follow", "--json").communicate(timeout=SECONDS)
    server.send_signal(signal.SIGTERM)
    out, err = server.communicate(timeout=SECONDS)

    assert said == f"serving sqlite:///flow.db as process {server.pid}: 4 workers, a sweep every 1s\n"
    kinds = [json.loads(line)["kind"] for line in followed.splitlines()]
    assert ("request.expired" in kinds, kinds[-1]) == (True, "run.ended")
    assert served.engine.get_run(run.id).output == 7
    assert (server.returncode, out.count("\n"), out.startswith("defaults 1, ")) == (0, 1, True)
    assert err.count("\n") == 1
    health = json.loads((served.folder / "health.json").read_text())
    assert health.keys() == {"pid", "at", "counts"}
    assert health["pid"] == server.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_agent_at_work_finishes_before_it_ends(
    served: Served, gate: Callable[[str], None], number: signal.Signals
) -> None:
    run = served.start(HELD)
    server = served.flow("serve", "--no-web", "--json")
    gate("begun")

    server.send_signal(number)
    said = _line(server.stderr)
    gate("may_end")
    out, _ = server.communicate(timeout=SECONDS)

    assert said.startswith("stopping: ")
    assert (server.returncode, json.loads(out)["advanced"]) == (0, 1)
    assert served.engine.get_run(run.id).status == "done"
    assert [entry.kind for entry in served.engine.history(run.id)].count("agent.started") == 1
    assert served.engine.verify() == ()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once_and_the_next_pass_takes_the_run_up(
    served: Served, gate: Callable[[str], None], number: signal.Signals
) -> None:
    run = served.start(HELD)
    server = served.flow("serve", "--no-web")
    gate("begun")

    server.send_signal(signal.SIGTERM)
    _line(server.stderr)
    server.send_signal(number)
    server.wait(timeout=SECONDS)
    gate("may_end")  # the agent itself is an orphan now
    gate("may_end")
    counts = served.engine.tick()

    assert server.returncode == 128 + number
    assert (counts["recovered"], served.engine.get_run(run.id).status) == (1, "done")
    assert served.engine.verify() == ()


def test_two_may_serve_and_each_thing_is_done_once(served: Served) -> None:
    runs = [served.start(SILENCE) for _ in range(5)]
    servers = [served.flow("serve", "--no-web", "--sweep", "1s", "--json") for _ in range(2)]
    for run in runs:
        served.flow("history", run.id, "--follow").communicate(timeout=SECONDS)

    for server in servers:
        server.send_signal(signal.SIGTERM)
    counts = [json.loads(server.communicate(timeout=SECONDS)[0]) for server in servers]

    assert [server.returncode for server in servers] == [0, 0]
    assert sum(count["defaults"] for count in counts) == len(runs)
    assert sum(count["errors"] for count in counts) == 0
    assert served.engine.verify() == ()


def test_a_database_that_is_none_is_reported(served: Served) -> None:
    (served.folder / "notes.db").write_text("not a database, however long the text that is in it may be" * 20)

    server = served.flow("--db", "sqlite:///notes.db", "serve", "--no-web", "--json")
    out, _ = server.communicate(timeout=SECONDS)

    assert (server.returncode, json.loads(out)["error"]["code"]) == (70, "corrupt")


# --- systemd ----------------------------------------------------------------------------------------------------------


def _commands() -> list[Any]:
    return [
        pytest.param(line.removeprefix("ExecStart=").split()[1:], id=path.name)
        for path in sorted(SYSTEMD.glob("*.service"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("ExecStart=")
    ]


@pytest.mark.parametrize("words", _commands())
def test_the_units_run_commands_that_there_are(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*words, "--help"]) == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd to ask")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in SYSTEMD.iterdir():
        text = path.read_text(encoding="utf-8").replace("/srv/holdpoint/.venv/bin/flow", sys.executable)
        (tmp_path / path.name).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in (done.stdout + done.stderr).splitlines() if "holdpoint" in line]
    assert (done.returncode, ours) == (0, [])
