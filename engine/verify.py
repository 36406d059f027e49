"""Proof that what is stored of a run is what its history says, and that its history could happen (spec 3.11).

The checks believe nothing that is stored: a damaged run has flaws, it never makes `verify` raise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from holdpoint.engine.canonical import Json
from holdpoint.engine.ports import Dossier
from holdpoint.engine.verify_replay import Problem, Replay, guarded, play
from holdpoint.engine.verify_rows import (
    check_chain,
    check_contents,
    check_deadlines,
    check_definition,
    check_keys,
    check_kinds,
    check_lease,
    check_record,
    check_requests,
    check_revisions,
)
from holdpoint.engine.verify_rules import check_late_agents, check_moves, check_settlements, check_standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One thing that does not hold. `run` is None where it concerns the database as a whole."""

    run: str | None
    code: str
    message: str

    def to_dict(self) -> dict[str, Json]:
        """The flaw as `flow verify --json` prints it."""
        return {name: getattr(self, name) for name in self.__slots__}


def verify(dossier: Dossier) -> list[Flaw]:
    """Everything that is wrong with one run; nothing, if all invariants hold.

    It knows the run alone: a dropped run, or a history that was cut and folded again, needs an anchor to be seen.
    """
    replay = play(dossier)
    return [
        Flaw(run=dossier.run_id, code=code, message=message)
        for what, check in _CHECKS
        for code, message in guarded(what, check(replay))
    ]


_CHECKS: tuple[tuple[str, Callable[[Replay], Iterator[Problem]]], ...] = (
    ("the chain", check_chain),
    ("the kinds of entries", check_kinds),
    ("the stored run", check_record),
    ("the definition", check_definition),
    ("the requests", check_requests),
    ("the revisions", check_revisions),
    ("the deadlines", check_deadlines),
    ("the lease", check_lease),
    ("the contents", check_contents),
    ("the keys", check_keys),
    ("the settlements", check_settlements),
    ("the moves", check_moves),
    ("the late agents", check_late_agents),
    ("where the run stands", check_standing),
)
