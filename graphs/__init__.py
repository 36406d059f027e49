"""The state graph of a workflow as text, of a definition or of a run with the way it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import UsageError, did_you_mean
from holdpoint.engine.model import Entry, RunRecord
from holdpoint.graphs import dot, mermaid, text
from holdpoint.graphs.picture import Picture, picture

__all__ = ["FORMATS", "draw"]

_EMITTERS: Mapping[str, Callable[[Picture], str]] = MappingProxyType(
    {"text": text.emit, "mermaid": mermaid.emit, "dot": dot.emit}
)
_LATER = frozenset({"svg", "png"})
FORMATS = tuple(_EMITTERS)


def draw(definition: Definition, format: str, *, run: RunRecord | None = None, history: Sequence[Entry] = ()) -> str:
    """The graph of *definition* or, given with its *history*, of a *run*; it ends with a newline.

    The same arguments give the same text, states and options in the author's order. Raises `UsageError` where
    *format* is none of `FORMATS`.
    """
    emit = _EMITTERS.get(format)
    if emit is None:
        raise _unknown(format)
    return emit(picture(definition, run, history))


def _unknown(format: str) -> UsageError:
    known = ", ".join(FORMATS)
    if format in _LATER:
        return UsageError(f"format {format!r} is not available in this version; take one of {known}", code="format")
    hint = did_you_mean(format, FORMATS)
    return UsageError(
        f"a graph's format is one of {known}, not {format!r}" + (f"; {hint}" if hint else ""), code="format"
    )
