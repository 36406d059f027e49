"""Studies: every case played, measured, and two versions of a workflow compared case by case."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Final, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import Invalid, NotFound
from holdpoint.evaluation.estimates import Estimate, agreement, bootstrap, kappa, wilson
from holdpoint.evaluation.playing import Result, Setting, numbers_at, play
from holdpoint.evaluation.recording import Attempt, Place
from holdpoint.evaluation.standins import from_json, to_json

Played: TypeAlias = Sequence[Result]
"""What became of one case, repeat by repeat."""
Recorded: TypeAlias = Mapping[str, Sequence[Mapping[Place, Sequence[Attempt]]]]

MEASURES: Final[Mapping[str, str]] = {
    "accuracy": "as expected",
    "rounds": "rounds",
    "cost": "cost",
    "seconds": "time to the end",
    "elapsed": "time on this machine",
    "agreement": "agreement",
    "kappa": "Cohen's kappa",
}
"""What is measured, in words; the last two by state: `agreement of review`."""

SHARES: Final = ("accuracy", "agreement")
MUCH_UNDEFINED: Final = 0.1
"""Where a measure is undefined in this share of resamples, its interval says less than it seems to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A definition and what became of every case by it. `measures` are by name; `expected` is by case.

    `warnings` say what was to be measured, and could not be, and what was played otherwise than the cases mean it.
    """

    file: str
    definition: Definition
    cases: Sequence[Played]
    measures: Mapping[str, Estimate]
    expected: Mapping[str, Mapping[str, Json]]
    warnings: Sequence[str] = ()

    @property
    def results(self) -> list[Result]:
        """All plays, case by case."""
        return [result for played in self.cases for result in played]

    def to_dict(self) -> dict[str, Json]:
        """The version as `flow eval --json` prints it."""
        return {
            "file": self.file,
            "version": self.definition.version,
            "measures": {name: found.to_dict() for name, found in self.measures.items()},
            "warnings": list(self.warnings),
            "confusion": {
                what: [{"expected": one, "found": other, "count": count} for (one, other), count in table]
                for what, table in self.confusion.items()
            },
            "results": [result.to_dict() for result in self.results],
        }

    @property
    def confusion(self) -> Mapping[str, list[tuple[tuple[str, str], int]]]:
        """How often what was expected and what was found came together, of outcomes and of states."""
        tables = {what: Counter(self._pairs(what)) for what in ("outcome", "state")}
        return {what: sorted(table.items()) for what, table in tables.items() if table}

    def _pairs(self, what: str) -> Iterator[tuple[str, str]]:
        for result in self.results:
            expected = self.expected[result.case].get(what)
            if expected is not None:
                found = getattr(result, what)
                is_there = found is not None and (what == "state" or result.status == "done")
                yield str(expected), str(found) if is_there else result.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One version or two, measured on the same cases. `differences` are those of the second to the first."""

    workflow: str
    cases: str
    repeat: int
    agents: str
    versions: Sequence[Version]
    differences: Mapping[str, Estimate]

    @property
    def parted(self) -> list[str]:
        """The cases that end otherwise by the second version than by the first."""
        if len(self.versions) < 2:
            return []
        pairs = zip(self.versions[0].cases, self.versions[1].cases, strict=True)
        return [one[0].case for one, other in pairs if _ends(one) != _ends(other)]

    def to_dict(self) -> dict[str, Json]:
        """The study as `flow eval --json` prints it."""
        return {
            "workflow": self.workflow,
            "cases": self.cases,
            "repeat": self.repeat,
            "agents": self.agents,
            "versions": [version.to_dict() for version in self.versions],
            "differences": {name: found.to_dict() for name, found in self.differences.items()},
            "parted": list(self.parted),
        }


def _ends(played: Played) -> list[tuple[str, str | None, str | None]]:
    return [(result.status, result.state, result.outcome) for result in played]


def evaluate(
    files: Sequence[tuple[str, Definition]],
    setting: Setting,
    *,
    repeat: int = 1,
    workers: int = 1,
    on_played: Callable[[], None] | None = None,
) -> Study:
    """Play every case *repeat* times by each of one or two definitions, with the *setting* but for its definition.

    *on_played* is called after each play, in the thread of the caller.
    """
    versions = []
    for file, definition in files:
        cases = _played(replace(setting, definition=definition), repeat, workers, on_played)
        measures = _measured(cases, setting)
        versions.append(
            Version(
                file=file,
                definition=definition,
                cases=cases,
                measures=measures,
                expected={case.name: case.expect for case in setting.cases.cases},
                warnings=[
                    *_foreign(definition, setting.definition),
                    *_refused_outputs(cases),
                    *_unfound(cases, setting),
                    *_empty_kappas(cases, setting),
                    *_often_undefined(measures),
                ],
            )
        )
    return Study(
        workflow=files[0][1].workflow,
        cases=str(setting.cases.path),
        repeat=repeat,
        agents=setting.agents,
        versions=versions,
        differences=_differences(versions[0], versions[1], setting) if len(versions) > 1 else {},
    )


def _played(setting: Setting, repeat: int, workers: int, on_played: Callable[[], None] | None) -> list[Played]:
    jobs = [(case, number) for case in setting.cases.cases for number in range(repeat)]
    with ThreadPoolExecutor(workers) as pool:
        results = []
        for result in pool.map(lambda job: play(setting, *job), jobs):
            results.append(result)
            if on_played is not None:
                on_played()
    return [results[start : start + repeat] for start in range(0, len(results), repeat)]


Statistic: TypeAlias = Callable[[Sequence[Played]], float | None]


def _statistics(setting: Setting) -> dict[str, Statistic]:
    """What is measured of the plays of many cases, by name. A case counts once, however often it is played."""
    found: dict[str, Statistic] = {
        "accuracy": _mean(lambda result: None if result.met is None else float(result.met)),
        "rounds": _mean(lambda result: result.rounds),
        "seconds": _mean(lambda result: result.seconds),
    }
    if setting.cases.cost:
        found["cost"] = _mean(lambda result: result.cost)
    if setting.agents == "real":
        found["elapsed"] = _mean(lambda result: result.elapsed)
    for state in setting.cases.recommendation:
        found[f"agreement.{state}"] = partial(_of_pairs, state, agreement)
        found[f"kappa.{state}"] = partial(_of_pairs, state, kappa)
    return found


def _mean(read: Callable[[Result], float | None]) -> Statistic:
    def statistic(cases: Sequence[Played]) -> float | None:
        means = [mean for played in cases if (mean := _of_case(played)) is not None]
        return fmean(means) if means else None

    known: dict[int, float | None] = {}

    def _of_case(played: Played) -> float | None:
        if id(played) not in known:
            values = [value for result in played if (value := read(result)) is not None]
            known[id(played)] = fmean(values) if values else None
        return known[id(played)]

    return statistic


def _of_pairs(
    state: str, measure: Callable[[Sequence[tuple[str, str]]], float | None], cases: Sequence[Played]
) -> float | None:
    return measure(_pairs_in(state, cases))


def _pairs_in(state: str, cases: Sequence[Played]) -> list[tuple[str, str]]:
    """What was recommended in a state and what was decided there, each time that both are known."""
    return [
        (str(one.recommended), one.decided)
        for played in cases
        for result in played
        for one in result.opinions
        if one.state == state and one.recommended is not None
    ]


def _measured(cases: Sequence[Played], setting: Setting) -> dict[str, Estimate]:
    found = {}
    without = {f"kappa.{state}" for state in setting.cases.recommendation if _constant_in(state, cases)}
    for name, statistic in _statistics(setting).items():
        if name in without:
            continue
        counted = [played for played in cases if statistic([played]) is not None or name.startswith("kappa.")]
        estimate = _estimated(name, counted, statistic)
        if estimate is not None:
            found[name] = estimate
    return found


def _unfound(cases: Sequence[Played], setting: Setting) -> Iterator[str]:
    """What was to be measured of the plays, and never was there."""
    results = [result for played in cases for result in played]
    for state, path in setting.cases.recommendation.items():
        found = [one for result in results for one in result.opinions if one.state == state]
        if not found:
            yield f"no agreement in {state!r} is measured: no person decided there"
        elif all(one.recommended is None for one in found):
            yield f"no agreement in {state!r} is measured: nothing was ever found at {'.'.join(path)!r}"
    for path in setting.cases.cost:
        if not any(numbers_at(path, result.attempts) for result in results):
            yield f"no cost is measured at {'.'.join(path)!r}: no number was ever found there"


def _constant_in(state: str, cases: Sequence[Played]) -> str | None:
    """What is always the same in a state, so that chance alone gives all agreement there is, and no kappa says more."""
    pairs = _pairs_in(state, cases)
    for what, words in (("recommended", {one for one, _ in pairs}), ("decided", {other for _, other in pairs})):
        if len(words) == 1:
            return f"{min(words)!r} is all that is ever {what}"
    return None


def _empty_kappas(cases: Sequence[Played], setting: Setting) -> Iterator[str]:
    for state in setting.cases.recommendation:
        if why := _constant_in(state, cases):
            yield f"no Cohen's kappa in {state!r} is measured: {why}"


def _often_undefined(measures: Mapping[str, Estimate]) -> Iterator[str]:
    for name, found in measures.items():
        if found.undefined >= MUCH_UNDEFINED:
            kind, _, state = name.partition(".")
            share = f"{100 * found.undefined:.0f} %"
            what = f"{MEASURES[kind]} in {state!r} is undefined in {share} of the resamples"
            yield f"{what}: its interval leaves them out"


def _foreign(definition: Definition, other: Definition) -> Iterator[str]:
    """That it is no version of the workflow that the cases are of."""
    if definition.workflow != other.workflow:
        yield f"the cases are of the workflow {other.workflow!r}, and this is {definition.workflow!r}"


def _refused_outputs(cases: Sequence[Played]) -> Iterator[str]:
    """By state, that its agent gave what the state does not take: its failure is then none that a case describes."""
    found: dict[str, list[str]] = {}
    for played in cases:
        for result in played:
            for one in result.failures:
                if one.code == "agent_output":
                    found.setdefault(one.state, []).append(one.message)
    for state, messages in found.items():
        times = "once" if len(messages) == 1 else f"{len(messages)} times"
        yield f"what the agent of {state!r} gave was refused {times} (agent_output): {messages[0]}"


def _estimated(name: str, cases: Sequence[Played], statistic: Statistic) -> Estimate | None:
    if not cases:
        return None
    share = statistic(cases)
    if name.partition(".")[0] in SHARES and share is not None:
        # A case that is played several times is one case still: its plays are no independent trials.
        return wilson(share, len(cases))
    return bootstrap(cases, statistic)


def _differences(before: Version, after: Version, setting: Setting) -> dict[str, Estimate]:
    """What the second version has more of than the first, of each measure of both, resampled case by case."""
    found = {}
    pairs = list(zip(before.cases, after.cases, strict=True))
    for name, statistic in _statistics(setting).items():
        if name not in before.measures or name not in after.measures:
            continue

        def difference(chosen: Sequence[tuple[Played, Played]], statistic: Statistic = statistic) -> float | None:
            one, other = statistic([pair[0] for pair in chosen]), statistic([pair[1] for pair in chosen])
            return None if one is None or other is None else other - one

        estimate = bootstrap(pairs, difference)
        if estimate is not None:
            found[name] = estimate
    return found


def recorded_text(version: Version) -> str:
    """A file from which the agents of these plays can be played again."""
    cases = {played[0].case: [to_json(result.attempts) for result in played] for played in version.cases}
    document = {"workflow": version.definition.workflow, "version": version.definition.version, "cases": cases}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def load_recorded(path: Path) -> Recorded:
    """What agents gave, by case and repeat, of such a file. Raises `NotFound` and `Invalid`."""
    try:
        document = json.loads(path.read_bytes())
        return {name: [from_json(kept) for kept in repeats] for name, repeats in document["cases"].items()}
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(f"{path} is no recording of flow eval; --record makes one", code="recording") from None
    except Invalid as error:
        raise Invalid(f"{path}: {error.message}", code="recording") from None
