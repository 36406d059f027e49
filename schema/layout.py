"""How a YAML text is laid out: its values as they are written, and each comment and blank line with what it belongs to.

Comments are found between the tokens of the scanner, so that none is missed and nothing else is taken for one. One at
the end of a line belongs to what ends there; one on a line of its own to what comes next, or to the end of a block that
is indented as far.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ruamel.yaml import events, tokens

from holdpoint.schema.scanning import QuickLoader

BLANK: Final = ""
"""The line that stands for one or several blank lines."""

CLOSE: Final = 2
"""So many spaces are between a text and the comment behind it, or more where comments stand in a column."""

_IN_A_GAP = re.compile(r"#[^\n]*|\n[ \t]*(?=\n)")
_ANCHOR = re.compile(r"&\S+(?:[ \t\n]|#[^\n]*\n)*")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(#[^\n]*)?")


class Comment(NamedTuple):
    """A comment, or the mark of blank lines: where it is in the text, and whether it has its line for itself."""

    start: int
    column: int
    text: str
    is_alone: bool


@dataclass(slots=True, kw_only=True)
class Part:
    """A value as it is written, from `start` to `end` in the text; `column` is that of a block's keys or dashes.

    A scalar has its `text` with the quotes, and its `value`; an alias the text `*name`. `after` are the comments
    behind the last entry of a collection.
    """

    kind: str
    start: int
    end: int
    column: int = 0
    text: str = ""
    value: str = ""
    style: str | None = None
    anchor: str | None = None
    is_flow: bool = False
    entries: list[Entry] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    @property
    def is_block(self) -> bool:
        """Whether it is a collection in block style."""
        return self.kind in ("mapping", "list") and not self.is_flow

    @property
    def is_absent(self) -> bool:
        """Whether it is a value that is not written."""
        return self.kind == "scalar" and self.style is None and not self.text


@dataclass(slots=True, kw_only=True)
class Entry:
    """A key and its value, or an item of a list; with the lines before it and the comments on its own lines.

    `head` is the comment behind `key:` where the value is a block below it, `tail` that behind the value.
    """

    key: Part | None
    value: Part
    before: list[str] = field(default_factory=list)
    head: Comment | None = None
    tail: Comment | None = None

    @property
    def start(self) -> int:
        """Where it begins in the text."""
        return self.value.start if self.key is None else self.key.start


def lay_out(text: str) -> Part:
    """The layout of the one document in a text that was read without a problem."""
    root = _Tree(text).root()
    _Attacher(text, list(comments_of(text))).attach(root)
    return root


def comments_of(text: str) -> Iterator[Comment]:
    """The comments and blank lines of a text, in its order."""
    scanner = QuickLoader(text).scanner
    end = 0
    while (token := scanner.get_token()) is not None:
        yield from _in_gap(text, end, token.start_mark.index)
        end = max(end, token.end_mark.index)
        if isinstance(token, tokens.ScalarToken) and token.style in ("|", ">"):
            yield from _of_block(text[token.start_mark.index : end], token.start_mark)


def _in_gap(text: str, start: int, end: int) -> Iterator[Comment]:
    for match in _IN_A_GAP.finditer(text, start, max(start, end)):
        index = match.start()
        if match[0].startswith("#"):
            line = text.rfind("\n", 0, index) + 1
            yield _comment(index, text[line:index], match[0])
        else:
            yield Comment(index, 0, BLANK, True)


def _comment(start: int, before: str, text: str) -> Comment:
    """A comment behind what is on its line. One that stands close to it is in no column of its own: that is 0."""
    words = before.rstrip()
    is_close = bool(words) and len(before) - len(words) <= CLOSE
    return Comment(start, 0 if is_close else len(before), text.rstrip(), not words)


def _of_block(text: str, mark: Any) -> Iterator[Comment]:
    """The comment behind the indicator of a block scalar, and blank lines below it that are no part of its value."""
    match = _BLOCK_HEADER.match(text)
    if match is not None and match[1]:
        yield _comment(mark.index + match.start(1), "-" * mark.column + text[: match.start(1)], match[1])
    is_kept = match is not None and "+" in match[0].partition("#")[0]
    if not is_kept and re.search(r"\n[ \t]*\n[ \t]*\Z", text):
        yield Comment(mark.index + len(text) - 1, 0, BLANK, True)


class _Tree:
    """Builds the parts of a text from the events of the parser."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parser = QuickLoader(text).parser

    def root(self) -> Part:
        self._parser.get_event()  # the stream
        self._parser.get_event()  # the document
        return self._part(self._parser.get_event())

    def _part(self, event: Any) -> Part:
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, events.AliasEvent):
            return Part(kind="alias", start=start, end=end, text=f"*{event.anchor}")
        if isinstance(event, events.ScalarEvent):
            return self._scalar(event, start, end)
        is_mapping = isinstance(event, events.MappingStartEvent)
        part = Part(
            kind="mapping" if is_mapping else "list",
            start=start,
            end=end,
            column=event.end_mark.column if event.anchor else event.start_mark.column,
            anchor=event.anchor,
            is_flow=bool(event.flow_style),
        )
        last = self._fill_mapping(part) if is_mapping else self._fill_list(part)
        part.end = last.end_mark.index
        return part

    def _fill_mapping(self, part: Part) -> Any:
        while not isinstance(event := self._parser.get_event(), events.MappingEndEvent):
            key = self._part(event)
            value = self._part(self._parser.get_event())
            if value.is_absent and value.anchor is None:
                value.start = value.end = key.end  # ruamel says where the next one is
            part.entries.append(Entry(key=key, value=value))
        if part.entries and not part.is_flow:
            part.column = self._column(part.entries[0].start)
        return event

    def _fill_list(self, part: Part) -> Any:
        while not isinstance(event := self._parser.get_event(), events.SequenceEndEvent):
            part.entries.append(Entry(key=None, value=self._part(event)))
        return event

    def _column(self, index: int) -> int:
        return index - self._text.rfind("\n", 0, index) - 1

    def _scalar(self, event: Any, start: int, end: int) -> Part:
        written = self._text[start:end]
        if event.anchor is not None:
            written = written[_ANCHOR.match(written).end() :]  # type: ignore[union-attr]
        if event.style is None and not event.value:
            written = ""  # the marks of a value that is not written are those of what comes next
        return Part(
            kind="scalar",
            start=start,
            end=end,
            text=written,
            value=event.value,
            style=event.style,
            anchor=event.anchor,
        )


class _Attacher:
    """Gives each comment, in the order of the text, to the entry or collection that it belongs to."""

    def __init__(self, text: str, comments: list[Comment]) -> None:
        self._text = text
        self._comments = comments[::-1]  # the next one is the last of the list

    def attach(self, root: Part) -> None:
        self._collection(root)
        root.after += [comment.text for comment in reversed(self._comments)]
        self._comments.clear()

    def _collection(self, part: Part, holder: Part | None = None) -> None:
        ends = [entry.start for entry in part.entries[1:]] + [part.end if part.is_flow else len(self._text)]
        for entry, end in zip(part.entries, ends, strict=False):
            entry.before += self._until(entry.start)
            self._value(entry, part, end)
        if part.is_flow:
            part.after += self._until(part.end)
        elif part.entries:
            is_indented = holder is None or part.column > holder.column
            part.after += self._below(part.end, part.column if is_indented else part.column + 1)

    def _value(self, entry: Entry, part: Part, end: int) -> None:
        """Attach what is in the value of an entry and behind it, up to an index."""
        value = entry.value
        if value.is_block and value.entries:
            next_one = self._comments[-1] if self._comments else None
            if next_one is not None and not next_one.is_alone and next_one.start < value.entries[0].start:
                entry.head = self._comments.pop()
            self._collection(value, part)
            return
        if not value.is_absent:
            entry.before += self._until(value.start)
        if value.is_flow:
            self._collection(value, part)
        if value.style in ("|", ">"):
            entry.tail = self._behind(value.start, value.end)
        else:
            entry.tail = self._behind(value.end, end)

    def _until(self, index: int) -> list[str]:
        """The comments before an index."""
        found = []
        while self._comments and self._comments[-1].start < index:
            found.append(self._comments.pop().text)
        return found

    def _behind(self, start: int, end: int) -> Comment | None:
        """The comment on the line that an index is on."""
        found = self._comments[-1] if self._comments else None
        if found is None or found.is_alone or found.start >= end or "\n" in self._text[start : found.start]:
            return None
        return self._comments.pop()

    def _below(self, end: int, column: int) -> list[str]:
        """The comments up to an index that are indented at least so far, with the blank lines before them."""
        found: list[str] = []
        while True:
            ahead = next((comment for comment in reversed(self._comments) if comment.text != BLANK), None)
            if ahead is None or ahead.start >= end or ahead.column < column:
                return found
            found += self._until(ahead.start + 1)
