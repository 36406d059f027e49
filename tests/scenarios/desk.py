"""What the tests of scenarios share: a workflow with a return loop, a guard, a wait and an agent that may fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdpoint import cli, trials
from holdpoint.scenarios.run import Tested

LETTER = """\
workflow: letter
timezone: Europe/Rome
input:
  type: object
  required: [pages]
  properties: {pages: {type: integer}}
states:
  write:
    type: agent
    python: letters:write
    with: {pages: "{{ input.pages }}"}
    artifact: text
    retry: {attempts: 2, delay: 1m}
    on: {done: review, error: lost}
  review:
    type: return
    message: "Is it right, all {{ input.pages }} of it?"
    show: [text]
    on: {accept: sign, revise: write}
    timeout: 2d
    default: accept
  sign:
    type: approval
    message: Sign it?
    assign: ["role:boss"]
    exclude: [initiator]
    on:
      approve: [{to: stamp, when: "input.pages > 10"}, {to: post}]
      reject: lost
    timeout: 48h
    default: reject
  stamp: {type: wait, signal: stamped, on: {received: post, timeout: lost}, timeout: 1d}
  post:
    type: agent
    command: [python, post.py]
    with: {text: "{{ artifacts.text }}"}
    effect: irreversible
    next: sent
  sent: {type: end, output: {text: "{{ artifacts.text }}"}}
  lost: {type: end, outcome: failure}
"""
HEAD = """\
workflow: letter.yaml
people: {dora: [boss], olga: [operator]}
agents: {write: Dear all, post: {ok: true}}
scenarios:
"""


class Desk:
    """A folder with the workflow, where scenarios are written and played."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture
        (folder / "letter.yaml").write_text(LETTER)
        (folder / "flow.toml").write_text('workflows = ["."]\n')

    def write(self, scenarios: str, head: str = HEAD, name: str = "letter") -> Path:
        """Write a file of scenarios."""
        path = self.folder / f"{name}.scenarios.yaml"
        path.write_text(head + scenarios)
        return path

    def play(self, scenarios: str, head: str = HEAD) -> Tested:
        """Write scenarios and play them."""
        (tested,) = trials.play_scenarios([self.write(scenarios, head)])
        return tested

    def failures(self, scenarios: str, head: str = HEAD) -> list[tuple[int, str]]:
        """What does not match in the only scenario: the line of its file, and in words."""
        (played,) = self.play(scenarios, head).played
        return [(one.line - head.count("\n"), one.message) for one in played.mismatches]

    def flow(self, *words: str) -> tuple[int, str, str]:
        """Run `flow` here: its status and what it printed."""
        self._capture.readouterr()
        status = cli.run(words)
        printed = self._capture.readouterr()
        return status, printed.out, printed.err
