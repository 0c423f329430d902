"""Deletes an account with all that is kept of it: what docs/redis-schema.md promises to end with the account."""

from __future__ import annotations

from typing import Any, Final

import redis

from orchestrator.errors import Conflict
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.schema import KEYS

_AT_ONCE: Final = 200
_PLAYED: Final = (keys.playback, keys.announcements)
_OF_A_CALL: Final = (keys.participant, *_PLAYED)
"""Keys of a conference that name one of its calls."""


class AccountRemoval:
    """Deletes an account that is suspended, so that nothing is added meanwhile, and has no live calls and no
    recordings: those are ended and deleted first, with their callbacks, and their audio is not in Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def delete(self, account_sid: str) -> int:
        """Delete the account; returns how many keys there were. After a failure it may be repeated. Raises Conflict,
        Unavailable."""
        with redis_errors():
            self._check(account_sid)
            recordings = [name.split(".") for name in self._redis.zrange(keys.recordings_of(account_sid), 0, -1)]
            gone = self._delete_recordings(recordings)
            calls = [name.partition(":")[0] for name in self._redis.zrange(keys.account_kept(account_sid), 0, -1)]
            gone += self._delete_calls(calls)
            listed = self._redis.zrange(keys.account_conferences(account_sid), 0, -1)
            for sid in {*listed, *(sid for sid, _ in recordings)}:
                gone += self._delete_conference(sid)
            self._redis.srem(keys.ACCOUNTS, account_sid)  # first: without the account itself nothing is repeated
            gone += int(self._redis.unlink(*_own(account_sid), keys.recordings_of(account_sid)))
        return gone

    def _check(self, account_sid: str) -> None:
        if self._redis.hget(keys.account(account_sid), "status") != "suspended":
            raise Conflict(f"The account {account_sid} is active: suspend it first")
        if self._redis.zcard(keys.account_live(account_sid)):
            raise Conflict(f"The account {account_sid} has live calls: end its conferences first")
        if int(self._redis.hget(keys.account_recording_bytes(account_sid), "all") or 0):
            raise Conflict(f"The account {account_sid} has recordings: delete them first")

    def _delete_recordings(self, recordings: list[list[str]]) -> int:
        """Delete what is kept of recordings that are deleted, each ConferenceSid and RecordingSid: they outlive their
        calls and conferences."""
        gone = 0
        for start in range(0, len(recordings), _AT_ONCE):
            some = recordings[start : start + _AT_ONCE]
            pipe = self._redis.pipeline(transaction=False)
            for sid, recording_sid in some:
                pipe.hget(keys.recording(sid, recording_sid), "call_sid")
            for (sid, recording_sid), call_sid in zip(some, pipe.execute(), strict=True):
                if call_sid:
                    pipe.unlink(keys.recordings_of(call_sid))
                pipe.unlink(keys.recording_index(recording_sid))
                pipe.unlink(keys.recording(sid, recording_sid))  # last: it says whose the others are
            gone += sum(pipe.execute())
        return gone

    def _delete_calls(self, calls: list[str]) -> int:
        gone = 0
        for start in range(0, len(calls), _AT_ONCE):
            some = calls[start : start + _AT_ONCE]
            pipe = self._redis.pipeline(transaction=False)
            for call_sid in some:
                pipe.get(keys.call(call_sid))
            for call_sid, sid in zip(some, pipe.execute(), strict=True):
                pipe.unlink(*(key(sid or "", call_sid) for key in _OF_A_CALL))
                pipe.unlink(keys.recordings_of(call_sid))
                pipe.unlink(keys.call(call_sid))  # last, likewise
            gone += sum(pipe.execute())
        return gone

    def _delete_conference(self, sid: str) -> int:
        tokens = self._redis.zrange(keys.conference_callbacks(sid), 0, -1)
        lanes = self._redis.smembers(keys.lanes(sid))
        pipe = self._redis.pipeline(transaction=False)
        for token in tokens:
            pipe.unlink(keys.callback(sid, token))
        for lane in lanes:
            pipe.unlink(keys.outbox(sid, lane), keys.retry(sid, lane))
        parts = (
            keys.conference, keys.live_participants, keys.labels, keys.owed, keys.lanes, keys.conference_callbacks,
            keys.recordings_of,
        )  # fmt: skip
        pipe.unlink(*(key(sid) for key in parts), *(key(sid, keys.CONFERENCE_LANE) for key in _PLAYED))
        gone = int(sum(pipe.execute()))
        self._redis.zrem(keys.OPEN_CONFERENCES, sid)
        return gone


def _own(account_sid: str) -> list[str]:
    """The account's own keys: a row of the schema each. The account itself is the last of them to go."""
    patterns = sorted((row.pattern for row in KEYS if row.pattern.startswith("account:{AC}")), key=len, reverse=True)
    return [pattern.replace("{AC}", f"{{{account_sid}}}") for pattern in patterns]
