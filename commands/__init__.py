"""The commands of `flow`, one a module, loaded when it is run. Here is what they share: the global options.

`flow --help` loads this module, so it imports click alone; all else is imported where it is used.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from holdpoint import Engine
    from holdpoint.settings import Settings


class Call:
    """What the global options of one call of `flow` say, and what follows from them."""

    __slots__ = ("db", "folder", "is_json", "person")

    def __init__(self) -> None:
        self.db: str | None = None
        self.person: str | None = None
        self.folder: str | None = None
        self.is_json = False

    @property
    def project(self) -> Path:
        """The folder of the project: the one that was named, or the nearest one upwards with a `flow.toml`."""
        from pathlib import Path

        from holdpoint.settings import find_project

        return Path(self.folder).resolve() if self.folder is not None else find_project(Path.cwd())

    @property
    def settings(self) -> Settings:
        """What the project's `flow.toml` says."""
        from holdpoint import settings

        return settings.load(self.project)

    @property
    def url(self) -> str:
        """The database that is meant: `--db`, `FLOW_DB`, or what the project says."""
        return self.db or os.environ.get("FLOW_DB") or self.settings.database

    @property
    def missing_database(self) -> Path | None:
        """The file of the SQLite database that is meant, where there is none; else None."""
        return _missing_file(self.url, self.project)

    @property
    def who(self) -> str:
        """Who calls: `--as`, `FLOW_USER`, or the system's user."""
        if self.person is not None:
            return self.person
        return os.environ.get("FLOW_USER") or _system_user()

    @property
    def prefix(self) -> str:
        """`flow` with the options that lead the next command to the same place, as the same person."""
        from shlex import join

        return self.prefix_of_all if self.person is None else f"{self.prefix_of_all} {join(['--as', self.person])}"

    @property
    def prefix_of_all(self) -> str:
        """`flow` with the options that lead anybody to the same place."""
        from shlex import join

        words = ["flow"]
        words += [] if self.folder is None else ["--project", self.folder]
        words += [] if self.db is None else ["--db", self.db]
        return join(words)

    def is_one_of(self, people: Sequence[str] | None) -> bool:
        """Whether who calls is named among these people and roles; nobody named means anyone."""
        if not people or self.who in people:
            return True
        return any(f"role:{role}" in people for role in self.settings.roles.get(self.who, ()))

    def advances(self, is_advancing: bool | None) -> bool:
        """Whether this command runs the agents that follow: as it says, else as `flow.toml` says."""
        return self.settings.advance if is_advancing is None else is_advancing

    def locate(self, name: str) -> Path:
        """The workflow file that a FILE or NAME means."""
        from holdpoint import sources

        return short_path(sources.locate(name, self.settings))

    def quietly(self) -> AbstractContextManager[object]:
        """While agents run: what they print goes to standard error, so that ours holds our answer and nothing else."""
        from contextlib import redirect_stdout

        return redirect_stdout(sys.stderr)

    def engine(self, *, is_new: bool = False) -> Engine:
        """The engine on the database that is meant.

        A SQLite database that is not there yet is made where *is_new*; else an empty one in memory stands for it, and
        a warning says so: looking for a run in the wrong folder leaves nothing behind.
        """
        from holdpoint import Engine

        url = self.url
        missing = None if is_new else _missing_file(url, self.project)
        if missing is None:
            return Engine(url, project=self.project)
        from holdpoint.commands.output import warn

        warn(f"there is no database {str(missing)!r} yet; flow start makes it")
        return Engine("sqlite:///:memory:", project=self.project)

    def engine_for_files(self) -> Engine:
        """An engine that needs no database, for commands that only read workflow files."""
        from holdpoint import Engine

        return Engine("sqlite:///:memory:", project=self.project)


class Command(click.Command):
    """A command that takes the global options too, where users of other tools write them: `flow runs --json`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params += global_options(is_hidden=True)
        self.epilog = self.epilog or "--db, --as, --json and --project may stand here too: flow --help."


def global_options(*, is_hidden: bool = False) -> list[click.Parameter]:
    """The options that every command has; what they say is kept in the `Call` of the context."""
    return [
        click.Option(
            ["--db"],
            metavar="URL",
            help="The database [env: FLOW_DB; default: flow.toml, else sqlite:///flow.db].",
            **_shared(is_hidden),
        ),
        click.Option(
            ["--as", "person"],
            metavar="NAME",
            help="Who you are [env: FLOW_USER; default: the system's user].",
            **_shared(is_hidden),
        ),
        click.Option(
            ["--json", "is_json"],
            is_flag=True,
            is_eager=True,
            help="Print one JSON document, errors too.",
            **_shared(is_hidden),
        ),
        click.Option(
            ["--project", "folder"],
            type=click.Path(exists=True, file_okay=False),
            metavar="DIR",
            help="The project's folder [default: the nearest one upwards with a flow.toml].",
            **_shared(is_hidden),
        ),
    ]


def short_path(path: Path) -> Path:
    """The path as one would type it here, for messages."""
    relative = os.path.relpath(path) if path.is_absolute() else str(path)
    return path if relative.startswith(os.pardir) else type(path)(relative)


def _shared(is_hidden: bool) -> dict[str, Any]:
    return {"hidden": is_hidden, "expose_value": False, "callback": _note}


def _note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value not in (None, False):
        setattr(context.ensure_object(Call), str(parameter.name), value)


def _system_user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run under a number that has no name
        return f"uid-{os.getuid()}"


def _missing_file(url: str, project: Path) -> Path | None:
    """The file of a SQLite database that does not exist; None where there is one, or the URL is no file's."""
    prefix = "sqlite:///"
    name = url.removeprefix(prefix).partition("?")[0]
    if not url.startswith(prefix) or not name or name == ":memory:":
        return None
    path = project / name
    return None if path.exists() else path


pass_call = click.make_pass_decorator(Call, ensure=True)

advance_option = click.option(
    "--advance/--no-advance", "is_advancing", default=None, help="Run agents here, or leave that to a tick."
)
