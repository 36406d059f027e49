"""docs/checks.md: a section for each code, whose examples are checked.

A section's heading is the code and its rule, and it begins with how much breaking it matters. Then, in any order:

- a `yaml` block, or a `python` program that writes `example.yaml`, with a `text` block after it is a bad example, and
  the text what `flow check` finds in it;
- a `yaml` block alone is a good example: with `--strict`, nothing is found in it;
- a `toml` block is the `flow.toml` beside the examples after it.

`python -m tests.checks`, in the folder of the repository, writes into the page what is found now, and a heading for
each code that has none.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from holdpoint import cli
from holdpoint.schema.codes import CODES, Rule

PAGE = Path(__file__).parents[1] / "docs" / "checks.md"
FILE = "example.yaml"

_SECTION = re.compile(r"^### (?P<code>\w+).*\n(?P<body>(?:(?!^##).*\n)*)", re.MULTILINE)
_SEVERITY = re.compile(r"\A\n\*\w+\.\*")
_BLOCK = re.compile(
    r"^```(?P<kind>yaml|python|toml)\n(?P<text>.*?)^```$(?:\n\n```text\n(?P<shown>.*?)^```$)?", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example of a code; `shown` is what the page says is found in it, None of a good one."""

    code: str
    kind: str
    text: str
    settings: str
    shown: str | None

    def check(self, folder: Path, *options: str) -> tuple[int, str]:
        """The exit status and the output of `flow check` in this empty folder."""
        printed = StringIO()
        (folder / "flow.toml").write_text(self.settings, encoding="utf-8")
        with chdir(folder), redirect_stdout(printed):
            if self.kind == "python":
                exec(self.text, {})
            else:
                Path(FILE).write_text(self.text, encoding="utf-8")
            status = cli.run(["check", FILE, *options])
        return status, printed.getvalue()

    def found(self, folder: Path) -> str:
        """The findings alone, without the note on what was not come to, and the line that sums them up."""
        lines = self.check(folder)[1].splitlines(keepends=True)[:-1]
        return "".join(line for line in lines if not line.startswith(f"{FILE}: note: "))


def examples(page: str) -> Iterator[Example]:
    """The examples of the page, in its order."""
    for section in _SECTION.finditer(page):
        settings = ""
        for block in _BLOCK.finditer(section["body"]):
            if block["kind"] == "toml":
                settings = block["text"]
            else:
                yield Example(
                    code=section["code"],
                    kind=block["kind"],
                    text=block["text"],
                    settings=settings,
                    shown=block["shown"],
                )


def headings(page: str) -> list[str]:
    """The titles of all sections."""
    return re.findall(r"^### (.*)$", page, re.MULTILINE)


def with_rules(page: str) -> str:
    """The page with the headings and severities of today's rules, and a heading for each code that has none."""
    page = _SECTION.sub(lambda section: _headed(CODES[section["code"]], section["body"]), page)
    for code, rule in CODES.items():
        known = [(section["code"], section) for section in _SECTION.finditer(page)]
        if code not in dict(known):
            at = max((section.end() for other, section in known if other < code), default=len(page))
            page = f"{page[:at]}{_headed(rule, chr(10))}{page[at:]}"
    return page


def with_findings(page: str, check: Callable[[Example], str]) -> str:
    """The page with what is found in its bad examples."""
    fresh = iter([check(example) if example.shown is not None else "" for example in examples(page)])

    def put(block: re.Match[str]) -> str:
        found = next(fresh) if block["kind"] != "toml" else ""
        return f"{block[0][: block.start('shown') - block.start()]}{found}```" if found else block[0]

    return _SECTION.sub(lambda section: _BLOCK.sub(put, section[0]), page)


def _headed(rule: Rule, body: str) -> str:
    severity = f"\n*{rule.severity.capitalize()}.*"
    return f"### {rule.heading}\n" + (_SEVERITY.sub(severity, body) if _SEVERITY.match(body) else severity + body)


def _check(example: Example) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return example.found(Path(folder))


if __name__ == "__main__":
    text = with_rules(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(with_findings(text, _check), encoding="utf-8")
