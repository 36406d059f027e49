"""Words that errors are made of, and the codes with which commands are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdpoint import settings
from holdpoint.engine import errors
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


# The modules of the engine that refuse commands; stores, agents, schemas and the checks of integrity raise others.
OF_COMMANDS = (
    "decide.py",
    "desk.py",
    "steer.py",
    "gates.py",
    "proceed.py",
    "people.py",
    "durations.py",
    "times.py",
    "canonical.py",
)


@pytest.mark.parametrize("name", OF_COMMANDS)
def test_every_code_of_a_refusal_is_in_the_table(name: str) -> None:
    text = (Path(errors.__file__).parent / name).read_text("utf-8")

    raised = set(re.findall(r'(?:Conflict|Invalid|NotAllowed|UsageError)\((?:[^()]|\([^()]*\))*?code="(\w+)"', text))

    assert raised <= set(errors.REFUSALS)


def test_every_refusal_of_the_table_is_raised_somewhere() -> None:
    folder = Path(errors.__file__).parent
    texts = [path.read_text("utf-8") for path in (*folder.glob("*.py"), folder.parent / "api.py")]
    raised = {code for text in texts for code in re.findall(r'(?:code=|, )"(\w+)"', text)}

    assert set(errors.REFUSALS) <= raised
