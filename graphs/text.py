"""The graph for a terminal: each state with its ways out, and below them the way that a run came."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from holdpoint.engine.traffic import Passage
from holdpoint.graphs.picture import CANCEL, Edge, Mark, Node, Picture

_SIGNS = {
    "failed": "✗",
    "current": "▶",
    "visited": "✓",
    "uncovered": "✗",
    "covered": "✓",
}  # the first that a state has is shown


def emit(picture: Picture) -> str:
    """The picture as plain text without colour."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield _titled(picture.workflow, picture.title)
    if picture.caption:
        yield picture.caption
    yield ""
    yield "  start"
    yield from _ways(picture.edges_from(None))
    if picture.edges_from(CANCEL):
        yield "  on cancel"
        yield from _ways(picture.edges_from(CANCEL))
    for node in picture.nodes:
        yield _state(node)
        yield from _ways(picture.edges_from(node.name))
    if picture.way:
        yield ""
        yield "the way it came"
        yield from _way(picture.way)


def _state(node: Node) -> str:
    notes = ", ".join(note for note in (*node.notes, node.remark) if note)
    return f"{_sign(node.marks)} {node.name} · {_titled(notes, node.title)}"


def _ways(edges: list[Edge]) -> Iterator[str]:
    labels = max((len(edge.label) for edge in edges), default=0)
    targets = max((len(edge.to) for edge in edges), default=0)
    for edge in edges:
        label = f"{edge.label:{labels}} → " if labels else "→ "
        notes = ", ".join(note for note in (edge.guard, edge.remark) if note)
        yield f"    {_sign(edge.marks)} {label}{edge.to:{targets}}  {notes}".rstrip()


def _sign(marks: Collection[Mark]) -> str:
    return next((sign for mark, sign in _SIGNS.items() if mark in marks), " ")


def _way(way: tuple[Passage, ...]) -> Iterator[str]:
    steps = [f"{step.source} · {step.option} → {step.to}" if step.source else f"start → {step.to}" for step in way]
    width = max(len(step) for step in steps)
    for passage, step in zip(way, steps, strict=True):
        by = f"by {passage.by}" if passage.by else ""
        yield f"  {passage.at:%Y-%m-%d %H:%M:%S}Z  {step:{width}}  {by}".rstrip()


def _titled(text: str, title: str) -> str:
    return f"{text} · {title}" if title else text
