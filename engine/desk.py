"""Where a person's decision is taken in: found, compared with what was decided before, settled or refused.

The order is spec 3.2's: it exists, key and replay, what is due is applied, settled or stale, allowed, valid. Refusals
that say "too late" or "not you" are kept in the history.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from holdpoint.engine import jsonschemas
from holdpoint.engine.canonical import Json, canonical, check_json, check_note, digest
from holdpoint.engine.decide import form_of
from holdpoint.engine.due import NOT_OPEN
from holdpoint.engine.errors import Conflict, Invalid, NotAllowed, UsageError
from holdpoint.engine.loop import Loop, Standing
from holdpoint.engine.model import Decide, Refuse, RunRecord
from holdpoint.engine.people import check_person
from holdpoint.engine.ports import Key, KeyTaken, RequestRow
from holdpoint.engine.times import parse_time, say_time
from holdpoint.engine.views import decision_dict

_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of a decision. `standing` is None where it was the repetition of an earlier one."""

    run_id: str
    standing: Standing | None

    @property
    def is_replayed(self) -> bool:
        """Whether this decision had been taken before."""
        return self.standing is None


def take(
    loop: Loop,
    run_id: str,
    request_id: str | None,
    wish: Decide,
    *,
    at: str | None = None,
    key: str | None = None,
    is_worker: bool = False,
) -> Settled:
    """Settle a request of the run, the one named or (None) its one open one, as *wish* says.

    `wish.request_id` is filled in here. Raises `UsageError` where several are open, `Conflict`, `NotAllowed`,
    `Invalid`; the first two are noted in the history.
    """
    desk = _Desk(loop, run_id, request_id, wish, at, key)
    try:
        try:
            _check_values(loop, wish)
        except Invalid:
            desk.find()  # that it exists and is open is asked first
            raise
        return desk.take(is_worker)
    except (Conflict, NotAllowed) as error:
        with suppress(Invalid):  # a name or an option that is no text cannot be noted
            loop.command(run_id, Refuse(by=wish.by, option=wish.option, code=error.code, request_id=desk.request_id))
        raise


class _Desk:
    def __init__(
        self, loop: Loop, run_id: str, request_id: str | None, wish: Decide, at: str | None, key: str | None
    ) -> None:
        self._loop = loop
        self._store = loop.store
        self._run_id = run_id
        self._request_id = request_id
        self._is_for_run = request_id is None
        self._wish = wish
        self._at = at
        self._key = key
        self.request_id = request_id  # the one that is meant, once that is known

    def find(self) -> None:
        """Raise `NotFound`, `UsageError` or `Conflict` where there is no open request that can be meant."""
        self._open_request(self._loop.catch_up(self._run_id).run)

    def take(self, is_worker: bool) -> Settled:
        for _ in range(_TRIES):
            # Looked at before the check for a repetition: had another process settled the request since, the
            # compare-and-set would send us back here, so that no look is older than what it is acted on.
            standing = self._loop.read(self._run_id)
            self._fix_on_one(standing.run)
            if self._is_repetition(standing.run):
                return Settled(run_id=self._run_id, standing=None)
            if self._loop.apply_due(standing):
                continue
            self.request_id = request_id = self._open_request(standing.run)
            key = self._new_key(request_id)
            wish = replace(self._wish, request_id=request_id)
            try:
                after = self._loop.apply(self._run_id, wish, key=key, is_worker=is_worker, known=standing)
            except KeyTaken:
                continue  # the same key came in at the same moment: look again what it stands for
            except Conflict as error:
                if error.code != NOT_OPEN:
                    raise
                continue  # somebody was faster, or the deadline came: look again who won
            return Settled(run_id=self._run_id, standing=after)
        raise Conflict(f"request {self._request_id} could not be settled; try again", code="busy")

    def _fix_on_one(self, run: RunRecord) -> None:
        """A run stands for the request that is open when it is first looked at, and never for one that follows."""
        if self._request_id is None and len(run.requests) == 1 and self._at in (None, run.state):
            self._request_id = self.request_id = next(iter(run.requests))

    def _is_repetition(self, run: RunRecord) -> bool:
        if self._key is not None:
            known = self._known_key(self._key)
            if known is not None:
                if known.body == _body(self._wish):
                    return True
                raise Conflict(
                    f"key {self._key!r} was used for another decision of request {known.request_id}",
                    code="key_reused",
                    details={"key": self._key, "request": known.request_id},
                )
        row = None if self._request_id in run.requests else self._decided_before(run)
        return row is not None and self._is_same(row)

    def _known_key(self, key: str) -> Key | None:
        """What the key stands for; a run may have it at several requests, and then one of the same body is meant."""
        if not self._is_for_run:
            return self._store.key(_scope(self._request_id), key)
        keys = self._store.keys_of_run(self._run_id, key)
        return next((known for known in keys if known.body == _body(self._wish)), keys[-1] if keys else None)

    def _decided_before(self, run: RunRecord) -> RequestRow | None:
        """The settled request that this decision may be a repetition of."""
        if self._request_id is not None:
            row = self._store.request(self._request_id)
            return row if row.settled_seq is not None else None
        if run.requests and self._at in (None, run.state):
            return None
        settled = [row for row in self._store.requests(self._run_id) if row.settled_seq is not None]
        return next((row for row in reversed(settled) if self._at in (None, row.state)), None)

    def _is_same(self, row: RequestRow) -> bool:
        wish, values = self._wish, self._loop.values(self._run_id)
        entry = values.entry(row.settled_seq or 0)
        if entry.kind != "request.decided" or entry.actor != wish.by:
            return False
        form = form_of(values.entry(row.opened_seq).data, wish.option)
        answers = wish.answers
        if form is not None:
            answers = jsonschemas.fill_defaults(form, {} if answers is None else answers)
        given = (
            wish.option,
            wish.comment,
            None if answers is None else digest(canonical(answers)),
            digest(canonical(wish.artifact)) if wish.has_artifact else None,
        )
        return given == tuple(entry.data.get(name) for name in ("decision", "comment", "answers", "edit"))

    def _open_request(self, run: RunRecord) -> str:
        if self._at is not None and run.state != self._at:
            raise Conflict(
                f"run {run.id} is in {run.state!r}, not in {self._at!r}",
                code="elsewhere",
                details={"state": run.state, "at": self._at},
            )
        if self._request_id is not None:
            if self._request_id in run.requests:
                return self._request_id
            raise self._already_settled(self._store.request(self._request_id))
        if len(run.requests) > 1:
            names = ", ".join(run.requests)
            raise UsageError(
                f"run {run.id} has several open requests; name one of {names}",
                code="several_requests",
                details={"requests": list(run.requests)},
            )
        if not run.requests:
            raise Conflict(
                f"run {run.id} has no open request: it is {run.status} in {run.state!r}",
                code="no_open_request",
                details={"status": run.status, "state": run.state},
            )
        return next(iter(run.requests))

    def _already_settled(self, row: RequestRow) -> Conflict:
        values = self._loop.values(self._run_id)
        entry = values.entry(row.settled_seq or 0)
        if row.status == "void":
            return Conflict(f"request {row.id} is void: its run was cancelled or moved", code="void")
        decision = decision_dict(entry, values)
        by, at = decision["by"] or "its deadline", say_time(parse_time(decision["at"]))
        return Conflict(
            f"request {row.id} is already decided: {decision['decision']!r} by {by} at {at}",
            code="already_decided",
            details={"request": row.id, "decision": decision},
        )

    def _new_key(self, request_id: str) -> Key | None:
        if self._key is None:
            return None
        return Key(
            scope=_scope(request_id), key=self._key, body=_body(self._wish), run_id=self._run_id, request_id=request_id
        )


def _scope(request_id: str | None) -> str:
    return f"decide {request_id}"


def _body(wish: Decide) -> str:
    members: dict[str, Json] = {
        "by": wish.by,
        "option": wish.option,
        "comment": wish.comment,
        "answers": wish.answers,
        "artifact": [wish.artifact] if wish.has_artifact else [],
    }
    return digest(canonical(members))


def _check_values(loop: Loop, wish: Decide) -> None:
    """What is no text or no JSON at all is refused before anything is compared with it."""
    check_person(wish.by, "the person who decides")
    check_note(wish.option, "option")
    if wish.comment is not None:
        check_note(wish.comment, "comment")
    check_json(wish.answers, "answers", max_bytes=loop.terms.max_bytes)
    check_json(wish.artifact, "artifact", max_bytes=loop.terms.max_bytes)
