"""What is due comes first: every command on a request or a wait is decided on a run where nothing is (spec 3.3)."""

from __future__ import annotations

from datetime import datetime

from holdpoint.engine.draft import Draft
from holdpoint.engine.errors import Conflict
from holdpoint.engine.model import RequestRecord, RunRecord

NOT_OPEN = "not_open"
"""The code of a refusal that is for the engine alone: look at the run again, something came first."""


def is_due(request: RequestRecord, run: RunRecord, now: datetime) -> bool:
    """Whether the request's deadline has come by the run's own time, which is never before its last entry."""
    return request.due_at is not None and request.due_at <= max(now, run.at)


def check_caught_up(draft: Draft) -> None:
    """What is due comes first. Whoever asks has applied it; this is for what fell due in between."""
    due = draft.run.due(draft.now)
    if due is not None and due.action != "retry":
        raise Conflict(f"run {draft.run.id} has something due that comes first", code=NOT_OPEN)
