"""`flow serve`: the process that applies deadlines as they fall due and advances runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.output import print_json, say
from holdpoint.commands.tick import noting
from holdpoint.engine.errors import UsageError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_STOPPING = b"stopping: agents that are at work finish first; a second signal stops at once\n"


@click.command(cls=Command)
@click.option("--no-web", "is_without_web", is_flag=True, help="Without the web inbox.")
@click.option("--workers", type=int, default=4, show_default=True, metavar="N", help="Run so many agents at once.")
@click.option(
    "--sweep",
    default="5s",
    show_default=True,
    metavar="DURATION",
    help="Look at least so often for what other processes left.",
)
@click.option("--health", metavar="FILE", help="Write into it, after each pass, when that was and what was done.")
@pass_call
def command(call: Call, is_without_web: bool, workers: int, sweep: str, health: str | None) -> int:
    """Apply deadlines as they fall due, take up what crashed or is ready, until SIGTERM or SIGINT.

    Then agents that are at work finish, and the counts are printed; a second signal ends it at once. Any number of
    these, and of ticks, may run on one database.
    """
    if not is_without_web:
        raise UsageError("the web inbox is not available in this version; add --no-web")
    if workers < 1:
        raise UsageError(f"workers are at least 1, not {workers}")
    with call.engine(is_new=True) as engine:
        server = engine.server(sweep=sweep, workers=workers, health=None if health is None else _writable(health))
        with _calling_at_signals(server.stop), noting("holdpoint", "apscheduler"):
            if not call.is_json:
                say(f"serving {call.url} as process {os.getpid()}: {workers} workers, a sweep every {sweep}")
                sys.stdout.flush()
            with call.quietly():
                server.run()
        counts = server.counts
    if call.is_json:
        print_json(counts)
    else:
        say(", ".join(f"{name} {count}" for name, count in counts.items()))
    return 0


def _writable(name: str) -> Path:
    """The path, absolute, of a file that can be written. Raises `UsageError`: later there is nobody to tell."""
    path = Path(name).absolute()
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"health file {name!r} cannot be written", details={"file": name})
    return path


@contextmanager
def _calling_at_signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first SIGTERM or SIGINT calls *stop*, the second ends the process."""
    is_stopping = False

    def take(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopping
        if is_stopping:
            # No cleaning up: it could wait for an agent. Its lease says what was at work, as after a crash.
            os._exit(128 + number)
        is_stopping = True
        stop()
        os.write(2, _STOPPING)  # print may be in the middle of a line

    before = {number: signal.signal(number, take) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
