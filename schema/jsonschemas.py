"""The JSON Schemas inside a workflow: valid, closed in themselves, and for inputs and forms objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid, did_you_mean
from holdpoint.engine.jsonschemas import validator
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import Report, hinted, place_name, shown, suggestion
from holdpoint.schema.sheet import Sheet, forms_of

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

# Where a JSON Schema holds other schemas: by name, one, or in a list.
_BY_NAME: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_ONE: Final = (
    *("items", "additionalProperties", "contains", "not", "if", "then", "else"),
    *("propertyNames", "unevaluatedItems", "unevaluatedProperties", "contentSchema"),
)
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")

RENDERED_KEYWORDS: Final = ("enum", "const", "default", "minimum", "maximum", "title", "description")
"""What may hold templates in the schema of a form."""

_REFERENCES: Final = ("$ref", "$dynamicRef")
_KEYWORDS: Final = frozenset(
    {
        *(*_BY_NAME, *_ONE, *_LISTS, *RENDERED_KEYWORDS, *_REFERENCES),
        *("$schema", "$id", "$anchor", "$dynamicAnchor", "$comment", "$vocabulary"),
        *("type", "multipleOf", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern"),
        *("minItems", "maxItems", "uniqueItems", "minContains", "maxContains"),
        *("minProperties", "maxProperties", "required", "dependentRequired", "dependencies"),
        *("format", "contentEncoding", "contentMediaType", "examples", "deprecated", "readOnly", "writeOnly"),
    }
)
_MAX_ERRORS: Final = 10

# The parts of a schema that see the same value as the schema itself.
_SAME_VALUE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
_MAX_WEIGHT: Final = 1_000


def check_schemas(sheet: Sheet) -> None:
    """Report what is wrong with the schemas of inputs, outputs and forms."""
    if "input" in sheet.value:
        _check(sheet.report, ("input",), sheet.value["input"], is_object=True)
    for name, state in sheet.of_types("agent", "wait"):
        if "output" in state:
            _check(sheet.report, ("states", name, "output"), state["output"])
    for name, state in sheet.states.items():
        for below, form in forms_of(state):
            _check(sheet.report, ("states", name, *below), form, is_object=True, is_form=True)


def subschemas(schema: Json, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Json]]]:
    """A schema and all schemas inside of it that are mappings, each with its path; values are not looked into."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key, part in schema.items():
        if key in _ONE:
            yield from subschemas(part, (*path, key))
        elif key in _BY_NAME and isinstance(part, dict):
            for name, item in part.items():
                yield from subschemas(item, (*path, key, name))
        elif key in _LISTS and isinstance(part, list):
            for index, item in enumerate(part):
                yield from subschemas(item, (*path, key, index))


def without_templates(schema: Json) -> Json:
    """The schema of a form with what is rendered only when the request opens left out."""
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Json] = {}
    for key, part in schema.items():
        if key in RENDERED_KEYWORDS and has_template(part):
            continue
        if key in _ONE:
            result[key] = without_templates(part)
        elif key in _BY_NAME and isinstance(part, dict):
            result[key] = {name: without_templates(item) for name, item in part.items()}
        elif key in _LISTS and isinstance(part, list):
            result[key] = [without_templates(item) for item in part]
        else:
            result[key] = part
    return result


def has_template(value: Json) -> bool:
    """Whether a text anywhere in a value may be a template."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(has_template(item) for item in items)


def _check(report: Report, path: Path, schema: Json, *, is_object: bool = False, is_form: bool = False) -> None:
    is_valid = _check_meta(report, path, without_templates(schema) if is_form else schema)
    if is_valid:
        for below, part in subschemas(schema):
            _check_part(report, (*path, *below), part, schema)
            _check_required(report, (*path, *below), part, is_given=is_object)
    if is_valid and not report.has_errors_below(path):
        _check_weight(report, path, schema)
    if is_valid and not report.has_errors_below(path):
        _check_usable(report, path, without_templates(schema) if is_form else schema)
    if is_object and schema.get("type") != "object":
        message = f"{place_name(path)} must be the schema of an object"
        where = (*path, "type") if "type" in schema else path
        report.value(where, "HP222", message, "write 'type: object'")


def _check_required(report: Report, path: Path, schema: Mapping[str, Json], *, is_given: bool) -> None:
    """Report required properties that the schema does not describe; where people give them (spec 4), nobody could."""
    properties, required = schema.get("properties"), schema.get("required", ())
    is_open = any(schema.get(key) not in (None, False) for key in ("additionalProperties", "patternProperties"))
    if not isinstance(properties, dict) or not isinstance(required, list) or is_open:
        return
    for index, name in enumerate(required):
        if name not in properties:
            message = f"{place_name(path)} requires {name!r} and does not describe it"
            fix = f"add {name!r} to 'properties', or do not require it"
            where = (*path, "required", index)
            if is_given:
                report.value(where, "HP225", message, fix)
            else:
                report.value(where, "HP226", message, fix)


def _check_usable(report: Report, path: Path, schema: Json) -> None:
    """Report what only the engine refuses, so that no run meets it first."""
    try:
        validator(schema)
    except Invalid as error:
        message, fix = hinted(str(error), "simplify it")
        report.value(path, "HP220", f"{place_name(path)} cannot be used: {message}", fix)


@cache
def _meta_validator() -> Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(Draft202012Validator.META_SCHEMA)


@lru_cache(maxsize=256)  # a workflow says the same of many outputs
def _meta_errors(text: str) -> tuple[Any, ...]:
    return tuple(islice(_meta_validator().iter_errors(json.loads(text)), _MAX_ERRORS))


def _check_meta(report: Report, path: Path, schema: Json) -> bool:
    try:
        errors = _meta_errors(json.dumps(schema))
    except RecursionError:
        report.value(path, "HP220", f"{place_name(path)} is nested too deep for a JSON Schema", "flatten it")
        return False
    for error in errors:
        below = tuple(error.absolute_path)
        message, fix = _explain(error, (*path, *below))
        report.value((*path, *below), "HP220", message, fix)
    return not errors


_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")


def _explain(error: Any, path: Path) -> tuple[str, str]:
    where = place_name(path)
    if path[-1:] == ("type",) and error.validator == "anyOf":
        return f"{where} cannot be {shown(error.instance)}", suggestion(str(error.instance), _TYPES)
    if error.validator == "type":
        wanted = error.validator_value
        kinds = wanted if isinstance(wanted, str) else " or ".join(wanted)
        message = f"{where} must be of type {kinds} in a JSON Schema, not {shown(error.instance)}"
        return message, f"write a value of type {kinds}"
    return f"{where} is not valid in a JSON Schema: {error.message[:200]}", "change or remove it"


def _check_part(report: Report, path: Path, part: Mapping[str, Json], root: Json) -> None:
    for keyword in _REFERENCES:
        if keyword in part and resolved(part[keyword], root) is None:
            message = f"the reference {shown(part[keyword])} does not lead to a part of its own schema"
            report.value((*path, keyword), "HP221", message, "write '#/$defs/NAME', and NAME under '$defs'")
    for key in part:
        if key not in _KEYWORDS and not key.startswith("x-"):
            message = f"a JSON Schema has no keyword {key!r}, so it says nothing"
            fix = did_you_mean(key, sorted(_KEYWORDS)) or f"remove it, or call it 'x-{key}'"
            report.key((*path, key), "HP223", message, fix)
    _check_patterns(report, path, part)


def resolved(reference: str, root: Json) -> Json:
    """The part of a schema that a local reference names, None where there is none."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return None
    here = root
    for token in reference[2:].split("/"):
        step = unquote(token).replace("~1", "/").replace("~0", "~")
        if isinstance(here, list) and step.isdecimal() and len(step) < 6 and int(step) < len(here):
            here = here[int(step)]
        elif isinstance(here, dict) and step in here:
            here = here[step]
        else:
            return None
    return here if isinstance(here, dict | bool) else None


def _check_weight(report: Report, path: Path, schema: Json) -> None:
    """Report references that lead back to themselves, or multiply: checking one value would take for ever."""
    weights: dict[int, int | None] = {}

    def weigh(part: Json) -> int:
        if not isinstance(part, dict):
            return 1
        if id(part) not in weights:
            weights[id(part)] = None
            weights[id(part)] = 1 + sum(weigh(other) for other in _same_value(part, schema))
        weight = weights[id(part)]
        if weight is None or weight > _MAX_WEIGHT:
            raise RecursionError
        return weight

    for below, part in subschemas(schema):
        try:
            weigh(part)
        except RecursionError:
            message = f"the references of {place_name((*path, *below))} go in a circle or multiply"
            report.value((*path, *below), "HP221", message, "refer to each part once")
            return


def _same_value(part: Mapping[str, Json], root: Json) -> Iterator[Json]:
    for keyword in _REFERENCES:
        if keyword in part:
            yield resolved(part[keyword], root)
    for keyword in _SAME_VALUE:
        held = part.get(keyword)
        if isinstance(held, list):
            yield from held
        elif keyword == "dependentSchemas" and isinstance(held, dict):
            yield from held.values()
        elif held is not None:
            yield held


_FIX_OF_PATTERN: Final = "mend it; a character that stands for itself, such as '(', has a backslash before it"


def _check_patterns(report: Report, path: Path, part: Mapping[str, Json]) -> None:
    if "pattern" in part and (problem := _problem_of_pattern(part["pattern"])):
        message = f"the pattern {shown(part['pattern'])} is not a regular expression: {problem}"
        report.value((*path, "pattern"), "HP220", message, _FIX_OF_PATTERN)
    for pattern in part.get("patternProperties", {}):
        if problem := _problem_of_pattern(pattern):
            message = f"the pattern {shown(pattern)} is not a regular expression: {problem}"
            report.key((*path, "patternProperties", pattern), "HP220", message, _FIX_OF_PATTERN)


def _problem_of_pattern(pattern: str) -> str:
    """Why neither of the engines that may meet it can use a pattern, or an empty text."""
    import regex

    try:
        re.compile(pattern)
        regex.compile(pattern)
    except (re.error, regex.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""
