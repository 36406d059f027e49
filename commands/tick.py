"""`flow tick`: one pass for cron."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from holdpoint.cli import INTERNAL
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.output import print_json, say, show_time, warn


@click.command(cls=Command)
@click.option("--limit", type=int, metavar="N", help="Do at most so many things.")
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Print nothing where there was nothing to do.")
@pass_call
def command(call: Call, limit: int | None, is_quiet: bool) -> int:
    """Apply deadlines that are due, then take up what crashed or is ready; print the time and the counts.

    Any number may run at once. Failed runs are counted; the exit status is 70 where something could not be handled.
    """
    with noting("holdpoint"), call.engine() as engine, call.quietly():
        counts = engine.tick(limit)
        at = engine.now()
    done = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    if call.is_json:
        print_json(counts)
    elif done:
        say(f"{show_time(at)}: {done}")
    elif not is_quiet:
        say("nothing to do")
    return INTERNAL if counts["errors"] else 0


@contextmanager
def noting(*loggers: str) -> Iterator[None]:
    """For a while, the errors of these loggers are said and nothing else of them."""
    notes = _Notes(logging.ERROR)
    for name in loggers:
        logging.getLogger(name).addHandler(notes)
    try:
        yield
    finally:
        for name in loggers:
            logging.getLogger(name).removeHandler(notes)


class _Notes(logging.Handler):
    """Says what a pass could not handle, in one line each; FLOW_DEBUG=1 adds the traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        warn(record.getMessage() + (f": {type(error).__name__}: {error}" if error else ""))
        if error is not None and os.environ.get("FLOW_DEBUG"):
            import traceback

            traceback.print_exception(error)
