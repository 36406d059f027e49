"""Merging: what goes together does, and nothing is merged that git would not merge to the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdpoint.engine import merge as module
from holdpoint.engine.merge import MergeConflict, merge

POEM = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        pytest.param(POEM, POEM.replace("one", "1"), POEM.replace("seven", "7"), "1\ntwo\nthree\nfour\nfive\nsix\n7\n",
                     id="far-apart"),
        pytest.param("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", "A\nb\nC\n", id="a-line-between"),
        pytest.param("a\nb\nc\n", "b\nc\n", "a\nb\nc\nd\n", "b\nc\nd\n", id="removed-and-added"),
        pytest.param("a\nb\nc\n", "X\nb\nc\n", "X\nb\nC\n", "X\nb\nC\n", id="the-same-change"),
        pytest.param("a\r\nb\r\nc", "A\r\nb\r\nc", "a\r\nb\r\nC", "A\r\nb\r\nC", id="line-ends"),
        pytest.param("a\nb\nc\n", "a\r\nb\nc\n", "a\nb\nc", "a\r\nb\nc", id="only-the-line-ends"),
        pytest.param("a\u2028b\x0cc\nd\ne\n", "a\u2028B\x0cc\nd\ne\n", "a\u2028b\x0cc\nd\nE\n",
                     "a\u2028B\x0cc\nd\nE\n", id="other-separators-are-no-line-ends"),
        pytest.param({"a": 1, "b": 2}, {"a": 3, "b": 2}, {"a": 1, "b": 4}, {"a": 3, "b": 4}, id="keys"),
        pytest.param({}, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}, id="added-keys"),
        pytest.param({}, {"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}, id="the-same-key"),
        pytest.param({"a": 1, "b": 2}, {"b": 2}, {"a": 1, "b": 3}, {"b": 3}, id="removed-key"),
        pytest.param({"a": 1, "b": 2}, {"b": 2}, {"b": 3}, {"b": 3}, id="removed-by-both"),
        pytest.param({"a": {"t": POEM}}, {"a": {"t": POEM + "eight\n"}}, {"a": {"t": "zero\n" + POEM}},
                     {"a": {"t": "zero\n" + POEM + "eight\n"}}, id="text-in-objects"),
        pytest.param([1], [1, 2], [1], [1, 2], id="list-of-one-side"),
        pytest.param([1], [2], [2], [2], id="list-of-both"),
        pytest.param(1, 1, "x", "x", id="another-type"),
        pytest.param(None, None, {"a": 1}, {"a": 1}, id="none"),
    ],
)  # fmt: skip
def test_changes_that_go_together_are_merged(base: Any, ours: Any, theirs: Any, merged: Any) -> None:
    assert merge(base, ours, theirs) == merged
    assert merge(base, theirs, ours) == merged


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "path"),
    [
        pytest.param("a\nb\nc\n", "a\nB\nc\n", "a\nX\nc\n", (), id="same-line"),
        pytest.param("a\nb\nc\n", "A\nb\nc\n", "a\nB\nc\n", (), id="adjacent-lines"),
        pytest.param("a\nb\n", "a\nx\nb\n", "a\ny\nb\n", (), id="both-insert"),
        pytest.param("a\nb\nc\nd\n", "a\nd\n", "a\nb\nX\nd\n", (), id="removed-and-changed"),
        pytest.param("a", "b", "c", (), id="one-line"),
        pytest.param("", "b", "c", (), id="from-nothing"),
        pytest.param("a\n" * 9, "a\n" * 8, "b\n" + "a\n" * 9, (), id="lines-that-cannot-be-told-apart"),
        pytest.param("b\na\nb\n", "b\na\n", "y\nb\ny\ny\ny\nb\na\n", (), id="the-same-change-of-a-repeated-line"),
        pytest.param("a\nb\nc\nd\ne\nf\n", "a\nb\nx\nc\nd\ne\nf\n", "a\nd\ne\nb\nc\nf\n", (), id="moved-lines"),
        pytest.param([1], [2], [3], (), id="lists"),
        pytest.param([1, 2], [0, 1, 2], [1, 2, 3], (), id="lists-are-one-value"),
        pytest.param(1, 2, 3, (), id="numbers"),
        pytest.param(0, False, 1, (), id="booleans-are-no-numbers"),
        pytest.param("x", {"a": 1}, ["a"], (), id="types"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {"b": 3}}, ("a", "b"), id="same-key"),
        pytest.param({}, {"a": 1}, {"a": 2}, ("a",), id="both-added"),
        pytest.param({"a": 1}, {}, {"a": 2}, ("a",), id="removed-and-changed-key"),
        pytest.param({"a": 1}, {"a": 1.0}, {"a": True}, ("a",), id="1-1.0-true"),
    ],
)
def test_changes_that_meet_are_a_conflict(base: Any, ours: Any, theirs: Any, path: tuple[str, ...]) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        with pytest.raises(MergeConflict) as caught:
            merge(base, one, other)
        assert caught.value.path == path


def test_a_conflict_says_where_and_why() -> None:
    with pytest.raises(MergeConflict, match=r"^report\.title: both sides changed the same lines"):
        merge({"report": {"title": "a"}}, {"report": {"title": "b"}}, {"report": {"title": "c"}})


def test_keys_keep_our_order_then_theirs() -> None:
    merged = merge({"b": 1, "a": 1}, {"c": 1, "b": 1, "a": 1}, {"z": 1, "b": 2, "a": 1})

    assert list(merged) == ["c", "b", "a", "z"]


JSON = st.recursive(
    st.sampled_from([None, True, 0, 1, "x", "a\nb\n"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, JSON)
def test_the_change_of_one_side_is_taken_whole(base: Any, changed: Any) -> None:
    assert merge(base, changed, base) == changed
    assert merge(base, base, changed) == changed
    assert merge(base, changed, changed) == changed


@given(JSON, JSON, JSON)
def test_who_is_ours_makes_no_difference(base: Any, ours: Any, theirs: Any) -> None:
    assert _try(base, ours, theirs) == _try(base, theirs, ours)


def _try(base: Any, ours: Any, theirs: Any) -> Any:
    try:
        return merge(base, ours, theirs)
    except MergeConflict:
        return MergeConflict


# --- git as the oracle ------------------------------------------------------------------------------------------------


def _texts(random: Random, words: int) -> tuple[str, str, str]:
    """A text and two edits of it: lines inserted, removed, replaced, moved; the more words, the fewer lines repeat."""

    def lines(most: int) -> list[str]:
        return [f"{random.randrange(words)}{random.choice(ENDS)}" for _ in range(random.randint(0, most))]

    def edited() -> str:
        text = list(base)
        for _ in range(random.randint(1, 3)):
            start, at = random.randint(0, len(text)), random.randint(0, len(text))
            end = start + random.randint(0, 3)
            put, at = random.choice([(lines(3), start), (text[start:end], at)])
            del text[start:end]
            text[at:at] = put
        return "".join(text).removesuffix(random.choice(["\n", "", ""]))

    base = lines(25)
    return "".join(base), edited(), edited()


ENDS = ["\n", "\n", "\n", "\r\n"]


def _git_merge(folder: Path, base: str, ours: str, theirs: str) -> str | None:
    for name, text in (("base", base), ("ours", ours), ("theirs", theirs)):
        (folder / name).write_bytes(text.encode())
    done = subprocess.run(
        ["git", "merge-file", "-p", "-q", "ours", "base", "theirs"],
        cwd=folder,
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert done.returncode <= 127, done.stderr
    return done.stdout.decode() if done.returncode == 0 else None


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
@pytest.mark.parametrize("words", [3, 30, 1000])
def test_what_is_merged_git_merges_to_the_same(words: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("git")

    clean = []

    @settings(max_examples=250)
    @given(st.integers(0, 2**64))
    def check(seed: int) -> None:
        texts = _texts(Random(seed), words)
        merged = _try(*texts)
        if merged is not MergeConflict:
            clean.append(seed)
            assert merged == _git_merge(folder, *texts)

    check()
    assert len(clean) > 25


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
def test_texts_whose_lines_differ_are_merged_where_git_merges_them(tmp_path: Path) -> None:
    lines = [f"{number}\n" for number in range(12)]
    for mine in range(12):
        for yours in range(12):
            ours = "".join([*lines[:mine], "ours\n", *lines[mine + 1 :]])
            theirs = "".join([*lines[:yours], *lines[yours + 1 :]])
            merged = _try("".join(lines), ours, theirs)

            assert merged == (_git_merge(tmp_path, "".join(lines), ours, theirs) or MergeConflict)


# --- bounds -----------------------------------------------------------------------------------------------------------


def _edit(lines: list[str], *places: int) -> str:
    return "".join(f"changed {at}\n" if at in places else line for at, line in enumerate(lines))


def test_a_large_text_is_merged() -> None:
    lines = [f"line {number}\n" if number % 7 else "\n" for number in range(module.MAX_LINES)]

    assert merge("".join(lines), _edit(lines, 1), _edit(lines, 3)) == _edit(lines, 1, 3)


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        pytest.param(
            [f"{n}\n" for n in range(20_001)],
            _edit([f"{n}\n" for n in range(20_001)], 1),
            _edit([f"{n}\n" for n in range(20_001)], 5),
            id="too-many-lines",
        ),
        pytest.param(["a\n", "b\n"] * 10_000, "c\n" + "b\na\n" * 9_000, "a\nb\n" * 9_000 + "d\n", id="repeating-lines"),
        pytest.param([f"{n}\n" for n in range(20_000)],
                     _edit([f"{n}\n" for n in range(20_000)], *range(0, 20_000, 2)), "x\n", id="changed-all-over"),
        pytest.param(["a\n", "a\n", "b\n"] * 300, "b\na\n" * 450, "a\nb\nb\n" * 300, id="ambiguous"),
    ],
)  # fmt: skip
def test_a_merge_that_would_take_for_ever_is_a_conflict_soon(base: list[str], ours: str, theirs: str) -> None:
    begun = time.process_time()

    with pytest.raises(MergeConflict):
        merge("".join(base), ours, theirs)

    assert time.process_time() - begun < 8
