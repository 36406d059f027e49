"""The legend of a drawing: of what occurs in the picture, what it means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from holdpoint.graphs.blocks import outline
from holdpoint.graphs.curves import arrow_head
from holdpoint.graphs.icons import icon
from holdpoint.graphs.metrics import width
from holdpoint.graphs.overlays import HEATS
from holdpoint.graphs.picture import Mark, Picture
from holdpoint.graphs.scene import Curve, Dash, Item, Point, Polygon, Text, box, line

_SIZE = 9.5
_SWATCH: Point = (28.0, 15.0)
_ROW, _GAP, _BETWEEN = 22.0, 6.0, 16.0

_LOOKS = {
    "agent": "agent works",
    "approval": "person approves",
    "return": "person accepts or returns",
    "form": "person fills in",
    "wait": "time or event",
    "success": "end: success",
    "failure": "end: failure",
    "cancelled": "end: cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One sign and what it means."""

    sign: Callable[[Point], tuple[Item, ...]]
    means: str

    @property
    def width(self) -> float:
        return _SWATCH[0] + _GAP + width(self.means, _SIZE)


def legend(picture: Picture, at: Point, limit: float) -> tuple[tuple[Item, ...], float]:
    """The legend from its top left on, in rows of at most so many points; and how high it is."""
    items: list[Item] = [
        Curve(points=line(at, (at[0] + limit, at[1])), stroke="dim-line", width=0.8),
    ]
    x, y = at[0], at[1] + _ROW * 0.8
    for entry in _entries(picture):
        if x > at[0] and x + entry.width > at[0] + limit:
            x, y = at[0], y + _ROW
        items += entry.sign((x + _SWATCH[0] / 2, y))
        place = (x + _SWATCH[0] + _GAP, y + _SIZE * 0.36)
        items.append(Text(at=place, text=entry.means, size=_SIZE, fill="muted", ground="paper", anchor="start"))
        x += entry.width + _BETWEEN
    return tuple(items), y + _ROW / 2 - at[1]


def _entries(picture: Picture) -> Iterator[_Entry]:
    looks = {node.look for node in picture.nodes}
    yield from (_Entry(sign=_state(look), means=means) for look, means in _LOOKS.items() if look in looks)
    if any(node.is_irreversible for node in picture.nodes):
        yield _Entry(sign=_irreversible, means="cannot be taken back")
    yield _Entry(sign=_edge("edge"), means="option")
    if any(edge.is_timed for edge in picture.edges):
        yield _Entry(sign=_edge("timed", "dashed"), means="the clock decides")
    if any(edge.is_error for edge in picture.edges):
        yield _Entry(sign=_edge("error", "dotted", pen=1.8), means="all attempts failed")
    if picture.overlay == "run":
        yield from _entries_of_run(picture)
    elif picture.overlay == "heat":
        yield from _entries_of_heat(picture)
    elif picture.overlay == "coverage":
        yield from _entries_of_coverage(picture)


def _entries_of_run(picture: Picture) -> Iterator[_Entry]:
    marks = _marks(picture)
    yield _Entry(sign=_edge("taken", pen=2.6), means="taken, by step and who chose")
    if "failed" in marks:
        yield _Entry(sign=_band("danger", "failed"), means="failed here")
    elif "current" in marks:
        yield _Entry(sign=_band("taken", "current"), means="where it is")
    if "dim" in marks:
        yield _Entry(sign=_figure("agent", "dim", "dim-line"), means="not any more")


def _entries_of_heat(picture: Picture) -> Iterator[_Entry]:
    yield _Entry(sign=_edge("edge", pen=4.5), means="wider: more of those that left a state")
    limits = [f"up to {said}" for _, said in HEATS] + ["longer"]
    for step, means in enumerate(limits):
        prefix = "median stay " if step == 0 else ""
        yield _Entry(sign=_figure("label", f"heat{step}", "heat-ink"), means=f"{prefix}{means}")
    if "dim" in _marks(picture):
        yield _Entry(sign=_figure("agent", "dim", "dim-line"), means="no run came here")


def _entries_of_coverage(picture: Picture) -> Iterator[_Entry]:
    meanings = {"covered": "scenarios came here", "uncovered": "no scenario did, or not both ways"}
    yield from (
        _Entry(sign=_edge(mark, pen=2.2), means=means) for mark, means in meanings.items() if mark in _marks(picture)
    )


def _marks(picture: Picture) -> set[Mark]:
    nodes, edges = picture.nodes, picture.edges
    return {*(mark for node in nodes for mark in node.marks), *(mark for edge in edges for mark in edge.marks)}


def _figure(look: str, fill: str, stroke: str) -> Callable[[Point], tuple[Item, ...]]:
    return lambda at: (Polygon(points=outline(look, at, _SWATCH), fill=fill, stroke=stroke, width=1.2),)


def _state(look: str) -> Callable[[Point], tuple[Item, ...]]:
    figure = _figure(look, look, f"{look}-line")
    return lambda at: (*figure(at), *icon(look, at, f"{look}-ink"))


def _irreversible(at: Point) -> tuple[Item, ...]:
    figure = Polygon(points=box(at[0], at[1], *_SWATCH, 3), fill="danger", stroke="danger", width=1.5)
    return figure, *icon("irreversible", at, "danger-ink")


def _band(colour: str, sign: str) -> Callable[[Point], tuple[Item, ...]]:
    return lambda at: (
        Polygon(points=box(at[0], at[1], *_SWATCH, 3), fill=colour),
        *icon(sign, at, f"{colour}-ink"),
    )


def _edge(colour: str, dash: Dash = "", pen: float = 1.4) -> Callable[[Point], tuple[Item, ...]]:
    def sign(at: Point) -> tuple[Item, ...]:
        left, right = at[0] - _SWATCH[0] / 2, at[0] + _SWATCH[0] / 2
        base = right - 6 - pen
        return (
            Curve(points=line((left, at[1]), (base, at[1])), stroke=colour, width=pen, dash=dash),
            Polygon(points=arrow_head((right, at[1]), (base, at[1]), 3 + pen / 2), fill=colour),
        )

    return sign
