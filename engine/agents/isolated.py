"""Python agents in a process of their own, one for each attempt; `worker.py` is the other end.

A worker reads one line of JSON, its job, and writes one, its answer. It runs in the project's folder, with
nothing on its standard input, and all that the agent prints goes where a command's standard error goes. One that ends
without an answer has crashed: nobody knows what it did.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from threading import Event

from holdpoint.engine.agents import Crashed, Failure, Outcome, Success, Work, process
from holdpoint.engine.agents.process import Ended
from holdpoint.engine.agents.python import MESSAGE_CHARACTERS, import_path
from holdpoint.engine.agents.texts import printable, shorten
from holdpoint.engine.canonical import Json, parse_json
from holdpoint.engine.errors import Invalid

GRACE = 1.5
"""Seconds between SIGTERM and SIGKILL. A function that has not asked for the signal is ended by it at once."""

SLACK = 64 * 1024
"""Bytes that an answer may have beyond those of an output: what tells of a failure, too, is in it."""

REASON_CHARACTERS = 500

# By its path, not as `-m holdpoint…`: where to import from is a part of the job.
_WORKER = str(Path(__file__).with_name("worker.py"))


def run(work: Work, *, stop: Event, grace: float = GRACE) -> Outcome | Crashed:
    """Have a worker call the function; raises nothing but `KeyboardInterrupt`, after having killed the worker."""
    name = f"python agent '{shorten(printable(str(work.target)), 200)}'"
    try:
        ended = process.run(
            [sys.executable or "", "-P", _WORKER],
            work,
            data=_job(work),
            limit=work.max_bytes + SLACK,
            stop=stop,
            grace=grace,
            is_worker=True,
        )
    except (OSError, ValueError) as error:
        return process.cannot_start(work, name, error, is_missing=False)
    return process.failure(ended, work, name) or _judge(work, ended)


def _job(work: Work) -> bytes:
    context = work.context
    job = {
        "path": [_absolute(entry) for entry in import_path()],
        "target": work.target,
        "arguments": work.arguments,
        "context": {name: getattr(context, name) for name in context.__slots__},
        "project": os.path.abspath(work.project),
        "max_bytes": work.max_bytes,
    }
    return json.dumps(job).encode() + b"\n"


def _absolute(entry: str) -> str:
    """A place to import from, as it is called from any folder; some are no folders, but names that a hook knows."""
    return os.path.abspath(entry) if os.path.exists(entry or os.curdir) else entry


def _judge(work: Work, ended: Ended) -> Outcome | Crashed:
    """What came of a worker that ended by itself."""
    if not ended.stdout.endswith(process.ANSWERED):
        return _crashed(f"its process {ended.how} without an answer{ended.last_words}")
    try:
        # Before the line there may be what hooks of the interpreter wrote, before the worker began.
        line = ended.stdout.removesuffix(process.ANSWERED).rpartition(b"\n")[2]
        return _outcome(parse_json(line, "the answer"), ended.stderr)
    except Invalid as error:
        return _crashed(f"its process gave no answer that can be read: {error.message}")


def _crashed(reason: str) -> Crashed:
    return Crashed(reason=shorten(printable(reason), REASON_CHARACTERS))


def _outcome(answer: Json, stderr: str) -> Outcome:
    match answer:
        case {"output": output}:
            return Success(output=output, stderr=stderr)
        case {"code": str(code), "message": str(message), "details": dict(details)}:
            message = shorten(printable(message), MESSAGE_CHARACTERS)
            return Failure(code=code, message=message, details=details, stderr=stderr)
    raise Invalid("it is neither an output nor a failure")
