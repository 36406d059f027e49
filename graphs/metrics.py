"""How wide texts are, at most, in the fonts that pictures ask for, and where they are broken into lines.

The figures are those of DejaVu Sans, the widest of the fonts that a viewer may fall back to: what is measured by them
fits in Helvetica, Arial and Liberation Sans too, whoever draws the picture on whatever machine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

# In hundredths of the font's size, from the space to the tilde.
_PLAIN = (
    *(32, 40, 46, 84, 64, 95, 78, 28, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34),
    *(84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 78, 75, 30, 30, 66, 56, 86, 75, 79, 60, 79, 70, 64, 61, 73, 68),
    *(99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 64, 55, 64, 62, 35, 64, 63, 28, 28, 58, 28, 97, 63, 61, 64, 64),
    *(41, 52, 39, 63, 59, 82, 59, 59, 53, 64, 34, 64, 84),
)
_BOLD = (
    *(35, 46, 52, 84, 70, 100, 87, 31, 46, 46, 52, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70, 70, 70, 70, 40, 40),
    *(84, 84, 84, 58, 100, 77, 76, 73, 83, 68, 68, 82, 84, 37, 37, 77, 64, 100, 84, 85, 73, 85, 77, 72, 68, 81, 77),
    *(110, 77, 72, 73, 46, 37, 46, 84, 50, 50, 67, 72, 59, 72, 68, 44, 72, 71, 34, 34, 67, 34, 104, 71, 69, 72, 72),
    *(49, 60, 48, 71, 65, 92, 65, 65, 58, 71, 37, 71, 84),
)
_MONO = 61
_WIDE, _OTHER, _OTHER_BOLD = 100, 85, 95


def width(text: str, size: float, *, is_bold: bool = False, is_mono: bool = False) -> float:
    """How wide a text is in one line, in points; it may be less, in a narrower font."""
    return sum(_advance(character, is_bold, is_mono) for character in text) * size / 100


def _advance(character: str, is_bold: bool, is_mono: bool) -> int:
    place = ord(character) - 32
    if 0 <= place < len(_PLAIN):
        return _MONO if is_mono else (_BOLD if is_bold else _PLAIN)[place]
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return _WIDE
    return _OTHER_BOLD if is_bold else _OTHER


def wrap(
    text: str, size: float, limit: float, *, lines: int, is_bold: bool = False, is_mono: bool = False
) -> list[str]:
    """The text in at most *lines* lines, none wider than *limit* points; what is left out is shown by an ellipsis."""

    def fits(part: str) -> bool:
        return width(part, size, is_bold=is_bold, is_mono=is_mono) <= limit

    wrapped = [""]
    for word in _words(text, fits):
        longer = f"{wrapped[-1]}{word}"
        if wrapped[-1] and not fits(longer.rstrip()):
            wrapped.append(word)
        else:
            wrapped[-1] = longer
    wrapped = [line.rstrip() for line in wrapped]
    if len(wrapped) <= lines:
        return wrapped
    last = wrapped[lines - 1]
    while last and not fits(f"{last}…"):
        last = last[:-1]
    return [*wrapped[: lines - 1], f"{last.rstrip()}…"]


def _words(text: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """The words of a text, with the blanks behind them; one that fits in no line is cut, at an underscore if it can."""
    for word in text.split(" "):
        rest = f"{word} "
        while not fits(rest.rstrip()):
            cut = next(length for length in range(len(rest) - 1, 0, -1) if length == 1 or fits(rest[:length]))
            at = rest.rfind("_", cut // 2, cut) + 1 or cut
            yield rest[:at]
            rest = rest[at:]
        yield rest
