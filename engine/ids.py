"""Identifiers: a run's is drawn, all within it follow from the run's, so that deciding stays pure.

Sixteen characters of an alphabet without look-alikes are 80 bits: they never meet by chance.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from hashlib import sha256

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TABLE = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET.encode())


def new_run_id() -> str:
    """A fresh `run_…`."""
    return "run_" + _text(secrets.token_bytes(10))


def request_id(run_id: str, seq: int) -> str:
    """The `req_…` of the request that entry *seq* of the run opens."""
    return "req_" + _text(sha256(f"{run_id}/{seq}".encode()).digest())


def _text(data: bytes) -> str:
    return b32encode(data[:10]).translate(_TABLE).decode()
