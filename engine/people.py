"""Who may act: names of people, their roles, and the `assign` of a request."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid

if TYPE_CHECKING:
    from holdpoint.engine.model import RequestRecord

ROLE = "role:"
MAX_NAME = 256


def check_person(name: object, what: str = "a person") -> str:
    """The name, if it can be one: a text of 1 to 256 characters without control characters and `:`.

    Raises `Invalid`, code `person`.
    """
    if not isinstance(name, str):
        raise Invalid(f"{what} is named by a text, not by {name!r}", code="person")
    if not name.strip() or len(name) > MAX_NAME:
        raise Invalid(f"{what} has a name of 1 to {MAX_NAME} characters, not {name[:40]!r}", code="person")
    is_plain = name.isascii() and name.isprintable()
    if ":" in name or not (is_plain or all(unicodedata.category(one) not in ("Cc", "Cs") for one in name)):
        raise Invalid(f"{what} cannot be named {name!r}: control characters and ':' are not allowed", code="person")
    return name


def assigned(assign: Json, option: str) -> Sequence[str]:
    """Whom a request's `assign` names for *option*; nobody named means anyone."""
    people: Sequence[str] = assign.get(option, ()) if isinstance(assign, dict) else assign
    return people


def may_act(assign: Json, option: str, person: str, roles: Callable[[str], frozenset[str]]) -> bool:
    """Whether *person* may choose *option*. Roles are asked for now, not when the request opened."""
    people = assigned(assign, option)
    return not people or _is_among(people, person, roles)


def may_decide(request: RequestRecord, person: str, roles: Callable[[str], frozenset[str]]) -> bool:
    """Whether *person* may choose any of the request's options."""
    if is_excluded(request.exclude, person, roles):
        return False
    return any(may_act(request.assign, option, person, roles) for option in request.options)


def is_excluded(exclude: Sequence[str], person: str, roles: Callable[[str], frozenset[str]]) -> bool:
    """Whether a request's `exclude` names *person*, or a role that they have now."""
    return bool(exclude) and _is_among(exclude, person, roles)


def is_role(entry: str) -> bool:
    """Whether an entry of `assign` or `exclude` is a role and not a person."""
    return entry.startswith(ROLE)


def _is_among(people: Sequence[str], person: str, roles: Callable[[str], frozenset[str]]) -> bool:
    if person in people:
        return True
    held = [entry[len(ROLE) :] for entry in people if is_role(entry)]
    return bool(held) and not roles(person).isdisjoint(held)
