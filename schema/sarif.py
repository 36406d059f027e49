"""Findings as a log in SARIF 2.1.0, the format in which tools for code review take the results of checks."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Finding
from holdpoint.schema.codes import CODES, Rule

if TYPE_CHECKING:
    from holdpoint.schema import Checked

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LINE_END = re.compile(rb"\r\n|\r|\n")
_HELP: Final = {
    "error": "The workflow is refused until it is mended.",
    "warning": "The workflow can be used. Where it is meant so, the comment '# flow: ignore {code}' at the end of the "
    "line says that.",
}


def sarif_log(checked: Mapping[Path, tuple[bytes, Checked]], version: str) -> Json:
    """The log of one check of some files, given what they hold and what was found; *version* is the checker's.

    Files below the working folder are named from there, which should be the top of the repository.
    """
    results = [result for path, (data, one) in checked.items() for result in _results(path, data, one)]
    driver = {"name": "Holdpoint", "version": version, "rules": [_rule(rule) for rule in CODES.values()]}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _rule(rule: Rule) -> Json:
    sentence = f"{rule.rule[0].upper()}{rule.rule[1:]}."
    text = f"{_HELP[rule.severity].format(code=rule.code)} docs/checks.md has examples, good and bad."
    return {
        "id": rule.code,
        "shortDescription": {"text": sentence},
        "fullDescription": {"text": sentence},
        "help": {"text": text},
        "defaultConfiguration": {"level": rule.severity},
    }


def _results(path: Path, data: bytes, checked: Checked) -> Iterator[Json]:
    """The findings of a file, those that are ignored too, in its order."""
    lines = _LINE_END.split(data)
    location = _location_of_file(path)
    seen: Counter[str] = Counter()
    found = [(finding, False) for finding in checked.findings] + [(finding, True) for finding in checked.ignored]
    for finding, is_ignored in sorted(found, key=lambda pair: (pair[0].line, pair[0].column, pair[0].code)):
        mark = _mark(finding, lines)
        seen[mark] += 1
        region = {"startLine": finding.line, "startColumn": finding.column}
        yield {
            "ruleId": finding.code,
            "ruleIndex": list(CODES).index(finding.code),
            "level": finding.severity,
            "message": {"text": f"{finding.message}; {finding.fix}" if finding.fix else finding.message},
            "locations": [{"physicalLocation": {"artifactLocation": location, "region": region}}],
            "partialFingerprints": {"primaryLocationLineHash": f"{mark}:{seen[mark]}"},
            # Of all results or of none, says the standard; an empty list means that it is not suppressed.
            "suppressions": [{"kind": "inSource"}] if is_ignored else [],
        }


def _mark(finding: Finding, lines: list[bytes]) -> str:
    """What stays the same when lines are put in or taken out before it: the code, and what stands on the line."""
    line = lines[finding.line - 1] if finding.line <= len(lines) else b""
    return sha256(finding.code.encode() + b"\0" + line.strip()).hexdigest()[:16]


def _location_of_file(path: Path) -> Json:
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(os.fsencode(path.as_posix())), "uriBaseId": "%SRCROOT%"}
