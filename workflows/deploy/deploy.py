"""Deploys: `deploy.py canary`, `everywhere` or `take-back`, with the version as JSON on standard input.

What is where is in `machines.json`. Each word says what shall be, not what shall be done: a second attempt changes
nothing that the first one did.
"""

import json
import sys
from pathlib import Path

MACHINES = ["m1", "m2", "m3"]
BEFORE = "1.0"
FLEET = Path("machines.json")
OUTAGE = Path("outage.txt")


def main() -> None:
    """Print the machines that were changed as JSON."""
    word, version = sys.argv[1], json.load(sys.stdin)["version"]
    _reach_the_registry()
    fleet = json.loads(FLEET.read_text(encoding="utf-8")) if FLEET.exists() else dict.fromkeys(MACHINES, BEFORE)
    if word == "take-back":
        machines = [name for name in MACHINES if fleet[name] == version]
        version = BEFORE
    else:
        machines = MACHINES[:1] if word == "canary" else MACHINES
    FLEET.write_text(json.dumps(fleet | dict.fromkeys(machines, version)), encoding="utf-8")
    json.dump({"machines": machines}, sys.stdout)


def _reach_the_registry() -> None:
    """Here a registry would be asked for the image; it is out of reach as many times as `outage.txt` says."""
    left = int(OUTAGE.read_text(encoding="utf-8")) if OUTAGE.exists() else 0
    if left:
        OUTAGE.write_text(str(left - 1), encoding="utf-8")
        sys.exit("the registry cannot be reached")


if __name__ == "__main__":
    main()
