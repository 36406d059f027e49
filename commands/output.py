"""What commands print: JSON for programs; lines for people, in which nothing but our own text is a control.

What people and agents wrote is data: control characters are shown escaped, so that none reaches the terminal, and no
markup is read in it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.clock import system_clock

Part: TypeAlias = str | tuple[str, str]
"""A text, or a text and its style: `("failed", "red")`."""

STATUS_STYLES = {"waiting": "yellow", "running": "cyan", "done": "green", "failed": "red", "cancelled": "dim"}
PRIORITY_STYLES = {"urgent": "bold red", "high": "red", "low": "dim"}

_MINUTE = 60
_UNITS = ((86_400, "d"), (3_600, "h"), (_MINUTE, "m"), (1, "s"))

# Controls but the tab, what is a line break to some, what turns the direction of text, and lone surrogates.
_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def escape(text: str) -> str:
    r"""The text in one line, with every control character visible: `\x1b[31m`."""
    if text.isprintable():
        return text
    return _CONTROL.sub(_visible, text)


def say(*parts: Part, to: IO[str] | None = None) -> None:
    """Print one line. Styles are for a terminal alone."""
    stream = sys.stdout if to is None else to
    if not has_colour(stream):
        stream.write("".join(escape(part if isinstance(part, str) else part[0]) for part in parts) + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    line = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        line.append(escape(text), style)
    Console(file=stream).print(line, soft_wrap=True)  # the terminal wraps, so that ids can be copied whole


def terminal_width() -> int | None:
    """How many columns standard output has; None where it is no terminal, and lines may be as long as they are."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say_all(text: str, indent: str = "") -> None:
    """Print a text of several lines."""
    for line in text.splitlines() or [""]:
        say(f"{indent}{line}")


def say_prose(text: str, indent: str = "") -> None:
    """Print a text of several lines; on a terminal, lines that are too long are broken between words."""
    width = terminal_width()
    for line in text.splitlines() or [""]:
        own = line[: len(line) - len(line.lstrip(" "))]
        for part in [line] if width is None else broken(line.strip(), width - len(indent + own)) or [""]:
            say(f"{indent}{own if width else ''}{part}")


def broken(line: str, width: int) -> list[str]:
    """A line as lines of at most this width, broken between words alone: an id stays whole."""
    return textwrap.wrap(escape(line), max(width, 1), break_long_words=False, break_on_hyphens=False)


def warn(message: str) -> None:
    """Say on standard error what did not stop the command."""
    say(("warning: ", "yellow"), message, to=sys.stderr)


def print_json(document: Json, *, is_line: bool = False) -> None:
    """Print one JSON document in UTF-8, indented on a terminal unless it is to be a line."""
    indent = 2 if sys.stdout.isatty() and not is_line else None
    text = json.dumps(document, ensure_ascii=False, indent=indent, default=_plain)
    # A lone surrogate can only come from the command line itself; the escape is JSON's own.
    write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")


def write_bytes(data: bytes) -> None:
    """Write to standard output as it is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_error(said: Mapping[str, Any], *, is_json: bool) -> None:
    """Say an error: as JSON on standard output, else for people on standard error."""
    if is_json:
        print_json({"error": said})
        return
    message = str(said["message"])
    if said["code"] == "definition":
        message = f"{said['details']['of']} cannot be used\n{message}"
    first, *rest = message.split("\n")
    say(("error: ", "bold red"), first, to=sys.stderr)
    for line in rest:
        say(line, to=sys.stderr)


def show_time(at: datetime | str) -> str:
    """A time for people, in the zone of this machine."""
    time = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def show_minute(at: datetime) -> str:
    """A time in a table: without seconds and zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def show_distance(at: datetime) -> str:
    """How far from now a time is: `in 2d`, `3h ago`; to the nearest unit, so that it is read at a glance."""
    seconds = (at - system_clock()).total_seconds()
    if -_MINUTE < seconds <= 0:
        return "just now"
    count, unit = next((abs(seconds) / size, unit) for size, unit in _UNITS if abs(seconds) >= 1.5 * size or size == 1)
    return f"in {round(count)}{unit}" if seconds > 0 else f"{round(count)}{unit} ago"


def show_json(value: Json) -> str:
    """A value for people: a text as it is, else JSON, in one line where it is short."""
    if isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False, default=_plain)
    return text if len(text) <= 100 else json.dumps(value, ensure_ascii=False, indent=2, default=_plain)


def shorten(text: str, limit: int = 60) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def has_colour(stream: IO[str] | None = None) -> bool:
    """Whether what is said there, by default on standard output, may have colour."""
    stream = sys.stdout if stream is None else stream
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def _plain(value: object) -> Json:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
