"""A file in canonical layout says what it said before, comments included, and laying it out again changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdpoint.engine.definition import Definition
from holdpoint.schema import check_text
from holdpoint.schema.format import formatted
from holdpoint.schema.formatting import format_text
from holdpoint.schema.layout import comments_of
from holdpoint.schema.reader import read
from holdpoint.sources import files_below
from tests.schema.messy import Scribe

WORKFLOWS = Path(__file__).parents[2] / "workflows"
SHIPPED = files_below(WORKFLOWS)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"), exclude_characters="\u2028\u2029"))
LINES = st.lists(st.sampled_from(["one", "two words", "", "  more", "# no comment", "- x", "a: b", "x  "]), max_size=4)
WORDS = st.sampled_from(
    ["x", "a b", "a: b", "- a", "# c", "{{ x }}", "'", '"', "\\", "null", "1", "", " a", "a ", "[", "}"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | WORDS
    | TEXTS.filter(str.isprintable)
    | LINES.map("\n".join)
    | LINES.map(lambda lines: "\n".join(lines) + "\n")
)
KEYS = st.sampled_from(["a", "b c", "on", "x-1", "null", "'", "a:", "#", "{", "long " * 30]) | WORDS.filter(bool)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
SEEDS = st.integers(0, 2**32)
ROOTS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)


def value_of(text: str) -> Any:
    document, findings = read(text, "w.yaml")
    assert document is not None, f"{findings[0]}\n{text}"
    return document.value


def comments(text: str) -> list[str]:
    return [comment.text for comment in comments_of(text.replace("\r\n", "\n")) if comment.text]


def shuffled(value: Any, random: Random) -> Any:
    """A copy with the keys of every mapping in another order, but for those of states and options."""
    if isinstance(value, list):
        return [shuffled(item, random) for item in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    random.shuffle(keys)
    return {
        key: value[key] if key in ("states", "on", "input", "form") else shuffled(value[key], random) for key in keys
    }


@settings(max_examples=200, deadline=None)
@given(ROOTS, SEEDS)
def test_any_text_keeps_its_value_and_all_its_comments_in_their_order(value: dict[str, Any], seed: int) -> None:
    scribe = Scribe(Random(seed))
    text = scribe.text(value)
    assert value_of(text) == value
    assert comments(text) == scribe.comments

    new = formatted(text.replace("\r\n", "\n"), is_ordered=False)

    assert value_of(new) == value
    assert comments(new) == scribe.comments
    assert formatted(new, is_ordered=False) == new


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHIPPED), SEEDS)
def test_any_layout_of_a_workflow_is_put_in_order(path: Path, seed: int) -> None:
    random = Random(seed)
    value = value_of(path.read_text(encoding="utf-8"))
    scribe = Scribe(random)
    data = scribe.text(shuffled(value, random)).encode()

    new, findings = format_text(data, "w.yaml")

    assert new is not None, findings
    assert sorted(comments(new)) == sorted(scribe.comments)
    before, after = check_text(data, "w.yaml")[0], check_text(new, "w.yaml")[0]
    assert before is not None
    assert after is not None
    assert Definition.from_document(after).id == Definition.from_document(before).id
    assert format_text(new.encode(), "w.yaml")[0] == new


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(SHIPPED), SEEDS)
def test_what_was_shuffled_comes_back(path: Path, seed: int) -> None:
    random = Random(seed)
    value = value_of(path.read_text(encoding="utf-8"))
    text = Scribe(random, has_comments=False).text(shuffled(value, random))

    new, _ = format_text(text.encode(), "w.yaml")

    assert new is not None
    straight = formatted(Scribe(random, has_comments=False).text(value).replace("\r\n", "\n"))
    orders = [json.dumps(list(value_of(one)["states"].items())) for one in (new, straight)]
    assert orders[0] == orders[1]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_workflow_is_in_canonical_layout(path: Path) -> None:
    data = path.read_bytes()

    new, _ = format_text(data, path.name)

    assert new == data.decode()
