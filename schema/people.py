"""Who may decide and who may not: the entries of `assign` and `exclude`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid
from holdpoint.engine.people import ROLE, check_person
from holdpoint.schema.available import MESSAGE
from holdpoint.schema.jsonschemas import has_template
from holdpoint.schema.letters import describe_strange
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import People, Report, asker, listed, shown, suggestion

INITIATOR: Final = "initiator"
_AUTHORS: Final = "authors"
_DECIDERS: Final = "deciders:"
_FIX_OF_EXCLUDED: Final = "write a person, a role or 'initiator'"
_ROLE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def check_people(report: Report, path: Path, asked: Mapping[str, Json], options: tuple[str, ...]) -> None:
    """Report what is wrong with `assign` and `exclude` of what is asked at a path, which has these options."""
    assign = asked.get("assign", ())
    if isinstance(assign, dict):
        _check_assigned_options(report, path, assign, options)
    by_key = assign.items() if isinstance(assign, dict) else [(None, assign)]
    for option, people in by_key:
        for index, entry in enumerate(people):
            below: Path = (index,) if option is None else (option, index)
            _check_assignee(report, (*path, "assign", *below), entry)
    for index, entry in enumerate(asked.get("exclude", ())):
        _check_excluded(report, (*path, "exclude", index), entry)
    _check_somebody(report, path, asked)


def _check_somebody(report: Report, path: Path, asked: Mapping[str, Json]) -> None:
    """Report what nobody can decide, because all who are asked are excluded too."""
    assign, excluded = asked.get("assign", ()), asked.get("exclude", ())
    by_key = assign.items() if isinstance(assign, dict) else [(None, assign)]
    for option, people in by_key:
        where = (*path, "assign") if option is None else (*path, "assign", option)
        if not people or report.has_errors_below(where) or report.has_errors_below((*path, "exclude")):
            continue
        what = f"option {option!r} of {asker(path)}" if option else asker(path)
        fix = "assign somebody else, or exclude fewer"
        if all(entry in excluded for entry in people):
            message = f"nobody can decide {what}: all who are assigned are excluded"
            report.value(where, "HP238", message, fix)
        elif report.people is not None and not any(_may_decide(entry, excluded, report.people) for entry in people):
            message = f"nobody in flow.toml can decide {what}: all who are assigned are excluded"
            report.value(where, "HP239", message, fix)


def only_decider(asked: Mapping[str, Json], people: People) -> str | None:
    """The one person who may decide some option of a request which excludes whoever started the run; None if none is.

    As far as *people* are all there are, a run that this person starts has nobody to decide it.
    """
    assign, excluded = asked.get("assign", ()), asked.get("exclude", ())
    if INITIATOR not in excluded:
        return None
    for entries in assign.values() if isinstance(assign, dict) else [assign]:
        if any(has_template(entry) for entry in entries):
            continue
        found = {name for entry in entries for name in _stands_for(entry, people)}
        able = [name for name in found if not _is_excluded(name, excluded, people)]
        if len(able) == 1:
            return able[0]
    return None


def _stands_for(entry: str, people: People) -> list[str]:
    """The people whom an entry of `assign` stands for."""
    if not entry.startswith(ROLE):
        return [entry]
    return [name for name, roles in people.items() if entry.removeprefix(ROLE) in roles]


def _may_decide(entry: str, excluded: Collection[str], people: People) -> bool:
    """Whether somebody whom an entry of `assign` stands for is not excluded, as far as that is known."""
    if entry in excluded:
        return False
    if entry.startswith(ROLE):
        holders = _stands_for(entry, people)
        # That nobody has a role is said of the role.
        return not holders or any(not _is_excluded(name, excluded, people) for name in holders)
    return entry == INITIATOR or has_template(entry) or not _is_excluded(entry, excluded, people)


def _is_excluded(name: str, excluded: Collection[str], people: People) -> bool:
    return name in excluded or any(f"{ROLE}{role}" in excluded for role in people.get(name, ()))


def _check_assigned_options(report: Report, path: Path, assign: dict[str, Json], options: tuple[str, ...]) -> None:
    for option in assign:
        if option not in options:
            message = f"{option!r} is not an option of {asker(path)}"
            report.key((*path, "assign", option), "HP231", message, suggestion(option, options))
    missing = [option for option in options if option not in assign]
    if missing:
        message = f"the assignment of {asker(path)} leaves out {listed(map(repr, missing))}"
        report.key((*path, "assign"), "HP231", message, "name every option")


def _check_assignee(report: Report, path: Path, entry: str) -> None:
    if entry.startswith(ROLE) or not has_template(entry):
        _check_name(report, path, entry, "HP230")


def _check_excluded(report: Report, path: Path, entry: str) -> None:
    if entry == _AUTHORS or entry.startswith(_DECIDERS):
        report.value(path, "HP190", f"{shown(entry)} in 'exclude' is {MESSAGE}", _FIX_OF_EXCLUDED)
    elif has_template(entry):
        report.value(path, "HP190", f"a template in 'exclude' is {MESSAGE}", _FIX_OF_EXCLUDED)
    else:
        _check_name(report, path, entry, "HP236")


def _check_name(report: Report, path: Path, entry: str, code: str) -> None:
    """Report a text that names neither a person nor a role."""
    if entry.startswith(ROLE):
        role = entry[len(ROLE) :]
        if _ROLE_NAME.fullmatch(role) is None:
            strange = describe_strange(role)
            why = "a role is written out, never rendered" if has_template(role) else "a role is like 'role:legal'"
            why = f"it has {strange}" if strange and not has_template(role) else why
            rest = "then lower-case letters, digits, '_' and '-', at most 64 characters"
            fix = f"write 'role:' and a lower-case letter, {rest}"
            report.value(path, code, f"{shown(entry)} is not a role: {why}", fix)
        elif report.roles is not None and role not in report.roles:
            message = f"nobody in flow.toml has the role {role!r}"
            report.value(path, "HP237", message, suggestion(role, tuple(report.roles)))
        return
    try:
        check_person(entry)
    except Invalid as error:
        report.value(path, code, str(error), f"write a person, 'role:NAME' or '{INITIATOR}'")
        return
    if report.roles is not None and report.people is not None and entry in report.roles - report.people.keys():
        message = f"{entry!r} is a role in flow.toml, and no person there is called so"
        report.value(path, "HP237", message, f"write '{ROLE}{entry}'")
