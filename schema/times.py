"""Durations and time zones of a workflow."""

from __future__ import annotations

import re
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from holdpoint.engine.durations import ALLOWED, Duration, parse_duration
from holdpoint.engine.errors import Invalid, did_you_mean
from holdpoint.schema.available import MESSAGE
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import Report, hinted
from holdpoint.schema.sheet import Sheet

# These mean something else on each machine, or are other spellings of the database.
_NOT_ZONES: Final = ("localtime", "posixrules", "Factory", "posix/", "right/")
_BUSINESS = re.compile(r"\bbusiness\b")


def check_times(sheet: Sheet) -> None:
    """Report an unknown time zone, and timeouts of agents that are no durations."""
    zone = sheet.value.get("timezone")
    if zone is not None and not is_zone(zone):
        fix = did_you_mean(zone, available_timezones()) or "write an IANA name, such as 'Europe/Rome' or 'UTC'"
        sheet.report.value(("timezone",), "HP217", f"the time zone {zone!r} is not known", fix)
    for name, state in sheet.of_types("agent"):
        if "timeout" in state:
            check_duration(sheet.report, ("states", name, "timeout"), state["timeout"])


def is_zone(name: str) -> bool:
    """Whether a time zone is in the IANA database."""
    if name.startswith(_NOT_ZONES):
        return False
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # OSError: the name of a folder of the database
        return False
    return True


def check_duration(report: Report, path: Path, text: str) -> Duration | None:
    """The duration that a text says; one that says none is reported."""
    if _BUSINESS.search(text) is not None:
        report.value(path, "HP190", f"a duration in business days or hours is {MESSAGE}", "write '2d' or '48h'")
        return None
    try:
        return parse_duration(text)
    except Invalid as error:
        report.value(path, "HP216", *hinted(str(error), ALLOWED))
        return None
