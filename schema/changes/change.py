"""One difference between two definitions, and how values are said in its sentence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Literal, TypeAlias

from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.durations import parse_duration

Kind: TypeAlias = Literal["added", "removed", "changed", "renamed"]

_MAX_SHOWN: Final = 60
_CONTEXT: Final = 12
"""So much of what two long texts have in common is shown before the place where they part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is different, in one sentence. `state`, `key` and `option` say where, by the later definition's names.

    `is_risky` marks what lets more happen without a person, or refuses what was allowed. `is_cosmetic` is what only
    people see: the version is the same with it.
    """

    kind: Kind
    text: str
    state: str | None = None
    key: str = ""
    option: str | None = None
    before: Json = None
    after: Json = None
    is_risky: bool = False
    is_cosmetic: bool = False

    def to_dict(self) -> dict[str, Json]:
        """The change as `flow diff-workflow --json` prints it."""
        return {
            "kind": self.kind,
            "text": self.text,
            "state": self.state,
            "key": self.key,
            "option": self.option,
            "before": self.before,
            "after": self.after,
            "risk": self.is_risky,
            "cosmetic": self.is_cosmetic,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is compared: a key of a state, perhaps of one of its options; without a state, of the whole."""

    state: str | None = None
    key: str = ""
    option: str | None = None

    def below(self, name: str) -> Place:
        """The place of a member of what is here."""
        return Place(state=self.state, key=f"{self.key}.{name}", option=self.option)

    def change(
        self, text: str, before: Json, after: Json, *, kind: Kind | None = None, is_risky: bool = False
    ) -> Change:
        """A change here; without a *kind*, None means that there was, or is, nothing."""
        return Change(
            kind=kind or kind_of(before is not None, after is not None),
            text=text,
            state=self.state,
            key=self.key,
            option=self.option,
            before=before,
            after=after,
            is_risky=is_risky,
        )

    def cosmetic(self, text: str, before: Json, after: Json) -> Change:
        """A change here that the version does not cover."""
        return Change(
            kind=kind_of(before is not None, after is not None),
            text=text,
            state=self.state,
            key=self.key,
            option=self.option,
            before=before,
            after=after,
            is_cosmetic=True,
        )


def kind_of(was_there: bool, is_there: bool) -> Kind:
    """What became of something that was there, or is."""
    if was_there and is_there:
        return "changed"
    return "removed" if was_there else "added"


def is_same(before: Json, after: Json) -> bool:
    """Whether two values are the same JSON; to Python, 1 and true are."""
    return canonical(before) == canonical(after)


def differing(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[tuple[str, Kind, Json, Json]]:
    """The members that differ, with what became of each: those of *after* in its order, then those that are gone."""
    for name in dict.fromkeys((*after, *before)):
        kind = kind_of(name in before, name in after)
        if kind != "changed" or not is_same(before[name], after[name]):
            yield name, kind, before.get(name), after.get(name)


def only(these: Iterable[str], others: Iterable[str]) -> list[str]:
    """Those that are not among the others, each once, in their order."""
    known = set(others)
    return [name for name in dict.fromkeys(these) if name not in known]


def told(value: Json) -> str:
    """A value for a sentence: a text in quotes, anything else as JSON; cut to a readable length."""
    return _cut(_written(value))


def told_both(before: Json, after: Json) -> tuple[str, str]:
    """Two values that differ; of long texts the part where they do."""
    old, new = _written(before), _written(after)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))) - _CONTEXT
    if max(len(old), len(new)) > _MAX_SHOWN and shared > 1:
        old, new = f"…{old[shared:]}", f"…{new[shared:]}"
    return _cut(old), _cut(new)


def now_and_was(what: str, before: Json, after: Json) -> str:
    """`WHAT is 'b', was 'a'`."""
    old, new = told_both(before, after)
    return f"{what} is {new}, was {old}"


def quoted(names: Iterable[str]) -> str:
    """`'a', 'b'`, or `none`."""
    return ", ".join(map(repr, names)) or "none"


def duration(iso: str) -> str:
    """A duration of a document as one would write it; other words stay."""
    return str(parse_duration(iso)) if iso.startswith("P") else iso


def _written(value: Json) -> str:
    return repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
