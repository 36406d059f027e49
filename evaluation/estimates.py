"""Estimates with confidence intervals: Wilson's for shares, the bootstrap for all else; and agreement beyond chance."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypeVar

from holdpoint.engine.canonical import Json

CONFIDENCE: Final = 0.95
SEED: Final = 1
_MOST_RESAMPLES: Final = 2_000
_LEAST_RESAMPLES: Final = 200
_MOST_DRAWS: Final = 1_000_000
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its confidence interval, from *count* independent cases.

    `undefined` is the share of resamples for which there is no value, and which the interval leaves out.
    """

    value: float
    low: float
    high: float
    count: int
    undefined: float = 0.0

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out: of a difference, that there is one."""
        return self.low > 0 or self.high < 0

    def to_dict(self) -> dict[str, Json]:
        """The estimate as `flow eval --json` prints it."""
        return {"value": self.value, "low": self.low, "high": self.high, "count": self.count}


def wilson(share: float, count: int) -> Estimate:
    """A share of *count* cases, with the interval of Wilson (1927), which stays between 0 and 1."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    low, high = (middle - half) / scale, (middle + half) / scale
    # Rounding must not leave the share itself out at the ends.
    return Estimate(value=share, low=max(0.0, min(low, share)), high=min(1.0, max(high, share)), count=count)


def bootstrap(
    items: Sequence[_Item], statistic: Callable[[Sequence[_Item]], float | None], seed: int = SEED
) -> Estimate | None:
    """A statistic of independent items, with the interval between the percentiles of what resamples of them give.

    None where the statistic has no value for them; resamples for which it has none are left out.
    """
    value = statistic(items)
    if value is None:
        return None
    draw = random.Random(seed)
    times = max(_LEAST_RESAMPLES, min(_MOST_RESAMPLES, _MOST_DRAWS // len(items)))
    found = (statistic(draw.choices(items, k=len(items))) for _ in range(times))
    values = sorted(one for one in found if one is not None)
    tail = (1 - CONFIDENCE) / 2
    low, high = _quantile(values, tail), _quantile(values, 1 - tail)
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        count=len(items),
        undefined=1 - len(values) / times,
    )


def _quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of sorted values lies, between two of them where need be."""
    place = share * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def agreement(pairs: Sequence[tuple[str, str]]) -> float | None:
    """The share of pairs whose two are the same; None where there are none."""
    return sum(one == other for one, other in pairs) / len(pairs) if pairs else None


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa (1960): the agreement beyond what chance would give; None where chance gives all of it."""
    observed = agreement(pairs)
    if observed is None:
        return None
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(ones[word] * others[word] for word in ones) / len(pairs) ** 2
    return None if by_chance >= 1 else (observed - by_chance) / (1 - by_chance)
