"""A process with an engine of its own, which does what it is told; a program, run by `conftest.Actor`.

Each line of standard input is one call of an engine's method, each line of standard output its answer. A gated call is
first answered by `ready`, and then waits for a byte from the gate, so that several processes begin at one moment.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import datetime
from typing import Any

import holdpoint
from holdpoint.engine.agents import Context


class Readings:
    """A clock that gives one reading after the other, and the last one for ever."""

    def __init__(self) -> None:
        self._times: list[datetime] = []

    def set(self, times: list[str]) -> None:
        """What it will read."""
        self._times = [datetime.fromisoformat(time) for time in times]

    def __call__(self) -> datetime:
        """The next reading."""
        return self._times.pop(0) if len(self._times) > 1 else self._times[0]


class Actor:
    """The engine, its clock, and the agent that it runs for every state whose agent is `actor:work`.

    *fate* is what the agent does once its effect is there: work (it returns), die, stop (until SIGCONT), or nest (it
    works on the next of the runs in `nested`, inside the call, and dies when there are none left). `actor:flaky` is the
    same agent, and raises at its first attempt of each visit.
    """

    def __init__(self, url: str, fate: str, gate: int) -> None:
        self.fate = fate
        self.gate = gate
        self.nested: list[str] = []
        self.clock = Readings()
        self.engine = holdpoint.Engine(
            url, clock=self.clock, agents={"actor:work": self.work, "actor:flaky": self.flaky}
        )
        self.effects = os.open("effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def work(self, context: Context, is_deadly: bool = False) -> dict[str, int]:
        """The agent: its effect is a line with its key."""
        os.write(self.effects, f"{context.key}\n".encode())
        if self.fate == "stop":
            _say("stopping")
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.fate == "nest" and self.nested:
            self.engine.advance(self.nested.pop())
        elif is_deadly or self.fate in ("die", "nest"):
            os.kill(os.getpid(), signal.SIGKILL)
        return {"by": os.getpid()}

    def flaky(self, context: Context) -> dict[str, int]:
        """An agent whose first attempt fails, after its effect."""
        output = self.work(context)
        if context.attempt == 1:
            raise OSError("not yet")
        return output

    def do(self, call: dict[str, Any]) -> dict[str, Any]:
        """Make the call; the error that refuses it is an answer like any."""
        self.clock.set(call["times"])
        self.nested = call["nested"]
        if call["method"] == "start":
            call["args"] = [self.engine.loads(text) for text in call["args"]]
        if call["is_gated"]:
            _say("ready")
            os.read(self.gate, 1)
        try:
            value = getattr(self.engine, call["method"])(*call["args"], **call["options"])
        except holdpoint.HoldpointError as error:
            return {"error": type(error).__name__, "code": error.code, "details": error.details}
        return {"value": value if isinstance(value, dict) else value.to_dict()}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer until standard input ends."""
    url, fate, gate = sys.argv[1:]
    actor = Actor(url, fate, int(gate))
    _say("ready")
    for line in sys.stdin:
        _say(json.dumps(actor.do(json.loads(line))))
    actor.engine.close()


if __name__ == "__main__":
    main()
