"""Two definitions side by side: what changed, and what became of the proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import Finding
from holdpoint.schema.changes.change import Change
from holdpoint.schema.changes.claims import Verdict, compare_proofs
from holdpoint.schema.changes.compare import compare_documents
from holdpoint.schema.proofs import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two definitions, what is proved of it, and what was found in it."""

    definition: Definition
    proofs: Sequence[Proof]
    findings: Sequence[Finding]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Why no run may be started from it."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What leads from one definition to the other; `verdicts` has every claim."""

    before: Side
    after: Side
    changes: tuple[Change, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def is_equal(self) -> bool:
        """Whether nothing at all changed. Of equal versions titles and order may still differ."""
        return not self.changes

    @property
    def loses_proofs(self) -> bool:
        """Whether something that was proved is disproved now."""
        return any(verdict.is_lost for verdict in self.verdicts)

    def to_dict(self) -> dict[str, Json]:
        """The comparison as `flow diff-workflow --json` prints it."""
        return {
            "equal": self.is_equal,
            "versions": {"a": self.before.definition.version, "b": self.after.definition.version},
            "changes": [change.to_dict() for change in self.changes],
            "proofs": [verdict.to_dict() for verdict in self.verdicts],
            "errors": {
                "a": [finding.to_dict() for finding in self.before.errors],
                "b": [finding.to_dict() for finding in self.after.errors],
            },
        }


def compare(before: Side, after: Side) -> Comparison:
    """What changed between two definitions, and which proofs that changes."""
    return Comparison(
        before=before,
        after=after,
        changes=compare_documents(before.definition.document, after.definition.document),
        verdicts=compare_proofs(before.proofs, after.proofs),
    )
