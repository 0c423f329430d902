"""Which request asked for what the switch confirms later: only where traces are on (docs/adr/0023)."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import redis

from orchestrator import logs, tracing
from orchestrator.domain.conference import Participant
from orchestrator.domain.events import (
    CallEnded,
    Event,
    Happened,
    MemberRemoved,
    ParticipantHeld,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from orchestrator.errors import Unavailable
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors

ASKED_FOR: Final[frozenset[type[Event]]] = frozenset(
    {ParticipantMuted, ParticipantUnmuted, ParticipantHeld, ParticipantUnheld, MemberRemoved, CallEnded}
)
"""Events of the switch that a client's request may have asked for."""

ASKED_SECONDS: Final = 60
"""The switch confirms within a second, or never; a node that was away, after its return."""


class AskerStore:
    """The last request that asked for each change of a person, until the event of it is read."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def note(self, participant: Participant, *events: type[Event]) -> None:
        """The request that is being answered asks for these events. It does not fail for want of a trace."""
        request_id = logs.request_id()
        if not tracing.is_on() or not request_id:
            return
        key = keys.askers(participant.conference_sid, participant.call_sid)
        with contextlib.suppress(Unavailable), redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hset(key, mapping={event.__name__: request_id for event in events})
            pipe.expire(key, ASKED_SECONDS)
            pipe.execute()

    def name(self, placed: Sequence[tuple[str, Happened]]) -> list[tuple[str, Happened]]:
        """Return the same events, each with the request that asked for it; a request is told of one event of a kind."""
        sought = [
            number
            for number, (_, item) in enumerate(placed)
            if tracing.is_on() and not item.request_id and type(item.event) in ASKED_FOR
        ]
        named = list(placed)
        if not sought:
            return named
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for number in sought:
                sid, item = placed[number]
                pipe.hget(keys.askers(sid, item.subject), type(item.event).__name__)
                pipe.hdel(keys.askers(sid, item.subject), type(item.event).__name__)
            found = pipe.execute()[::2]
        for number, request_id in zip(sought, found, strict=True):
            sid, item = placed[number]
            named[number] = (sid, replace(item, request_id=request_id or ""))
        return named
