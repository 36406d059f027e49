"""Crontab lines that are shown do what they say where cron runs them: in /bin/sh, with next to no environment."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest

import holdpoint
from holdpoint import Engine, cli
from holdpoint.commands.starter import files

ROOT = Path(__file__).parents[1]
SHOWN = ("README.md", "docs/tutorial.md", "docs/how-to/timeouts.md")
WORKFLOW = """
workflow: nap
states:
  work: {type: agent, command: [python, -c, "print(1)"], next: end}
  end: {type: end}
"""


def lines(text: str) -> list[str]:
    """The crontab lines in a text."""
    return re.findall(r"^\* \* \* \* \* (.*)$", text, re.MULTILINE)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program `flow` where Holdpoint is installed: our interpreter with the package that is tested."""
    path = tmp_path / "clone" / ".venv" / "bin" / "flow"
    path.parent.mkdir(parents=True)
    package = quote(str(Path(holdpoint.__file__).parents[1]))
    path.write_text(f'#!/bin/sh\nPYTHONPATH={package} exec {quote(sys.executable)} -m holdpoint.cli "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of its own, away from the clone, with a run that waits for a tick."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "flow.toml").touch()
    with Engine(f"sqlite:///{folder}/flow.db", project=folder) as engine:
        engine.start(engine.loads(WORKFLOW), advance=False)
    return folder


def _as_cron(line: str) -> None:
    subprocess.run(["env", "-i", "/bin/sh", "-c", line], check=True, capture_output=True, cwd="/")


@pytest.mark.parametrize("name", SHOWN)
def test_a_crontab_line_that_is_shown_ticks_and_logs_what_it_did(name: str, project: Path, program: Path) -> None:
    (shown,) = lines((ROOT / name).read_text(encoding="utf-8"))
    line = re.sub(r"^cd /srv/\w+ ", f"cd {quote(str(project))} ", shown)
    line = line.replace("/srv/holdpoint/.venv/bin/flow", quote(str(program)))

    _as_cron(line)
    _as_cron(line)

    assert "/srv" not in line
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+: advanced 1\n", (project / "tick.log").read_text(encoding="utf-8")
    )


def test_the_crontab_line_of_a_new_project_ticks_there(project: Path, program: Path) -> None:
    readme = files(project, "{}", "{}")["README.md"]
    (shown,) = lines(readme)
    written = re.search(r"&& (\S+|'[^']*') tick", shown)
    assert written is not None

    _as_cron(shown.replace(f"&& {written[1]} tick", f"&& {quote(str(program))} tick"))

    assert "advanced 1" in (project / "tick.log").read_text(encoding="utf-8")


def test_a_quiet_tick_says_nothing_where_there_was_nothing_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    said = []

    for words in (["tick", "-q"], ["tick", "--quiet"], ["tick"], ["tick", "--quiet", "--json"]):
        assert cli.run(words) == 0
        said.append(capfd.readouterr())

    assert said[0].out.endswith(": advanced 1\n")
    assert said[1] == ("", "")
    assert said[2].out == "nothing to do\n"
    assert said[3].out.startswith('{"defaults": 0')
