"""Guided runs written down as scenarios, ready to be pasted into a scenario file, and played to make sure."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Conflict, UsageError
from holdpoint.scenarios.agents import KINDS
from holdpoint.scenarios.coverage import Item, said
from holdpoint.scenarios.explore import Explored
from holdpoint.scenarios.guided import Guided
from holdpoint.scenarios.model import Played
from holdpoint.scenarios.reading import load_suite
from holdpoint.scenarios.run import play_suite
from holdpoint.scenarios.subjects import Subject

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*|([0-9]+[dhms])+")
_UNPRINTABLE: Final = re.compile(r"[^ -~]")
_NOT_TEXT: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_QUOTED: Final = re.compile(r"'(\w+)'")
_MAX_NAMED: Final = 2
_MAX_NAME: Final = 120


def in_flow_style(value: Json) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{in_flow_style(key)}: {in_flow_style(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(in_flow_style, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return _UNPRINTABLE.sub(_escaped, json.dumps(value, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    """A character as YAML writes it between quotes, where it cannot stand itself."""
    code = ord(found[0])
    return found[0] if found[0].isprintable() else f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def scenario_lines(
    name: str, guided: Guided, expect: Mapping[str, Json], *, is_detailed: bool = False
) -> Iterator[str]:
    """The lines of one scenario of the list `scenarios`; with *is_detailed* it expects what people are asked too."""
    scenario = guided.scenario
    yield f"  - name: {in_flow_style(name)}"
    if scenario.input:
        yield f"    input: {in_flow_style(scenario.input)}"
    if scenario.agents:
        agents = {state: _short(described) for state, described in scenario.agents.items()}
        yield f"    agents: {in_flow_style(agents)}"
    if scenario.steps:
        yield "    steps:"
        for step, asked in zip(scenario.steps, guided.asked, strict=True):
            if is_detailed and asked is not None:
                yield f"      - {in_flow_style({'expect': {'requests': [asked]}})}"
            yield f"      - {in_flow_style(step.keys)}"
    given = {state: arguments for state, arguments in guided.given.items() if arguments}
    yield f"    expect: {in_flow_style({**expect, 'arguments': given} if is_detailed and given else expect)}"


def expected_of(guided: Guided) -> dict[str, Json]:
    """What a scenario of the run expects: where it went, and how it stands."""
    run = guided.run
    if run is None:
        return {}
    expect: dict[str, Json] = {"state": run.state, "status": run.status}
    if run.outcome is not None:
        expect["outcome"] = run.outcome
    return {**expect, "path": list(guided.path)}


def suite_text(subject: Subject, folder: Path, scenarios: Sequence[Sequence[str]]) -> str:
    """The text of a scenario file in *folder* that has these scenarios, each the lines of it."""
    workflow = os.path.relpath(subject.suite.workflow.resolve(), folder.resolve())
    lines = [f"workflow: {in_flow_style(workflow)}"]
    people = {name: list(roles) for name, roles in subject.suite.people.items()}
    if people:
        lines.append(f"people: {in_flow_style(people)}")
    lines.append("scenarios:")
    return "\n".join([*lines, *(line for scenario in scenarios for line in scenario)]) + "\n"


def shown(subject: Subject, guided: Guided, rule: str) -> tuple[str, bool]:
    """The scenario of a run that breaks a rule, and whether playing it leads to the same place."""
    name = shorten(guided.broken[rule].replace('"', ""), _MAX_NAME, placeholder=" …")
    lines = list(scenario_lines(name, guided, expected_of(guided)))
    return "\n".join(lines) + "\n", all(one.passed for one in _played(subject, [lines]))


def covering_scenarios(
    explored: Explored, already: frozenset[Item], *, is_detailed: bool = False
) -> tuple[list[list[str]], list[Item]]:
    """The fewest scenarios found that go through what *already* lacks, and what of it was reached and is not in them.

    Each passes. What is left is where only ways lead that break what must hold.
    """
    missing = explored.coverage.covered - already
    left = [guided for guided in explored.covering if guided.run is not None]
    found: list[list[str]] = []
    names: set[str] = set()
    while missing and left:
        best = max(left, key=lambda one: (len(one.covered & missing), one.has_ended, -len(one.scenario.steps)))
        new = [item for item in explored.coverage.items if item in best.covered & missing]
        if not new:
            break
        left.remove(best)
        name = _name(new, names)
        for each in (True, False) if is_detailed else (False,):  # details may differ each time, as the run's id does
            lines = list(scenario_lines(name, best, expected_of(best), is_detailed=each))
            if all(one.passed for one in _played(explored.subject, [lines])):
                found.append(lines)
                missing -= best.covered
                break
    return found, [item for item in explored.coverage.items if item in missing]


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet. Raises `Conflict` where it is, `UsageError` where it cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(
            f"file {str(path)!r} is there, and is not overwritten; name another one", code="exists"
        ) from None
    except OSError as error:
        raise UsageError(f"file {str(path)!r} cannot be written: {error.strerror}") from None


def _name(new: Sequence[Item], taken: set[str]) -> str:
    """What a scenario shows, in words: the first things that only it goes through."""
    telling = [item for item in new if item[0] in ("timeout", "error", "option", "guard")] or list(new)
    name = " and ".join(_QUOTED.sub(r"\1", said(item)) for item in telling[:_MAX_NAMED])
    name = name if name not in taken else f"{name} ({len(taken) + 1})"
    taken.add(name)
    return name


def _short(described: Json) -> Json:
    """The description of an agent without `output` where the value says it itself."""
    if isinstance(described, list):
        return [_short(visit) for visit in described]
    if not isinstance(described, dict) or set(described) != {"output"}:
        return described
    value = described["output"]
    is_described = isinstance(value, dict) and len(value) == 1 and next(iter(value)) in KINDS
    return described if isinstance(value, list) or is_described else value


def _played(subject: Subject, scenarios: Sequence[Sequence[str]]) -> Sequence[Played]:
    """What comes of playing scenarios from their text."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "found.scenarios.yaml"
        path.write_text(suite_text(subject, Path(folder), scenarios), encoding="utf-8")
        return play_suite(load_suite(path)).played
