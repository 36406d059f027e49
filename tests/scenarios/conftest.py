"""What every test of scenarios may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A folder to play scenarios in, which is the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("FLOW_DB", "FLOW_USER"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path, capsys)
