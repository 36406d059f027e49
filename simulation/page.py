"""A study as one HTML page that needs nothing else: charts in SVG, light and dark, no scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from holdpoint.page import html_page
from holdpoint.simulation.charts import nice
from holdpoint.simulation.measures import Key
from holdpoint.simulation.report import (
    COMPARED_NAMES,
    NOTHING,
    choke,
    say_count,
    say_difference,
    say_fitted,
    say_measure,
    say_share,
    say_span,
    say_value,
    warnings,
)
from holdpoint.simulation.study import Moment, Study, Variant

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 200, 64, 24, 10
_STYLE = """
th,td{text-align:right}th:first-child,td:first-child{text-align:left}
td.clear{font-weight:600}svg{width:100%;height:auto;display:block}
svg text{fill:var(--soft);font-size:11px}svg .grid{stroke:var(--line)}svg .band{fill:var(--a);opacity:.22}
svg .a{stroke:var(--a);fill:none;stroke-width:2}svg .b{stroke:var(--b);fill:none;stroke-width:2}
svg .bar{fill:var(--a)}svg .back{fill:var(--line)}
"""


def to_html(study: Study) -> str:
    """The page."""
    title = f"Simulation of {study.definition.workflow}"
    return html_page(title, "\n".join(_body(study, title)), _STYLE)


def _body(study: Study, title: str) -> Iterator[str]:
    plan = study.plan
    yield f"<h1>{escape(title)}</h1>"
    yield (
        f'<p class="soft">{plan.days} days, the first {plan.warmup} not counted; {plan.replications} replications, '
        f"seed {plan.seed}; intervals of 95 %. Definition {study.definition.version[:12]}.</p>"
    )
    if fitted := say_fitted(study):
        yield f'<p class="soft">{escape(fitted)}</p>'
    if doubts := list(warnings(study)):
        yield "<h2>Warnings</h2>"
        yield _list(doubts)
    yield "<h2>Where it chokes</h2>"
    yield _list(choke(study))
    yield "<h2>Runs</h2>"
    yield _runs(study)
    yield "<h2>Open requests</h2>"
    yield '<p class="key soft"><b>mean</b> by the day, and the band from 5 to 95 % of all hours</p>'
    yield _band(study.days["all", ""]) if ("all", "") in study.days else "<p>none</p>"
    yield "<h2>Waiting until somebody begins</h2>"
    yield '<p class="key soft"><b>median</b> and <i>90th percentile</i> of the requests opened on that day</p>'
    for kind, name in _queues(study):
        yield f"<h3>{escape(name)}</h3>"
        yield _waits(study.days[kind, name])
    yield "<h2>By state</h2>"
    yield _states(study)
    yield "<h2>People</h2>"
    yield _people(study)
    if study.variants:
        yield "<h2>What would change it</h2>"
        yield '<p class="soft">Differences, by the same random numbers; bold where the interval leaves zero out.</p>'
        yield _variants(study.variants)
    if plan.assumed:
        yield "<h2>Assumed</h2>"
        yield _list(plan.assumed)


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already; headers are text."""
    head = "".join(f"<th>{escape(text)}</th>" for text in headers)
    lines = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cell(text: str) -> str:
    return text if text.startswith("<td") else f"<td>{text}</td>"


def _said(study: Study, key: Key) -> str:
    """A number with its interval."""
    found = study.estimates.get(key)
    if found is None:
        return NOTHING
    mean, low, high = (say_measure(key[2], number) for number in (found.mean, found.low, found.high))
    return f'{mean} <span title="95 %">({low} to {high})</span>' if found.low != found.high else mean


def _runs(study: Study) -> str:
    rows = [["started", _said(study, ("runs", "", "started"))]]
    rows += [
        [escape(name), _said(study, ("runs", name, "share"))]
        for name in study.names("runs", "share")
        if study.value("runs", name, "share")
    ]
    rows += [
        [f"from start to end, {name}", _said(study, ("runs", "", f"cycle_{name}"))] for name in ("p50", "p90", "p95")
    ]
    rows.append(["still open at the end", _said(study, ("runs", "", "open"))])
    return _table(["", "mean (95 %)"], rows)


def _queues(study: Study) -> list[tuple[str, str]]:
    """The roles whose requests wait, the worst first."""
    names = [name for name in study.names("role", "queue_mean") if study.value("role", name, "wait_p95")]
    return [("role", name) for name in sorted(names, key=lambda name: -study.value("role", name, "queue_mean"))[:6]]


def _states(study: Study) -> str:
    headers = ["state", "requests", "wait p50", "p90", "p95", "settled p50", "p90", "open", "by deadline", "withdrawn"]
    measures = [
        "opened",
        "wait_p50",
        "wait_p90",
        "wait_p95",
        "turnaround_p50",
        "turnaround_p90",
        "open_mean",
        "default_share",
        "withdrawn",
    ]
    rows = [
        [escape(name), *(say_value(study, "state", name, what) for what in measures)]
        for name in study.names("state", "opened")
    ]
    return _table(headers, rows)


def _people(study: Study) -> str:
    rows = []
    for name in study.names("person", "hours"):
        share = study.estimates.get(("person", name, "utilisation"))
        shown = NOTHING if share is None else f"{say_share(share.mean)} {_meter(share.mean)}"
        hours = study.value("person", name, "hours")
        counts = (say_count(study.value("person", name, what)) for what in ("decisions", "withdrawn"))
        rows.append([escape(name), *counts, f"{hours:,.1f} h", shown])
    return _table(["person", "decisions", "withdrawn", "at work on requests", "of their hours"], rows)


def _meter(share: float) -> str:
    width = 100 * max(0.0, min(1.0, share))
    return (
        '<svg viewBox="0 0 100 8" style="display:inline-block;width:6rem;height:.5rem" role="img">'
        f'<rect class="back" width="100" height="8"/><rect class="bar" width="{width:.1f}" height="8"/></svg>'
    )


def _variants(variants: Sequence[Variant]) -> str:
    rows = []
    for variant in variants:
        cells = [escape(variant.title)]
        for key in COMPARED_NAMES:
            found = variant.differences.get(key)
            if found is None:
                cells.append(f"<td>{NOTHING}</td>")
                continue
            mean, low, high = (say_difference(key[2], number) for number in (found.mean, found.low, found.high))
            kind = ' class="clear"' if found.is_clear else ""
            cells.append(f"<td{kind}>{mean}<br><small>{low} to {high}</small></td>")
        rows.append(cells)
    return _table(["change", *COMPARED_NAMES.values()], rows)


def _band(days: Sequence[Moment]) -> str:
    top = nice(max((day.open_p95 for day in days), default=1.0))
    high = [(index, day.open_p95) for index, day in enumerate(days)]
    low = [(index, day.open_p05) for index, day in reversed(list(enumerate(days)))]
    band = f'<polygon class="band" points="{_points(high + low, len(days), top)}"/>'
    mean = [(index, day.open_mean) for index, day in enumerate(days)]
    titles = [f"day {number}: {say_count(day.open_mean)} open" for number, day in enumerate(days, 1)]
    return _svg(len(days), top, say_count, [band, _line("a", mean, len(days), top)], titles)


def _waits(days: Sequence[Moment]) -> str:
    medians, nineties = [day.wait_p50 for day in days], [day.wait_p90 for day in days]
    top = max((wait for wait in (*medians, *nineties) if wait is not None), default=0.0) or 1.0
    lines = [
        _line(kind, part, len(days), top)
        for kind, waits in (("a", medians), ("b", nineties))
        for part in _unbroken(waits)
    ]
    pairs = enumerate(zip(medians, nineties, strict=True), 1)
    titles = [f"day {number}: {', '.join(_span(wait) for wait in dict.fromkeys(pair))}" for number, pair in pairs]
    return _svg(len(days), top, say_span, lines, titles)


def _span(wait: float | None) -> str:
    return "nobody began with any" if wait is None else say_span(wait)


def _unbroken(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    """The stretches of days that have a value, each day with its value."""
    part: list[tuple[int, float]] = []
    for index, value in enumerate(values):
        if value is not None:
            part.append((index, value))
        elif part:
            yield part
            part = []
    if part:
        yield part


def _line(kind: str, places: Sequence[tuple[int, float]], count: int, top: float) -> str:
    """A line through places; one alone is a dot."""
    if len(places) == 1:
        ((index, value),) = places
        return f'<circle class="{kind}" cx="{_x(index, count):.1f}" cy="{_y(value, top):.1f}" r="2"/>'
    return f'<polyline class="{kind}" points="{_points(places, count, top)}"/>'


def _points(places: Sequence[tuple[int, float]], count: int, top: float) -> str:
    return " ".join(f"{_x(index, count):.1f},{_y(value, top):.1f}" for index, value in places)


def _x(index: float, count: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - 8) * (index + 0.5) / count


def _y(value: float, top: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)


def _svg(count: int, top: float, say: Callable[[float], str], shapes: Sequence[str], titles: Sequence[str]) -> str:
    """A chart by day with its scale; each day says its numbers where one points at it."""
    grid = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 8}" y1="{_y(value, top):.1f}" y2="{_y(value, top):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{_y(value, top) + 4:.1f}" text-anchor="end">{escape(say(value))}</text>'
        for value in (0.0, top / 2, top)
    )
    step = max(1, count // 10)
    days = "".join(
        f'<text x="{_x(day, count):.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{day + 1}</text>'
        for day in range(0, count, step)
    )
    width, height = _x(1, count) - _x(0, count), _HEIGHT - _TOP - _BOTTOM
    hover = "".join(
        f'<rect x="{_x(index, count) - width / 2:.1f}" y="{_TOP}" width="{width:.1f}" height="{height}" '
        f'fill="transparent"><title>{escape(text)}</title></rect>'
        for index, text in enumerate(titles)
    )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{grid}{days}{"".join(shapes)}{hover}</svg>'
