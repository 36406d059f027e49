"""Identifiers: a run's is drawn, all within it follow from the run's, so that deciding stays pure.

Sixteen characters of an alphabet without look-alikes are 80 bits: they never meet by chance.
"""

from __future__ import annotations

import secrets
from hashlib import sha256

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Ten bits at a time, which is faster than base64.b32encode.
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS = range(70, -1, -10)


def new_run_id() -> str:
    """A fresh `run_…`."""
    return "run_" + _text(secrets.token_bytes(10))


def request_id(run_id: str, seq: int) -> str:
    """The `req_…` of the request that entry *seq* of the run opens."""
    return "req_" + _text(sha256(f"{run_id}/{seq}".encode()).digest())


def _text(data: bytes) -> str:
    number = int.from_bytes(data[:10], "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
