"""`flow diff`: what changed between two revisions of an artifact."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import click

from holdpoint import Artifact, Engine
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import run_ids
from holdpoint.commands.output import Part, has_colour, print_json, say, show_json, show_time
from holdpoint.engine.canonical import Json
from holdpoint.engine.diff import Change, Hunk, Path, Piece, diff
from holdpoint.engine.errors import NotFound

_STYLES = {"removed": "red strike", "added": "green underline", "changed": "yellow"}
_MARKS = {"removed": ("[-", "-]"), "added": ("{+", "+}")}
_SIGNS = {"removed": "-", "added": "+", "changed": "~"}
_PLAIN_KEY = re.compile(r"\w+")


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=run_ids())
@click.argument("name", metavar="ARTIFACT")
@click.argument("old", metavar="[N", type=int, required=False)
@click.argument("new", metavar="[M]]", type=int, required=False)
@pass_call
def command(call: Call, run: str, name: str, old: int | None, new: int | None) -> int:
    """Show what changed in an artifact from revision N to M, by default from the last but one to the latest.

    Texts are shown as a redline, [-so-]{+thus+} where there is no colour; JSON path by path. With N alone, M is the
    latest.
    """
    with call.engine() as engine:
        before, after = _revisions(engine, run, name, old, new)
    changes = diff(before.content, after.content)
    if call.is_json:
        print_json(
            {
                "artifact": name,
                "old": _without_content(before),
                "new": _without_content(after),
                "changes": [change.to_dict() for change in changes],
            }
        )
        return 0
    say(("--- ", "bold"), (_title(before), "bold"))
    say(("+++ ", "bold"), (_title(after), "bold"))
    print_changes(changes)
    return 0


def print_changes(changes: Sequence[Change]) -> None:
    """Say what changed, as a redline for texts and path by path for JSON."""
    if not changes:
        say("they are the same")
    for change in changes:
        _print(change)


def _revisions(engine: Engine, run: str, name: str, old: int | None, new: int | None) -> tuple[Artifact, Artifact]:
    after = engine.artifact(run, name, new)
    if old is not None:
        return engine.artifact(run, name, old), after
    if after.revision == 1:
        raise NotFound(f"artifact {name!r} of run {run} has only revision 1; there is none to compare it with")
    return engine.artifact(run, name, after.revision - 1), after


def _without_content(artifact: Artifact) -> Json:
    members = artifact.to_dict()
    del members["content"]
    return members


def _title(artifact: Artifact) -> str:
    return (
        f"{artifact.name}, revision {artifact.revision} by {artifact.author} ({artifact.author_kind}), "
        f"{show_time(artifact.at)}"
    )


def _print(change: Change) -> None:
    if change.hunks and not change.path:
        _print_hunks(change.hunks, "")
        return
    said: list[Part] = [(f"{_SIGNS[change.kind]} {_path(change.path)}", _STYLES[change.kind].split()[0])]
    if change.hunks:
        say(*said)
        _print_hunks(change.hunks, "    ")
        return
    old, new = _quoted(change.old), _quoted(change.new)
    values = {"removed": old, "added": new, "changed": f"{old} → {new}"}
    say(*said, f": {values[change.kind]}")


def _path(path: Path) -> str:
    """`rows[2].name`; a key that is no plain word is quoted; the value itself is `(all)`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text or "(all)"


def _quoted(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else show_json(value)


def _print_hunks(hunks: Sequence[Hunk], indent: str) -> None:
    is_plain = not has_colour()
    for hunk in hunks:
        if hunk.old_line > 1 or len(hunks) > 1:
            say(indent, (f"@@ line {hunk.old_line}, now {hunk.new_line} @@", "cyan"))
        for line in _lines(hunk.pieces):
            say(indent, *(_part(piece, is_plain) for piece in line))


def _lines(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The pieces as lines. A line break that changed is one of what changed, and shown where nothing else would be."""
    line: list[Piece] = []
    for piece in pieces:
        *ended, rest = piece.text.split("\n")
        for text in ended:
            if text or piece.kind != "same":
                line.append(Piece(piece.kind, text or "⏎"))
            yield line
            line = []
        if rest:
            line.append(Piece(piece.kind, rest))
    if line:
        yield line


def _part(piece: Piece, is_plain: bool) -> Part:
    if piece.kind == "same":
        return piece.text
    if is_plain:
        opening, closing = _MARKS[piece.kind]
        return f"{opening}{piece.text}{closing}"
    return piece.text, _STYLES[piece.kind]
