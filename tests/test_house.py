"""How the house is built: who may import whom, what is light, where time and SQL come from."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

# A room is a package at the root, or a module there. What is not in this table may import every room but the faces.
ROOMS = {
    "engine": {"engine"},
    "schema": {"schema", "engine"},
    "stores": {"stores", "engine"},
    "scheduler": {"scheduler", "engine"},
    "graphs": {"graphs", "engine"},
    "scenarios": {"scenarios", "schema", "engine", "api", "settings", "sources", "testing"},
    "simulation": {"simulation", "schema", "engine", "page"},
    "evaluation": {"evaluation", "page", "scenarios", "schema", "engine", "api", "testing"},
    "workflows": set(),
}

# The command line uses the API and nothing else: these modules, and the names that `holdpoint` itself hands on.
FACES = {"cli", "commands"}
FACES_MAY_IMPORT = {
    "holdpoint.api",
    "holdpoint.cli",
    "holdpoint.commands",
    "holdpoint.engine.canonical",
    "holdpoint.engine.clock",
    "holdpoint.engine.diff",
    "holdpoint.engine.durations",
    "holdpoint.engine.errors",
    "holdpoint.engine.why",
    "holdpoint.settings",
    "holdpoint.sources",
    "holdpoint.trials",
    "holdpoint.simulation",
}

# Each library that is no part of Python, and the only places that may import it.
HOMES = {
    "apscheduler": ("scheduler/",),
    "click": ("cli.py", "commands/"),
    "jsonschema": ("schema/", "engine/jsonschemas.py"),
    "peewee": ("stores/",),
    "hypothesis": ("scenarios/drawn.py",),
    "pygraphviz": ("graphs/",),
    "pytest": ("pytest_plugin.py",),
    "regex": ("schema/", "engine/jsonschemas.py"),
    "rich": ("cli.py", "commands/"),
    "ruamel.yaml": ("schema/",),
    "sqlite3": ("stores/",),
    "transitions": ("engine/machine.py",),
}
COMES_WITH = {
    "playhouse": "peewee",
    "_pytest": "pytest",
    "referencing": "jsonschema",
    "jsonschema_specifications": "jsonschema",
}

CLOCK = "engine/clock.py"
# File → why no stored deadline can do it.
MAY_SLEEP = {"stores/database.py": "milliseconds of jitter between two tries for a lock that others hold"}

# Beyond what an empty click program loads.
HELP_MAY_LOAD = {"__future__", "holdpoint", "holdpoint.cli", "holdpoint.commands"}


def _sources() -> list[Path]:
    """Every module of the product; the example workflows' agents are `_examples`."""
    packages = [path.parent for path in sorted(ROOT.glob("*/__init__.py")) if path.parent.name != "workflows"]
    return sorted(ROOT.glob("*.py")) + [path for package in packages for path in sorted(package.rglob("*.py"))]


def _examples() -> list[Path]:
    return sorted((ROOT / "workflows").rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), _name(path))


def _imports(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, module and imported name (empty for a whole module) of each import, also of one by `import_module`."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, "." * node.level + (node.module or ""), alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and _last_name(node.func) in ("import_module", "__import__"):
            match node.args:
                case [ast.Constant(value=str(module)), *_]:
                    yield node.lineno, module, ""


def _last_name(node: ast.expr) -> str:
    """`c` of `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _module(module: str, name: str) -> str:
    """The module that an import loads: `from holdpoint.engine import errors` loads holdpoint.engine.errors."""
    inner = f"{module}.{name}" if name else module
    path = ROOT.joinpath(*inner.split(".")[1:])
    return (
        inner if module.split(".")[0] == "holdpoint" and (path.is_dir() or path.with_suffix(".py").exists()) else module
    )


def _ours(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of each module of ours that a file imports."""
    for line, module, name in _imports(path):
        if module.split(".")[0] == "holdpoint":
            yield line, _module(module, name)


def _room(module: str) -> str:
    """`engine` of `holdpoint.engine.errors`; `holdpoint` of the root itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def test_every_room_is_there() -> None:
    expected = {*ROOMS, "commands", "api.py", "cli.py", CLOCK, "engine/machine.py", "schema/workflow.schema.json"}

    assert {name for name in expected if not (ROOT / name).exists()} == set()


def test_a_room_imports_only_the_rooms_that_it_may() -> None:
    wrong = []

    for path in _sources() + _examples():
        here = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for line, module in _ours(path):
            if here in FACES:
                allowed = module == "holdpoint" or any(
                    module == known or module.startswith(f"{known}.") for known in FACES_MAY_IMPORT
                )
            elif here in ROOMS:
                allowed = _room(module) in ROOMS[here]
            else:
                allowed = _room(module) not in FACES or here == "__main__"
            if not allowed:
                wrong.append(f"{_name(path)}:{line} imports {module}")

    assert wrong == []


def test_no_import_is_relative() -> None:
    wrong = [
        f"{_name(path)}:{line} imports {module or name}"
        for path in _sources()
        for line, module, name in _imports(path)
        if module.startswith(".")
    ]

    assert wrong == []


def _library(module: str) -> str | None:
    """The library that a module belongs to, as HOMES names it; None for Python's own and ours."""
    top = module.split(".")[0]
    library = COMES_WITH.get(top, "ruamel.yaml" if top == "ruamel" else top)
    if library in HOMES:
        return library
    return None if top in sys.stdlib_module_names or top == "holdpoint" else library


def test_a_library_is_imported_at_home_and_nowhere_else() -> None:
    used: set[str] = set()
    wrong = []

    for path in _sources():
        for line, module, _ in _imports(path):
            library = _library(module)
            if library is None:
                continue
            used.add(library)
            if not _name(path).startswith(HOMES.get(library, ())):
                wrong.append(f"{_name(path)}:{line} imports {module}")

    assert wrong == []
    assert used == set(HOMES), "a library that nobody imports has no home"


def test_every_dependency_has_a_home_and_a_pinned_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wished = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    required = {re.split(r"[<>=!~ ]", dependency)[0] for dependency in wished}
    files = ("requirements-dev.txt", "requirements-docs.txt")
    lines = [line for name in files for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#") and line != "-r requirements-docs.txt"]

    assert required == set(HOMES) - {"sqlite3"} | {"tzdata"}, "tzdata is data: zoneinfo reads it"
    assert all(re.match(r"[\w.-]+==", line) for line in wanted)
    assert required <= {line.partition("==")[0] for line in wanted}


def test_sql_is_never_put_together_from_pieces() -> None:
    wrong = []

    for path in _sources():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and _last_name(node.func) in _RUNS_SQL and node.args:
                pieces = [part for part in ast.walk(node.args[0]) if isinstance(part, ast.expr) and _is_assembled(part)]
                wrong += [f"{_name(path)}:{part.lineno} {ast.unparse(part)}" for part in pieces[:1]]

    assert wrong == []


_RUNS_SQL = {"execute", "executemany", "executescript", "execute_sql", "SQL"}


def _is_assembled(node: ast.expr) -> bool:
    match node:
        case ast.JoinedStr() | ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format" | "format_map" | "join" | "replace")):
            return True
    return False


def test_the_wall_clock_is_read_in_one_place() -> None:
    found = {
        f"{_name(path)}:{node.lineno} {ast.unparse(node)}"
        for path in _sources()
        if _name(path) != CLOCK
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and _reads_clock(node)
    }

    assert found == set()


def _reads_clock(node: ast.Attribute) -> bool:
    """Monotonic clocks measure how long something took, and are free to all."""
    owner = _last_name(node.value)
    return (owner == "time" and node.attr in ("time", "time_ns", "gmtime", "localtime")) or (
        owner in ("datetime", "date") and node.attr in ("now", "utcnow", "today")
    )


def test_the_database_has_no_clock_of_its_own() -> None:
    wrong = [
        f"{_name(path)}:{node.lineno}"
        for path in _sources()
        if path.is_relative_to(ROOT / "stores")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"\bCURRENT_(TIME|DATE|TIMESTAMP)\b|'now'|\bunixepoch\(", node.value)
    ]

    assert wrong == []


def test_nothing_sleeps() -> None:
    sleepers = {
        _name(path)
        for path in _sources()
        for node in ast.walk(_tree(path))
        if (isinstance(node, ast.Attribute) and node.attr == "sleep")
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "sleep" for alias in node.names))
    }

    assert sleepers == set(MAY_SLEEP)


def test_time_is_imported_as_a_module() -> None:
    """`from time import time` would hide a clock from the tests above."""
    wrong = [
        f"{_name(path)}:{line}"
        for path in _sources()
        for line, module, name in _imports(path)
        if module == "time" and name not in ("", "monotonic", "perf_counter")
    ]

    assert wrong == []


def _loaded(program: str) -> set[str]:
    """The modules that a program has loaded when it ends, in a Python of its own."""
    lines = ["try:", *(f" {line}" for line in program.splitlines())]
    lines += ["finally:", " import sys", " print(*sys.modules, file=sys.stderr)"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.partition("Traceback")[2]
    return set(done.stderr.split())


def test_help_loads_hardly_more_than_click() -> None:
    empty = _loaded("import click\nclick.Group()(['--help'], prog_name='flow')")
    ours = _loaded("import sys\nsys.argv = ['flow', '--help']\nfrom holdpoint.cli import main\nmain()")

    assert ours - empty <= HELP_MAY_LOAD


def test_importing_the_package_loads_next_to_nothing() -> None:
    loaded = _loaded("import holdpoint") - _loaded("import __future__, importlib, typing")

    assert loaded == {"holdpoint"}
