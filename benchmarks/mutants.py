"""Of the single edits of shipped workflows that `check` accepts, the share that scenarios and exploration catch.

    python benchmarks/mutants.py [--only WORKFLOW] [--time SECONDS] [--json]

An edit is caught by a shipped scenario that fails or no longer covers what it covered, by a scenario that
`flow explore --write --detailed` made of the shipped workflow, or by what `flow explore` finds in the edited one. What
only a proof tells that no longer holds (`flow diff-workflow`), or a warning of `check`, is counted beside it. Edits
that change nothing that a run does (the same version) are not counted. The exit status is 1 where less than nine in ten
are caught.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from holdpoint.engine.definition import Definition  # noqa: E402
from holdpoint.engine.errors import DefinitionError, Invalid  # noqa: E402
from holdpoint.scenarios.exploration import suites_beside  # noqa: E402
from holdpoint.scenarios.explore import Limits, explore  # noqa: E402
from holdpoint.scenarios.model import Suite  # noqa: E402
from holdpoint.scenarios.reading import load_suite  # noqa: E402
from holdpoint.scenarios.run import Tested, play_suite  # noqa: E402
from holdpoint.scenarios.subjects import subject_of  # noqa: E402
from holdpoint.scenarios.written import covering_scenarios, suite_text  # noqa: E402
from holdpoint.schema import Checked, check, read_value  # noqa: E402
from holdpoint.sources import files_below  # noqa: E402
from tests.test_mutants import Mutant, mutants_of, written  # noqa: E402

ENOUGH = 0.9
PROOF = "proof alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A mutant that was accepted: what caught it, nothing if nothing did."""

    workflow: str
    mutant: Mutant
    caught_by: str
    said: str
    is_warned: bool

    @property
    def is_caught(self) -> bool:
        """Whether scenarios or exploration catch it."""
        return self.caught_by not in ("", PROOF)

    @property
    def name(self) -> str:
        """The edit in words."""
        return f"{self.workflow}: {self.mutant.kind} {'.'.join(map(str, self.mutant.path[1:]))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A shipped workflow, what is proved of it, and how much its scenarios cover."""

    path: Path
    scenarios: Path
    checked: Checked
    version: str
    percent: float
    written: str


def judged(path: Path, seconds: float) -> Iterator[Judged]:
    """Every mutant of a workflow that `check` accepts and that is another workflow."""
    [suite] = suites_beside(path)
    checked = check(path.read_bytes(), str(path))
    explored = explore(subject_of(path, [suite]), Limits(seconds=6 * seconds, walks=0))
    found_scenarios, _ = covering_scenarios(explored, frozenset(), is_detailed=True)
    original = Original(
        path=path,
        scenarios=suite.path,
        checked=checked,
        version=suite.definition.version,
        percent=play_suite(suite).coverage.percent,
        written=suite_text(explored.subject, path.parent, found_scenarios),
    )
    for mutant in mutants_of(read_value(path.read_bytes(), str(path))):
        text = written(mutant)
        found = check(text, path.name)
        if found.document is None or Definition.from_document(found.document).version == original.version:
            continue
        is_warned = len(found.findings) > len(checked.findings)
        caught_by, said = _caught(original, text, found, seconds)
        yield Judged(workflow=path.stem, mutant=mutant, caught_by=caught_by, said=said, is_warned=is_warned)


def _caught(original: Original, text: str, found: Checked, seconds: float) -> tuple[str, str]:
    caught = _caught_by_tests(original, text, seconds)
    if caught[0]:
        return caught
    for before, after in zip(original.checked.proofs, found.proofs, strict=True):
        if before.holds and not after.holds:
            return PROOF, after.reason
    return "", ""


def _caught_by_tests(original: Original, text: str, seconds: float) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / original.path.name
        path.write_text(text, encoding="utf-8")
        scenarios = Path(folder) / original.scenarios.name
        scenarios.write_bytes(original.scenarios.read_bytes())
        for file in original.path.parent.glob("*.py"):  # functions that scenarios name
            (Path(folder) / file.name).write_bytes(file.read_bytes())
        return _caught_in(original, path, scenarios, seconds)


def _caught_in(original: Original, path: Path, scenarios: Path, seconds: float) -> tuple[str, str]:
    suite, tested, said = _played(scenarios)
    if said or suite is None or tested is None:
        return "scenario", said
    if tested.coverage.percent < original.percent:
        return "coverage", f"{tested.coverage.percent:.0f} % instead of {original.percent:.0f} %"
    written_ones = path.with_name("written.scenarios.yaml")
    written_ones.write_text(original.written, encoding="utf-8")
    if said := _played(written_ones)[2]:
        return "written scenario", said
    written_ones.unlink()
    try:
        explored = explore(subject_of(path, [suite]), Limits(seconds=seconds, walks=0))
    except Invalid as error:
        return "explore", str(error)
    for guided in explored.problems.values():
        return "explore", next(iter(guided.broken.values()))
    return "", ""


def _played(scenarios: Path) -> tuple[Suite | None, Tested | None, str]:
    """A scenario file that is played: what is first found wrong, an empty text where nothing is."""
    try:
        suite = load_suite(scenarios)
    except DefinitionError as error:
        return None, None, str(error).splitlines()[0]
    tested = play_suite(suite)
    failed = [one for one in tested.played if not one.passed]
    said = f"{failed[0].scenario.name}: {failed[0].mismatches[0].message}" if failed else ""
    return suite, tested, said


def _print_workflow(name: str, found: Sequence[Judged]) -> None:
    for one in found:
        if not one.is_caught:
            print(f"missed  {one.name}" + (f", by {one.caught_by}" if one.caught_by else ""))
    print(f"{name}: {sum(one.is_caught for one in found)} of {len(found)}", flush=True)


def share_of(found: Sequence[Judged], *also: str) -> float:
    """The share that tests catch, or what is named *also*."""
    return sum(one.is_caught or one.caught_by in also for one in found) / max(1, len(found))


def _print_sum(found: Sequence[Judged]) -> None:
    counts = Counter(one.caught_by or "nothing" for one in found)
    print(", ".join(f"by {what} {count}" for what, count in counts.most_common()))
    silent = [one for one in found if not one.is_warned]
    told = sum(bool(one.caught_by) or one.is_warned for one in found)
    print(f"caught by scenarios or exploration: {share_of(found):.1%} of the {len(found)} that check accepts")
    print(f"  of the {len(silent)} that it accepts without a word: {share_of(silent):.1%}")
    print(f"with a proof that holds no more: {share_of(found, PROOF):.1%}; with warnings too: {told / len(found):.1%}")


def main() -> int:
    """Judge all mutants and print the share that is caught."""
    parser = argparse.ArgumentParser(description="The share of accepted mutants that scenarios and exploration catch.")
    parser.add_argument("--only", default="", metavar="WORKFLOW", help="only files with WORKFLOW in their names")
    parser.add_argument("--time", type=float, default=10, metavar="SECONDS", help="to explore one mutant")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    found: list[Judged] = []
    for path in files_below(ROOT / "workflows"):
        if given.only in path.name and suites_beside(path):
            mine = list(judged(path, given.time))
            found += mine
            if not given.json:
                _print_workflow(path.stem, mine)
    share = share_of(found)
    if given.json:
        mutants = [
            {"name": one.name, "caught_by": one.caught_by, "said": one.said, "warned": one.is_warned} for one in found
        ]
        print(json.dumps({"share": share, "mutants": mutants}, indent=2))
    else:
        _print_sum(found)
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
