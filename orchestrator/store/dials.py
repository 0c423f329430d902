"""Calls that wait for their slot: each account dials so many a second, in order; a call that comes too soon waits.

What a worker needs to dial a call stands beside the queue, sealed by whoever has put it there, until it is dialled.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import redis

from orchestrator.domain.conference import Participant
from orchestrator.store import keys
from orchestrator.store.accounts import list_account_sids
from orchestrator.store.connection import redis_errors
from orchestrator.store.lanes import Lane, LaneStore
from orchestrator.store.scripts import Script

KIND: Final = "dialling"
LANE: Final = "calls"
"""Each account has one lane of this kind."""

SOON_MS: Final = 20
"""A slot that comes within this time is now: the switch's own clock ticks no faster."""

GONE_MS: Final = 300
"""How long after a channel's last event its UUID may still be taken: uuid_exists denies it a moment before that ends,
and a second channel of that name is refused (switch_core_session.c, "Duplicate UUID!")."""

FREE: Final = "dials_free_at"
NEXT: Final = "dials_not_before"
"""Fields of an account's tallies: the slot behind the last that was given; when its next call may be dialled (ms)."""


@dataclass(frozen=True, slots=True)
class DialSlot:
    """When a call is dialled. `waits_ms` 0: now, by the request that creates it."""

    waits_ms: int
    at_ms: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that waits: its slot comes at `slot_ms`, and not before its account's next call may be dialled."""

    account_sid: str
    conference_sid: str
    call_sid: str
    slot_ms: float
    not_before_ms: float = 0.0

    @property
    def member(self) -> str:
        """Return the call's name in the queue."""
        return f"{self.conference_sid}.{self.call_sid}"


class DialStore(LaneStore):
    """Keeps the queues of all accounts. Every method raises Unavailable."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(client, KIND)
        self._reserve = Script(client, "dials/reserve")
        self._give_back = Script(client, "dials/give_back")
        self._save_next = Script(client, "dials/save_next")
        self._claim = Script(client, "dials/claim")
        self._note_dialled = Script(client, "dials/note_dialled")
        self._finish = Script(client, "dials/finish")

    # ------------------------------------------------------------ for whoever creates a call

    def reserve(
        self, account_sid: str, conference_sid: str, call_sid: str, sealed_call: str, per_second: int
    ) -> DialSlot:
        """Give a call its slot."""
        with redis_errors():
            waits_ms, at_ms = self._reserve(
                keys=self._keys(account_sid),
                args=[f"{conference_sid}.{call_sid}", sealed_call, per_second, keys.RETENTION_SECONDS * 1000, SOON_MS],
            )
        return DialSlot(int(waits_ms), float(at_ms))

    def is_free(self, account_sid: str) -> bool:
        """Return whether a call would be dialled now: nobody waits."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.exists(keys.account_dials(account_sid))
            pipe.hmget(keys.account_tallies(account_sid), FREE, NEXT)
            waiting, free = pipe.execute()
        return not waiting and max(float(moment or 0) for moment in free) <= time.time() * 1000 + SOON_MS

    def give_back(self, account_sid: str, conference_sid: str, call_sid: str, per_second: int, slot: DialSlot) -> None:
        """Take back the slot of a call that was refused after all."""
        with redis_errors():
            self._give_back(
                keys=self._keys(account_sid), args=[f"{conference_sid}.{call_sid}", per_second, f"{slot.at_ms:.3f}"]
            )

    def list_soon(self, account_sid: str, now_ms: int) -> Lane:
        """Have a sweep look at the account's queue, should the wake-up be lost. Returns its lane, to be woken."""
        lane = Lane(account_sid, LANE)
        with redis_errors():
            self._redis.zadd(self._due, {str(lane): now_ms})
        return lane

    # ------------------------------------------------------------ for whoever dials

    def head(self, account_sid: str, passed_over: Collection[str] = ()) -> Waiting | None:
        """Return the call whose slot is next, but for those of nodes that are passed over."""
        last = -1 if passed_over else 0
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zrange(keys.account_dials(account_sid), 0, last, withscores=True)
            pipe.hget(keys.account_tallies(account_sid), NEXT)
            found, not_before = pipe.execute()
            waiting = [_waiting(account_sid, member, slot_ms, float(not_before or 0)) for member, slot_ms in found]
            if not passed_over:
                return next(iter(waiting), None)
            pipe = self._redis.pipeline(transaction=False)
            for call in waiting:
                pipe.hget(keys.conference(call.conference_sid), "node")
            nodes = pipe.execute()
        return next((call for call, node in zip(waiting, nodes, strict=True) if node not in passed_over), None)

    def save_next(self, account_sid: str, not_before_ms: float) -> None:
        """Have no further call of the account dialled before that moment, whoever dials it."""
        with redis_errors():
            self._save_next(
                keys=[keys.account_tallies(account_sid)],
                args=[f"{not_before_ms:.3f}", keys.RETENTION_SECONDS * 1000],
            )

    def list_waiting(self, account_sid: str) -> list[Waiting]:
        """List all of an account's calls that wait, in their order."""
        with redis_errors():
            found = self._redis.zrange(keys.account_dials(account_sid), 0, -1, withscores=True)
        return [_waiting(account_sid, member, slot_ms) for member, slot_ms in found]

    def list_over(self, account_sid: str) -> list[Waiting]:
        """List the calls that wait for nothing: a client has removed them, or their conference ends."""
        waiting = self.list_waiting(account_sid)
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for call in waiting:
                pipe.hmget(keys.participant(call.conference_sid, call.call_sid), "removal_requested", "ended_at")
                pipe.hmget(keys.conference(call.conference_sid), "end_reason")
            answers = pipe.execute()
        return [
            call
            for call, (removed, ended), (end_reason,) in zip(waiting, answers[::2], answers[1::2], strict=True)
            if removed == "1" or ended or end_reason
        ]

    def claim(self, call: Waiting) -> tuple[int, str, int]:
        """Note that a call is about to be dialled. Returns 1, and what is needed to dial it; 2 if a worker has claimed
        it before and has died, or could not tell what became of it, and when that was found first (ms, Redis' clock); 0
        if the call waits no more."""
        with redis_errors():
            claim, sealed, found_ms = self._claim(keys=self._keys(call.account_sid)[:2], args=[call.member])
        return int(claim), str(sealed), int(found_ms)

    def unclaim(self, call: Waiting) -> None:
        """Give a call back that was claimed and not dialled, so that it can be later."""
        with redis_errors():
            self._redis.hdel(keys.account_queued_calls(call.account_sid), f"{call.member}:claimed")

    def finish(self, call: Waiting, dialled_at: datetime | None, gateways_left: int = 0) -> None:
        """Take a call out of the queue, after its record says when it was dialled, if it was. One whose gateway has
        failed already is queued again by then, and stays."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            if dialled_at is not None:
                key = keys.participant(call.conference_sid, call.call_sid)
                self._note_dialled(keys=[key], args=[dialled_at.isoformat(), gateways_left], client=pipe)
            self._finish(keys=self._keys(call.account_sid)[:2], args=[call.member, repr(call.slot_ms)], client=pipe)
            pipe.execute()

    def list_empty(self, lanes: Sequence[Lane]) -> set[Lane]:
        """Return those of these queues in which nobody waits."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for lane in lanes:
                pipe.exists(keys.account_dials(lane.sid))
            found = pipe.execute()
        return {lane for lane, exists in zip(lanes, found, strict=True) if not exists}

    def save_forgotten(self, now_ms: int) -> int:
        """Put accounts on the list that have calls waiting and are not on it: whoever queued the first died before
        saying so."""
        with redis_errors():
            accounts = list_account_sids(self._redis)
            pipe = self._redis.pipeline(transaction=False)
            for account_sid in accounts:
                pipe.exists(keys.account_dials(account_sid))
            waiting = [Lane(sid, LANE) for sid, exists in zip(accounts, pipe.execute(), strict=True) if exists]
            if not waiting:
                return 0
            return int(self._redis.zadd(self._due, {str(lane): now_ms for lane in waiting}, nx=True))

    @staticmethod
    def _keys(account_sid: str) -> list[str]:
        return [
            keys.account_dials(account_sid),
            keys.account_queued_calls(account_sid),
            keys.account_tallies(account_sid),
        ]


def queue_next_gateways(pipe: Any, changed: Iterable[tuple[Participant, Participant]]) -> None:
    """Queue the calls, as they were and as they are, whose gateway has failed since."""
    for before, after in changed:
        if after.gateways_left < before.gateways_left:
            _queue_again(pipe, after)


def queue_waiting(client: Any, waiting: Iterable[Participant]) -> None:
    """Queue the calls that wait and are not queued. Raises Unavailable."""
    with redis_errors():
        pipe = client.pipeline(transaction=False)
        for one in waiting:
            _queue_again(pipe, one, only_new=True)
        pipe.execute()


def _queue_again(pipe: Any, participant: Participant, *, only_new: bool = False) -> None:
    """Put a call into its account's queue, due soon: what it is dialled with, and that a sweep looks at it."""
    account_sid, member = participant.account_sid, f"{participant.conference_sid}.{participant.call_sid}"
    now_ms, queued_calls = time.time() * 1000, keys.account_queued_calls(account_sid)
    slot_ms = now_ms + GONE_MS
    if not only_new:
        pipe.hdel(queued_calls, f"{member}:claimed")
    pipe.hset(queued_calls, member, participant.sealed_call)
    pipe.zadd(keys.account_dials(account_sid), {member: f"{slot_ms:.3f}"}, nx=only_new)
    pipe.zadd(keys.lanes_due(KIND), {str(Lane(account_sid, LANE)): int(now_ms)}, nx=only_new)


def _waiting(account_sid: str, member: str, slot_ms: float, not_before_ms: float = 0.0) -> Waiting:
    conference_sid, _, call_sid = member.partition(".")
    return Waiting(account_sid, conference_sid, call_sid, float(slot_ms), not_before_ms)
