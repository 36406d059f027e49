"""Pays, once per key: takes the payment as JSON on standard input and writes it to the ledger, `ledger.jsonl`.

Whoever runs this a second time under the same FLOW_KEY gets the first payment back, and no money moves again.
"""

import fcntl
import json
import os
import sys
from typing import TextIO


def main() -> None:
    """Print the payment as JSON."""
    key = os.environ.get("FLOW_KEY") or sys.exit("FLOW_KEY is not set: a payment without a key could be made twice")
    payment = {**json.load(sys.stdin), "key": key}
    with open("ledger.jsonl", "a+", encoding="utf-8") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)  # of two at the same time, one comes second and finds the other's entry
        json.dump(_paid_before(ledger, key) or _pay(ledger, payment), sys.stdout)


def _paid_before(ledger: TextIO, key: str) -> object:
    ledger.seek(0)
    return next((payment for payment in map(json.loads, ledger) if payment["key"] == key), None)


def _pay(ledger: TextIO, payment: object) -> object:
    """Here a bank would be called, with the key as its idempotency key."""
    ledger.write(json.dumps(payment) + "\n")
    ledger.flush()
    os.fsync(ledger.fileno())
    return payment


if __name__ == "__main__":
    main()
