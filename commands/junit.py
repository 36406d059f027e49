"""JUnit XML of scenarios, as build servers read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from holdpoint.trials import Tested


def junit_xml(suites: Sequence[Tested]) -> str:
    """The document: a test suite a file, a test case a scenario."""
    parts = [_suite(tested) for tested in suites]
    return '<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n' + "".join(parts) + "</testsuites>\n"


def _suite(tested: Tested) -> str:
    failures = sum(not played.passed for played in tested.played)
    name = quoteattr(_plain(str(tested.suite.path)))
    lines = [f'  <testsuite name={name} tests="{len(tested.played)}" failures="{failures}">\n']
    for played in tested.played:
        case = quoteattr(_plain(played.scenario.name))
        lines.append(f'    <testcase classname={name} name={case} file={name} line="{played.scenario.line}"')
        if played.passed:
            lines.append("/>\n")
            continue
        told = played.told(str(tested.suite.path))
        message = quoteattr(_plain(played.mismatches[0].message))
        lines.append(f">\n      <failure message={message}>{escape(_plain(told))}</failure>\n    </testcase>\n")
    lines.append("  </testsuite>\n")
    return "".join(lines)


def _plain(text: str) -> str:
    """A text without the control characters that XML cannot hold."""
    return "".join(letter if letter in "\n\t" or letter.isprintable() else "\ufffd" for letter in text)
