"""Faults planted in the engine, each in a copy of the tree, and whether exploration or the property tests find it.

    python benchmarks/planted_faults.py [--only TEXT] [--jobs N] [--json] [--list]

A fault replaces one piece of text; if that is no longer there, this fails loudly. For each, `flow explore` is run on
workflows and then the property tests, until something is found. The exit status is 1 if a fault is missed, or if
something is found where nothing was planted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROPERTY_TESTS = ("tests/test_proved_walks.py", "tests/test_properties.py")
WORKFLOWS = (
    "gates.yaml",
    "holdpoint/workflows/deploy/deploy.yaml",
    "holdpoint/workflows/expense/expense.yaml",
    "holdpoint/workflows/incident/incident.yaml",
    "holdpoint/workflows/tactus/meeting-recap.yaml",
)
GATES = """
workflow: gates
input: {type: object, required: [amount], properties: {amount: {type: number}}}
on_cancel: clean_up
states:
  make: {type: agent, command: [make], output: {type: string}, artifact: report, retry: {attempts: 3}, next: review}
  review:
    type: return
    show: [report]
    max_returns: 2
    on: {accept: pay, revise: make}
    timeout: 2h
    default: accept
  pay:
    type: approval
    assign: ["role:manager"]
    exclude: [initiator]
    on:
      approve:
        - {to: heard, when: "input.amount > 100"}
        - {to: done}
      reject: refused
    timeout: 1d
    default: reject
  heard: {type: wait, signal: paid, on: {received: done, timeout: refused}, timeout: 3h}
  clean_up: {type: agent, command: [clean], next: undone}
  done: {type: end}
  refused: {type: end, outcome: failure}
  undone: {type: end, outcome: cancelled}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault in words, and the text of a file that is replaced."""

    name: str
    file: str
    old: str
    new: str


_LATER = "__import__('datetime').timedelta(hours=1)"
_SECOND = "__import__('datetime').timedelta(seconds=1)"
FAULTS = (
    Fault(
        name="a default is applied a second early",
        file="engine/evolve.py",
        old="        opened_at=entry.at,\n        due_at=parse_time(due_at) if due_at else None,",
        new=f"        opened_at=entry.at,\n        due_at=parse_time(due_at) - {_SECOND} if due_at else None,",
    ),
    Fault(
        name="a default is applied to the request that follows too",
        file="engine/decide.py",
        old="""        _after_crash(draft, default["decision"], answers, None)
    proceed(draft)
    return True
""",
        new="""        _after_crash(draft, default["decision"], answers, None)
    proceed(draft)
    for other in list(draft.run.requests.values()):
        draft.emit("request.expired", actor_kind="timer", request=other.id, decision=other.silence["decision"],
                   at=format_time(other.due_at) if other.due_at else None)
        proceed(draft)
    return True
""",
    ),
    Fault(
        name="a decision that is sent twice is counted twice",
        file="engine/desk.py",
        old="        return row is not None and self._is_same(row)",
        new="        return False",
    ),
    Fault(
        name="a person's edit is lost",
        file="engine/decide.py",
        old="    if sha256 != latest.sha256:",
        new="    if sha256 == latest.sha256:",
    ),
    Fault(
        name="a return is not counted",
        file="engine/evolve.py",
        old='    if option == "revise":',
        new='    if option == "revision":',
    ),
    Fault(
        name="a return is counted twice",
        file="engine/evolve.py",
        old="run.returns.get(request.state, 0) + 1",
        new="run.returns.get(request.state, 0) + 2",
    ),
    Fault(
        name="one return more than max_returns is offered",
        file="engine/definition.py",
        old="returns >= self.max_returns",
        new="returns > self.max_returns",
    ),
    Fault(
        name="a signal for another state moves a deadline",
        file="engine/evolve.py",
        old='    return {"signals": (*run.signals, Signal(name=entry.data["name"], seq=entry.seq))}',
        new='    return {"signals": (*run.signals, Signal(name=entry.data["name"], seq=entry.seq)), "requests": {'
        "name: replace(one, due_at=one.due_at and one.due_at + " + _LATER + ") for name, one in run.requests.items()}}",
    ),
    Fault(
        name="a signal that comes early is lost",
        file="engine/evolve.py",
        old='    return {"signals": (*run.signals, Signal(name=entry.data["name"], seq=entry.seq))}',
        new='    signal = Signal(name=entry.data["name"], seq=entry.seq)\n'
        '    return {} if run.requests else {"signals": (*run.signals, signal)}',
    ),
    Fault(
        name="a crash is counted as an attempt",
        file="engine/evolve.py",
        old='        "phase": "crashed",\n        "attempts": run.attempts - 1,',
        new='        "phase": "crashed",\n        "attempts": run.attempts,',
    ),
    Fault(
        name="a retry does not wait for its delay",
        file="engine/proceed.py",
        old="format_time(draft.now + retry_in),",
        new="format_time(draft.now),",
    ),
    Fault(
        name="one attempt more than retry allows is made",
        file="engine/definition.py",
        old="if attempts >= self.attempts or",
        new="if attempts > self.attempts or",
    ),
    Fault(
        name="on_cancel is taken twice",
        file="engine/steer.py",
        old="draft.definition.on_cancel and not run.is_cancelling and",
        new="draft.definition.on_cancel and",
    ),
    Fault(
        name="a decision that is refused closes the request",
        file="engine/evolve.py",
        old='        "request.voided": _request_voided,',
        new='        "request.voided": _request_voided,\n'
        '        "decision.refused": lambda run, entry: {"requests": {}},',
    ),
    Fault(
        name="exclude is ignored",
        file="engine/decide.py",
        old="    if is_excluded(request.exclude, command.by, roles):",
        new="    if not request.id and is_excluded(request.exclude, command.by, roles):",
    ),
    Fault(
        name="assign is ignored",
        file="engine/decide.py",
        old="    if not any(may_act(request.assign, option, command.by, roles) for option in options):",
        new="    if not options:",
    ),
    Fault(
        name="a decision on an outdated revision is taken",
        file="engine/decide.py",
        old='    if shown is None or base is None or not 1 <= base < draft.run.artifacts[shown["name"]].revision:',
        new="    if shown is None or base is None or True:",
    ),
    Fault(
        name="a transition is not in the history",
        file="engine/proceed.py",
        old="    if draft.run.state is not None:",
        new="    if not draft.run.id:",
    ),
    Fault(
        name="conditions are not asked",
        file="engine/proceed.py",
        old="        return when.holds(draft.scope())",
        new="        return when.source != ''",
    ),
    Fault(
        name="a deadline that has passed lets a late decision in",
        file="engine/due.py",
        old="request.due_at <= max(now, run.at)",
        new="request.due_at + __import__('datetime').timedelta(hours=9) <= max(now, run.at)",
    ),
    Fault(
        name="the outcome of an end is always success",
        file="engine/proceed.py",
        old="outcome=state.outcome, output=kept",
        new='outcome="success", output=kept',
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a fault was found, by what, and what that says."""

    name: str
    is_found: bool
    by: str
    said: str


def planted(fault: Fault | None, folder: Path) -> Path:
    """A copy of the tree below *folder*, with the fault in it."""
    tree = folder / "holdpoint"
    ignored = shutil.ignore_patterns(".git", ".typing", "__pycache__", ".*_cache", ".venv", ".hypothesis", "docs")
    shutil.copytree(ROOT, tree, ignore=ignored)
    (folder / "gates.yaml").write_text(GATES, encoding="utf-8")
    if fault is not None:
        path = tree / fault.file
        text = path.read_text(encoding="utf-8")
        if text.count(fault.old) != 1:
            raise SystemExit(f"{fault.file} has the text of {fault.name!r} {text.count(fault.old)} times, not once")
        path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    return tree


def looked_for(fault: Fault | None) -> Verdict:
    """Plant a fault and look for it, until something is found."""
    name = fault.name if fault is not None else "nothing"
    with tempfile.TemporaryDirectory() as folder:
        tree = planted(fault, Path(folder))
        for by, said in _findings(tree):
            return Verdict(name=name, is_found=True, by=by, said=said)
    return Verdict(name=name, is_found=False, by="", said="")


def _findings(tree: Path) -> Iterator[tuple[str, str]]:
    for workflow in WORKFLOWS:
        command = ["-m", "holdpoint.cli", "explore", f"./{workflow}", "--walks", "20", "--time", "60"]
        done = _run(tree.parent, tree.parent, command)
        if done.returncode != 0:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if "broken:" in line or "error" in line]
            yield f"flow explore {Path(workflow).name}", lines[0] if lines else f"exit status {done.returncode}"
    for tests in PROPERTY_TESTS:
        done = _run(tree, tree.parent, ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", tests])
        if done.returncode != 0:
            lines = [line for line in done.stdout.splitlines() if line.startswith("E  ")]
            yield tests, lines[0] if lines else done.stdout[-200:]


def _run(cwd: Path, path: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def main() -> int:
    """Look for every fault, and print what was found."""
    parser = argparse.ArgumentParser(description="Plant faults in a copy of the engine and look for them.")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the faults with TEXT in their names")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many are looked for at once")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--list", action="store_true", help="only list the faults, and how often their texts are there")
    given = parser.parse_args()
    if given.list:
        for one in FAULTS:
            print(f"{one.name}\t{(ROOT / one.file).read_text(encoding='utf-8').count(one.old)}")
        return 0
    chosen: list[Fault | None] = [fault for fault in FAULTS if given.only in fault.name]
    if not given.only:
        chosen.append(None)
    with ThreadPoolExecutor(given.jobs) as pool:
        verdicts = []
        for fault, verdict in zip(chosen, pool.map(looked_for, chosen), strict=True):
            verdicts.append(verdict)
            if not given.json:
                word = "found " if verdict.is_found else "missed" if fault else "clean "
                print(
                    f"{word}  {verdict.name}" + (f"\n        by {verdict.by}: {verdict.said}" if verdict.by else ""),
                    flush=True,
                )
    wrong = [
        verdict.name for fault, verdict in zip(chosen, verdicts, strict=True) if verdict.is_found is (fault is None)
    ]
    faults = [verdict for fault, verdict in zip(chosen, verdicts, strict=True) if fault is not None]
    if given.json:
        found = [{"name": each.name, "found": each.is_found, "by": each.by, "said": each.said} for each in verdicts]
        print(json.dumps({"faults": found, "wrong": wrong}, indent=2))
    else:
        print(f"{sum(verdict.is_found for verdict in faults)} of {len(faults)} faults found")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
