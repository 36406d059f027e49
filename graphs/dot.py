"""The graph in Graphviz's DOT. Ids and classes survive into SVG, for styles to hold on to."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from holdpoint.graphs.picture import CANCEL, Edge, Mark, Node, Picture
from holdpoint.graphs.themes import LIGHT, pen_width

_START = "(start)"  # no state can be called that
_SHAPES = {
    "agent": "box",
    "approval": "octagon",
    "return": "hexagon",
    "form": "note",
    "wait": "parallelogram",
}


def emit(picture: Picture) -> str:
    """The picture as a `digraph`."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield f"digraph {_quoted(picture.workflow)} {{"
    title = [picture.title or picture.workflow, picture.caption]
    yield f'  graph [rankdir=TB, labelloc=t, fontname="sans-serif", label={_label(title)}];'
    yield '  node [style=filled, fontname="sans-serif", fontsize=12];'
    yield '  edge [fontname="sans-serif", fontsize=10];'
    yield f'  {_quoted(_START)} [shape=point, width=0.2, id="start", class="start"];'
    if picture.edges_from(CANCEL):
        yield f'  {_quoted(CANCEL)} [shape=plaintext, style="", label="on cancel", id="cancelled", class="start"];'
    for node in picture.nodes:
        yield f"  {_node(node)}"
    for number, edge in enumerate(picture.edges):
        yield f"  {_edge(edge, number)}"
    yield "}"


def _node(node: Node) -> str:
    classes = [node.look]
    notes = ", ".join(node.notes)
    attributes = {
        "shape": _SHAPES.get(node.type, "ellipse"),
        "fillcolor": _quoted(LIGHT[node.look if node.heat is None else f"heat{node.heat}"]),
        "color": _quoted(LIGHT[f"{node.look}-line"]),
    }
    if node.kind == "end":
        attributes["peripheries"] = "2"
    if node.is_irreversible:
        classes.append("irreversible")
        attributes |= {"peripheries": "2", "color": _quoted(LIGHT["danger"])}
        notes = f"⚠ {notes}"
    if node.heat is not None:
        classes.append(f"heat{node.heat}")
    classes += [mark for mark in ("visited", "current", "failed", "dim", "covered", "uncovered") if mark in node.marks]
    attributes |= _coverage_of(node.marks)
    if "current" in node.marks:
        attributes |= {"color": _quoted(LIGHT["taken"]), "penwidth": "4"}
    if "dim" in node.marks:
        attributes |= {"color": _quoted(LIGHT["dim-line"]), "fontcolor": _quoted(LIGHT["dim-ink"])}
        attributes["fillcolor"] = _quoted(LIGHT["dim"])
    attributes["label"] = _label([node.name, node.title, notes, node.remark, *node.details])
    attributes["id"] = _quoted(f"state-{node.name}")
    attributes["class"] = _quoted(" ".join(classes))
    return f"{_quoted(node.name)} [{_attributes(attributes)}];"


def _edge(edge: Edge, number: int) -> str:
    classes = ["timed" if edge.is_timed else "option", *sorted(edge.marks)]
    attributes = {"color": _quoted(LIGHT["edge"])}
    if edge.is_timed:
        attributes["style"] = "dashed"
    if "taken" in edge.marks:
        attributes |= {"color": _quoted(LIGHT["taken"]), "penwidth": "2.5"}
    attributes |= _coverage_of(edge.marks)
    if edge.share is not None:
        attributes |= {"color": _quoted(LIGHT["edge"]), "penwidth": f"{pen_width(edge.share):g}"}
    if "dim" in edge.marks:
        attributes |= {"color": _quoted(LIGHT["dim-line"]), "fontcolor": _quoted(LIGHT["dim-ink"])}
    attributes["label"] = _label([edge.label, edge.guard, edge.remark, *edge.details])
    attributes["id"] = _quoted(f"edge-{number}")
    attributes["class"] = _quoted(" ".join(classes))
    return f"{_quoted(edge.source or _START)} -> {_quoted(edge.to)} [{_attributes(attributes)}];"


def _coverage_of(marks: Collection[Mark]) -> dict[str, str]:
    mark = next((mark for mark in ("covered", "uncovered") if mark in marks), None)
    return {} if mark is None else {"color": _quoted(LIGHT[mark]), "penwidth": "2.5"}


def _attributes(attributes: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attributes.items())


def _label(lines: list[str]) -> str:
    return '"' + "\\n".join(_escaped(line) for line in lines if line) + '"'


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    # A backslash would begin Graphviz's own escapes, an ampersand an HTML entity.
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
