"""The one text of a time: RFC 3339, in UTC, with microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from holdpoint.engine.errors import Invalid

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:[0-5]\d)", re.ASCII)
UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
"""The lengths of units of time in seconds, the longest first, each with its letter."""

_EXAMPLE = "2026-11-25T15:26:00Z"


def format_time(at: datetime) -> str:
    """`2026-11-25T15:26:00.123456Z` for an aware time; raises `ValueError` for a naive one."""
    if at.tzinfo is UTC:
        return at.isoformat(timespec="microseconds")[:-6] + "Z"
    if at.tzinfo is None:
        raise ValueError("a time without a zone has no UTC text")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def say_time(at: datetime) -> str:
    """`2026-11-25 15:26:00 UTC`, for sentences that people read."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def say_span(duration: timedelta) -> str:
    """A length of time at a glance, in its two largest units: `2d 3h`."""
    rest = round(duration.total_seconds())
    parts = []
    for size, unit in UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
        if parts and (len(parts) == 2 or not count):
            break
    return " ".join(parts) or "under 1s"


def parse_time(text: object) -> datetime:
    """The time of an RFC 3339 text with any offset, in UTC; what is finer than a microsecond is cut off.

    Raises `Invalid`, code `time`.
    """
    if not isinstance(text, str):
        raise _invalid(f"a time is a text, e.g. '{_EXAMPLE}'")
    if not _RFC3339.fullmatch(text):
        raise _invalid(f"{_quoted(text)} is not a time: write a date, T, a time and an offset, e.g. '{_EXAMPLE}'")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid(f"{_quoted(text)} is not a time: no calendar or clock has it") from None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _invalid(message: str) -> Invalid:
    return Invalid(message, code="time")
