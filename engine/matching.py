"""Matching sequences with a bound: the library's matcher may go on for hours on items that repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from difflib import Match, SequenceMatcher


class TooMuch(Exception):
    """The steps are spent."""


class Budget:
    """A number of steps that several comparisons share; the same values always take the same steps."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take *steps* off; raises `TooMuch` where there are not so many left."""
        self._left -= steps
        if self._left < 0:
            raise TooMuch


class Matcher(SequenceMatcher[str]):
    """The library's matcher, which here gives up with `TooMuch`. Matches do not begin with what *is_junk*."""

    def __init__(
        self, old: Sequence[str], new: Sequence[str], budget: Budget, is_junk: Callable[[str], bool] | None = None
    ) -> None:
        super().__init__(is_junk, old, new, autojunk=False)
        self._old = old
        self._counts = Counter(item for item in new if is_junk is None or not is_junk(item))
        self._budget = budget

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        """As the library's, for its price in steps."""
        items = self._old[alo:ahi]
        self._budget.spend(len(items) + sum(self._counts[item] for item in items))
        return super().find_longest_match(alo, ahi, blo, bhi)
