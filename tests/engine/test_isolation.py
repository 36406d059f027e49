"""Isolated Python agents: whatever one does to its own process, the engine's goes on and notes what came of it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from holdpoint.api import Engine
from holdpoint.engine.agents import Context, Crashed, Failure, Outcome, Success, Work, isolated, process, run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups and signals are POSIX")

CONTEXT = Context(key="run_1/draft/2", run_id="run_1", workflow="expense", state="draft", visit=2, attempt=1)
MEBIBYTE = 1 << 20


def _work(project: Path, target: str, arguments: Mapping[str, Any] | None = None, timeout: float = 30.0) -> Work:
    return Work(
        kind="python",
        target=target,
        arguments=dict(arguments or {}),
        context=CONTEXT,
        project=project,
        timeout=timeout,
        max_bytes=MEBIBYTE,
        is_isolated=True,
    )


def _run(work: Work, stop: Event | None = None) -> Outcome | Crashed:
    return run(work, registry={}, stop=stop or Event())


def _agent(folder: Path, source: str) -> Work:
    """An agent whose body is *source*; what it imports is in reach."""
    lines = "".join(f"    {line}\n" for line in source.splitlines())
    (folder / "agents.py").write_text(f"import atexit, os, signal, subprocess, sys, threading, time\ndef f():\n{lines}")
    return _work(folder, "agents:f")


def _output(outcome: Outcome | Crashed) -> Any:
    assert isinstance(outcome, Success), outcome
    return outcome.output


def _failure(outcome: Outcome | Crashed, code: str) -> Failure:
    assert isinstance(outcome, Failure), outcome
    assert outcome.code == code, outcome
    return outcome


def _reason(outcome: Outcome | Crashed) -> str:
    assert isinstance(outcome, Crashed), outcome
    return outcome.reason


def _at_once(
    folder: Path, sources: Mapping[str, str], *, timeout: float = 30.0, threads: int = 4
) -> dict[str, tuple[Any, float]]:
    """What comes of agents that run at the same time, by name, and how long each took."""

    def attempt(source: str, place: Path) -> tuple[Any, float]:
        place.mkdir()
        begun = time.monotonic()
        outcome = _run(replace(_agent(place, source), timeout=timeout))
        return outcome, time.monotonic() - begun

    with ThreadPoolExecutor(threads) as pool:
        places = [folder / f"{index}" for index in range(len(sources))]
        return dict(zip(sources, pool.map(attempt, sources.values(), places), strict=True))


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _all_end(pids: Iterable[int]) -> bool:
    return all(_comes(lambda pid=pid: not _is_running(pid)) for pid in pids)  # type: ignore[misc]


def _comes(is_so: Callable[[], object], seconds: float = 10.0) -> bool:
    waiting, deadline = Event(), time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        waiting.wait(0.01)
    return bool(is_so())


class _When(Event):
    """An event that is set once something is so."""

    def __init__(self, is_so: Callable[[], object]) -> None:
        super().__init__()
        self._is_so = is_so

    def is_set(self) -> bool:
        return bool(self._is_so())


@pytest.fixture(autouse=True)
def _this_process_is_as_it_was() -> Iterator[None]:
    def state() -> list[object]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        files = sorted(os.listdir("/proc/self/fd"))
        return [os.getcwd(), environment, list(sys.path), files, time.time, signal.getsignal(signal.SIGTERM)]

    before = state()
    yield
    assert state() == before


# --- what an agent finds ----------------------------------------------------------------------------------------------


def test_an_agent_gets_arguments_and_context_and_its_output_comes_back(tmp_path: Path) -> None:
    source = (
        "from holdpoint import Context\nimport helper\n"
        "def draft(amount, c: Context):\n    return [amount, c.key, c.run_id, c.state, c.visit, c.attempt, helper.X]\n"
    )
    (tmp_path / "agents.py").write_text(source)
    (tmp_path / "helper.py").write_text("X = 'ü\\0'\n")

    outcome = _run(_work(tmp_path, "agents:draft", {"amount": "€\n"}))

    assert outcome == Success(output=["€\n", "run_1/draft/2", "run_1", "draft", 2, 1, "ü\0"])


def test_an_async_agent_is_awaited(tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text("import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 4\n")

    assert _output(_run(_work(tmp_path, "agents:f"))) == 4


def test_it_runs_in_the_projects_folder_with_nothing_to_read_and_the_key(tmp_path: Path) -> None:
    work = _agent(
        tmp_path, "return [os.getcwd(), sys.stdin.read(), os.environ['FLOW_KEY'], os.getpid() == os.getpgrp()]"
    )

    assert _output(_run(work)) == [os.path.realpath(tmp_path), "", "run_1/draft/2", True]


def test_every_attempt_is_a_process_of_its_own(tmp_path: Path) -> None:
    work = _agent(tmp_path, "globals()['calls'] = globals().get('calls', 0) + 1\nreturn [os.getpid(), calls]")

    first, second = _output(_run(work)), _output(_run(work))

    assert len({first[0], second[0], os.getpid()}) == 3
    assert first[1] == second[1] == 1


def test_it_imports_from_where_this_process_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "vendored.py").write_text("def f():\n    return 'vendored'\n")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", ["lib", *sys.path])

        assert _output(_run(_work(tmp_path / "project", "vendored:f"))) == "vendored"


def test_a_module_of_the_project_does_not_stand_in_for_one_that_the_worker_needs(tmp_path: Path) -> None:
    for name in ("json", "os", "holdpoint", "dataclasses", "typing", "isolated", "python"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('mine')\n")

    assert _output(_run(_agent(tmp_path, "return 1"))) == 1


def test_what_it_prints_is_kept_and_goes_nowhere_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = (
        "print('one')\nprint('two', file=sys.stderr)\nos.write(1, b'three\\x1b\\n')\nsubprocess.run(['echo', 'four'])"
    )

    outcome = _run(_agent(tmp_path, source))

    assert outcome == Success(output=None, stderr="one\ntwo\nthree\\x1b\nfour\n")
    assert capfd.readouterr() == ("", "")


def test_what_was_printed_before_a_crash_is_in_its_reason(tmp_path: Path) -> None:
    outcome = _run(_agent(tmp_path, "print('no licence found')\nos._exit(7)"))

    assert _reason(outcome) == "its process ended with status 7 without an answer: no licence found"


def test_a_flood_of_prints_is_bounded(tmp_path: Path) -> None:
    outcome = _run(_agent(tmp_path, "for _ in range(400):\n    sys.stdout.write('x' * 65536)"))

    assert _output(outcome) is None
    assert isinstance(outcome, Success)
    assert len(outcome.stderr) < 3 * process.STDERR_BYTES


def test_what_hooks_of_the_interpreter_print_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello')\nimport os\nos.write(1, b'there\\n')\n")
    work = _agent(tmp_path, "return 1")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONUNBUFFERED", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))

        assert _output(_run(work)) == 1


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("nowhere:f", "agent_missing", "there is no module 'nowhere'"),
        ("agents:g", "agent_missing", "has no function 'g'"),
        ("broken:f", "agent_import", "SyntaxError"),
        ("leaving:f", "agent_import", "SystemExit: 3"),
        ("agents:f", "agent_arguments", "unexpected keyword argument 'wrong'"),
    ],
)
def test_what_cannot_be_called_is_told_as_in_the_engines_own_process(
    tmp_path: Path, target: str, code: str, message: str
) -> None:
    (tmp_path / "agents.py").write_text("def f(right=1):\n    return 1\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "leaving.py").write_text("import sys; sys.exit(3)\n")

    failure = _failure(_run(_work(tmp_path, target, {"wrong": 1})), code)

    assert message in failure.message


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    failure = _failure(_run(_work(tmp_path / "gone", "agents:f")), "agent_missing")

    assert failure.message.endswith(f"cannot be started: the project's folder '{tmp_path / 'gone'}' does not exist")


def test_an_interpreter_that_cannot_be_started_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")

    assert "cannot be started" in _failure(_run(_agent(tmp_path, "return 1")), "agent_error").message


def test_a_replacement_runs_in_this_process(tmp_path: Path) -> None:
    work = _work(tmp_path, "agents:f")

    assert _output(run(work, registry={"agents:f": os.getpid}, stop=Event())) == os.getpid()
    assert _output(run(work, registry={"expense/draft": os.getpid}, stop=Event())) == os.getpid()


def test_a_worker_loads_no_more_of_the_engine_than_it_needs(tmp_path: Path) -> None:
    work = _agent(tmp_path, "return sorted(name for name in sys.modules if name.startswith('holdpoint.'))")

    assert _output(_run(work)) == [
        "holdpoint.engine",
        "holdpoint.engine.agents",
        "holdpoint.engine.agents.python",
        "holdpoint.engine.agents.texts",
        "holdpoint.engine.canonical",
        "holdpoint.engine.errors",
    ]


# --- exceptions -------------------------------------------------------------------------------------------------------

RAISES = {
    "ValueError('bad')": "ValueError: bad",
    "KeyError('key')": "KeyError: 'key'",
    "AssertionError()": "AssertionError",
    "StopIteration(3)": "StopIteration: 3",
    "StopAsyncIteration()": "StopAsyncIteration",
    "GeneratorExit()": "GeneratorExit",
    "SystemExit(0)": "SystemExit: 0",
    "KeyboardInterrupt('stop')": "KeyboardInterrupt: stop",
    "BaseException('base')": "BaseException: base",
    "RecursionError('deep')": "RecursionError: deep",
    "MemoryError()": "MemoryError",
    "OSError(5, 'disk')": "OSError: [Errno 5] disk",
    "BrokenPipeError(32, 'pipe')": "BrokenPipeError: [Errno 32] pipe",
    "UnicodeDecodeError('utf-8', b'\\xff', 0, 1, 'no')": "UnicodeDecodeError: ",
    "NotImplementedError()": "NotImplementedError",
    "ExceptionGroup('many', [ValueError(1)])": "ExceptionGroup: many (1 sub-exception)",
    "BaseExceptionGroup('all', [SystemExit(1)])": "BaseExceptionGroup: all (1 sub-exception)",
    "TimeoutError('late')": "TimeoutError: late",
    "ImportError('x')": "ImportError: x",
    "SyntaxError('x')": "SyntaxError: x",
    "Warning('w')": "Warning: w",
    "ValueError('\\x1b[31mred\\0\\ud800')": "ValueError: \\x1b[31mred\\x00\\ud800",
    "type('Mute', (BaseException,), {'__str__': lambda self: 1 / 0})()": "Mute: (it has no readable text)",
}


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, float]]:
    """What came of an agent for each exception."""
    return _at_once(tmp_path_factory.mktemp("raised"), {error: f"raise {error}" for error in RAISES})


@pytest.mark.parametrize(("error", "message"), RAISES.items(), ids=[name.partition("(")[0] for name in RAISES])
def test_whatever_an_agent_raises_is_a_failure(raised: dict[str, tuple[Any, float]], error: str, message: str) -> None:
    failure = _failure(raised[error][0], "agent_error")

    assert message in failure.message
    assert failure.details["traceback"].startswith('  File "agents.py", line 3, in f\n')


# --- outputs ----------------------------------------------------------------------------------------------------------

GARBAGE = {
    "nan": "return float('nan')",
    "infinity": "return {'a': float('-inf')}",
    "set": "return {1}",
    "frozenset": "return frozenset()",
    "bytes": "return b'x'",
    "bytearray": "return bytearray(b'x')",
    "memoryview": "return memoryview(b'x')",
    "complex": "return 1j",
    "date": "import datetime\nreturn datetime.date(2025, 1, 1)",
    "datetime": "import datetime\nreturn [datetime.datetime(2025, 1, 1)]",
    "decimal": "import decimal\nreturn decimal.Decimal(1)",
    "fraction": "import fractions\nreturn fractions.Fraction(1)",
    "uuid": "import uuid\nreturn uuid.uuid4()",
    "path": "import pathlib\nreturn pathlib.Path('x')",
    "enum": "import enum\nreturn enum.IntEnum('E', 'a').a",
    "lone-surrogate": "return '\\ud800'",
    "lone-surrogate-key": "return {'\\ud800': 1}",
    "huge-integer": "return 2**63",
    "vast-integer": "return 10**5000",
    "key-is-a-number": "return {1: 2}",
    "key-is-none": "return {None: 2}",
    "deep-list": "v = 1\nfor _ in range(10_000): v = [v]\nreturn v",
    "deep-object": "v = 1\nfor _ in range(65): v = {'a': v}\nreturn v",
    "cycle": "v = []\nv += [v, v]\nreturn v",
    "shared-parts": "v = 1\nfor _ in range(60): v = [v, v]\nreturn v",
    "subclass-of-dict": "return type('D', (dict,), {})(a=1)",
    "subclass-of-str": "return type('S', (str,), {'encode': None})('x')",
    "subclass-of-int": "return type('I', (int,), {'__repr__': lambda self: 1 / 0})(1)",
    "ordered-dict": "import collections\nreturn collections.OrderedDict(a=1)",
    "hostile-class": "return type('H', (), {'__class__': property(lambda self: 1 / 0)})()",
    "hostile-repr": "return [type('H', (), {'__repr__': lambda self: sys.exit(9)})()]",
    "hostile-del": "return type('H', (), {'__del__': lambda self: os._exit})()",
    "type": "return int",
    "function": "return f",
    "module": "return sys",
    "generator": "return (x for x in [1])",
    "coroutine-part": "async def g(): pass\nreturn {'a': g()}",
    "lock": "return threading.Lock()",
    "open-file": "return open(__file__)",
    "exception": "return ValueError('x')",
    "range": "return range(3)",
    "mebibyte": "return 'x' * (1 << 20)",
    "10-megabytes": "return 'x' * 10_000_000",
    "50-megabytes": "return {'a': ['ü' * 25_000_000]}",
    "too-many-parts": "return [0] * (1 << 20)",
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, float]]:
    """What came of an agent for each kind of garbage."""
    return _at_once(tmp_path_factory.mktemp("given"), GARBAGE)


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_no_output(given: dict[str, tuple[Any, float]], kind: str) -> None:
    failure = _failure(given[kind][0], "agent_output")

    assert failure.message.startswith("output of draft")
    assert len(failure.message) < 200


def test_the_largest_output_is_taken_and_a_byte_more_is_not(tmp_path: Path) -> None:
    largest = _agent(tmp_path, f"return '€' * {MEBIBYTE // 3 - 1} + 'x' * {(MEBIBYTE - 2) - 3 * (MEBIBYTE // 3 - 1)}")

    assert len(_output(_run(largest)).encode()) == MEBIBYTE - 2
    one_more = _run(_agent(tmp_path, f"return 'x' * {MEBIBYTE - 1}"))
    assert f"is {MEBIBYTE + 1} bytes" in _failure(one_more, "agent_output").message


def test_large_values_go_both_ways(tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text("def f(text):\n    print('e' * 300_000)\n    return text[::-1]\n")

    assert _output(_run(_work(tmp_path, "agents:f", {"text": "a" + "b" * 900_000}))) == "b" * 900_000 + "a"


def _into_the_answer(data: str) -> str:
    """Source that writes into every pipe it finds, as if the answer were the agent's to give."""
    return (
        "for fd in range(3, 32):\n"
        "    try:\n"
        "        os.set_blocking(fd, True)\n"
        f"        os.write(fd, {data})\n"
        "    except OSError:\n"
        "        pass\n"
    )


def test_no_more_is_read_than_an_answer_may_have(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    outcome = _run(_agent(tmp_path, _into_the_answer("b'x' * 200_000_000")))

    assert f"larger than {MEBIBYTE} bytes" in _failure(outcome, "agent_output").message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000, "in KiB"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("hello", "expecting value"),
        ('{"output":NaN}', "NaN"),
        ('{"output":1,"output":2}', "duplicate key"),
        ('{"outputs":1}', "neither an output nor a failure"),
        ('{"code":"agent_error","message":7,"details":{}}', "neither an output nor a failure"),
        ("[1]", "neither an output nor a failure"),
        ("\\xff", "not UTF-8"),
        ("", "expecting value"),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_crash(tmp_path: Path, answer: str, why: str) -> None:
    reason = _reason(_run(_agent(tmp_path, _into_the_answer(f"b'\\n{answer}\\0'") + "os._exit(0)")))

    assert reason.startswith("its process gave no answer that can be read: ")
    assert why in reason


# --- hanging ----------------------------------------------------------------------------------------------------------

TIMEOUT = 2.0
_BEGUN = "open('begun', 'w').write(str(os.getpid()))\n"
HANGS = {
    "sleeps": "time.sleep(60)",
    "works": "while True: pass",
    "ignores-sigterm": "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(60)",
    "ignores-all": (
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "threading.Thread(target=time.sleep, args=[60]).start()\nwhile True: time.sleep(60)"
    ),
    "waits-in-c": "import ctypes\nctypes.PyDLL(None).sleep(60)",  # with the interpreter's lock held
    "waits-for-a-lock": "lock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "waits-for-a-child": "subprocess.run(['sleep', '60'])",
    "waits-for-a-pipe": "os.read(os.pipe()[0], 1)",
    "waits-for-an-event": "import asyncio\nasyncio.run(asyncio.Event().wait())",
}


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[Any, float]]]:
    """What came of an agent for each way to hang, and the folder of all their projects."""
    folder = tmp_path_factory.mktemp("hung")
    sources = {kind: _BEGUN + source for kind, source in HANGS.items()}
    return folder, _at_once(folder, sources, timeout=TIMEOUT, threads=len(sources))


@pytest.mark.parametrize("kind", HANGS)
def test_what_hangs_is_ended_within_two_seconds(hung: tuple[Path, dict[str, tuple[Any, float]]], kind: str) -> None:
    outcome, took = hung[1][kind]

    failure = _failure(outcome, "agent_timeout")

    assert failure.message == f"python agent 'agents:f' took longer than {TIMEOUT:g} s"
    assert failure.details == {"timeout": TIMEOUT}
    assert TIMEOUT <= took < TIMEOUT + 2
    assert not _is_running(int((hung[0] / str(list(HANGS).index(kind)) / "begun").read_text()))


def test_a_module_that_hangs_while_it_is_imported_is_ended(tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text("import time\ntime.sleep(60)\n")

    _failure(_run(_work(tmp_path, "agents:f", timeout=0.3)), "agent_timeout")


def test_what_an_agent_printed_before_it_hung_is_kept(tmp_path: Path) -> None:
    work = _agent(tmp_path, "print('begun')\nopen('begun', 'w').close()\ntime.sleep(60)")

    assert _failure(_run(work, _When((tmp_path / "begun").exists)), "agent_stopped").stderr == "begun\n"


def test_a_stop_ends_the_worker_and_what_it_started(tmp_path: Path) -> None:
    source = (
        "child = subprocess.Popen(['sleep', '60'])\n"
        "open('new', 'w').write(f'{os.getpid()} {child.pid}')\nos.rename('new', 'pids')\ntime.sleep(60)"
    )

    failure = _failure(_run(_agent(tmp_path, source), _When((tmp_path / "pids").exists)), "agent_stopped")

    assert failure.message == "python agent 'agents:f' was stopped: its lease was lost, or the run was cancelled"
    assert _all_end(map(int, (tmp_path / "pids").read_text().split()))


def test_an_agent_may_clean_up_when_it_is_stopped(tmp_path: Path) -> None:
    source = (
        "def clean(*_):\n    open('cleaned', 'w').close()\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, clean)\nopen('ready', 'w').close()\ntime.sleep(60)"
    )

    _failure(_run(_agent(tmp_path, source), _When((tmp_path / "ready").exists)), "agent_stopped")

    assert (tmp_path / "cleaned").exists()


def test_ctrl_c_kills_the_worker_and_goes_on(tmp_path: Path) -> None:
    def interrupt() -> bool:
        if (tmp_path / "begun").exists():
            raise KeyboardInterrupt
        return False

    source = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('new', 'w').write(str(os.getpid()))\n"
        "os.rename('new', 'begun')\ntime.sleep(60)"
    )
    with pytest.raises(KeyboardInterrupt):
        _run(_agent(tmp_path, source), _When(interrupt))

    with pytest.raises(ChildProcessError):
        os.waitpid(int((tmp_path / "begun").read_text()), os.WNOHANG)


@pytest.mark.parametrize(
    "hang", ["time.sleep(60)", "import ctypes\nctypes.PyDLL(None).sleep(60)"], ids=["sleeps", "in-c"]
)
def test_a_worker_dies_with_the_engine(tmp_path: Path, hang: str) -> None:
    _agent(
        tmp_path,
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nchild = subprocess.Popen(['sleep', '60'])\n"
        f"open('new', 'w').write(f'{{os.getpid()}} {{child.pid}}')\nos.rename('new', 'pids')\n{hang}",
    )
    program = (
        "from pathlib import Path; from threading import Event\n"
        "from holdpoint.engine.agents import Context, Work, run\n"
        "context = Context(key='k', run_id='r', workflow='w', state='s', visit=1, attempt=1)\n"
        "work = Work(kind='python', target='agents:f', arguments={}, context=context, project=Path.cwd(),\n"
        "            timeout=60, max_bytes=1000, is_isolated=True)\n"
        "run(work, registry={}, stop=Event())"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as engine:
        assert _comes((tmp_path / "pids").exists)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(_is_running(pid) for pid in pids)
        engine.kill()

    assert _all_end(pids)


# --- crashes ----------------------------------------------------------------------------------------------------------

CRASHES = {
    "exits": ("os._exit(3)", "ended with status 3"),
    "exits-with-success": ("os._exit(0)", "ended with status 0"),
    "segfault": ("import ctypes\nctypes.string_at(0)", "was ended by SIGSEGV"),
    "aborts": ("os.abort()", "was ended by SIGABRT"),
    "out-of-memory": ("os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
    "terminates": ("os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", "was ended by SIGTERM"),
    "kills-its-group": ("os.killpg(0, signal.SIGKILL)\ntime.sleep(60)", "was ended by SIGKILL"),
    "becomes-another": ("os.execvp('true', ['true'])", "ended with status 0"),
    "closes-all-files": ("os.closerange(3, 256)", "ended with status 1"),
    "takes-the-answers-number": (
        "os.closerange(3, 256)\nfor n in range(9): globals()[n] = open(f'mine{n}', 'w')",
        "ended with status 1",
    ),
}

if sys.version_info < (3, 12):  # newer interpreters raise RecursionError before the stack is full
    CRASHES["overflows-the-stack"] = (
        "import ctypes\nsys.setrecursionlimit(10**9)\nresource = __import__('resource')\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "x = []\nfor _ in range(10**6): x = [x]\nrepr(x)",
        "was ended by SIGSEGV",
    )


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[Any, float]]]:
    """What came of an agent for each way to crash, and the folder of all their projects."""
    folder = tmp_path_factory.mktemp("crashed")
    return folder, _at_once(folder, {kind: source for kind, (source, _) in CRASHES.items()})


@pytest.mark.parametrize("kind", CRASHES)
def test_an_end_without_an_answer_is_a_crash(crashed: tuple[Path, dict[str, tuple[Any, float]]], kind: str) -> None:
    reason = _reason(crashed[1][kind][0])

    assert reason.startswith(f"its process {CRASHES[kind][1]} without an answer")


def test_no_answer_goes_into_a_file_of_the_agents(crashed: tuple[Path, dict[str, tuple[Any, float]]]) -> None:
    files = list((crashed[0] / str(list(CRASHES).index("takes-the-answers-number"))).glob("mine*"))

    assert len(files) == 9
    assert all(file.read_text() == "" for file in files)


# --- misbehaviour -----------------------------------------------------------------------------------------------------

ANSWERS_ALL_THE_SAME = {
    "changes-folder": "os.chdir('/')",
    "changes-environment": "os.environ.clear()\nos.putenv('PATH', '')",
    "changes-time": "time.time = time.monotonic = lambda: 0\ntime.sleep = None",
    "changes-json": "import json\njson.dumps = json.JSONEncoder = json.encoder = None",
    "changes-builtins": "import builtins\nbuiltins.print = builtins.open = None",
    "changes-modules": "sys.path.clear()\nfor name in ('agents', 'json', 'inspect'): sys.modules.pop(name, None)",
    "changes-handlers": "for n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)",
    "changes-excepthook": "sys.excepthook = sys.unraisablehook = None",
    "closes-standard-files": "for n in (0, 1, 2): os.close(n)",
    "closes-stdout": "sys.stdout.close()\nsys.stderr = None",
    "prints-secrets": "print(dict(os.environ))",
    "limits-itself": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    "umask": "os.umask(0o777)",
    "fails-at-exit": "atexit.register(lambda: 1 / 0)",
    "crashes-at-exit": "atexit.register(os.abort)",
    "exits-in-a-thread": "threading.Thread(target=sys.exit).start()",
    "hangs-at-exit": "atexit.register(time.sleep, 60)",
    "leaves-a-thread": "threading.Thread(target=time.sleep, args=[60]).start()",
    "leaves-a-child": "subprocess.Popen(['sleep', '60'])",
    "leaves-forks": "for _ in range(40):\n    if not os.fork():\n        time.sleep(60)",
    "comes-back-twice": "os.fork()",
    "leaves-the-group": "if not os.fork():\n    os.setsid()\n    time.sleep(4)\n    os._exit(0)",
}


@pytest.fixture(scope="module")
def misbehaved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, float]]:
    """What came of an agent for each kind of misbehaviour; then it gives its output."""
    sources = {kind: f"{source}\nreturn 'done'" for kind, source in ANSWERS_ALL_THE_SAME.items()}
    return _at_once(tmp_path_factory.mktemp("misbehaved"), sources, threads=8)


@pytest.mark.parametrize("kind", ANSWERS_ALL_THE_SAME)
def test_misbehaviour_hurts_nobody_else_and_the_output_counts(
    misbehaved: dict[str, tuple[Any, float]], kind: str
) -> None:
    outcome, took = misbehaved[kind]

    assert _output(outcome) == "done"
    assert took < 10


def test_nothing_of_a_worker_is_left(tmp_path: Path) -> None:
    source = (
        "pids = [os.getpid()]\n"
        "for _ in range(40):\n"
        "    pid = os.fork()\n"
        "    if not pid:\n        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n        time.sleep(60)\n"
        "    pids.append(pid)\n"
        "return pids"
    )
    threads = threading.active_count()

    pids = _output(_run(_agent(tmp_path, source)))

    assert len(pids) == 41
    assert _all_end(pids)
    assert threading.active_count() == threads


# --- in a run ---------------------------------------------------------------------------------------------------------

WORKFLOW = """
workflow: isolation
states:
  draft:
    type: agent
    python: agents:{function}
{more}    on: {{done: good, error: bad}}
  good: {{type: end, output: "{{{{ draft }}}}"}}
  bad: {{type: end, outcome: failure, output: "{{{{ error.code }}}}"}}
"""
AGENTS = """
import os, pathlib, time
def good():
    return os.getpid()
def die():
    count = pathlib.Path('count')
    with count.open('a') as file:
        file.write('x')
    os._exit(9)
def die_once():
    if not os.path.exists('count'):
        die()
    return 'recovered'
def hang():
    time.sleep(60)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine whose project has the agents above."""
    (tmp_path / "agents.py").write_text(AGENTS)
    with Engine(f"sqlite:///{tmp_path / 'flow.db'}", project=tmp_path) as engine:
        yield engine


def _start(engine: Engine, function: str, *more: str) -> Any:
    lines = "".join(f"    {line}\n" for line in more)
    return engine.start(engine.loads(WORKFLOW.format(function=function, more=lines)))


def _kinds(engine: Engine, run_id: str) -> list[str]:
    return [entry.kind for entry in engine.history(run_id)]


def test_an_agent_is_isolated_unless_its_state_says_otherwise(engine: Engine) -> None:
    assert _start(engine, "good").output != os.getpid()
    assert _start(engine, "good", "isolate: false").output == os.getpid()


def test_the_fifth_crash_of_a_visit_is_poison_and_other_runs_go_on(engine: Engine, tmp_path: Path) -> None:
    run = _start(engine, "die")

    assert (run.status, run.state, run.error["code"]) == ("failed", "draft", "poisoned")
    assert (tmp_path / "count").read_text() == "xxxxx"
    assert _kinds(engine, run.id).count("agent.crashed") == 5
    assert _start(engine, "good").status == "done"
    assert list(engine.verify()) == []


def test_a_crash_is_no_attempt_and_the_next_one_may_succeed(engine: Engine) -> None:
    run = _start(engine, "die_once")

    assert (run.status, run.output) == ("done", "recovered")
    crashes = [entry for entry in engine.history(run.id) if entry.kind == "agent.crashed"]
    assert [entry.data["reason"] for entry in crashes] == ["its process ended with status 9 without an answer"]


def test_a_crash_goes_to_the_error_edge_where_the_state_says_fail(engine: Engine, tmp_path: Path) -> None:
    run = _start(engine, "die", "after_crash: fail")

    assert (run.status, run.outcome, run.output) == ("done", "failure", "agent_crashed")
    assert (tmp_path / "count").read_text() == "x"


def test_a_crash_of_what_cannot_be_taken_back_asks_a_person(engine: Engine, tmp_path: Path) -> None:
    run = _start(engine, "die", "effect: irreversible", "unattended: allowed")

    assert run.status == "waiting"
    assert [request.kind for request in run.requests] == ["crash"]
    assert (tmp_path / "count").read_text() == "x"


def test_a_timeout_goes_to_the_error_edge(engine: Engine) -> None:
    run = _start(engine, "hang", "timeout: 1s")

    assert (run.status, run.outcome, run.output) == ("done", "failure", "agent_timeout")


def test_a_crash_of_an_attempt_that_is_no_longer_the_runs_changes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[int] = []

    def crash_late(work: Work, **_: Any) -> Crashed:
        engine.cancel(work.context.run_id)
        cancelled.append(len(engine.history(work.context.run_id)))
        return Crashed(reason="its process ended with status 9 without an answer")

    monkeypatch.setattr("holdpoint.engine.agents.run", crash_late)

    run = _start(engine, "good")

    assert run.status == "cancelled"
    assert [len(engine.history(run.id))] == cancelled
    assert isolated.GRACE < 2
