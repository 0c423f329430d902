"""Calls of an account: by CallSid, and in order of creation. They are its participants, also those that have left; how
long these are kept is the operator's to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

import redis

from orchestrator.domain.conference import Participant
from orchestrator.errors import NotFound
from orchestrator.store import keys
from orchestrator.store.conference_list import Place, Seen, is_behind
from orchestrator.store.connection import redis_errors
from orchestrator.store.records import decode_participant

ROWS_PER_READ: Final = 20


class CallFilter(Protocol):
    """Which calls are wanted."""

    @property
    def is_live(self) -> bool:
        """True if no call that has ended passes the filter: then the few that have not are looked at."""
        ...

    def matches(self, participant: Participant) -> bool:
        """True if the call passes the filter."""
        ...


class CallStore:
    """Loads and lists calls; what changes a call is written elsewhere."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def load(self, account_sid: str, call_sid: str) -> Participant:
        """Load a call of the account, live or not. Raises NotFound."""
        with redis_errors():
            conference_sid = self._redis.get(keys.call(call_sid))
            raw = self._redis.hgetall(keys.participant(conference_sid, call_sid)) if conference_sid else None
        if not raw or raw.get("account_sid") != account_sid or "status" not in raw:
            raise NotFound(f"The call {call_sid} was not found")
        return _decode(raw)

    def list_calls(
        self, account_sid: str, wanted: CallFilter, behind: Place | None = None, *, oldest_first: bool = False
    ) -> Iterator[Seen[Participant]]:
        """List rows behind a place, newest first (or oldest first); read in chunks, so a caller may stop early."""
        if wanted.is_live:
            rows = sorted(self._live(account_sid), key=_place, reverse=not oldest_first)
            found = ((row, _place(row)) for row in rows if is_behind(_place(row), behind, oldest_first))
            yield from (Seen(place, row if wanted.matches(row) else None) for row, place in found)
            return
        for chunk in self._places(account_sid, behind, oldest_first):
            places = [place for place in chunk if is_behind(place, behind, oldest_first)]
            for place, row in zip(places, self._load([sid for _, sid in places]), strict=True):
                if row is not None:  # it may have expired
                    yield Seen(place, row if wanted.matches(row) else None)

    def _live(self, account_sid: str) -> list[Participant]:
        """List the account's live calls: as many as its quota allows, at most."""
        with redis_errors():
            members = self._redis.zrange(keys.account_live(account_sid), 0, -1)
            pipe = self._redis.pipeline(transaction=False)
            for member in members:
                pipe.hgetall(keys.participant(*member.split(".")))
            found = pipe.execute()
        return [_decode(raw) for raw in found if "status" in raw]

    def _places(self, account_sid: str, behind: Place | None, oldest_first: bool) -> Iterator[list[Place]]:
        index, start = keys.account_kept(account_sid), 0
        least, most = float("-inf"), float("inf")
        if behind is not None:
            least, most = (behind[0], most) if oldest_first else (least, behind[0])
        while True:
            with redis_errors():
                read = self._redis.zrangebyscore if oldest_first else self._redis.zrevrangebyscore
                bounds = (least, most) if oldest_first else (most, least)
                found = read(index, *bounds, start=start, num=ROWS_PER_READ, withscores=True)
            yield [(int(made_ms), member.partition(":")[0]) for member, made_ms in found]
            if len(found) < ROWS_PER_READ:
                return
            start += ROWS_PER_READ

    def _load(self, call_sids: Sequence[str]) -> list[Participant | None]:
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for call_sid in call_sids:
                pipe.get(keys.call(call_sid))
            conferences = pipe.execute()
            pipe = self._redis.pipeline(transaction=False)
            for conference_sid, call_sid in zip(conferences, call_sids, strict=True):
                pipe.hgetall(keys.participant(conference_sid or "", call_sid))
            found = pipe.execute()
        return [_decode(raw) if "status" in raw else None for raw in found]


def _decode(raw: dict[str, str]) -> Participant:
    return decode_participant(raw)


def _place(participant: Participant) -> Place:
    return int(participant.created_at.timestamp() * 1000), participant.call_sid
