"""Writes the reference from what it is about: the language from its JSON Schema, the commands from click, the Python
API from its signatures and docstrings, scenario files and files of cases from theirs.

`python docs/reference.py` writes the pages in docs/reference; `pages()` gives them by name, for a test to compare.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import click

import holdpoint
from holdpoint import cli, testing
from holdpoint.api import schema_text
from holdpoint.engine.agents import FAILURES
from holdpoint.engine.errors import REFUSALS
from holdpoint.engine.expressions.evaluate import _SPECIAL_FILTERS, _SPECIAL_TESTS
from holdpoint.engine.expressions.filters import FILTERS, TESTS
from holdpoint.evaluation.reading import COLUMNS, cases_schema
from holdpoint.evaluation.report import RESULT_COLUMNS
from holdpoint.scenarios.checks import LATER as LATER_EXPECTATIONS
from holdpoint.scenarios.checks import VERBS
from holdpoint.scenarios.model import Played
from holdpoint.scheduler.serve import Server
from holdpoint.scheduler.tick import COUNTS
from holdpoint.schema import available
from holdpoint.schema.codes import CASE_CODES, CODES, SCENARIO_CODES
from holdpoint.schema.sheet import AVAILABLE_TYPES
from holdpoint.sources import scenarios_schema_text

FOLDER = Path(__file__).parent / "reference"
MADE = "<!-- Made by docs/reference.py; edit what it is made from. -->"

Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Each page that is made, by its file's name."""
    made = {
        "language.md": language(),
        "scenarios.md": scenarios(),
        "cases.md": cases(),
        "commands.md": commands(),
        "python.md": python(),
    }
    return {name: "\n".join([MADE, "", *lines]) + "\n" for name, lines in made.items()}


# -- the language

TYPES = ("agent", "approval", "return", "form", "wait", "call", "end")
LATER = "*Not available in this version.*"
LATER_PARTS = {
    "deciders:": "`authors` and `deciders:STATE` are not available in this version.",
    "business": "Business days and hours are not available in this version.",
}
"""What this version lacks of a key's values, by a word of the key's examples."""


def language() -> Iterator[str]:
    """The lines of the page on the language."""
    schema = json.loads(schema_text())
    parts = schema["$defs"]
    yield "# The language"
    yield ""
    yield (
        "A workflow is one YAML file. This page lists every key of it, as the JSON Schema does that `flow schema` "
        "prints. What is rendered, and with which names, is in [values](values.md); how a run moves, in "
        "[what holds, whatever happens](../explanation/semantics.md)."
    )
    yield from _section("## A workflow", schema, parts, schema["properties"])
    for name in TYPES:
        part = parts[name]
        note = "" if name in AVAILABLE_TYPES else f" {LATER}"
        yield from _section(f"## {name}", part, parts, part["properties"], note)
    yield ""
    yield "## Kinds of values"
    for name, part in parts.items():
        if name not in (*TYPES, "state"):
            keys: Schema = next((inner["properties"] for _, inner in _inner(part)), {})
            yield from _section(f"### {name}", part, parts, keys, f" {LATER}" if _is_later(name) else "")
            yield from _examples(part)
    yield ""
    yield "## Failures of agents"
    yield ""
    yield "The codes with which an attempt can fail, for `retry.on` and `error.code`:"
    yield ""
    yield from _table(["code", "the attempt"], [[f"`{code}`", _cell(rule)] for code, rule in FAILURES.items()])
    yield ""
    yield "## Filters and tests"
    yield ""
    yield "Those of Jinja, strict in their types. With their parameters, where they have any:"
    yield ""
    yield from _table(["filter", "parameters"], _builtins(FILTERS, _SPECIAL_FILTERS))
    yield ""
    yield from _table(["test", "parameters"], _builtins(TESTS, dict.fromkeys(_SPECIAL_TESTS)))
    yield ""
    yield "## Findings"
    yield ""
    yield (
        "`flow check` names each rule that a file does not keep by a code. A code is never given a second meaning. "
        "[The findings of flow check](../checks.md) has examples of each, and says how a comment ignores a warning."
    )
    yield ""
    rows = [
        [f"[`{code}`](../checks.md#{_anchor(rule.heading)})", rule.severity, _cell(rule.rule)]
        for code, rule in CODES.items()
    ]
    yield from _table(["code", "severity", "rule"], rows)


def _anchor(heading: str) -> str:
    """What a heading is called in a link: its words in lower case, joined by hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _builtins(table: Mapping[str, Any], special: Mapping[str, Any]) -> list[list[str]]:
    """A row for each filter or test."""
    rows = {name: ", ".join(f"`{word}`" for word in builtin.parameters) for name, builtin in table.items()}
    return [[f"`{name}`", rows.get(name, "")] for name in sorted({*rows, *special})]


def _section(title: str, part: Schema, parts: Schema, keys: Schema, note: str = "") -> Iterator[str]:
    yield ""
    yield title
    yield ""
    yield _text(part["description"]) + note
    rows = list(_rows(part, parts, keys, ""))
    if rows:
        yield ""
        yield from _table(["key", "type", "default", "what it is"], rows)


def _rows(part: Schema, parts: Schema, keys: Schema, prefix: str) -> Iterator[list[str]]:
    """A row for each key, and for the keys in it, which are named `key.inner`; last, what is not available yet."""
    required = part.get("required", ())
    for name, own in sorted(keys.items(), key=lambda key: _is_later(key[0])):
        value = {**parts[own["$ref"].rpartition("/")[2]], **own} if "$ref" in own else own
        default = f"`{_flow(value['default'])}`" if "default" in value else ""
        yield [
            f"`{prefix}{name}`" + (" **(required)**" if name in required else ""),
            _type(own, value),
            default,
            _about(name, own, value),
        ]
        for way, inner in _inner(own):
            yield from _rows(inner, parts, inner["properties"], f"{prefix}{name}{way}.")


def _inner(part: Schema) -> Iterator[tuple[str, Schema]]:
    """The objects in a key's value, each with the way to it from the key."""
    items, members = part.get("items", {}), part.get("additionalProperties") or {}
    for way, inner in (("", part), ("[]", items), (".NAME", members)):
        if "properties" in inner:
            yield way, inner


def _type(own: Schema, value: Schema) -> str:
    if "$ref" in own:
        name = own["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "enum" in value:
        return " or ".join(f"`{_flow(word)}`" for word in value["enum"])
    kinds = value.get("type", "any")
    if own.get("description", "").startswith("What kind of state it is;"):
        kinds = "string"
    return " or ".join([kinds] if isinstance(kinds, str) else kinds)


def _about(name: str, own: Schema, value: Schema) -> str:
    said = [_text(value["description"])]
    if _is_later(name):
        return _cell(f"{said[0]} {LATER}")
    examples = own.get("examples", ())
    if examples:
        said.append(f"E.g. {', '.join(f'`{_flow(one)}`' for one in examples)}.")
    return _cell(" ".join([*said, *_lacks(value)]))


def _lacks(part: Schema) -> list[str]:
    """What this version lacks of a key's values."""
    return [note for word, note in LATER_PARTS.items() if any(word in _flow(one) for one in part.get("examples", ()))]


def _is_later(name: str) -> bool:
    """Whether this version refuses a key."""
    return name in (*available._TOP_KEYS, *available._STATE_KEYS)


def _examples(part: Schema) -> Iterator[str]:
    if "examples" in part:
        yield ""
        yield " ".join([f"E.g. {', '.join(f'`{_flow(one)}`' for one in part['examples'])}.", *_lacks(part)])


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and value and not value.startswith("{{") and not set(value) & set(",[]{}:#'\""):
        return value
    return json.dumps(value, ensure_ascii=False)


# -- scenarios

GIVEN = {
    "any other value": "the output",
    "`{output: …}`": "the output, also where it is a list or looks like one of these",
    "`{error: …}`": "a failure: its message, or `{code, message, details}` with one of the "
    "[codes](language.md#failures-of-agents)",
    "`{crash: true}`": "no outcome: its process died, and nobody knows whether it took effect",
    "`{python: 'module:function'}`": "what a function of the project gives, called as an agent is",
    "`{attempts: […]}`": "one of these after the other, an attempt each; the last stands for all that follow",
    "a list": "one of these after the other, a visit of the state each; the last stands for all that follow",
    "`{real: true}`": "what the agent itself gives: it is run",
}
"""What a made-up agent gives, by how it is described."""


def scenarios() -> Iterator[str]:
    """The lines of the page on scenario files."""
    schema = json.loads(scenarios_schema_text())
    parts = schema["$defs"]
    yield "# Scenario files"
    yield ""
    yield (
        "A file `*.scenarios.yaml` tests a workflow; `flow test` and pytest play it. How to write one is in "
        "[Test a workflow](../how-to/test.md). `flow schema --scenarios` prints the JSON Schema, for editors."
    )
    for title, part in (("A file", schema), ("A scenario", parts["scenario"])):
        yield from _keys(f"## {title}", part)
    yield ""
    yield "## What agents give"
    yield ""
    yield "By state, in a scenario or for all of a file. Agents with a `value` do their work themselves."
    yield ""
    yield from _table(["written", "what comes of an attempt"], [[key, _cell(text)] for key, text in GIVEN.items()])
    steps = parts["step"]["properties"]
    yield ""
    yield "## Steps"
    yield ""
    yield "A step does one thing, and may say more of it."
    yield ""
    rows = [[f"`{verb}`", _cell(_text(steps[verb]["description"])), _listed(keys)] for verb, keys in VERBS.items()]
    yield from _table(["step", "what happens", "keys beside it"], rows)
    yield ""
    yield from _table(
        ["key", "what it says"], [[f"`{key}`", _cell(steps[key]["description"])] for key in steps if key not in VERBS]
    )
    yield from _keys("## Expectations", parts["expect"])
    yield ""
    yield "## Refusals"
    yield ""
    yield "The codes with which commands are refused, for `refused`; `--json` and the errors of the API have them too:"
    yield ""
    yield from _table(["code", "why"], [[f"`{code}`", _cell(why)] for code, why in REFUSALS.items()])
    yield ""
    yield "## Findings"
    yield ""
    yield (
        "What is wrong with a file is said before anything is played, by the codes that "
        "[flow check](language.md#findings) has for the shape of a file, and by these:"
    )
    yield ""
    yield from _table(["code", "rule"], [[f"`{code}`", _cell(rule.rule)] for code, rule in SCENARIO_CODES.items()])


# -- cases


def cases() -> Iterator[str]:
    """The lines of the page on files of cases."""
    schema = cases_schema()
    parts = schema["$defs"]
    yield "# Files of cases"
    yield ""
    yield (
        "A file of cases, in YAML or CSV, is played and measured by `flow eval`. How to write one is in "
        "[Measure a workflow on many cases](../how-to/evaluate.md)."
    )
    yield from _keys("## A file", schema)
    yield from _keys("## A case", parts["case"])
    yield ""
    yield (
        "What agents give is described as [in scenarios](scenarios.md#what-agents-give), and what is expected by the "
        "[expectations of scenarios](scenarios.md#expectations). Expectations are met or missed, and measured as such."
    )
    yield from _keys("## A rule", parts["rule"], parts["decisions"]["description"])
    yield from _keys("## A signal", parts["signals"]["items"])
    yield ""
    yield "## Columns"
    yield ""
    yield (
        "A file that ends in `.csv` has a case a row, below a header with these columns; an empty cell says nothing. "
        "A cell is a text where the schema of the input says `string`, else JSON where it is JSON: a list is "
        '`["draft", "read"]`, a mapping `{"read": 2}`.'
    )
    yield ""
    yield from _table(["column", "what its cells say"], [[f"`{name}`", _cell(text)] for name, text in COLUMNS.items()])
    yield ""
    yield "## Results"
    yield ""
    yield "What `--csv` writes has a play a row, with these columns:"
    yield ""
    yield from _table(["column", "what it says"], [[f"`{name}`", _cell(text)] for name, text in RESULT_COLUMNS.items()])
    yield ""
    yield "## Findings"
    yield ""
    yield (
        "What is wrong with a file is said before anything is played, by the codes that "
        "[flow check](language.md#findings) has for the shape of a file, for names, times, durations and expectations "
        "those of [scenario files](scenarios.md#findings), and by these:"
    )
    yield ""
    yield from _table(["code", "rule"], [[f"`{code}`", _cell(rule.rule)] for code, rule in CASE_CODES.items()])


def _keys(title: str, part: Schema, about: str = "") -> Iterator[str]:
    """A table of a part's keys, below what there is to say of all of it."""
    yield ""
    yield title
    yield ""
    if about:
        yield _text(about)
        yield ""
    required = part.get("required", ())
    rows = []
    for name, key in part["properties"].items():
        note = f" {LATER}" if name in LATER_EXPECTATIONS else ""
        marked = f"`{name}`" + (" **(required)**" if name in required else "")
        rows.append([marked, _cell(_text(key["description"]) + note)])
    yield from _table(["key", "what it is"], rows)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


# -- the commands

STATUSES = {
    0: "done, also where a run now waits or ended with `outcome: failure`",
    cli.FINDINGS: "findings: `check`, `verify` and `db check` say what is wrong",
    cli.USAGE: "wrong usage, or words that can mean several things",
    cli.EXIT_STATUSES["NotFound"]: "not found",
    cli.EXIT_STATUSES["Conflict"]: "conflict: decided already, a stale revision, moved on, a key that was used again",
    cli.EXIT_STATUSES["NotAllowed"]: "not allowed: assigned to others, excluded, not an operator",
    cli.EXIT_STATUSES["Invalid"]: "invalid: a definition, an input, answers, an option",
    cli.RUN_FAILED: "the command did its work and is committed, and the run is now `failed`",
    cli.INTERNAL: "the database cannot be used, or an internal error; of `tick`: it could not handle something",
    cli.INTERRUPTED: "interrupted by Ctrl-C; what was committed stays",
    cli.BROKEN_PIPE: "whoever read the output has gone",
}


RUN = "run"
REQUEST = "request"
SHAPES: Mapping[str, tuple[str | Sequence[str], str]] = {
    "init": (("project", "files", "next"), "the folder, the files that were made, commands to go on with"),
    "check": (
        ("findings", "ignored"),
        "each `file`, `line`, `column`, `severity` (`error` or `warning`), `code`, `message` and `fix`; `ignored` "
        "counts warnings that comments silence; with `--explain` `proofs` too",
    ),
    "test": (
        ("suites", "coverage"),
        "suites: `file`, `workflow`, `scenarios` (`name`, `line`, `passed`, `path`, `failures`); coverage, a workflow "
        "each: `file`, `percent`, `by_kind`, `missing` (`kind`, `where`, `text`, `line`)",
    ),
    "explore": (
        (
            *("workflow", "problems", "runs", "walks", "situations", "invariants"),
            *("complete", "stopped_by", "choices", "percent", "missing", "written", "unwritten"),
        ),
        "each problem `rule`, `message`, `scenario` (YAML), `path` and `played`; `walks` of the runs were at "
        "random; `stopped_by` is `time`, `problems`, `size` or null, and all ways of up to `choices` were tried then; "
        "`percent` and `missing` as in `test`, and so is `unwritten`",
    ),
    "fmt": (("files",), "each `file`, `status` (`unchanged`, `formatted`, `would change`, `invalid`) and `findings`"),
    "diff-workflow": (
        ("equal", "versions", "changes", "proofs", "errors"),
        "`versions` and `errors` by side, `a` and `b`; each change says `text`, and whether it is a `risk`",
    ),
    "what-if": (
        ("runs", "summary"),
        "each run `verdict` (`same`, `other`, `stuck`), `recorded` and `replayed` (`status`, `state`, `outcome`, "
        "`output`, `error`, `path`), `parting` and `stop` or null, `notes`; `summary` counts them",
    ),
    "eval": (
        ("workflow", "cases", "repeat", "agents", "versions", "differences", "parted"),
        "each version `file`, `version`, `measures`, `warnings`, `confusion` and `results`; a measure or difference "
        "has `value`, `low`, `high` and `count`; `parted` names the cases that end otherwise by the second version",
    ),
    "schema": (("$schema", "$id", "…"), "the JSON Schema itself, with or without `--json`"),
    "graph": (("format", "graph"), "the drawing is a text"),
    "start": (RUN, ""),
    "runs": (("runs", "next"), "runs without `input`, `results`, `artifacts` and `requests`; `next` is for `--after`"),
    "show": (RUN, "or a request with the contents that it shows"),
    "why": (("run", "status", "state", "why"), "the run's id; `why` is the text, a sentence a line"),
    "inbox": (("requests", "next"), "`next` is for `--after`, null on the last page"),
    "decide": (RUN, "with `replayed`: whether this had been decided before"),
    "claim": (REQUEST, ""),
    "release": (REQUEST, ""),
    "assign": (REQUEST, ""),
    "extend": (REQUEST, ""),
    "signal": (RUN, ""),
    "history": (("events",), "entries; with `--follow`, an entry a line"),
    "artifact": (
        ("name", "revision", "author", "author_kind", "sha256", "parent", "at", "content"),
        "`parent` is the revision that it was made from",
    ),
    "diff": (
        ("artifact", "old", "new", "changes"),
        "the revisions without `content`; each change has `path`, `kind` (`added`, `removed` or `changed`), `old`, "
        "`new`, of texts `hunks`",
    ),
    "simulate": (
        (
            *("workflow", "definition", "days", "warmup", "seed", "replications", "start", "assumed"),
            *("fitted", "warnings", "numbers", "over_time", "chokes", "what_if", "failed", "nobody", "waiting"),
        ),
        "`numbers` by what they are of, each `[mean, low, high]`, durations in seconds, null where there is none; "
        "`over_time` a list of days for each queue; `fitted` null, or how many `runs`, the `first` and the `last` of "
        "which started then; `what_if` each `change` and `differences`; the last three count, over all replications, "
        "runs that failed by message, requests that nobody may decide and waits that nothing ends, by state",
    ),
    "tick": (COUNTS, "counts"),
    "serve": (COUNTS, "counts, once it has stopped"),
    "retry": (RUN, ""),
    "move": (RUN, ""),
    "cancel": (RUN, ""),
    "verify": (("findings",), "each `run` (null: the database), `code` and `message`"),
    "db check": (("database", "findings"), "the URL; each finding `code` and `message`"),
    "db upgrade": (("database",), "the URL"),
    "demo": (("run", "project", "steps"), "each step `why`, `command` and `status`; `project` is null unless kept"),
}
"""What each command prints with `--json`: the keys at the top, or a run or a request; and what is in them."""

PARTS = {
    "error of a run": "`code`, `message`, `state`, `attempt`, `details` and, but in `runs`, `stderr`: what the agent "
    "wrote on its standard error",
    "attempt of a run": "null unless the run is in an agent's state; `number`, `of` how many, `stage` (`working`: one "
    "is at work; `ready`: a worker may take it up; `delayed`: until `due_at`; `lost`: its process is gone), `due_at`, "
    "`error` of the attempt before while it is delayed",
    "artifacts of a run": "by name: `revision`, `author`, `author_kind`, `sha256`, `content`",
    "show of a request": "`name`, `revision`, `sha256` of an artifact, and in `show` its `content`; `name`, `value` of "
    "a value",
    "attempt of a request": "of kind `crash` alone: `number`, `key`, `arguments`, and in `show` `late_output`",
    "decision of a request": "`decision`, `by`, `by_kind` (`human`, `timer` or `operator`), `comment`, `answers`, "
    "`at`, `artifacts`, `votes`",
}


def commands() -> Iterator[str]:
    """The lines of the page on the commands."""
    context = click.Context(cli.flow, info_name="flow")
    yield "# The commands"
    yield ""
    yield "`flow --help` lists them, `flow COMMAND --help` explains one. Global options stand before or after it."
    yield ""
    yield from _parameters(cli.flow)
    yield ""
    yield "## Exit statuses"
    yield ""
    yield from _table(["status", "meaning"], [[str(status), text] for status, text in sorted(STATUSES.items())])
    yield ""
    yield "## JSON"
    yield ""
    yield (
        "With `--json`, standard output is one JSON document, errors too: "
        '`{"error": {"code": …, "message": …, "details": …}}`. `flow history --follow` prints one document a line. '
        "Times are RFC 3339 in UTC. Keys may be added, never renamed. Without `--json`, tables and lines are for "
        "people, on a terminal as wide as it is, and times are in this machine's zone. Warnings go to standard error."
    )
    yield ""
    yield from _table(["command", "prints", "in it"], [_shape(name) for name in SHAPES])
    yield ""
    yield (
        "A run, a request and an entry of the history have the fields of [Run](python.md#holdpointrun), "
        "[Request](python.md#holdpointrequest) and [Entry](python.md#holdpointentry). `forms` and `attempt` of a "
        "request are there where it has them. In them:"
    )
    yield ""
    yield from _table(["part", "its keys"], [[name, _cell(text)] for name, text in PARTS.items()])
    yield ""
    yield "## Environment"
    yield ""
    rows = [
        ["`FLOW_DB`", "the database, where `--db` is not given"],
        ["`FLOW_USER`", "who you are, where `--as` is not given"],
        ["`FLOW_DEBUG`", "set it to 1, and internal errors come with their traceback"],
        ["`NO_COLOR`", "set it, and there is no colour"],
        ["`FLOW_KEY`", "set for the commands of agents: the idempotency key of the visit, `RUN/STATE/VISIT`"],
    ]
    yield from _table(["variable", "meaning"], rows)
    for name in cli.flow.list_commands(context):
        command = cli.flow.get_command(context, name)
        assert command is not None
        yield from _command(command, name, context)


def _shape(name: str) -> list[str]:
    """The row of a command in the table of what they print."""
    keys, about = SHAPES[name]
    shape = (
        f"a {keys}"
        if isinstance(keys, str)
        else f"`{{{', '.join(json.dumps(key, ensure_ascii=False) for key in keys)}}}`"
    )
    return [f"`{name}`", shape, _cell(about)]


def _command(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield ""
    yield f"## {context.command_path}" if parent.parent is None else f"### {context.command_path}"
    yield ""
    yield "```text"
    yield " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield "```"
    yield ""
    yield from inspect.cleandoc(command.help or "").splitlines()
    rows = list(_parameters(command))
    if rows:
        yield ""
        yield from rows
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _command(found, inner, context)


def _parameters(command: click.Command) -> Iterator[str]:
    """The table of options that are not everybody's."""
    is_global = {option.name for option in cli.flow.params} if command is not cli.flow else set()
    rows = []
    for option in command.params:
        if not isinstance(option, click.Option) or option.name in is_global:
            continue
        names = ", ".join([*option.opts, *option.secondary_opts])
        value = "" if option.is_flag or option.count else f" {option.make_metavar(click.Context(command))}"
        default = f"`{option.default}`" if option.show_default and option.default is not None else ""
        rows.append([f"`{names}{value}`", default, _cell(option.help or "")])
    if rows:
        yield from _table(["option", "default", "what it does"], rows)


# -- Python

ORDER = ("Engine", "Definition", "Page", "Run", "RunSummary", "Request", "Artifact", "Entry", "Finding", "Context")
ERRORS = (
    "HoldpointError",
    *("DefinitionError", "UsageError", "NotFound", "Conflict", "NotAllowed", "Invalid", "StoreError", "RunFailed"),
)


def python() -> Iterator[str]:
    """The lines of the page on the Python API."""
    yield "# The Python API"
    yield ""
    yield (
        "`import holdpoint` is cheap: each name is loaded when it is first used. Values are frozen; those with "
        "`to_dict()` give the JSON that `--json` prints. What is not on this page is not public."
    )
    for name in ORDER:
        yield from _class(f"holdpoint.{name}", getattr(holdpoint, name))
    yield from _class("Server", Server, is_made_by="Engine.server")
    yield ""
    yield "## holdpoint.testing"
    yield ""
    yield from _doc(testing)
    for name in testing.__all__:
        member = getattr(testing, name)
        if inspect.isfunction(member):
            yield from _member(f"testing.{name}", _signature(name, member, is_method=False), member)
    yield from _class("holdpoint.testing.Clock", testing.Clock)
    yield from _class("Played", Played, is_made_by="testing.play_scenario")
    yield ""
    yield "## Errors"
    yield ""
    yield "One tree. Each has `.message`, `.code` (a stable word for programs) and `.details`, as `--json` prints them."
    yield ""
    rows = []
    for name in ERRORS:
        kind = getattr(holdpoint, name)
        status = cli.EXIT_STATUSES.get(name, "")
        base = kind.__mro__[1].__name__
        rows.append([f"`{name}`", f"`{base}`", str(status), _cell(inspect.cleandoc(kind.__doc__).replace("\n\n", " "))])
    yield from _table(["error", "is a", "exit status", "when"], rows)


def _class(title: str, kind: type, *, is_made_by: str = "") -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    if is_made_by:
        yield f"What `{is_made_by}` gives."
        yield ""
    yield from _doc(kind)
    if is_dataclass(kind):
        fields = inspect.get_annotations(kind)
        yield ""
        yield from _table(["field", "type"], [[f"`{name}`", f"`{_cell(kind)}`"] for name, kind in fields.items()])
    elif not is_made_by:
        yield ""
        yield "```python"
        yield _signature(title.rpartition(".")[2], vars(kind)["__init__"])
        yield "```"
    owner = title.rpartition(".")[2]
    for name, member in vars(kind).items():
        if name.startswith("_") and name != "__call__":
            continue
        function = member.__func__ if isinstance(member, classmethod) else member
        if isinstance(function, property) and function.fget is not None:
            yield from _member(
                f"{owner}.{name}", f"{name} -> {inspect.get_annotations(function.fget)['return']}", function.fget
            )
        elif inspect.isfunction(function):
            yield from _member(f"{owner}.{name}", _signature(name, function), function)


def _member(title: str, signature: str, function: Any) -> Iterator[str]:
    yield ""
    yield f"### {title}"
    yield ""
    yield "```python"
    yield signature
    yield "```"
    yield ""
    yield from _doc(function)


def _doc(thing: Any) -> list[str]:
    """The lines of a docstring, without what it says for those who build on the specification."""
    return re.sub(r" \(spec [\d.]+\)", "", inspect.cleandoc(thing.__doc__ or "")).splitlines()


def _signature(name: str, function: Any, *, is_method: bool = True) -> str:
    """A function's signature without `self`, in one line or, where it is long, a parameter a line."""
    found = inspect.signature(function)
    words: list[str] = []
    for parameter in list(found.parameters.values())[is_method:]:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words and not any(w.startswith("*") for w in words):
            words.append("*")
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
        words.append(f"{star}{parameter.name}: {parameter.annotation}{default}")
    end = "" if found.return_annotation in (found.empty, "None") else f" -> {found.return_annotation}"
    line = f"{name}({', '.join(words)}){end}"
    if len(line) <= 110:
        return line
    return "\n".join([f"{name}(", *(f"    {word}," for word in words), f"){end}"])


def _default(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


# -- Markdown


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _cell(text: str) -> str:
    """A text in a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def _text(text: str) -> str:
    """A description in which braces, keys in quotes and the like are no markup."""
    return text.replace("{{", "`{{").replace("}}", "}}`").replace("*", "\\*").replace("<", "\\<")


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
