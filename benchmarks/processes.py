"""Times `flow --help`, `flow start` and `flow decide` as whole processes, beside an empty click program.

The empty program is a click group with a lazy loader and no commands, started as an installed console script is. All
of them are warm, and alternate round by round. The best time counts, for what comes on top of it is not the program's;
the median and the best CPU time are there to judge it by.
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
from typing import Any, NamedTuple

WORKFLOW = """
workflow: NAME
input:
  type: object
  required: [name]
  properties:
    name: {type: string}
states:
  draft:
    type: agent
    python: agents:draft
    isolate: ISOLATED
    with: {name: "{{ input.name }}"}
    artifact: notes
    next: review
  review:
    type: approval
    show: [notes]
    message: "Release {{ input.name }}?"
    on: {approve: released, reject: refused}
    timeout: 2d
    default: reject
  released: {type: end}
  refused: {type: end, outcome: failure}
"""
AGENTS = """
def draft(name):
    return {"text": f"What is new in {name}"}
"""
EMPTY = """
import click


class Lazy(click.Group):
    commands_by_name = {}

    def list_commands(self, context):
        return list(self.commands_by_name)

    def get_command(self, context, name):
        if name not in self.commands_by_name:
            return None
        from importlib import import_module

        return import_module(self.commands_by_name[name]).command


main = Lazy(name="empty", help="Does nothing.")
"""
SCRIPT = """#!{python}
# -*- coding: utf-8 -*-
import re
import sys
from empty import main
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""
ISOLATED = "flow start *"  # with an agent in a process of its own, which is the default
PROCESSES = ("empty --help", "flow --help", "flow start", ISOLATED, "flow decide")
HELP_RATIO = 1.2
COMMAND_SECONDS = 0.25
WARM_UP = 2
_NOT_WARM = {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"}


class Seconds(NamedTuple):
    """What a process took by the clock on the wall, and of the processor."""

    wall: float
    cpu: float


class Project:
    """A fresh folder with one small workflow, and the two programs to be run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flow = Path(sys.executable).with_name("flow")
        self.empty = folder / "empty"
        # Warm means that bytecode is there, as it is after an installation.
        self._environment = {name: text for name, text in os.environ.items() if name not in _NOT_WARM}
        (folder / "workflows").mkdir()
        for name, is_isolated in (("release", "false"), ("isolated", "true")):
            text = WORKFLOW.replace("NAME", name, 1).replace("ISOLATED", is_isolated)
            (folder / "workflows" / f"{name}.yaml").write_text(text)
        (folder / "agents.py").write_text(AGENTS)
        (folder / "flow.toml").write_text('database = "sqlite:///flow.db"\n')
        (folder / "empty.py").write_text(EMPTY)
        self.empty.write_text(SCRIPT.format(python=sys.executable))
        self.empty.chmod(0o755)

    def run(self, *command: str | Path) -> tuple[Seconds, str]:
        """What a process took from start to end, and its standard output."""
        cpu, wall = _children_cpu(), time.perf_counter()
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        seconds = Seconds(time.perf_counter() - wall, _children_cpu() - cpu)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr or done.stdout}")
        return seconds, done.stdout


def main() -> int:
    """Measure, print the report, and return the exit status."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="holdpoint-processes-") as folder:
        report = measure(Project(Path(folder)), options.rounds)
    report["missed"] = list(misses(report))
    print(json.dumps(report, indent=1) if options.json else _readable(report))
    return 1 if report["missed"] and options.check else 0


def measure(project: Project, rounds: int) -> dict[str, Any]:
    """What each kind of process takes, over rounds that run each once."""
    times: dict[str, list[Seconds]] = {name: [] for name in PROCESSES}
    for _ in range(WARM_UP + rounds):
        times["empty --help"].append(project.run(project.empty, "--help")[0])
        times["flow --help"].append(project.run(project.flow, "--help")[0])
        seconds, output = project.run(project.flow, "--as", "bob", "--json", "start", "release", "-i", "name=one")
        times["flow start"].append(seconds)
        request = json.loads(output)["requests"][0]["id"]
        times[ISOLATED].append(project.run(project.flow, "--as", "bob", "start", "isolated", "-i", "name=one")[0])
        seconds, output = project.run(project.flow, "--as", "dora", "--json", "decide", request, "approve")
        times["flow decide"].append(seconds)
        if json.loads(output)["state"] != "released":
            raise RuntimeError(f"the run did not end as it should: {output}")
    figures = {name: _figures(seconds[WARM_UP:]) for name, seconds in times.items()}
    ours, empty = figures["flow --help"], figures["empty --help"]
    return {
        "rounds": rounds,
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
        "ms": figures,
        "help_ratio": round(ours["best"] / empty["best"], 3),
        "help_ratio_of_medians": round(ours["median"] / empty["median"], 3),
        "help_ratio_of_cpu": round(ours["cpu"] / empty["cpu"], 3),
    }


def misses(report: dict[str, Any]) -> Iterator[str]:
    """Each target that was missed, and by how much."""
    if report["help_ratio"] > HELP_RATIO:
        yield f"flow --help takes {report['help_ratio']} of the empty program's time, and should at most {HELP_RATIO}"
    for name in ("flow start", ISOLATED, "flow decide"):
        seconds = report["ms"][name]["best"] / 1e3
        if seconds > COMMAND_SECONDS:
            yield f"{name} takes {seconds:.3f} s, and should take at most {COMMAND_SECONDS} s"


def _readable(report: dict[str, Any]) -> str:
    lines = [f"{report['rounds']} rounds, warm; Python {report['python']}; milliseconds a process"]
    lines.append(f"{'':14}{'best':>8}{'median':>8}{'CPU':>8}")
    lines += [f"{name:14}{ms['best']:8.1f}{ms['median']:8.1f}{ms['cpu']:8.1f}" for name, ms in report["ms"].items()]
    lines.append(
        f"flow --help / empty --help: {report['help_ratio']} by the best (target {HELP_RATIO}), "
        f"{report['help_ratio_of_medians']} by the medians, {report['help_ratio_of_cpu']} by CPU; "
        f"start and decide: target {COMMAND_SECONDS * 1e3:.0f}"
    )
    lines += [f"missed: {line}" for line in report["missed"]] or ["all targets met"]
    return "\n".join(lines)


def _figures(seconds: list[Seconds]) -> dict[str, float]:
    """Milliseconds: the best and the median by the wall, and the best of the processor."""
    return {
        "best": round(min(item.wall for item in seconds) * 1e3, 1),
        "median": round(median(item.wall for item in seconds) * 1e3, 1),
        "cpu": round(min(item.cpu for item in seconds) * 1e3, 1),
    }


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="how often each is timed (default 20)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is at least 1, not {options.rounds}")
    return options


if __name__ == "__main__":
    sys.exit(main())
