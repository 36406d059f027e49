"""Workflow files: read, checked against their JSON Schema and their meaning, compiled to one normalised document."""

from __future__ import annotations

from collections.abc import Collection

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Finding, Invalid
from holdpoint.schema.checks import check_meaning
from holdpoint.schema.compile import compile_document
from holdpoint.schema.reader import read
from holdpoint.schema.report import Report, TooManyErrors
from holdpoint.schema.shape import check_shape, schema_text
from holdpoint.schema.sheet import Sheet

__all__ = ["check_text", "read_value", "schema_text"]


def check_text(
    text: str | bytes, file: str, roles: Collection[str] | None = None
) -> tuple[Json | None, tuple[Finding, ...]]:
    """The normalised document of a workflow, and what was found in the order of the file.

    The document is None where there are errors; warnings come with a document. Checking stops after 100 errors.
    *file* is only the name that the findings have; *roles* are those that people have, None if that is not known.
    """
    document, problems = read(text, file)
    if document is None:
        return None, problems
    report = Report(document, roles)
    sheet = _checked(report)
    if sheet is None or report.has_errors:
        return None, report.findings
    return compile_document(sheet), report.findings


def read_value(data: bytes, file: str) -> Json:
    """The value of a YAML text, read as strictly as a workflow. Raises `Invalid`, code `not_yaml`."""
    document, problems = read(data, file)
    if document is None:
        raise Invalid("\n".join(str(finding) for finding in problems), code="not_yaml")
    return document.value


def _checked(report: Report) -> Sheet | None:
    try:
        value = check_shape(report)
        if value is None:
            return None
        check_meaning(sheet := Sheet(report=report, value=value))
    except TooManyErrors:
        return None
    return sheet
