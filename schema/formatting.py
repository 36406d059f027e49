"""Workflows in canonical layout that say what they said: apart, because checking has no need of it."""

from __future__ import annotations

import json

from holdpoint.engine.errors import Finding, Invalid
from holdpoint.schema import Checked, check
from holdpoint.schema.format import formatted
from holdpoint.schema.layout import comments_of
from holdpoint.schema.report import People


def format_text(data: bytes, file: str, people: People | None = None) -> tuple[str | None, tuple[Finding, ...]]:
    """A workflow in canonical layout, and what was found in it; None where there are errors.

    It says what it said: the compiled document is the same, and so are the comments. Raises `Invalid`, code `format`,
    rather than return a text that does not.
    """
    checked = check(data, file, people)
    if checked.document is None:
        return None, checked.findings
    text = data.decode().replace("\r\n", "\n").replace("\r", "\n")
    for is_ordered in (True, False):  # an alias cannot be put before its anchor
        new = formatted(text, is_ordered=is_ordered)
        if _says(check(new, file, people)) == _says(checked) and _comments(new) == _comments(text):
            return new, checked.findings
    raise Invalid(
        f"{file} cannot be laid out without changing what it says, so it was left; please report it", code="format"
    )


def _says(checked: Checked) -> tuple[str, list[str], list[str]]:
    """What a workflow says: its document, the author's order included, and what is found and ignored in it."""
    found, ignored = (sorted(finding.code for finding in some) for some in (checked.findings, checked.ignored))
    return json.dumps(checked.document), found, ignored


def _comments(text: str) -> list[str]:
    return sorted(comment.text for comment in comments_of(text) if comment.text)
