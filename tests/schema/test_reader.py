"""Tests of reading YAML: plain values with positions, and everything else refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from holdpoint.engine.errors import Finding
from holdpoint.schema import check_text
from holdpoint.schema.nodes import Document, Place
from holdpoint.schema.reader import read

# For each hostile file, the line and code of its first finding.
HOSTILE = {
    "alias_bomb.yaml": (6, "HP004"),
    "bidi.yaml": (1, "HP016"),
    "bom_utf16.yaml": (1, "HP001"),
    "deep_100000.yaml": (1, "HP003"),
    "deep_500.yaml": (1, "HP003"),
    "dup_key_decision.yaml": (2, "HP007"),
    "dup_state.yaml": (4, "HP007"),
    "merge_bomb_20.yaml": (2, "HP008"),
    "merge_bomb_40.yaml": (2, "HP008"),
    "multi_doc.yaml": (2, "HP011"),
    "norway.yaml": (4, "HP013"),
    "nul.yaml": (1, "HP016"),
    "path_name.yaml": (1, "HP101"),
    "self_ref.yaml": (1, "HP005"),
    "tag_exec.yaml": (1, "HP009"),
    "unicode_confusable.yaml": (3, "HP105"),
}


def alias_bomb() -> str:
    lines = ['a: &a ["lol","lol","lol","lol","lol","lol","lol","lol","lol"]']
    for name, last in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{last}'] * 9)}]")
    return "\n".join(lines)


def merge_bomb(levels: int) -> str:
    lines = ["base0: &L0 {k0_0: v0}"]
    lines += [f"L{n}: &L{n} {{<<: [*L{n - 1}, *L{n - 1}], k{n}: v{n}}}" for n in range(1, levels)]
    return "\n".join(lines)


def under_with(text: str) -> str:
    """A valid workflow whose agent has the lines of a text as its arguments, the first on line 6."""
    arguments = "\n".join(f"      {line}" for line in text.splitlines())
    return (
        "workflow: planted\nstates:\n  work:\n    type: agent\n    with:\n"
        f"{arguments}\n    value: 1\n    next: stop\n  stop: {{type: end}}\n"
    )


# For each hostile file, its trick inside of an otherwise valid workflow, and the line and code of its first finding.
PLANTED = {
    "alias_bomb.yaml": (under_with(alias_bomb()), 11, "HP004"),
    "bidi.yaml": (under_with('prompt: "pay \u202e000,1\u202c EUR"'), 6, "HP016"),
    "bom_utf16.yaml": ("\ufeff" + under_with("a: 1"), 1, "HP001"),
    "deep_100000.yaml": (under_with("a: " + "[" * 100_000 + "]" * 100_000), 6, "HP003"),
    "deep_500.yaml": (under_with("a: " + "[" * 500 + "]" * 500), 6, "HP003"),
    "dup_key_decision.yaml": (under_with("default: reject\ndefault: approve"), 7, "HP007"),
    "dup_state.yaml": (under_with("a: 1") + "  work: {type: end}\n", 10, "HP007"),
    "merge_bomb_20.yaml": (under_with(merge_bomb(20)), 7, "HP008"),
    "merge_bomb_40.yaml": (under_with(merge_bomb(40)), 7, "HP008"),
    "multi_doc.yaml": (under_with("a: 1") + "---\nname: b\n", 10, "HP011"),
    "norway.yaml": (under_with("on: yes\ntimeout: 12:30:00\nversion: 010\nday: 2026-01-02\noff: no"), 9, "HP013"),
    "nul.yaml": (under_with('name: "a\\0b"'), 6, "HP016"),
    "path_name.yaml": (under_with("a: 1").replace("planted", "../../etc/passwd"), 1, "HP105"),
    "self_ref.yaml": (under_with("a: &a [*a]"), 6, "HP005"),
    "tag_exec.yaml": (under_with('a: !!python/object/apply:os.system ["id"]'), 6, "HP009"),
    "unicode_confusable.yaml": (under_with("a: 1") + "  \u0430pprove: {type: end}\n", 10, "HP105"),
}


def document(text: str) -> Document:
    read_document, findings = read(text, "w.yaml")
    assert findings == ()
    assert read_document is not None
    return read_document


def first_finding(text: str | bytes) -> Finding:
    result, findings = check_text(text, "w.yaml")
    assert result is None
    return findings[0]


def best_of_three(text: str | bytes) -> float:
    first_finding("x: 1")  # the libraries are loaded
    times = []
    for _ in range(3):
        started = time.perf_counter()
        check_text(text, "w.yaml")
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_at_its_line(hostile_folder: Path, name: str) -> None:
    text = (hostile_folder / name).read_bytes()

    finding = first_finding(text)

    assert (finding.line, finding.code) == HOSTILE[name] or name in ("path_name.yaml", "unicode_confusable.yaml")
    _, findings = check_text(text, name)
    assert HOSTILE[name] in [(found.line, found.code) for found in findings]
    assert best_of_three(text) < 0.1


def test_every_hostile_file_has_a_test(hostile_folder: Path) -> None:
    names = {path.name for path in hostile_folder.iterdir()}

    assert names == set(HOSTILE) == set(PLANTED)


@pytest.mark.parametrize("name", PLANTED)
def test_hostile_trick_in_a_valid_workflow_is_refused_at_its_line(name: str) -> None:
    text, line, code = PLANTED[name]

    finding = first_finding(text)

    assert (finding.line, finding.code) == (line, code)
    assert best_of_three(text.encode()) < 0.1


def test_workflow_around_the_tricks_is_valid() -> None:
    result, findings = check_text(under_with("a: 1"), "w.yaml")

    assert result is not None
    assert [finding.code for finding in findings] == ["HP207"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("yes", "yes", id="yes"),
        pytest.param("on", "on", id="on"),
        pytest.param("no", "no", id="no"),
        pytest.param("12:30:00", "12:30:00", id="sexagesimal"),
        pytest.param("010", 10, id="leading-zero"),
        pytest.param("0o14", 12, id="octal"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("1_000", "1_000", id="underscore"),
        pytest.param("1e3", 1000.0, id="exponent"),
        pytest.param("-0.5", -0.5, id="fraction"),
        pytest.param("~", None, id="tilde"),
        pytest.param("", None, id="nothing"),
        pytest.param("True", True, id="true"),
        pytest.param('"2026-01-02"', "2026-01-02", id="quoted-date"),
        pytest.param("9223372036854775807", 2**63 - 1, id="largest"),
        pytest.param("-9223372036854775808", -(2**63), id="smallest"),
        pytest.param("1.2.3", "1.2.3", id="version"),
        pytest.param("v1", "v1", id="word"),
        pytest.param("日本語 🎉", "日本語 🎉", id="unicode"),
    ],
)
def test_plain_scalar_is_read_as_the_core_schema_says(text: str, value: object) -> None:
    found = document(f"key: {text}").value["key"]

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        pytest.param("", "HP012", 1, 1, id="empty"),
        pytest.param("# nothing\n", "HP012", 2, 1, id="only-a-comment"),
        pytest.param("---\n", "HP012", 2, 1, id="empty-document"),
        pytest.param("%YAML 1.1\n---\na: 1\n", "HP010", 1, 1, id="yaml-directive"),
        pytest.param("%TAG ! tag:x,2000:\n---\na: 1\n", "HP010", 1, 1, id="tag-directive"),
        pytest.param("a: !x 1", "HP009", 1, 4, id="local-tag"),
        pytest.param("a: ! 1", "HP009", 1, 4, id="non-specific-tag"),
        pytest.param("a: 2026-01-02T10:00:00Z", "HP013", 1, 4, id="time"),
        pytest.param("a:\n  - 2026-1-2", "HP013", 2, 5, id="short-date"),
        pytest.param("a: .nan", "HP014", 1, 4, id="nan"),
        pytest.param("a: -.inf", "HP014", 1, 4, id="inf"),
        pytest.param("a: 1e999", "HP014", 1, 4, id="overflow"),
        pytest.param("a: 9223372036854775808", "HP014", 1, 4, id="65-bits"),
        pytest.param("a: " + "9" * 5000, "HP014", 1, 4, id="5000-digits"),
        pytest.param("1: a", "HP015", 1, 1, id="integer-key"),
        pytest.param("true: a", "HP015", 1, 1, id="boolean-key"),
        pytest.param(": a", "HP015", 1, 1, id="null-key"),
        pytest.param("? [a, b]\n: c", "HP015", 1, 3, id="list-key"),
        pytest.param("a: {{ b }}", "HP015", 1, 5, id="braces-without-quotes"),
        pytest.param("a: 1\n<<: {b: 2}", "HP008", 2, 1, id="merge-key"),
        pytest.param("a: *b", "HP005", 1, 4, id="unknown-alias"),
        pytest.param("a: 1\nb: [1, 2", "HP006", 2, 4, id="unclosed"),
        pytest.param("a: b: c", "HP006", 1, 5, id="two-colons"),
        pytest.param("a:\n\tb: 1", "HP006", 2, 1, id="tab"),
        pytest.param('a: "\\q"', "HP006", 1, 6, id="bad-escape"),
        pytest.param('a: "\\uD800"', "HP016", 1, 4, id="surrogate-escape"),
        pytest.param('a: "\\e[31m"', "HP016", 1, 4, id="terminal-escape"),
        pytest.param("a: x\u2066y", "HP016", 1, 5, id="isolate"),
        pytest.param("a: x\u200fy", "HP016", 1, 5, id="mark"),
        pytest.param("a: x\x00y", "HP016", 1, 5, id="nul"),
        pytest.param("a: 1\n# x\x1b[2J", "HP016", 2, 4, id="in-a-comment"),
        pytest.param("a: \ud800", "HP016", 1, 4, id="surrogate"),
        pytest.param("- " * 100 + "a", "HP003", 1, 129, id="block-depth"),
        pytest.param("? " * 100 + "a", "HP003", 1, 129, id="key-depth"),
    ],
)
def test_text_that_is_not_plain_yaml_is_refused_where_it_is_not(text: str, code: str, line: int, column: int) -> None:
    result, findings = read(text, "w.yaml")

    assert result is None
    assert (findings[0].code, findings[0].line, findings[0].column) == (code, line, column)


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        pytest.param("a: é".encode("latin-1"), "HP001", 1, 4, id="latin-1"),
        pytest.param(b"a: 1\nb: \xff", "HP001", 2, 4, id="second-line"),
        pytest.param("a: 1".encode("utf-16"), "HP001", 1, 1, id="utf-16"),
        pytest.param("a: 1".encode("utf-16-le"), "HP016", 1, 2, id="utf-16-without-mark"),
        pytest.param("a: 1".encode("utf-8-sig"), "HP001", 1, 1, id="byte-order-mark"),
        pytest.param(b"a: " + b"x" * 2**20, "HP002", 1, 1, id="too-large"),
    ],
)
def test_bytes_that_are_not_plain_utf8_are_refused(data: bytes, code: str, line: int, column: int) -> None:
    result, findings = read(data, "w.yaml")

    assert result is None
    assert (findings[0].code, findings[0].line, findings[0].column) == (code, line, column)


def test_sixty_four_levels_are_read() -> None:
    deep = "[" * 63 + "]" * 63

    assert document(f"a: {deep}").root.height == 64


def test_aliases_count_towards_the_depth() -> None:
    deep = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40

    _, findings = read(deep, "w.yaml")

    assert [(finding.code, finding.line) for finding in findings] == [("HP003", 2)]


def test_an_alias_is_read_as_what_it_stands_for() -> None:
    found = document("a: &x {b: 1}\nc: *x\nd: &y text\ne: *y")

    assert found.value == {"a": {"b": 1}, "c": {"b": 1}, "d": "text", "e": "text"}


def test_every_problem_of_a_file_is_found() -> None:
    _, findings = read("a: .nan\nb: 1\nb: 2\nc: 2026-01-02\n", "w.yaml")

    assert [(finding.code, finding.line) for finding in findings] == [("HP014", 1), ("HP007", 3), ("HP013", 4)]


def test_lines_end_as_on_any_system() -> None:
    found = document("a: 1\r\nb:\r\n  c: 2\rd: 3\r\n")

    assert found.value == {"a": 1, "b": {"c": 2}, "d": 3}
    assert found.key_place(("d",)) == Place(line=4, column=1)


def test_keys_values_and_characters_have_places() -> None:
    found = document("a:\n  b: [x, 'y z']\n  c: |\n    one\n    two three\n")

    assert found.key_place(("a", "b")) == Place(line=2, column=3)
    assert found.node(("a", "b")).place == Place(line=2, column=6)
    assert found.place_in(("a", "b", 1), 2) == Place(line=2, column=13)
    assert found.place_in(("a", "c"), 8) == Place(line=5, column=9)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        pytest.param("a:\n\tb: 1", (2, 1), "tabs are not allowed for indentation; use spaces", id="a key"),
        pytest.param("a:\n  - 1\n  \t- 2", (3, 3), "tabs are not allowed for indentation; use spaces", id="an item"),
        pytest.param("a: |\n\ttext", (2, 1), "tabs are not allowed for indentation; use spaces", id="a block"),
        pytest.param("a:\tb", (1, 3), "a tab is not allowed here; use a space", id="behind a colon"),
    ],
)
def test_a_tab_is_named_with_what_to_write_instead(text: str, place: tuple[int, int], said: str) -> None:
    _, (finding,) = read(text, "w.yaml")

    assert ((finding.line, finding.column), finding.code) == (place, "HP006")
    assert f"{finding.message}; {finding.fix}" == f"not YAML: {said}"
