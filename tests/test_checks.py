"""docs/checks.md is complete and true: each code has a section, and each example is what it is said to be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdpoint.schema.codes import CODES
from tests import checks
from tests.checks import Example

PAGE = checks.PAGE.read_text(encoding="utf-8")
EXAMPLES = list(checks.examples(PAGE))
BAD = [example for example in EXAMPLES if example.shown is not None]
GOOD = [example for example in EXAMPLES if example.shown is None]

each_bad = pytest.mark.parametrize("example", BAD, ids=lambda example: example.code)
each_good = pytest.mark.parametrize("example", GOOD, ids=lambda example: example.code)


def test_every_code_has_a_section_and_every_section_a_code() -> None:
    titles = [rule.heading for rule in sorted(CODES.values(), key=lambda rule: rule.code)]

    assert sorted(checks.headings(PAGE)) == titles, "run python -m tests.checks, and write the examples"


def test_the_page_says_how_much_each_code_matters() -> None:
    assert checks.with_rules(PAGE) == PAGE, "run python -m tests.checks"


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_a_bad_example_and_a_good_one(code: str) -> None:
    assert [example for example in BAD if example.code == code]
    assert [example for example in GOOD if example.code == code]


@each_bad
def test_a_bad_example_has_the_findings_that_are_shown(example: Example, tmp_path: Path) -> None:
    shown = example.shown or ""

    assert example.found(tmp_path) == shown, "run python -m tests.checks, and read what it changed"
    assert f" {CODES[example.code].severity} {example.code} " in shown


@each_bad
def test_a_finding_has_a_fix(example: Example, tmp_path: Path) -> None:
    _, printed = example.check(tmp_path, "--format", "json", "-o", "found.json")

    findings = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["findings"]

    assert printed
    assert all(finding["fix"] for finding in findings)


@each_good
def test_nothing_is_found_in_a_good_example(example: Example, tmp_path: Path) -> None:
    status, printed = example.check(tmp_path, "--strict")

    assert (status, printed.split(", ")[0].rstrip()) == (0, "ok: 1 file")


def test_the_comment_that_the_page_begins_with_silences_its_warning(tmp_path: Path) -> None:
    text = PAGE.partition("```yaml\n")[2].partition("```")[0]

    status, printed = Example(code="", kind="yaml", text=text, settings="", shown=None).check(tmp_path, "--strict")

    assert (status, printed) == (0, "ok: 1 file, 1 warning ignored\n")


def test_the_page_is_refreshed_in_place() -> None:
    stale = PAGE.replace("HP001 the file is UTF-16; save it as UTF-8", "HP001 something else", 1)
    stale = stale.replace(f"### {CODES['HP012'].heading}\n\n*Error.*", "### HP012: old\n\n*Warning.*", 1)
    known = {example.text: example.shown or "" for example in BAD}

    fresh = checks.with_findings(checks.with_rules(stale), lambda example: known[example.text])

    assert stale != PAGE
    assert fresh == PAGE


def test_a_code_without_a_section_gets_a_heading() -> None:
    start, _, rest = PAGE.partition(f"### {CODES['HP105'].heading}")
    without = start + rest[rest.index("\n### ") + 1 :]

    titles = checks.headings(checks.with_rules(without))

    assert titles == checks.headings(PAGE)
