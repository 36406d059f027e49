"""The engine that the tests of the semantics run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.building import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An engine on a temporary file. Whatever a test does, `verify` is silent at its end."""
    with World(tmp_path) as world:
        yield world
