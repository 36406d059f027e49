"""Times scenarios of the expense workflow: how long a thousand take on one core, and what of it costs.

The scenarios are those that ship with the workflow, over and over; each has an engine and a store of its own, as in
`flow test`. CPU time counts, for a busy machine makes all else longer. Beside it stands what an engine takes that is
made and closed and does nothing; both take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from holdpoint import Engine
from holdpoint.scenarios.model import Scenario, Suite
from holdpoint.scenarios.play import play
from holdpoint.scenarios.reading import load_suite
from holdpoint.scenarios.run import loader

FILE = Path(__file__).parents[1] / "workflows" / "expense" / "expense.scenarios.yaml"
COUNT = 1_000
TARGET = 20.0
"""Seconds for a thousand scenarios, on one core."""


def main() -> int:
    """Measure, print the report, and return the exit status."""
    options = _options()
    report = measure(options.file, options.count)
    report["missed"] = list(misses(report))
    print(json.dumps(report, indent=1) if options.json else _readable(report))
    return 1 if report["missed"] and options.check else 0


def measure(file: Path, count: int) -> dict[str, Any]:
    """What so many scenarios take, and a part of them."""
    started = time.process_time()
    suite = load_suite(file)
    loading = time.process_time() - started
    chosen = [suite.scenarios[number % len(suite.scenarios)] for number in range(count)]
    _play(suite, chosen[0])  # warm
    clock = time.perf_counter()
    played: list[float] = []
    engines: list[float] = []
    for scenario in chosen:
        played.append(_seconds(partial(_play, suite, scenario)))
        engines.append(_seconds(partial(_make, suite)))
    wall = time.perf_counter() - clock - sum(engines)
    return {
        "scenarios": count,
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
        "load_ms": _ms(loading),
        "cpu_s": round(sum(played), 2),
        "wall_s": round(wall, 2),
        "per_scenario_ms": _ms(median(played)),
        "engine_ms": _ms(median(engines)),
        "thousand_s": round(sum(played) / count * COUNT, 2),
    }


def _play(suite: Suite, scenario: Scenario) -> None:
    played = play(suite, scenario, loader(suite))
    if not played.passed:
        raise RuntimeError(f"the scenario {scenario.name!r} fails: {played.told(str(suite.path))}")


def _make(suite: Suite) -> None:
    """What a scenario needs before anything happens: an engine and a store, made and closed."""
    with Engine("memory://", project=suite.workflow.parent, people=suite.people):
        pass


def _seconds(what: Callable[[], object]) -> float:
    started = time.process_time()
    what()
    return time.process_time() - started


def misses(report: dict[str, Any]) -> Iterator[str]:
    """Each target that was missed, and by how much."""
    if report["thousand_s"] > TARGET:
        yield f"1,000 scenarios take {report['thousand_s']} s of CPU, and should take at most {TARGET:g}"


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 2)


def _readable(report: dict[str, Any]) -> str:
    lines = [
        f"{report['scenarios']} scenarios; Python {report['python']}, {report['cores']} cores, one of them used",
        f"CPU {report['cpu_s']} s, wall {report['wall_s']} s; 1,000 take {report['thousand_s']} s of CPU"
        f" (target {TARGET:g})",
        f"a scenario {report['per_scenario_ms']} ms in the median, of which its engine {report['engine_ms']} ms;"
        f" loading the file, once, {report['load_ms']} ms",
    ]
    lines += [f"missed: {line}" for line in report["missed"]] or ["all targets met"]
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, metavar="N", help=f"how many scenarios (default {COUNT})")
    parser.add_argument("--file", type=Path, default=FILE, metavar="FILE", help="another scenario file")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    options = parser.parse_args()
    if options.count < 1:
        parser.error(f"--count is at least 1, not {options.count}")
    return options


if __name__ == "__main__":
    sys.exit(main())
