"""What the parts of the store on SQLite have in common: the database, and what to say where it holds no sense."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from holdpoint.engine.errors import NotFound, StoreError
from holdpoint.stores.database import Database

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


class Part:
    """Some methods of `holdpoint.engine.ports.Store`, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database


def reads(method: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """A method that makes values of rows: where they are not what was written, `StoreError`, code `corrupt`."""

    @wraps(method)
    def read(*given: _Given.args, **options: _Given.kwargs) -> _Found:
        try:
            return method(*given, **options)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            raise damaged(f"what is stored cannot be read ({type(error).__name__}: {error})") from error

    return read


def damaged(what: str) -> StoreError:
    """What is stored is not what was written."""
    return StoreError(f"{what}; see flow verify", code="corrupt")


def no_run(run_id: str) -> NotFound:
    """There is no such run."""
    return NotFound(f"there is no run {run_id}", details={"run": run_id})
