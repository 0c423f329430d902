"""The outbox: callbacks that wait, in order, one lane each; a lane is worked on by the one drain that leases it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.scripts import Script

LEASE_MS = 5_000
"""A lease is renewed while its drain lives (`renew`), so it only runs out when the worker process has died."""

_AFTER_LEASE_MS = 500
_UNKNOWN_FOR_MS = 60_000
_RETRY_KEEP_SECONDS = 24 * 3600

State = Literal["delivered", "dead"]


@dataclass(frozen=True, slots=True)
class Lane:
    """The callbacks of one conference's events, or of one call's progress."""

    conference_sid: str
    name: str

    def __str__(self) -> str:
        return f"{self.conference_sid}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Lane:
        """A lane from its text."""
        return cls(*text.split(":", 1))


@dataclass(frozen=True, slots=True)
class Head:
    """What a drain finds at a lane's head. `ok`: a callback, its entry, the attempts made before, and since when (ms)
    it waits. `busy`, `empty`, `lost`: nothing to do here. `wait`: not before `due_ms`."""

    verdict: Literal["ok", "busy", "empty", "wait", "lost"]
    token: str = ""
    entry: str = ""
    attempts: int = 0
    since_ms: int = 0
    due_ms: int = 0


@dataclass(frozen=True, slots=True)
class Tried:
    """The attempts just made on a lane's head, each with its number, as JSON."""

    token: str
    attempts: tuple[tuple[int, str], ...] = ()

    def dump(self) -> str:
        """As the scripts read them."""
        return orjson.dumps([[str(number), text] for number, text in self.attempts]).decode()


class OutboxStore:
    """Lanes as the workers see them. `owner` is the drain's own name, new for every drain."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._take = Script(client, "outbox/take")
        self._finish = Script(client, "outbox/finish_head")
        self._retry = Script(client, "outbox/retry_head")
        self._settle = Script(client, "outbox/settle_due")
        self._renew = Script(client, "outbox/renew")
        self._release = Script(client, "outbox/release")

    def load_head(self, lane: Lane, owner: str, now_ms: int) -> Head:
        """Lease the lane and read its head. From now on a sweep finds the lane if its drain dies."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            self._take(keys=_lane_keys(lane), args=[owner, LEASE_MS, now_ms, lane.name], client=pipe)
            pipe.zadd(keys.LANES_DUE, {str(lane): now_ms + LEASE_MS + _AFTER_LEASE_MS}, gt=True)
            head = _head(pipe.execute()[0])
            if head.verdict == "wait":  # nothing was leased: the sweep looks when it is due, as before
                self._redis.zadd(keys.LANES_DUE, {str(lane): head.due_ms})
            return head

    def commit_head(self, lane: Lane, owner: str, tried: Tried, state: State, reason: str) -> Head:
        """The head is delivered or dead: remove it, keep what became of it, and read the next one."""
        with redis_errors():
            answer = self._finish(
                keys=_lane_keys(lane),
                args=[
                    owner,
                    lane.name,
                    LEASE_MS,
                    tried.token,
                    state,
                    reason,
                    tried.dump(),
                    keys.RETENTION_SECONDS,
                ],
            )
        return _head(answer)

    def save_retry(self, lane: Lane, owner: str, tried: Tried, due_ms: int) -> None:
        """The head is to be tried again at `due_ms`; the lane is free until then, and keeps its order."""
        outbox, lease, retry, _, callback = _lane_keys(lane)
        with redis_errors():
            kept = self._retry(
                keys=[outbox, lease, retry, callback],
                args=[owner, due_ms, tried.token, tried.dump(), _RETRY_KEEP_SECONDS],
            )
            if kept:
                self._redis.zadd(keys.LANES_DUE, {str(lane): due_ms})

    def release(self, lane: Lane, owner: str) -> None:
        """Give a lease back."""
        with redis_errors():
            self._release(keys=[keys.lease(lane.conference_sid, lane.name)], args=[owner])

    def renew(self, owners: Mapping[str, Lane], now_ms: int) -> None:
        """Keep the leases of lanes that this process is working on: owner -> lane. One that is lost stays lost."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            due = {}
            for owner, lane in owners.items():
                key = keys.lease(lane.conference_sid, lane.name)
                self._renew(keys=[key], args=[owner, LEASE_MS], client=pipe)
                due[str(lane)] = now_ms + LEASE_MS + _AFTER_LEASE_MS
            pipe.zadd(keys.LANES_DUE, due, xx=True, gt=True)
            pipe.execute()

    # ------------------------------------------------------------ what a sweep has to look at

    def list_due(self, now_ms: int, most: int) -> list[Lane]:
        """Lanes whose time has come, that hold callbacks, and that nobody works on. What is not due costs nothing."""
        with redis_errors():
            found = self._redis.zrangebyscore(keys.LANES_DUE, 0, now_ms, start=0, num=most, withscores=True)
            lanes = [Lane.parse(text) for text, _ in found]
            idle, empty = self._sort(lanes)
            arguments: list[str | int] = [now_ms + LEASE_MS]
            for lane, (text, score) in zip(lanes, found, strict=True):
                arguments += [text, f"{score:.0f}", "1" if lane in empty else "0"]
            if found:
                self._settle(keys=[keys.LANES_DUE], args=arguments)
        return idle

    def _sort(self, lanes: Sequence[Lane]) -> tuple[list[Lane], set[Lane]]:
        pipe = self._redis.pipeline(transaction=False)
        for lane in lanes:
            outbox, lease, *_ = _lane_keys(lane)
            pipe.llen(outbox)
            pipe.exists(lease)
        found = pipe.execute()
        empty = {lane for lane, length in zip(lanes, found[::2], strict=True) if not length}
        idle = [lane for lane, leased in zip(lanes, found[1::2], strict=True) if not leased and lane not in empty]
        return idle, empty

    def save_forgotten(self, now_ms: int) -> int:
        """Put every lane that holds callbacks on the list of due ones, if it is not: a process may have died between
        the commit and that. Also takes conferences off the open list that have nothing left to do, and has those that
        go on among what lives of their account (they may be older than that list). Returns how many."""
        with redis_errors():
            opened = self._redis.zrange(keys.OPEN_CONFERENCES, 0, -1, withscores=True)
            pipe = self._redis.pipeline(transaction=False)
            for sid, _ in opened:
                pipe.smembers(keys.lanes(sid))
                pipe.hmget(keys.conference(sid), "status", "account_sid")
                pipe.exists(keys.live_participants(sid))
            found = pipe.execute()
            waiting: dict[str, int] = {}
            over = []
            living: dict[str, dict[str, int]] = {}
            for (sid, since_ms), names, (status, account_sid), unended in zip(
                opened, found[::3], found[1::3], found[2::3], strict=True
            ):
                waiting.update({str(Lane(sid, name)): now_ms for name in names})
                if status not in (None, "completed"):
                    living.setdefault(account_sid, {})[sid] = now_ms
                never_made = status is None and since_ms < now_ms - _UNKNOWN_FOR_MS
                if not names and not unended and (status == "completed" or never_made):
                    over.append(sid)
            for account_sid, conferences in living.items():
                self._redis.zadd(keys.account_live_conferences(account_sid), conferences, nx=True)
            if over:
                self._redis.zrem(keys.OPEN_CONFERENCES, *over)
            return int(self._redis.zadd(keys.LANES_DUE, waiting, nx=True)) if waiting else 0

    def save_postponed(self, lane: Lane, owner: str, due_ms: int) -> None:
        """Give the lane back without having tried: somebody looks at it again at `due_ms`."""
        with redis_errors():
            if self._release(keys=[keys.lease(lane.conference_sid, lane.name)], args=[owner]):
                self._redis.zadd(keys.LANES_DUE, {str(lane): due_ms})


def _lane_keys(lane: Lane) -> list[str]:
    sid, name = lane.conference_sid, lane.name
    return [
        keys.outbox(sid, name),
        keys.lease(sid, name),
        keys.retry(sid, name),
        keys.lanes(sid),
        keys.callback(sid, ""),
    ]


def _head(answer: Sequence[Any]) -> Head:
    if answer[0] == "ok":
        return Head("ok", str(answer[1]), str(answer[2]), int(answer[3]), int(answer[4]))
    if answer[0] == "wait":
        return Head("wait", due_ms=int(answer[1]))
    return Head(answer[0])
