"""The documentation is true: its examples do what it shows, its links lead somewhere, its reference is up to date."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

import holdpoint
from holdpoint import api, cli, settings
from tests import pages
from tests.conftest import need

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = ("language.md", "scenarios.md", "cases.md", "commands.md", "python.md")
"""The pages of the reference that docs/reference.py makes."""

PAGES = sorted(
    path for path in DOCS.rglob("*.md") if path.name not in MADE and "design" not in path.relative_to(DOCS).parts
)
ALL = sorted({*PAGES, *(DOCS / "reference" / name for name in MADE), ROOT / "README.md"})

each_page = pytest.mark.parametrize("path", ALL, ids=lambda path: path.relative_to(ROOT).as_posix())


def _has_examples(path: Path) -> bool:
    """Whether a page has examples of the kind that tests/pages.py runs; those of checks.md are of another."""
    return path.name != "checks.md" and (
        re.search(r"^```(console|python)|file=|<!-- prints:", path.read_text(encoding="utf-8"), re.MULTILINE)
        is not None
    )


@pytest.mark.parametrize(
    "path", [path for path in PAGES if _has_examples(path)], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_the_examples_of_a_page_do_what_it_shows(path: Path, tmp_path: Path) -> None:
    page = path.read_text(encoding="utf-8")

    assert pages.plain(pages.run(page, tmp_path)) == pages.plain(page)


def test_a_time_that_a_page_shows_in_another_form_is_not_the_same() -> None:
    forms = (
        *("2026-11-27T17:12:36.739395Z", "2026-11-27T17:12:36Z", "2026-11-27 17:12:36 UTC", "2026-11-27 17:12"),
        *("2026-11-27 17:12:36 UTC (in 2d)", "2026-11-27 17:12 in 2d", "2026-11-27 17:12 just now"),
    )
    later = [re.sub(r"2026-11-27(.)17:12", r"2027-01-02\g<1>03:04", form).replace("36", "59") for form in forms]

    assert len({pages.plain(form) for form in forms}) == len(forms)
    assert [pages.plain(form) for form in later] == [pages.plain(form) for form in forms]
    assert pages.plain("2026-11-27 17:12 3h ago") == pages.plain("2026-11-27 17:12 just now")


@pytest.mark.parametrize("name", MADE)
def test_the_reference_is_up_to_date(name: str) -> None:
    made = _generator().pages()[name]

    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == made, "run python docs/reference.py"


def test_the_reference_says_every_key_of_the_language() -> None:
    page = (DOCS / "reference" / "language.md").read_text(encoding="utf-8")
    schema = _generator().json.loads(_generator().schema_text())

    keys = {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", {})}

    assert {key for key in keys if not re.search(rf"^\| `{re.escape(key)}`", page, re.MULTILINE)} == set()


@pytest.mark.parametrize(
    "state",
    [
        "{type: call, workflow: y, next: e}",
        "{type: agent, http: {url: 'https://x'}, next: e}",
        "{type: agent, llm: {model: m}, next: e}",
        "{type: agent, value: 1, queue: q, next: e}",
        "{type: approval, quorum: {approve: 2}, on: {approve: e}, timeout: never}",
        "{type: approval, escalate: [{after: 1h, remind: true}], on: {approve: e}, timeout: 2h, default: approve}",
        "{type: approval, calendar: c, on: {approve: e}, timeout: never}",
        "{type: approval, exclude: [authors], on: {approve: e}, timeout: never}",
        "{type: approval, exclude: ['deciders:a'], on: {approve: e}, timeout: never}",
        "{type: approval, on: {approve: e}, timeout: 2 business days, default: approve}",
    ],
)
def test_what_the_reference_calls_not_available_is_refused(state: str) -> None:
    with pytest.raises(holdpoint.DefinitionError, match="not available in this version"):
        api.loads(f"workflow: x\nstates: {{a: {state}, e: {{type: end}}}}")


def test_the_reference_says_last_what_is_not_available() -> None:
    page = (DOCS / "reference" / "language.md").read_text(encoding="utf-8")
    tables = [re.findall(r"^\| `([a-z_]+)`(?: \*\*.*?\*\*)? \|(.*)$", part, re.M) for part in page.split("\n## ")]

    later = [["*Not available" in row for _, row in table] for table in tables]

    assert any(any(rows) for rows in later)
    assert all(rows == sorted(rows) for rows in later)


def test_the_page_on_completion_names_each_command_that_completes_something() -> None:
    page = (DOCS / "shell-completion.md").read_text(encoding="utf-8")
    named = {word.split()[0] for row in re.findall(r"^\|(.*?)\|", page, re.M) for word in re.findall(r"`(.*?)`", row)}
    context = click.Context(cli.flow)
    completing = {
        name
        for name in cli.COMMANDS
        for parameter in getattr(cli.flow.get_command(context, name), "params", ())
        if isinstance(parameter, click.Argument)
        and (parameter._custom_shell_complete or (isinstance(parameter.type, click.Path) and name != "init"))
    }

    assert named == completing


RUN_KEYS = {field.name for field in fields(holdpoint.Run)} - {"replayed"}
REQUEST_KEYS = {field.name for field in fields(holdpoint.Request)} - {"attempt", "forms"}

LETTER = """
workflow: letter
states:
  write: {type: agent, value: Dear Ann, artifact: letter, next: read}
  read: {type: return, show: [letter], timeout: 1d, default: accept, on: {accept: told, revise: write}}
  told: {type: wait, signal: told, next: fail}
  fail: {type: agent, value: "{{ 1 // 0 }}", next: end}
  end: {type: end}
"""

# In this order, on one run: RUN and REQUEST stand for its ids.
CALLS: Sequence[tuple[str, str]] = (
    ("init", "made"),
    ("check", "letter.yaml"),
    ("schema", ""),
    ("graph", "letter.yaml"),
    ("diff-workflow", "letter.yaml letter.yaml"),
    ("fmt", "--check letter.yaml"),
    ("test", "letter.scenarios.yaml"),
    ("eval", "letter.yaml --cases letter.cases.yaml"),
    ("explore", "letter.yaml --walks 0 --depth 3"),
    ("start", "letter.yaml"),
    ("runs", ""),
    ("show", "RUN"),
    ("why", "RUN"),
    ("inbox", ""),
    ("claim", "REQUEST"),
    ("release", "REQUEST"),
    ("assign", "REQUEST ann"),
    ("extend", "REQUEST 1d"),
    ("decide", "RUN accept --artifact letter.yaml"),
    ("artifact", "RUN letter"),
    ("diff", "RUN letter"),
    ("signal", "RUN told"),
    ("retry", "RUN"),
    ("history", "RUN"),
    ("simulate", "letter.yaml --days 2 --replications 2 --no-what-if"),
    ("what-if", "RUN --workflow letter.yaml"),
    ("tick", ""),
    ("move", "RUN read"),
    ("cancel", "RUN"),
    ("verify", ""),
    ("db check", ""),
    ("db upgrade", ""),
    ("demo", ""),
)


def test_each_command_prints_the_json_that_the_reference_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOW_DB", raising=False)
    monkeypatch.setenv("FLOW_USER", "ann")
    (tmp_path / "letter.yaml").write_text(LETTER, encoding="utf-8")
    (tmp_path / "letter.scenarios.yaml").write_text("workflow: letter.yaml\nscenarios: [{name: it is written}]\n")
    (tmp_path / "letter.cases.yaml").write_text("cases: [{name: one}]\n")
    printed: dict[str, dict[str, Any]] = {}

    for name, words in CALLS:
        run = printed.get("start", {"id": "", "requests": [{"id": ""}]})
        words = words.replace("RUN", run["id"]).replace("REQUEST", run["requests"][0]["id"])
        cli.run([*name.split(), *words.split(), "--json"])
        printed[name] = json.loads(capfd.readouterr().out)
    shapes = {name: keys for name, (keys, _) in _generator().SHAPES.items()}

    meant: dict[str, set[str]] = {
        name: {"run": RUN_KEYS, "request": REQUEST_KEYS}[keys] if isinstance(keys, str) else set(keys)
        for name, keys in shapes.items()
    }
    meant["decide"] = RUN_KEYS | {"replayed"}
    assert printed.pop("schema").keys() > meant.pop("schema") - {"…"}
    assert meant.pop("serve") == meant["tick"]
    assert {name: set(document) for name, document in printed.items()} == meant
    assert printed["retry"]["error"].keys() == {"code", "message", "state", "attempt", "details", "stderr"}


def test_the_reference_says_what_each_command_prints() -> None:
    commands = {*cli.COMMANDS} - {"db"} | {"db check", "db upgrade"}

    assert set(_generator().SHAPES) == commands


@each_page
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lost = []

    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.is_file() or (anchor and anchor not in _anchors(target)):
            lost.append(link)

    assert lost == []


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    expected = {path.relative_to(DOCS).with_suffix("").as_posix() for path in ALL if path.is_relative_to(DOCS)}

    listed = {
        line for block in re.findall(r"^```\{toctree\}\n(.*?)^```$", index, re.M | re.S) for line in block.split()
    }

    assert expected - {"index", "README"} == listed - {":maxdepth:", "1"}


@pytest.mark.parametrize("path", [DOCS / "operating.md"])
def test_settings_that_a_page_shows_are_settings(path: Path, tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml[^\n]*\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / settings.FILE).write_text(block, encoding="utf-8")

    loaded = settings.load(tmp_path)

    assert tomllib.loads(block).keys() == set(settings._KEYS)
    assert loaded == settings.Settings(project=tmp_path, roles={"dora": frozenset({"manager", "legal"})})


def test_the_commands_of_the_jobs_for_ci_are_those_that_are_shown() -> None:
    page = (DOCS / "how-to" / "ci.md").read_text(encoding="utf-8")
    jobs = [api.read_yaml(block.encode(), "ci.md") for block in re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)]

    steps = jobs[0]["jobs"]["check"]["steps"]
    commands = [step["run"] for step in steps if step.get("run", "").startswith("flow ")]
    hook = jobs[1]["repos"][0]["hooks"][0]

    assert commands == re.findall(r"^\$ (flow check .* -o .*)$", page, re.MULTILINE)
    assert steps[-1]["with"]["sarif_file"] == commands[0].rpartition("-o ")[2]
    assert f"exec {hook['entry']}\n" in page
    assert re.search(hook["files"], "workflows/letter.yaml")
    assert re.search(hook["exclude"], "workflows/letter.scenarios.yaml")
    assert re.search(hook["exclude"], "workflows/letter.cases.yaml")


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    need("sphinx")
    # A library's own deprecations are not ours to mend.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "sphinx", "-W", "--keep-going", "-q", DOCS, tmp_path / "site"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()


def _anchors(path: Path) -> set[str]:
    """What a heading is called in a link: its words in lower case, joined by hyphens."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _generator() -> Any:
    """The module docs/reference.py, which no package holds."""
    spec = importlib.util.spec_from_file_location("holdpoint_docs_reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
