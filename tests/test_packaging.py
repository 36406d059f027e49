"""What ships: the root is the package, every module of it is in the wheel, and nothing else is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

import holdpoint

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _packages(folder: Path, name: str) -> list[str]:
    """A folder with an `__init__.py` and all such below it, each directly in another."""
    inner = [path.parent for path in sorted(folder.glob("*/__init__.py"))]
    return [name, *(found for path in inner for found in _packages(path, f"{name}.{path.name}"))]


def test_the_list_of_packages_is_that_of_the_folders() -> None:
    assert PYPROJECT["tool"]["setuptools"]["packages"] == _packages(ROOT, "holdpoint")


def test_the_version_is_stated_once() -> None:
    version = PYPROJECT["project"]["version"]

    stated = [
        str(path.relative_to(ROOT))
        for path in [*ROOT.glob("*.py"), *ROOT.glob("[!.]*/**/*.py")]
        if f'"{version}"' in path.read_text(encoding="utf-8")
    ]

    assert stated == []
    assert holdpoint.__version__ == version


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive of a copy of this tree."""
    folder = tmp_path_factory.mktemp("built")
    ignore = shutil.ignore_patterns(".?*", "*.egg-info", "build", "dist", "__pycache__")
    shutil.copytree(ROOT, folder / "tree", ignore=ignore)
    shutil.copytree(ROOT / ".ci", folder / "tree" / ".ci")
    program = "from setuptools import build_meta as b; b.build_sdist('..'); b.build_wheel('..')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder / "tree", capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_holds_every_file_of_the_rooms_and_no_other(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    rooms = [path.parent for path in ROOT.glob("*/__init__.py")]
    files = [*ROOT.glob("*.py"), ROOT / "py.typed", *(path for room in rooms for path in room.rglob("*"))]
    expected = {
        f"holdpoint/{path.relative_to(ROOT).as_posix()}" for path in files if path.is_file() and _is_source(path)
    }

    names = set(ZipFile(wheel).namelist())

    assert {name for name in names if ".dist-info/" not in name} == expected


def _is_source(path: Path) -> bool:
    return "__pycache__" not in path.parts and ".db" not in path.name


def test_no_test_lies_among_what_ships() -> None:
    assert [*ROOT.glob("test_*.py"), *ROOT.glob("conftest.py")] == []
    assert [path for room in ROOT.glob("*/__init__.py") for path in room.parent.rglob("test_*.py")] == []


def test_the_source_archive_can_be_tested(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}

    assert names >= {"LICENSE", "README.md", "CHANGELOG.md", "requirements-dev.txt", ".ci/run", "tests/conftest.py"}
    assert names >= {str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/*.py")}


def test_the_readme_begins_with_two_commands_and_ci_runs_the_second() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    demo, tests = [block.strip() for block in re.findall(r"^```bash\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)[:2]]

    assert "\n" not in demo
    assert demo.endswith("flow demo")
    assert tests in [line.strip() for line in ci.splitlines()]
