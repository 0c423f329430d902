"""What is played to whom: one lane for each participant, and one for all."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

import orjson
import redis

from orchestrator import logs
from orchestrator.clock import now_ms
from orchestrator.domain.conference import TWILIO
from orchestrator.domain.events import OwedEnd
from orchestrator.errors import ConferenceNotInProgress, TooManyAnnouncements
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.keys import CONFERENCE_LANE
from orchestrator.store.lanes import Lane, LaneStore, LeaseLost
from orchestrator.store.scripts import Script

__all__ = ["CONFERENCE_LANE", "Announcement", "PlaybackStore", "Stored"]

KIND: Final = "playback"
MOST_ANNOUNCEMENTS: Final = 20
"""That may wait for one participant, or for the whole conference."""

KEEP_SECONDS: Final = 24 * 3600
_WAKE_GRACE_MS: Final = 500
"""When a sweep looks, should a wake-up be lost."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a client wants to be played; `id` tells it from all others, `request_id` who asked for it."""

    url: str
    method: str
    id: str
    dialect: str = TWILIO
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a lane: its state as it was saved, the plays that ended last, the next announcement."""

    state: str
    ended: tuple[str, ...]
    next: Announcement | None


class PlaybackStore(LaneStore):
    """Lanes of playback. What a wake-up notes is a play that has ended."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(client, KIND)
        self._add = Script(client, "playback/add_announcement")
        self._note_ended = Script(client, "playback/note_ended")
        self._save = Script(client, "playback/save")

    def add_announcement(self, lane: Lane, url: str, method: str, dialect: str = TWILIO) -> None:
        """Have it played after those that wait. From now on its end is owed to the client; a sweep finds it, should
        nobody be woken. Raises TooManyAnnouncements, ConferenceNotInProgress."""
        announcement = Announcement(url, method, secrets.token_hex(8), dialect, logs.request_id())
        owed = OwedEnd(announcement.id, url, lane.name == CONFERENCE_LANE, announcement.request_id)
        with redis_errors():
            added = self._add(
                keys=[_waiting(lane), keys.conference(lane.sid), keys.owed(lane.sid)],
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
            self._redis.zadd(self._due, {str(lane): now_ms() + _WAKE_GRACE_MS}, lt=True)

    def _add_note(self, pipe: Any, lane: Lane, note: str) -> None:
        if note:
            self._note_ended(keys=[_playback(lane)], args=[note, KEEP_SECONDS], client=pipe)

    def load(self, lane: Lane) -> Stored:
        """Load what is known of a lane."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hmget(_playback(lane), "state", "ended")
            pipe.lindex(_waiting(lane), 0)
            (state, ended), waiting = pipe.execute()
        return Stored(
            state or "", tuple((ended or "").split()), Announcement(**orjson.loads(waiting)) if waiting else None
        )

    def save(self, lane: Lane, owner: str, state: str, *, taken: int = 0) -> int:
        """Write the state ('' for none) and take `taken` announcements off those that wait; returns how many still do.
        Raises LeaseLost."""
        with redis_errors():
            waiting = self._save(
                keys=[_playback(lane), self.lease(lane), _waiting(lane)], args=[owner, state, taken, KEEP_SECONDS]
            )
        if waiting < 0:
            raise LeaseLost
        return int(waiting)


def _playback(lane: Lane) -> str:
    return keys.playback(lane.sid, lane.name)


def _waiting(lane: Lane) -> str:
    return keys.announcements(lane.sid, lane.name)
