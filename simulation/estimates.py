"""Estimates with their confidence intervals, over replications or over batches of one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its confidence interval, which is the mean itself where there is one value only."""

    mean: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves nothing out but one side of zero: of a difference, that there is one."""
        return self.low > 0 or self.high < 0

    def to_list(self) -> list[float]:
        """Mean, low and high, with six significant figures."""
        return [float(f"{number:.6g}") for number in (self.mean, self.low, self.high)]


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of independent values and its confidence interval by Student's t."""
    mean = fmean(values)
    if len(values) < 2:
        return Estimate(mean=mean, low=mean, high=mean)
    half = t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Estimate(mean=mean, low=mean - half, high=mean + half)


def t_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """The quantile of Student's t that leaves half of what is beyond *confidence* above it.

    Exact for one and two degrees of freedom; beyond, Hill's approximation (CACM algorithm 396, 1970).
    """
    tail = 1 - confidence
    if degrees == 1:
        return 1 / math.tan(tail * math.pi / 2)
    if degrees == 2:
        return math.sqrt(2 / (tail * (2 - tail)) - 2)
    a = 1 / (degrees - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * degrees
    y = (d * tail) ** (2 / degrees)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(tail / 2)
        y = x * x
        if degrees < 5:
            c += 0.3 * (degrees - 4.5) * (x + 0.6)
        c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = (
            (1 / (((degrees + 6) / (degrees * y) - 0.089 * d - 0.822) * (degrees + 2) * 3) + 0.5 / (degrees + 4)) * y
            - 1
        ) * (degrees + 1) / (degrees + 2) + 1 / y
    return math.sqrt(degrees * y)
