"""Outputs and inputs that nobody gave, made up from their schemas: in a simulation there must be some."""

from __future__ import annotations

from holdpoint.engine import jsonschemas
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid
from holdpoint.schema import samples as made_up


def sample(schema: Json, what: str) -> Json:
    """One value that meets a schema, the fullest. Raises `Invalid` where none is found."""
    return samples(schema, what)[0]


def samples(schema: Json, what: str, count: int = made_up.MAX_SAMPLES) -> list[Json]:
    """At most *count* different values that meet a schema, at least one: what lacks no property comes first.

    Raises `Invalid` where none is found.
    """
    found = sorted(made_up.samples(schema), key=lambda value: -len(value) if isinstance(value, dict) else 0)
    if not found:
        raise Invalid(f"no value could be made for the {what}; give one in the configuration", code="simulation")
    return found[:count]


def meets(schema: Json, value: Json) -> bool:
    """Whether a value meets a schema; each does where there is none."""
    return schema is None or not jsonschemas.errors(schema, value, "value")
