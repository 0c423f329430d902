"""Remembers callbacks: what was sent where, every attempt, and what is to be sent again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import orjson
import redis

from orchestrator.errors import NotFound
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.lanes import Lane
from orchestrator.store.scripts import Script

_ROWS_PER_READ = 20
_NEWEST = 1_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: when (ms since 1970), where, the HTTP status or 0, how long, the error, the start of the answer."""

    number: int
    at_ms: int
    url: str
    status: int
    milliseconds: int
    error: str
    answer: str


@dataclass(frozen=True, slots=True)
class KeptCallback:
    """A callback as it is remembered. `state` is `waiting`, `delivered` or `dead`; `reason` says why it is dead."""

    conference_sid: str
    token: str
    account_sid: str
    call_sid: str
    kind: str
    lane: str
    url: str
    method: str
    parameters: tuple[tuple[str, str], ...]
    state: str
    reason: str
    planned_ms: int
    attempts_made: int
    replays: int
    attempts: tuple[Attempt, ...]

    @property
    def callback_id(self) -> str:
        """Return the id by which clients name it: the conference and the idempotency token."""
        return f"{self.conference_sid}.{self.token}"

    @property
    def sequence_number(self) -> int:
        """Return its number among the callbacks of its lane: events of one moment have an order, too."""
        return int(dict(self.parameters).get("SequenceNumber", "0"))


@dataclass(frozen=True, slots=True)
class CallbackFilter:
    """Which callbacks are wanted; an empty text or None: any. Moments in ms since 1970."""

    conference_sid: str = ""
    call_sid: str = ""
    kind: str = ""
    state: str = ""
    after_ms: int | None = None
    before_ms: int | None = None

    def matches(self, callback: KeptCallback) -> bool:
        """True if the callback passes the filter."""
        wanted = (self.conference_sid, self.call_sid, self.kind, self.state)
        found = (callback.conference_sid, callback.call_sid, callback.kind, callback.state)
        return all(not want or want == have for want, have in zip(wanted, found, strict=True))


class CallbackStore:
    """Keeps the callbacks of all accounts; every verb names the account it acts for."""

    def __init__(self, client: redis.Redis, retention_seconds: int = keys.RETENTION_SECONDS) -> None:
        self._redis: Any = client
        self._retention_seconds = retention_seconds
        self._replay = Script(client, "outbox/replay")

    def load_callback(self, account_sid: str, conference_sid: str, token: str) -> KeptCallback:
        """Load a callback with its attempts. Raises NotFound."""
        (found,) = self._load([(conference_sid, token)])
        if found is None or found.account_sid != account_sid:
            raise NotFound(f"The callback {conference_sid}.{token} was not found")
        return found

    def list_callbacks(
        self, account_sid: str, wanted: CallbackFilter, *, oldest_first: bool = False
    ) -> Iterator[KeptCallback | None]:
        """List callbacks, newest first, of the conference, of the dead, or of all; read in chunks, so a caller may stop
        early. Other filters are the caller's to apply (`CallbackFilter.matches`), who knows how many rows it wants to
        look at: a row that is gone counts, too, and comes as None."""
        sid = wanted.conference_sid
        if sid and not self._owns(account_sid, sid):
            return
        if sid and wanted.state != "dead":
            index, prefix = keys.conference_callbacks(sid), f"{sid}."
        else:
            index = (keys.account_dead if wanted.state == "dead" else keys.account_callbacks)(account_sid)
            prefix = ""
        newest = "+inf" if wanted.before_ms is None else wanted.before_ms
        oldest = "-inf" if wanted.after_ms is None else wanted.after_ms
        start = 0
        while True:
            with redis_errors():
                if oldest_first:
                    names = self._redis.zrangebyscore(index, oldest, newest, start=start, num=_ROWS_PER_READ)
                else:
                    names = self._redis.zrevrangebyscore(index, newest, oldest, start=start, num=_ROWS_PER_READ)
            pairs = [_pair(prefix + name) for name in names]
            rows = self._load([pair for pair in pairs if not sid or pair[0] == sid])
            yield from (row if row is not None and row.account_sid == account_sid else None for row in rows)
            if len(names) < _ROWS_PER_READ:
                return
            start += _ROWS_PER_READ

    def _owns(self, account_sid: str, conference_sid: str) -> bool:
        with redis_errors():
            return bool(self._redis.hget(keys.conference(conference_sid), "account_sid") == account_sid)

    def save_replay(self, callback: KeptCallback, now_ms: int) -> bool:
        """Let a finished callback wait again at the end of its lane, under its old token; False if it waits already."""
        sid = callback.conference_sid
        with redis_errors():
            done = self._replay(
                keys=[keys.callback(sid, callback.token), keys.outbox(sid, callback.lane), keys.lanes(sid)],
                args=[callback.token, callback.lane, now_ms],
            )
            if done:
                pipe = self._redis.pipeline(transaction=False)
                pipe.zrem(keys.account_dead(callback.account_sid), callback.callback_id)
                pipe.zadd(keys.OPEN_CONFERENCES, {sid: now_ms}, nx=True)
                pipe.zadd(keys.lanes_due("callbacks"), {str(Lane(sid, callback.lane)): now_ms})
                pipe.execute()
        return bool(done)

    def save_due_now(self, account_sid: str, host: str) -> None:
        """Make those lanes of the account due at once that wait for this receiver: of its newest thousand callbacks."""
        now_ms = int(time.time() * 1000)
        lanes: dict[str, int] = {}
        retries = []
        for found in islice(self.list_callbacks(account_sid, CallbackFilter()), _NEWEST):
            if (
                found is not None
                and found.state == "waiting"
                and urlsplit(found.url).netloc.rpartition("@")[2].lower() == host
            ):
                lanes[str(Lane(found.conference_sid, found.lane))] = now_ms
                retries.append(keys.retry(found.conference_sid, found.lane))
        if lanes:
            with redis_errors():
                pipe = self._redis.pipeline(transaction=False)
                for key in retries:
                    pipe.delete(key)
                pipe.zadd(keys.lanes_due("callbacks"), lanes)
                pipe.execute()

    def save_dropped(self, reason: str) -> None:
        """Count a callback that cannot even be listed."""
        with redis_errors():
            self._redis.hincrby(keys.DROPPED, reason, 1)

    def save_dead(self, account_sid: str, conference_sid: str, token: str, reason: str, planned_ms: int) -> None:
        """List and count a dead letter."""
        now_ms = int(time.time() * 1000)
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            index = keys.account_dead(account_sid)
            pipe.zremrangebyscore(index, 0, now_ms - self._retention_seconds * 1000)
            pipe.zadd(index, {f"{conference_sid}.{token}": planned_ms})
            pipe.expire(index, self._retention_seconds)
            if pipe.execute()[1]:
                self._redis.hincrby(keys.DROPPED, reason, 1)

    def _load(self, pairs: Sequence[tuple[str, str]]) -> list[KeptCallback | None]:
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for conference_sid, token in pairs:
                pipe.hgetall(keys.callback(conference_sid, token))
            found = pipe.execute()
        return [_read(token, raw) for (_, token), raw in zip(pairs, found, strict=True)]


def _pair(callback_id: str) -> tuple[str, str]:
    conference_sid, _, token = callback_id.partition(".")
    return conference_sid, token


def _read(token: str, raw: dict[str, str]) -> KeptCallback | None:
    if "entry" not in raw:
        return None
    entry = orjson.loads(raw["entry"])
    kept = [name for name in raw if name.startswith("attempt:")]
    attempts = sorted((Attempt(**orjson.loads(raw[name])) for name in kept), key=lambda attempt: attempt.number)
    return KeptCallback(
        conference_sid=entry["conference_sid"],
        token=token,
        account_sid=entry["account_sid"],
        call_sid=entry["call_sid"],
        kind=entry["kind"],
        lane=raw["lane"],
        url=entry["url"],
        method=entry["method"],
        parameters=tuple((name, value) for name, value in entry["parameters"]),
        state=raw["state"],
        reason=raw["reason"],
        planned_ms=int(raw["planned_ms"]),
        attempts_made=int(raw["attempts"]),
        replays=int(raw.get("replays", "0")),
        attempts=tuple(attempts),
    )
