"""Every error that a caller can meet, one shallow tree.

HoldpointError
 ├─ DefinitionError   a file that cannot be used; carries its findings
 ├─ UsageError        the command names several things, or nothing that can be meant
 ├─ NotFound          no such run, request, workflow, artifact
 ├─ Conflict          already decided, moved on, stale revision, key reused
 ├─ NotAllowed        the person may not do this
 ├─ Invalid           input, answers, option, output or a setting that does not meet its rule
 ├─ StoreError        the database cannot be read or written
 └─ RunFailed         raised by `Run.raise_for_failure` alone

The core knows no exit status; `cli.py` has the one table from class to status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Severity = Literal["error", "warning"]


class HoldpointError(Exception):
    """Something that a caller asked for was refused, and nothing was changed.

    `code` is a stable word for programs, `details` the facts behind the message (JSON values).
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.details: dict[str, Any] = dict(details or {})

    def to_dict(self) -> dict[str, Any]:
        """The error as `--json` prints it."""
        return {"code": self.code, "message": self.message, "details": self.details}


class UsageError(HoldpointError):
    """The command was put in a way that can mean several things, or nothing."""

    code = "usage"


class NotFound(HoldpointError):
    """There is no such thing."""

    code = "not_found"


class Conflict(HoldpointError):
    """Somebody or something else was first."""

    code = "conflict"


class NotAllowed(HoldpointError):
    """The person may not do this."""

    code = "not_allowed"


class Invalid(HoldpointError):
    """A value does not meet its rule."""

    code = "invalid"


class StoreError(HoldpointError):
    """The database cannot be read or written."""

    code = "store"


class RunFailed(HoldpointError):
    """The run came to rest as `failed`."""

    code = "run_failed"


REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        # conflicts
        "already_decided": "another decision was first, or the deadline",
        "void": "the request's run was cancelled or moved",
        "settled": "the request is no longer open",
        "no_open_request": "the run asks nobody now",
        "several_requests": "the run has several requests, and none was named",
        "elsewhere": "the run is in another state than was said",
        "stale_revision": "the artifact has a newer revision than the one that was looked at",
        "key_reused": "the key stands for something else",
        "ended": "the run has ended",
        "not_failed": "only a failed run is retried",
        "too_many_signals": "the run keeps as many signals as it may that no wait has taken",
        "busy": "others changed the run again and again meanwhile; try again",
        # invalid values
        "input": "the input does not meet the workflow's schema",
        "option": "the request does not offer the option",
        "comment": "the option needs a comment",
        "answers": "the answers do not meet the form, or the option has none",
        "artifact": "the option takes no edit, or nothing is under review",
        "base": "there is no such revision",
        "signal": "the workflow has no wait for the signal, or its data do not meet the schema",
        "state": "the workflow has no such state",
        "no_deadline": "the request has no deadline to be moved",
        "person": "nobody can be named so",
        "duration": "it is no duration, or goes on past the year 9999",
        "time": "it is no time",
        "text": "it is no text",
        "not_json": "it is not JSON",
        "too_large": "it is larger than it may be",
    }
)
"""Each code with which the engine refuses a command, and why; without one of these, the kind's own (`not_allowed`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found, at a place in a file.

    `line` and `column` count from 1. `fix` says what to do; it may be empty.
    """

    file: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        fix = f"; {self.fix}" if self.fix else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity} {self.code} {self.message}{fix}"

    def to_dict(self) -> dict[str, Any]:
        """The finding as `flow check --json` prints it."""
        return {name: getattr(self, name) for name in self.__slots__}


class DefinitionError(HoldpointError):
    """A file that cannot be used. `findings` holds everything that was found, warnings too.

    `of` says what was to be read: `the workflow`, `these scenarios`, `these cases`.
    """

    code = "definition"

    def __init__(self, findings: Sequence[Finding], of: str = "the workflow") -> None:
        self.findings = tuple(findings)
        self.of = of
        errors = [finding for finding in self.findings if finding.severity == "error"]
        super().__init__(
            "\n".join(str(finding) for finding in errors),
            details={"of": of, "findings": [finding.to_dict() for finding in self.findings]},
        )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the closest known word, or an empty text when none is close."""
    from difflib import get_close_matches  # not for those who make no mistake: it costs some milliseconds

    close = get_close_matches(word, [str(item) for item in known], n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def counted(count: int, noun: str) -> str:
    """So many of something: `1 run`, `3 runs`."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def with_article(noun: str) -> str:
    """The noun with its article: `a list`, `an object`."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
