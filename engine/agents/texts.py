"""Texts that agents write, made safe to keep and to print: bounded, without control characters, valid Unicode."""

from __future__ import annotations

import re

# All control characters but the newline and the tab, and the halves of surrogate pairs, which no encoding takes.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with what no terminal and no database should get written as `\\x1b` or `\\ud800`."""
    return _UNPRINTABLE.sub(_escape, text)


def shorten(text: str, limit: int) -> str:
    """The text, or its beginning and an ellipsis, in at most *limit* characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def last_lines(text: str, count: int) -> str:
    """The last lines of a text; with how many are before them, where there are any."""
    lines = text.rstrip().split("\n")
    left_out = len(lines) - count
    return "\n".join(lines if left_out <= 0 else [f"… {left_out} lines before", *lines[-count:]])


class Ends:
    """The first and the last bytes of a stream, however long it gets; in memory, at most three times *keep*."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._total += len(data)
        room = self._keep - len(self._head)
        self._head += data[:room]
        self._tail = (self._tail + data[room:])[-self._keep :]

    def text(self) -> str:
        """What was kept as printable text, with the number of bytes left out between the two ends."""
        left_out = self._total - len(self._head) - len(self._tail)
        middle = f"\n… {left_out} bytes left out …\n".encode() if left_out else b""
        return printable((bytes(self._head) + middle + bytes(self._tail)).decode("utf-8", "replace"))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
