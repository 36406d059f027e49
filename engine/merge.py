"""Three-way merge of artifacts: texts line by line, objects key by key, everything else as a whole.

It is more careful than git: what it merges, git merges to the same result; where lines could be matched in several ways
it refuses what git may merge.
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.matching import Budget, Matcher, TooMuch

MAX_LINES = 20_000
"""Texts with more lines are not merged."""

MAX_STEPS = 5_000_000
"""Texts whose comparison takes more steps (about a second) are not merged."""


class MergeConflict(Exception):
    """Both sides changed the same part. `path` leads to it: the keys of the objects around it."""

    def __init__(self, why: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(path)}: {why}" if path else why)
        self.path = path


def merge(base: Json, ours: Json, theirs: Json) -> Json:
    """What both sides made of *base*, together; raises `MergeConflict` where they do not go together.

    The result may share parts with the arguments. The keys of an object come in the order of ours, then theirs.
    """
    return _merge(base, ours, theirs, ())


def _merge(base: Json, ours: Json, theirs: Json, path: tuple[str, ...]) -> Json:
    if _same(ours, theirs) or _same(base, theirs):
        return ours
    if _same(base, ours):
        return theirs
    if isinstance(base, dict) and isinstance(ours, dict) and isinstance(theirs, dict):
        return _merge_objects(base, ours, theirs, path)
    if isinstance(base, str) and isinstance(ours, str) and isinstance(theirs, str):
        return _merge_texts(base, ours, theirs, path)
    raise MergeConflict("both sides changed it", path)


def _same(one: Json, other: Json) -> bool:
    return canonical(one) == canonical(other)


def _merge_objects(
    base: dict[str, Json], ours: dict[str, Json], theirs: dict[str, Json], path: tuple[str, ...]
) -> dict[str, Json]:
    merged = {}
    for key in dict.fromkeys((*ours, *theirs)):
        here = (*path, key)
        if key in ours and key in theirs:
            if key in base:
                merged[key] = _merge(base[key], ours[key], theirs[key], here)
            elif _same(ours[key], theirs[key]):
                merged[key] = ours[key]
            else:
                raise MergeConflict("both sides added it, with different values", here)
        else:
            value = ours[key] if key in ours else theirs[key]
            if key not in base:
                merged[key] = value
            elif not _same(base[key], value):
                raise MergeConflict("one side changed it, the other removed it", here)
    return merged


# --- texts ------------------------------------------------------------------------------------------------------------
#
# A merge by lines is only as good as the matching of lines beneath it, and where lines repeat or were moved there are
# several matchings. So two changes of different sides go together only if an anchor lies between them, a line that all
# three texts have exactly once, and only if matching from the top and from the bottom give the same result.

_Change = tuple[int, int, list[str]]
"""Lines `start` to `end` of the base became these lines."""


def _merge_texts(base: str, ours: str, theirs: str, path: tuple[str, ...]) -> str:
    lines = _lines(base), _lines(ours), _lines(theirs)
    if max(map(len, lines)) > MAX_LINES:
        raise MergeConflict(f"both sides changed a text of more than {MAX_LINES} lines", path)
    budget = Budget(MAX_STEPS)
    try:
        downwards = _merge_lines(*lines, budget)
        upwards = _merge_lines(lines[0][::-1], lines[1][::-1], lines[2][::-1], budget)
    except _Overlap:
        raise MergeConflict("both sides changed the same lines, or lines too close to tell apart", path) from None
    except TooMuch:
        raise MergeConflict("both sides changed too many lines to compare", path) from None
    if downwards != upwards[::-1]:
        raise MergeConflict("both sides changed lines that can be matched in several ways", path)
    return "".join(downwards)


def _lines(text: str) -> list[str]:
    """The lines with their ends; a line ends with a newline and nothing else, as git has it."""
    *lines, rest = text.split("\n")
    return [f"{line}\n" for line in lines] + ([rest] if rest else [])


class _Overlap(Exception):
    pass


def _merge_lines(base: list[str], ours: list[str], theirs: list[str], budget: Budget) -> list[str]:
    counts = [Counter(text) for text in (base, ours, theirs)]
    anchors = [0, *accumulate(all(count[line] == 1 for count in counts) for line in base)]
    left, right = _changes(base, ours, budget), _changes(base, theirs, budget)
    merged: list[str] = []
    done = 0
    while left or right:
        if left and right and left[-1] == right[-1]:
            change = left.pop()
            right.pop()
            if not _is_distinct(base, change, counts):
                raise _Overlap
        else:
            change = _first(left, right, anchors)
        start, end, lines = change
        merged += base[done:start] + lines
        done = end
    return merged + base[done:]


def _first(left: list[_Change], right: list[_Change], anchors: list[int]) -> _Change:
    """Take the change that comes first; it must end before an anchor that the other side's next begins after."""
    if not right or (left and left[-1] < right[-1]):
        first, other = left, right
    else:
        first, other = right, left
    change = first.pop()
    if other and (change[1] > other[-1][0] or anchors[change[1]] == anchors[other[-1][0]]):
        raise _Overlap
    return change


def _is_distinct(base: list[str], change: _Change, counts: list[Counter[str]]) -> bool:
    """Whether the lines that both sides took out and put in are nowhere else: else it need not be the same change."""
    start, end, lines = change
    in_base, in_ours, in_theirs = counts
    return all(in_base[line] == 1 and not in_ours[line] and not in_theirs[line] for line in base[start:end]) and all(
        in_ours[line] == 1 and in_theirs[line] == 1 and not in_base[line] for line in lines
    )


def _changes(base: list[str], other: list[str], budget: Budget) -> list[_Change]:
    """What was changed, the last first."""
    same = next((n for n, (one, two) in enumerate(zip(base, other, strict=False)) if one != two), None)
    start = min(len(base), len(other)) if same is None else same
    end = 0
    while end < min(len(base), len(other)) - start and base[-1 - end] == other[-1 - end]:
        end += 1
    matcher = Matcher(base[start : len(base) - end], other[start : len(other) - end], budget)
    return [
        (start + i, start + j, other[start + k : start + m])
        for tag, i, j, k, m in reversed(matcher.get_opcodes())
        if tag != "equal"
    ]
