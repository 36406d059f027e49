"""Redlines of texts and differences of JSON: exact, readable, and bounded in time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdpoint.engine.diff import Change, Hunk, diff, redline


def _shown(hunks: tuple[Hunk, ...]) -> str:
    marks = {"same": ("", ""), "removed": ("[-", "-]"), "added": ("{+", "+}")}
    return "|".join(
        "".join(f"{marks[piece.kind][0]}{piece.text}{marks[piece.kind][1]}" for piece in hunk.pieces) for hunk in hunks
    )


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        pytest.param("same", "same", "", id="the same"),
        pytest.param("", "", "", id="nothing"),
        pytest.param("", "new\n", "{+new\n+}", id="all is new"),
        pytest.param("Dear ann,\nbye\n", "Dear bob,\nbye\n", "Dear [-ann-]{+bob+},\nbye\n", id="a word"),
        pytest.param("one two\n", "one\ntwo\n", "one[- -]{+\n+}two\n", id="wrapped anew"),
        pytest.param("a\n", "a", "a[-\n-]", id="the last newline"),
        pytest.param("a\r\n", "a\n", "a[-\r-]\n", id="an end of line of another system"),
        pytest.param("a\n\nb\n", "a\nb\n", "a\n[-\n-]b\n", id="an empty line"),
        pytest.param("owls hoot\n", "bread is baked\n", "[-owls hoot\n-]{+bread is baked\n+}", id="nothing in common"),
        pytest.param("for ann, eve here\n", "for bob, may here\n", "for [-ann, eve-]{+bob, may+} here\n", id="a comma"),
        pytest.param("a\vb\n", "a\vc\n", "a\v[-b-]{+c+}\n", id="only a newline ends a line"),
    ],
)
def test_a_redline_shows_words(old: str, new: str, shown: str) -> None:
    assert _shown(redline(old, new)) == shown


def test_changes_far_apart_are_hunks_of_their_own_with_three_lines_around() -> None:
    old = "".join(f"line {number}\n" for number in range(1, 41))
    new = old.replace("line 10\n", "line ten\n").replace("line 30\n", "")

    first, second = redline(old, new)

    assert (first.old_line, first.new_line) == (7, 7)
    assert (second.old_line, second.new_line) == (27, 27)
    assert "".join(piece.text for piece in first.pieces if piece.kind != "added").count("\n") == 7


_TEXTS = st.lists(st.sampled_from(["foo", "bar", " ", "\n", ",", "\r", "\t", "é", "\u2028"]), max_size=30).map("".join)


@given(_TEXTS, _TEXTS)
def test_a_redline_holds_both_texts(old: str, new: str) -> None:
    hunks = redline(old, new)

    assert bool(hunks) == (old != new)
    for hunk in hunks:
        before = "".join(piece.text for piece in hunk.pieces if piece.kind != "added")
        after = "".join(piece.text for piece in hunk.pieces if piece.kind != "removed")
        assert _from_line(old, hunk.old_line).startswith(before)
        assert _from_line(new, hunk.new_line).startswith(after)


def _from_line(text: str, number: int) -> str:
    return text.split("\n", number - 1)[-1] if text.count("\n") >= number - 1 else ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("x\n" * 200_000, "y\n" + "x\n" * 100_000 + "z\n", id="lines"),
        pytest.param("c b " * 250_000, "b c " * 250_000, id="words"),
    ],
)
def test_what_repeats_so_often_that_it_would_take_hours_is_changed_as_a_whole(old: str, new: str) -> None:
    assert _shown(redline(old, new)) == f"[-{old}-]{{+{new}+}}"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="the same"),
        pytest.param(1, 1.0, [((), "changed", 1, 1.0)], id="numbers that have different hashes"),
        pytest.param(1, True, [((), "changed", 1, True)], id="a number is no boolean"),
        pytest.param({"a": 1}, {"b": 2}, [(("a",), "removed", 1, None), (("b",), "added", None, 2)], id="keys"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, [(("a", "b"), "changed", 1, 2)], id="inside"),
        pytest.param([1, 2], [0, 1, 2], [((0,), "added", None, 0)], id="an item in front"),
        pytest.param([1, 2, 3], [1, 3], [((1,), "removed", 2, None)], id="an item less, by its old index"),
        pytest.param([{"n": 1}], [{"n": 2}], [((0, "n"), "changed", 1, 2)], id="inside an item"),
        pytest.param([1], {"a": 1}, [((), "changed", [1], {"a": 1})], id="another type"),
        pytest.param(None, "x", [((), "changed", None, "x")], id="null"),
    ],
)
def test_json_differs_by_path(old: Any, new: Any, expected: list[Any]) -> None:
    changes = diff(old, new)

    # As texts, for to Python 1 is True and 1.0.
    assert [repr((change.path, change.kind, change.old, change.new)) for change in changes] == list(map(repr, expected))


def test_a_text_inside_json_has_a_redline() -> None:
    (change,) = diff({"text": "hello world"}, {"text": "hello there"})

    assert change.path == ("text",)
    assert _shown(change.hunks) == "hello [-world-]{+there+}"


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        (Change(path=("a", 0), kind="added", new=None), ["path", "kind", "new"]),
        (Change(path=(), kind="removed", old=1), ["path", "kind", "old"]),
        (diff("a b", "a c")[0], ["path", "kind", "old", "new", "hunks"]),
    ],
)
def test_a_change_is_written_with_what_it_has(change: Change, keys: list[str]) -> None:
    assert list(change.to_dict()) == keys
