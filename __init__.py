"""Holdpoint: procedures as YAML state machines that wait for people, durably.

Names load what they need when they are first used, so that `import holdpoint` and `flow --help` stay cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdpoint.api import Engine, Page
    from holdpoint.engine.agents import Context
    from holdpoint.engine.definition import Definition
    from holdpoint.engine.errors import (
        Conflict,
        DefinitionError,
        Finding,
        HoldpointError,
        Invalid,
        NotAllowed,
        NotFound,
        RunFailed,
        StoreError,
        UsageError,
    )
    from holdpoint.engine.model import Entry
    from holdpoint.engine.views import Artifact, Request, Run, RunSummary

    __version__: str

_HOMES = {
    "Engine": "holdpoint.api",
    "Page": "holdpoint.api",
    "Context": "holdpoint.engine.agents",
    "Definition": "holdpoint.engine.definition",
    "Conflict": "holdpoint.engine.errors",
    "DefinitionError": "holdpoint.engine.errors",
    "Finding": "holdpoint.engine.errors",
    "HoldpointError": "holdpoint.engine.errors",
    "Invalid": "holdpoint.engine.errors",
    "NotAllowed": "holdpoint.engine.errors",
    "NotFound": "holdpoint.engine.errors",
    "RunFailed": "holdpoint.engine.errors",
    "StoreError": "holdpoint.engine.errors",
    "UsageError": "holdpoint.engine.errors",
    "Entry": "holdpoint.engine.model",
    "Artifact": "holdpoint.engine.views",
    "Request": "holdpoint.engine.views",
    "Run": "holdpoint.engine.views",
    "RunSummary": "holdpoint.engine.views",
}

__all__ = [
    "Artifact",
    "Conflict",
    "Context",
    "Definition",
    "DefinitionError",
    "Engine",
    "Entry",
    "Finding",
    "HoldpointError",
    "Invalid",
    "NotAllowed",
    "NotFound",
    "Page",
    "Request",
    "Run",
    "RunFailed",
    "RunSummary",
    "StoreError",
    "UsageError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("holdpoint")
    if name == "testing":
        return import_module("holdpoint.testing")
    if name not in _HOMES:
        raise AttributeError(f"module 'holdpoint' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "testing"]
