"""The graph in Graphviz's DOT. Ids and classes survive into SVG, for styles to hold on to."""

from __future__ import annotations

from collections.abc import Iterator

from holdpoint.graphs.picture import CANCEL, Edge, Node, Picture

_START = "(start)"  # no state can be called that
_TAKEN, _IDLE = "#d4006a", "#5f6368"
_LOOKS = {  # class → shape, fill, line
    "agent": ("box", "#e8f0fe", "#1a56b0"),
    "approval": ("octagon", "#fff4d6", "#a56a00"),
    "return": ("hexagon", "#fff4d6", "#a56a00"),
    "form": ("note", "#fff4d6", "#a56a00"),
    "wait": ("parallelogram", "#efe9fb", "#6a3fb5"),
    "success": ("ellipse", "#e3f5e6", "#1e7a34"),
    "failure": ("ellipse", "#fde8e8", "#b02a2a"),
}


def emit(picture: Picture) -> str:
    """The picture as a `digraph`."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield f"digraph {_quoted(picture.workflow)} {{"
    title = [picture.title or picture.workflow]
    if picture.run is not None:
        title.append(f"{picture.run}: {picture.standing}")
    yield f'  graph [rankdir=TB, labelloc=t, fontname="sans-serif", label={_label(title)}];'
    yield '  node [style=filled, fontname="sans-serif", fontsize=12];'
    yield '  edge [fontname="sans-serif", fontsize=10];'
    yield f'  {_quoted(_START)} [shape=point, width=0.2, id="start", class="start"];'
    if picture.edges_from(CANCEL):
        yield f'  {_quoted(CANCEL)} [shape=plaintext, style="", label="cancelled", id="cancelled", class="start"];'
    for node in picture.nodes:
        yield f"  {_node(node)}"
    for number, edge in enumerate(picture.edges):
        yield f"  {_edge(edge, number)}"
    yield "}"


def _node(node: Node) -> str:
    look = _look(node)
    shape, fill, line = _LOOKS[look]
    classes = [look]
    attributes = {"shape": shape, "fillcolor": _quoted(fill), "color": _quoted(line)}
    notes = ", ".join(node.notes)
    if node.kind == "end":
        attributes["peripheries"] = "2"
    if node.is_irreversible:
        classes.append("irreversible")
        attributes |= {"peripheries": "2", "color": _quoted("#b02a2a")}
        notes = f"⚠ {notes}"
    if node.visits:
        classes.append("visited")
    if node.is_current:
        classes.append("current")
        attributes |= {"color": _quoted(_TAKEN), "penwidth": "4"}
    attributes["label"] = _label([node.name, node.title, notes, node.visited])
    attributes["id"] = _quoted(f"state-{node.name}")
    attributes["class"] = _quoted(" ".join(classes))
    return f"{_quoted(node.name)} [{_attributes(attributes)}];"


def _look(node: Node) -> str:
    if node.kind == "end":
        return "success" if node.is_success else "failure"
    return node.notes[0]


def _edge(edge: Edge, number: int) -> str:
    classes = ["timed" if edge.is_timed else "option"]
    attributes = {"color": _quoted(_IDLE)}
    if edge.is_timed:
        attributes["style"] = "dashed"
    if edge.taken:
        classes.append("taken")
        attributes |= {"color": _quoted(_TAKEN), "penwidth": "2.5"}
    attributes["label"] = _label([edge.label, edge.guard, edge.used])
    attributes["id"] = _quoted(f"edge-{number}")
    attributes["class"] = _quoted(" ".join(classes))
    return f"{_quoted(edge.source or _START)} -> {_quoted(edge.to)} [{_attributes(attributes)}];"


def _attributes(attributes: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attributes.items())


def _label(lines: list[str]) -> str:
    return '"' + "\\n".join(_escaped(line) for line in lines if line) + '"'


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    # A backslash would begin Graphviz's own escapes, an ampersand an HTML entity.
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
