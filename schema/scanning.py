"""ruamel.yaml's reader, scanner and parser, made cheaper where most of the time goes.

They make the events that ruamel's own make, or raise its errors; a test compares. What is overridden here takes whole
words, gaps and quoted texts at once, by a regular expression, where ruamel goes from character to character; what is
out of the ordinary is left to ruamel's own method. The text has no character that YAML does not allow and no byte order
mark, and `\\n` is its only line break. Comments are not kept.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ruamel.yaml import tokens
from ruamel.yaml.events import ScalarEvent
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner, SimpleKey

_PLAIN_IN_BLOCK = re.compile(r"(?:[^\0 \t\n:]|:(?![\0 \t\n]))+(?: +(?!#)(?:[^\0 \t\n:]|:(?![\0 \t\n]))+)*")
_PLAIN_IN_FLOW = re.compile(r"(?:[^\0 \t\n:,\[\]{}]|:(?![\0 \t\n]))+(?: +(?!#)(?:[^\0 \t\n:,\[\]{}]|:(?![\0 \t\n]))+)*")
_AFTER_PLAIN = re.compile(r" *(?:\n[ \n]*)?")
_GAP_IN_BLOCK = re.compile(r"(?: *(?:#[^\n\0]*)?\n)* *(?:#[^\n\0]*)?")
_GAP_IN_FLOW = re.compile(r"(?:[ \t]*(?:#[^\n\0]*)?\n)*[ \t]*(?:#[^\n\0]*)?")
_SINGLE_QUOTED = re.compile(r"'((?:[^'\n\0]|'')*)'(?!')")
_DOUBLE_QUOTED = re.compile(r'"([^"\\\n\0]*)"')
_NOT_PLAIN: Final = frozenset("\0 \t\n-?:,[]{}#&*!|>'\"%@`.")
"""What a plain scalar does not begin with, or what may begin something else."""


class Mark:
    """A place in the text; all three count from 0."""

    __slots__ = ("column", "index", "line")

    def __init__(self, index: int, line: int, column: int) -> None:
        self.index = index
        self.line = line
        self.column = column


class QuickReader(Reader):
    """Where the scanner is in a text."""

    def __init__(self, text: str, loader: Any) -> None:
        super().__init__(None, loader=loader)
        self._mark = Mark(0, 0, 0)
        self.stream = text

    def peek(self, index: int = 0) -> str:
        """The character so many after the next."""
        return self.buffer[self.pointer + index]

    def forward(self, length: int = 1) -> None:
        """Go on by so many characters."""
        if length == 1 and self.buffer[self.pointer] != "\n":
            self.pointer = self.index = self.pointer + 1
            self.column += 1
        else:
            self.move(self.pointer + length)

    def move(self, end: int) -> None:
        """Go on to an index."""
        breaks = self.buffer.count("\n", self.pointer, end)
        if breaks:
            self.line += breaks
            self.column = end - self.buffer.rindex("\n", self.pointer, end) - 1
        else:
            self.column += end - self.pointer
        self.pointer = self.index = end

    def get_mark(self) -> Mark:
        """The place of the next character."""
        if self._mark.index != self.index:
            self._mark = Mark(self.index, self.line, self.column)
        return self._mark


class QuickScanner(Scanner):
    """From a text to tokens."""

    reader: Any = None  # set once, where ruamel looks it up for each character
    scanner_processing_version = (1, 2)

    def __init__(self, loader: Any) -> None:
        self.reader = loader.reader
        self._is_settled = False  # whether it is known what the first token is
        super().__init__(loader=loader)

    def check_token(self, *choices: Any) -> bool:
        """Whether there is a next token, of one of these types if any are named."""
        if not self._is_settled:
            self._settle()
        return bool(self.tokens) and (not choices or isinstance(self.tokens[0], choices))

    def peek_token(self) -> Any:
        """The next token, which stays the next."""
        if not self._is_settled:
            self._settle()
        return self.tokens[0] if self.tokens else None

    def get_token(self) -> Any:
        """The next token."""
        if not self._is_settled:
            self._settle()
        if not self.tokens:
            return None
        self._is_settled = False
        self.tokens_taken += 1
        return self.tokens.pop(0)

    def _settle(self) -> None:
        """Scan until the next token is there, and cannot turn out to be a key any more."""
        while not self.done:
            if self.tokens:
                if not self.possible_simple_keys:
                    break
                self.stale_possible_simple_keys()
                if self.next_possible_simple_key() != self.tokens_taken:
                    break
            self.fetch_more_tokens()
        self._is_settled = True

    def fetch_more_tokens(self) -> None:
        """Scan one token; each that begins with a character of its own is found by that."""
        reader = self.reader
        self.scan_to_next_token()
        self.stale_possible_simple_keys()
        if self.indent > reader.column:
            self.unwind_indent(reader.column)
        character = reader.buffer[reader.pointer]
        if character not in _NOT_PLAIN:
            self.fetch_plain()
        elif character == ":" and self.check_value():
            self.fetch_value()
        elif character == '"' or character == "'":
            self.fetch_flow_scalar(character)
        elif character == ",":
            self.fetch_flow_entry()
        else:
            super().fetch_more_tokens()

    def stale_possible_simple_keys(self) -> None:
        """Forget keys that would not end on the line where they begin, or be too long."""
        line, index = self.reader.line, self.reader.index
        for key in self.possible_simple_keys.values():
            if key.line != line or index - key.index > 1024:
                super().stale_possible_simple_keys()
                return

    def save_possible_simple_key(self) -> None:
        """Note that what comes next may be a key."""
        if not self.allow_simple_key:
            return
        self.remove_possible_simple_key()
        level, reader = len(self.flow_context), self.reader
        self.possible_simple_keys[level] = SimpleKey(
            self.tokens_taken + len(self.tokens),
            not level and self.indent == reader.column,
            reader.index,
            reader.line,
            reader.column,
            reader.get_mark(),
        )

    def remove_possible_simple_key(self) -> None:
        """Forget the key that there might have been at this level."""
        if len(self.flow_context) in self.possible_simple_keys:
            super().remove_possible_simple_key()

    def scan_to_next_token(self) -> None:
        """Skip what is between two tokens."""
        reader = self.reader
        if reader.buffer[reader.pointer] not in " \n#\t":
            return
        gap = (_GAP_IN_FLOW if self.flow_context else _GAP_IN_BLOCK).match(reader.buffer, reader.pointer)
        line = reader.line
        reader.move(gap.end() if gap else reader.pointer)
        if reader.line != line and not self.flow_context:
            self.allow_simple_key = True

    def scan_flow_scalar(self, style: str) -> Any:
        """A quoted text."""
        reader = self.reader
        match = (_DOUBLE_QUOTED if style == '"' else _SINGLE_QUOTED).match(reader.buffer, reader.pointer)
        if match is None:
            return super().scan_flow_scalar(style)
        text = match[1] if style == '"' else match[1].replace("''", "'")
        start = reader.get_mark()
        reader.move(match.end())
        return tokens.ScalarToken(text, False, start, reader.get_mark(), style)

    def scan_plain(self) -> Any:
        """A plain text; one of several lines is ruamel's."""
        reader = self.reader
        buffer, start = reader.buffer, reader.pointer
        match = (_PLAIN_IN_FLOW if self.flow_context else _PLAIN_IN_BLOCK).match(buffer, start)
        if match is None:
            return super().scan_plain()
        gap = _AFTER_PLAIN.match(buffer, match.end()).end()  # type: ignore[union-attr]
        last_break = buffer.rfind("\n", match.end(), gap)
        if last_break >= 0:
            goes_on = buffer[gap] != "#" and gap - last_break - 1 > self.indent
            if goes_on or self.flow_context or buffer.startswith(("---", "..."), last_break + 1):
                return super().scan_plain()
            self.allow_simple_key = True
        begin = reader.get_mark()
        reader.move(match.end())
        end = reader.get_mark()
        reader.move(gap)
        return tokens.ScalarToken(match[0], True, begin, end)


class QuickParser(Parser):
    """From tokens to events."""

    scanner: Any = None  # these two, too, are set once
    resolver: Any = None

    def __init__(self, loader: Any) -> None:
        self.scanner = loader.scanner
        self.resolver = loader.resolver
        super().__init__(loader=loader)

    def parse_node(self, block: bool = False, indentless_sequence: bool = False) -> Any:
        """The event of the next node."""
        token = self.scanner.peek_token()
        if type(token) is not tokens.ScalarToken:
            return super().parse_node(block, indentless_sequence)
        return self._scalar(token, self.states.pop())

    def parse_block_mapping_key(self) -> Any:
        """The event of the next key of a mapping in block style, or of its end."""
        token = self.scanner.peek_token()
        if type(token) is not tokens.KeyToken:
            return super().parse_block_mapping_key()
        self.scanner.get_token()
        return self._part(self.parse_block_mapping_value, token.end_mark)

    def parse_block_mapping_value(self) -> Any:
        """The event of the value after a key of a mapping in block style."""
        if type(self.scanner.peek_token()) is not tokens.ValueToken:
            return super().parse_block_mapping_value()
        self.scanner.get_token()
        # A value that is not written has the place of what comes next; why, ruamel does not say.
        return self._part(self.parse_block_mapping_key, self.scanner.peek_token().end_mark)

    def _part(self, state: Any, mark: Any) -> Any:
        """The event of a key or a value, after which the parser is in this state; *mark* is for one that is empty."""
        token = self.scanner.peek_token()
        if type(token) is tokens.ScalarToken:
            return self._scalar(token, state)
        if isinstance(token, tokens.KeyToken | tokens.ValueToken | tokens.BlockEndToken):
            self.state = state
            return self.process_empty_scalar(mark)
        self.states.append(state)
        return super().parse_node(block=True, indentless_sequence=True)

    def _scalar(self, token: Any, state: Any) -> Any:
        self.scanner.get_token()
        self.state = state
        implicit = (True, False) if token.plain else (False, True)
        return ScalarEvent(None, None, implicit, token.value, token.start_mark, token.end_mark, token.style)


class _Version:
    """What the scanner and parser ask of a resolver."""

    processing_version = (1, 2)


class QuickLoader:
    """The object through which ruamel's reader, scanner and parser find each other."""

    typ = "rt"
    comment_handling = None
    resolver = _Version()

    def __init__(self, text: str, scanner: type[QuickScanner] = QuickScanner) -> None:
        self.reader = QuickReader(text, self)
        self.scanner = scanner(self)
        self.parser = QuickParser(self)
