"""Which request of a run is meant, where its id is not given."""

from __future__ import annotations

from collections.abc import Iterator

from holdpoint import Engine, Request, Run


def requests_before(engine: Engine, run: Run) -> Iterator[Request]:
    """The requests that the run has opened, the latest first, with what they show."""
    opened = [entry.data["request"] for entry in engine.history(run.id) if entry.kind == "request.opened"]
    return (engine.get_request(request_id) for request_id in reversed(opened))


def last_request_in(engine: Engine, run_id: str, state: str, visit: int | None = None) -> Request | None:
    """The last request that a run opened in a state, or in one visit of it; None where it never did."""
    place, found = ("", 0), None
    for entry in engine.history(run_id):
        if entry.kind == "state.entered":
            place = entry.data["state"], entry.data["visit"]
        elif entry.kind == "request.opened" and place[0] == state and visit in (None, place[1]):
            found = entry.data["request"]
    return None if found is None else engine.get_request(found)


def settled_by_silence(engine: Engine, run: Run) -> Request | None:
    """The request of a run whose deadline has settled it, while nobody has come by to write that; else None."""
    if run.status != "running" or run.attempt is not None or run.requests:
        return None
    return next((request for request in requests_before(engine, run) if request.state == run.state), None)
