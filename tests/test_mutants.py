"""Every single edit of a shipped workflow is either refused where it was made, or leaves one that runs to an end."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from holdpoint.engine.errors import Finding
from holdpoint.schema import check_text, read_value
from holdpoint.sources import files_below
from tests.walking import Walk, made_up

ROOT = Path(__file__).parents[1]
SHIPPED = files_below(ROOT / "workflows")
WALKS = 3
TYPES = ("agent", "approval", "return", "form", "wait", "end")
GIVEN: Mapping[str, Any] = {
    **{name: {"machines": ["a", "b"]} for name in ("canary", "everywhere", "take_back", "clean_up")},
    **{name: {"number": 1} for name in ("prepare", "finish")},
}
"""What the agents give for whose output the workflows have no schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A workflow with one edit: at a path, of a kind; `word` is what else a finding about it may name."""

    path: tuple[str | int, ...]
    kind: str
    document: Any
    words: frozenset[str]


def mutants_of(document: Any) -> Iterator[Mutant]:
    """Every single edit of a workflow that this module knows."""
    states = document["states"]
    for name, state in states.items():
        yield _edited(document, ("states", name), "remove", words={name})
        yield _edited(document, ("states", name), "rename", words={name, f"{name}x"})
        for kind in TYPES:
            if kind != state["type"]:
                yield _edited(document, ("states", name, "type"), "retype", kind, words={name})
        for key in state:
            if key not in ("type", "title", "description"):
                yield _edited(document, ("states", name, key), "remove", words={name, key})
                yield _edited(document, ("states", name, key), "rename", words={name, f"{key}x"})
        for path, to in _targets(state):
            for other in states:
                if other != to:
                    yield _edited(document, ("states", name, *path), "retarget", other, words={name, to, other})
        yield from _swapped(document, name, state)
        for path in _properties(state):
            yield _edited(document, ("states", name, *path), "remove", words={name, str(path[-1])})
        if "default" in state:
            for option in state.get("on", {}):
                if option != state["default"]:
                    yield _edited(document, ("states", name, "default"), "default", option, words={name, option})


def _edited(document: Any, path: tuple[str | int, ...], kind: str, new: Any = None, *, words: set[str]) -> Mutant:
    mutant = copy.deepcopy(document)
    holder = mutant
    for step in path[:-1]:
        holder = holder[step]
    last = path[-1]
    if kind == "remove":
        del holder[last]
    elif kind == "rename":
        items = [(f"{key}x" if key == last else key, value) for key, value in holder.items()]
        holder.clear()
        holder.update(items)
    else:
        holder[last] = new
    return Mutant(path=path, kind=kind, document=mutant, words=frozenset(words))


def _targets(state: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    places: list[tuple[tuple[str, ...], Any]] = [(("next",), state["next"])] if "next" in state else []
    places += [(("on", option), target) for option, target in state.get("on", {}).items()]
    for path, target in places:
        if isinstance(target, str):
            yield path, target
            continue
        for index, item in enumerate(target):
            yield (*path, index, "to"), item["to"]


def _swapped(document: Any, name: str, state: Any) -> Iterator[Mutant]:
    options = list(state.get("on", {}))
    for index, first in enumerate(options):
        for second in options[index + 1 :]:
            on = {**state["on"], first: state["on"][second], second: state["on"][first]}
            yield _edited(document, ("states", name, "on"), "swap", on, words={name, first, second})


def _properties(state: Any) -> Iterator[tuple[str, ...]]:
    for key in ("form", "output"):
        for name in state.get(key, {}).get("properties", {}) if isinstance(state.get(key), dict) else ():
            yield key, "properties", name


def written(mutant: Mutant) -> str:
    """The text of a mutant, one state a block of lines, one key of it a line."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in mutant.document.items() if key != "states"]
    lines.append("states:")
    for name, state in mutant.document["states"].items():
        lines.append(f"  {json.dumps(name)}:")
        lines += [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in state.items()]
    return "\n".join(lines) + "\n"


def is_in_place(mutant: Mutant, text: str, findings: tuple[Finding, ...]) -> bool:
    """Whether some error stands in the edited state, or at a line or in words that name what was edited."""
    lines = text.splitlines()
    state = str(mutant.path[1])
    for finding in findings:
        above = [line for line in lines[: finding.line] if re.match(r'  "', line)]
        here = above[-1].strip().strip('":') if above else ""
        said = f"{lines[finding.line - 1]} {finding.message}"
        if here == state or any(re.search(rf"\b{re.escape(word)}\b", said) for word in mutant.words):
            return True
    return False


def _outputs(original: Any) -> Iterator[tuple[str, Callable[[Random], Any]]]:
    """What the agents of a workflow give, whatever became of their schemas."""
    for name, state in original["states"].items():
        if "output" in state:
            yield name, partial(made_up, state["output"])
        elif name in GIVEN:
            yield name, partial(_given, name)


def _given(name: str, chance: Random) -> Any:
    return GIVEN[name]


def test_there_are_many_mutants() -> None:
    counts = Counter(mutant.kind for path in SHIPPED for mutant in mutants_of(read_value(path.read_bytes(), str(path))))

    assert sum(counts.values()) >= 500
    assert set(counts) == {"remove", "rename", "retype", "retarget", "swap", "default"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_mutant_is_refused_where_it_was_edited_or_runs_to_an_end(path: Path) -> None:
    stuck, misplaced = [], []
    original = read_value(path.read_bytes(), str(path))
    outputs = dict(_outputs(original))
    for mutant in mutants_of(original):
        text = written(mutant)
        document, findings = check_text(text, "w.yaml")
        errors = tuple(finding for finding in findings if finding.severity == "error")
        if document is None:
            if not is_in_place(mutant, text, errors):
                misplaced.append((mutant.kind, mutant.path, [str(finding) for finding in errors]))
            continue
        if findings:
            continue  # told of, and run all the same
        for seed in range(WALKS):
            ending = Walk(text, seed, outputs).to_its_end()
            is_stuck = ending.run.status == "failed" or ending.unapproved
            if is_stuck:
                stuck.append((mutant.kind, mutant.path, ending.run.error, ending.unapproved))
                break

    assert misplaced == []
    assert stuck == []
