"""Durations and times: what their texts mean, and which are refused with which advice."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdpoint.engine.durations import MAX_DAYS, Duration, parse_duration
from holdpoint.engine.errors import Invalid
from holdpoint.engine.times import format_time, parse_time

ROME = ZoneInfo("Europe/Rome")


@pytest.mark.parametrize(
    ("text", "days", "seconds", "iso", "short"),
    [
        pytest.param("90s", 0, 90, "PT90S", "1m30s", id="seconds"),
        pytest.param("15m", 0, 900, "PT900S", "15m", id="minutes"),
        pytest.param("4h", 0, 14_400, "PT14400S", "4h", id="hours"),
        pytest.param("48h", 0, 172_800, "PT172800S", "48h", id="hours-stay-hours"),
        pytest.param("2d", 2, 0, "P2D", "2d", id="days"),
        pytest.param("1w", 7, 0, "P7D", "7d", id="weeks"),
        pytest.param("1d12h", 1, 43_200, "P1DT43200S", "1d12h", id="days-and-hours"),
        pytest.param("1w2d3h4m5s", 9, 11_045, "P9DT11045S", "9d3h4m5s", id="all-units"),
        pytest.param("1d0h", 1, 0, "P1D", "1d", id="a-part-of-zero"),
        pytest.param("08h", 0, 28_800, "PT28800S", "8h", id="leading-zero"),
        pytest.param("PT4H", 0, 14_400, "PT14400S", "4h", id="iso-hours"),
        pytest.param("P2D", 2, 0, "P2D", "2d", id="iso-days"),
        pytest.param("P1DT12H", 1, 43_200, "P1DT43200S", "1d12h", id="iso-days-and-hours"),
        pytest.param("P1W", 7, 0, "P7D", "7d", id="iso-weeks"),
        pytest.param("PT1440H", 0, 5_184_000, "PT5184000S", "1440h", id="iso-elapsed-is-not-calendar"),
        pytest.param("PT1H30M5S", 0, 5_405, "PT5405S", "1h30m5s", id="iso-time"),
        pytest.param("36525d", 36_525, 0, "P36525D", "36525d", id="longest-in-days"),
        pytest.param("876600h", 0, 3_155_760_000, "PT3155760000S", "876600h", id="longest-in-hours"),
    ],
)
def test_duration_is_read(text: str, days: int, seconds: int, iso: str, short: str) -> None:
    duration = parse_duration(text)

    assert (duration.days, duration.seconds) == (days, seconds)
    assert (duration.iso, str(duration)) == (iso, short)
    assert parse_duration(duration.iso) == parse_duration(str(duration)) == duration


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        pytest.param("", "it is empty; write e.g. 90s", id="empty"),
        pytest.param("0s", "it is zero", id="zero"),
        pytest.param("P0D", "it is zero", id="iso-zero"),
        pytest.param("0d0h", "it is zero", id="zero-in-parts"),
        pytest.param("-2d", "it is negative", id="negative"),
        pytest.param("PT-4H", "it is negative", id="iso-negative"),
        pytest.param("-P2D", "it is negative", id="iso-negative-whole"),
        pytest.param("1.5h", "fractions are not allowed; did you mean '1h30m'?", id="fraction"),
        pytest.param("0,5d", "fractions are not allowed; did you mean '12h'?", id="fraction-with-comma"),
        pytest.param("1.0001s", "the smallest unit is a second", id="fraction-of-a-second"),
        pytest.param("PT1.5H", "fractions are not allowed; write it in a smaller unit", id="iso-fraction"),
        pytest.param("1ms", "the smallest unit is a second", id="milliseconds"),
        pytest.param("1mo", "months and years have no fixed length; write days", id="months"),
        pytest.param("2 months", "months and years have no fixed length", id="months-in-words"),
        pytest.param("100y", "months and years have no fixed length", id="years"),
        pytest.param("30M", "months are not available; did you mean '30m', minutes?", id="capital-m"),
        pytest.param("P1Y", "months and years have no fixed length; write days, e.g. P30D", id="iso-years"),
        pytest.param("P30M", "or PT30M for minutes", id="iso-months"),
        pytest.param("PT30D", "days stand before the T; did you mean 'P30D'?", id="iso-days-after-t"),
        pytest.param("PT30D2H", "days stand before the T; did you mean 'P30DT2H'?", id="iso-days-after-t-with-hours"),
        pytest.param("PT1W", "weeks stand before the T; did you mean 'P1W'?", id="iso-weeks-after-t"),
        pytest.param("P4H", "hours and seconds stand after the T; did you mean 'PT4H'?", id="iso-hours-before-t"),
        pytest.param("P1W2D", "weeks stand alone", id="iso-weeks-and-days"),
        pytest.param("pt4h", "written in capitals; did you mean 'PT4H'?", id="iso-in-small-letters"),
        pytest.param("PT30M4H", "in this order", id="iso-order"),
        pytest.param("P", "it is not ISO 8601", id="iso-nothing"),
        pytest.param("P2DT", "it is not ISO 8601", id="iso-nothing-after-t"),
        pytest.param("2 days", "did you mean '2d'?", id="words"),
        pytest.param("2 hours and 30 minutes", "did you mean '2h30m'?", id="sentence"),
        pytest.param("15min", "did you mean '15m'?", id="min"),
        pytest.param("1d 12h", "did you mean '1d12h'?", id="space-between"),
        pytest.param("2d\n", "white space around it; did you mean '2d'?", id="line-break"),
        pytest.param("2D", "did you mean '2d'?", id="capitals"),
        pytest.param("12h1d", "the units descend: w, d, h, m, s; did you mean '1d12h'?", id="ascending"),
        pytest.param("1h1h", "each unit may stand once", id="unit-twice"),
        pytest.param("5x", "'x' is not a unit; the units are w, d, h, m and s", id="unknown-unit"),
        pytest.param("45", "it has no unit; write one, e.g. '45s'", id="no-unit"),
        pytest.param("12:30:00", "a time of day has no unit; did you mean '12h30m'?", id="clock"),
        pytest.param("5 business days", "business days and hours are not available in this version", id="business"),
        pytest.param("8 business hours", "not available in this version", id="business-hours"),
        pytest.param("٢d", "only the digits 0 to 9 are allowed", id="arabic-digit"),
        pytest.param("P\uff11D", "only the digits 0 to 9 are allowed", id="wide-digit"),
        pytest.param("36526d", "longer than 36525 days", id="too-long"),
        pytest.param("36525d1s", "longer than 36525 days", id="too-long-by-a-second"),
        pytest.param("9" * 5000 + "s", "longer than 36525 days", id="too-many-digits"),
        pytest.param("never", "write e.g. 90s, 15m, 4h, 2d, 1w, 1d12h or PT4H", id="word"),
        pytest.param("2026-11-25", "write e.g. 90s", id="date"),
        pytest.param(45_000, "45000 is a number, not a duration; write its unit, e.g. '45000s'", id="yaml-1.1-clock"),
        pytest.param(0, "a number is not a duration", id="number-zero"),
        pytest.param(10**5000, "a number is not a duration", id="number-without-end"),
        pytest.param(float("nan"), "a number is not a duration", id="nan"),
        pytest.param(True, "a duration is a text", id="boolean"),
        pytest.param(None, "a duration is a text", id="none"),
    ],
)
def test_what_is_no_duration_is_refused_with_advice(value: object, advice: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_duration(value)

    assert refusal.value.code == "duration"
    assert advice in refusal.value.message


@given(days=st.integers(0, MAX_DAYS - 1), seconds=st.integers(0, 86_400))
def test_duration_reads_back_from_both_its_texts(days: int, seconds: int) -> None:
    duration = Duration(days, seconds or 1)

    assert parse_duration(duration.iso) == duration
    assert parse_duration(str(duration)) == duration


@given(text=st.one_of(st.text(), st.text(alphabet="0123456789wdhmsPTDHMSWY .,:-+")))
def test_any_text_is_a_duration_or_invalid(text: str) -> None:
    try:
        duration = parse_duration(text)
    except Invalid:
        return

    assert duration.days or duration.seconds


@pytest.mark.parametrize(
    ("zone", "start", "text", "end"),
    [
        # Rome leaves winter time on 2026-03-29 at 02:00 (+1 to +2) and returns on 2026-10-25 at 03:00.
        pytest.param("Europe/Rome", "2026-03-28T11:00:00Z", "1d", "2026-03-29T10:00:00Z", id="rome-day-of-23-hours"),
        pytest.param("Europe/Rome", "2026-03-28T11:00:00Z", "24h", "2026-03-29T11:00:00Z", id="rome-24-hours-elapsed"),
        pytest.param("Europe/Rome", "2026-10-24T10:00:00Z", "1d", "2026-10-25T11:00:00Z", id="rome-day-of-25-hours"),
        pytest.param("Europe/Rome", "2026-03-28T01:30:00Z", "1d", "2026-03-29T01:30:00Z", id="rome-gap-moves-on"),
        pytest.param("Europe/Rome", "2026-10-24T00:30:00Z", "1d", "2026-10-25T00:30:00Z", id="rome-fold-is-earlier"),
        pytest.param("Europe/Rome", "2026-10-25T01:30:00Z", "1h", "2026-10-25T02:30:00Z", id="rome-elapsed-from-fold"),
        pytest.param("Europe/Rome", "2026-03-28T01:30:00Z", "1d1h", "2026-03-29T02:30:00Z", id="rome-days-come-first"),
        pytest.param("Europe/Rome", "2026-02-01T08:00:00Z", "60d", "2026-04-02T07:00:00Z", id="rome-60-days"),
        pytest.param("Europe/Rome", "2028-02-28T11:00:00Z", "1d", "2028-02-29T11:00:00Z", id="leap-day"),
        pytest.param("UTC", "2026-03-28T11:00:00Z", "1w", "2026-04-04T11:00:00Z", id="utc"),
        # Sao Paulo went from 2018-11-04 00:00 (-3) to 01:00 (-2), and on 2019-02-16 at 24:00 back to 23:00.
        pytest.param(
            "America/Sao_Paulo", "2018-11-03T03:30:00Z", "1d", "2018-11-04T03:30:00Z", id="sao-paulo-no-midnight"
        ),
        pytest.param("America/Sao_Paulo", "2018-11-03T15:00:00Z", "1d", "2018-11-04T14:00:00Z", id="sao-paulo-noon"),
        pytest.param("America/Sao_Paulo", "2019-02-16T01:30:00Z", "1d", "2019-02-17T01:30:00Z", id="sao-paulo-fold"),
        # Lord Howe moves by 30 minutes: on 2026-10-04 at 02:00 from +10:30 to +11, on 2026-04-05 at 02:00 back.
        pytest.param("Australia/Lord_Howe", "2026-10-02T15:45:00Z", "1d", "2026-10-03T15:45:00Z", id="lord-howe-gap"),
        pytest.param(
            "Australia/Lord_Howe", "2026-10-02T22:30:00Z", "1d", "2026-10-03T22:00:00Z", id="lord-howe-half-hour"
        ),
        pytest.param("Australia/Lord_Howe", "2026-04-03T14:45:00Z", "1d", "2026-04-04T14:45:00Z", id="lord-howe-fold"),
        # Apia had no 2011-12-30: 2011-12-29 24:00 (-10) was 2011-12-31 00:00 (+14).
        pytest.param("Pacific/Apia", "2011-12-29T20:00:00Z", "1d", "2011-12-30T20:00:00Z", id="apia-day-that-is-not"),
        pytest.param(
            "Pacific/Apia", "2011-12-29T20:00:00Z", "2d", "2011-12-30T20:00:00Z", id="apia-over-the-date-line"
        ),
    ],
)
def test_days_are_calendar_time_and_hours_elapsed(zone: str, start: str, text: str, end: str) -> None:
    found = parse_duration(text).after(datetime.fromisoformat(start), ZoneInfo(zone))

    assert found == datetime.fromisoformat(end)
    assert found.tzinfo is UTC


def test_microseconds_are_kept() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123_456, UTC)

    assert parse_duration("1d1s").after(at, ROME) == datetime(2026, 3, 2, 12, 0, 1, 123_456, UTC)


def test_wall_clock_of_the_zone_counts_whatever_the_offset_of_the_start() -> None:
    at = datetime(2026, 3, 28, 13, 0, tzinfo=timezone(timedelta(hours=2)))

    assert parse_duration("1d").after(at, ROME) == datetime(2026, 3, 29, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["1d", "24h"])
def test_past_the_year_9999_is_invalid(text: str) -> None:
    with pytest.raises(Invalid, match="past the year 9999") as refusal:
        parse_duration(text).after(datetime(9999, 12, 31, 12, tzinfo=UTC), ROME)

    assert refusal.value.code == "duration"


def test_time_without_a_zone_is_not_added_to() -> None:
    with pytest.raises(ValueError, match="with a zone"):
        parse_duration("1d").after(datetime(2026, 1, 1), ROME)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        pytest.param("2026-11-25T15:26:00.123456Z", "2026-11-25T15:26:00.123456Z", id="own-format"),
        pytest.param("2026-11-25T15:26:00Z", "2026-11-25T15:26:00.000000Z", id="no-fraction"),
        pytest.param("2026-11-25t15:26:00z", "2026-11-25T15:26:00.000000Z", id="small-letters"),
        pytest.param("2026-11-25T15:26:00+05:30", "2026-11-25T09:56:00.000000Z", id="offset"),
        pytest.param("2026-11-25T15:26:00-00:00", "2026-11-25T15:26:00.000000Z", id="unknown-offset"),
        pytest.param("2026-11-25T15:26:00.1Z", "2026-11-25T15:26:00.100000Z", id="short-fraction"),
        pytest.param("2026-11-25T15:26:00.123456999Z", "2026-11-25T15:26:00.123456Z", id="fraction-is-cut-off"),
        pytest.param("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z", id="first-year"),
    ],
)
def test_time_is_read_and_written_in_utc(text: str, formatted: str) -> None:
    assert format_time(parse_time(text)) == formatted


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("2026-11-25", id="date"),
        pytest.param("2026-11-25T15:26:00", id="no-offset"),
        pytest.param("2026-11-25 15:26:00Z", id="no-t"),
        pytest.param("20261125T152600Z", id="basic-format"),
        pytest.param("2026-02-29T00:00:00Z", id="no-such-day"),
        pytest.param("2026-11-25T24:00:00Z", id="no-such-hour"),
        pytest.param("2026-11-25T15:26:60Z", id="leap-second"),
        pytest.param("2026-11-25T15:26:00+24:00", id="no-such-offset"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before-the-first-year"),
        pytest.param("٢٠٢٦-11-25T15:26:00Z", id="other-digits"),
        pytest.param("2026-11-25T15:26:00Z\n", id="line-break"),
        pytest.param("x" * 100_000, id="long"),
        pytest.param(1_764_000_000, id="number"),
        pytest.param(None, id="none"),
    ],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_time(value)

    assert refusal.value.code == "time"
    assert len(refusal.value.message) < 200


@given(at=st.datetimes(timezones=st.just(UTC)))
def test_time_reads_back_exactly(at: datetime) -> None:
    assert parse_time(format_time(at)) == at


def test_time_of_another_zone_is_written_in_utc() -> None:
    assert format_time(datetime(2026, 7, 1, 12, tzinfo=ROME)) == "2026-07-01T10:00:00.000000Z"


def test_time_without_a_zone_has_no_text() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        format_time(datetime(2026, 1, 1))  # noqa: DTZ001
