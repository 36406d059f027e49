"""How a run and a request look to people, with the commands that go on from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from shlex import quote

from holdpoint import Request, Run
from holdpoint.cli import RUN_FAILED
from holdpoint.commands import Call
from holdpoint.commands.forms import print_form
from holdpoint.commands.output import (
    STATUS_STYLES,
    Part,
    print_json,
    say,
    say_all,
    say_prose,
    shorten,
    show_distance,
    show_json,
    show_time,
)
from holdpoint.commands.values import required
from holdpoint.engine.canonical import Json
from holdpoint.engine.why import KEEPS_ITS_DEFINITION, is_by_definition, last_words, say_attempt, standing
from holdpoint.settings import OPERATOR


def finish(call: Call, run: Run) -> int:
    """Print the run that a command moved; the exit status."""
    if call.is_json:
        print_json(run.to_dict())
    else:
        print_outcome(call, run)
    return RUN_FAILED if run.status == "failed" else 0


def finish_request(call: Call, request: Request, now: str) -> int:
    """Print the request that a command changed: all of it as JSON, else what it is *now*; the exit status."""
    if call.is_json:
        print_json(request.to_dict())
    else:
        say(f"{request.id} in {request.state} of {request.workflow} {now}")
    return 0


def print_outcome(call: Call, run: Run) -> None:
    """Where a run stands now, and what to do next."""
    if run.replayed:
        say("this had been decided before; nothing changed")
    say(*headline(run))
    for request in run.requests:
        say_prose(f"{request.id}: {shorten(request.message, 100)}" if request.message else request.id, "  ")
        print_ways(call, request, "    ")
    if run.attempt is not None:
        _print_attempt(run.attempt)
        if run.attempt["error"] is not None:
            say(f"  {call.prefix} show {run.id}")
    elif run.status == "waiting" and not run.requests:
        say(f"  {call.prefix} why {run.id}")
    if run.status == "running" and (run.attempt is None or run.attempt["stage"] != "working"):
        say(f"  {call.prefix} tick")
    if run.error is not None:
        say_prose(f"{run.error['code']}: {run.error['message']}", "  ")
        _print_ways_on(call, run, run.error)
    if run.output is not None:
        say_all(show_json(run.output), "  ")


def headline(run: Run) -> list[Part]:
    """`run_… of expense-approval waits in manager`."""
    where = f" in {run.state}" if run.state else ""
    word = standing(run.status, run.attempt)
    words = {
        "waiting": f" waits{where}",
        "done": f" is done{where}: {run.outcome}",
        "failed": f" failed{where}",
        "cancelled": f" was cancelled{where}",
    }
    return [f"{run.id} of {run.workflow}", (words.get(word, f" is {word}{where}"), STATUS_STYLES[run.status])]


def stage(attempt: Mapping[str, Json] | None) -> str:
    """What keeps an attempt of an agent, in a word or two for a table."""
    if attempt is None or attempt["stage"] in ("working", "ready"):
        return ""
    if attempt["stage"] == "lost":
        return "process gone"
    return f"retry {show_distance(datetime.fromisoformat(attempt['due_at']))}"


def _print_attempt(attempt: Mapping[str, Json]) -> None:
    """What became of the attempt before, where it failed, and when the next follows."""
    error = attempt["error"]
    if error is not None:
        say_prose(f"attempt {error['attempt']} failed: {error['code']}: {error['message']}", "  ")
    say_prose(say_attempt(attempt, show_time), "  ")


def _print_ways_on(call: Call, run: Run, error: Mapping[str, Json]) -> None:
    """The command that takes a failed run up again, for those who may give it."""
    if call.settings.may_steer(call.who):
        say(f"  {call.prefix} retry {run.id}")
    else:
        say(f"  role:{OPERATOR} may retry, move or cancel it")
    if is_by_definition(error):
        say_prose(f"{KEEPS_ITS_DEFINITION[0].lower()}{KEEPS_ITS_DEFINITION[1:]}", "  ")


def print_ways(call: Call, request: Request, indent: str) -> None:
    """The commands that settle a request, who may give them, and what happens without."""
    for option in request.options:
        say(f"{indent}{way(call, request, option)}")
    not_for = "; not for " if isinstance(request.assign, Mapping) else ", but not "
    but = not_for + ", ".join(request.exclude) if request.exclude else ""
    say(f"{indent}for {who_may(request.assign)}{but}")
    if request.due_at is not None:
        say(f"{indent}{_at_the_deadline(request)}")
    elif request.kind == "crash":
        say(f"{indent}without a deadline: it waits until somebody decides")


def way(call: Call, request: Request, option: str) -> str:
    """The command that chooses an option."""
    people = request.assign.get(option) if isinstance(request.assign, Mapping) else request.assign
    is_mine = call.is_one_of(people) and not (request.exclude and call.is_one_of(request.exclude))
    words = [call.prefix if is_mine else call.prefix_of_all, "decide", request.id, quote(option)]
    if option in request.needs_comment:
        words.append("--comment TEXT")
    form = form_of(request, option)
    keys = required(form, form)
    words += [f"-a {quote(str(key))}=…" for key in keys]
    if request.kind == "crash" and option == "done" and not keys:
        words.append("--answers FILE")
    return " ".join(words)


def form_of(request: Request, option: str) -> Json:
    """The schema of the answers that an option takes; None where it takes none."""
    return (request.forms or {}).get(option, request.form)


def who_may(assign: Json) -> str:
    """`role:manager, alice`; by option where it differs; `anyone`."""
    if isinstance(assign, Mapping):
        return "; ".join(f"{option}: {who_may(people)}" for option, people in assign.items())
    return ", ".join(assign) if assign else "anyone"


def print_run(call: Call, run: Run, overdue: Request | None = None) -> None:
    """Everything about a run, with the request that its deadline has settled and that nobody has written yet."""
    say(*headline(run))
    _facts(
        {
            "definition": run.definition,
            "initiator": run.initiator,
            "started": _time(run.started_at),
            "updated": _time(run.updated_at),
            "ended": _time(run.ended_at),
            "visits": ", ".join(f"{state} {count}" for state, count in run.visits.items()) or None,
        }
    )
    if run.error is not None:
        say(("  error", "dim"))
        say_prose(f"{run.error['code']}: {run.error['message']}", "    ")
        _print_last_words(run.error)
    if run.attempt is not None:
        _print_attempt(run.attempt)
        _print_last_words(run.attempt["error"])
    _block("input", show_json(run.input))
    for state, result in run.results.items():
        _block(f"result of {state}", show_json(result))
    for name, artifact in run.artifacts.items():
        _block(f"artifact {name}, {_revision(artifact)}", show_json(artifact["content"]))
    if run.output is not None:
        _block("output", show_json(run.output))
    if overdue is not None and overdue.decision is not None:
        say((overdue.id, "bold"), f" ({overdue.kind}) is settled; the next tick writes it")
        _block("decision", "\n".join(_decision(overdue.decision)))
    for request in run.requests:
        say("waits for ", (request.id, "bold"), f" ({request.kind})")
        say_prose(request.message, "  ")
        print_ways(call, request, "  ")
    if run.error is not None:
        _print_ways_on(call, run, run.error)


def _print_last_words(error: Mapping[str, Json] | None) -> None:
    for title, text in last_words(error or {}):
        _block(title, text)


def print_request(call: Call, request: Request) -> None:
    """Everything about a request."""
    style = "yellow" if request.status == "open" else "green"
    say((request.id, "bold"), f" of {request.workflow}: {request.kind} in {request.state} is ", (request.status, style))
    _facts(
        {
            "run": request.run,
            "opened": _time(request.opened_at),
            "due": _time(request.due_at),
            "options": ", ".join(request.options),
            "for": who_may(request.assign),
            "not for": ", ".join(request.exclude) or None,
            "claimed by": request.claimed_by,
            "priority": None if request.priority == "normal" else request.priority,
        }
    )
    say(("  message", "dim"))
    say_prose(request.message, "    ")
    for shown in request.show:
        if "value" in shown:
            _block(str(shown["name"]), show_json(shown["value"]))
        elif shown["revision"] is None:
            _block(f"artifact {shown['name']}", "(not there yet)")
        else:
            _block(f"artifact {shown['name']}, revision {shown['revision']}", show_json(shown.get("content")))
    if request.form is not None:
        print_form("form", request.form, request.id)
    for option, form in (request.forms or {}).items():
        print_form(f"form of {option}", form, request.id)
    if request.attempt is not None:
        _block("attempt", show_json(dict(request.attempt)))
    if request.decision is not None:
        _block("decision", "\n".join(_decision(request.decision)))
    if request.status == "open":
        say("decide with")
        print_ways(call, request, "  ")


def _at_the_deadline(request: Request) -> str:
    at = "" if request.due_at is None else show_time(request.due_at)
    if request.default is None:
        return f"if nobody does, the run goes on by its timeout at {at}"
    return f"if nobody does, {request.default['decision']} applies at {at}"


def _decision(decision: Mapping[str, Json]) -> Iterator[str]:
    by = decision["by"] if decision["by"] is not None else "its deadline"
    yield f"{decision['decision']} by {by} at {show_time(str(decision['at']))}"
    if decision.get("comment"):
        yield str(decision["comment"])
    if decision.get("answers") is not None:
        yield show_json(decision["answers"])


def _time(at: datetime | None) -> str | None:
    return None if at is None else f"{show_time(at)} ({show_distance(at)})"


def _revision(artifact: Mapping[str, Json]) -> str:
    return f"revision {artifact['revision']} by {artifact['author']} ({artifact['author_kind']})"


def _facts(facts: Mapping[str, object]) -> None:
    for name, value in facts.items():
        if value is not None:
            say((f"  {name:<12}", "dim"), str(value))


def _block(title: str, text: str) -> None:
    say((f"  {title}", "dim"))
    say_all(text, "    ")
