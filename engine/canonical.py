"""JSON as values: what one is, how it is read strictly, and its one canonical text (spec 3.13)."""

from __future__ import annotations

import json
import json.encoder
import math
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NoReturn, TypeAlias

from holdpoint.engine.errors import Invalid, with_article

Json: TypeAlias = Any
"""None, a boolean, an integer of 64 bits, a finite float, a text, a list or an object with text keys, of these."""

MAX_DEPTH = 64
MAX_NOTE_BYTES = 64 * 1024
MAX_VALUE_BYTES = 1024 * 1024
"""Of one value (input, output, revision), unless `flow.toml` says more."""

MAX_PARTS = 64 * 1024 * 1024
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _make_encode() -> Callable[[Json], str]:
    """The canonical encoder of the process.

    `JSONEncoder.encode` makes the C encoder anew for every call, which costs more than encoding a small value.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    encode = make(None, _ENCODER.default, json.encoder.encode_basestring, None, ":", ",", True, False, False)

    def fast(value: Json) -> str:
        return "".join(encode(value, 0))

    return fast


_encode = _make_encode()


def canonical(value: Json) -> str:
    """The canonical JSON text of a value that is known to be JSON; see `check_json` for one that is not."""
    return _encode(value)


def as_text(value: Json) -> str:
    """A value where only a text will do: a text as it is, none as nothing, and all else as its canonical text."""
    if isinstance(value, str):
        return value
    return "" if value is None else canonical(value)


_scan: Callable[[str, int], tuple[Json, int]] = getattr(json.JSONDecoder(), "scan_once")  # noqa: B009 - not in the stubs


def decoded(text: str) -> Json:
    """The value of a canonical text that we wrote ourselves; see `parse_json` for any other. Raises `ValueError`."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    if end != len(text):
        raise ValueError("a stored text is not JSON")
    return value


def digest(text: str) -> str:
    """The SHA-256 of a text's UTF-8 bytes, in hexadecimal."""
    return digest_bytes(text.encode())


def digest_bytes(data: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return sha256(data).hexdigest()


def check_json(value: object, what: str, *, max_bytes: int | None = None) -> str:
    """The canonical text of a value from outside.

    *what* names the value in the message (`input`, `output of draft`). Raises `Invalid`, code `not_json` with the
    path of the first bad part, or code `too_large` when the text is longer than *max_bytes* bytes of UTF-8.
    """
    _check(value, what, 0, _Budget(max_bytes or MAX_PARTS))
    text = _encode(value)
    if max_bytes is not None and 4 * len(text) > max_bytes:
        size = len(text.encode())
        if size > max_bytes:
            raise Invalid(
                f"{what} is {size} bytes; at most {max_bytes} are allowed",
                code="too_large",
                details={"bytes": size, "max_bytes": max_bytes},
            )
    return text


def check_note(value: object, what: str, *, max_bytes: int = MAX_NOTE_BYTES) -> None:
    """Refuse what is no text of at most *max_bytes* bytes of UTF-8. Raises `Invalid`, code `text` or `too_large`."""
    if not isinstance(value, str):
        raise Invalid(f"{what} is a text, not {value!r:.60}", code="text")
    _check_text(value, what)
    if len(value.encode()) > max_bytes:
        raise Invalid(f"{what} is at most {max_bytes} bytes", code="too_large", details={"max_bytes": max_bytes})


def parse_json(text: str | bytes, what: str) -> Json:
    """The value of a JSON text, read strictly: no NaN, no infinity, no duplicate keys, integers of 64 bits.

    Raises `Invalid` (code `not_json`) that names *what* was read and where it is wrong.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except _Refused as error:
        raise _invalid(what, str(error)) from None
    except RecursionError:
        raise _invalid(what, f"nested deeper than {MAX_DEPTH}") from None
    except UnicodeDecodeError as error:
        raise _invalid(what, f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _invalid(what, f"{error.msg.lower()} at line {error.lineno}, column {error.colno}") from None
    except ValueError:  # an integer of thousands of digits: the interpreter's own limit
        raise _invalid(what, "an integer of more than 64 bits") from None
    _check(value, what, 0, _Budget(MAX_PARTS))
    return value


class _Refused(ValueError):
    pass


def _invalid(what: str, why: str) -> Invalid:
    return Invalid(f"{what} is not JSON: {why}", code="not_json")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(f"duplicate key {key!r}")
            seen.add(key)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not a JSON number")


class _Budget:
    """How many parts may still come. A value that holds itself twice would be walked for ever."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, parts: int, path: str) -> None:
        self.left -= parts
        if self.left < 0:
            raise Invalid(f"{path} has more parts than any value may have", code="too_large")


def _check(value: object, path: str, depth: int, budget: _Budget) -> None:
    # Exact types: a subclass can say one thing here and another one when it is encoded.
    kind = type(value)
    if kind is str:
        if not value.isascii():  # type: ignore[attr-defined]
            _check_text(value, path)  # type: ignore[arg-type]
    elif value is None or kind is bool:
        return
    elif isinstance(value, int) and kind is int:
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise _invalid(path, "an integer of more than 64 bits")
    elif isinstance(value, float) and kind is float:
        if not math.isfinite(value):
            raise _invalid(path, f"{value!r} is not a JSON number")
    elif isinstance(value, list | tuple | dict) and kind in (list, tuple, dict):
        budget.spend(len(value), path)
        _check_inside(value, path, depth, budget)
    else:
        raise _invalid(path, f"{with_article(kind.__name__)} is not a JSON value")


def _check_inside(value: list[Any] | tuple[Any, ...] | dict[Any, Any], path: str, depth: int, budget: _Budget) -> None:
    if depth >= MAX_DEPTH:
        raise _invalid(path.split(".", 1)[0].split("[", 1)[0], f"nested deeper than {MAX_DEPTH}")
    if not isinstance(value, dict):
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]", depth + 1, budget)
        return
    for key, item in value.items():
        if type(key) is not str:
            raise _invalid(path, f"a key is {with_article(type(key).__name__)}, not a text")
        _check_text(key, path)
        _check(item, f"{path}.{key}", depth + 1, budget)


def _check_text(text: str, path: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise _invalid(path, f"a lone surrogate at character {error.start}") from None
