"""Times `flow check` of workflows of 10, 100 and 1,000 states: as a whole process, and inside one that is loaded.

The workflow is made here: triples of an agent, a return loop and an approval, each leading to the next, with an input
schema, templates, timeouts and defaults. Whole processes are warm and alternate round by round; the best time counts,
the median and the best CPU time are there to judge it by. Start-up is what `flow check` takes of the smallest workflow
there is, one end state: Python, the libraries and us.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from holdpoint.schema import check_text

SIZES = (10, 100, 1_000)
SMALLEST = "workflow: smallest\nstates:\n  done: {type: end}\n"
HEAD = """\
workflow: generated
input:
  type: object
  required: [amount]
  properties:
    amount: {type: number, exclusiveMinimum: 0}
states:
"""
TRIPLE = """\
  draft_N:
    type: agent
    command: [python, work.py, "{{ visits.draft_N }}"]
    with: {amount: "{{ input.amount }}", feedback: "{{ review_N.comment if review_N else '' }}"}
    artifact: report_N
    next: review_N
  review_N:
    type: return
    message: "Check the report about {{ input.amount }}"     # a comment as people write them
    show: [report_N]
    assign: [initiator]
    on: {accept: gate_N, revise: draft_N}
    timeout: 2d
    default: accept
  gate_N:
    type: approval
    message: "Go on with {{ input.amount }}?"
    show: [report_N]
    assign: ["role:manager"]
    exclude: [initiator]
    on: {approve: NEXT, reject: refused}
    timeout: 48h
    default: reject
"""
TAIL = """\
  done: {type: end, output: {amount: "{{ input.amount }}"}}
  refused: {type: end, outcome: failure}
"""
TARGETS = {10: 0.15, 1_000: 1.0}
"""Seconds: of 10 states beyond start-up, of 1,000 states from start to end."""

WARM_UP = 1


def main() -> int:
    """Measure, print the report, and return the exit status."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="holdpoint-check-") as folder:
        report = measure(Path(folder), options.rounds)
    report["missed"] = list(misses(report))
    print(json.dumps(report, indent=1) if options.json else _readable(report))
    return 1 if report["missed"] and options.check else 0


def workflow(states: int) -> str:
    """A workflow that has at least so many states, and at most two more."""
    triples = max(1, -(-(states - 2) // 3))
    parts = []
    for number in range(triples):
        following = f"draft_{number + 1}" if number + 1 < triples else "done"
        parts.append(TRIPLE.replace("NEXT", following).replace("_N", f"_{number}"))
    return HEAD + "".join(parts) + TAIL


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """What each size takes, over rounds that check each once."""
    texts = {1: SMALLEST, **{size: workflow(size) for size in SIZES}}
    files = {size: folder / f"{size}.yaml" for size in texts}
    for size, text in texts.items():
        files[size].write_text(text)
    whole: dict[int, list[float]] = {size: [] for size in texts}
    cpu: dict[int, list[float]] = {size: [] for size in texts}
    inside: dict[int, list[float]] = {size: [] for size in texts}
    for _ in range(WARM_UP + rounds):
        for size, text in texts.items():
            used = _children_cpu()
            whole[size].append(_process(folder, files[size]))
            cpu[size].append(_children_cpu() - used)
            inside[size].append(_loaded(text))
    start = min(whole[1][WARM_UP:])
    return {
        "rounds": rounds,
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
        "start_up_ms": _ms(start),
        "sizes": {
            size: {
                "states": _states(texts[size]),
                "lines": texts[size].count("\n"),
                "whole_ms": _ms(min(whole[size][WARM_UP:])),
                "whole_median_ms": _ms(median(whole[size][WARM_UP:])),
                "whole_cpu_ms": _ms(min(cpu[size][WARM_UP:])),
                "beyond_start_up_ms": _ms(min(whole[size][WARM_UP:]) - start),
                "inside_ms": _ms(min(inside[size][WARM_UP:])),
            }
            for size in SIZES
        },
    }


def _states(text: str) -> int:
    """How many states the workflow in a text has; it is one in which nothing is wrong."""
    document, findings = check_text(text, "generated.yaml")
    if document is None:
        raise RuntimeError(f"the generated workflow is not valid: {findings[0]}")
    return len(document["states"])


def misses(report: dict[str, Any]) -> Iterator[str]:
    """Each target that was missed, and by how much."""
    beyond, whole = report["sizes"][10]["beyond_start_up_ms"], report["sizes"][1_000]["whole_ms"]
    if beyond > TARGETS[10] * 1e3:
        yield f"10 states take {beyond} ms beyond start-up, and should take at most {TARGETS[10] * 1e3:.0f}"
    if whole > TARGETS[1_000] * 1e3:
        yield f"1,000 states take {whole} ms as a whole, and should take at most {TARGETS[1_000] * 1e3:.0f}"


def _process(folder: Path, file: Path) -> float:
    """Seconds from start to end of `flow check`."""
    command = [sys.executable, "-m", "holdpoint.cli", "check", str(file)]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"flow check {file.name}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return seconds


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _loaded(text: str) -> float:
    """Seconds to check a text in this process, where all is loaded."""
    started = time.perf_counter()
    check_text(text, "generated.yaml")
    return time.perf_counter() - started


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 1)


def _readable(report: dict[str, Any]) -> str:
    lines = [f"{report['rounds']} rounds, warm; Python {report['python']}; the best, in milliseconds"]
    lines.append(
        f"{'states':>8}{'lines':>8}{'whole':>10}{'median':>10}{'CPU':>10}{'beyond start-up':>18}{'in-process':>12}"
    )
    for found in report["sizes"].values():
        lines.append(
            f"{found['states']:8}{found['lines']:8}{found['whole_ms']:10.1f}{found['whole_median_ms']:10.1f}"
            f"{found['whole_cpu_ms']:10.1f}"
            f"{found['beyond_start_up_ms']:18.1f}{found['inside_ms']:12.1f}"
        )
    lines.append(
        f"start-up (one end state): {report['start_up_ms']}; targets: 10 states {TARGETS[10] * 1e3:.0f} beyond it, "
        f"1,000 states {TARGETS[1_000] * 1e3:.0f} as a whole"
    )
    lines += [f"missed: {line}" for line in report["missed"]] or ["all targets met"]
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="how often each is timed (default 10)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is at least 1, not {options.rounds}")
    return options


if __name__ == "__main__":
    sys.exit(main())
