"""Agents that are programs: arguments as JSON on standard input, the output as JSON on standard output."""

from __future__ import annotations

import errno
import json
import sys
from threading import Event

from holdpoint.engine.agents import Failure, Outcome, Success, Work, process
from holdpoint.engine.agents.process import GRACE, Ended
from holdpoint.engine.agents.texts import printable, shorten
from holdpoint.engine.canonical import canonical, check_json, parse_json
from holdpoint.engine.errors import Invalid

MESSAGE_CHARACTERS = 500
_NEWLINE = len(b"\r\n")


def run(work: Work, *, stop: Event, grace: float = GRACE) -> Outcome:
    """Run the command and wait for its end; raises nothing but `KeyboardInterrupt`, after having killed the group."""
    program, *arguments = tuple(work.target)
    if program == "python":
        program = sys.executable or program
    try:
        ended = process.run(
            [program, *arguments],
            work,
            data=canonical(work.arguments).encode(),
            limit=work.max_bytes + _NEWLINE,
            stop=stop,
            grace=grace,
        )
    except (OSError, ValueError) as error:  # too long, a NUL in an argument, no process to be had
        return process.cannot_start(work, _name(work), error, is_missing=_is_missing(error))
    return process.failure(ended, work, _name(work)) or _judge(work, ended)


# Rendered arguments may hold secrets: messages name the program alone.
def _name(work: Work) -> str:
    return f"command '{shorten(printable(work.target[0]), 200)}'"


def _is_missing(error: Exception) -> bool:
    is_no_program = getattr(error, "errno", None) == errno.ENOEXEC
    return is_no_program or isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError)


def _judge(work: Work, ended: Ended) -> Outcome:
    """What came of a command that ended by itself."""
    if ended.status != 0:
        return _exited(work, ended)
    if ended.is_too_large:
        return process.too_large(ended, work)
    what = f"output of {work.context.state}"
    try:
        output = parse_json(ended.stdout.decode(), what) if ended.stdout.strip() else None
        text = check_json(output, what, max_bytes=work.max_bytes)
    except UnicodeDecodeError as error:
        return _not_json(f"{what} is not JSON: not UTF-8 at byte {error.start}", ended)
    except Invalid as error:
        return _not_json(error.message, ended)
    return Success(output=json.loads(text), stderr=ended.stderr)


def _exited(work: Work, ended: Ended) -> Failure:
    message = f"{_name(work)} {ended.how}{ended.last_words}"
    return Failure(
        code="agent_exit",
        message=shorten(message, MESSAGE_CHARACTERS),
        details={"status": ended.status},
        stderr=ended.stderr,
    )


def _not_json(message: str, ended: Ended) -> Failure:
    begin = printable(ended.stdout[:200].decode("utf-8", "replace"))
    return Failure(
        code="agent_output",
        message=shorten(printable(message), MESSAGE_CHARACTERS),
        details={"begins": begin},
        stderr=ended.stderr,
    )
