"""Workflow files: read, checked against their JSON Schema and their meaning, compiled to one normalised document."""

from __future__ import annotations

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Finding
from holdpoint.schema.checks import check_meaning
from holdpoint.schema.compile import compile_document
from holdpoint.schema.reader import read
from holdpoint.schema.report import Report
from holdpoint.schema.shape import check_shape, schema_text
from holdpoint.schema.sheet import Sheet

__all__ = ["check_text", "schema_text"]


def check_text(text: str | bytes, file: str) -> tuple[Json | None, tuple[Finding, ...]]:
    """The normalised document of a workflow, and what was found in the order of the file.

    The document is None where there are errors; warnings come with a document. *file* is only the name for findings.
    """
    document, problems = read(text, file)
    if document is None:
        return None, problems
    report = Report(document)
    value = check_shape(report)
    if value is not None:
        check_meaning(report, value)
    if value is None or report.has_errors:
        return None, report.findings
    return compile_document(Sheet(report=report, value=value)), report.findings
