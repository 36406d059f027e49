"""The workflow files of a project: found by name, read, checked. Importing this loads nothing that runs them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from holdpoint.engine.errors import Conflict, Finding, NotFound, UsageError, did_you_mean

if TYPE_CHECKING:
    from holdpoint.engine.canonical import Json
    from holdpoint.schema import Checked as Checked
    from holdpoint.settings import Settings

SCENARIOS = (".scenarios.yaml", ".scenarios.yml")
"""How the names of scenario files end; they are no workflows."""

CASES = (".cases.yaml", ".cases.yml")
"""How the names of files of cases end that stand among workflows; they are none either."""

_NAMED = re.compile(r"""^\{?\s*["']?workflow["']?\s*:\s*["']?([A-Za-z0-9_.-]+)""", re.MULTILINE)


def check(path: str | Path, people: Mapping[str, Collection[str]] | None = None) -> tuple[Finding, ...]:
    """Everything that is found in a file, errors and warnings, in its order.

    *people* are those who are known, with their roles: a role that nobody has is a warning. None says nothing of them.
    """
    from holdpoint.schema import check_text

    return check_text(read_bytes(Path(path)), str(path), people)[1]


def check_files(paths: Sequence[Path], project: Settings) -> tuple[Checked, ...]:
    """What is found in each of some files: as `check`, with what comments silence and what is proved.

    Of a project's files, that no name stands for two of them.
    """
    from holdpoint.schema import check

    names = _names(project)
    found = []
    for path in paths:
        taken = _taken(names, path.resolve(), project.project)
        found.append(check(read_bytes(path), str(path), project.known_people, taken))
    return tuple(found)


def _taken(names: Mapping[Path, str], path: Path, root: Path) -> dict[str, str]:
    """The names that files of the project before this one have, each with the first; none for a file of no project."""
    taken: dict[str, str] = {}
    for other, name in names.items():
        if other.resolve() == path:
            return taken
        taken.setdefault(name, str(other.relative_to(root) if other.is_relative_to(root) else other))
    return {}


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
    from holdpoint.schema.formatting import format_text

    text, findings = format_text(data, file, people)
    return None if text is None else text.encode(), findings


def write(path: Path, old: bytes, new: bytes) -> None:
    """Put a file's new content in the place of the old, whole or not at all; its mode stays, and so does a link to it.

    Raises `Conflict`, code `changed`, where the file is no longer what was read, and `UsageError` where it cannot be
    written.
    """
    from tempfile import mkstemp  # not for those who only check

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
        except BaseException:  # whatever stops it, half a file is not left beside the old one
            os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(f"file {str(path)!r} cannot be written: {error.strerror}") from None


def schema_text() -> str:
    """The JSON Schema of the language."""
    from holdpoint.schema import schema_text as text

    return text()


def scenarios_schema_text() -> str:
    """The JSON Schema of scenario files."""
    from holdpoint.scenarios.reading import schema_text as text

    return text()


def read_yaml(data: bytes, file: str) -> Json:
    """The value of a YAML text, read strictly: no tags, dates or duplicate keys. Raises `Invalid`."""
    from holdpoint.schema import read_value

    return read_value(data, file)


def locate(name: str, project: Settings) -> Path:
    """The file that a FILE or NAME means: what contains `/` or ends in .yaml or .yml is a FILE."""
    if name.endswith(SCENARIOS):
        raise UsageError(f"{name!r} is a file of scenarios, and no workflow; flow test checks and plays it")
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    named = _names(project)
    found = [path for path, own in named.items() if own == name]
    if len(found) > 1:
        raise UsageError(
            f"workflow {name!r} is in several files: {', '.join(str(path) for path in found)}; name the file",
            code="ambiguous",
            details={"files": [str(path) for path in found]},
        )
    if not found:
        hint = did_you_mean(name, named.values())
        where = ", ".join(project.workflows)
        raise NotFound(
            f"there is no workflow {name!r} under {where} of {project.project}" + (f"; {hint}" if hint else "")
        )
    return found[0]


def workflow_files(project: Settings) -> list[Path]:
    """The workflow files of a project."""
    return [path for folder in project.workflows for path in files_below(project.project / folder)]


def files_below(folder: Path) -> list[Path]:
    """The workflow files below a folder, subfolders too, what stands beside workflows left out."""
    return [
        path
        for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])
        if not path.name.endswith((*SCENARIOS, *CASES))
    ]


def workflow_names(project: Settings) -> tuple[str, ...]:
    """The names of the project's workflows, as its files say them."""
    return tuple(_names(project).values())


def _names(project: Settings) -> dict[Path, str]:
    """The project's files with the name that each gives its workflow, without reading more of it than that line."""
    named = {path: _NAMED.findall(_text(path)) for path in workflow_files(project)}
    return {path: names[0] for path, names in named.items() if names}


def read_bytes(path: Path) -> bytes:
    """What is in a file. Raises `NotFound` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"file {str(path)!r} cannot be read: {error.strerror}", details={"file": str(path)}) from None


def _text(path: Path) -> str:
    return read_bytes(path).decode(errors="replace")
