"""The quick scanner and parser make the events of ruamel's own, and fail where and as they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner

from holdpoint.schema.scanning import QuickLoader

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "workflows").rglob("*.yaml"))
PIECES = [
    *("{", "}", "[", "]", ":", ": ", ",", ", ", "&a ", "*a", "!x ", "- ", "? ", "-", "?", "!", "|", ">", "%", "@", "`"),
    *("#", " #", "'", '"', "''", '""', "\\", "\\n", "\\x41", "~", "null", "a", "b c", "a:b", "x#y", "é", "日本", "."),
    *("\n", "\n\n", "  ", "    ", "\t", "\n- ", "\n  - ", "\nkey: ", "key: ", "|\n", ">\n", "|-\n  ", "'a b'", '"a b"'),
    *("...", "---", "--- ", "\n---\n", "\n...\n", '"a\n  b"', "''' '", "a\n  b", "[]", "{}", "x" * 1100),
]


class Loader:
    """The object through which reader, scanner and parser find each other."""

    typ = "rt"
    comment_handling = None

    class resolver:  # noqa: N801 (an attribute, as ruamel asks for it)
        processing_version = (1, 2)

    reader: Any
    scanner: Any
    parser: Any


def plain(text: str) -> Loader:
    loader = Loader()
    loader.reader = Reader(None, loader=loader)
    loader.reader.stream = text
    loader.scanner = Scanner(loader=loader)
    loader.parser = Parser(loader=loader)
    return loader


def place(mark: Any) -> tuple[int, int, int] | None:
    return None if mark is None else (mark.index, mark.line, mark.column)


def events(loader: Loader | QuickLoader) -> list[Any]:
    """All that the events say, comments apart, up to the error that ends them."""
    found: list[Any] = []
    try:
        while (event := loader.parser.get_event()) is not None:
            names = ("anchor", "tag", "implicit", "value", "style", "flow_style", "explicit")
            said = [repr(getattr(event, name, None)) for name in names]
            found.append((type(event).__name__, place(event.start_mark), place(event.end_mark), *said))
    except MarkedYAMLError as error:
        places = place(error.context_mark), place(error.problem_mark)
        found.append((type(error).__name__, error.context, error.problem, *places))
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        found.append(type(error).__name__)
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_scanned_alike(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert events(QuickLoader(text)) == events(plain(text))


def test_every_hostile_file_is_scanned_alike(hostile_folder: Path) -> None:
    for path in hostile_folder.glob("*.yaml"):
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        if not path.name.startswith("deep_"):  # ruamel's own is slow there, and deep
            assert events(QuickLoader(text)) == events(plain(text)), path.name


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text("ab:#-'\"\n ,[]{}", max_size=6), max_size=18).map("".join))
def test_any_text_is_scanned_alike(text: str) -> None:
    assert events(QuickLoader(text)) == events(plain(text))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_edit_of_an_example_is_scanned_alike(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(EXAMPLES)).read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(text)))
    text = text[start : start + 400]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + data.draw(st.integers(0, 6)) :]

    assert events(QuickLoader(text)) == events(plain(text))
