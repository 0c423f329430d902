"""Recordings: each is a hash beside its conference, committed with its callbacks in one step, also after the
conference's end; and which of them somebody has to look at, and when."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import redis

from orchestrator.clock import now_ms
from orchestrator.domain.changes import NewCallback
from orchestrator.domain.recording import (
    ACTIVE,
    DELETED,
    STOPPED,
    Recording,
)
from orchestrator.sids import recording_sids_of
from orchestrator.store import keys
from orchestrator.store.callback_index import OUTBOX_DEPTH, WAKE_GRACE_MS, Dropped, index_callbacks, parse_dropped
from orchestrator.store.connection import redis_errors
from orchestrator.store.lanes import Lane
from orchestrator.store.leases import refused
from orchestrator.store.records import decode_recording, encode_recording
from orchestrator.store.scripts import Script

DELETED_SECONDS: Final = 40 * 24 * 3600
"""How long a deleted recording is still named, as Twilio has it."""

ROWS_PER_READ: Final = 50
MOST_RUNNING: Final = 100
"""Most recordings that are looked at for a page that is shown three times a second."""

WATCHED_WITHIN_MS: Final = 10_000
"""What runs is looked at again within this time; what is kept waits for its last day."""

_DUE: Final = keys.lanes_due("recordings")
_CALLBACKS_DUE: Final = keys.lanes_due("callbacks")


@dataclass(frozen=True, slots=True)
class VersionedRecording:
    """A recording as it was read, with the version that a commit has to find unchanged."""

    recording: Recording
    version: int


def lane_of(recording: Recording) -> Lane:
    """Return the lane of a recording's callbacks, which is its place on the list of those that are looked at, too."""
    return Lane(recording.conference_sid, recording.recording_sid)


class RecordingStore:
    """Stores the recordings of all accounts."""

    def __init__(self, client: redis.Redis, retention_seconds: int = keys.RETENTION_SECONDS) -> None:
        self._redis: Any = client
        self._retention_seconds = retention_seconds
        self._create = Script(client, "recordings/create")
        self._commit = Script(client, "recordings/commit")
        self._count_bytes = Script(client, "recordings/count_bytes")

    # ------------------------------------------------------------ write

    def create(self, recording: Recording) -> bool:
        """Write a new recording; False if it is there already. From now on somebody looks at it."""
        sid, made_ms = recording.recording_sid, int(recording.created_at.timestamp() * 1000)
        lane = lane_of(recording)
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.set(keys.recording_index(sid), recording.conference_sid)
            for subject in (recording.account_sid, recording.call_sid or recording.conference_sid):
                pipe.zadd(keys.recordings_of(subject), {f"{recording.conference_sid}.{sid}": made_ms})
            pipe.zadd(_DUE, {str(lane): now_ms() + WAKE_GRACE_MS}, nx=True)
            pipe.execute()
            made = self._create(
                keys=[keys.recording(recording.conference_sid, sid)], args=[json.dumps(encode_recording(recording))]
            )
        return bool(made)

    def commit(
        self,
        before: VersionedRecording,
        after: Recording,
        callbacks: Sequence[NewCallback],
        epoch: int | None = None,
    ) -> bool:
        """Write what has changed, if nobody has changed it since; False if somebody has. What lies in other slots
        follows; should we die before it, the sweep that looks for callbacks finds these, too. `epoch`: of the
        listener's lease.

        Raises LeaseLost if there is a newer epoch.
        """
        sid, conference_sid = after.recording_sid, after.conference_sid
        change = {
            "fields": encode_recording(after, before.recording),
            "expire": DELETED_SECONDS if after.status is DELETED else 0,
            "keep": self._retention_seconds,
            "depth": OUTBOX_DEPTH,
            "callbacks": [[new.token, str(new.planned_ms), new.entry.decode()] for new in callbacks],
        }
        with redis_errors():
            if callbacks:
                self._redis.zadd(keys.OPEN_CONFERENCES, {conference_sid: now_ms()}, nx=True)
            done, dropped = self._commit(
                keys=[
                    keys.recording(conference_sid, sid),
                    keys.lanes(conference_sid),
                    keys.callback(conference_sid, ""),
                    keys.conference_callbacks(conference_sid),
                    keys.outbox(conference_sid, sid),
                    keys.conference(conference_sid),
                ],
                args=[before.version, uuid.uuid4().hex, sid, json.dumps(change), "" if epoch is None else epoch],
            )
            if done == -1:
                raise refused(self._redis, after.node)
            if not done:
                return False
            self._index(before.recording, after, callbacks, parse_dropped(dropped))
        return True

    def _index(self, before: Recording, after: Recording, callbacks: Sequence[NewCallback], dropped: Dropped) -> None:
        pipe = self._redis.pipeline(transaction=False)
        index_callbacks(pipe, after.account_sid, after.conference_sid, callbacks, dropped, self._retention_seconds)
        if callbacks:
            pipe.zadd(_CALLBACKS_DUE, {str(lane_of(after)): now_ms() + WAKE_GRACE_MS})
        has_ceased = before.running_part is not None and after.running_part is None
        if has_ceased or after.status is not before.status:
            pipe.zadd(_DUE, {str(lane_of(after)): now_ms() + WAKE_GRACE_MS})
        if after.sizes != before.sizes or after.status is DELETED:
            size = 0 if after.status is DELETED else sum(bytes_ for _, bytes_ in after.sizes)
            self._count_bytes(
                keys=[keys.account_recording_bytes(after.account_sid)], args=[after.recording_sid, size], client=pipe
            )
        if after.status is DELETED:
            pipe.expire(keys.recording_index(after.recording_sid), DELETED_SECONDS)
        pipe.execute()

    # ------------------------------------------------------------ read

    def load(self, conference_sid: str, recording_sid: str) -> VersionedRecording | None:
        """Load a recording."""
        with redis_errors():
            raw = self._redis.hgetall(keys.recording(conference_sid, recording_sid))
        return _versioned(raw)

    def find(self, recording_sid: str) -> VersionedRecording | None:
        """Find a recording of which only its own SID is known."""
        with redis_errors():
            conference_sid = self._redis.get(keys.recording_index(recording_sid))
        return self.load(conference_sid, recording_sid) if conference_sid else None

    def list_needless(self, legs: Mapping[str, str]) -> list[str]:
        """List those of these recorder legs (channel UUID -> ConferenceSid) of whose recordings none is under way."""
        named = [(leg, keys.recording(sid, one)) for leg, sid in legs.items() for one in recording_sids_of(leg)]
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for _, key in named:
                pipe.hget(key, "status")
            found = pipe.execute()
        needed = {leg for (leg, _), status in zip(named, found, strict=True) if status in (*ACTIVE, STOPPED)}
        return [leg for leg in legs if leg not in needed]

    def list_of(self, subject_sid: str) -> Iterator[Recording]:
        """List the recordings of an account, a call or a conference, newest first; in chunks, so that a caller may stop
        early. What is gone falls off the list."""
        index, start = keys.recordings_of(subject_sid), 0
        while True:
            with redis_errors():
                members = self._redis.zrevrange(index, start, start + ROWS_PER_READ - 1)
                found = self._read(members)
                gone = [member for member, row in found if row is None]
                if gone:
                    self._redis.zrem(index, *gone)
            yield from (row.recording for _, row in found if row is not None)
            if len(members) < ROWS_PER_READ:
                return
            start += len(members) - len(gone)

    def list_last(self, subject_sids: Sequence[str], most: int) -> list[Recording]:
        """List the last recordings of these accounts, calls and conferences, newest first, `most` at most; in two round
        trips."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for sid in subject_sids:
                pipe.zrevrange(keys.recordings_of(sid), 0, most - 1, withscores=True)
            made = {member: made_ms for rows in pipe.execute() for member, made_ms in rows}
            found = self._read(sorted(made, key=lambda member: made[member], reverse=True)[:most])
        return [row.recording for _, row in found if row is not None]

    def list_running(self) -> tuple[list[Recording], int]:
        """List recordings of all accounts that are under way, the newest first, of MOST_RUNNING that somebody has to
        look at; and say how many these are in all, with those that are being finished."""
        most_ms = now_ms() + WATCHED_WITHIN_MS
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zcount(_DUE, "-inf", most_ms)
            pipe.zrangebyscore(_DUE, "-inf", most_ms, start=0, num=MOST_RUNNING)
            number, lanes = pipe.execute()
            found = self._read([lane.replace(":", ".") for lane in lanes])
        running = [row.recording for _, row in found if row is not None and row.recording.status in ACTIVE]
        return sorted(running, key=lambda one: one.created_at, reverse=True), number

    def _read(self, members: Sequence[str]) -> list[tuple[str, VersionedRecording | None]]:
        pipe = self._redis.pipeline(transaction=False)
        for member in members:
            pipe.hgetall(keys.recording(*member.split(".")))
        return [(member, _versioned(raw)) for member, raw in zip(members, pipe.execute(), strict=True)]

    def kept_bytes(self, account_sid: str) -> int:
        """Return how many bytes of the account's recordings are kept."""
        with redis_errors():
            return int(self._redis.hget(keys.account_recording_bytes(account_sid), "all") or 0)

    def load_made_at(self, recording_sid: str) -> datetime | None:
        """Load when a recording was created; None if nothing is known of it."""
        found = self.find(recording_sid)
        return None if found is None else found.recording.created_at


def _versioned(raw: dict[str, str]) -> VersionedRecording | None:
    if "version" not in raw:
        return None
    return VersionedRecording(*decode_recording([text for pair in raw.items() for text in pair]))
