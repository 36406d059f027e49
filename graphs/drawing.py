"""The drawing of a picture: its title, its states and edges where the layout has them, and the legend below."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from holdpoint.graphs import text
from holdpoint.graphs.blocks import Block, Line, outline
from holdpoint.graphs.curves import arrow_head, beyond, shortened, up_to
from holdpoint.graphs.layout import CANCEL_SIZE, START_SIZE, Layout, lay_out
from holdpoint.graphs.legend import legend
from holdpoint.graphs.metrics import wrap
from holdpoint.graphs.picture import CANCEL, Edge, Mark, Node, Picture
from holdpoint.graphs.scene import Curve, Dash, Ellipse, Group, Item, Point, Polygon, Scene, Text, box
from holdpoint.graphs.themes import pen_width

MARGIN = 24.0
_LEAST_WIDTH = 380.0
_HEAD = 8.0
_HALO = 9.0


def draw(picture: Picture) -> Scene:
    """The drawing of a picture. Raises `graphviz.GraphvizFailed`."""
    layout = lay_out(picture)
    inner = max(layout.size[0], _LEAST_WIDTH)
    heading = list(_heading(picture, inner))
    top = MARGIN + sum(line.height for line in heading) + 12.0
    shift = (MARGIN + (inner - layout.size[0]) / 2, top)
    below = top + layout.size[1] + 20.0
    key, height = legend(picture, (MARGIN, below), inner)
    return Scene(
        id=picture.workflow,
        title=" · ".join(part for part in (picture.title or picture.workflow, picture.caption) if part),
        says=text.emit(picture),
        size=(inner + 2 * MARGIN, below + height + MARGIN),
        groups=(
            Group(id="heading", classes=("heading",), says="", items=tuple(_headed(heading))),
            *_edges(picture, layout, shift),
            *_starts(picture, layout, shift),
            *(_state(node, layout, shift) for node in picture.nodes),
            Group(id="legend", classes=("legend",), says="", items=key),
        ),
    )


def _heading(picture: Picture, limit: float) -> Iterator[Line]:
    for part in wrap(picture.title or picture.workflow, 18, limit, lines=3, is_bold=True):
        yield Line(text=part, size=18, fill="ink", is_bold=True)
    if picture.title:
        for part in wrap(picture.workflow, 10, limit, lines=2, is_mono=True):
            yield Line(text=part, size=10, fill="muted", is_mono=True)
    if picture.caption:
        yield Line(text="", size=4, fill="ink")
        for part in wrap(picture.caption, 11.5, limit, lines=6):
            yield Line(text=part, size=11.5, fill="ink")


def _headed(lines: list[Line]) -> Iterator[Item]:
    y = MARGIN
    for line in lines:
        y += line.height
        if not line.text:
            continue
        yield Text(
            at=(MARGIN, y - line.size * 0.3),
            text=line.text,
            size=line.size,
            fill=line.fill,
            ground="paper",
            anchor="start",
            is_bold=line.is_bold,
            is_mono=line.is_mono,
        )


# --- states


def _state(node: Node, layout: Layout, shift: Point) -> Group:
    block, at = layout.node_blocks[node.name], _moved(layout.nodes[node.name], shift)
    notes = ", ".join(part for part in (*node.notes, node.remark, *node.details) if part)
    return Group(
        id=f"state-{node.name}",
        classes=("state", node.look, *sorted(node.marks)),
        says=f"{node.name}: {notes}" + (f". {node.title}" if node.title else ""),
        items=(*_figure(node, block, at), *block.inside(at)),
    )


def _figure(node: Node, block: Block, at: Point) -> Iterator[Item]:
    """What is behind the lines of a state; what happened there, or may, is in its border."""
    line, weight = f"{node.look}-line", 1.5
    covered = _coverage_of(node.marks)
    if covered is not None:
        line, weight = covered, 3.0
    elif "dim" in node.marks:
        line = "dim-line"
    elif node.is_irreversible:
        line, weight = "danger", 2.5
    if "current" in node.marks:
        yield Polygon(points=_around(block, at, _HALO), fill="danger" if "failed" in node.marks else "taken")
        yield Polygon(points=_around(block, at, 4.0), fill="paper")
    elif "visited" in node.marks:
        line, weight = "taken", 2.5
    yield Polygon(points=block.outline(at), fill=block.ground, stroke=line, width=weight)
    if node.kind == "end":
        yield Polygon(points=_around(block, at, -6.0), stroke=line, width=1.0)
    elif node.is_irreversible:
        yield Polygon(points=_around(block, at, -7.0), stroke=line, width=1.0)
    elif node.look == "form":
        (x, y), (w, h) = at, block.size
        fold = min(13.0, h / 3)
        corner = (x + w / 2 - fold, y - h / 2)
        yield Polygon(
            points=(corner, (corner[0] + fold, corner[1] + fold), (corner[0], corner[1] + fold)),
            fill=line,
            stroke=line,
            width=weight,
        )


def _around(block: Block, at: Point, more: float) -> tuple[Point, ...]:
    return outline(block.look, at, (block.size[0] + more, block.size[1] + more))


def _starts(picture: Picture, layout: Layout, shift: Point) -> Iterator[Group]:
    at, radius = _moved(layout.nodes[None], shift), START_SIZE / 2
    yield Group(
        id="start",
        classes=("start",),
        says="start",
        items=(Ellipse(centre=at, radii=(radius, radius), fill="ink"),),
    )
    if CANCEL in layout.nodes:
        at = _moved(layout.nodes[CANCEL], shift)
        yield Group(
            id="cancelled",
            classes=("start",),
            says="where a run goes on that is cancelled",
            items=(
                Polygon(points=_cancel_outline(at), fill="cancelled", stroke="cancelled-line", width=1.2),
                Text(at=(at[0], at[1] + 3.6), text="on cancel", size=10, fill="cancelled-ink", ground="cancelled"),
            ),
        )


def _cancel_outline(at: Point) -> tuple[Point, ...]:
    return box(at[0], at[1], *CANCEL_SIZE, CANCEL_SIZE[1] / 2)


# --- edges


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pen:
    """How an edge is drawn."""

    colour: str
    width: float
    dash: Dash


def _pen(edge: Edge) -> _Pen:
    dash: Dash = "dashed" if edge.is_timed else "dotted" if edge.is_error else ""
    if "dim" in edge.marks:
        return _Pen(colour="dim-line", width=1.0, dash=dash)
    covered = _coverage_of(edge.marks)
    if covered is not None:
        return _Pen(colour=covered, width=2.2, dash=dash)
    if edge.share is None and "taken" in edge.marks:
        return _Pen(colour="taken", width=2.6, dash=dash)
    colour = "timed" if edge.is_timed else "error" if edge.is_error else "edge"
    if edge.is_error and edge.share is None:
        return _Pen(colour=colour, width=1.8, dash=dash)
    return _Pen(colour=colour, width=1.3 if edge.share is None else pen_width(edge.share), dash=dash)


def _coverage_of(marks: Collection[Mark]) -> Mark | None:
    """`covered` or `uncovered`, which are colours too; None where the picture is not of what tests cover."""
    return "covered" if "covered" in marks else "uncovered" if "uncovered" in marks else None


def _edges(picture: Picture, layout: Layout, shift: Point) -> Iterator[Group]:
    """The edges, those that were taken last: they lie over the others."""
    numbers = sorted(layout.curves, key=lambda number: ("taken" in picture.edges[number].marks, number))
    for number in numbers:
        edge = picture.edges[number]
        parts = (edge.label, edge.guard, edge.remark, *edge.details)
        source = {None: "start", CANCEL: "when it is cancelled"}.get(edge.source, edge.source)
        said = ", ".join(part for part in parts if part)
        yield Group(
            id=f"edge-{number}",
            classes=("edge", "timed" if edge.is_timed else "error" if edge.is_error else "option", *sorted(edge.marks)),
            says=f"{source} → {edge.to}" + (f": {said}" if said else ""),
            items=tuple(_edge(picture, number, layout, shift)),
        )


def _edge(picture: Picture, number: int, layout: Layout, shift: Point) -> Iterator[Item]:
    edge = picture.edges[number]
    pen = _pen(edge)
    parts = [tuple(_moved(point, shift) for point in points) for points in layout.curves[number]]
    parts[0] = beyond(parts[0], _figure_of(edge.source, picture, layout, shift))
    parts[-1] = up_to(parts[-1], _figure_of(edge.to, picture, layout, shift))
    head = _HEAD + pen.width
    tip = parts[-1][-1]
    parts[-1] = shortened(parts[-1], head)
    for points in parts:
        yield Curve(points=points, stroke=pen.colour, width=pen.width, dash=pen.dash)
    yield Polygon(points=arrow_head(tip, parts[-1][-1], head * 0.42), fill=pen.colour)
    if number in layout.edge_blocks:
        block, at = layout.edge_blocks[number], _moved(layout.labels[number], shift)
        yield from block.inside(at)


def _figure_of(name: str | None, picture: Picture, layout: Layout, shift: Point) -> tuple[Point, ...]:
    """The figure at which an edge ends, with what is drawn around it."""
    at = _moved(layout.nodes[name], shift)
    if name is None:
        return box(at[0], at[1], START_SIZE, START_SIZE, START_SIZE / 2)
    if name == CANCEL:
        return _cancel_outline(at)
    is_current = any(node.name == name and "current" in node.marks for node in picture.nodes)
    return _around(layout.node_blocks[name], at, _HALO if is_current else 0.0)


def _moved(point: Point, shift: Point) -> Point:
    return point[0] + shift[0], point[1] + shift[1]
