"""The shape of a workflow: what its JSON Schema says, in words that a writer of workflows can use."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.people import ROLE
from holdpoint.schema.keywords import Violation, violations
from holdpoint.schema.letters import describe_strange, meant_by
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import Report, listed, place_name, shown, suggestion


def schema_text() -> str:
    """The JSON Schema of a workflow, as it ships."""
    return files("holdpoint.schema").joinpath("workflow.schema.json").read_text(encoding="utf-8")


@cache
def workflow_schema() -> Json:
    """The JSON Schema of a workflow as a value."""
    return json.loads(schema_text())


def check_shape(report: Report, schema: Json | None = None) -> Json | None:
    """Report what does not have the shape of a workflow, or that of another *schema* of ours.

    The result is the value to go on checking, unknown keys left out; None where the shape is too wrong for that.
    """
    value = report.document.value
    unknown: set[Path] = set()
    is_usable = True
    for violation in violations(value, workflow_schema() if schema is None else schema):
        _DESCRIBERS[violation.validator](report, violation)
        is_harmless = schema is not None or not _is_in_a_list(violation)
        if violation.validator == "additionalProperties" and is_harmless:
            unknown.update((*violation.absolute_path, key) for key in _unknown_keys(violation))
        else:
            is_usable = False
    return _without(value, unknown) if is_usable else None


def check_part(report: Report, path: Path, part: Json, schema: Json) -> bool:
    """Report what the part of a file at a path violates of a *schema* of ours; whether there is nothing."""
    found = list(violations(part, schema))
    for violation in found:
        _DESCRIBERS[violation.validator](report, replace(violation, absolute_path=(*path, *violation.absolute_path)))
    return not found


def _is_in_a_list(violation: Violation) -> bool:
    # A target without its misspelt 'when' would be reported a second time, as one that is always taken.
    return any(isinstance(step, int) for step in violation.absolute_path)


def _without(value: Json, unknown: set[Path]) -> Json:
    return _pruned(value, (), unknown) if unknown else value


def _pruned(value: Json, path: Path, unknown: set[Path]) -> Json:
    if isinstance(value, dict):
        return {key: _pruned(item, (*path, key), unknown) for key, item in value.items() if (*path, key) not in unknown}
    if isinstance(value, list):
        return [_pruned(item, (*path, index), unknown) for index, item in enumerate(value)]
    return value


def _path(violation: Violation) -> Path:
    return violation.absolute_path


def _unknown_keys(violation: Violation) -> Iterator[str]:
    known = violation.schema.get("properties", {})
    return (key for key in violation.instance if key not in known)


def _describe_unknown_key(report: Report, violation: Violation) -> None:
    path = _path(violation)
    known = list(violation.schema["properties"])
    noun = "option" if path[-1:] == ("on",) else "key"
    for key in _unknown_keys(violation):
        report.key((*path, key), "HP101", f"unknown {noun} {key!r}{_where(path)}", _fix_for_unknown_key(key, known))


def _where(path: Path) -> str:
    return f" in {place_name(path)}" if path else ""


def _fix_for_unknown_key(key: str, known: list[str]) -> str:
    users = [
        kind for kind in _state_types() if "type" in known and key in workflow_schema()["$defs"][kind]["properties"]
    ]
    if users:
        return f"only states of type {listed(users)} have it; allowed: {listed(known)}"
    return suggestion(key, known)


def _state_types() -> list[str]:
    types: list[str] = workflow_schema()["$defs"]["state"]["properties"]["type"]["enum"]
    return types


def _describe_missing_key(report: Report, violation: Violation) -> None:
    path = _path(violation)
    noun = "option" if path[-1:] == ("on",) else "key"
    for key in violation.validator_value:
        if key not in violation.instance:
            allowed = violation.schema.get("properties", {}).get(key, {}).get("enum")
            fix = f"add '{key}: …'" + (f"; allowed: {listed(allowed)}" if allowed else "")
            report.value(path, "HP102", f"the {noun} {key!r} is missing{_where(path)}", fix)


_TYPE_WORDS: Final = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "empty",
}
_TYPE_EXAMPLES: Final = {
    "object": "{key: value}",
    "array": "[item]",
    "string": '"text"',
    "integer": "3",
    "number": "0.5",
    "boolean": "true",
    "null": "null",
}


def _kind_of(value: Json) -> str:
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else _written(value)
    kinds: dict[type, str] = {dict: "a mapping", list: "a list", str: "the text"}
    word = kinds.get(type(value), "")
    return word if isinstance(value, dict | list) else f"{word} {shown(value)}".strip()


_DURATIONS: Final = (("timeout",), ("after",), ("every",), ("for",), ("delay",), ("max_delay",))


def _describe_type(report: Report, violation: Violation) -> None:
    path = _path(violation)
    kinds = [violation.validator_value] if isinstance(violation.validator_value, str) else violation.validator_value
    words = " or ".join(_TYPE_WORDS[kind] for kind in kinds)
    message = f"{place_name(path)} must be {words}, not {_kind_of(violation.instance)}"
    report.value(path, "HP103", message, _fix_of_type(path, kinds, violation.instance))


def _fix_of_type(path: Path, kinds: list[str], value: Json) -> str:
    if value is None:
        return "write a value, or remove the key"
    if path[-1:] in _DURATIONS and type(value) is int:
        return f"write its unit, such as '{value}s'"
    if isinstance(value, bool | int | float) and "string" in kinds:
        return f'quote it: "{_written(value)}"'
    if isinstance(value, str | bool | int | float) and "array" in kinds:
        return f"write a list: [{_listed(path, value)}]"
    if (
        "string" in kinds
        and isinstance(value, dict)
        and len(value) == 1
        and isinstance(next(iter(value.values())), str)
    ):
        [(key, rest)] = value.items()  # a text with a colon that nobody quoted
        quote = "'" if '"' in rest else '"'
        return f"quote it: {quote}{key}:{'' if f'{key}:' == ROLE else ' '}{rest}{quote}"
    return f"write e.g. {' or '.join(_TYPE_EXAMPLES[kind] for kind in kinds)}"


def _listed(path: Path, value: Json) -> str:
    """The items of a list that was written as one value; a command's are its words."""
    if path[-1:] != ("command",) or not isinstance(value, str):
        return _written(value)
    try:
        return ", ".join(shlex.split(value))
    except ValueError:  # a quotation mark without its other
        return value


def _written(value: Json) -> str:
    """A value as YAML has it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _describe_enum(report: Report, violation: Violation) -> None:
    path = _path(violation)
    allowed = [_written(word) for word in violation.validator_value]
    message = f"{place_name(path)} cannot be {shown(violation.instance)}"
    report.value(path, "HP104", message, suggestion(str(violation.instance), allowed))


_NAME: Final = "a lower-case letter, then lower-case letters, digits and '_', at most 64 characters"
_PATTERNS: Final = {
    "^[a-z][a-z0-9_]{0,63}$": _NAME,
    "^[a-z][a-z0-9-]{0,63}$": "a lower-case letter, then lower-case letters, digits and '-', at most 64 characters",
}


def _describe_pattern(report: Report, violation: Violation) -> None:
    path, name = _path(violation), violation.instance
    rule = _PATTERNS.get(violation.validator_value, "package.module:function")
    meant = meant_by(name)
    fix = f"did you mean {meant!r}? write {rule}" if meant else f"write {rule}"
    if violation.is_about_key:
        report.key((*path, name), "HP105", f"{_noun_of_key(path)} {_malformed(name)}", fix)
    else:
        report.value(path, "HP105", f"{place_name(path)} {_malformed(name)}", fix)


def _malformed(name: str) -> str:
    """What is wrong with a name; a letter that only looks right is named by its code point."""
    strange = describe_strange(name)
    return f"{shown(name)} has {strange}" if strange else f"{shown(name)} is not well formed"


def _noun_of_key(path: Path) -> str:
    nouns = {"states": "the state name", "on": "the option", "artifact": "the artifact name"}
    return nouns.get(str(path[-1]), "the name")


def _describe_reserved(report: Report, violation: Violation) -> None:
    path, name = _path(violation), violation.instance
    reserved = violation.validator_value.get("enum", ())
    report.key(
        (*path, name),
        "HP108",
        f"the state name {name!r} is reserved",
        f"choose another; reserved are: {listed(reserved)}",
    )


def _describe_one_of(report: Report, violation: Violation) -> None:
    path = _path(violation)
    keys = [branch["required"][0] for branch in violation.validator_value]
    found = [key for key in keys if key in violation.instance]
    fix = f"write exactly one of {listed(keys)}"
    if found:
        names = " and ".join(repr(key) for key in found)
        report.key((*path, found[1]), "HP106", f"{place_name(path)} has {names}", fix)
    else:
        report.value(path, "HP106", f"{place_name(path)} has none of {listed(keys)}", fix)


_BOUNDS: Final = {
    "minItems": ("must have at least {0} item(s)", "add one, or leave the key out if it is optional"),
    "minProperties": ("must have at least {0} key(s)", "add one, or leave the key out if it is optional"),
    "minLength": ("must not be empty", "write a text, or leave the key out if it is optional"),
    "minimum": ("must be at least {0}", "write {0} or more"),
    "maximum": ("must be at most {0}", "write {0} or less"),
    "uniqueItems": ("must not name anything twice", "remove what is repeated"),
}


def _describe_bound(report: Report, violation: Violation) -> None:
    path = _path(violation)
    rule, fix = (text.format(violation.validator_value) for text in _BOUNDS[violation.validator])
    report.value(path, "HP107", f"{place_name(path)} {rule}, not {shown(violation.instance)}", fix)


_DESCRIBERS: Final[dict[str, Callable[[Report, Violation], None]]] = {
    "additionalProperties": _describe_unknown_key,
    "required": _describe_missing_key,
    "type": _describe_type,
    "enum": _describe_enum,
    "pattern": _describe_pattern,
    "not": _describe_reserved,
    "oneOf": _describe_one_of,
    **dict.fromkeys(_BOUNDS, _describe_bound),
}
