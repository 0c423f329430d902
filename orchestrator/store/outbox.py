"""The outbox: callbacks that wait, in order, one lane each; a lane is worked on by the one drain that leases it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import redis

from orchestrator.store import keys, scripts
from orchestrator.store.connection import redis_errors

LEASE_MS = 5_000
"""A lease is renewed while its drain lives (`renew`), so it only runs out when the worker process has died."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The callbacks of one conference's events, or of one call's progress."""

    conference_sid: str
    name: str


@dataclass(frozen=True, slots=True)
class Head:
    """What a drain finds at a lane's head: `ok` with an entry, `busy`, `empty`, `wait` until `due_ms`, or `lost`."""

    verdict: Literal["ok", "busy", "empty", "wait", "lost"]
    entry: str = ""
    attempts: int = 0
    due_ms: int = 0


class OutboxStore:
    """Lanes as the workers see them. `owner` is the drain's own name, new for every drain."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._take = client.register_script(scripts.TAKE_LANE)
        self._finish = client.register_script(scripts.FINISH_HEAD)
        self._retry = client.register_script(scripts.RETRY_HEAD)
        self._release = client.register_script(scripts.RELEASE_LANE)

    def load_head(self, lane: Lane, owner: str, now_ms: int) -> Head:
        """Lease the lane and read its head."""
        with redis_errors():
            answer = self._take(
                keys=[
                    *_lane_keys(lane),
                    keys.retry(lane.conference_sid, lane.name),
                    keys.lanes(lane.conference_sid),
                ],
                args=[owner, LEASE_MS, now_ms, lane.name],
            )
        if answer[0] == "ok":
            return Head("ok", str(answer[1]), int(answer[2]))
        if answer[0] == "wait":
            return Head("wait", due_ms=int(answer[1]))
        return Head(answer[0])

    def commit_head(self, lane: Lane, owner: str, entry: str) -> Head:
        """The entry is done with (delivered or given up): remove it and read the next one."""
        with redis_errors():
            answer = self._finish(
                keys=[
                    *_lane_keys(lane),
                    keys.retry(lane.conference_sid, lane.name),
                    keys.lanes(lane.conference_sid),
                ],
                args=[owner, lane.name, LEASE_MS, entry],
            )
        return Head("ok", str(answer[1])) if answer[0] == "ok" else Head(answer[0])

    def save_retry(self, lane: Lane, owner: str, attempts: int, due_ms: int) -> None:
        """The head is to be tried again at `due_ms`; the lane is free until then, and keeps its order."""
        with redis_errors():
            self._retry(
                keys=[*_lane_keys(lane), keys.retry(lane.conference_sid, lane.name)],
                args=[owner, attempts, due_ms],
            )

    def release(self, lane: Lane, owner: str) -> None:
        """Give a lease back."""
        with redis_errors():
            self._release(keys=[keys.lease(lane.conference_sid, lane.name)], args=[owner])

    def renew(self, lanes: Iterable[Lane]) -> None:
        """Keep the leases of lanes that this process is working on."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for lane in lanes:
                pipe.pexpire(keys.lease(lane.conference_sid, lane.name), LEASE_MS)
            pipe.execute()

    def save_dropped(self, reason: str, count: int) -> None:
        """Count callbacks that were given up."""
        with redis_errors():
            self._redis.hincrby(keys.DROPPED, reason, count)

    def list_waiting(self, now_ms: int) -> list[Lane]:
        """Every lane that holds callbacks, is leased by nobody and is due: what a sweep has to wake.

        Also takes conferences off the open list that are over and have nothing left to deliver.
        """
        with redis_errors():
            open_since = self._redis.zrange(keys.OPEN_CONFERENCES, 0, -1, withscores=True)
            sids = [sid for sid, _ in open_since]
            pipe = self._redis.pipeline(transaction=False)
            for sid in sids:
                pipe.smembers(keys.lanes(sid))
                pipe.hget(keys.conference(sid), "status")
            found = pipe.execute()
            lanes = []
            for (sid, since_ms), names, status in zip(open_since, found[::2], found[1::2], strict=True):
                lanes += [Lane(sid, name) for name in sorted(names)]
                never_made = status is None and since_ms < now_ms - 60_000
                if not names and (status == "completed" or never_made):
                    self._redis.zrem(keys.OPEN_CONFERENCES, sid)
            return self._due(lanes, now_ms)

    def _due(self, lanes: list[Lane], now_ms: int) -> list[Lane]:
        pipe = self._redis.pipeline(transaction=False)
        for lane in lanes:
            pipe.exists(keys.lease(lane.conference_sid, lane.name))
            pipe.hget(keys.retry(lane.conference_sid, lane.name), "due")
        found = pipe.execute()
        return [
            lane
            for lane, leased, due in zip(lanes, found[::2], found[1::2], strict=True)
            if not leased and (due is None or int(due) <= now_ms)
        ]


def _lane_keys(lane: Lane) -> tuple[str, str]:
    return keys.outbox(lane.conference_sid, lane.name), keys.lease(lane.conference_sid, lane.name)
