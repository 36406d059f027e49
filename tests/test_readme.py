"""README's examples do what README shows: its files are written, its commands run, its output compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent

_BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"\b(?:run|req)_[0-9a-z]{16}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project that README builds."""
    for block in _BLOCK.finditer(README):
        name = re.search(r"file=(\S+)", block["info"])
        if name:
            path = tmp_path / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["body"], encoding="utf-8")
    return tmp_path


def test_the_commands_print_what_the_readme_shows(project: Path) -> None:
    (block,) = [block["body"] for block in _BLOCK.finditer(README) if block["info"] == "console"]
    ids: dict[str, str] = {}  # README's ids → those of this run

    def own(match: re.Match[str]) -> str:
        return ids.get(match[0], match[0])

    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        printed = _run(["bash", "-c", _ID.sub(own, command)], project)
        ids.update(zip(_ID.findall(shown), _ID.findall(printed), strict=False))
        assert _plain(printed) == _plain(shown), command

    assert ids


def test_the_python_example_prints_what_the_readme_shows(project: Path) -> None:
    blocks = list(_BLOCK.finditer(README))
    ((code, output),) = [
        (block["body"], blocks[index + 1]["body"]) for index, block in enumerate(blocks) if block["info"] == "python"
    ]

    assert _run([sys.executable, "-c", code], project) == output


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).is_file()


def _run(command: list[str], folder: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLOW_")}
    environment |= {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.stdout


def _plain(text: str) -> list[str]:
    """The lines without what differs from run to run."""
    return [_TIME.sub("TIME", _ID.sub("ID", line)).rstrip() for line in text.splitlines()]
