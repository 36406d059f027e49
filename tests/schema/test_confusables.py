"""A letter that only looks like another is named by its code point, with what was probably meant."""

from __future__ import annotations

import pytest

from holdpoint.engine.errors import Finding
from holdpoint.schema import check_text
from holdpoint.schema.letters import look_of, meant_by

WORKFLOW = """\
workflow: gate
input: {type: object, properties: {amount: {type: number}, note: {type: string}}}
states:
  ask:
    type: approval
    message: "Pay {{ input.amount }}?"
    assign: [ALICE, "role:manager"]
    exclude: [bob]
    comment: [reject]
    on: {approve: done, reject: done}
    timeout: 2d
    default: reject
  done: {type: end, output: "{{ ask.by }}"}
"""
CYRILLIC_A, GREEK_O, WIDE_A, CYRILLIC_IE = "\u0430", "\u03bf", "\uff41", "\u0435"


def findings(old: str, new: str) -> list[Finding]:
    assert old in WORKFLOW
    return list(check_text(WORKFLOW.replace(old, new, 1), "w.yaml")[1])


def test_the_workflow_itself_is_clean() -> None:
    assert findings("gate", "gate") == []


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "fix"),
    [
        pytest.param("workflow: gate", f"workflow: g{CYRILLIC_A}te", "HP105", 1, "did you mean 'gate'?", id="workflow"),
        pytest.param("  ask:", f"  {CYRILLIC_A}sk:", "HP105", 4, "did you mean 'ask'?", id="state"),
        pytest.param(
            "{approve: done", f"{{{CYRILLIC_A}pprove: done", "HP105", 10, "did you mean 'approve'?", id="option"
        ),
        pytest.param("approve: done", f"approve: d{GREEK_O}ne", "HP105", 10, "did you mean 'done'?", id="target"),
        pytest.param(
            "default: reject", f"default: rej{CYRILLIC_IE}ct", "HP105", 12, "did you mean 'reject'?", id="default"
        ),
        pytest.param("[reject]", f"[rej{CYRILLIC_IE}ct]", "HP105", 9, "did you mean 'reject'?", id="comment"),
        pytest.param("message:", f"mess{WIDE_A}ge:", "HP101", 6, "did you mean 'message'?", id="key"),
        pytest.param("type: approval", f"type: {CYRILLIC_A}pproval", "HP104", 5, "did you mean 'approval'?", id="type"),
        pytest.param("role:manager", f"role:m{CYRILLIC_A}nager", "HP230", 7, "", id="role"),
        pytest.param("input.amount", f"input.{CYRILLIC_A}mount", "HP242", 6, "did you mean 'amount'?", id="property"),
        pytest.param("ask.by", f"{CYRILLIC_A}sk.by", "HP241", 13, "did you mean 'ask'?", id="name"),
    ],
)
def test_a_letter_that_looks_right_is_an_error_that_says_which_it_is(
    old: str, new: str, code: str, line: int, fix: str
) -> None:
    found = findings(old, new)[0]

    letter = next(letter for letter in new if not letter.isascii())
    assert (found.code, found.line, found.severity) == (code, line, "error")
    assert f"U+{ord(letter):04X} " in str(found)
    assert f"looks like '{look_of(letter)}'" in str(found)
    assert found.fix.startswith(fix)


@pytest.mark.parametrize(
    ("people", "line", "fix"),
    [
        pytest.param(f"[{CYRILLIC_A}lice]", 7, "did you mean 'alice'?", id="cyrillic"),
        pytest.param(f"[Bob {WIDE_A}nna]", 7, "did you mean 'Bob anna'?", id="fullwidth"),
        pytest.param(
            "[\u041e\u043b\u044cga]", 7, "write each word in one script", id="latin letters in a Russian name"
        ),
        pytest.param(
            "[access, \u0430\u0441\u0441\u0435\u0455\u0455]", 7, "did you mean 'access'?", id="all of another script"
        ),
    ],
)
def test_a_person_who_is_not_what_the_name_looks_like_is_a_warning(people: str, line: int, fix: str) -> None:
    found = findings('[ALICE, "role:manager"]', people)

    assert [(one.code, one.line, one.severity) for one in found] == [("HP018", line, "warning")]
    assert (found[0].fix, "U+" in found[0].message) == (fix, True)


@pytest.mark.parametrize("name", ["Анна Каренина", "Ολυμπία", "田中さくら", "Zoë", "Müller", "anna@почта.рф", "李 Li"])
def test_a_name_in_the_script_of_its_language_is_fine(name: str) -> None:
    assert findings("ALICE", f'"{name}"') == []


def test_names_that_look_alike_are_found_across_states() -> None:
    other = "\u0440\u0430\u0443\u0440\u0430"  # all Cyrillic, and reads as 'paypa'
    text = WORKFLOW.replace("ALICE", "paypa").replace("[bob]", f"[{other}]")

    _, found = check_text(text, "w.yaml")

    assert [(one.code, one.line) for one in found] == [("HP018", 8)]
    assert found[0].fix == "did you mean 'paypa'?"


@pytest.mark.parametrize("other", [f"{CYRILLIC_A}mount", f"{WIDE_A}mount", f"am{GREEK_O}unt"])
def test_properties_that_look_alike_are_a_warning(other: str) -> None:
    found = findings("note:", f"{other}:")

    assert [(one.code, one.line, one.column, one.severity) for one in found] == [("HP019", 2, 60, "warning")]
    assert f"U+{ord(next(letter for letter in other if not letter.isascii())):04X}" in found[0].message


def test_properties_of_different_objects_may_look_alike() -> None:
    nested = f"note: {{type: object, properties: {{{CYRILLIC_A}mount: {{type: number}}}}}}"

    assert findings("note: {type: string}", nested) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("d\u03bfne", "done"),
        ("apprové", "approve"),
        ("ﬁle", "file"),
        ("two\u2013days", "two-days"),
        ("日本", ""),
        ("plain", ""),
    ],
)
def test_what_was_meant_is_ascii_or_nothing(name: str, meant: str) -> None:
    assert meant_by(name) == meant
