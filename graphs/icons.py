"""The small signs of a drawing, ten points wide: what kind a state is, that a clock or an error takes an edge."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from holdpoint.graphs.scene import Curve, Ellipse, Item, Point, Polygon, line

WIDTH = 10.0


def icon(name: str, at: Point, colour: str) -> tuple[Item, ...]:
    """The sign of that name around a point, in the role *colour*."""
    return _ICONS[name](at[0], at[1], colour)


def _gear(x: float, y: float, colour: str) -> tuple[Item, ...]:
    turns = [math.radians(45 * turn) for turn in range(8)]
    teeth = [
        Curve(
            points=line(
                (x + 3.2 * math.cos(turn), y + 3.2 * math.sin(turn)), (x + 5 * math.cos(turn), y + 5 * math.sin(turn))
            ),
            stroke=colour,
            width=1.8,
        )
        for turn in turns
    ]
    return (*teeth, Ellipse(centre=(x, y), radii=(2.6, 2.6), stroke=colour, width=1.7))


def _person(x: float, y: float, colour: str) -> tuple[Item, ...]:
    shoulders = [
        (x + 4.6 * math.cos(math.radians(turn)), y + 5 + 4.8 * math.sin(math.radians(turn)))
        for turn in range(180, 361, 20)
    ]
    return (
        Ellipse(centre=(x, y - 2.6), radii=(2.4, 2.4), fill=colour),
        Polygon(points=tuple(shoulders), fill=colour),
    )


def _clock(x: float, y: float, colour: str) -> tuple[Item, ...]:
    return (
        Ellipse(centre=(x, y), radii=(4.4, 4.4), stroke=colour, width=1.3),
        Curve(points=line((x, y - 2.8), (x, y), (x + 2.2, y + 1.2)), stroke=colour, width=1.3),
    )


def _tick(x: float, y: float, colour: str) -> tuple[Item, ...]:
    return (Curve(points=line((x - 4, y), (x - 1.2, y + 3.2), (x + 4.2, y - 3.6)), stroke=colour, width=2),)


def _cross(x: float, y: float, colour: str) -> tuple[Item, ...]:
    ways = (((x - 3.4, y - 3.4), (x + 3.4, y + 3.4)), ((x + 3.4, y - 3.4), (x - 3.4, y + 3.4)))
    return tuple(Curve(points=line(*way), stroke=colour, width=2) for way in ways)


def _bar(x: float, y: float, colour: str) -> tuple[Item, ...]:
    return (Curve(points=line((x - 4, y), (x + 4, y)), stroke=colour, width=2),)


def _warning(x: float, y: float, colour: str) -> tuple[Item, ...]:
    return (
        Polygon(points=((x, y - 4.4), (x + 5, y + 4.2), (x - 5, y + 4.2)), stroke=colour, width=1.3),
        Curve(points=line((x, y - 1.6), (x, y + 1.2)), stroke=colour, width=1.3),
        Ellipse(centre=(x, y + 2.7), radii=(0.7, 0.7), fill=colour),
    )


def _pin(x: float, y: float, colour: str) -> tuple[Item, ...]:
    return (Polygon(points=((x - 3.4, y - 4.2), (x + 4.4, y), (x - 3.4, y + 4.2)), fill=colour),)


_ICONS: Mapping[str, Callable[[float, float, str], tuple[Item, ...]]] = MappingProxyType(
    {
        "agent": _gear,
        "approval": _person,
        "return": _person,
        "form": _person,
        "wait": _clock,
        "success": _tick,
        "failure": _cross,
        "cancelled": _bar,
        "timed": _clock,
        "error": _warning,
        "irreversible": _warning,
        "current": _pin,
        "failed": _cross,
    }
)
