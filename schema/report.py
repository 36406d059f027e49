"""Findings about a document that was read, each at the place of what it is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Finding, did_you_mean
from holdpoint.schema.codes import CASE_CODES, CODES, SCENARIO_CODES
from holdpoint.schema.letters import describe_strange, look_of
from holdpoint.schema.nodes import Document, Path, Place

People: TypeAlias = Mapping[str, Collection[str]]
"""People by name, each with the roles that they have."""

MAX_ERRORS: Final = 100
_MAX_MESSAGE: Final = 1_000
_MAX_SHOWN: Final = 60
_MAX_LISTED: Final = 30


class TooManyErrors(Exception):
    """Checking goes no further: who has so many errors to mend has enough to do, and each costs time to explain."""


class Report:
    """Collects findings about one document; every check gets one and adds to it.

    How much a finding matters is its code's severity. Adding raises `TooManyErrors` after `MAX_ERRORS` errors. *people*
    are those who are known, with their roles; None where nobody is.
    """

    def __init__(self, document: Document, people: People | None = None) -> None:
        self.document = document
        self.people = people
        self._findings: dict[Finding, None] = {}  # a dict, to say nothing twice
        self._ignored: list[Finding] = []
        self._error_paths: list[Path] = []
        self._places: list[tuple[Path, str]] = []

    @property
    def roles(self) -> frozenset[str] | None:
        """The roles that people have, None where nobody is known."""
        return None if self.people is None else frozenset().union(*self.people.values())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, in the order of the file."""
        return _in_order(self._findings)

    @property
    def ignored(self) -> tuple[Finding, ...]:
        """What was found and is not to be said, in the order of the file."""
        return _in_order(self._ignored)

    @property
    def has_errors(self) -> bool:
        """Whether anything found makes the workflow unusable."""
        return any(finding.severity == "error" for finding in self._findings)

    def has_errors_below(self, path: Path) -> bool:
        """Whether an error stands inside of the value at a path."""
        return any(path == where[: len(path)] for where in self._error_paths)

    def has_findings_below(self, path: Path, codes: Collection[str]) -> bool:
        """Whether something with one of these codes was found inside of the value at a path."""
        return any(code in codes and path == where[: len(path)] for where, code in self._places)

    def value(self, path: Path, code: str, message: str, fix: str) -> None:
        """Add a finding about the value at a path."""
        self._add(path, self.document.node(path).place, code, message, fix)

    def key(self, path: Path, code: str, message: str, fix: str) -> None:
        """Add a finding about the key at the end of a path."""
        self._add(path, self.document.key_place(path), code, message, fix)

    def text(self, path: Path, offset: int, code: str, message: str, fix: str) -> None:
        """Add a finding about one character of the text at a path."""
        self._add(path, self.document.place_in(path, offset), code, message, fix)

    def comment(self, place: Place, code: str, message: str, fix: str) -> None:
        """Add a finding about a comment, which is no part of the document."""
        self._add((), place, code, message, fix)

    def ignore(self, finding: Finding) -> None:
        """Say nothing of what was found."""
        del self._findings[finding]
        self._ignored.append(finding)

    def _add(self, path: Path, place: Place, code: str, message: str, fix: str) -> None:
        severity = (CODES.get(code) or SCENARIO_CODES.get(code) or CASE_CODES[code]).severity
        finding = Finding(
            file=self.document.file,
            line=place.line,
            column=place.column,
            severity=severity,
            code=code,
            message=message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}…",
            fix=fix,
        )
        self._findings[finding] = None
        self._places.append((path, code))
        if severity == "error":
            self._error_paths.append(path)
            if len(self._error_paths) >= MAX_ERRORS:
                raise TooManyErrors


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda found: (found.line, found.column, found.code)))


def shown(value: Json) -> str:
    """A value for a message, quoted and cut to a readable length."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def listed(words: Iterable[str]) -> str:
    """`a, b, c`, or `none`; a long list is cut."""
    all_words = list(words)
    more = f", … ({len(all_words)} in all)" if len(all_words) > _MAX_LISTED else ""
    return (", ".join(all_words[:_MAX_LISTED]) or "none") + more


def suggestion(word: str, known: Sequence[str]) -> str:
    """What may have been meant and what there is: `did you mean 'x'? known: x, y`."""
    meant = _alike(word, known) or did_you_mean(word, known)
    allowed = f"allowed: {listed(known)}"
    return f"{meant} {allowed}" if meant else allowed


def _alike(word: str, known: Sequence[str]) -> str:
    """The known word that a word looks like, and by which letter it is another."""
    if word.isascii():
        return ""
    look = look_of(word)
    other = next((item for item in known if look_of(item) == look), None)
    return "" if other is None else f"did you mean {other!r}? {word!r} has {describe_strange(word)};"


def place_name(path: Path) -> str:
    """What a path leads to, in words: `state 'draft'`, `'timeout' of state 'draft'`, `'on.approve[0]' of …`."""
    if len(path) >= 2 and path[0] == "states":
        state = f"state {path[1]!r}"
        return f"{_dotted(path[2:])!r} of {state}" if len(path) > 2 else state
    return repr(_dotted(path)) if path else "the workflow"


def hinted(refusal: str, otherwise: str) -> tuple[str, str]:
    """What is wrong and what to do, of a refusal that says both, as the engine's do; *otherwise* where it says one."""
    message, _, hint = refusal.partition("; ")
    return message, hint or otherwise


def asker(path: Path) -> str:
    """Who asks, for the path of what is asked: a state, or the crash request of one."""
    return f"state {path[1]!r}" if len(path) == 2 else f"the crash request of state {path[1]!r}"


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
