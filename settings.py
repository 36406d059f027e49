"""`flow.toml`: where a project is and what it says (spec 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from holdpoint.engine.canonical import MAX_VALUE_BYTES
from holdpoint.engine.errors import Invalid, did_you_mean, with_article
from holdpoint.engine.leases import LEASE
from holdpoint.engine.people import check_person

FILE = "flow.toml"
OPERATOR = "operator"
"""Whoever has this role may steer runs; where nobody has it, anyone may."""

DEFAULT_DATABASE = "sqlite:///flow.db"
_KEYS = ("database", "workflows", "people", "lease", "advance", "limits")
_LIMITS = ("value_bytes",)
_PERSON_KEYS = ("roles", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a project says. Without a `flow.toml` all are defaults."""

    project: Path
    database: str = DEFAULT_DATABASE
    workflows: tuple[str, ...] = ("workflows",)
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lease: timedelta = LEASE
    advance: bool = True
    value_bytes: int = MAX_VALUE_BYTES

    @property
    def known_people(self) -> Mapping[str, frozenset[str]] | None:
        """The people by name, with their roles; None where nobody is named, so that nothing is known."""
        return self.roles or None

    def may_steer(self, person: str) -> bool:
        """Whether this person may retry, move, cancel and extend."""
        return not has_operators(self.roles) or OPERATOR in self.roles.get(person, ())


def has_operators(roles: Mapping[str, Iterable[str]]) -> bool:
    """Whether anybody is an operator; *roles* are those of each person."""
    return any(OPERATOR in own for own in roles.values())


def find_project(start: Path) -> Path:
    """The nearest folder upwards from *start* that has a `flow.toml`, else *start* itself."""
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if (folder / FILE).is_file()), start)


def load(project: Path) -> Settings:
    """The settings of a project. Raises `Invalid`, code `settings`, with the file and the key."""
    path = project / FILE
    if not path.is_file():
        return Settings(project=project)
    import tomllib

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path}: {error}", code="settings") from None
    _check_keys(path, "", data, _KEYS)
    people = _table(path, data, "people")
    return Settings(
        project=project,
        database=_of_type(path, data, "database", str, DEFAULT_DATABASE),
        workflows=tuple(_texts(path, "workflows", data.get("workflows", ["workflows"]))),
        roles={_person(path, name): _roles(path, name, person) for name, person in people.items()},
        lease=_lease(path, data["lease"]) if "lease" in data else LEASE,
        advance=_of_type(path, data, "advance", bool, True),
        value_bytes=_value_bytes(path, data),
    )


def _lease(path: Path, text: Any) -> timedelta:
    from holdpoint.engine.durations import parse_duration

    try:
        duration = parse_duration(text)
    except Invalid as error:
        raise _invalid(path, "lease", error.message) from None
    if duration.days:
        raise _invalid(path, "lease", f"{text!r} is in days; a lease is seconds to hours, like '30s'")
    return timedelta(seconds=duration.seconds)


def _value_bytes(path: Path, data: Mapping[str, Any]) -> int:
    limits = _table(path, data, "limits")
    _check_keys(path, "limits.", limits, _LIMITS)
    number = limits.get("value_bytes", MAX_VALUE_BYTES)
    if type(number) is not int or number < 1:
        raise _invalid(path, "limits.value_bytes", f"{number!r} is not a number of bytes of at least 1")
    return number


def _person(path: Path, name: str) -> str:
    try:
        return check_person(name)
    except Invalid as error:
        raise _invalid(path, "people", error.message) from None


def _roles(path: Path, name: str, person: Any) -> frozenset[str]:
    where = f"people.{name}"
    if not isinstance(person, dict):
        raise _invalid(path, where, f"{person!r} is not a table with roles and email")
    _check_keys(path, f"{where}.", person, _PERSON_KEYS)
    return frozenset(_texts(path, f"{where}.roles", person.get("roles", [])))


def _table(path: Path, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table: Mapping[str, Any] = _of_type(path, data, key, dict, {})
    return table


def _of_type(path: Path, data: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = data.get(key, default)
    if not isinstance(value, kind):
        raise _invalid(path, key, f"{value!r} is not {with_article(_WORDS[kind])}")
    return value


def _texts(path: Path, key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _invalid(path, key, f"{value!r} is not a list of texts")
    return value


def _check_keys(path: Path, prefix: str, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in data:
        if key not in known:
            hint = did_you_mean(key, known)
            raise _invalid(path, prefix + key, f"it is not known; {hint or 'known are ' + ', '.join(known)}")


def _invalid(path: Path, key: str, why: str) -> Invalid:
    return Invalid(f"{path}: {key}: {why}", code="settings", details={"file": str(path), "key": key})


_WORDS: Mapping[type, str] = {str: "text", bool: "boolean", dict: "table"}
