"""The process of one attempt: in a group of its own, fed and drained within bounds, and ended when it has to be.

When it takes too long, or may not go on, the group gets SIGTERM and after a grace SIGKILL; whatever is left of the
group when the process itself has ended is killed. Processes that leave the group (daemons) are not followed.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import IO, Literal

from holdpoint.engine.agents import Failure, Work
from holdpoint.engine.agents.texts import Ends, printable

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

LINGER = 1.0
"""Seconds for what may be left undone: for pipes to close when the process has ended (one that it left behind may hold
them), and for a worker to end when it has given its answer."""

TICK = 0.1
"""Seconds between two looks at the stop event and, while its pipes are open, at the process."""

STDERR_BYTES = 4 * 1024

ANSWERED = b"\0"
"""What a worker's answer ends with. No text that something else writes there would."""

_CHUNK = 64 * 1024

Cause = Literal["agent_stopped", "agent_output", "agent_timeout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that has ended, and what it wrote.

    `cause` is why it was ended, none where it ended by itself. `status` is that of `Popen`, and none where not even
    SIGKILL ended it. `stdout` is what there was, or the beginning of it (`is_too_large`).
    """

    status: int | None
    cause: Cause | None
    stdout: bytes
    is_too_large: bool
    stderr: str

    @property
    def how(self) -> str:
        """How it ended, as the end of a sentence: `ended with status 3`, `was ended by SIGSEGV`."""
        if self.status is None:
            return "did not end, even when it was killed"
        return f"was ended by {_signal_name(-self.status)}" if self.status < 0 else f"ended with status {self.status}"

    @property
    def last_words(self) -> str:
        """The last line of its standard error, with a colon before it; an empty text where there is none."""
        last = self.stderr.rstrip().rpartition("\n")[2].strip()
        return f": {last}" if last else ""


def run(
    argv: Sequence[str],
    work: Work,
    *,
    data: bytes,
    limit: int,
    stop: Event,
    grace: float = GRACE,
    is_worker: bool = False,
) -> Ended:
    """Start a process in the project's folder, give it *data*, and wait for its end; takes at most *limit* bytes.

    The standard input of a *worker* stays open for as long as this process lives, and once it has written
    ANSWERED it need only end. Raises `OSError` or `ValueError` where it cannot be started, and
    `KeyboardInterrupt` after having killed the group.
    """
    process = subprocess.Popen(
        argv,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=work.project,
        env={**os.environ, "FLOW_KEY": work.context.key},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    watch = _Watch(
        process, limit=limit, deadline=monotonic() + work.timeout, stop=stop, grace=grace, is_worker=is_worker
    )
    cause = watch.until_end(data) if os.name == "posix" else watch.until_end_simply(data)
    return Ended(
        status=process.returncode,
        cause=cause,
        stdout=bytes(watch.stdout),
        is_too_large=watch.is_too_large,
        stderr=watch.stderr.text(),
    )


def failure(ended: Ended, work: Work, name: str) -> Failure | None:
    """The failure of an attempt that was ended; none where its process ended by itself."""
    if ended.cause is None:
        return None
    if ended.cause == "agent_output":
        return too_large(ended, work)
    if ended.cause == "agent_timeout":
        message, details = f"{name} took longer than {work.timeout:g} s", {"timeout": work.timeout}
    else:
        message, details = f"{name} was stopped: its lease was lost, or the run was cancelled", {}
    return Failure(code=ended.cause, message=message, details=details, stderr=ended.stderr)


def too_large(ended: Ended, work: Work) -> Failure:
    """The failure of an attempt whose process wrote more than it may."""
    message = f"output of {work.context.state} is larger than {work.max_bytes} bytes"
    return Failure(code="agent_output", message=message, details={"max_bytes": work.max_bytes}, stderr=ended.stderr)


def cannot_start(work: Work, name: str, error: Exception, *, is_missing: bool) -> Failure:
    """The failure of an attempt whose process could not be started."""
    is_missing |= not work.project.is_dir()
    why = printable(getattr(error, "strerror", None) or str(error)).lower()
    if not work.project.is_dir():
        why = f"the project's folder '{work.project}' does not exist"
    return Failure(code="agent_missing" if is_missing else "agent_error", message=f"{name} cannot be started: {why}")


class _Watch:
    """One running process: its pipes, what came out of them, and the reasons to end it."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        *,
        limit: int,
        deadline: float,
        stop: Event,
        grace: float,
        is_worker: bool,
    ) -> None:
        self.stdout = bytearray()
        self.stderr = Ends(STDERR_BYTES)
        self.is_too_large = False
        self._process = process
        self._limit = limit
        self._deadline = deadline
        self._stop = stop
        self._grace = grace
        self._is_worker = is_worker

    def until_end(self, data: bytes) -> Cause | None:
        """Feed and drain the pipes until the process has ended; the cause that ended it, if one did."""
        try:
            with selectors.DefaultSelector() as selector:
                self._open(selector, data)
                cause = self._loop(selector)
        finally:
            # The process is still a zombie here, so that its number cannot belong to another group yet.
            self._signal(signal.SIGKILL)
            self._reap()
        return cause

    def _open(self, selector: selectors.BaseSelector, data: bytes) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for stream in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)
        self._unsent = memoryview(data)
        selector.register(process.stdin, selectors.EVENT_WRITE, self._send)
        selector.register(process.stdout, selectors.EVENT_READ, self._take_stdout)
        selector.register(process.stderr, selectors.EVENT_READ, self.stderr.add)

    def _loop(self, selector: selectors.BaseSelector) -> Cause | None:
        cause: Cause | None = None
        is_ending = is_killed = False
        due_at = self._deadline  # of what comes next: SIGTERM, SIGKILL, giving up
        ended_at: float | None = None
        pause = 0.001
        while True:
            now = monotonic()
            if ended_at is None and self._has_ended():
                ended_at = now
            if ended_at is not None:
                if not selector.get_map() or now >= ended_at + LINGER:
                    return cause
            elif not is_ending:
                cause = self._verdict(now)
                if cause is not None:
                    self._signal(signal.SIGTERM)
                    is_ending, due_at = True, now + (0.0 if self.is_too_large else self._grace)
                elif self._is_answered:
                    is_ending, due_at = True, now + LINGER
            elif now >= due_at:
                if is_killed:  # not even SIGKILL ends what hangs in the kernel
                    return cause
                self._signal(signal.SIGKILL)
                is_killed = True
                due_at = now + GRACE
            wait = TICK
            if not selector.get_map():  # the last pipe closes just before the end: look again soon, then less often
                wait, pause = pause, min(2 * pause, TICK)
            if ended_at is None:
                wait = min(wait, max(due_at - now, 0.0))
            self._pump(selector, wait)

    def _pump(self, selector: selectors.BaseSelector, wait: float) -> None:
        for key, _ in selector.select(wait):
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
            is_input = key.events == selectors.EVENT_WRITE
            if is_input:
                is_open = key.data(key.fd)
            else:
                chunk = os.read(key.fd, _CHUNK)
                key.data(chunk)
                is_open = bool(chunk)
            if not is_open:
                selector.unregister(stream)
                if not (is_input and self._is_worker):
                    stream.close()

    def _send(self, descriptor: int) -> bool:
        try:
            self._unsent = self._unsent[os.write(descriptor, self._unsent[:_CHUNK]) :]
        except BlockingIOError:
            return True
        except OSError:  # it does not read its input, which is its right
            return False
        return bool(self._unsent)

    def _take_stdout(self, chunk: bytes) -> None:
        room = self._limit - len(self.stdout)
        self.stdout += chunk[:room]
        self.is_too_large |= len(chunk) > room

    @property
    def _is_answered(self) -> bool:
        return self._is_worker and self.stdout.endswith(ANSWERED)

    def _verdict(self, now: float) -> Cause | None:
        """Why the process must end now, if it must."""
        if self._is_answered:
            return None
        if self._stop.is_set():
            return "agent_stopped"
        if self.is_too_large:
            return "agent_output"
        if now >= self._deadline:
            return "agent_timeout"
        return None

    def _has_ended(self) -> bool:
        if not hasattr(os, "waitid"):
            return self._process.poll() is not None
        try:
            # Without reaping it: its process group keeps its number until then.
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # the host program ignores SIGCHLD
            return True

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # gone; or, as with sudo, somebody else's
            os.killpg(self._process.pid, number)

    def _reap(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)

    def until_end_simply(self, data: bytes) -> Cause | None:
        """The same where pipes cannot be selected on (Windows): the output is bounded only once it is complete."""
        cause: Cause | None = None
        try:
            while True:
                try:
                    stdout, stderr = self._process.communicate(data, timeout=TICK)
                    break
                except subprocess.TimeoutExpired:
                    cause = cause or self._verdict(monotonic())
                    if cause is not None:
                        self._process.kill()
        finally:
            self._process.kill()
            self._process.wait()
        self._take_stdout(stdout)
        self.stderr.add(stderr)
        return cause


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
