"""What a drawing is made of: figures, curves and texts, placed in points from the top left, in the roles of a theme."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Point: TypeAlias = tuple[float, float]
Dash: TypeAlias = Literal["", "dashed", "dotted"]
Anchor: TypeAlias = Literal["start", "middle", "end"]

SANS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
MONO = "Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """A closed figure. `fill` and `stroke` are roles; an empty one is none."""

    points: tuple[Point, ...]
    fill: str = ""
    stroke: str = ""
    width: float = 1.0
    dash: Dash = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line of Bézier curves: a point, then three for each curve."""

    points: tuple[Point, ...]
    stroke: str
    width: float = 1.0
    dash: Dash = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """An ellipse around a point."""

    centre: Point
    radii: Point
    fill: str = ""
    stroke: str = ""
    width: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text in one line at its baseline. `ground` is the role of what is behind it."""

    at: Point
    text: str
    size: float
    fill: str
    ground: str
    anchor: Anchor = "middle"
    is_bold: bool = False
    is_mono: bool = False


Item: TypeAlias = Polygon | Curve | Ellipse | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Things that are one for whoever reads the picture: a state, an edge. `says` is all of it in words."""

    id: str
    classes: tuple[str, ...]
    says: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A drawing. `says` is what it shows, in words, for those who do not see it."""

    id: str
    title: str
    says: str
    size: Point
    groups: tuple[Group, ...]

    @property
    def items(self) -> Iterator[Item]:
        """All that is drawn, from the back to the front."""
        for group in self.groups:
            yield from group.items


def box(x: float, y: float, w: float, h: float, corner: float = 0.0) -> tuple[Point, ...]:
    """A rectangle around a centre, with round corners."""
    if not corner:
        return (x - w / 2, y - h / 2), (x + w / 2, y - h / 2), (x + w / 2, y + h / 2), (x - w / 2, y + h / 2)
    corner = min(corner, w / 2, h / 2)
    centres = ((1, -1, -90), (1, 1, 0), (-1, 1, 90), (-1, -1, 180))
    steps = max(3, round(corner / 3))
    return tuple(
        (
            x + across * (w / 2 - corner) + corner * math.cos(angle),
            y + down * (h / 2 - corner) + corner * math.sin(angle),
        )
        for across, down, begin in centres
        for step in range(steps + 1)
        for angle in [math.radians(begin + 90 * step / steps)]
    )


def line(*points: Point) -> tuple[Point, ...]:
    """Straight lines through these points, as a curve's points."""
    return (points[0], *_straight(points))


def _straight(points: Iterable[Point]) -> Iterator[Point]:
    before: Point | None = None
    for point in points:
        if before is not None:
            yield from (before, point, point)
        before = point
