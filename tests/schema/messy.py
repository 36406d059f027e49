"""Writes a value as YAML in as many ways as there are: block and flow, any quotes and indentation, any comments."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./{}-]*( [A-Za-z0-9_./-]+)*")
_PLAIN_IN_FLOW = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_WORDS = ("null", "true", "false", "~")


class Scribe:
    """Writes one value; `comments` are those that it has written, in their order."""

    def __init__(self, random: Random, *, has_comments: bool = True) -> None:
        self._random = random
        self._has_comments = has_comments
        self.comments: list[str] = []
        self._keeps_breaks = False  # whether the last value is a block text to which blank lines would belong

    def text(self, value: dict[str, Any]) -> str:
        """A document whose value this is."""
        lines = [*self._between(0), *(["---"] if self._chance(0.1) else []), *self._between(0)]
        lines += self._mapping(value, 0)
        text = "\n".join([*lines, *self._between(0)]) + "\n"
        return text.replace("\n", "\r\n") if self._chance(0.1) else text

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    def _comment(self) -> str:
        self._keeps_breaks = False
        self.comments.append(
            f"# {len(self.comments)}" + self._random.choice(["", " why: {so}", " 'it' \"is\"", "\u00e9 #"])
        )
        return self.comments[-1]

    def _between(self, indent: int) -> list[str]:
        """Lines that may stand between two others."""
        lines = []
        for _ in range(self._random.choice([0, 0, 0, 1, 2])):
            if self._has_comments and self._chance(0.6):
                lines.append(" " * self._random.randint(0, indent) + self._comment())
            elif not self._keeps_breaks:
                lines.append("")  # with spaces in it, it would belong to a block text above
        return lines

    def _end(self) -> str:
        """What may stand at the end of a line."""
        if self._has_comments and self._chance(0.2):
            return " " * self._random.choice([1, 2, 9]) + self._comment()
        return " " * self._random.choice([0, 0, 0, 2])

    def _mapping(self, value: dict[str, Any], indent: int) -> list[str]:
        lines = []
        for key, item in value.items():
            lines += self._between(indent)
            lines += self._entry(" " * indent + self._scalar(key, is_flow=True) + ":", item, indent, is_key=True)
        return lines

    def _list(self, value: list[Any], indent: int) -> list[str]:
        lines = []
        for item in value:
            lines += self._between(indent)
            lines += self._entry(" " * indent + "-", item, indent, is_key=False)
        return lines

    def _entry(self, begin: str, item: Any, indent: int, *, is_key: bool) -> list[str]:
        self._keeps_breaks = False
        deeper = indent + self._random.choice([1, 2, 2, 2, 4])
        if isinstance(item, dict | list) and item and self._chance(0.6):
            if isinstance(item, list) and is_key and self._chance(0.3):
                deeper = indent
            lines = [begin + self._end()]
            return lines + (self._mapping(item, deeper) if isinstance(item, dict) else self._list(item, deeper))
        if isinstance(item, dict | list):
            return self._with_end(f"{begin} {self._flow(item, deeper)}")
        if isinstance(item, str) and self._is_for_a_block(item) and self._chance(0.5):
            return self._block(begin, item, deeper)
        if item is None and self._chance(0.5):
            return [begin + self._end()]
        if self._chance(0.1):
            head = begin + self._end()
            return [head, *self._between(indent), *self._with_end(" " * deeper + self._scalar(item))]
        return self._with_end(f"{begin} {self._scalar(item)}")

    def _with_end(self, text: str) -> list[str]:
        return (text + self._end()).split("\n")

    def _flow(self, value: Any, indent: int) -> str:
        if not isinstance(value, dict | list):
            return self._scalar(value, is_flow=True)
        space = self._random.choice(["", " "])
        parts = []
        for number, item in enumerate(value):
            gap = self._gap(indent)
            text = self._flow(item if isinstance(value, list) else value[item], indent)
            key = "" if isinstance(value, list) else f"{self._scalar(item, is_flow=True)}: "
            comma = "," if number + 1 < len(value) or self._chance(0.1) else ""
            parts.append(f"{gap}{key}{text}{comma}")
        inside = (space or " ").join(parts) + self._gap(indent)
        return f"[{space}{inside}{space}]" if isinstance(value, list) else f"{{{space}{inside}{space}}}"

    def _gap(self, indent: int) -> str:
        """What may stand between two parts in flow style."""
        if self._chance(0.9):
            return ""
        return self._end() + "\n" + " " * indent

    def _scalar(self, value: Any, *, is_flow: bool = False) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        plain = _PLAIN_IN_FLOW if is_flow else _PLAIN
        ways = [json.dumps(value, ensure_ascii=False)]
        if plain.fullmatch(value) and value.lower() not in _WORDS:
            ways += [value] * 3
        if value.isprintable():
            ways.append("'" + value.replace("'", "''") + "'")
            words = value.split(" ")
            if not is_flow and len(words) > 1 and all(words) and "\\" not in value and '"' not in value:
                cut = self._random.randint(1, len(words) - 1)
                ways.append(f'"{" ".join(words[:cut])}\n{" " * 8}{" ".join(words[cut:])}"')
        return self._random.choice(ways)

    def _is_for_a_block(self, value: str) -> bool:
        return bool(value.strip("\n ")) and value.replace("\n", "").isprintable() and not value.startswith("\n")

    def _block(self, begin: str, value: str, indent: int) -> list[str]:
        body = value.rstrip("\n")
        breaks = len(value) - len(body)
        sign = "-" if breaks == 0 else "" if breaks == 1 and self._chance(0.8) else "+"
        column = len(begin) - len(begin.lstrip(" "))
        digit = str(indent - column) if value.startswith(" ") or self._chance(0.2) else ""
        lines = [f"{begin} |{digit}{sign}{self._end()}"]
        self._keeps_breaks = sign == "+"
        lines += [line and " " * indent + line for line in body.split("\n")]
        return lines + [""] * (breaks - 1 if sign == "+" else 0)
