"""The graph as a Mermaid flowchart.

Ids have a prefix, for a state may be called `end`. Labels are quoted, and every character in them that Mermaid could
take for its own is written as a code: what the author wrote is shown as it is written, whatever it looks like.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from holdpoint.graphs.overlays import HEATS
from holdpoint.graphs.picture import CANCEL, Edge, Node, Picture
from holdpoint.graphs.themes import LIGHT, pen_width

_SHAPES = {"agent": ("[", "]"), "human": ("{{", "}}"), "wait": ("[/", "/]"), "end": ("([", "])")}
_LOOKS = {"agent": "agent", "human": "approval", "wait": "wait"}
_LOOKS |= {look: look for look in ("success", "failure", "cancelled", "dim")}
_STYLES = {
    **{
        name: f"fill:{LIGHT[look]},stroke:{LIGHT[f'{look}-line']},color:{LIGHT[f'{look}-ink']}"
        for name, look in _LOOKS.items()
    },
    **{f"heat{step}": f"fill:{LIGHT[f'heat{step}']},color:{LIGHT['heat-ink']}" for step in range(len(HEATS) + 1)},
    "irreversible": "stroke-width:3px",
    "visited": "stroke-width:2px",
    "current": f"stroke:{LIGHT['taken']},stroke-width:4px",
    "failed": f"stroke:{LIGHT['danger']},stroke-width:6px",
    "covered": f"stroke:{LIGHT['covered']},stroke-width:2px",
    "uncovered": f"stroke:{LIGHT['uncovered']},stroke-width:4px",
}
_START, _CANCEL = "start", "on_cancel"
_BEGINNINGS = {None: _START, CANCEL: _CANCEL}
_PLAIN = frozenset(" ,.:()-_/+=?!'")


def emit(picture: Picture) -> str:
    """The picture as `flowchart TD`, with its title in front."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    title = [part for part in (picture.title or picture.workflow, picture.caption) if part]
    yield "---"
    yield f"title: {_as_yaml(' · '.join(title))}"
    yield "---"
    yield "flowchart TD"
    yield f'  {_START}(("start"))'
    if picture.edges_from(CANCEL):
        yield f'  {_CANCEL}(("on cancel"))'
    for node in picture.nodes:
        yield f"  {_node(node)}"
    for edge in picture.edges:
        yield f"  {_edge(edge)}"
    classes = [(node.name, name) for node in picture.nodes for name in _classes(node)]
    used = {name for _, name in classes}
    yield from (f"  classDef {name} {style}" for name, style in _STYLES.items() if name in used)
    yield from (f"  class {_id(state)} {name}" for state, name in classes)
    yield from _link_styles(picture)


def _link_styles(picture: Picture) -> Iterator[str]:
    if picture.overlay == "heat":
        for number, edge in enumerate(picture.edges):
            yield f"  linkStyle {number} stroke-width:{pen_width(edge.share or 0.0):g}px"
        return
    for mark in ("taken", "covered", "uncovered"):
        marked = ",".join(str(number) for number, edge in enumerate(picture.edges) if mark in edge.marks)
        if marked:
            yield f"  linkStyle {marked} stroke:{LIGHT[mark]},stroke-width:3px"


def _node(node: Node) -> str:
    opening, closing = _SHAPES[node.kind]
    parts = (node.name, node.title, ", ".join(node.notes), node.remark, *node.details)
    label = "<br/>".join(_escaped(part) for part in parts if part)
    return f'{_id(node.name)}{opening}"{label}"{closing}'


def _classes(node: Node) -> Iterator[str]:
    yield node.outcome or node.kind
    if node.is_irreversible:
        yield "irreversible"
    if node.heat is not None:
        yield f"heat{node.heat}"
    yield from (mark for mark in ("visited", "current", "failed", "dim", "covered", "uncovered") if mark in node.marks)


def _edge(edge: Edge) -> str:
    parts = (edge.label, edge.guard, edge.remark, *edge.details)
    label = "<br/>".join(_escaped(part) for part in parts if part)
    arrow = "-.->" if edge.is_timed else "-->"
    source = _BEGINNINGS.get(edge.source) or _id(edge.source or "")
    return f"{source} {arrow}" + (f'|"{label}"|' if label else "") + f" {_id(edge.to)}"


def _id(name: str) -> str:
    return f"s_{name}"


def _as_yaml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON text is a YAML text too


def _escaped(text: str) -> str:
    return "".join(
        character if character.isalnum() or character in _PLAIN or not character.isascii() else f"#{ord(character)};"
        for character in text
    )
