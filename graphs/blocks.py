"""States and edge labels as blocks of lines: what stands in each, how large it is, what its outline is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdpoint.graphs.icons import WIDTH, icon
from holdpoint.graphs.metrics import width, wrap
from holdpoint.graphs.picture import Edge, Node
from holdpoint.graphs.scene import Item, Point, Polygon, Text, box

_LEADING = 1.3
_SMALL, _LABEL, _TITLE = 9.5, 10.5, 13.0
_NODE_WIDTH, _LABEL_WIDTH, _DETAIL_WIDTH = 190.0, 170.0, 190.0
_SIDES = {"approval": 18.0, "return": 24.0, "form": 22.0, "wait": 26.0}
_GAP = 4.0
_BAND = 18.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a block: a text in a role, with a sign before it if it has one. A *band* goes from side to side."""

    text: str
    size: float
    fill: str
    is_bold: bool = False
    is_mono: bool = False
    sign: str = ""
    band: str = ""

    @property
    def width(self) -> float:
        """With its sign, in points."""
        sign = WIDTH + _GAP if self.sign else 0.0
        return width(self.text, self.size, is_bold=self.is_bold, is_mono=self.is_mono) + sign

    @property
    def height(self) -> float:
        """With the space between lines, in points."""
        return _BAND if self.band else self.size * _LEADING


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines in a figure that has room for them; `look` decides which figure that is, `ground` its colour."""

    lines: tuple[Line, ...]
    look: str
    ground: str
    side: float
    margin: float

    @property
    def size(self) -> Point:
        """Its width and height, in whole points."""
        inner = max((line.width for line in self.lines), default=0.0)
        height = sum(line.height for line in self.lines)
        return float(round(inner + 2 * self.side)), float(round(height + 2 * self.margin))

    def outline(self, at: Point) -> tuple[Point, ...]:
        """Its figure around a point."""
        return outline(self.look, at, self.size)

    def inside(self, at: Point) -> Iterator[Item]:
        """Its lines, in their places around a point."""
        x, top = at[0], at[1] - self.size[1] / 2 + self.margin
        for line in self.lines:
            ground = line.band or self.ground
            middle = top + line.height / 2 - (1 if line.band else 0)
            if line.band:
                yield Polygon(points=box(x, middle, self._band_width, _BAND - 5, 3), fill=line.band)
            shift = (WIDTH + _GAP) / 2 if line.sign else 0.0
            if line.sign:
                yield from icon(line.sign, (x - line.width / 2 + WIDTH / 2, middle), line.fill)
            yield Text(
                at=(x + shift, middle + line.size * 0.36),
                text=line.text,
                size=line.size,
                fill=line.fill,
                ground=ground,
                is_bold=line.is_bold,
                is_mono=line.is_mono,
            )
            top += line.height

    @property
    def _band_width(self) -> float:
        return self.size[0] - 2 * self.side + 12


def outline(look: str, at: Point, size: Point) -> tuple[Point, ...]:
    """The figure of a look around a point: each type of state has its own."""
    (x, y), (w, h) = at, size
    left, right, top, bottom = x - w / 2, x + w / 2, y - h / 2, y + h / 2
    if look == "approval":
        c = min(11.0, h / 3)
        return (
            *((left + c, top), (right - c, top), (right, top + c), (right, bottom - c)),
            *((right - c, bottom), (left + c, bottom), (left, bottom - c), (left, top + c)),
        )
    if look == "return":
        c = min(16.0, w / 4)
        return (left + c, top), (right - c, top), (right, y), (right - c, bottom), (left + c, bottom), (left, y)
    if look == "form":
        c = min(13.0, h / 3)
        return (left, top), (right - c, top), (right, top + c), (right, bottom), (left, bottom)
    if look == "wait":
        c = min(16.0, w / 4)
        return (left + c, top), (right, top), (right - c, bottom), (left, bottom)
    if look in ("success", "failure", "cancelled"):
        return box(x, y, w, h, min(h / 2, 22.0))
    return box(x, y, w, h, 4.0 if look == "agent" else 7.0)


def node_block(node: Node) -> Block:
    """The block of a state."""
    is_dim = "dim" in node.marks
    ground = "dim" if is_dim else f"heat{node.heat}" if node.heat is not None else node.look
    ink = "dim-ink" if is_dim else "heat-ink" if node.heat is not None else f"{node.look}-ink"
    return Block(
        lines=tuple(_node_lines(node, ink)),
        look=node.look,
        ground=ground,
        side=_SIDES.get(node.look, 20.0 if node.kind == "end" else 14.0),
        margin=8.0,
    )


def _node_lines(node: Node, ink: str) -> Iterator[Line]:
    if node.is_irreversible:
        yield _band("IRREVERSIBLE", "irreversible", "dim" if "dim" in node.marks else "danger")
    word = f"END: {node.outcome}" if node.outcome else node.type
    yield Line(text=word.upper(), size=8.5, fill=ink, is_bold=True, sign=node.look)
    for text in wrap(node.title or node.name, _TITLE, _NODE_WIDTH, lines=4, is_bold=True):
        yield Line(text=text, size=_TITLE, fill=ink, is_bold=True)
    if node.title:
        yield from _wrapped(node.name, ink, lines=3, is_mono=True)
    notes = [note for note in node.notes[1:] if note not in (node.outcome, "irreversible")]
    for note in (*notes, f"asks {node.people}" if node.people else ""):
        yield from _wrapped(note, ink, lines=3)
    for text in (*node.remark.split("; "), *node.details):
        yield from _wrapped(text, ink, lines=3, is_bold=True)
    if "failed" in node.marks:
        yield _band("FAILED HERE", "failed", "danger")
    elif "current" in node.marks:
        yield _band("HERE", "current", "taken")


def _band(text: str, sign: str, colour: str) -> Line:
    return Line(text=text, size=8.5, fill=f"{colour}-ink", is_bold=True, sign=sign, band=colour)


def _wrapped(text: str, ink: str, *, lines: int, is_bold: bool = False, is_mono: bool = False) -> Iterator[Line]:
    for part in wrap(text, _SMALL, _NODE_WIDTH, lines=lines, is_bold=is_bold, is_mono=is_mono):
        if part:
            yield Line(text=part, size=_SMALL, fill=ink, is_bold=is_bold, is_mono=is_mono)


def edge_block(edge: Edge) -> Block | None:
    """The block of what stands on an edge; None where nothing does."""
    lines = list(_edge_lines(edge))
    return Block(lines=tuple(lines), look="label", ground="paper", side=5.0, margin=3.0) if lines else None


def _edge_lines(edge: Edge) -> Iterator[Line]:
    is_dim, is_taken = "dim" in edge.marks, edge.share is None and "taken" in edge.marks
    colour = "dim-ink" if is_dim else "taken" if is_taken else _label_colour(edge)
    muted = "dim-ink" if is_dim else "muted"
    sign = "timed" if edge.is_timed else "error" if edge.is_error else ""
    for number, text in enumerate(_parts(edge.timing if edge.is_timed else edge.option, _LABEL, is_bold=True)):
        yield Line(text=text, size=_LABEL, fill=colour, is_bold=True, sign=sign if number == 0 else "")
    for text in _parts(f"{edge.option} by default" if edge.is_default else "", _LABEL, is_bold=True):
        yield Line(text=text, size=_LABEL, fill=colour, is_bold=True)
    for text in _parts(edge.guard, _SMALL, lines=6):
        yield Line(text=text, size=_SMALL, fill=muted)
    ink = "dim-ink" if is_dim else "taken" if is_taken else "ink"
    for detail in edge.details:
        for text in wrap(detail, _SMALL, _DETAIL_WIDTH, lines=2):
            yield Line(text=text, size=_SMALL, fill=ink)
    for text in _parts("" if edge.details else edge.remark, _SMALL, is_bold=True):
        yield Line(text=text, size=_SMALL, fill=ink, is_bold=True)


def _label_colour(edge: Edge) -> str:
    return "timed" if edge.is_timed else "error" if edge.is_error else "ink"


def _parts(text: str, size: float, *, lines: int = 3, is_bold: bool = False) -> list[str]:
    return wrap(text, size, _LABEL_WIDTH, lines=lines, is_bold=is_bold) if text else []
