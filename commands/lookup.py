"""Which request of a run is meant, where its id is not given."""

from __future__ import annotations

from collections.abc import Iterator

from holdpoint import Engine, Request, Run


def requests_before(engine: Engine, run: Run) -> Iterator[Request]:
    """The requests that the run has opened, the latest first, with what they show."""
    opened = [entry.data["request"] for entry in engine.history(run.id) if entry.kind == "request.opened"]
    return (engine.get_request(request_id) for request_id in reversed(opened))


def settled_by_silence(engine: Engine, run: Run) -> Request | None:
    """The request of a run whose deadline has settled it, while nobody has come by to write that; else None."""
    if run.status != "running" or run.attempt is not None or run.requests:
        return None
    return next((request for request in requests_before(engine, run) if request.state == run.state), None)
