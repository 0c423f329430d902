"""What is kept of callbacks outside of their conference's slot, after the commit that planned them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from orchestrator.domain.changes import NewCallback
from orchestrator.store import keys

OUTBOX_DEPTH: Final = 10_000
"""Callbacks that one lane may hold; the oldest become dead letters, and are counted."""

WAKE_GRACE_MS: Final = 2_000
"""A woken lane is looked at by the sweep after this time, should its wake-up have been lost."""

FORGOTTEN_AT_ONCE: Final = 500
"""Finished callbacks over the account's limit that one commit forgets at most."""

Dropped = tuple[tuple[str, int], ...]
"""Token and moment (ms) of callbacks that fell out of a full lane."""


def parse_dropped(texts: Sequence[str]) -> Dropped:
    """Read what `shared/append_callbacks.lua` says of those that it dropped."""
    return tuple((token, int(planned_ms)) for token, planned_ms in (str(text).split(" ") for text in texts))


def index_callbacks(
    pipe: Any,
    account_sid: str,
    conference_sid: str,
    callbacks: Iterable[NewCallback],
    dropped: Dropped,
    retention_seconds: int,
) -> None:
    """List new callbacks with their account, and count those that fell out of a full lane for them."""
    rows = {f"{conference_sid}.{new.token}": new.planned_ms for new in callbacks}
    if rows:
        index = keys.account_callbacks(account_sid)
        pipe.zadd(index, rows)
        pipe.zremrangebyscore(index, 0, int(time.time() * 1000) - retention_seconds * 1000)
        pipe.expire(index, retention_seconds)
    if dropped:
        pipe.hincrby(keys.DROPPED, "depth", len(dropped))
        dead = keys.account_dead(account_sid)
        pipe.zadd(dead, {f"{conference_sid}.{token}": planned_ms for token, planned_ms in dropped})
        pipe.expire(dead, retention_seconds)


def forget_callbacks(client: Any, account_sid: str, surplus: int) -> None:
    """Forget the account's oldest callbacks, as many as it has too many; those that still wait are kept."""
    if surplus <= 0:
        return
    index, surplus = keys.account_callbacks(account_sid), min(surplus, FORGOTTEN_AT_ONCE)
    oldest = [name.partition(".") for name in client.zrange(index, 0, surplus - 1)]
    pipe = client.pipeline(transaction=False)
    for sid, _, token in oldest:
        pipe.hget(keys.callback(sid, token), "state")
    states = pipe.execute()
    for (sid, _, token), state in zip(oldest, states, strict=True):
        if state != "waiting":
            pipe.unlink(keys.callback(sid, token))
            pipe.zrem(keys.conference_callbacks(sid), token)
            pipe.zrem(index, f"{sid}.{token}")
            pipe.zrem(keys.account_dead(account_sid), f"{sid}.{token}")
    pipe.execute()
