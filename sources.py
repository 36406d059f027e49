"""The workflow files of a project: found by name, read, checked. Importing this loads nothing that runs them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from holdpoint.engine.errors import Conflict, Finding, NotFound, UsageError, did_you_mean

if TYPE_CHECKING:
    from holdpoint.engine.canonical import Json
    from holdpoint.schema import Checked as Checked
    from holdpoint.settings import Settings

_NAMED = re.compile(r"""^\{?\s*["']?workflow["']?\s*:\s*["']?([A-Za-z0-9_.-]+)""", re.MULTILINE)


def check(path: str | Path, people: Mapping[str, Collection[str]] | None = None) -> tuple[Finding, ...]:
    """Everything that is found in a file, errors and warnings, in its order.

    *people* are those who are known, with their roles: a role that nobody has is a warning. None says nothing of them.
    """
    from holdpoint.schema import check_text

    return check_text(read_bytes(Path(path)), str(path), people)[1]


def check_files(paths: Sequence[Path], project: Settings) -> tuple[Checked, ...]:
    """What is found in each of some files: as `check`, with what comments silence and what is proved."""
    from holdpoint.schema import check

    return tuple(check(read_bytes(path), str(path), project.known_people) for path in paths)


def sarif(checked: Mapping[Path, Checked]) -> Json:
    """What was found in some files as a log in SARIF 2.1.0, for tools that show it in code review."""
    from holdpoint import __version__
    from holdpoint.schema.sarif import sarif_log

    return sarif_log({path: (read_bytes(path), one) for path, one in checked.items()}, __version__)


def formatted(
    data: bytes, file: str, people: Mapping[str, Collection[str]] | None = None
) -> tuple[bytes | None, tuple[Finding, ...]]:
    """A workflow file in canonical layout, and what was found in it; None where there are errors.

    Raises `Invalid`, code `format`, where the layout would change what the file says.
    """
    from holdpoint.schema import format_text

    text, findings = format_text(data, file, people)
    return None if text is None else text.encode(), findings


def write(path: Path, old: bytes, new: bytes) -> None:
    """Put a file's new content in the place of the old, whole or not at all; its mode stays, and so does a link to it.

    Raises `Conflict`, code `changed`, where the file is no longer what was read, and `UsageError` where it cannot be
    written.
    """
    real = path.resolve()
    try:
        descriptor, name = mkstemp(dir=real.parent, prefix=f".{real.name}.")
        try:
            with open(descriptor, "wb") as file:
                file.write(new)
                file.flush()
                os.fsync(descriptor)
            os.chmod(name, stat.S_IMODE(real.stat().st_mode))
            if real.read_bytes() != old:
                raise Conflict(f"file {str(path)!r} was changed meanwhile, so it was left; try again", code="changed")
            os.replace(name, real)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(f"file {str(path)!r} cannot be written: {error.strerror}") from None


def schema_text() -> str:
    """The JSON Schema of the language."""
    from holdpoint.schema import schema_text as text

    return text()


def read_yaml(data: bytes, file: str) -> Json:
    """The value of a YAML text, read strictly: no tags, dates or duplicate keys. Raises `Invalid`."""
    from holdpoint.schema import read_value

    return read_value(data, file)


def locate(name: str, project: Settings) -> Path:
    """The file that a FILE or NAME means: what contains `/` or ends in .yaml or .yml is a FILE."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    named = {path: _NAMED.findall(_text(path)) for path in workflow_files(project)}
    found = [path for path, names in named.items() if name in names[:1]]
    if len(found) > 1:
        raise UsageError(
            f"workflow {name!r} is in several files: {', '.join(str(path) for path in found)}; name the file",
            code="ambiguous",
            details={"files": [str(path) for path in found]},
        )
    if not found:
        hint = did_you_mean(name, [names[0] for names in named.values() if names])
        where = ", ".join(project.workflows)
        raise NotFound(
            f"there is no workflow {name!r} under {where} of {project.project}" + (f"; {hint}" if hint else "")
        )
    return found[0]


def workflow_files(project: Settings) -> list[Path]:
    """The workflow files of a project, subfolders too, scenarios left out."""
    found: list[Path] = []
    for folder in project.workflows:
        root = project.project / folder
        found += [
            path
            for path in sorted([*root.rglob("*.yaml"), *root.rglob("*.yml")])
            if not path.name.endswith((".scenarios.yaml", ".scenarios.yml"))
        ]
    return found


def read_bytes(path: Path) -> bytes:
    """What is in a file. Raises `NotFound` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"file {str(path)!r} cannot be read: {error.strerror}", details={"file": str(path)}) from None


def _text(path: Path) -> str:
    return read_bytes(path).decode(errors="replace")
