"""What `flow check --explain` prints: what is proved of every run of a workflow, and the path where it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from holdpoint.commands.output import say
from holdpoint.engine.canonical import Json

if TYPE_CHECKING:
    from holdpoint.api import Proof


def print_proofs(proofs: Mapping[Path, Sequence[Proof]]) -> None:
    """Print what is proved of each file."""
    for path, claims in proofs.items():
        say((str(path), "bold"))
        if not claims:
            say("  nothing is proved of a workflow that has errors; mend them first")
        for proof in claims:
            mark, style = ("proved", "green") if proof.holds else ("not proved", "bold red")
            say("  ", (f"{mark:<11}", style), proof.text)
            say(" " * 13, proof.reason)


def proofs_json(proofs: Mapping[Path, Sequence[Proof]]) -> list[Json]:
    """The same as JSON, one object a file."""
    return [{"file": str(path), "claims": [proof.to_dict() for proof in claims]} for path, claims in proofs.items()]
