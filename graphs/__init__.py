"""The state graph of a workflow: as text, or as a drawing; of a definition, of a run, or of all runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import UsageError, did_you_mean
from holdpoint.engine.model import Entry, RunRecord
from holdpoint.engine.traffic import Traffic
from holdpoint.graphs import dot, mermaid, text
from holdpoint.graphs.overlays import over_coverage, over_run, over_traffic
from holdpoint.graphs.picture import Picture, picture

__all__ = [
    "DRAWINGS",
    "FORMATS",
    "THEMES",
    "Picture",
    "draw",
    "picture_of",
    "picture_of_coverage",
    "picture_of_run",
    "picture_of_traffic",
]

_EMITTERS: Mapping[str, Callable[[Picture], str]] = MappingProxyType(
    {"text": text.emit, "mermaid": mermaid.emit, "dot": dot.emit}
)
DRAWINGS = ("svg", "png", "pdf")
"""The formats that need the extra `graph`."""
FORMATS = (*_EMITTERS, *DRAWINGS)
THEMES = ("light", "dark", "auto")


def picture_of(definition: Definition) -> Picture:
    """What there is to draw of a definition."""
    return picture(definition)


def picture_of_run(definition: Definition, run: RunRecord, history: Sequence[Entry]) -> Picture:
    """What there is to draw of a run: where it is, how it came there, what it cannot come to any more."""
    return over_run(picture(definition), run, history)


def picture_of_traffic(definition: Definition, traffic: Traffic, *, is_all: bool) -> Picture:
    """What there is to draw of many runs: how many went each way, how long they stayed. *is_all*: of all versions."""
    return over_traffic(picture(definition), traffic, is_all=is_all)


def picture_of_coverage(definition: Definition, seen: Collection[tuple[str, ...]], percent: float) -> Picture:
    """What there is to draw of what tests cover of a definition. *seen*: what they went through."""
    return over_coverage(picture(definition), seen, percent)


def draw(drawn: Picture, format: str, theme: str = "auto") -> str | bytes:
    """The picture in a format: bytes of `png` and `pdf`, of all others a text that ends with a newline.

    The same arguments give the same result, states and options in the author's order; a drawing also depends on the
    version of Graphviz. Raises `UsageError` where *format* is none of `FORMATS` or *theme* none of `THEMES`, code
    `missing_extra` where pygraphviz is not installed, and code `graphviz` where it comes to no drawing.
    """
    _check("a graph's format", format, FORMATS)
    _check("a theme", theme, THEMES)
    emit = _EMITTERS.get(format)
    return emit(drawn) if emit is not None else _drawn(drawn, format, theme)


def _drawn(drawn: Picture, format: str, theme: str) -> str | bytes:
    from holdpoint.graphs import drawing, graphviz, raster, svg

    if not graphviz.is_installed():
        raise UsageError(
            f"format {format!r} needs the extra 'graph'; install it with: pip install -e '.[graph]' in a clone of "
            "Holdpoint, else pip install 'holdpoint[graph]'",
            code="missing_extra",
            details={"extra": "graph", "package": "pygraphviz"},
        )
    try:
        scene = drawing.draw(drawn)
        return svg.emit(scene, theme) if format == "svg" else raster.emit(scene, format, theme)
    except graphviz.GraphvizFailed as error:
        raise UsageError(f"Graphviz cannot draw workflow {drawn.workflow!r}: {error}", code="graphviz") from None


def _check(what: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        hint = did_you_mean(word, known)
        raise UsageError(f"{what} is one of {', '.join(known)}, not {word!r}" + (f"; {hint}" if hint else ""))
