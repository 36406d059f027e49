"""A study as one HTML page that needs nothing else: tables, charts in SVG, light and dark, no scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from holdpoint.evaluation.charts import STYLE, Bar, columns, intervals
from holdpoint.evaluation.estimates import Estimate
from holdpoint.evaluation.report import (
    say_difference,
    say_estimate,
    say_name,
    say_setting,
    say_signed,
    say_value,
)
from holdpoint.evaluation.study import SHARES, Study, Version
from holdpoint.page import html_page

_MOST_LISTED: Final = 200
_STYLE: Final = """
td.hit{color:var(--a);font-weight:600}td.miss{color:var(--b);font-weight:600}
"""


def to_html(study: Study) -> str:
    """The page."""
    title = f"Evaluation of {study.workflow}"
    return html_page(title, "\n".join(_body(study, title)), _STYLE + STYLE)


def _body(study: Study, title: str) -> Iterator[str]:
    yield f"<h1>{escape(title)}</h1>"
    yield f'<p class="soft">{escape(study.cases)}: {escape(say_setting(study))}.</p>'
    yield _key(study)
    yield "<h2>Measures</h2>"
    yield _measures(study)
    for version in study.versions:
        yield from (f'<p class="soft">{escape(text)}{_of(study, version)}.</p>' for text in version.warnings)
    shares = list(_share_bars(study))
    if shares:
        yield intervals(shares, 0.0, 1.0, [(part / 4, f"{25 * part} %") for part in range(5)])
    if study.differences:
        yield "<h2>Differences</h2>"
        yield '<p class="soft">What the second has more of, case by case; bold where the interval leaves zero out.</p>'
        yield _differences(study)
        yield _difference_chart(study)
    yield "<h2>Rounds</h2>"
    yield '<p class="soft">How many plays visited return states so often.</p>'
    yield _rounds(study)
    for what in ("outcome", "state"):
        for version in study.versions:
            if what in version.confusion:
                yield f"<h2>{escape(f'Expected and found {what}')}{_of(study, version)}</h2>"
                yield _confusion(version, what)
    yield from _listed(study)


def _key(study: Study) -> str:
    names = [f"{version.file} ({version.definition.version[:12]})" for version in study.versions]
    marks = [f"<{tag}>{escape(name)}</{tag}>" for tag, name in zip("bi", names, strict=False)]
    return f'<p class="key">{" and ".join(marks)}</p>'


def _of(study: Study, version: Version) -> str:
    return escape(f", {version.file}") if len(study.versions) > 1 else ""


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already; headers are text."""
    head = "".join(f"<th>{escape(text)}</th>" for text in headers)
    lines = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cell(text: str) -> str:
    return text if text.startswith("<td") else f"<td>{text}</td>"


def _names(study: Study) -> list[str]:
    return list(dict.fromkeys(name for version in study.versions for name in version.measures))


def _measures(study: Study) -> str:
    rows = []
    for name in _names(study):
        found = [version.measures.get(name) for version in study.versions]
        rows.append([escape(say_name(name)), *(_said(name, one) for one in found)])
    return _table(["", *(version.file for version in study.versions)], rows)


def _said(name: str, found: Estimate | None) -> str:
    return "—" if found is None else escape(say_estimate(name, found))


def _share_bars(study: Study) -> Iterator[Bar]:
    for name in _names(study):
        if name.partition(".")[0] not in SHARES:
            continue
        for number, version in enumerate(study.versions):
            found = version.measures.get(name)
            if found is not None:
                yield _bar(name, found, say_value(name, found.value), number)


def _bar(name: str, found: Estimate, text: str, series: int) -> Bar:
    return Bar(name=say_name(name), value=found.value, low=found.low, high=found.high, text=text, series=series)


def _differences(study: Study) -> str:
    rows = []
    for name, found in study.differences.items():
        text = escape(say_difference(name, found))
        rows.append([escape(say_name(name)), f"<b>{text}</b>" if found.is_clear else text])
    return _table(["", "difference"], rows)


def _difference_chart(study: Study) -> str:
    """The differences of shares, which have one scale."""
    bars = [
        _bar(name, found, say_signed(name, found.value), 1)
        for name, found in study.differences.items()
        if name.partition(".")[0] in SHARES
    ]
    if not bars:
        return ""
    most = max(0.05, *(max(abs(bar.low), abs(bar.high)) for bar in bars))
    ticks = [(part * most / 2, say_signed(SHARES[0], part * most / 2) if part else "0") for part in (-2, -1, 0, 1, 2)]
    return intervals(bars, -most, most, ticks)


def _rounds(study: Study) -> str:
    counts = [
        Counter(result.rounds for result in version.results if result.rounds is not None) for version in study.versions
    ]
    known = sorted({rounds for table in counts for rounds in table})
    return columns([str(rounds) for rounds in known], [[table[rounds] for rounds in known] for table in counts])


def _confusion(version: Version, what: str) -> str:
    table = dict(version.confusion[what])
    expected, found = (sorted({pair[side] for pair in table}) for side in (0, 1))
    rows = [
        [escape(one), *(_count(table.get((one, other), 0), is_hit=one == other) for other in found)] for one in expected
    ]
    return _table(["expected", *(f"found {other}" for other in found)], rows)


def _count(count: int, *, is_hit: bool) -> str:
    return f'<td class="{"hit" if is_hit else "miss"}">{count}</td>' if count else '<td class="soft">0</td>'


def _listed(study: Study) -> Iterator[str]:
    """What was not as expected, and the cases in which the two versions part."""
    rows = [
        [
            escape(result.case),
            escape(version.file),
            escape(" → ".join(result.path) or "nowhere"),
            escape("; ".join(result.differences)),
        ]
        for version in study.versions
        for result in version.results
        if result.met is False
    ]
    if rows:
        yield "<h2>Not as expected</h2>"
        yield _table(["case", "version", "path", "difference"], rows[:_MOST_LISTED])
        if len(rows) > _MOST_LISTED:
            yield f'<p class="soft">and {len(rows) - _MOST_LISTED} more.</p>'
    if study.parted:
        yield "<h2>Cases that end otherwise</h2>"
        yield "<ul>" + "".join(f"<li>{escape(name)}</li>" for name in study.parted[:_MOST_LISTED]) + "</ul>"
