"""The graph as a Mermaid flowchart.

Ids have a prefix, for a state may be called `end`. Labels are quoted, and every character in them that Mermaid could
take for its own is written as a code: what the author wrote is shown as it is written, whatever it looks like.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from holdpoint.graphs.picture import CANCEL, Edge, Node, Picture

_SHAPES = {"agent": ("[", "]"), "human": ("{{", "}}"), "wait": ("[/", "/]"), "end": ("([", "])")}
_STYLES = (
    "classDef agent fill:#e8f0fe,stroke:#1a56b0,color:#102a56",
    "classDef human fill:#fff4d6,stroke:#a56a00,color:#4a3000",
    "classDef wait fill:#efe9fb,stroke:#6a3fb5,color:#2f1a57",
    "classDef success fill:#e3f5e6,stroke:#1e7a34,color:#0d3a18",
    "classDef failure fill:#fde8e8,stroke:#b02a2a,color:#561010",
    "classDef irreversible stroke-width:3px",
    "classDef visited stroke-width:2px",
    "classDef current stroke:#d4006a,stroke-width:4px",
)
_START, _CANCEL = "start", "cancelled"
_BEGINNINGS = {None: _START, CANCEL: _CANCEL}
_PLAIN = frozenset(" ,.:()-_/+=?!'")


def emit(picture: Picture) -> str:
    """The picture as `flowchart TD`, with its title in front."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    title = [picture.title or picture.workflow]
    if picture.run is not None:
        title.append(f"{picture.run}: {picture.standing}")
    yield "---"
    yield f"title: {_as_yaml(' · '.join(title))}"
    yield "---"
    yield "flowchart TD"
    yield f'  {_START}(("start"))'
    if picture.edges_from(CANCEL):
        yield f'  {_CANCEL}(("cancelled"))'
    for node in picture.nodes:
        yield f"  {_node(node)}"
    for edge in picture.edges:
        yield f"  {_edge(edge)}"
    for style in _STYLES:
        yield f"  {style}"
    for node in picture.nodes:
        for name in _classes(node):
            yield f"  class {_id(node.name)} {name}"
    taken = ",".join(str(number) for number, edge in enumerate(picture.edges) if edge.taken)
    if taken:
        yield f"  linkStyle {taken} stroke:#d4006a,stroke-width:3px"


def _node(node: Node) -> str:
    opening, closing = _SHAPES[node.kind]
    parts = (node.name, node.title, ", ".join(node.notes), node.visited)
    label = "<br/>".join(_escaped(part) for part in parts if part)
    return f'{_id(node.name)}{opening}"{label}"{closing}'


def _classes(node: Node) -> Iterator[str]:
    yield node.kind if node.kind != "end" else "success" if node.is_success else "failure"
    if node.is_irreversible:
        yield "irreversible"
    if node.is_current:
        yield "current"
    elif node.visits:
        yield "visited"


def _edge(edge: Edge) -> str:
    label = "<br/>".join(_escaped(part) for part in (edge.label, edge.guard, edge.used) if part)
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
