"""Bézier curves that are cut where they meet a figure, and the heads of arrows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from holdpoint.graphs.scene import Point

_SAMPLES, _HALVINGS = 16, 20


def contains(polygon: Sequence[Point], point: Point) -> bool:
    """Whether a point is within a figure."""
    x, y = point
    is_within = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            is_within = not is_within
    return is_within


def beyond(points: tuple[Point, ...], polygon: Sequence[Point]) -> tuple[Point, ...]:
    """The part of a curve that begins within a figure from where it leaves it."""
    return _from(points, lambda point: contains(polygon, point))


def up_to(points: tuple[Point, ...], polygon: Sequence[Point]) -> tuple[Point, ...]:
    """The part of a curve that ends within a figure up to where it enters it."""
    return tuple(reversed(beyond(tuple(reversed(points)), polygon)))


def shortened(points: tuple[Point, ...], by: float) -> tuple[Point, ...]:
    """The curve without so much of its end."""
    tip = points[-1]
    return tuple(reversed(_from(tuple(reversed(points)), lambda point: math.dist(point, tip) < by)))


def arrow_head(tip: Point, base: Point, half: float) -> tuple[Point, ...]:
    """A triangle from around a base to a tip."""
    length = math.dist(tip, base) or 1.0
    across = ((tip[1] - base[1]) / length * half, (base[0] - tip[0]) / length * half)
    return tip, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])


def _from(points: tuple[Point, ...], is_out: Callable[[Point], bool]) -> tuple[Point, ...]:
    """The curve from the first place on where it is not out of what is wanted; all of it where there is no such."""
    for start in range(0, len(points) - 1, 3):
        part = points[start : start + 4]
        for sample in range(_SAMPLES + 1):
            if not is_out(_at(part, sample / _SAMPLES)):
                if start == 0 and sample == 0:
                    return points
                low, high = max(0, sample - 1) / _SAMPLES, sample / _SAMPLES
                for _ in range(_HALVINGS):
                    middle = (low + high) / 2
                    low, high = (middle, high) if is_out(_at(part, middle)) else (low, middle)
                return (*_second(part, high), *points[start + 4 :])
    return points


def _at(part: Sequence[Point], t: float) -> Point:
    return _second(part, t)[0]


def _second(part: Sequence[Point], t: float) -> tuple[Point, ...]:
    """What is left of a curve behind t, by de Casteljau."""
    rest: list[Point] = []
    level = list(part)
    while level:
        rest.append(level[-1])
        level = [(one[0] + (two[0] - one[0]) * t, one[1] + (two[1] - one[1]) * t) for one, two in pairwise(level)]
    return tuple(reversed(rest))
