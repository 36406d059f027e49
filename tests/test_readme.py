"""README's examples do what README shows: its files are written, its commands run, its output compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdpoint import cli
from holdpoint.schema.sheet import AVAILABLE_TYPES
from tests import pages

_TITLES = {title.lower() for title in cli.SECTIONS}
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_examples_do_what_the_readme_shows(tmp_path: Path) -> None:
    assert pages.plain(pages.run(README, tmp_path)) == pages.plain(README)


def test_the_readme_has_examples_of_each_kind() -> None:
    kinds = re.findall(r"^```(\w+)", README, re.MULTILINE)

    assert {"bash", "console", "python", "text", "toml", "yaml"} <= set(kinds)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_readme_names_each_command(name: str) -> None:
    assert re.search(rf"`flow {name}\b|`{name}`|^\$ flow (--as \w+ )?{name}\b", README, re.MULTILINE)


def test_the_readme_and_the_help_group_the_commands_alike() -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| (`[a-z-]+`(?:, `[a-z-]+`)*) \|$", README, re.MULTILINE)

    groups = {title.capitalize(): re.findall(r"`([a-z-]+)`", names) for title, names in rows if title in _TITLES}

    assert groups == {title: list(commands) for title, commands in cli.SECTIONS.items()}


@pytest.mark.parametrize("name", AVAILABLE_TYPES)
def test_the_readme_names_each_type_of_state_that_there_is(name: str) -> None:
    (sentence,) = re.findall(r"^This version runs the state types (.*?)\.$", README, re.MULTILINE | re.DOTALL)

    assert f"`{name}`" in sentence


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).is_file()
