"""The command `flow`: which commands there are, how errors are said, and the one table of exit statuses.

Each command lives in a module of `holdpoint.commands` that is imported when it is run. Nothing but click is imported
here, so that `flow --help` costs next to nothing.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from holdpoint.commands import Call, global_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SECTIONS = {
    "Begin": {
        "init": "Make a new project that is ready to run.",
        "check": "Check workflow files.",
        "test": "Play the scenarios of workflows.",
        "explore": "Walk every way of a workflow, and show what breaks.",
        "simulate": "Say how long requests will wait, and where it chokes.",
        "fmt": "Lay out workflow files: the order of keys, spaces, quotes; comments stay.",
        "graph": "Draw the state graph of a workflow or of a run.",
        "diff-workflow": "Say what changed between two definitions.",
        "what-if": "Play recorded runs by another definition, or with another decision.",
        "eval": "Play many cases and measure what becomes of them.",
        "schema": "Print the JSON Schema of workflow files.",
        "demo": "Watch a run wait, be decided and go on.",
    },
    "Run": {
        "start": "Start a run and advance it until it waits or ends.",
        "signal": "Send a run an event from outside.",
        "tick": "Apply what is due, take up what crashed or is ready.",
        "serve": "Do what tick does, as it falls due, until stopped.",
    },
    "Decide": {
        "inbox": "List open requests, most urgent first.",
        "decide": "Settle a request and advance its run.",
        "claim": "Say that you work on a request.",
        "release": "Say that nobody works on a request any more.",
        "assign": "Ask other people to decide a request.",
        "extend": "Give a request more time.",
    },
    "Look": {
        "runs": "List runs, newest first.",
        "show": "Show a run or a request.",
        "why": "Say why a run stands where it stands.",
        "history": "Show all that happened to a run.",
        "artifact": "Print a revision of an artifact.",
        "diff": "Show what changed between two revisions of an artifact.",
    },
    "Steer": {
        "retry": "Take a failed run up again.",
        "move": "Put a run into another state.",
        "cancel": "End a run.",
    },
    "Be sure": {
        "verify": "Prove that runs and their histories agree.",
        "db": "Check or upgrade the database.",
    },
}
"""The commands by what they are for, each with its help; its module in `holdpoint.commands` has `_` for `-`."""

COMMANDS = {name: text for section in SECTIONS.values() for name, text in section.items()}
"""All commands, in the order in which a newcomer meets them."""

EXIT_STATUSES = {
    "UsageError": 2,
    "NotFound": 3,
    "Conflict": 4,
    "NotAllowed": 5,
    "Invalid": 6,
    "DefinitionError": 6,
    "StoreError": 70,
}
"""The status by the name of an error's class: importing the classes would cost `flow --help`."""

FINDINGS = 1
USAGE = 2
RUN_FAILED = 7
INTERNAL = 70
INTERRUPTED = 128 + 2
BROKEN_PIPE = 128 + 13
_CANNOT_WRITE = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)


class Commands(click.Group):
    """The group `flow`, which imports a command's module when the command is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """All names, by what they are for."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name; its module is imported here."""
        if name not in COMMANDS:
            return None
        from importlib import import_module

        command: click.Command = import_module(f"holdpoint.commands.{name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with; for an unknown one the error suggests those that there are."""
        try:
            return super().resolve_command(context, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=context) from None

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands and global options that begin so, from the table, without loading any."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, context, incomplete)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, by what they are for, without loading any."""
        width = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", text) for name, text in commands.items()])


flow = Commands(
    name="flow",
    help="Run workflows that wait for people.",
    epilog="A first look: flow demo. Global options may stand before or after the command.",
    params=[
        *global_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            help="Print the version.",
            callback=lambda context, parameter, value: _print_version(context) if value else None,
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run `flow` with these arguments, by default the process's own, and exit."""
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: Sequence[str]) -> int:
    """Run `flow` with these arguments; everything is said on standard output and error. The exit status."""
    call = Call()
    _prepare_streams()
    try:
        status = flow.main(args, prog_name="flow", standalone_mode=False, obj=call)
        sys.stdout.flush()
    except BrokenPipeError:
        return _quiet()
    except SystemExit:  # click exits in this mode for shell completion, and where the reader of its own output is gone
        if "_FLOW_COMPLETE" in os.environ:
            raise
        return _quiet()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        # It may come before --json is read, and then the arguments are all there is to look at.
        return _refuse(error, is_json=call.is_json or "--json" in args)
    except Exception as error:  # the last line of defence: a report, no bare traceback (spec 4, status 70)
        return _refuse(error, is_json=call.is_json)
    return status if isinstance(status, int) else 0


def _prepare_streams() -> None:
    """Open what the caller has closed, lest a database or a pipe takes its number; what a terminal's encoding lacks is
    shown escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it stays open as long as the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _print_version(context: click.Context) -> None:
    from holdpoint import __version__

    click.echo(f"flow {__version__}")
    context.exit()


def _refuse(error: Exception, *, is_json: bool) -> int:
    """Say an error on standard error, or as JSON on standard output; the exit status."""
    from holdpoint.commands.output import print_error

    try:
        status, said = _told(error)
        print_error(said, is_json=is_json)
        sys.stdout.flush()
    except BrokenPipeError:
        return _quiet()
    except OSError:  # a disk that is full: standard error is what is left
        _quiet()
        print_error(said, is_json=False)
    return status


def _told(error: Exception) -> tuple[int, dict[str, Any]]:
    """The exit status of an error, and what is said of it."""
    from holdpoint.engine.errors import HoldpointError

    if isinstance(error, click.Abort):
        message = "interrupted; what was committed stays, and flow tick goes on from there"
        return INTERRUPTED, {"code": "interrupted", "message": message, "details": {}}
    if isinstance(error, click.ClickException):
        return USAGE, _told_usage(error)
    if isinstance(error, HoldpointError):
        names = [kind.__name__ for kind in type(error).__mro__]
        status = next((EXIT_STATUSES[name] for name in names if name in EXIT_STATUSES), INTERNAL)
        if os.environ.get("FLOW_DEBUG") and status == INTERNAL:
            _print_traceback(error)
        return status, error.to_dict()
    if isinstance(error, OSError) and error.errno in _CANNOT_WRITE and error.filename is None:
        message = f"standard output cannot be written: {error.strerror}; what was committed stays"
        return INTERNAL, {"code": "output", "message": message, "details": {}}
    return INTERNAL, _report(error)


def _told_usage(error: click.ClickException) -> dict[str, Any]:
    """Click's words in our style: lower case, no full stop, and where to look."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "flow"
    sentences = [*re.split(r"(?:\.|(?<=\?))\s+", error.format_message().strip().rstrip(".")), f"see {path} --help"]
    message = "; ".join(f"{sentence[:1].lower()}{sentence[1:]}" for sentence in sentences).replace("?;", "?")
    return {"code": "usage", "message": message, "details": {"command": path}}


def _report(error: Exception) -> dict[str, Any]:
    """What is said of an error that is a bug of ours; its traceback goes into a file."""
    import tempfile
    import traceback

    if os.environ.get("FLOW_DEBUG"):
        _print_traceback(error)
    message = f"internal error: {type(error).__name__}: {error}"
    details: dict[str, Any] = {"type": type(error).__name__}
    try:
        with tempfile.NamedTemporaryFile("w", prefix="flow-", suffix=".txt", delete=False, errors="replace") as file:
            traceback.print_exception(error, file=file)
        details["traceback"] = file.name
        message += f"; the traceback is in {file.name}: please report it"
    except OSError:
        last = traceback.extract_tb(error.__traceback__)[-1]
        message += f" at {last.filename}:{last.lineno}; FLOW_DEBUG=1 shows the traceback"
    return {"code": "internal", "message": message, "details": details}


def _print_traceback(error: Exception) -> None:
    import traceback

    traceback.print_exception(error)


def _quiet() -> int:
    """Whoever read our output has gone; Python would complain of it once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


if __name__ == "__main__":
    main()
