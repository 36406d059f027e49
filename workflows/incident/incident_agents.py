"""The agent of the incident workflow: it pages, in a pager's place."""

from __future__ import annotations

import json


def page(who: str, service: str, text: str) -> dict[str, str]:
    """Page somebody: a line in `pages.jsonl`. A second page for one cause wakes nobody who is not awake."""
    sent = {"who": who, "service": service, "text": text}
    with open("pages.jsonl", "a", encoding="utf-8") as pages:
        pages.write(json.dumps(sent) + "\n")
    return sent
