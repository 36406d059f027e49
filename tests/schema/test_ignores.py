"""Comments that silence warnings: which, where, and what is said of those that silence nothing."""

from __future__ import annotations

import pytest

from holdpoint.schema import Checked, check
from holdpoint.schema.ignores import apply_ignores
from holdpoint.schema.nodes import Place
from holdpoint.schema.reader import read
from holdpoint.schema.report import Report

HERE = "¦"  # stands before the place of the finding

# Two warnings: HP215 on line 3, HP250 on line 6.
CLEAN = """\
workflow: x
states:
  ask:
    type: approval
    on: {approve: end}
  lost: {type: end}
  end: {type: end}
"""


def planted(old: str, new: str, text: str = CLEAN) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def codes(checked: Checked) -> tuple[list[str], list[str]]:
    """The codes that are found, and those that are ignored."""
    return [one.code for one in checked.findings], [one.code for one in checked.ignored]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("  ask:\n", "  ask:  # flow: ignore HP215\n", id="at the end of the line"),
        pytest.param("  ask:\n", "  # flow: ignore HP215\n  ask:\n", id="on the line above"),
        pytest.param("  ask:\n", "# flow: ignore HP215\n  ask:\n", id="on the line above, at its beginning"),
        pytest.param("  ask:\n", "  ask:  # flow: ignore HP215 the board takes its time\n", id="with a reason"),
        pytest.param("  ask:\n", "  ask:  # as long as it takes # flow: ignore HP215\n", id="after another comment"),
        pytest.param("  ask:\n", "  ask: #flow:ignore HP215\n", id="without spaces"),
        pytest.param("  ask:\n", "  ask:  #\tflow:\tignore: HP215\n", id="with tabs and a colon"),
        pytest.param("  ask:\n", "  ask:  # flow: ignore HP215 HP215\n", id="twice"),
        pytest.param("  ask:\n", "  'ask':  # flow: ignore HP215\n", id="after a quoted key"),
        pytest.param("  ask:\n", "  &name ask:  # flow: ignore HP215\n", id="after an anchor"),
    ],
)
def test_a_warning_is_silenced(old: str, new: str) -> None:
    checked = check(planted(old, new), "w.yaml")

    assert codes(checked) == (["HP250"], ["HP215"])
    assert checked.document == check(CLEAN, "w.yaml").document


@pytest.mark.parametrize("separator", [" ", ",", ", ", "  "])
def test_several_codes_stand_in_one_comment(separator: str) -> None:
    patient = planted("    on:", "    timeout: never\n    on:")
    line = "  lost: {type: approval, on: {approve: end}}"
    text = planted("  lost: {type: end}", f"{line}  # flow: ignore HP215{separator}HP250", patient)

    assert codes(check(text, "w.yaml")) == ([], ["HP215", "HP250"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("    type: approval", "    type: approval  # flow: ignore HP215", id="the line below"),
        pytest.param("  ask:\n", "  # flow: ignore HP215\n\n  ask:\n", id="two lines above"),
        pytest.param("  ask:\n", "  ask:  # flow: ignore HP251\n", id="another code"),
        pytest.param("states:\n", "states:  # flow: ignore HP215\n", id="the line above, which is not the comment's"),
    ],
)
def test_another_warning_is_not_silenced(old: str, new: str) -> None:
    found, ignored = codes(check(planted(old, new), "w.yaml"))

    assert set(found) == {"HP215", "HP250", "HP271"}
    assert ignored == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('title: "x # flow: ignore HP215"', id="double quotes"),
        pytest.param(r'title: "x \" # flow: ignore HP215"', id="an escaped quote"),
        pytest.param("title: 'x '' # flow: ignore HP215'", id="single quotes"),
        pytest.param('title: "x\n  # flow: ignore HP215"', id="quotes over lines"),
        pytest.param('title: &a "x # flow: ignore HP215"', id="an anchor"),
        pytest.param('title: &a\n  "x # flow: ignore HP215"', id="an anchor on the line before"),
        pytest.param("title: |\n  x\n  # flow: ignore HP215", id="literal block"),
        pytest.param("title: >-\n  # flow: ignore HP215\n\n  x", id="folded block"),
        pytest.param("title: |1\n   x\n  # flow: ignore HP215", id="block with a depth of its own"),
        pytest.param("title: x#flow:ignore HP215", id="no space before it"),
        pytest.param("title: x  # flow: ignores HP215", id="another word"),
        pytest.param("title: x  # nothing to ignore", id="another comment"),
    ],
)
def test_what_is_no_such_comment_does_nothing(text: str) -> None:
    checked = check(f"{text}\n{CLEAN}", "w.yaml")

    assert codes(checked) == (["HP215", "HP250"], [])


def test_a_key_in_quotes_holds_no_comment() -> None:
    state = "  work: {type: agent, value: {&k 'a # flow: ignore HP250': 1}, next: end}\n  lost"

    assert codes(check(planted("  lost", state), "w.yaml"))[1] == []


@pytest.mark.parametrize("text", ["|\n      Vote.\n      # flow: ignore HP215\n", ">\n\n      Vote.\n\n"])
def test_a_comment_ends_the_block_before_it(text: str) -> None:
    described = planted("    on:", f"    message: {text}  # flow: ignore HP250\n    on:")

    (finding,) = [one for one in check(described, "w.yaml").findings if one.code == "HP271"]

    assert (finding.line, finding.column) == (described[: described.index("e HP250")].count("\n") + 1, 18)


@pytest.mark.parametrize("where", ["beside", "above"])
@pytest.mark.parametrize("head", ["|", ">-", "&text |2"])
def test_a_comment_beside_or_above_a_block_speaks_for_all_its_lines(where: str, head: str) -> None:
    comment = "# flow: ignore HP223"
    message = f"message: {head}  {comment}" if where == "beside" else f"{comment}\n    message: {head}"
    text = planted("    on:", f"    {message}\n      Vote\n\n      now\n    on:")
    document, _ = read(text, "w.yaml")
    assert document is not None
    report = Report(document)
    last = next(number for number, line in enumerate(text.splitlines(), 1) if line.strip() == "now")

    for line in range(1, last + 2):
        report.comment(Place(line=line, column=1), "HP223", f"on line {line}", "mend it")
    apply_ignores(report)

    assert [one.line for one in report.ignored] == list(range(last - 3, last + 1))


def test_an_error_stays_and_the_comment_is_reported() -> None:
    text = planted("approve: end}", "approve: end, done: end}  # flow: ignore ¦HP204")

    checked = check(text.replace(HERE, ""), "w.yaml")

    assert checked.document is None
    assert [(one.code, one.severity, one.line, one.column) for one in checked.findings][1:] == [
        ("HP204", "error", 5, 24),
        ("HP271", "warning", 5, text.splitlines()[4].index(HERE) + 1),
    ]
    assert "HP204 is an error, and errors cannot be ignored" in str(checked.findings[2])


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        pytest.param("# flow: ignore ¦HP251", "HP251 is an error", id="an error that is not there"),
        pytest.param("# flow: ignore ¦HP261", "there is no HP261 here to be ignored", id="a warning that is not there"),
        pytest.param("# flow: ignore ¦HP271", "there is no HP271 here to be ignored", id="about itself"),
        pytest.param("# flow: ignore ¦HP999", "there is no code 'HP999'", id="no such code"),
        pytest.param("# flow: ignore ¦hp215", "there is no code 'hp215'; did you mean 'HP215'?", id="in small letters"),
        pytest.param("# flow: ignore ¦hp2155", "did you mean 'HP2", id="in small letters, misspelt"),
        pytest.param("# flow: ignore ¦H215", "did you mean 'HP215'?", id="misspelt"),
        pytest.param("# flow: ignore HP250, ¦HP261", "there is no HP261 here", id="one of two"),
        pytest.param("¦# flow: ignore", "says not what to ignore; write the code", id="no code"),
        pytest.param("¦# flow: ignore all of it", "says not what to ignore", id="words"),
    ],
)
def test_a_comment_that_silences_nothing_is_a_warning(comment: str, message: str) -> None:
    text = planted("  lost: {type: end}", f"  lost: {{type: end}}  {comment}")
    line = text.splitlines()[5]

    checked = check(text.replace(HERE, ""), "w.yaml")
    (finding,) = [one for one in checked.findings if one.code == "HP271"]

    assert (finding.severity, finding.line, finding.column) == ("warning", 6, line.index(HERE) + 1)
    assert message in str(finding)
    assert checked.document is not None


def test_a_stale_comment_is_not_reported_beside_errors() -> None:
    """Some warnings are looked for only where there are no errors: who mends these would put the comment back."""
    text = planted("  ask:\n", "  ask:  # flow: ignore HP215\n")

    text = planted("lost: {type: end}", "lost: {type: end}  # flow: ignore HP250", text)

    assert codes(check(text, "w.yaml")) == ([], ["HP215", "HP250"])
    assert codes(check(planted("approve: end}", "approve: nowhere}", text), "w.yaml")) == (["HP201"], ["HP215"])


def test_of_two_comments_for_one_warning_one_silences_nothing() -> None:
    text = planted("  ask:\n", "  # flow: ignore HP215\n  ask:  # flow: ignore HP215\n")

    assert codes(check(text, "w.yaml")) == (["HP271", "HP250"], ["HP215"])


@pytest.mark.parametrize("line", ["# flow: ignore\n", "# flow: ignore HP99\n", "# flow: ignore HP261\n"])
def test_a_hundred_that_silence_nothing_are_told(line: str) -> None:
    found, _ = codes(check(line * 5_000 + CLEAN, "w.yaml"))

    assert found == ["HP271"] * 100 + ["HP215", "HP250"]


def test_many_comments_are_read() -> None:
    state = "{type: approval, on: {approve: end}}  # flow: ignore HP215, HP250"
    states = "".join(f"  s{number}: {state}\n" for number in range(300))

    checked = check(f"workflow: x\nstates:\n  end: {{type: end}}\n{states}", "w.yaml")

    assert (len(checked.findings), len(checked.ignored)) == (0, 600)
