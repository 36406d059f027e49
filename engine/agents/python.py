"""Agents that are Python functions: found in the project's folder, called in the process that this runs in.

That is a worker's, which has nothing else to do, or the engine's own, where `isolate: false` says so or the function is
the host program's. There nothing can stop it, so `timeout` is not enforced.

Two projects in one process may both have a module `agents`. `sys.modules` knows one of them, so a project's modules are
in it only while that project is at work: when another one begins, they are set aside with the state that they hold, and
put back when it is their turn again. Functions of two projects that run at the same time keep their own globals; what
they import inside a call may then be the other project's.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.machinery import PathFinder
from itertools import dropwhile
from pathlib import Path
from threading import RLock
from types import CoroutineType, FunctionType, ModuleType, TracebackType, UnionType
from typing import Any, Union, get_args, get_origin

from holdpoint.engine.agents import Context, Failure, Outcome, Scripted, Success, Work
from holdpoint.engine.agents.texts import printable, shorten
from holdpoint.engine.canonical import Json, canonical, check_json, decoded
from holdpoint.engine.errors import Invalid, NotFound, did_you_mean, with_article

MESSAGE_CHARACTERS = 2_000
TRACEBACK_CHARACTERS = 8 * 1024
TRACEBACK_FRAMES = 20

_HERE = os.path.dirname(__file__)
_OURS = __name__.partition(".")[0]


def run(work: Work) -> Outcome:
    """Find the function that the work names and call it; raises nothing but `KeyboardInterrupt`."""
    root = os.path.realpath(work.project)
    with _at_work(root) as space:
        try:
            function = space.resolve(str(work.target))
        except _NotFound as error:
            return Failure(code="agent_missing", message=f"python agent '{work.target}': {error}")
        except KeyboardInterrupt:
            raise
        except (
            BaseException
        ) as error:  # a module may call sys.exit: that fails the attempt, and ends no process of ours
            return _failed("agent_import", f"python agent '{work.target}' cannot be imported: ", error, root)
        return call(function, work)


def load_function(reference: str, project: Path) -> Callable[..., Any]:
    """The function that `package.module:function` names in a project's folder.

    Raises `NotFound` where there is none, and whatever its module raises while it is imported.
    """
    with _at_work(os.path.realpath(project)) as space:
        try:
            return space.resolve(reference)
        except _NotFound as error:
            raise NotFound(f"python function '{reference}': {error}") from None


def call(function: Callable[..., Any], work: Work) -> Outcome:
    """Call a function with the work's arguments, and with its context where an annotation asks for it.

    `Scripted` is passed on.
    """
    try:
        # A copy: what the function does to its arguments is its own affair.
        value = call_with(function, decoded(canonical(work.arguments)), work.context)
    except _Mismatch as error:
        return Failure(
            code="agent_arguments",
            message=f"the agent of {work.context.state!r} cannot be called: {error}",
            details={"given": sorted(work.arguments), "takes": error.takes},
        )
    except (KeyboardInterrupt, Scripted):
        raise
    except BaseException as error:  # as above, and frameworks derive from it what `except Exception` is not to catch
        return failed(error, work)
    return _output(value, work)


def call_with(function: Callable[..., Any], arguments: dict[str, Json], context: Context) -> Any:
    """What a function gives for these arguments, awaited where it is asynchronous. Raises what it raises."""
    args, kwargs = _bind(function, arguments, context)
    value = function(*args, **kwargs)
    return _finish(value) if _is_awaitable(value) else value


def failed(error: BaseException, work: Work) -> Failure:
    """The failure of an agent that raised."""
    return _failed("agent_error", "", error, os.path.realpath(work.project))


# --- which function ---------------------------------------------------------------------------------------------------


class _NotFound(Exception):
    pass


class _Space:
    """What one project has in this process: its functions, and its modules while another project is at work."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.users = 0
        self.is_on_path = False  # through us; it may be there on its own
        self.functions: dict[str, Callable[..., Any]] = {}
        self.aside: dict[str, ModuleType] = {}
        self.hidden: dict[str, ModuleType] = {}  # modules of the host program whose names the project needs

    def resolve(self, reference: str) -> Callable[..., Any]:
        """The function that `package.module:function` names; raises `_NotFound`, or whatever the import raises."""
        with _lock:
            function = self.functions.get(reference)
            if function is None:
                _activate(self)
                function = self.functions[reference] = self._import(reference)
            return function

    def _import(self, reference: str) -> Callable[..., Any]:
        module_name, _, name = reference.partition(":")
        if not all(part.isidentifier() for part in (*module_name.split("."), name)):
            raise _NotFound("write package.module:function")
        self._make_way(module_name.partition(".")[0])
        importlib.invalidate_caches()
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise
            raise _NotFound(
                f"there is no module {error.name!r} in the project's folder or among what is installed"
            ) from None
        function = getattr(module, name, None)
        if function is None:
            functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            hint = did_you_mean(name, functions)
            raise _NotFound(f"module {module_name!r} has no function {name!r}" + (f"; {hint}" if hint else ""))
        if not callable(function):
            raise _NotFound(f"{name!r} is {with_article(type(function).__name__)}, not a function")
        return function  # type: ignore[no-any-return]

    def _make_way(self, top: str) -> None:
        """Hide a module of the host program when the project has one of the same name."""
        loaded = sys.modules.get(top)
        if loaded is None or _is_common(top) or os.path.realpath(_home(loaded) or os.sep) == self.root:
            return
        spec = PathFinder.find_spec(top, [self.root])
        if spec is not None and spec.origin is not None:
            self.hidden |= _take({top})


_lock = RLock()
_spaces: dict[str, _Space] = {}
_active: _Space | None = None


def import_path() -> list[str]:
    """Where this process imports from, without the folders of the projects that are at work in it."""
    with _lock:
        paths = [entry for entry in sys.path if isinstance(entry, str)]
        for space in _spaces.values():
            if space.is_on_path and space.root in paths:
                paths.remove(space.root)
    return paths


@contextmanager
def _at_work(root: str) -> Iterator[_Space]:
    """Make the project's folder the first place to import from, for as long as the block runs."""
    with _lock:
        space = _spaces.setdefault(root, _Space(root))
        space.users += 1
        _activate(space)
    try:
        yield space
    finally:
        with _lock:
            space.users -= 1
            if not space.users and space.is_on_path:
                sys.path = _without(root)
                space.is_on_path = False


def _activate(space: _Space) -> None:
    """Give `sys.modules` and the first place of `sys.path` to a project; the lock is held."""
    global _active
    if _active is not space:
        for root, tops in _tops_by_home().items():
            if root != space.root and root in _spaces:
                _spaces[root].aside |= _take(tops)
        if _active is not None:
            sys.modules.update(_active.hidden)
            _active.hidden = {}
        space.hidden = {name: sys.modules[name] for name in space.aside if name in sys.modules}
        sys.modules.update(space.aside)
        space.aside = {}
        _active = space
    if sys.path[:1] != [space.root]:
        sys.path = [space.root, *(_without(space.root) if space.is_on_path else sys.path)]
        space.is_on_path = True


def _without(root: str) -> list[str]:
    """A new `sys.path` without the first *root*: other threads may be walking over the old one."""
    paths = list(sys.path)
    if root in paths:
        paths.remove(root)
    return paths


def _tops_by_home() -> dict[str, set[str]]:
    """The top-level modules that are loaded, by the folder that they came from."""
    homes: dict[str, set[str]] = {}
    for name, module in list(sys.modules.items()):
        if "." not in name and not _is_common(name):
            homes.setdefault(_home(module), set()).add(name)
    return homes


def _is_common(top: str) -> bool:
    return top in sys.stdlib_module_names or top in {_OURS, "__main__", "__mp_main__"}


def _take(tops: set[str]) -> dict[str, ModuleType]:
    """Remove modules, with all that is below them, from `sys.modules`."""
    names = [name for name in list(sys.modules) if name.partition(".")[0] in tops] if tops else []
    return {name: sys.modules.pop(name) for name in names}


def _home(module: object) -> str:
    """The folder that a top-level module was imported from, or an empty text."""
    if not isinstance(module, ModuleType):
        return ""
    names = vars(module)
    try:
        place = next(iter(names.get("__path__") or ()), None) or names.get("__file__") or ""
        return os.path.dirname(place)
    except Exception:  # some modules have a path of their own making
        return ""


# --- with which arguments ---------------------------------------------------------------------------------------------


class _Mismatch(Exception):
    def __init__(self, message: str, takes: list[str]) -> None:
        super().__init__(message)
        self.takes = takes


def _bind(function: Callable[..., Any], given: dict[str, Json], context: Context) -> tuple[list[Any], dict[str, Any]]:
    try:
        signature, contexts = _signature(function)
    except Exception:  # some builtins have none: the call itself will tell
        return [], dict(given)
    names = {item.name for item in contexts}
    taken = sorted(names & given.keys())
    if taken:
        why = f"{taken[0]!r} is where it takes its context; give the argument another name"
        raise _Mismatch(why, _takes(signature, names))
    args: list[Any] = [context for item in contexts if item.kind is inspect.Parameter.POSITIONAL_ONLY]
    kwargs = given | {item.name: context for item in contexts if item.kind is not inspect.Parameter.POSITIONAL_ONLY}
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        takes = _takes(signature, names)
        raise _Mismatch(f"{printable(str(error))}; it takes {', '.join(takes) or 'no arguments'}", takes) from None
    return args, kwargs


def _signature(function: Callable[..., Any]) -> tuple[inspect.Signature, tuple[inspect.Parameter, ...]]:
    """A function's signature and those of its parameters that take the context."""
    return _read_signature(function) if type(function) is FunctionType else _read_signature.__wrapped__(function)


@lru_cache(maxsize=256)
def _read_signature(function: Callable[..., Any]) -> tuple[inspect.Signature, tuple[inspect.Parameter, ...]]:
    signature = inspect.signature(function)
    return signature, tuple(item for item in signature.parameters.values() if _wants_context(item, function))


def _takes(signature: inspect.Signature, contexts: set[str]) -> list[str]:
    return [_described(item) for name, item in signature.parameters.items() if name not in contexts]


def _described(parameter: inspect.Parameter) -> str:
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return f"*{parameter.name}"
    return parameter.name if parameter.default is inspect.Parameter.empty else f"{parameter.name} (optional)"


def _wants_context(parameter: inspect.Parameter, function: Callable[..., Any]) -> bool:
    if parameter.kind in {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}:
        return False
    annotation = parameter.annotation
    if isinstance(annotation, str):
        return any(_names_context(part.strip().strip("'\""), function) for part in annotation.split("|"))
    return annotation is Context or (get_origin(annotation) in {Union, UnionType} and Context in get_args(annotation))


def _names_context(text: str, function: Callable[..., Any]) -> bool:
    """Whether an annotation's text means our class, under whatever name the function's module knows it."""
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    first, *rest = text.split(".")
    if first not in scope:  # imported for type checkers alone
        return text in {"Context", "holdpoint.Context"}
    value = scope[first]
    for name in rest:
        value = getattr(value, name, None)
    return value is Context


# --- what came of it --------------------------------------------------------------------------------------------------


def _is_awaitable(value: object) -> bool:
    try:
        return inspect.isawaitable(value)
    except Exception:  # it lies about its class
        return False


def _finish(awaitable: Any) -> Any:
    """Run an awaitable to its end, in a thread of its own when an event loop already runs in this one."""
    import asyncio

    values: list[Any] = []
    errors: list[BaseException] = []

    # What comes of it goes past the event loop, which would ask it for its repr, and keep our SIGINT if that fails.
    async def wait() -> None:
        try:
            values.append(await awaitable)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever the agent raises is its failure, but for one
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # Ctrl-C, as the event loop passes it on
                raise
            errors.append(error)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(wait())
    else:
        _in_thread(lambda: asyncio.run(wait()))
    if errors:
        raise errors[0]
    return values[0]


def _in_thread(function: Callable[[], None]) -> None:
    from contextvars import copy_context
    from threading import Thread

    errors: list[BaseException] = []

    def work() -> None:
        try:
            function()
        except BaseException as error:  # to be raised where the thread is waited for
            errors.append(error)

    thread = Thread(target=copy_context().run, args=(work,), name="holdpoint-agent", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def _output(value: object, work: Work) -> Outcome:
    what = f"output of {work.context.state}"
    try:
        if not _is_bounded(value, work.max_bytes):
            raise Invalid(f"{what} has more than {work.max_bytes} parts; does it contain itself?", code="too_large")
        return Success(output=decoded(check_json(value, what, max_bytes=work.max_bytes)))
    except Invalid as error:
        reason = shorten(printable(error.message), MESSAGE_CHARACTERS)
    except Exception as error:  # an object that plays a mapping, or one that another thread still changes
        reason = f"{what} cannot be read as JSON: {_described_error(error)}"
    _close_coroutines(value)
    return Failure(code="agent_output", message=reason)


def _is_bounded(value: object, limit: int) -> bool:
    """Whether a value has at most *limit* parts; one that contains itself twice would be walked for ever."""
    rest: list[Any] = [value]
    count = 0
    while rest:
        item = rest.pop()
        kind = type(item)
        if kind is dict or kind is list or kind is tuple:
            count += len(item)
            if count > limit:
                return False
            rest.extend(item.values() if kind is dict else item)
    return True


def _close_coroutines(value: object, depth: int = 0) -> None:
    """Close coroutines that were returned as part of an output: they were never awaited, and would warn later."""
    if type(value) is CoroutineType:
        value.close()
    elif depth < 2 and type(value) in {dict, list, tuple}:
        for item in list(value.values() if type(value) is dict else value):  # type: ignore[call-overload]
            _close_coroutines(item, depth + 1)


def _failed(code: str, prefix: str, error: BaseException, root: str) -> Failure:
    return Failure(
        code=code,
        message=shorten(prefix + _described_error(error), MESSAGE_CHARACTERS),
        details={"type": _type_name(error), "traceback": _frames(error.__traceback__, root)},
    )


def _described_error(error: BaseException) -> str:
    """`type: text`; an exception that cannot tell its own text is still told apart by its type."""
    try:
        # Of a subclass of str too, whose own methods are not to be trusted, this is a plain copy.
        text = str.__getitem__(str(error), slice(MESSAGE_CHARACTERS))
    except KeyboardInterrupt:
        raise
    except BaseException:  # the code of an exception is the agent's too
        text = "(it has no readable text)"
    text = shorten(f"{_type_name(error)}: {text}" if text else _type_name(error), MESSAGE_CHARACTERS)
    return shorten(printable(text), MESSAGE_CHARACTERS)


def _type_name(error: BaseException) -> str:
    name: str = type.__dict__["__name__"].__get__(type(error))  # a metaclass may have put something else in its place
    return printable(name)


def _frames(trace: TracebackType | None, root: str) -> str:
    """The last frames of a traceback from the agent's first line on; files of the project are named from its folder."""
    try:
        frames = dropwhile(_is_machinery, traceback.extract_tb(trace, limit=-TRACEBACK_FRAMES))
        text = "".join(traceback.format_list(list(frames))).replace(f'"{root}{os.sep}', '"')
    except Exception:  # the source may be gone, or not be text
        return ""
    text = printable(text)
    return text if len(text) <= TRACEBACK_CHARACTERS else f"…{text[1 - TRACEBACK_CHARACTERS :]}"


def _is_machinery(frame: traceback.FrameSummary) -> bool:
    """Whether a frame lies on the way from us to the agent's first line."""
    folder = os.path.dirname(frame.filename)
    is_pythons = os.path.basename(folder) in {"asyncio", "importlib"} or frame.filename.startswith("<frozen ")
    return is_pythons or folder == _HERE
