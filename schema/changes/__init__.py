"""What changed between two definitions, in the words of the language, and whether what was proved still holds."""

from holdpoint.schema.changes.change import Change
from holdpoint.schema.changes.claims import Verdict
from holdpoint.schema.changes.compare import compare_documents
from holdpoint.schema.changes.comparison import Comparison, Side, compare

__all__ = ["Change", "Comparison", "Side", "Verdict", "compare", "compare_documents"]
