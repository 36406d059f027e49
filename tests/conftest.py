"""What every test may ask for."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
IS_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")

# In CI the same examples every time, so that a change never fails for another's bad luck; elsewhere fresh ones.
# No deadline: a busy machine is no bug.
settings.register_profile("local", deadline=None, print_blob=True)
settings.load_profile("ci" if IS_CI else "local")  # "ci" is Hypothesis's own: derandomised, no deadline, no database


def need(module: str) -> None:
    """Skip where a package of `requirements-dev.txt` is not installed; in CI, where all are, fail."""
    if find_spec(module) is None:
        (pytest.fail if IS_CI else pytest.skip)(f"{module} is not installed; requirements-dev.txt has it")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of large data sets, which the repository does not hold: $HOLDPOINT_DATA, else ../shared/data.

    Skips where there is none; fails where there should be one.
    """
    named = os.environ.get("HOLDPOINT_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        if named or (IS_CI and folder.parent.is_dir()):
            pytest.fail(f"{folder} is not a folder; the data sets should be there")
        pytest.skip(f"no data sets in {folder}; name their folder in HOLDPOINT_DATA")
    return folder
