"""Leases: who works on an attempt, whether that process still lives, and the heartbeat that says so (spec 3.5)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

from holdpoint.engine.errors import StoreError

LEASE = timedelta(seconds=30)
"""How long an attempt is believed to be under way without a word of it, unless `flow.toml` says otherwise."""


def owner() -> str:
    """This process, so that another one on the same machine can see that it is gone."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def is_gone(name: str) -> bool:
    """Whether *name* is a process of this machine that no longer runs. Of other machines nothing is known."""
    machine, _, process = name.partition("/")
    pid, _, started = process.partition("/")
    if machine != _machine() or not pid.isdigit():
        return False
    return _started(int(pid)) != started


class Heart:
    """Renews the leases of the attempts under way, every third of a lease, from one thread.

    *renew* moves a lease's end and says whether it is still ours. The thread starts with the first attempt.
    """

    def __init__(self, renew: Callable[[str, int], bool], lease_seconds: float) -> None:
        self._renew = renew
        self._interval = lease_seconds / 3
        self._condition = threading.Condition()
        self._attempts: dict[tuple[str, int], threading.Event] = {}
        self._thread: threading.Thread | None = None
        self._is_idle = False
        self._has_begun = False
        self._is_closed = False

    @contextmanager
    def beating(self, run_id: str, token: int) -> Iterator[threading.Event]:
        """Keep the lease while the block runs; the event is set when it was lost."""
        lost = threading.Event()
        with self._condition:
            self._attempts[run_id, token] = lost
            self._has_begun = True
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="holdpoint-heart", daemon=True)
                self._thread.start()
            elif self._is_idle:
                self._condition.notify()
        try:
            yield lost
        finally:
            with self._condition:
                del self._attempts[run_id, token]

    def close(self) -> None:
        """Stop the thread."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _beat(self) -> None:
        while True:
            with self._condition:
                # Asked before waiting too: a notice that comes before the wait begins wakes nobody.
                if self._is_closed:
                    return
                # Idle means waiting without an end: only then does a new attempt have to wake this thread. It is not
                # idle before a whole beat has passed without one, or short attempts would wake it each.
                self._is_idle = not self._attempts and not self._has_begun
                self._has_begun = False
                self._condition.wait(None if self._is_idle else self._interval)
                was_idle, self._is_idle = self._is_idle, False
                if self._is_closed:
                    return
                attempts = [] if was_idle else list(self._attempts.items())
            for (run_id, token), lost in attempts:
                if not self._is_ours(run_id, token):
                    lost.set()

    def _is_ours(self, run_id: str, token: int) -> bool:
        try:
            return self._renew(run_id, token)
        except StoreError:  # the database may be back at the next beat; until then the lease runs on
            return True


@cache
def _machine() -> str:
    # Containers share a host's name and boot, but not its processes: their numbers mean something else there.
    facts = [_host()]
    for path in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        try:
            facts.append(Path(path).read_text().strip())
        except OSError:
            continue
    try:
        facts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        facts.append("")
    return sha256("|".join(facts).encode()).hexdigest()[:12]


def _host() -> str:
    if hasattr(os, "uname"):
        return os.uname().nodename
    import platform

    return platform.node()


def _started(pid: int) -> str:
    """When a process started, as the system counts it, or `gone`. A zombie is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return _started_without_proc(pid)
    except OSError:
        return "gone"
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] in ("Z", "X") else fields[19]


def _started_without_proc(pid: int) -> str:
    if Path("/proc/self/stat").exists():
        return "gone"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except OSError:
        pass
    return "alive"
