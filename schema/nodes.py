"""Values of a file together with where they stand in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from holdpoint.engine.canonical import Json

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of the file down to a value."""

Style = Literal["plain", "quoted", "block"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the file; both numbers count from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One value of the file. `keys` are the places of a mapping's keys, `parts` the values of a mapping or list.

    `size` counts the node and all below it, aliases written out; `height` is 0 for a scalar.
    """

    value: Json
    place: Place
    style: Style = "plain"
    is_one_line: bool = True
    is_anchored: bool = False
    is_absent: bool = False
    keys: Mapping[str, Place] = field(default_factory=dict)
    parts: Mapping[str, Node] | Sequence[Node] = ()
    size: int = 1
    height: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that was read: its value and where each part of it stands."""

    file: str
    root: Node
    lines: Sequence[str]

    @property
    def value(self) -> Json:
        """The whole file as plain JSON."""
        return self.root.value

    def node(self, path: Path) -> Node:
        """The node at a path, or the deepest one on the way there."""
        node = self.root
        for step in path:
            below = _below(node, step)
            if below is None:
                break
            node = below
        return node

    def key_place(self, path: Path) -> Place:
        """Where the last key of a path is written; of an item in a list, where the item is."""
        holder = self.node(path[:-1])
        key = path[-1] if path else None
        if isinstance(key, str) and key in holder.keys:
            return holder.keys[key]
        return self.node(path).place

    def place_in(self, path: Path, offset: int) -> Place:
        """Where a character of a text is; the beginning of the text where escapes or folding hide that."""
        node = self.node(path)
        if not isinstance(node.value, str) or node.is_anchored:
            return node.place
        if node.style == "block":
            return self._place_in_block(node, offset)
        if not node.is_one_line:
            return node.place
        return Place(line=node.place.line, column=node.place.column + offset + (node.style == "quoted"))

    def _place_in_block(self, node: Node, offset: int) -> Place:
        before = node.value[:offset]
        first = node.place.line  # the line after the indicator, counted from 0
        line = first + before.count("\n")
        if line >= len(self.lines):
            return node.place
        indent = len(self.lines[first]) - len(self.lines[first].lstrip(" "))
        return Place(line=line + 1, column=indent + 1 + len(before) - before.rfind("\n") - 1)


def _below(node: Node, step: str | int) -> Node | None:
    if isinstance(step, str) and isinstance(node.parts, Mapping):
        return node.parts.get(step)
    if isinstance(step, int) and isinstance(node.parts, Sequence) and step < len(node.parts):
        return node.parts[step]
    return None
