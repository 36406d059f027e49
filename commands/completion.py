"""What a shell may complete: ids of runs and requests, names of workflows, options of a request.

It is a service at the prompt: quick, and silent about whatever goes wrong.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr
from typing import TypeAlias

import click
from click.shell_completion import CompletionItem

from holdpoint.commands import Call

MANY = 200
"""So many of the newest runs, and of the most urgent requests, are offered."""

Found: TypeAlias = Iterable[tuple[str, str]]
"""What may be completed to, each with a word about it."""
Complete: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def run_ids(*statuses: str) -> Complete:
    """Completes the ids of runs, of these statuses alone where any are named."""
    return _completed(lambda call, context: _runs(call, statuses))


def workflows(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes the names of the project's workflows, else files."""
    return _names(context, parameter, incomplete) or [CompletionItem(incomplete, type="file")]


def graph_sources(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes the ids of runs after `run_`, else names of workflows and files."""
    return (run_ids() if incomplete.startswith("run_") else workflows)(context, parameter, incomplete)


def words(known: Iterable[str]) -> Complete:
    """Completes these words."""
    return _completed(lambda call, context: ((word, "") for word in known))


def _completed(find: Callable[[Call, click.Context], Found]) -> Complete:
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        call = context.find_object(Call) or Call()
        try:
            with redirect_stderr(io.StringIO()):
                found = list(find(call, context))
        except Exception:  # at the prompt an error would be in the way, and the command itself will say it
            return []
        return [CompletionItem(word, help=about) for word, about in found if word.startswith(incomplete)]

    return complete


def _runs(call: Call, statuses: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    from holdpoint.engine.why import standing

    with call.engine() as engine:
        for run in engine.runs(status=statuses, limit=MANY).items:
            yield (
                run.id,
                f"{run.workflow}, {standing(run.status, run.attempt)}" + (f" in {run.state}" if run.state else ""),
            )


def _requests(call: Call) -> Iterator[tuple[str, str]]:
    from holdpoint.commands.output import escape, shorten

    with call.engine() as engine:
        for request in engine.inbox(limit=MANY).items:
            yield request.id, escape(shorten(f"{request.workflow}, {request.state}: {request.message}"))


def _both(call: Call) -> Iterator[tuple[str, str]]:
    yield from _requests(call)
    yield from _runs(call)


def _workflows(call: Call) -> Iterator[tuple[str, str]]:
    from holdpoint import sources
    from holdpoint.commands.output import escape, shorten

    for path in sources.workflow_files(call.settings):
        document = sources.read_yaml(path.read_bytes(), str(path))
        yield document["workflow"], escape(shorten(str(document.get("title", ""))))


def _options(call: Call, context: click.Context) -> Iterator[tuple[str, str]]:
    target = str(context.params.get("target", ""))
    with call.engine() as engine:
        requests = [engine.get_request(target)] if target.startswith("req_") else engine.get_run(target).requests
        for request in requests:
            for option in request.options:
                yield option, request.state


request_ids = _completed(lambda call, context: _requests(call))
"""Completes the ids of open requests."""

any_ids = _completed(lambda call, context: _both(call))
"""Completes the ids of open requests and of runs."""

request_options = _completed(_options)
"""Completes the options of the request that was named before."""

_names = _completed(lambda call, context: _workflows(call))
