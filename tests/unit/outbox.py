"""Callbacks put into lanes as the listener does it, and a receiver pool that may reach loopback."""

from __future__ import annotations

import itertools
import ssl
import uuid
from collections.abc import Sequence
from functools import cache
from ipaddress import ip_network

import redis

from orchestrator.callbacks.entry import Entry
from orchestrator.domain.changes import Change, NewCallback
from orchestrator.outgoing.pool import OutgoingPool
from orchestrator.outgoing.resolver import Resolver
from orchestrator.store import keys
from orchestrator.store.commits import CommitStore, Committed
from orchestrator.store.lanes import Lane

_numbers = itertools.count(1)


def new(token: str, planned_ms: int = 1_000_000, text: str | None = None) -> NewCallback:
    return NewCallback(token, planned_ms, (f"entry of {token}" if text is None else text).encode())


def unique() -> str:
    return f"token-{next(_numbers)}"


def put(client: redis.Redis, lane: Lane, *callbacks: NewCallback) -> Committed:
    commits = CommitStore(client)
    conferences, _ = commits.load([], [lane.sid])
    known = conferences[lane.sid]
    change = Change(known, known.conference, uuid.uuid4().hex)
    change.outbox[lane.name] = list(callbacks)
    (committed,) = commits.commit([change])
    assert committed is not None
    return committed


def put_entries(client: redis.Redis, lane: Lane, entries: Sequence[Entry]) -> Committed:
    return put(client, lane, *(NewCallback(e.token, int(e.planned_at * 1000), e.dump()) for e in entries))


def waiting(client: redis.Redis, lane: Lane) -> list[str]:
    """The tokens that the lane holds, in order."""
    return [str(token) for token in client.lrange(keys.outbox(lane.sid, lane.name), 0, -1)]


def port_of(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


def loopback_pool() -> OutgoingPool:
    """As the worker's, with ALLOWED_PRIVATE_NETWORKS=127.0.0.0/8,::1."""
    listed = [ip_network("127.0.0.0/8"), ip_network("::1")]
    return OutgoingPool(
        Resolver().resolve, listed, num_pools=1000, maxsize=256, block=False, ssl_context=_certificates()
    )


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: it takes as long as a test."""
    return ssl.create_default_context()
