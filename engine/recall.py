"""What a run refers to, remembered: contents and entries never change, so what was read or made once holds for good."""

from __future__ import annotations

from collections.abc import Collection

from holdpoint.engine.canonical import Json, decoded
from holdpoint.engine.errors import NotFound
from holdpoint.engine.model import Entry, Ref, Step
from holdpoint.engine.ports import Store

_KEPT = 200


class Recall:
    """`holdpoint.engine.model.Values` of one run, each of which is asked of the store once."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._contents: dict[str, Json] = {}
        self._texts: dict[str, str] = {}
        self._entries: dict[int, Entry] = {}

    def content(self, sha256: str) -> Json:
        """One content."""
        if sha256 not in self._contents:
            text = self._texts.get(sha256)
            self._contents[sha256] = self._store.content(self._run_id, sha256) if text is None else decoded(text)
        return self._contents[sha256]

    def entry(self, seq: int) -> Entry:
        """One entry."""
        if seq not in self._entries:
            self._entries[seq] = self._store.entry(self._run_id, seq)
        return self._entries[seq]

    def revision(self, name: str, revision: int) -> Json:
        """The content of one revision; raises `NotFound`."""
        entry = self._store.revision_entry(self._run_id, name, revision)
        if entry is None:
            raise NotFound(f"run {self._run_id}: artifact {name!r} has no revision {revision}")
        return self.content(entry.data["sha256"])

    def look_ahead(self, refs: Collection[Ref]) -> None:
        """Read these results all at once, which is faster than one at a time."""
        missing = [seq for seq in refs if seq not in self._entries]
        if len(missing) > 1:
            entries, contents = self._store.results(self._run_id, missing)
            self._entries.update({entry.seq: entry for entry in entries})
            self._contents.update(contents)

    def learn(self, step: Step) -> None:
        """Keep what a committed step has made, and forget the rest when it has become much."""
        if len(self._entries) + len(self._contents) > _KEPT:
            for kept in (self._contents, self._texts, self._entries):
                kept.clear()
        self._texts.update(step.contents)
        self._entries.update({entry.seq: entry for entry in step.entries})
