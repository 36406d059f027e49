"""Words that errors are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdpoint import settings
from holdpoint.engine.canonical import check_json
from holdpoint.engine.errors import Invalid, with_article


@pytest.mark.parametrize(
    ("noun", "expected"),
    [("list", "a list"), ("object", "an object"), ("int", "an int"), ("Exception", "an Exception")],
)
def test_a_noun_has_the_article_that_its_sound_asks_for(noun: str, expected: str) -> None:
    assert with_article(noun) == expected


def test_messages_with_the_name_of_a_type_have_its_article(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="an object is not a JSON value"):
        check_json(object(), "output")
    with pytest.raises(Invalid, match="a key is an int, not a text"):
        check_json({1: 2}, "output")
    (tmp_path / settings.FILE).write_text("people = 1")
    with pytest.raises(Invalid, match="1 is not a table"):
        settings.load(tmp_path)
