"""The agents of these workflows, in a language model's place and predictably."""

from __future__ import annotations

import json
from pathlib import Path

CHANGES = ["a faster search", "one bug less"]


def write_about(name: str, color: str, feedback: str | None) -> str:
    """A document; with the feedback of the person who sent the last one back, if somebody did."""
    text = f"{name} likes {color}.\n"
    return f"{text}\n{feedback}\n" if feedback else text


def draft_recap(notes: list[str], feedback: str | None) -> dict[str, object]:
    """A recap of raw notes: the first is the subject, those that begin with `todo:` are the action items."""
    subject, *rest = [note.strip() for note in notes]
    if not subject:
        raise ValueError("the first note is the subject of the recap, and it is empty")
    items = [note[5:].strip() for note in rest if note.lower().startswith("todo:")]
    body = [note for note in rest if not note.lower().startswith("todo:")]
    return {"subject": subject, "body": "\n".join([*body, *([feedback] if feedback else [])]), "action_items": items}


def list_changes(version: str) -> list[str]:
    """What a version brings."""
    return [f"{version}: {change}" for change in CHANGES]


def deploy(version: str, environment: str, changes: list[str]) -> str:
    """Deploy, and say what was deployed."""
    _append("deployments.jsonl", {"version": version, "environment": environment})
    return f"{version} is on {environment}, with {len(changes)} changes"


def note(step: str) -> dict[str, object]:
    """Note that a step was done, and how many were done before it."""
    return {"step": step, "number": _append("steps.jsonl", {"step": step})}


def _append(name: str, entry: object) -> int:
    """Add a line to a file; how many it has then."""
    with open(name, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    return len(Path(name).read_text(encoding="utf-8").splitlines())
