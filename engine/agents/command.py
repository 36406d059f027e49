"""Agents that are programs: arguments as JSON on standard input, the output as JSON on standard output.

A command gets a process group of its own. When it takes too long, or may not go on, the group gets SIGTERM and after a
grace SIGKILL; whatever is left of the group when the command itself has ended is killed. Processes that leave the group
(daemons) are not followed.
"""

from __future__ import annotations

import errno
import json
import os
import selectors
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from threading import Event
from time import monotonic
from typing import IO

from holdpoint.engine.agents import Failure, Outcome, Success, Work
from holdpoint.engine.agents.texts import Ends, printable, shorten
from holdpoint.engine.canonical import canonical, check_json, parse_json
from holdpoint.engine.errors import Invalid

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

LINGER = 1.0
"""Seconds that pipes may stay open after the command has ended: a process that it left behind holds them."""

TICK = 0.1
"""Seconds between two looks at the stop event and, while its pipes are open, at the command."""

STDERR_BYTES = 4 * 1024
MESSAGE_CHARACTERS = 500
_CHUNK = 64 * 1024
_NEWLINE = len(b"\r\n")


def run(work: Work, *, stop: Event, grace: float = GRACE) -> Outcome:
    """Run the command and wait for its end; raises nothing but `KeyboardInterrupt`, after having killed the group."""
    try:
        process = _start(work)
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        return Failure(code="agent_missing", message=_missing(work, error))
    except (OSError, ValueError) as error:  # too long, a NUL in an argument, no process to be had
        if getattr(error, "errno", None) == errno.ENOEXEC:  # a file that is no program
            return Failure(code="agent_missing", message=_missing(work, error))
        return Failure(code="agent_error", message=f"{_name(work)} cannot be started: {_reason(error)}")
    data = canonical(work.arguments).encode()
    watch = _Watch(process, work, stop, grace)
    failure = watch.until_end(data) if os.name == "posix" else watch.until_end_simply(data)
    if failure is not None:
        return replace(failure, stderr=watch.stderr.text())
    return _judge(work, process.returncode, watch)


def _start(work: Work) -> subprocess.Popen[bytes]:
    program, *arguments = tuple(work.target)
    if program == "python":
        program = sys.executable or program
    return subprocess.Popen(
        [program, *arguments],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=work.project,
        env={**os.environ, "FLOW_KEY": work.context.key},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


# Rendered arguments may hold secrets: messages name the program alone.
def _name(work: Work) -> str:
    return f"command '{shorten(printable(work.target[0]), 200)}'"


def _reason(error: Exception) -> str:
    return printable(getattr(error, "strerror", None) or str(error)).lower()


def _missing(work: Work, error: Exception) -> str:
    if not work.project.is_dir():
        return f"{_name(work)} cannot be started: the project's folder '{work.project}' does not exist"
    return f"{_name(work)} cannot be started: {_reason(error)}"


class _Watch:
    """One running command: its pipes, what came out of them, and the reasons to end it."""

    def __init__(self, process: subprocess.Popen[bytes], work: Work, stop: Event, grace: float) -> None:
        self.stdout = bytearray()
        self.stderr = Ends(STDERR_BYTES)
        self.is_too_large = False
        self._process = process
        self._work = work
        self._stop = stop
        self._grace = grace
        self._limit = work.max_bytes + _NEWLINE
        self._deadline = monotonic() + work.timeout

    def until_end(self, data: bytes) -> Failure | None:
        """Feed and drain the pipes until the command has ended; the failure that ended it, if one did."""
        try:
            with selectors.DefaultSelector() as selector:
                self._open(selector, data)
                failure = self._loop(selector)
        finally:
            # The command is still a zombie here, so that its number cannot belong to another group yet.
            self._signal(signal.SIGKILL)
            self._reap()
        return failure

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

    def _loop(self, selector: selectors.BaseSelector) -> Failure | None:
        failure: Failure | None = None
        is_killed = False
        due_at = self._deadline  # of what comes next: SIGTERM, SIGKILL, giving up
        ended_at: float | None = None
        pause = 0.001
        while True:
            now = monotonic()
            if ended_at is None and self._has_ended():
                ended_at = now
            if ended_at is not None:
                if not selector.get_map() or now >= ended_at + LINGER:
                    return failure
            elif failure is None:
                failure = self._verdict(now)
                if failure is not None:
                    self._signal(signal.SIGTERM)
                    due_at = now + (0.0 if self.is_too_large else self._grace)
            elif now >= due_at:
                if is_killed:  # not even SIGKILL ends what hangs in the kernel
                    return failure
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
            if key.events == selectors.EVENT_WRITE:
                is_open = key.data(key.fd)
            else:
                chunk = os.read(key.fd, _CHUNK)
                key.data(chunk)
                is_open = bool(chunk)
            if not is_open:
                selector.unregister(stream)
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

    def _verdict(self, now: float) -> Failure | None:
        """Why the command must end now, if it must."""
        if self._stop.is_set():
            return self._failure("agent_stopped", "was stopped: its lease was lost, or the run was cancelled")
        if self.is_too_large:
            return _too_large(self._work, self)
        if now >= self._deadline:
            return self._failure("agent_timeout", f"took longer than {self._work.timeout:g} s")
        return None

    def _failure(self, code: str, what: str) -> Failure:
        details = {"timeout": self._work.timeout} if code == "agent_timeout" else {}
        return Failure(code=code, message=f"{_name(self._work)} {what}", details=details)

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

    def until_end_simply(self, data: bytes) -> Failure | None:
        """The same where pipes cannot be selected on (Windows): the output is bounded only once it is complete."""
        failure: Failure | None = None
        try:
            while True:
                try:
                    stdout, stderr = self._process.communicate(data, timeout=TICK)
                    break
                except subprocess.TimeoutExpired:
                    failure = failure or self._verdict(monotonic())
                    if failure is not None:
                        self._process.kill()
        finally:
            self._process.kill()
            self._process.wait()
        self._take_stdout(stdout)
        self.stderr.add(stderr)
        return failure


def _judge(work: Work, status: int | None, watch: _Watch) -> Outcome:
    """What came of a command that ended by itself."""
    stderr = watch.stderr.text()
    if status != 0:
        return _exited(work, status, stderr)
    if watch.is_too_large:
        return _too_large(work, watch)
    what = f"output of {work.context.state}"
    try:
        output = parse_json(bytes(watch.stdout).decode(), what) if watch.stdout.strip() else None
        text = check_json(output, what, max_bytes=work.max_bytes)
    except UnicodeDecodeError as error:
        return _not_json(f"{what} is not JSON: not UTF-8 at byte {error.start}", watch)
    except Invalid as error:
        return _not_json(error.message, watch)
    return Success(output=json.loads(text), stderr=stderr)


def _exited(work: Work, status: int | None, stderr: str) -> Failure:
    if status is None:
        how = "did not end, even when it was killed"
    elif status < 0:
        how = f"was ended by {_signal_name(-status)}"
    else:
        how = f"ended with status {status}"
    last = stderr.rstrip().rpartition("\n")[2].strip()
    message = f"{_name(work)} {how}" + (f": {last}" if last else "")
    return Failure(
        code="agent_exit", message=shorten(message, MESSAGE_CHARACTERS), details={"status": status}, stderr=stderr
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _too_large(work: Work, watch: _Watch) -> Failure:
    message = f"output of {work.context.state} is larger than {work.max_bytes} bytes"
    return Failure(
        code="agent_output", message=message, details={"max_bytes": work.max_bytes}, stderr=watch.stderr.text()
    )


def _not_json(message: str, watch: _Watch) -> Failure:
    begin = printable(bytes(watch.stdout[:200]).decode("utf-8", "replace"))
    return Failure(
        code="agent_output",
        message=shorten(printable(message), MESSAGE_CHARACTERS),
        details={"begins": begin},
        stderr=watch.stderr.text(),
    )
