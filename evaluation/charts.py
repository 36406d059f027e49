"""Charts in SVG that stand inside an HTML page: intervals side by side, and columns of counts.

Colours are those of the page's style, light or dark; every text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 640
STYLE: Final = """
svg{width:100%;height:auto;display:block}svg text{fill:var(--soft);font-size:11px}svg text.name{fill:var(--ink)}
svg .grid{stroke:var(--line)}svg .zero{stroke:var(--soft)}
svg .s0{stroke:var(--a);fill:var(--a)}svg .s1{stroke:var(--b);fill:var(--b)}svg .bar{stroke:none}
"""
_LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 190, 70, 26, 8, 22
_COLUMN_HEIGHT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A value with its interval, drawn in the colour of its series and said as *text*."""

    name: str
    value: float
    low: float
    high: float
    text: str
    series: int = 0


def intervals(bars: Sequence[Bar], low: float, high: float, ticks: Sequence[tuple[float, str]]) -> str:
    """Points with their intervals, a row each, on a scale from *low* to *high* with these ticks."""
    span = (high - low) or 1.0
    bottom = _TOP + _ROW * len(bars)

    def x(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (min(max(value, low), high) - low) / span

    grid = "".join(
        f'<line class="{"zero" if at == 0 else "grid"}" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{_TOP}" y2="{bottom}"/>'
        f'<text x="{x(at):.1f}" y="{bottom + 14}" text-anchor="middle">{escape(text)}</text>'
        for at, text in ticks
    )
    rows = "".join(
        _row(bar, _TOP + _ROW * (number + 0.5), x(bar.value), x(bar.low), x(bar.high))
        for number, bar in enumerate(bars)
    )
    return _svg(bottom + _BOTTOM, grid + rows)


def _row(bar: Bar, y: float, at: float, low: float, high: float) -> str:
    kind = f"s{bar.series}"
    return (
        f"<g><title>{escape(f'{bar.name}: {bar.text}')}</title>"
        f'<text class="name" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(bar.name)}</text>'
        f'<line class="{kind}" stroke-width="2" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<circle class="{kind}" cx="{at:.1f}" cy="{y:.1f}" r="4"/>'
        f'<text x="{WIDTH - _RIGHT + 6}" y="{y + 4:.1f}">{escape(bar.text)}</text></g>'
    )


def columns(names: Sequence[str], series: Sequence[Sequence[int]]) -> str:
    """Counts by name, a column for each series side by side."""
    top = max((count for counts in series for count in counts), default=0) or 1
    step = (WIDTH - 20) / max(1, len(names))
    width = min(40.0, step * 0.7 / max(1, len(series)))
    shapes = []
    for number, name in enumerate(names):
        middle = 10 + step * (number + 0.5)
        shapes.append(f'<text x="{middle:.1f}" y="{_COLUMN_HEIGHT + 30}" text-anchor="middle">{escape(name)}</text>')
        for index, counts in enumerate(series):
            height = _COLUMN_HEIGHT * counts[number] / top
            left = middle + width * (index - len(series) / 2)
            shapes.append(
                f'<g><title>{escape(f"{name}: {counts[number]}")}</title><rect class="bar s{index}" x="{left:.1f}" '
                f'y="{_COLUMN_HEIGHT + 16 - height:.1f}" width="{width - 1:.1f}" height="{height:.1f}"/></g>'
                f'<text x="{left + width / 2:.1f}" y="{_COLUMN_HEIGHT + 12 - height:.1f}" text-anchor="middle">'
                f"{counts[number] or ''}</text>"
            )
    return _svg(_COLUMN_HEIGHT + 38, "".join(shapes))


def _svg(height: float, inner: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img">{inner}</svg>'
