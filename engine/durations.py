"""Durations: their texts, and the time that one leads to.

Hours, minutes and seconds are elapsed time. Days and weeks are calendar time in a zone and are added first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction

from holdpoint.engine.errors import Invalid

MAX_DAYS = 36_525
DAY = 86_400

_UNITS = "wdhms"
_SECONDS = {"w": 7 * DAY, "d": DAY, "h": 3600, "m": 60, "s": 1}
_WORDS = {
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), "w"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
}
_LONG = {"mo", "mon", "mth", "month", "months", "y", "yr", "yrs", "year", "years"}
_SHORT = {"ms", "us", "ns", "µs", "millisecond", "milliseconds", "microsecond", "microseconds"}

_PLAIN = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_ISO = re.compile(r"P(?:(\d+)W|(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)", re.ASCII)
_PAIRS = re.compile(r"(\d+)\s*([^\W\d]+)(?:\s*,\s*|\s+and\s+|\s*)", re.ASCII)
_CLOCK = re.compile(r"(\d{1,4}):(\d\d)(?::(\d\d))?", re.ASCII)
_FRACTION = re.compile(r"(\d+)[.,](\d+)([a-z]+)", re.ASCII)
ALLOWED = "write e.g. 90s, 15m, 4h, 2d, 1w, 1d12h or PT4H"


@dataclass(frozen=True, slots=True)
class Duration:
    """So many calendar days, then so many elapsed seconds; more than nothing."""

    days: int
    seconds: int

    @property
    def iso(self) -> str:
        """The canonical ISO 8601 text: `P2D`, `PT172800S`, `P1DT43200S`."""
        days = f"{self.days}D" if self.days else ""
        seconds = f"T{self.seconds}S" if self.seconds else ""
        return f"P{days}{seconds}"

    def __str__(self) -> str:
        hours, rest = divmod(self.seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        parts = ((self.days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
        return "".join(f"{count}{unit}" for count, unit in parts if count)

    def after(self, at: datetime, zone: tzinfo) -> datetime:
        """The time in UTC that is this long after *at*, an aware time.

        Days keep the wall-clock time of *zone*: one that does not exist moves on by the gap, of one that exists twice
        it is the earlier. Raises `Invalid`, code `duration`, past the year 9999.
        """
        if at.tzinfo is None:
            raise ValueError("a duration is added to a time with a zone")
        try:
            if self.days:
                wall = at.astimezone(zone).replace(tzinfo=None) + timedelta(days=self.days)
                # fold=0 is both rules at once: in a gap it takes the offset from before (PEP 495).
                at = wall.replace(tzinfo=zone, fold=0)
            return at.astimezone(UTC) + timedelta(seconds=self.seconds)
        except OverflowError:
            raise Invalid(f"{self} after {at:%Y-%m-%d} is past the year 9999", code="duration") from None


def parse_duration(text: object) -> Duration:
    """The duration that a text says, plain (`1d12h`) or ISO 8601 (`P1DT12H`); raises `Invalid`, code `duration`."""
    if not isinstance(text, str):
        raise _not_a_text(text)
    found = _parts(text)
    if found is None:
        raise _refused(text, _why(text))
    weeks, days, hours, minutes, seconds = found
    duration = Duration(weeks * 7 + days, hours * 3600 + minutes * 60 + seconds)
    if not (duration.days or duration.seconds):
        raise _refused(text, f"it is zero; {ALLOWED}")
    if duration.days * DAY + duration.seconds > MAX_DAYS * DAY:
        raise _refused(text, f"it is longer than {MAX_DAYS} days, the most that is allowed")
    return duration


def _parts(text: str) -> tuple[int, ...] | None:
    match = (_ISO if text.startswith("P") else _PLAIN).fullmatch(text)
    if match is None or match.lastindex is None:
        return None
    # Nothing of 20 digits is short enough, and int() refuses thousands of them.
    return tuple(int(group[:20]) if group else 0 for group in match.groups())


def _not_a_text(value: object) -> Invalid:
    if type(value) is int and 0 < value < 10**12:
        return _invalid(f"{value} is a number, not a duration; write its unit, e.g. '{value}s'")
    if type(value) in (int, float):
        return _invalid(f"a number is not a duration; {ALLOWED}")
    return _invalid(f"a duration is a text; {ALLOWED}")


def _refused(text: str, why: str) -> Invalid:
    return _invalid(f"{text if len(text) <= 40 else text[:39] + '…'!r} is not a duration: {why}")


def _invalid(message: str) -> Invalid:
    return Invalid(message, code="duration")


def _why(text: str) -> str:
    """Why a text is not a duration, and what to write."""
    if len(text) > 100:
        return f"it is too long; {ALLOWED}"
    plain = text.strip()
    if not plain:
        return f"it is empty; {ALLOWED}"
    if not plain.isascii() and any(char.isdecimal() for char in plain if not char.isascii()):
        return f"only the digits 0 to 9 are allowed; {ALLOWED}"
    lower = plain.lower()
    if "business" in lower or "working" in lower:
        return "business days and hours are not available in this version; write e.g. 2d or 48h"
    if re.search(r"(?:^|[pt])\s*-", lower):
        return f"it is negative; {ALLOWED}"
    if plain != text and _parts(plain):
        return "there is white space around it" + _meant(plain)
    for explain in (_why_iso, _why_fraction, _why_clock, _why_units):
        if found := explain(plain):
            return found
    return ALLOWED


def _why_iso(text: str) -> str:
    if not re.match(r"[Pp][\dTt]|[Pp]$", text):
        return ""
    upper = text.upper()
    date, _, time = upper[1:].partition("T")
    if re.search(r"\d[.,]\d", upper):
        return "fractions are not allowed; write it in a smaller unit, e.g. PT90M"
    if "Y" in upper or "M" in date:
        minutes = re.fullmatch(r"P(\d+)M", upper)
        return "months and years have no fixed length; write days, e.g. P30D" + (
            f", or PT{minutes[1]}M for minutes" if minutes else ""
        )
    for unit, name in (("D", "days"), ("W", "weeks")):
        if unit in time:
            before = "".join(re.findall(rf"\d+{unit}", time))
            after = re.sub(rf"\d+{unit}", "", time)
            return f"{name} stand before the T" + _meant(f"P{date}{before}" + (f"T{after}" if after else ""))
    if not time and re.search(r"[HS]", date):
        return "hours and seconds stand after the T" + _meant(re.sub(r"((?:\d+[HMS])+)$", r"T\1", upper))
    if "W" in date and (len(re.findall(r"\d+", upper)) > 1):
        return "weeks stand alone in ISO 8601; write them in days, e.g. P9D"
    if upper != text and _parts(upper):
        return "ISO 8601 is written in capitals" + _meant(upper)
    return "it is not ISO 8601; write days, T, hours, minutes, seconds in this order, e.g. P2D, PT4H, P1DT12H"


def _why_fraction(text: str) -> str:
    if not re.search(r"\d[.,]\d", text):
        return ""
    match = _FRACTION.fullmatch(text)
    unit = _WORDS.get(match[3]) if match else None
    if match is None or unit is None:
        return f"fractions are not allowed; {ALLOWED}"
    seconds = Fraction(f"{match[1]}.{match[2]}") * _SECONDS[unit]
    if seconds.denominator != 1:
        return f"fractions are not allowed, and the smallest unit is a second; {ALLOWED}"
    return "fractions are not allowed" + _meant(str(Duration(0, int(seconds))))


def _why_clock(text: str) -> str:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return ""
    hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return "a time of day has no unit" + _meant(str(Duration(0, hours * 3600 + minutes * 60 + seconds)))


def _why_units(text: str) -> str:
    if text.isdigit():
        return f"it has no unit; write one, e.g. '{text}s'"
    if re.fullmatch(r"\d+M", text):
        return f"months are not available; did you mean '{text.lower()}', minutes?"
    if not re.match(r"\d", text):
        return ""
    pairs = _PAIRS.findall(text)
    units = [unit.lower() for _, unit in pairs]
    for unit in units:
        if unit in _LONG:
            return "months and years have no fixed length; write days, e.g. 30d"
        if unit in _SHORT:
            return f"the smallest unit is a second; {ALLOWED}"
        if unit not in _WORDS:
            return f"{unit!r} is not a unit; the units are w, d, h, m and s"
    if _PAIRS.sub("", text):
        return ""
    counts = [(_WORDS[unit], count) for unit, (count, _) in zip(units, pairs, strict=True)]
    letters = [unit for unit, _ in counts]
    if len(set(letters)) < len(letters):
        return f"each unit may stand once; {ALLOWED}"
    descending = sorted(counts, key=lambda pair: _UNITS.index(pair[0]))
    reason = (
        "it is a number and a letter, nothing between" if descending == counts else "the units descend: w, d, h, m, s"
    )
    return reason + _meant("".join(count + unit for unit, count in descending))


def _meant(text: str) -> str:
    return f"; did you mean '{text}'?" if _parts(text) else f"; {ALLOWED}"
