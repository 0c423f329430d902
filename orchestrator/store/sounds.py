"""What is played to whom, one lane per participant and one for all; a lane is worked on by the one who leases it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

import orjson
import redis

from orchestrator.domain.conference import TWILIO
from orchestrator.domain.events import OwedEnd
from orchestrator.errors import ConferenceNotInProgress, TooManyAnnouncements
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.keys import CONFERENCE_LANE
from orchestrator.store.outbox import Lane
from orchestrator.store.scripts import Script

__all__ = ["CONFERENCE_LANE", "Announcement", "LeaseLost", "SoundStore", "Stored"]

MOST_ANNOUNCEMENTS: Final = 20
"""That may wait for one participant, or for the whole conference."""

LEASE_MS: Final = 8_000
KEEP_SECONDS: Final = 24 * 3600
_AFTER_LEASE_MS: Final = 500


class LeaseLost(Exception):
    """Somebody else works on the lane by now: stop, and write nothing."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a client wants to be played; `id` tells it from all others."""

    url: str
    method: str
    id: str
    dialect: str = TWILIO


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a lane: its state as it was saved, the plays that ended last, the next announcement."""

    state: str
    ended: tuple[str, ...]
    next: Announcement | None


class SoundStore:
    """Lanes of sound. `owner` is one look's own name."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._add = Script(client, "sounds/add_announcement")
        self._take = Script(client, "sounds/take")
        self._release = Script(client, "sounds/release")
        self._renew = Script(client, "sounds/renew")
        self._save = Script(client, "sounds/save")

    def add_announcement(self, lane: Lane, url: str, method: str, dialect: str = TWILIO) -> None:
        """Have it played after those that wait. From now on its end is owed to the client; a sweep finds it, should
        nobody be woken. Raises TooManyAnnouncements, ConferenceNotInProgress."""
        announcement = Announcement(url, method, secrets.token_hex(8), dialect)
        owed = OwedEnd(announcement.id, url, to_all=lane.name == CONFERENCE_LANE)
        with redis_errors():
            added = self._add(
                keys=[_waiting(lane), keys.conference(lane.conference_sid), keys.owed(lane.conference_sid)],
                args=[
                    orjson.dumps(announcement).decode(),
                    MOST_ANNOUNCEMENTS,
                    KEEP_SECONDS,
                    announcement.id,
                    orjson.dumps(owed).decode(),
                ],
            )
            if added < 0:
                raise ConferenceNotInProgress("AnnounceUrl: the conference has ended")
            if not added:
                raise TooManyAnnouncements("AnnounceUrl: too many announcements wait already")
            self._redis.zadd(keys.SOUNDS_DUE, {str(lane): _now_ms() + _AFTER_LEASE_MS}, lt=True)

    def take(self, lane: Lane, owner: str, ended: str = "") -> bool:
        """Lease the lane, and note a play that has ended. If another has the lane, it will look again."""
        with redis_errors():
            taken = self._take(keys=[_sound(lane), _lease(lane)], args=[owner, LEASE_MS, ended, KEEP_SECONDS])
            if taken:
                self._redis.zadd(keys.SOUNDS_DUE, {str(lane): _now_ms() + LEASE_MS + _AFTER_LEASE_MS})
        return bool(taken)

    def release(self, lane: Lane, owner: str) -> bool:
        """Give it back; False: something has happened meanwhile, look again."""
        with redis_errors():
            return bool(self._release(keys=[_sound(lane), _lease(lane)], args=[owner, LEASE_MS]))

    def renew(self, lane: Lane, owner: str) -> bool:
        """Keep it while something takes long; returns whether something has happened meanwhile. Raises LeaseLost."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            self._renew(keys=[_lease(lane)], args=[owner, LEASE_MS], client=pipe)
            pipe.hexists(_sound(lane), "dirty")
            pipe.zadd(keys.SOUNDS_DUE, {str(lane): _now_ms() + LEASE_MS + _AFTER_LEASE_MS})
            kept, is_dirty, _ = pipe.execute()
        if not kept:
            raise LeaseLost
        return bool(is_dirty)

    def load(self, lane: Lane) -> Stored:
        """What is known of it."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hmget(_sound(lane), "state", "ended")
            pipe.lindex(_waiting(lane), 0)
            (state, ended), waiting = pipe.execute()
        return Stored(
            state or "", tuple((ended or "").split()), Announcement(**orjson.loads(waiting)) if waiting else None
        )

    def save(self, lane: Lane, owner: str, state: str, *, taken: int = 0, due_ms: int | None = None) -> None:
        """Write the state ('' for none), take `taken` announcements off those that wait, and say when a sweep has to
        look although nothing happens. Raises LeaseLost."""
        with redis_errors():
            waiting = self._save(
                keys=[_sound(lane), _lease(lane), _waiting(lane)], args=[owner, state, taken, KEEP_SECONDS]
            )
            if waiting < 0:
                raise LeaseLost
            if due_ms is None and waiting:
                due_ms = _now_ms() + _AFTER_LEASE_MS
            if due_ms is None:
                self._redis.zrem(keys.SOUNDS_DUE, str(lane))
            else:
                self._redis.zadd(keys.SOUNDS_DUE, {str(lane): due_ms})

    def list_due(self, now_ms: int, most: int) -> list[Lane]:
        """Lanes whose time has come; each is put off, so that it is not found again at once."""
        with redis_errors():
            found = self._redis.zrangebyscore(keys.SOUNDS_DUE, 0, now_ms, start=0, num=most)
            if found:
                self._redis.zadd(keys.SOUNDS_DUE, dict.fromkeys(found, now_ms + LEASE_MS), xx=True)
        return [Lane.parse(text) for text in found]


def _now_ms() -> int:
    return int(time.time() * 1000)


def _sound(lane: Lane) -> str:
    return keys.sound(lane.conference_sid, lane.name)


def _lease(lane: Lane) -> str:
    return keys.sound_lease(lane.conference_sid, lane.name)


def _waiting(lane: Lane) -> str:
    return keys.announcements(lane.conference_sid, lane.name)
