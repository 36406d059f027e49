"""Random numbers by name, and the distributions that turn them into durations.

A number is a function of the seed and of what it is for, never of what was drawn before. So two simulations that
differ in one thing see the same runs, the same work and the same decisions: common random numbers.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, pairwise
from statistics import NormalDist
from typing import Literal, TypeAlias

from holdpoint.engine.durations import DAY, Duration, parse_duration
from holdpoint.engine.errors import Invalid

Kind: TypeAlias = Literal["constant", "exp", "lognormal", "uniform", "quantiles"]

_CALL = re.compile(r"([a-z]+)\((.*)\)", re.ASCII)
_ARGUMENTS = {
    "exp": (1, "the mean"),
    "lognormal": (2, "the median and the 90th percentile"),
    "uniform": (2, "two ends"),
}
_NORMAL = NormalDist()
_Z90 = _NORMAL.inv_cdf(0.9)
_BITS = 52
_ROUNDING = 1e-9
_HALVINGS = 40
BEYOND = 10
ALLOWED = "write e.g. 2m, exp(5m), lognormal(10m, 1h), uniform(1m, 5m) or quantiles(1m, 2m, 9m)"


class Stream:
    """The numbers of one replication."""

    __slots__ = ("_base",)

    def __init__(self, seed: int, replication: int) -> None:
        self._base = blake2b(f"{seed}/{replication}/".encode(), digest_size=8)

    def uniform(self, what: str) -> float:
        """The number for this purpose, more than 0 and less than 1."""
        drawn = self._base.copy()
        drawn.update(what.encode())
        return ((int.from_bytes(drawn.digest()) >> (64 - _BITS)) + 0.5) / (1 << _BITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A distribution of durations, in seconds. `numbers` are those of its text, in seconds."""

    kind: Kind
    numbers: tuple[float, ...]

    def at(self, number: float) -> float:
        """The duration that this share of all durations stays below: what a uniform number stands for."""
        first, *more = self.numbers
        match self.kind:
            case "exp":
                return -first * math.log1p(-number)
            case "lognormal":
                return first * math.exp(math.log(more[0] / first) / _Z90 * _NORMAL.inv_cdf(number))
            case "uniform":
                return first + (more[0] - first) * number
            case "quantiles":
                return _interpolated(self.numbers, number)
        return first

    @property
    def mean(self) -> float:
        """The mean, in seconds."""
        first, *more = self.numbers
        match self.kind:
            case "lognormal":
                return first * math.exp((math.log(more[0] / first) / _Z90) ** 2 / 2)
            case "uniform":
                return (first + more[0]) / 2
            case "quantiles":
                return sum(_middles(self.numbers)) / (len(self.numbers) - 1)
        return first

    def share_above(self, seconds: float) -> float:
        """The share of all durations that are longer than this."""
        below, above = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (below + above) / 2
            below, above = (below, middle) if self.at(middle) > seconds else (middle, above)
        return round(1 - above, 9)

    def __str__(self) -> str:
        texts = ", ".join(say_seconds(number) for number in self.numbers)
        return texts if self.kind == "constant" else f"{self.kind}({texts})"


NO_TIME = Distribution(kind="constant", numbers=(0.0,))


def parse_distribution(text: object) -> Distribution:
    """The distribution that a text says: `2m`, `exp(5m)`, `lognormal(MEDIAN, P90)`, `uniform(A, B)`, `quantiles(…)`.

    The points of `quantiles` are evenly spaced, the least and the greatest among them. Raises `Invalid`.
    """
    if not isinstance(text, str):
        raise Invalid(f"a distribution of durations is a text; {ALLOWED}", code="distribution")
    call = _CALL.fullmatch(text.strip())
    if call is None:
        return Distribution(kind="constant", numbers=(_seconds(text),))
    name, inside = call[1], call[2]
    numbers = tuple(_seconds(part) for part in inside.split(","))
    if name in _ARGUMENTS:
        count, what = _ARGUMENTS[name]
        if len(numbers) != count:
            raise Invalid(f"{text!r}: {name} takes {what}; {ALLOWED}", code="distribution")
    elif name != "quantiles":
        raise Invalid(f"{text!r}: there is no distribution {name!r}; {ALLOWED}", code="distribution")
    _check_order(text, name, numbers)
    return Distribution(kind=name, numbers=numbers)  # type: ignore[arg-type]


def of_sample(values: Sequence[float], points: int = 100) -> Distribution:
    """The distribution of some measured seconds, at least one, as evenly spaced quantiles."""
    ordered = sorted(values)
    count = min(points, len(ordered))
    if count == 1:
        return Distribution(kind="constant", numbers=(round(ordered[0]),))
    found = tuple(float(round(_interpolated(ordered, index / (count - 1)))) for index in range(count))
    return Distribution(kind="quantiles", numbers=found)


def of_censored(ended: Sequence[float], cut: Sequence[float], points: int = 200) -> Distribution:
    """The distribution of durations of which some were cut short, by Kaplan and Meier, as evenly spaced quantiles.

    *ended* are the seconds of those that came to their end, at least one; *cut* those of the others, so far. What is
    longer than all that was seen is taken as `BEYOND` times as long.
    """
    if not cut:
        return of_sample(ended, points)
    seen = sorted([(seconds, 0) for seconds in ended] + [(seconds, 1) for seconds in cut])
    left, steps = 1.0, []
    for index, (seconds, is_cut) in enumerate(seen):
        if not is_cut:
            left *= 1 - 1 / (len(seen) - index)
            steps.append((1 - left, seconds))
    shares, times = zip(*steps, strict=True)
    ranks = (bisect_left(shares, index / (points - 1) - _ROUNDING) for index in range(points))
    longest = BEYOND * seen[-1][0]
    numbers = [float(round(times[rank] if rank < len(times) else longest)) for rank in ranks]
    return Distribution(kind="quantiles", numbers=tuple(numbers))


def pick(weights: Sequence[float], number: float) -> int:
    """The index that a uniform number picks, each as often as its weight says."""
    sums = list(accumulate(weights))
    return min(bisect_right(sums, number * sums[-1]), len(sums) - 1)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of values in their order, linear between two; 0 of none."""
    return _interpolated(ordered, share) if ordered else 0.0


def say_seconds(seconds: float) -> str:
    """A duration as it is written: `90s` is `1m30s`, nothing is `0s`."""
    return str(Duration(days=0, seconds=round(seconds))) or "0s"


def _seconds(text: str) -> float:
    plain = text.strip()
    if plain == "0s":
        return 0.0
    duration = parse_duration(plain)
    return float(duration.days * DAY + duration.seconds)


def _check_order(text: str, name: str, numbers: tuple[float, ...]) -> None:
    if name in ("exp", "lognormal") and min(numbers) <= 0:
        raise Invalid(f"{text!r}: {name} takes durations that are more than nothing", code="distribution")
    if list(numbers) != sorted(numbers) or (name == "quantiles" and len(numbers) < 2):
        raise Invalid(
            f"{text!r}: the durations of {name} stand in their order, the shortest first", code="distribution"
        )


def _interpolated(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    if below + 1 >= len(ordered):
        return ordered[-1]
    return ordered[below] + (ordered[below + 1] - ordered[below]) * (place - below)


def _middles(numbers: Sequence[float]) -> list[float]:
    return [(low + high) / 2 for low, high in pairwise(numbers)]
