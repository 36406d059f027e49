"""Pages whose examples are run: the files they show are written, their commands run, their output put beside theirs.

A page is Markdown, and is read from its top:

- a block with `file=NAME` after its language is a file of that name;
- a `console` block has commands (`$ …`, lines that go on with `> …`), each with what it prints, both streams;
- a `python` block is a program, and the `text` block right after it what it prints; without one it prints nothing;
- a block after the comment `<!-- prints: COMMAND -->` is what that command prints;
- all other blocks are only read.

Ids, times and widths of columns may differ: an id of the page stands for the one that was printed in its place.

`python -m tests.pages PAGE…`, in the folder of the repository, writes into pages what their examples print now: where
anything differs, all of a page, so that its times agree.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from shlex import quote

_BLOCK = re.compile(
    r"^(?:<!-- prints: (?P<command>[^\n]*) -->\n+)?```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$"
    r"(?:\n\n```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"(?:^|\s)file=(\S+)")
_COMMAND = re.compile(r"^\$ (?P<first>.*)\n(?P<more>(?:> .*\n)*)(?P<shown>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_ID = re.compile(r"\b(?:run|req)_[0-9a-z]{16}\b")
TIMES = (
    # 2026-11-25 17:11:13 UTC is not 2026-11-25T17:11:13.123456Z
    (re.compile(r"\d{4}-\d\d-\d\d(?=[ T]\d\d:\d\d)"), "DATE"),
    (re.compile(r"(?<=DATE[ T])\d\d:\d\d"), "HH:MM"),
    (re.compile(r"(?<=HH:MM:)\d\d"), "SS"),
    (re.compile(r"(?<=SS\.)\d+"), "FRACTION"),
    (re.compile(r"(?<=HH:MM )in \d+[a-z]+|(?<=UTC \()in \d+[a-z]+"), "LATER"),
    (re.compile(r"(?<=HH:MM )(?:\d+[a-z]+ ago|just now)|(?<=UTC \()(?:\d+[a-z]+ ago|just now)"), "BEFORE"),
)
"""What differs of times, each with what stands for it: the form of a time is part of what a page shows."""

_VARYING = (
    (_ID, "ID"),
    *TIMES,
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"\b(median stay|9 in 10 within) (?:under )?\d+s"), r"\1 SECONDS"),
    (re.compile(r" {2,}"), "  "),  # a column is as wide as what is in it
    (re.compile(r"\b(pid\"?:?|process) \d+"), r"\1 PID"),
)
_SETTING = {"FLOW_USER": "ann", "TZ": "UTC", "COLUMNS": "120", "NO_COLOR": "1"}
"""The same wherever the examples run."""


def plain(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


class Session:
    """The examples of one page, run in an empty folder."""

    def __init__(self, folder: Path, *, is_anew: bool = False) -> None:
        self._is_anew = is_anew  # whether what is the same is put in anew too, so that the times of a page agree
        self.cwd = self.project = folder / "project"
        self.project.mkdir()
        self._ids: dict[str, str] = {}  # the page's → those of this session
        self._where = folder / "cwd"
        self._environment = _environment(folder / "bin")

    def run(self, page: str) -> str:
        """The page with what its examples print here, as far as that is not what it shows."""
        return _BLOCK.sub(self._block, page)

    def _block(self, block: re.Match[str]) -> str:
        """Do what a block of the page says; the block as it should be."""
        body = block["body"]
        name = _FILE.search(block["info"])
        if name is not None:
            path = self.cwd / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
        elif block["command"] is not None:
            return self._with(block, self._put(body, self._bash(block["command"]).strip("\n") + "\n"))
        elif block["info"] == "console":
            return self._with(block, _COMMAND.sub(self._command, body))
        elif block["info"] == "python":
            printed = self._put(block["output"] or "", self._run([sys.executable, "-c", body]))
            return f"```python\n{body}```" + (f"\n\n```text\n{printed}```" if printed else "")
        return block[0]

    @staticmethod
    def _with(block: re.Match[str], body: str) -> str:
        """A block with another body."""
        start, end = (place - block.start() for place in block.span("body"))
        return block[0][:start] + body + block[0][end:]

    def _command(self, match: re.Match[str]) -> str:
        more = [line[2:] for line in match["more"].splitlines()]
        printed = self._bash("\n".join([match["first"], *more]))
        return f"$ {match['first']}\n{match['more']}{self._put(match['shown'], printed)}"

    def _put(self, shown: str, printed: str) -> str:
        """What was printed, in the words of the page where that is the same."""
        self._ids.update(zip(_ID.findall(shown), _ID.findall(printed), strict=False))
        if plain(shown) == plain(printed) and not self._is_anew:
            return shown
        known = {own: named for named, own in self._ids.items()}
        text = _ID.sub(lambda match: known.get(match[0], match[0]), printed)
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines())

    def meant(self, command: str) -> str:
        """A command of the page with the ids of this session."""
        return _ID.sub(lambda match: self._ids.get(match[0], match[0]), command)

    def _bash(self, command: str) -> str:
        script = f"trap 'pwd > {quote(str(self._where))}' EXIT\n{self.meant(command)}\n"
        printed = self._run(["bash", "-c", script])
        self.cwd = Path(self._where.read_text(encoding="utf-8").removesuffix("\n"))
        return printed

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout.replace(str(self.project), "/srv/project")


def _environment(shims: Path) -> dict[str, str]:
    """The environment in which `flow` and `python` are those that run the tests, installed or not."""
    shims.mkdir()
    for name, words in (("flow", "-m holdpoint.cli "), ("python", ""), ("python3", "")):
        path = shims / name
        path.write_text(f'#!/bin/sh\nexec {quote(sys.executable)} {words}"$@"\n', encoding="utf-8")
        path.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FLOW_")}
    return kept | {"PATH": f"{shims}{os.pathsep}{kept['PATH']}", **_SETTING}


def run(page: str, folder: Path) -> str:
    """A page with what its examples print in this empty folder, as far as that is not what it shows."""
    return Session(folder).run(page)


def _refresh(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        fresh = Session(Path(folder), is_anew=True).run(text)
    if plain(fresh) != plain(text):
        path.write_text(fresh, encoding="utf-8")
        sys.stdout.write(f"refreshed {path}\n")


if __name__ == "__main__":
    for word in sys.argv[1:]:
        _refresh(Path(word))
