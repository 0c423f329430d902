"""Keeps the outbox: callbacks that wait, in order, one lane each; a lane is worked on by the one drain that leases
it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import redis

from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.lanes import LEASE_MS, Lane, LaneStore
from orchestrator.store.scripts import Script
from orchestrator.store.together import Together

KIND = "callbacks"

_UNKNOWN_FOR_MS = 60_000
_RETRY_KEEP_SECONDS = 24 * 3600

State = Literal["delivered", "dead"]


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
        """Write the attempts as the scripts read them."""
        return orjson.dumps([[str(number), text] for number, text in self.attempts]).decode()


class OutboxStore(LaneStore):
    """Keeps lanes of callbacks, as the workers see them. What comes while a lane is drained is seen by its drain: so
    `take` leaves no mark, and `commit_head` gives an empty lane's lease up in the same step."""

    def __init__(self, client: redis.Redis, retention_seconds: int = keys.RETENTION_SECONDS) -> None:
        super().__init__(client, KIND)
        self._retention_seconds = retention_seconds
        self._together = Together(client)
        self._load = Script(client, "outbox/take")
        self._finish = Script(client, "outbox/finish_head")
        self._retry = Script(client, "outbox/retry_head")
        self._release_name = Script(client, "conferences/release_name")

    def take(self, lane: Lane, owner: str, now_ms: int, note: str = "") -> Head | None:
        """Lease the lane and read its head; None if another has it, or if it is empty or has to wait."""
        head = self.load_head(lane, owner, now_ms)
        return head if head.verdict == "ok" else None

    def load_head(self, lane: Lane, owner: str, now_ms: int) -> Head:
        """Lease the lane and read its head, as `take`; if there is none to be had, say why. By itself, not together
        with others: outcomes would wait behind lanes that have just been woken, and the lanes under way pile up."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            self._load(keys=self._keys(lane), args=[owner, LEASE_MS, now_ms, lane.name], client=pipe)
            pipe.zadd(self._due, {str(lane): self._after_lease(now_ms)}, gt=True)
            head = _head(pipe.execute()[0])
            if head.verdict == "wait":  # nothing was leased: the sweep looks when it is due, as before
                self._redis.zadd(self._due, {str(lane): head.due_ms})
            return head

    def commit_head(self, lane: Lane, owner: str, tried: Tried, state: State, reason: str) -> Head:
        """Remove the head, which is delivered or dead, keep what became of it, and read the next one."""
        arguments = [
            owner,
            lane.name,
            LEASE_MS,
            tried.token,
            state,
            reason,
            tried.dump(),
            self._retention_seconds,
        ]
        with redis_errors():
            return _head(
                self._together.run(lambda pipe: self._finish(keys=self._keys(lane), args=arguments, client=pipe))[0]
            )

    def save_retry(self, lane: Lane, owner: str, tried: Tried, due_ms: int) -> None:
        """Have the head tried again at `due_ms`; the lane is free until then, and keeps its order."""
        outbox, lease, retry, _, callback = self._keys(lane)
        with redis_errors():
            kept = self._retry(
                keys=[outbox, lease, retry, callback],
                args=[owner, due_ms, tried.token, tried.dump(), _RETRY_KEEP_SECONDS],
            )
            if kept:
                self._redis.zadd(self._due, {str(lane): due_ms})

    def list_empty(self, lanes: Sequence[Lane]) -> set[Lane]:
        """Return those of these lanes that hold no callbacks."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for lane in lanes:
                pipe.llen(keys.outbox(lane.sid, lane.name))
            return {lane for lane, length in zip(lanes, pipe.execute(), strict=True) if not length}

    def save_forgotten(self, now_ms: int) -> int:
        """Put every lane that holds callbacks on the list of due ones, if it is not: a process may have died between
        the commit and that. Also frees the names of conferences that have ended, takes off the open list those that
        have nothing left to do, and has those that go on among what lives of their account and their node (they may be
        older than these lists, and a server of a cluster that fails over may lose the last of what it had). Returns how
        many lanes."""
        with redis_errors():
            opened = self._redis.zrange(keys.OPEN_CONFERENCES, 0, -1, withscores=True)
            pipe = self._redis.pipeline(transaction=False)
            for sid, _ in opened:
                pipe.smembers(keys.lanes(sid))
                pipe.hmget(keys.conference(sid), "status", "account_sid", "friendly_name", "node")
                pipe.exists(keys.live_participants(sid))
            found = pipe.execute()
            waiting: dict[str, int] = {}
            over, freeing = [], self._redis.pipeline(transaction=False)
            living: dict[str, dict[str, float]] = {}
            for (sid, since_ms), names, (status, account_sid, friendly_name, node), unended in zip(
                opened, found[::3], found[1::3], found[2::3], strict=True
            ):
                waiting.update({str(Lane(sid, name)): now_ms for name in names})
                if status not in (None, "completed"):
                    living.setdefault(keys.account_live_conferences(account_sid), {})[sid] = now_ms
                    living.setdefault(keys.node_conferences(node), {})[sid] = since_ms
                elif status is not None:
                    self._release_name(
                        keys=[keys.account_names(account_sid)], args=[friendly_name, sid], client=freeing
                    )
                never_made = status is None and since_ms < now_ms - _UNKNOWN_FOR_MS
                if not names and not unended and (status == "completed" or never_made):
                    over.append(sid)
            for index, conferences in living.items():
                freeing.zadd(index, conferences, nx=True)
            freeing.execute()
            if over:
                self._redis.zrem(keys.OPEN_CONFERENCES, *over)
            return int(self._redis.zadd(self._due, waiting, nx=True)) if waiting else 0

    def _keys(self, lane: Lane) -> list[str]:
        sid, name = lane.sid, lane.name
        return [
            keys.outbox(sid, name),
            self.lease(lane),
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
