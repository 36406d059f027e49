"""Comments that silence warnings: `# flow: ignore HP215` at the end of the line, or alone on the line above.

Several codes are separated by spaces or commas; what follows them is the reason, for people.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import did_you_mean
from holdpoint.schema.codes import CODES
from holdpoint.schema.nodes import Document, Node, Place
from holdpoint.schema.report import Report

RULE: Final = "HP271"

_MAX_TOLD: Final = 100

_COMMENT = re.compile(r"(?<!\S)#[ \t]*flow:[ \t]*ignore(?![\w-]):?(?P<codes>(?:[ \t,]+[A-Za-z]*\d\w*)*)")
_CODE = re.compile(r"\w+")
_PROPERTY = re.compile(r"&\S+\s+")
_QUOTED: Final = {"'": re.compile(r"'(?:[^']|'')*'"), '"': re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ignore:
    """One code of a comment, where it is written, and the lines whose warnings it silences."""

    code: str
    place: Place
    lines: range


def apply_ignores(report: Report) -> None:
    """Silence the warnings that comments of the file name, and report the names that silence nothing."""
    ignores = tuple(_ignores(report.document))
    about = {(ignore.code, line): ignore for ignore in ignores for line in ignore.lines}
    used: set[_Ignore] = set()
    for finding in report.findings if ignores else ():
        ignore = about.get((finding.code, finding.line))
        if ignore is not None and finding.severity == "warning":
            report.ignore(finding)
            used.add(ignore)
    for ignore in islice((ignore for ignore in ignores if ignore not in used), _MAX_TOLD):
        _report_unused(report, ignore)


def _report_unused(report: Report, ignore: _Ignore) -> None:
    code = ignore.code
    rule = CODES.get(code)
    if not code:
        message, fix = "this comment says not what to ignore", "write the code of a warning: '# flow: ignore HP215'"
    elif rule is None:
        message, fix = f"there is no code {code!r}", did_you_mean(code.upper(), CODES) or "write the code of a warning"
    elif rule.severity == "error":
        message, fix = f"{code} is an error, and errors cannot be ignored", "mend what is wrong, and remove the code"
    elif report.has_errors:
        return  # some warnings are looked for only where there are no errors
    else:
        message, fix = (
            f"there is no {code} here to be ignored",
            "remove the code, or move it to the line of the warning",
        )
    report.comment(ignore.place, RULE, message, fix)


def _ignores(document: Document) -> Iterator[_Ignore]:
    text = "\n".join(document.lines)
    found = list(_COMMENT.finditer(text))
    source = _Source(document) if found else None
    for comment in found:
        assert source is not None
        if source.is_in_scalar(comment.start()):
            continue
        lines = source.lines_of(comment.start())
        codes: dict[str, int] = {}  # what is said twice is said once
        for code in _CODE.finditer(comment["codes"]):
            codes.setdefault(code[0], comment.start("codes") + code.start())
        for name, start in (codes or {"": comment.start()}).items():
            yield _Ignore(code=name, place=source.place(start), lines=lines if name in CODES else range(0))


class _Source:
    """A text with what its nodes tell of it: a `#` in a text of several lines begins no comment.

    Only where texts begin is known; where one ends follows from its first character.
    """

    def __init__(self, document: Document) -> None:
        self._rows = document.lines
        self._text = "\n".join(document.lines)
        self._begins = list(accumulate((len(row) + 1 for row in document.lines), initial=0))  # the offset of each line
        texts = {self._begins[at.line - 1] + at.column - 1: value for at, value in _texts(document.root).items()}
        self._starts = sorted(texts)
        self._texts = texts
        self._extents: dict[int, range] = {}

    def is_in_scalar(self, offset: int) -> bool:
        """Whether a character is inside of a quoted text, or in a line below a `|` or `>`."""
        index = bisect_right(self._starts, offset) - 1
        return index >= 0 and offset in self._extent(self._starts[index])

    def place(self, offset: int) -> Place:
        """The place of a character."""
        line = bisect_right(self._begins, offset)
        return Place(line=line, column=offset - self._begins[line - 1] + 1)

    def lines_of(self, offset: int) -> range:
        """The lines for which a comment that begins there speaks: its own, or the next where it stands alone.

        A text that goes on below its `|` or `>` there is of these lines, for it can have no comment of its own.
        """
        line = self.place(offset).line
        if not self._text[self._begins[line - 1] : offset].strip():
            line += 1
        if line > len(self._rows):
            return range(0)
        inside = slice(*(bisect_left(self._starts, self._begins[number]) for number in (line - 1, line)))
        ends = [extent.stop - 1 for start in self._starts[inside] if (extent := self._extent(start))]
        return range(line, max([line, *(self.place(end).line for end in ends)]) + 1)

    def _extent(self, start: int) -> range:
        """The characters of the text that begins there among which no comment can be; none for a plain one."""
        if start not in self._extents:
            self._extents[start] = self._measured(start)
        return self._extents[start]

    def _measured(self, start: int) -> range:
        first = start
        while skipped := _PROPERTY.match(self._text, first):
            first = skipped.end()
        indicator = self._text[first : first + 1]
        if indicator in _QUOTED:
            found = _QUOTED[indicator].match(self._text, first)
            return range(first, found.end() if found else first)
        return self._extent_of_block(first, str(self._texts[start])) if indicator in ("|", ">") else range(0)

    def _extent_of_block(self, start: int, value: str) -> range:
        """The lines below a `|` or `>`, as far as they are empty or as deep as the first that is not."""
        below = bisect_right(self._begins, start)
        first = next((row for row in value.split("\n") if row.strip()), "")
        if not first:
            return range(0)
        end = below
        while not self._rows[end].strip():
            end += 1
        depth = _depth(self._rows[end]) - _depth(first)  # what the value itself begins with is not its depth
        while end < len(self._rows) and (not self._rows[end].strip() or _depth(self._rows[end]) >= depth):
            end += 1
        return range(self._begins[below], self._begins[end])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _texts(root: Node) -> Mapping[Place, Json]:
    """Where keys and values begin, each with what it says; an alias stands where its anchor does."""
    found: dict[Place, Json] = {}
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        found.update((place, key) for key, place in node.keys.items())
        if isinstance(node.value, str):
            found[node.place] = node.value
        parts: Sequence[Node] = list(node.parts.values()) if isinstance(node.parts, Mapping) else node.parts
        waiting.extend(parts)
    return found
