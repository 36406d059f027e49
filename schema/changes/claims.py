"""Whether what was proved of one definition still holds of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.schema.proofs import CLAIMS, Proof

_VERDICTS: Final[Mapping[tuple[bool | None, bool | None], str]] = {
    (True, True): "holds in both",
    (False, True): "now holds",
    (True, False): "no longer holds",
    (False, False): "holds in neither",
    (None, True): "holds now",
    (None, False): "does not hold now",
    (True, None): "held before",
    (False, None): "did not hold before",
    (None, None): "not known",
}
"""What is said of a claim by whether it held and whether it holds; None where nothing could be proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a claim of `holdpoint.schema.proofs`, with its proof for each of the two definitions."""

    claim: str
    before: Proof | None
    after: Proof | None

    @property
    def text(self) -> str:
        """The claim in words."""
        return CLAIMS[self.claim]

    @property
    def word(self) -> str:
        """What became of it, in two or three words."""
        held, holds = (None if proof is None else proof.holds for proof in (self.before, self.after))
        return _VERDICTS[held, holds]

    @property
    def is_lost(self) -> bool:
        """Whether it held, and is now disproved."""
        return self.word == _VERDICTS[True, False]

    def to_dict(self) -> dict[str, Json]:
        """The claim as `flow diff-workflow --json` prints it."""
        return {
            "claim": self.claim,
            "text": self.text,
            "verdict": self.word,
            "before": self.before and self.before.to_dict(),
            "after": self.after and self.after.to_dict(),
        }


def compare_proofs(before: Sequence[Proof], after: Sequence[Proof]) -> tuple[Verdict, ...]:
    """Each claim with its proofs; of a definition of which nothing could be proved, there is none."""
    old, new = ({proof.claim: proof for proof in proofs} for proofs in (before, after))
    return tuple(Verdict(claim=claim, before=old.get(claim), after=new.get(claim)) for claim in CLAIMS)
