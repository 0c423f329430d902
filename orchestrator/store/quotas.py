"""What accounts take of their quotas, and calls that a node is about to have. The quotas themselves: limits.py.

What is live is counted by sets of calls, written before the call and emptied by the commit of its end. Whatever a crash
leaves in them is looked at by later creates of the account, a few at a time, and taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import redis

from orchestrator.domain.changes import Change
from orchestrator.domain.conference import ConferenceStatus
from orchestrator.errors import QuotaReached, StoreFull, Unavailable
from orchestrator.limits import TABLE, Limits
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.memory import CREATE_SHARE, Memory
from orchestrator.store.scripts import Script

LOOK_AGAIN_MS: Final = 10_000
"""Age from which on a call in a set is looked at: a create is done or given up long before, so one that is not what the
set says is left from a crash."""

LOOKED_AT_PER_CREATE: Final = 3
LOOKED_AT_PER_REFUSAL: Final = 20
DIALLED_MS: Final = 5_000

_ROWS: Final = {row.name: row for row in TABLE}


@dataclass(frozen=True, slots=True)
class Admission:
    """A create that asks to be admitted: what it takes of its account. `makes_conference`: its SID is new."""

    account_sid: str
    conference_sid: str
    call_sid: str
    parameter_bytes: int
    made_ms: int
    makes_conference: bool = False

    @property
    def call(self) -> str:
        """Return the call's name in the sets."""
        return f"{self.conference_sid}.{self.call_sid}"

    @property
    def kept(self) -> str:
        """Return the call's name among those that are kept, with its size."""
        return f"{self.call_sid}:{self.parameter_bytes}"


@dataclass(frozen=True, slots=True)
class Room:
    """What a node can take: sessions that were free `age_ms` ago, and new sessions a second."""

    free_sessions: int
    age_ms: int
    per_second: int


@dataclass(frozen=True, slots=True)
class _Question:
    """Whether a member of a set is what the set says: fields of a hash, and what they have to be."""

    key_of: Callable[..., str]
    fields: tuple[str, ...]
    is_so: Callable[[Sequence[str | None]], bool]


def _goes_on(found: Sequence[str | None]) -> bool:
    """Return whether a call was written, and none of what would end it has been."""
    return bool(found[0]) and not any(found[1:])


_LIVE: Final = _Question(keys.participant, ("created_at", "ended_at"), _goes_on)
_DIALLING: Final = _Question(keys.participant, ("created_at", "ended_at", "answered_at"), _goes_on)
_ACTIVE: Final = _Question(
    keys.conference, ("status",), lambda found: found[0] not in (None, str(ConferenceStatus.COMPLETED))
)


class QuotaStore:
    """Counts what accounts and nodes have taken. Every verb names the account, or the node, that it counts for."""

    def __init__(self, client: redis.Redis, call_retention_seconds: int = keys.RETENTION_SECONDS) -> None:
        self._call_retention_ms = call_retention_seconds * 1000
        self._redis: Any = client
        self._memory = Memory(client)
        self._admit = Script(client, "quotas/admit")
        self._release = Script(client, "quotas/release")
        self._looked_at = Script(client, "quotas/looked_at")
        self._take = Script(client, "quotas/take")
        self._reserve_session = Script(client, "quotas/reserve_session")

    # ------------------------------------------------------------ creates

    @contextmanager
    def admitted(self, admission: Admission, limits: Limits) -> Iterator[None]:
        """Count a create while it is made; one that fails was never there. Raises QuotaReached, StoreFull."""
        if self._memory.used_share() > CREATE_SHARE:
            raise StoreFull("The data store is nearly full: nobody can be added at present")
        self._ask(admission, limits)
        try:
            yield
        except BaseException:
            self._give_back(admission)
            raise

    def _ask(self, admission: Admission, limits: Limits) -> None:
        verdict, wait_ms, found_dead = self._admit_once(admission, limits)
        if verdict != "ok" and found_dead:
            verdict, wait_ms, _ = self._admit_once(admission, limits)
        if verdict != "ok":
            raise reached(verdict, limits, wait_ms)

    def _admit_once(self, admission: Admission, limits: Limits) -> tuple[str, int, bool]:
        """Ask once; returns the verdict, the ms to wait, and whether members were taken out that are not so any
        more."""
        sid = admission.account_sid
        live, conferences, dialling = (
            keys.account_live(sid),
            keys.account_live_conferences(sid),
            keys.account_dialling(sid),
        )
        with redis_errors():
            answer = self._admit(
                keys=[live, conferences, dialling, keys.account_kept(sid), keys.account_tallies(sid)],
                args=[
                    admission.call,
                    admission.conference_sid,
                    admission.kept,
                    admission.parameter_bytes,
                    limits.live_participants,
                    limits.live_conferences,
                    limits.dialling,
                    limits.creates_per_second,
                    limits.kept_participants,
                    limits.kept_parameter_bytes,
                    self._call_retention_ms,
                    LOOK_AGAIN_MS,
                    LOOKED_AT_PER_CREATE,
                    LOOKED_AT_PER_REFUSAL,
                    admission.made_ms,
                ],
            )
            dead = [
                self._look_at(live, answer[2], _LIVE),
                self._look_at(dialling, answer[3], _DIALLING),
                self._look_at(conferences, answer[4], _ACTIVE),
            ]
        return str(answer[0]), int(answer[1]), any(dead)

    def _look_at(self, group: str, members: Sequence[str], question: _Question) -> bool:
        """Take those out of a set that are not what it says; True if there were any."""
        if not members:
            return False
        pipe = self._redis.pipeline(transaction=False)
        for member in members:
            pipe.hmget(question.key_of(*member.split(".")), question.fields)
        marks = ["1" if question.is_so(found) else "0" for found in pipe.execute()]
        flat = [text for pair in zip(marks, members, strict=True) for text in pair]
        self._looked_at(keys=[group], args=flat)
        return "0" in marks

    def _give_back(self, admission: Admission) -> None:
        sid = admission.account_sid
        try:
            with redis_errors():
                self._release(
                    keys=[
                        keys.account_live(sid),
                        keys.account_dialling(sid),
                        keys.account_kept(sid),
                        keys.account_tallies(sid),
                        keys.account_live_conferences(sid),
                    ],
                    args=[
                        admission.call,
                        admission.kept,
                        admission.parameter_bytes,
                        admission.conference_sid if admission.makes_conference else "",
                    ],
                )
        except Unavailable:
            return  # what made the create fail is what counts; a later create looks at it and takes it out

    # ------------------------------------------------------------ rates

    def take(self, account_sid: str, limits: Limits, name: str, period_ms: int, wanted: int = 1) -> int:
        """Take up to `wanted` of what the limit `name` allows in a period; returns how many. Raises QuotaReached if
        none."""
        most = int(getattr(limits, name))
        with redis_errors():
            taken, wait_ms = self._take(
                keys=[keys.account_tallies(account_sid)],
                args=[name, most, period_ms, wanted, keys.RETENTION_SECONDS * 1000],
            )
        if not taken:
            raise reached(name, limits, int(wait_ms))
        return int(taken)

    # ------------------------------------------------------------ nodes

    def reserve_session(self, node: str, call_sid: str, room: Room) -> bool:
        """Count a call that the node is about to have; False if it would not take it."""
        with redis_errors():
            answer = self._reserve_session(
                keys=[keys.node_dialled(node)],
                args=[call_sid, room.free_sessions, room.age_ms, room.per_second, DIALLED_MS],
            )
        return bool(answer == "ok")


def reached(name: str, limits: Limits, wait_ms: float) -> QuotaReached:
    """Make the error for a limit that is reached."""
    row = _ROWS[name]
    return QuotaReached(
        f"This account may have {getattr(limits, name):,} {row.name.replace('_', ' ')}",
        code=row.code,
        retry_after_seconds=max(1, -int(-wait_ms // 1000)),
    )


def count_off(pipe: Any, change: Change) -> None:
    """Take calls that have been answered or have ended, and a conference that has ended, off their account's quotas."""
    sid, account_sid = change.after.conference_sid, change.after.account_sid
    for call_sid, (before, after) in change.participants.items():
        if after.ended_at is not None and before.ended_at is None:
            pipe.zrem(keys.account_live(account_sid), f"{sid}.{call_sid}")
        if after.ended_at is not None or (after.answered_at is not None and before.answered_at is None):
            pipe.zrem(keys.account_dialling(account_sid), f"{sid}.{call_sid}")
    if change.after.status is ConferenceStatus.COMPLETED:
        pipe.zrem(keys.account_live_conferences(account_sid), sid)
