"""Agents: what one attempt gives, whatever the function or the program does."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event
from typing import Any, Literal

import pytest

from holdpoint.engine.agents import (
    FAILURES,
    Context,
    Crashed,
    Failure,
    Outcome,
    Success,
    Work,
    command,
    process,
    python,
    run,
)

CONTEXT = Context(key="run_1/draft/2", run_id="run_1", workflow="expense", state="draft", visit=2, attempt=1)


def _work(project: Path, target: str | tuple[str, ...], arguments: Mapping[str, Any] | None = None) -> Work:
    kind: Literal["python", "command"] = "python" if isinstance(target, str) else "command"
    return Work(
        kind=kind,
        target=target,
        arguments=dict(arguments or {}),
        context=CONTEXT,
        project=project,
        timeout=20.0,
        max_bytes=1 << 20,
    )


def _run(work: Work, stop: Event | None = None, **registry: Callable[..., Any]) -> Outcome:
    return _settled(run(work, registry=registry, stop=stop or Event()))


def _call(function: Callable[..., Any], tmp_path: Path, **arguments: Any) -> Outcome:
    """Run a function of this file as the agent."""
    return _settled(run(_work(tmp_path, "agents:any", arguments), registry={"agents:any": function}, stop=Event()))


def _settled(outcome: Outcome | Crashed) -> Outcome:
    assert not isinstance(outcome, Crashed), "nothing here is isolated"
    return outcome


def _output(outcome: Outcome | Crashed) -> Any:
    assert isinstance(outcome, Success), outcome
    return outcome.output


def _failure(outcome: Outcome | Crashed, code: str) -> Failure:
    assert isinstance(outcome, Failure), outcome
    assert outcome.code == code, outcome
    return outcome


def _project(folder: Path, **files: str) -> Path:
    """A folder with modules: `agents__draft` is agents/draft.py."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture(autouse=True)
def _sys_path_is_left_as_it_was() -> Iterator[None]:
    before = list(sys.path)
    yield
    assert sys.path == before


# --- which agent ------------------------------------------------------------------------------------------------------


def test_a_function_of_the_projects_folder_is_called_with_the_arguments(tmp_path: Path) -> None:
    _project(tmp_path, agents="def draft(amount, text='-'):\n    return {'amount': amount, 'text': text}\n")

    assert _run(_work(tmp_path, "agents:draft", {"amount": 3})) == Success(output={"amount": 3, "text": "-"})


def test_a_module_of_a_package_without_init_is_found(tmp_path: Path) -> None:
    _project(tmp_path, agents__draft="def write():\n    return 1\n")

    assert _output(_run(_work(tmp_path, "agents.draft:write"))) == 1


def test_an_installed_function_is_found(tmp_path: Path) -> None:
    assert _output(_run(_work(tmp_path, "json:dumps", {"obj": [1]}))) == "[1]"


def test_a_replacement_is_called_instead_of_a_function(tmp_path: Path) -> None:
    assert _output(run(_work(tmp_path, "agents:x"), registry={"agents:x": lambda: 1}, stop=Event())) == 1


@pytest.mark.parametrize("target", ["agents:x", ("no-such-program",)], ids=["python", "command"])
def test_a_replacement_of_the_state_goes_before_all(tmp_path: Path, target: str | tuple[str, ...]) -> None:
    registry = {"expense/draft": lambda a: a + 1, "agents:x": lambda a: a}

    assert _output(run(_work(tmp_path, target, {"a": 1}), registry=registry, stop=Event())) == 2


@pytest.mark.parametrize("target", ["agents:x", ("touch", "ran")], ids=["python", "command"])
def test_what_was_stopped_before_it_began_does_not_begin(tmp_path: Path, target: str | tuple[str, ...]) -> None:
    _project(tmp_path, agents="def x():\n    open('ran', 'w').close()\n")
    stop = Event()
    stop.set()

    _failure(_run(_work(tmp_path, target), stop), "agent_stopped")

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param("nowhere:draft", "there is no module 'nowhere'", id="module"),
        pytest.param("agents.nowhere:draft", "there is no module 'agents.nowhere'", id="submodule"),
        pytest.param("agents:darft", "has no function 'darft'; did you mean 'draft'?", id="function"),
        pytest.param("agents:LIMIT", "'LIMIT' is an int, not a function", id="no-function"),
        pytest.param("agents", "write package.module:function", id="no-colon"),
        pytest.param("agents:draft.inner", "write package.module:function", id="dotted"),
        pytest.param("../agents:draft", "write package.module:function", id="path"),
    ],
)
def test_a_missing_function_is_told_by_name(tmp_path: Path, target: str, message: str) -> None:
    _project(tmp_path, agents="LIMIT = 3\ndef draft():\n    return 1\n")

    failure = _failure(_run(_work(tmp_path, target)), "agent_missing")

    assert message in failure.message
    assert failure.message.startswith(f"python agent '{target}': ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param("import not_installed_anywhere", "ModuleNotFoundError: No module named", id="dependency"),
        pytest.param("raise RuntimeError('no database')", "RuntimeError: no database", id="raises"),
        pytest.param("import sys; sys.exit(3)", "SystemExit: 3", id="exits"),
        pytest.param("def draft(:", "SyntaxError", id="syntax"),
    ],
)
def test_a_module_that_raises_is_an_import_failure(tmp_path: Path, source: str, message: str) -> None:
    _project(tmp_path, agents=source)

    assert message in _failure(_run(_work(tmp_path, "agents:draft")), "agent_import").message


def test_a_module_that_was_missing_is_found_once_it_is_there(tmp_path: Path) -> None:
    before = tmp_path.stat()
    _failure(_run(_work(tmp_path, "agents:draft")), "agent_missing")
    _project(tmp_path, agents="def draft():\n    return 1\n")
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as on a disk whose times are coarse

    assert _output(_run(_work(tmp_path, "agents:draft"))) == 1


def test_a_function_is_imported_once(tmp_path: Path) -> None:
    _project(tmp_path, agents="count = []\ndef draft():\n    count.append(1)\n    return len(count)\n")

    assert [_output(_run(_work(tmp_path, "agents:draft"))) for _ in range(3)] == [1, 2, 3]


# --- two projects in one process --------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two projects whose modules have the same names; `late` imports its helper when it is called."""
    agents = (
        "import helpers\ncalls = []\n"
        "def draft():\n    calls.append(1)\n    return [helpers.NAME, len(calls)]\n"
        "def late():\n    import latecomer\n    latecomer.calls.append(1)\n"
        "    return [latecomer.NAME, len(latecomer.calls)]\n"
    )
    for name in ("one", "two"):
        here = f"NAME = '{name}'\ncalls = []\n"
        _project(tmp_path / name, agents=agents, helpers=here, latecomer=here)
    return tmp_path / "one", tmp_path / "two"


def test_each_project_gets_its_own_modules(two: tuple[Path, Path]) -> None:
    outputs = [_output(_run(_work(project, "agents:draft"))) for project in (*two, *two)]

    assert outputs == [["one", 1], ["two", 1], ["one", 2], ["two", 2]]


def test_what_is_imported_during_a_call_is_the_projects_own(two: tuple[Path, Path]) -> None:
    outputs = [_output(_run(_work(project, "agents:late"))) for project in (*two, *two)]

    assert outputs == [["one", 1], ["two", 1], ["one", 2], ["two", 2]]


def test_a_function_is_looked_up_in_its_own_project_though_another_has_begun(two: tuple[Path, Path]) -> None:
    with python._at_work(os.path.realpath(two[0])) as space, python._at_work(os.path.realpath(two[1])):
        assert space.resolve("agents:draft")() == ["one", 1]


def test_a_project_without_the_module_does_not_get_that_of_another(two: tuple[Path, Path], tmp_path: Path) -> None:
    _output(_run(_work(two[0], "agents:draft")))

    _failure(_run(_work(tmp_path / "third", "agents:draft")), "agent_missing")


def test_packages_without_init_of_two_projects_are_kept_apart(tmp_path: Path) -> None:
    projects = [_project(tmp_path / name, agents__draft=f"def go():\n    return '{name}'\n") for name in ("one", "two")]

    assert [_output(_run(_work(project, "agents.draft:go"))) for project in (*projects, *projects)] == [
        "one",
        "two",
        "one",
        "two",
    ]


def test_projects_that_run_at_the_same_time_call_their_own_functions(two: tuple[Path, Path]) -> None:
    barrier = Barrier(2)

    def names(project: Path) -> list[str]:
        barrier.wait()
        return [_output(_run(_work(project, "agents:draft")))[0] for _ in range(50)]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(names, two)) == [["one"] * 50, ["two"] * 50]


def test_a_module_of_the_host_gives_way_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = _project(tmp_path / "host", hosted="def go():\n    return 'host'\n")
    monkeypatch.syspath_prepend(str(host))
    module = __import__("hosted")
    project = _project(tmp_path / "project", hosted="def go():\n    return 'project'\n")

    for _ in range(2):
        assert _output(_run(_work(project, "hosted:go"))) == "project"
        _run(_work(tmp_path / "other", "agents:x"))

        assert sys.modules["hosted"] is module


def test_a_folder_that_is_on_the_path_already_stays_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _project(tmp_path, agents="def f():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert _output(_run(_work(tmp_path, "agents:f"))) == 1
    assert sys.path[0] == str(tmp_path)


def test_modules_of_python_itself_are_never_replaced(tmp_path: Path) -> None:
    _project(tmp_path, json="def dumps(obj):\n    return 'hijacked'\n")

    assert _output(_run(_work(tmp_path, "json:dumps", {"obj": 1}))) == "1"
    assert sys.modules["json"] is json


# --- context and arguments --------------------------------------------------------------------------------------------

CONTEXT_AGENTS = [
    pytest.param("from holdpoint.engine.agents import Context\ndef f(c: Context):", id="class"),
    pytest.param("from holdpoint.engine.agents import Context\ndef f(c: 'Context'):", id="text"),
    pytest.param("from holdpoint.engine.agents import Context\ndef f(c: Context | None = None):", id="optional"),
    pytest.param("from holdpoint.engine.agents import Context\ndef f(c: Context, /):", id="positional"),
    pytest.param("from holdpoint.engine.agents import Context\ndef f(*, c: Context):", id="keyword"),
    pytest.param("from holdpoint.engine.agents import Context as C\ndef f(c: 'C'):", id="alias"),
    pytest.param("import holdpoint.engine.agents as hp\ndef f(c: 'hp.Context'):", id="attribute"),
    pytest.param("def f(c: 'Context'):", id="for-type-checkers"),
    pytest.param("def f(c: 'holdpoint.Context'):", id="for-type-checkers-dotted"),
    pytest.param(
        "from __future__ import annotations\nfrom holdpoint.engine.agents import Context\ndef f(c: Context):",
        id="future",
    ),
]


@pytest.mark.parametrize("head", CONTEXT_AGENTS)
def test_a_parameter_annotated_context_gets_it(tmp_path: Path, head: str) -> None:
    _project(tmp_path, agents=f"{head}\n    return [c.key, c.run_id, c.workflow, c.state, c.visit, c.attempt]\n")

    assert _output(_run(_work(tmp_path, "agents:f"))) == ["run_1/draft/2", "run_1", "expense", "draft", 2, 1]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("class Context: pass\ndef f(c: Context = 7):", id="class"),
        pytest.param("class Context: pass\ndef f(c: 'Context' = 7):", id="text"),
        pytest.param("from holdpoint.engine.agents import Context\ndef f(c: list[Context] = 7):", id="list"),
    ],
)
def test_another_annotation_gets_no_context(tmp_path: Path, head: str) -> None:
    _project(tmp_path, agents=f"{head}\n    return c\n")

    assert _output(_run(_work(tmp_path, "agents:f"))) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({}, "missing a required argument: 'amount'", id="missing"),
        pytest.param({"amount": 1, "amuont": 2}, "got an unexpected keyword argument 'amuont'", id="unexpected"),
        pytest.param({"amount": 1, "c": 2}, "'c' is where it takes its context", id="context"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_the_call(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    called = []

    def draft(amount: int, c: Context, text: str = "") -> None:
        called.append(amount)

    failure = _failure(_call(draft, tmp_path, **arguments), "agent_arguments")

    assert message in failure.message
    assert failure.details == {"given": sorted(arguments), "takes": ["amount", "text (optional)"]}
    assert called == []


def test_a_type_error_of_the_function_itself_is_an_error(tmp_path: Path) -> None:
    assert _failure(_call(lambda: len(1), tmp_path), "agent_error").message.startswith("TypeError: ")  # type: ignore[arg-type]


def test_what_a_function_does_to_its_arguments_stays_there(tmp_path: Path) -> None:
    def draft(items: list[int]) -> int:
        items.append(2)
        return len(items)

    work = _work(tmp_path, "agents:x", {"items": [1]})

    assert _output(run(work, registry={"agents:x": draft}, stop=Event())) == 2
    assert work.arguments == {"items": [1]}


# --- async ------------------------------------------------------------------------------------------------------------


async def _slowly(value: int) -> int:
    await asyncio.sleep(0)
    return value + 1


def test_an_async_function_is_awaited(tmp_path: Path) -> None:
    assert _output(_call(_slowly, tmp_path, value=1)) == 2


def test_an_async_function_is_awaited_inside_a_running_loop(tmp_path: Path) -> None:
    async def host() -> Outcome:
        return _call(_slowly, tmp_path, value=1)

    assert _output(asyncio.run(host())) == 2


@pytest.mark.parametrize("is_inside", [False, True], ids=["no-loop", "running-loop"])
def test_an_error_of_an_async_function_is_an_error(tmp_path: Path, is_inside: bool) -> None:
    async def draft() -> None:
        raise LookupError("gone")

    async def host() -> Outcome:
        return _call(draft, tmp_path)

    outcome = asyncio.run(host()) if is_inside else _call(draft, tmp_path)

    assert _failure(outcome, "agent_error").message == "LookupError: gone"


# --- errors -----------------------------------------------------------------------------------------------------------


class _Rude(BaseException):
    pass


class _Mute(Exception):
    def __str__(self) -> str:
        raise _Rude

    __repr__ = __str__


class _FalseText(str):
    __slots__ = ()

    def __format__(self, spec: str) -> str:
        raise ValueError

    __getitem__ = __len__ = __str__ = encode = __format__  # type: ignore[assignment]


class _Deceiver(Exception):
    def __str__(self) -> str:
        return _FalseText("hello")


ERRORS: list[tuple[BaseException, str]] = [
    (ValueError("bad"), "ValueError: bad"),
    (KeyError("key"), "KeyError: 'key'"),
    (AssertionError(), "AssertionError"),
    (StopIteration(3), "StopIteration: 3"),
    (StopAsyncIteration(), "StopAsyncIteration"),
    (GeneratorExit(), "GeneratorExit"),
    (SystemExit(0), "SystemExit: 0"),
    (RecursionError("deep"), "RecursionError: deep"),
    (MemoryError(), "MemoryError"),
    (OSError(5, "disk"), "OSError: [Errno 5] disk"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "UnicodeDecodeError: "),
    (NotImplementedError(), "NotImplementedError"),
    (ExceptionGroup("many", [ValueError(1)]), "ExceptionGroup: many (1 sub-exception)"),
    (asyncio.CancelledError(), "CancelledError"),
    (TimeoutError("late"), "TimeoutError: late"),
    (ImportError("x"), "ImportError: x"),
    (Warning("w"), "Warning: w"),
    (_Rude("rude"), "_Rude: rude"),
    (_Mute(), "_Mute: (it has no readable text)"),
    (_Deceiver(), "_Deceiver: hello"),
    (ValueError("\x1b[31mred\x00\ud800"), "ValueError: \\x1b[31mred\\x00\\ud800"),
]


@pytest.mark.parametrize(("error", "message"), [pytest.param(*case, id=type(case[0]).__name__) for case in ERRORS])
@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_whatever_a_function_raises_is_a_failure(
    tmp_path: Path, error: BaseException, message: str, is_async: bool
) -> None:
    def draft() -> None:
        raise error

    async def draft_slowly() -> None:
        raise error

    failure = _failure(_call(draft_slowly if is_async else draft, tmp_path), "agent_error")

    assert message in failure.message or (is_async and failure.message.startswith("RuntimeError: coroutine raised"))
    assert set(failure.details) == {"type", "traceback"}
    json.dumps(failure.details).encode()


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_ctrl_c_goes_through(tmp_path: Path, is_async: bool) -> None:
    def draft() -> None:
        raise KeyboardInterrupt

    async def draft_slowly() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _call(draft_slowly if is_async else draft, tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_signal_interrupts_an_async_agent_and_leaves_the_handler_as_it_was(tmp_path: Path) -> None:
    async def draft() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        _call(draft, tmp_path)

    assert signal.getsignal(signal.SIGINT) is before


def test_an_output_with_a_hostile_repr_does_not_disturb_the_event_loop(tmp_path: Path) -> None:
    async def draft() -> Any:
        return _Hostile()

    before = signal.getsignal(signal.SIGINT)
    _failure(_call(draft, tmp_path), "agent_output")

    assert signal.getsignal(signal.SIGINT) is before


def test_endless_recursion_is_a_bounded_failure(tmp_path: Path) -> None:
    def draft() -> None:
        draft()

    failure = _failure(_call(draft, tmp_path), "agent_error")

    assert failure.details["type"] == "RecursionError"
    assert len(failure.details["traceback"]) <= python.TRACEBACK_CHARACTERS


def test_a_long_message_is_cut(tmp_path: Path) -> None:
    def draft() -> None:
        raise ValueError("x" * 100_000 + "\x00" * 3_000)

    message = _failure(_call(draft, tmp_path), "agent_error").message

    assert len(message) == python.MESSAGE_CHARACTERS
    assert message.endswith("…")


def test_a_traceback_begins_in_the_agent_and_has_no_values(tmp_path: Path) -> None:
    _project(tmp_path, agents="def draft(secret):\n    inner(secret)\ndef inner(it):\n    raise ValueError('no')\n")

    failure = _failure(_run(_work(tmp_path, "agents:draft", {"secret": "hunter2"})), "agent_error")

    lines = [line for line in failure.details["traceback"].splitlines() if set(line) - set(" ~^")]  # marks of 3.13
    assert lines == [
        '  File "agents.py", line 2, in draft',
        "    inner(secret)",
        '  File "agents.py", line 4, in inner',
        "    raise ValueError('no')",
    ]


# --- outputs ----------------------------------------------------------------------------------------------------------


class _Hostile:
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise SystemError("no class")

    def __repr__(self) -> str:
        raise _Rude


class _OwnDict(dict[str, int]):
    pass


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _cycle() -> Any:
    value: list[Any] = []
    value += [value, value]
    return value


def _wide() -> Any:
    value: Any = 1
    for _ in range(60):
        value = [value, value]
    return value


def _generator() -> Iterator[int]:
    yield 1


BAD_OUTPUTS: list[tuple[str, Callable[[], Any]]] = [
    ("nan", lambda: float("nan")),
    ("infinity", lambda: float("-inf")),
    ("set", lambda: {1}),
    ("frozenset", lambda: frozenset()),
    ("bytes", lambda: b"x"),
    ("complex", lambda: 1j),
    ("date", lambda: __import__("datetime").date(2025, 1, 1)),
    ("decimal", lambda: __import__("decimal").Decimal(1)),
    ("path", lambda: Path("x")),
    ("lone-surrogate", lambda: "\ud800"),
    ("lone-surrogate-key", lambda: {"\ud800": 1}),
    ("huge-integer", lambda: 2**63),
    ("vast-integer", lambda: 10**5000),
    ("key-is-a-number", lambda: {1: 2}),
    ("deep-list", lambda: _nested(10_000)),
    ("cycle", _cycle),
    ("shared-parts", _wide),
    ("subclass-of-dict", lambda: _OwnDict(a=1)),
    ("subclass-of-str", lambda: _FalseText("x")),
    ("hostile", _Hostile),
    ("hostile-part", lambda: {"a": [_Hostile()]}),
    ("type", lambda: int),
    ("function", lambda: print),
    ("generator", _generator),
    ("coroutine-part", lambda: {"a": _slowly(1)}),
    ("coroutine-of-coroutines", lambda: [_slowly(1), [_slowly(2)]]),
    ("context", lambda: CONTEXT),
    ("too-large", lambda: "x" * (1 << 20)),
    ("too-many", lambda: [0] * (1 << 20)),
]


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in BAD_OUTPUTS])
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_what_is_not_json_is_no_output(tmp_path: Path, make: Callable[[], Any]) -> None:
    failure = _failure(_call(make, tmp_path), "agent_output")

    assert failure.message.startswith("output of draft")
    assert len(failure.message) < 200


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param(None, None, id="none"),
        pytest.param((1, (2,)), [1, [2]], id="tuples"),
        pytest.param("a\x00b", "a\x00b", id="nul"),
        pytest.param(2**63 - 1, 2**63 - 1, id="largest-integer"),
        pytest.param(-0.5, -0.5, id="float"),
        pytest.param(True, True, id="boolean"),
    ],
)
def test_what_is_json_is_the_output(tmp_path: Path, given: Any, taken: Any) -> None:
    output = _output(_call(lambda: given, tmp_path))

    assert output == taken
    assert type(output) is type(taken)


def test_the_output_is_a_copy(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"items": []}

    output = _output(_call(lambda: kept, tmp_path))
    kept["items"].append(1)

    assert output == {"items": []}


def test_a_plain_function_loads_neither_subprocess_nor_asyncio() -> None:
    program = (
        "import sys; from pathlib import Path; from threading import Event\n"
        "from holdpoint.engine.agents import Context, Work, run\n"
        "context = Context(key='k', run_id='r', workflow='w', state='s', visit=1, attempt=1)\n"
        "work = Work(kind='python', target='json:dumps', arguments={'obj': 1}, context=context, project=Path('.'),\n"
        "            timeout=1, max_bytes=9)\n"
        "assert run(work, registry={}, stop=Event()).output == '1'\n"
        "print(sorted({'subprocess', 'asyncio', 'selectors'} & set(sys.modules)))"
    )

    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"


# --- commands ---------------------------------------------------------------------------------------------------------

pytest_posix = pytest.mark.skipif(os.name != "posix", reason="process groups and signals are POSIX")


def _program(tmp_path: Path, source: str, *arguments: str) -> Work:
    (tmp_path / "program.py").write_text(source)
    return _work(tmp_path, ("python", "program.py", *arguments))


def _is_running(pid: int) -> bool:
    """Whether a process is more than a zombie that nobody has reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _ends(pid: int) -> bool:
    waiting, deadline = Event(), time.monotonic() + 5
    while _is_running(pid) and time.monotonic() < deadline:
        waiting.wait(0.01)
    return not _is_running(pid)


class _When(Event):
    """An event that is set once something is so."""

    def __init__(self, is_so: Callable[[], object]) -> None:
        super().__init__()
        self._is_so = is_so

    def is_set(self) -> bool:
        return bool(self._is_so())


def test_a_command_gets_json_and_gives_json(tmp_path: Path) -> None:
    source = (
        "import json, os, sys\nprint('note', file=sys.stderr)\n"
        "print(json.dumps([json.load(sys.stdin), os.environ['FLOW_KEY'], os.getcwd(), sys.executable, sys.argv[1:]]))"
    )
    work = replace(_program(tmp_path, source, "a b", "$HOME"), arguments={"text": "ü"})

    outcome = _run(work)

    assert _output(outcome) == [
        {"text": "ü"},
        "run_1/draft/2",
        os.path.realpath(tmp_path),
        sys.executable,
        ["a b", "$HOME"],
    ]
    assert outcome.stderr == "note\n"


@pytest.mark.parametrize("text", ["", " \n"], ids=["empty", "blank"])
def test_no_output_is_none(tmp_path: Path, text: str) -> None:
    assert _run(_program(tmp_path, f"print({text!r}, end='')")) == Success(output=None)


def test_a_large_value_goes_both_ways_through_full_pipes(tmp_path: Path) -> None:
    source = (
        "import sys\nsys.stderr.write('e' * 300_000)\nsys.stderr.flush()\n"
        "sys.stdout.write('\"' + 'o' * 500_000)\nsys.stdout.flush()\n"
        "sys.stdin.read()\nsys.stdout.write('\"')\n"
    )
    work = replace(_program(tmp_path, source), arguments={"text": "i" * 1_000_000})

    assert _output(_run(work)) == "o" * 500_000


@pytest.mark.parametrize("source", ["print(1)", "import os; os.close(0); print(1)"], ids=["ignored", "closed"])
def test_a_command_need_not_read_its_arguments(tmp_path: Path, source: str) -> None:
    assert _output(_run(replace(_program(tmp_path, source), arguments={"text": "i" * 1_000_000}))) == 1


def test_another_status_is_a_failure_that_ends_with_the_last_words(tmp_path: Path) -> None:
    source = "import sys\nprint('{}')\nprint('first\\nno such account', file=sys.stderr)\nsys.exit(3)"

    failure = _failure(_run(_program(tmp_path, source)), "agent_exit")

    assert failure.message == "command 'python' ended with status 3: no such account"
    assert failure.details == {"status": 3}
    assert failure.stderr == "first\nno such account\n"


@pytest_posix
@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM"])
def test_a_signal_is_named(tmp_path: Path, name: str) -> None:
    source = f"import os, signal\nos.kill(os.getpid(), signal.{name})"

    failure = _failure(_run(_program(tmp_path, source)), "agent_exit")

    assert failure.message == f"command 'python' was ended by {name}"
    assert failure.details["status"] < 0


@pytest_posix
def test_a_program_that_is_none_is_missing(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    (tmp_path / "nonsense").write_bytes(b"\x00\x01")
    (tmp_path / "nonsense").chmod(0o755)

    for name in ("no-such-program", "./no-such-program", "./plain", "./nonsense", "."):
        failure = _failure(_run(_work(tmp_path, (name,))), "agent_missing")
        assert failure.message.startswith(f"command '{name}' cannot be started: ")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    failure = _failure(_run(_work(tmp_path / "gone", ("python",))), "agent_missing")

    assert f"the project's folder '{tmp_path / 'gone'}' does not exist" in failure.message


def test_an_argument_that_no_program_can_take_is_an_error_that_does_not_tell_it(tmp_path: Path) -> None:
    failure = _failure(_run(_work(tmp_path, ("python", "secret\x00"))), "agent_error")

    assert failure.message == "command 'python' cannot be started: embedded null byte"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"hello", "output of draft is not JSON: expecting value at line 1, column 1", id="text"),
        pytest.param(b"{} {}", "output of draft is not JSON: extra data at line 1, column 4", id="two"),
        pytest.param(b"[NaN]", "output of draft is not JSON: NaN is not a JSON number", id="nan"),
        pytest.param(b'{"a":1,"a":2}', "output of draft is not JSON: duplicate key 'a'", id="duplicate"),
        pytest.param(b"[1e999]", "output of draft[0] is not JSON: inf is not a JSON number", id="overflow"),
        pytest.param(b'"\xff"', "output of draft is not JSON: not UTF-8 at byte 1", id="bytes"),
        pytest.param('"x"'.encode("utf-16"), "output of draft is not JSON: not UTF-8 at byte 0", id="utf-16"),
        pytest.param(b"[" * 5000 + b"]" * 5000, "output of draft is not JSON: nested deeper than 64", id="deep"),
    ],
)
def test_output_that_is_no_json_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    failure = _failure(_run(_program(tmp_path, f"import sys; sys.stdout.buffer.write({text!r})")), "agent_output")

    assert failure.message == message
    assert len(failure.details["begins"]) <= 200


def test_output_of_the_largest_size_is_taken_and_a_byte_more_is_not(tmp_path: Path) -> None:
    work = replace(_program(tmp_path, "print('\"12345678\"')"), max_bytes=10)

    assert _output(_run(work)) == "12345678"
    assert "is 10 bytes; at most 9" in _failure(_run(replace(work, max_bytes=9)), "agent_output").message


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_flood_is_bounded(tmp_path: Path, stream: str) -> None:
    source = f"import sys\nwhile True:\n    sys.{stream}.write('x' * 65536)"
    work = replace(_program(tmp_path, source), timeout=0.5, max_bytes=100_000)

    outcome = _run(work)

    if stream == "stdout":
        assert _failure(outcome, "agent_output").message == "output of draft is larger than 100000 bytes"
    else:
        assert len(_failure(outcome, "agent_timeout").stderr) < 9_000


def test_the_ends_of_a_long_standard_error_are_kept(tmp_path: Path) -> None:
    source = "import sys\nsys.stderr.buffer.write(b'\\x1b[31m\\xff\\r' + b'x' * 100_000 + b'the end\\n')"

    outcome = _run(_program(tmp_path, source))

    assert outcome.stderr.startswith("\\x1b[31m\ufffd\\x0dxxx")
    assert outcome.stderr.endswith("xxxthe end\n")
    assert "\n… 91823 bytes left out …\n" in outcome.stderr


@pytest_posix
def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    source = "import sys, time\nprint('begun', file=sys.stderr, flush=True)\ntime.sleep(60)"
    begun, spent = time.monotonic(), time.process_time()

    failure = _failure(_run(replace(_program(tmp_path, source), timeout=0.5)), "agent_timeout")

    assert failure.message == "command 'python' took longer than 0.5 s"
    assert failure.details == {"timeout": 0.5}
    assert failure.stderr == "begun\n"
    assert 0.5 <= time.monotonic() - begun < 5
    assert time.process_time() - spent < 0.25, "waiting costs no work"


@pytest_posix
@pytest.mark.parametrize(
    "loop",
    ["time.sleep(60)", "pass", "os.close(1); os.close(2); time.sleep(60)"],
    ids=["sleeps", "works", "closes-its-pipes"],
)
def test_a_command_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path, loop: str) -> None:
    source = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open('pid', 'w').write(str(os.getpid()))\nwhile True: {loop}"
    )
    begun, spent = time.monotonic(), time.process_time()

    outcome = command.run(replace(_program(tmp_path, source), timeout=0.4), stop=Event(), grace=0.2)

    _failure(outcome, "agent_timeout")
    assert 0.6 <= time.monotonic() - begun < 5
    assert time.process_time() - spent < 0.2, "waiting costs no work"
    assert not _is_running(int((tmp_path / "pid").read_text()))


@pytest_posix
def test_a_command_may_clean_up_when_it_is_ended(tmp_path: Path) -> None:
    source = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (sys.stderr.write('x' * 200_000), sys.exit('cleaned')))\n"
        "open('ready', 'w').close()\ntime.sleep(60)"
    )

    outcome = _run(_program(tmp_path, source), _When((tmp_path / "ready").exists))

    assert _failure(outcome, "agent_stopped").stderr.endswith("xcleaned\n")


@pytest_posix
def test_a_stop_ends_the_command_and_what_it_started(tmp_path: Path) -> None:
    source = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "open('pid.new', 'w').write(str(child.pid))\nimport os; os.rename('pid.new', 'pid')\ntime.sleep(60)"
    )

    failure = _failure(_run(_program(tmp_path, source), _When((tmp_path / "pid").exists)), "agent_stopped")

    assert failure.message == "command 'python' was stopped: its lease was lost, or the run was cancelled"
    assert _ends(int((tmp_path / "pid").read_text()))


@pytest_posix
def test_a_process_left_behind_with_the_pipes_is_not_waited_for(tmp_path: Path) -> None:
    begun = time.monotonic()

    pid = _output(_run(_work(tmp_path, ("sh", "-c", "sleep 60 & echo $!"))))

    assert 0.9 < time.monotonic() - begun < 10
    assert _ends(pid)


@pytest_posix
def test_a_process_left_behind_without_the_pipes_is_ended_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LINGER", 30.0)
    begun = time.monotonic()

    pid = _output(_run(_work(tmp_path, ("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"))))

    assert time.monotonic() - begun < 10
    assert _ends(pid)


@pytest_posix
def test_a_daemon_that_left_the_group_does_not_hold_us(tmp_path: Path) -> None:
    source = "import subprocess\nchild = subprocess.Popen(['sleep', '60'], start_new_session=True)\nprint(child.pid)\n"
    begun = time.monotonic()

    pid = _output(_run(_program(tmp_path, source)))

    assert time.monotonic() - begun < 10
    assert _is_running(pid)
    os.kill(pid, 9)


@pytest_posix
def test_no_zombie_is_left(tmp_path: Path) -> None:
    pid = _output(_run(_program(tmp_path, "import os; print(os.getpid())")))

    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


@pytest_posix
def test_ctrl_c_kills_the_command_and_goes_on(tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def interrupt() -> bool:
        if ready.exists():
            raise KeyboardInterrupt
        return False

    source = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open('pid', 'w').write(str(os.getpid()))\nopen('ready', 'w').close()\ntime.sleep(60)"
    )
    with pytest.raises(KeyboardInterrupt):
        _run(_program(tmp_path, source), _When(interrupt))

    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


@pytest_posix
def test_a_command_leaves_no_open_files(tmp_path: Path) -> None:
    _run(_program(tmp_path, "print(1)"))
    before = sorted(os.listdir("/proc/self/fd"))

    for target in (("python", "program.py"), ("no-such-program",), ("sh", "-c", "exit 3")):
        _run(_work(tmp_path, target))

    assert sorted(os.listdir("/proc/self/fd")) == before


def test_the_codes_of_failures_are_those_that_the_engine_gives() -> None:
    folder = Path(command.__file__).parents[1]
    named = Counter(
        code for path in folder.rglob("*.py") for code in re.findall(r'"(agent_[a-z]+)"', path.read_text("utf-8"))
    )

    assert set(named) == set(FAILURES)
    assert min(named.values()) >= 2, "each is in the table, and given somewhere"
