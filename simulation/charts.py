"""Charts of block characters, for terminals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

_BLOCKS = " ▁▂▃▄▅▆▇█"
_LEVELS = len(_BLOCKS) - 1
_WIDTH = 60


def columns(values: Sequence[float], height: int = 6) -> Iterator[str]:
    """A chart of columns, one for each value, with its scale at the left: lines from the top down."""
    shown = _squeezed(values, _WIDTH)
    top = nice(max(shown, default=0.0))
    label = len(f"{top:,g}")
    for row in range(height, 0, -1):
        scale = f"{top * row / height:,.4g}" if row in (height, height // 2) else ""
        cells = "".join(_cell(value / top * height - (row - 1)) for value in shown)
        yield f"{scale:>{label + 2}} ┤{cells}".rstrip()
    yield f"{'0':>{label + 2}} ┴{'─' * len(shown)}"


def bar(share: float, width: int = 20) -> str:
    """A bar for a share from 0 to 1."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")


def nice(number: float) -> float:
    """The next round number that is no less."""
    if number <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(number))
    return next(
        (step * power for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8) if number <= step * power * 1.000001), 10 * power
    )


def _squeezed(values: Sequence[float], width: int) -> Sequence[float]:
    """At most *width* values, each the mean of those that it stands for."""
    if len(values) <= width:
        return values
    edges = [len(values) * index // width for index in range(width + 1)]
    return [sum(values[begin:end]) / (end - begin) for begin, end in itertools.pairwise(edges)]


def _cell(filled: float) -> str:
    return _BLOCKS[max(0, min(_LEVELS, round(filled * _LEVELS)))]
