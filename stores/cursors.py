"""Cursors: the place in a listing from which the next page goes on."""

from __future__ import annotations

from typing import Any

from holdpoint.engine.canonical import MAX_INTEGER
from holdpoint.engine.errors import UsageError


def read_cursor(text: str, parts: int) -> list[Any]:
    """The *parts* of a cursor, the first two as integers. Raises `UsageError`, code `cursor`."""
    items = text.split(",")
    try:
        if len(items) != parts:
            raise ValueError
        numbers = [int(item) for item in items[:2]]
        if any(abs(number) > MAX_INTEGER for number in numbers):
            raise ValueError
        return numbers + items[2:]
    except ValueError:
        raise UsageError(f"{text!r} is not a cursor that a page before gave as next", code="cursor") from None
