"""Sends, once per key: takes the recap as JSON on standard input and writes it to the outbox, `outbox.jsonl`.

Whoever runs this a second time under the same FLOW_KEY gets the first message's id back, and nothing is sent again.
"""

import fcntl
import hashlib
import json
import os
import sys


def main() -> None:
    """Print the id of the message as JSON."""
    key = os.environ.get("FLOW_KEY") or sys.exit("FLOW_KEY is not set: a message without a key could be sent twice")
    message = {"id": f"msg_{hashlib.sha256(key.encode()).hexdigest()[:16]}", **json.load(sys.stdin)}
    with open("outbox.jsonl", "a+", encoding="utf-8") as outbox:
        fcntl.flock(outbox, fcntl.LOCK_EX)  # of two at the same time, one comes second and finds the other's message
        outbox.seek(0)
        if message["id"] not in [json.loads(line)["id"] for line in outbox]:
            outbox.write(json.dumps(message) + "\n")
            outbox.flush()
            os.fsync(outbox.fileno())
    json.dump({"message_id": message["id"]}, sys.stdout)


if __name__ == "__main__":
    main()
