"""The hash chain: how an entry of the history is written down and sealed (spec 3.8 and 3.13)."""

from __future__ import annotations

import json.encoder
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.model import ActorKind, Entry
from holdpoint.engine.times import format_time

_quote = json.encoder.encode_basestring


def seal(
    *,
    run: str,
    seq: int,
    at: datetime,
    kind: str,
    actor: str | None,
    actor_kind: ActorKind,
    data: Mapping[str, Json],
    prev: str,
    at_text: str | None = None,
) -> Entry:
    """An entry with its hash, the SHA-256 of the canonical JSON of `Entry.to_dict` without `hash`.

    *at_text* is `format_time(at)` where the caller has it already.
    """
    written, time = canonical(data), at_text or format_time(at)
    who = "null" if actor is None else _quote(actor)
    # The members stand in the order of their names, so this is the canonical form without encoding the data twice.
    text = (
        f'{{"actor":{who},"actor_kind":"{actor_kind}","at":"{time}","data":{written},'
        f'"kind":"{kind}","prev":"{prev}","run":"{run}","seq":{seq}}}'
    )
    return Entry.of(
        run=run,
        seq=seq,
        at=at,
        kind=kind,
        actor=actor,
        actor_kind=actor_kind,
        data=data,
        text=written,
        prev=prev,
        hash=sha256(text.encode()).hexdigest(),
    )
