"""What changed between two values: a redline of texts, word by word in the lines that differ; of JSON, path by path.

Lines are matched before words. The library's matcher may take hours where lines repeat, so what is spent is bounded:
beyond it, everything between the first and the last difference counts as changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.matching import Budget, Matcher, TooMuch

MAX_STEPS = 5_000_000
"""What one comparison may take, about a second."""

CONTEXT = 3
"""So many unchanged lines are shown around a change."""

Path: TypeAlias = tuple[str | int, ...]
_Opcode: TypeAlias = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]

# A line ends with a newline and nothing else, as git has it.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Spaces stand alone, so that a text that was wrapped anew has its words where they were.
_TOKEN = re.compile(r"\w+|\s|[^\w\s]")
# Below it, two texts have no more in common than any two texts of a language.
_ALIKE = 0.3


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that is the same in both, or only in the old (removed) or the new one (added)."""

    kind: Literal["same", "removed", "added"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """Lines that changed, with those around them.

    Without what was added, its pieces are the old lines from `old_line` on, without what was removed the new ones from
    `new_line` on. Lines count from 1.
    """

    old_line: int
    new_line: int
    pieces: tuple[Piece, ...]

    def to_dict(self) -> dict[str, Json]:
        """The hunk as `flow diff --json` prints it."""
        pieces = [{"kind": piece.kind, "text": piece.text} for piece in self.pieces]
        return {"old_line": self.old_line, "new_line": self.new_line, "pieces": pieces}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A value that was added, removed or changed. Of two texts, `hunks` has the redline.

    `path` leads to it through keys and indices: those of the old value for what was removed, else of the new.
    """

    path: Path
    kind: Literal["added", "removed", "changed"]
    old: Json = None
    new: Json = None
    hunks: tuple[Hunk, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The change as `flow diff --json` prints it."""
        members: dict[str, Json] = {"path": list(self.path), "kind": self.kind}
        if self.kind != "added":
            members["old"] = self.old
        if self.kind != "removed":
            members["new"] = self.new
        if self.hunks:
            members["hunks"] = [hunk.to_dict() for hunk in self.hunks]
        return members


def diff(old: Json, new: Json) -> tuple[Change, ...]:
    """Everything that differs, in the order of the old value's keys and then the new one's; nothing if none does."""
    return tuple(_changes(old, new, (), Budget(MAX_STEPS)))


def redline(old: str, new: str) -> tuple[Hunk, ...]:
    """The hunks that make the new text of the old one; nothing if they are the same."""
    return _redline(old, new, Budget(MAX_STEPS))


# --- JSON -------------------------------------------------------------------------------------------------------------


def _changes(old: Json, new: Json, path: Path, budget: Budget) -> Iterator[Change]:
    if canonical(old) == canonical(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            if key not in new:
                yield Change(path=(*path, key), kind="removed", old=old[key])
            elif key not in old:
                yield Change(path=(*path, key), kind="added", new=new[key])
            else:
                yield from _changes(old[key], new[key], (*path, key), budget)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _changes_of_lists(old, new, path, budget)
    else:
        hunks = _redline(old, new, budget) if isinstance(old, str) and isinstance(new, str) else ()
        yield Change(path=path, kind="changed", old=old, new=new, hunks=hunks)


def _changes_of_lists(old: list[Json], new: list[Json], path: Path, budget: Budget) -> Iterator[Change]:
    for tag, i, j, k, m in _matched([canonical(item) for item in old], [canonical(item) for item in new], budget):
        if tag == "equal":
            continue
        both = min(j - i, m - k)
        for n in range(both):
            yield from _changes(old[i + n], new[k + n], (*path, k + n), budget)
        for n in range(i + both, j):
            yield Change(path=(*path, n), kind="removed", old=old[n])
        for n in range(k + both, m):
            yield Change(path=(*path, n), kind="added", new=new[n])


# --- texts ------------------------------------------------------------------------------------------------------------


def _redline(old: str, new: str, budget: Budget) -> tuple[Hunk, ...]:
    old_lines, new_lines = _LINE.findall(old), _LINE.findall(new)
    return tuple(
        Hunk(
            old_line=group[0][1] + 1,
            new_line=group[0][3] + 1,
            pieces=_joined(
                piece
                for tag, i, j, k, m in group
                for piece in _pieces(tag, "".join(old_lines[i:j]), "".join(new_lines[k:m]), budget)
            ),
        )
        for group in _grouped(_matched(old_lines, new_lines, budget))
    )


def _pieces(tag: str, old: str, new: str, budget: Budget) -> Iterator[Piece]:
    if tag == "equal":
        yield Piece("same", old)
    elif tag == "replace":
        yield from _words(old, new, budget)
    else:
        yield from _replaced(old, new)


def _words(old: str, new: str, budget: Budget) -> Iterator[Piece]:
    """Two passages word by word, or as a whole where they have too little in common."""
    ours, theirs = _TOKEN.findall(old), _TOKEN.findall(new)
    opcodes = _matched(ours, theirs, budget)
    kept = sum(_letters(ours[i:j]) for tag, i, j, _, _ in opcodes if tag == "equal")
    if kept < _ALIKE * max(_letters(ours), _letters(theirs)):
        yield from _replaced(old, new)
        return
    removed = added = ""
    for number, (tag, i, j, k, m) in enumerate(opcodes):
        before, after = "".join(ours[i:j]), "".join(theirs[k:m])
        is_between = 0 < number < len(opcodes) - 1
        if tag == "equal" and not (is_between and not _letters(ours[i:j]) and "\n" not in before):
            yield from _replaced(removed, added)
            yield Piece("same", before)
            removed = added = ""
        else:  # a comma between two words that changed is no reason to break the change in two
            removed, added = removed + before, added + after
    yield from _replaced(removed, added)


def _letters(tokens: Sequence[str]) -> int:
    return sum(len(token) for token in tokens if token.isalnum())


def _replaced(old: str, new: str) -> Iterator[Piece]:
    if old:
        yield Piece("removed", old)
    if new:
        yield Piece("added", new)


def _joined(pieces: Iterator[Piece]) -> tuple[Piece, ...]:
    """The pieces, neighbours of one kind made one."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1].kind == piece.kind:
            piece = Piece(piece.kind, joined.pop().text + piece.text)
        joined.append(piece)
    return tuple(joined)


def _grouped(opcodes: Sequence[_Opcode]) -> Iterator[list[_Opcode]]:
    """The changes, those that are near each other together, with the lines around them."""
    group: list[_Opcode] = []
    for number, (tag, i, j, k, m) in enumerate(opcodes):
        if tag != "equal":
            group.append((tag, i, j, k, m))
            continue
        is_first, is_last = number == 0, number == len(opcodes) - 1
        if not (is_first or is_last) and j - i <= 2 * CONTEXT:
            group.append((tag, i, j, k, m))
            continue
        shown = min(CONTEXT, j - i)
        if not is_first:
            yield [*group, ("equal", i, i + shown, k, k + shown)]
        group = [] if is_last else [("equal", j - shown, j, m - shown, m)]
    if group:
        yield group


# --- matching ---------------------------------------------------------------------------------------------------------


def _matched(old: Sequence[str], new: Sequence[str], budget: Budget) -> list[_Opcode]:
    """The library's opcodes; where they would take too long, one for all between what both begin and end with."""
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    i, j = len(old) - end, len(new) - end
    matcher = Matcher(old[start:i], new[start:j], budget, str.isspace)
    try:
        middle = [(tag, start + a, start + b, start + c, start + d) for tag, a, b, c, d in matcher.get_opcodes()]
    except TooMuch:
        middle = [("replace", start, i, start, j)]
    head: list[_Opcode] = [("equal", 0, start, 0, start)] if start else []
    tail: list[_Opcode] = [("equal", i, len(old), j, len(new))] if end else []
    return head + middle + tail


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many items both begin with."""
    differing = (n for n, (one, two) in enumerate(zip(old, new, strict=False)) if one != two)
    return next(differing, min(len(old), len(new)))
