"""The process of an isolated Python agent, run as a file; `isolated.py` is the other end.

It imports nothing of ours before it has been told where to import from. When the engine is gone, so that its end of the
worker's standard input closes, the worker and all that is left of its group are killed.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdpoint.engine.agents import Outcome, Work

ANSWERED = b"\0"
"""As in `process.py`, which a worker need not load."""


def main() -> None:
    """Read the job, do it, and answer. Ends without an answer where the engine or the agent ended first."""
    job_end, answer_end = _take_pipes()
    with os.fdopen(job_end, "rb", 1 << 16, closefd=False) as stream:
        line = stream.readline()
    if not line.endswith(b"\n"):
        return
    if os.name == "posix":
        _die_with_engine(job_end)
    process_id, pipe = os.getpid(), os.fstat(answer_end)
    answer = _answer(json.loads(line))
    if os.getpid() != process_id:  # a child that the agent forked, and that came back from it
        os._exit(1)
    if not _is_still(answer_end, pipe):
        sys.exit("the agent closed the pipe for its answer, which was not its own")
    _write(answer_end, answer)
    os.close(answer_end)


def _take_pipes() -> tuple[int, int]:
    """The pipes to the engine under other numbers, which no child gets: the agent may read and print."""
    job_end, answer_end = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # what was printed before a crash counts
    return job_end, answer_end


def _die_with_engine(job_end: int) -> None:
    """See to it that the group is killed when the other end of the pipe closes."""
    import signal

    try:
        import fcntl

        # The kernel itself sends the signal: no thread that a call in C could keep waiting, or a fork deadlock on.
        fcntl.fcntl(job_end, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(job_end, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(job_end, fcntl.F_GETFL)
        fcntl.fcntl(job_end, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    except (ImportError, AttributeError, OSError):  # not Linux
        _watch(job_end)
        return
    try:
        is_closed = not os.read(job_end, 1)
    except BlockingIOError:
        is_closed = False
    if is_closed:  # before there was anyone to signal
        os.killpg(0, signal.SIGKILL)


def _watch(job_end: int) -> None:
    import signal
    from threading import Thread

    def wait() -> None:
        os.read(job_end, 1)
        os.killpg(0, signal.SIGKILL)

    Thread(target=wait, name="holdpoint-lifeline", daemon=True).start()


def _answer(job: dict[str, Any]) -> bytes:
    sys.path[:] = job.pop("path")
    from pathlib import Path

    from holdpoint.engine.agents import Context, Success, Work
    from holdpoint.engine.canonical import canonical

    context, project = Context(**job.pop("context")), Path(job.pop("project"))
    work = Work(kind="python", context=context, project=project, timeout=0.0, **job)
    outcome = _run(work)
    if isinstance(outcome, Success):
        answer = {"output": outcome.output}
    else:
        answer = {"code": outcome.code, "message": outcome.message, "details": dict(outcome.details)}
    return b"\n" + canonical(answer).encode() + ANSWERED


def _run(work: Work) -> Outcome:
    from holdpoint.engine.agents import python

    try:
        return python.run(work)
    except KeyboardInterrupt as error:  # nobody's Ctrl-C comes here: the agent raised it
        return python.failed(error, work)


def _is_still(descriptor: int, file: os.stat_result) -> bool:
    """Whether a number still means the same file: once closed, it is given to the next one that is opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), file)
    except OSError:
        return False


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


if __name__ == "__main__":
    main()
