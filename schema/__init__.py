"""Workflow files: read, checked against their JSON Schema and their meaning, compiled to one normalised document."""

from __future__ import annotations

from collections.abc import Sequence

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Finding, Invalid
from holdpoint.schema.checks import check_meaning, check_runs
from holdpoint.schema.compile import compile_document
from holdpoint.schema.proofs import Proof
from holdpoint.schema.reader import read
from holdpoint.schema.report import People, Report, TooManyErrors
from holdpoint.schema.shape import check_shape, schema_text
from holdpoint.schema.sheet import Sheet

__all__ = ["Proof", "check_text", "prove_text", "read_value", "schema_text"]


def check_text(text: str | bytes, file: str, people: People | None = None) -> tuple[Json | None, tuple[Finding, ...]]:
    """The normalised document of a workflow, and what was found in the order of the file.

    The document is None where there are errors; warnings come with a document. Checking stops after 100 errors.
    *file* is only the name that the findings have; *people* are those who are known, with their roles.
    """
    document, problems = read(text, file)
    if document is None:
        return None, problems
    report = Report(document, people)
    sheet, _ = _checked(report)
    if sheet is None or report.has_errors:
        return None, report.findings
    return compile_document(sheet), report.findings


def prove_text(
    text: str | bytes, file: str, people: People | None = None
) -> tuple[Sequence[Proof], tuple[Finding, ...]]:
    """What is proved of a workflow and what is not, and what was found; nothing is said of one with errors in it.

    What fails a claim is among the findings too, where it stands in the file.
    """
    document, problems = read(text, file)
    if document is None:
        return (), problems
    report = Report(document, people)
    _, proofs = _checked(report)
    return proofs, report.findings


def read_value(data: bytes, file: str) -> Json:
    """The value of a YAML text, read as strictly as a workflow. Raises `Invalid`, code `not_yaml`."""
    document, problems = read(data, file)
    if document is None:
        raise Invalid("\n".join(str(finding) for finding in problems), code="not_yaml")
    return document.value


def _checked(report: Report) -> tuple[Sheet | None, Sequence[Proof]]:
    try:
        value = check_shape(report)
        if value is None:
            return None, ()
        check_meaning(sheet := Sheet(report=report, value=value))
        # A graph with a hole in it would be reported a second time as states that cannot be reached.
        return sheet, () if report.has_errors else check_runs(sheet)
    except TooManyErrors:
        return None, ()
