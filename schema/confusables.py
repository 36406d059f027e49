"""Names that are not what they look like: of people and of properties, which may be any text.

Who writes a name in Russian or Greek is told nothing; who has one such letter in a Latin name is, and so is who has two
names that cannot be told apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.people import ROLE
from holdpoint.schema.jsonschemas import has_template, subschemas
from holdpoint.schema.letters import describe_strange, look_of, meant_by
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import shown
from holdpoint.schema.sheet import HUMAN_TYPES, Sheet, crash_request, forms_of

_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "FULLWIDTH", "MATHEMATICAL")


def check_confusables(sheet: Sheet) -> None:
    """Report people's names and properties, which may be any text, that are not what they look like."""
    seen: dict[str, str] = {}
    for path, person in _people(sheet):
        _check_person(sheet, path, person, seen)
    for path, schema in _schemas(sheet):
        for below, part in subschemas(schema):
            _check_properties(sheet, (*path, *below, "properties"), part.get("properties"))


def _check_person(sheet: Sheet, path: Path, person: str, seen: dict[str, str]) -> None:
    mixed = _mixed_scripts(person)
    if mixed:
        meant = meant_by(person)
        message = f"the name {shown(person)} has {describe_strange(mixed)}, in a word of another script"
        fix = f"did you mean {meant!r}?" if meant else "write each word in one script"
        sheet.report.value(path, "HP018", message, fix)
        return
    other = seen.setdefault(look_of(person), person)
    if other != person:
        message = f"the name {shown(person)} looks like {_other(person, other)}"
        sheet.report.value(path, "HP018", message, f"did you mean {other!r}?")


def _check_properties(sheet: Sheet, path: Path, properties: Json) -> None:
    seen: dict[str, str] = {}
    for name in properties if isinstance(properties, dict) else ():
        other = seen.setdefault(look_of(name), name)
        if other != name:
            message = f"the property {shown(name)} looks like {_other(name, other)}"
            sheet.report.key((*path, name), "HP019", message, "rename one of them")


def _other(name: str, other: str) -> str:
    """A name that another looks like, and how they differ."""
    strange = other if name.isascii() else name
    return f"{shown(other)} and is another: {shown(strange)} has {describe_strange(strange)}"


def _mixed_scripts(name: str) -> str:
    """The letters of a word that are not of the script of its ASCII letters, where it has both; or nothing."""
    for word in _words(name):
        others = "".join(letter for letter in word if _script(letter) not in ("", "LATIN"))
        if others and len(others) < sum(_script(letter) != "" for letter in word):
            return others
    return ""


def _words(name: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in name).split()


def _script(letter: str) -> str:
    first = unicodedata.name(letter, "").partition(" ")[0]
    return first if first in _SCRIPTS else ""


def _people(sheet: Sheet) -> Iterator[tuple[Path, str]]:
    """The people who are named in the file, roles and templates left out."""
    for name, state in sheet.states.items():
        asked = state if state["type"] in HUMAN_TYPES else crash_request(state)
        below: Path = () if asked is state else ("after_crash", "ask")
        for key in ("assign", "exclude"):
            for path, entry in _entries((asked or {}).get(key, ())):
                if not entry.startswith(ROLE) and not has_template(entry):
                    yield ("states", name, *below, key, *path), entry


def _entries(people: Json) -> Iterator[tuple[Path, str]]:
    if isinstance(people, dict):
        yield from (((option, *path), entry) for option, some in people.items() for path, entry in _entries(some))
    else:
        yield from (((index,), entry) for index, entry in enumerate(people))


def _schemas(sheet: Sheet) -> Iterator[tuple[Path, Json]]:
    if "input" in sheet.value:
        yield ("input",), sheet.value["input"]
    for name, state in sheet.states.items():
        if state["type"] in ("agent", "wait") and "output" in state:
            yield ("states", name, "output"), state["output"]
        yield from ((("states", name, *below), form) for below, form in forms_of(state))
