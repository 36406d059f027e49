"""The agents of the supplier workflow: one looks what is missing, one registers."""

from __future__ import annotations

import hashlib
from typing import Any


def look(record: dict[str, str], answers: dict[str, str] | None, before: dict[str, Any] | None) -> dict[str, Any]:
    """The record with the answers in it, and the names of the fields that are still missing or wrong."""
    record = {**record, **(before["record"] if before else {}), **(answers or {})}
    record = {name: value.strip() for name, value in record.items() if value.strip()}
    return {"record": record, "missing": [name for name, is_right in _RULES.items() if not is_right(record.get(name))]}


def _is_iban(text: str | None) -> bool:
    """Whether the check digits are right (ISO 13616)."""
    letters = (text or "").replace(" ", "").upper()
    if not (15 <= len(letters) <= 34 and letters.isascii() and letters.isalnum()):
        return False
    return int("".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])) % 97 == 1


def _is_country(text: str | None) -> bool:
    return len(text or "") == 2 and (text or "").isalpha()


_RULES = {"iban": _is_iban, "country": _is_country}


def register(record: dict[str, str], days: int) -> dict[str, Any]:
    """The supplier as it is registered. Its number follows from its name: a second attempt makes no second one."""
    number = int(hashlib.sha256(record["name"].encode()).hexdigest()[:6], 16)
    return {**record, "days": days, "number": f"S{number:08d}"}
