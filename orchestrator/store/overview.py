"""What lives now, across all accounts, in as few questions as two thousand conferences allow. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from orchestrator.outgoing.addressing import shown_address
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.receivers import Receiver

_CONFERENCE: Final = ("status", "account_sid", "friendly_name", "live_count", "node", "created_at", "version")
_PERSON: Final = (
    "label", "to", "status", "muted", "muted_wanted", "hold", "hold_wanted", "coaching", "talking", "ended_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LiveConference:
    """A conference that is not over; `people` are those in it or on their way."""

    conference_sid: str
    status: str
    account_sid: str
    friendly_name: str
    people: int
    node: str
    created_at: str
    version: str


@dataclass(frozen=True, slots=True)
class LivePerson:
    """Somebody whose call has not ended."""

    call_sid: str
    label: str
    to: str
    status: str
    muted: bool
    hold: bool
    coaching: bool
    talking: bool


@dataclass(frozen=True, slots=True)
class Takings:
    """What an account has now; `receivers`: those that fail."""

    account_sid: str
    friendly_name: str
    status: str
    conferences: int
    calls: int
    dialling: int
    waiting: int
    dead: int
    receivers: tuple[Receiver, ...]


class Overview:
    """Reads what lives now, in one round trip or two for each question."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._known: dict[str, LiveConference] = {}

    def conferences(self) -> list[LiveConference]:
        """List the conferences that are not over, the newest first; one is read again when its version has risen."""
        known = self._known  # another greenlet puts its own there while this one reads
        with redis_errors():
            sids = self._redis.zrevrange(keys.OPEN_CONFERENCES, 0, -1)
            pipe = self._redis.pipeline(transaction=False)
            for sid in sids:
                pipe.hget(keys.conference(sid), "version")
            versions = pipe.execute()
            kept = {sid: known[sid] for sid, version in zip(sids, versions, strict=True) if _is_of(known, sid, version)}
            stale = [sid for sid in sids if sid not in kept]
            for sid in stale:
                pipe.hmget(keys.conference(sid), _CONFERENCE)
            for sid, (status, account, name, people, *rest) in zip(stale, pipe.execute(), strict=True):
                if status is not None:
                    kept[sid] = LiveConference(sid, status, account, name, int(people), *rest)
        self._known = kept
        return [kept[sid] for sid in sids if sid in kept and kept[sid].status != "completed"]

    def people(self, conference_sids: Sequence[str]) -> dict[str, list[LivePerson]]:
        """List, for each of these conferences, the people whose call has not ended, in the order of their coming."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for sid in conference_sids:
                pipe.zrange(keys.live_participants(sid), 0, -1)
            calls = dict(zip(conference_sids, pipe.execute(), strict=True))
            pipe = self._redis.pipeline(transaction=False)
            for sid, call_sids in calls.items():
                for call_sid in call_sids:
                    pipe.hmget(keys.participant(sid, call_sid), _PERSON)
            rows = iter(pipe.execute())
        found: dict[str, list[LivePerson]] = {}
        for sid, call_sids in calls.items():
            people = [(call_sid, dict(zip(_PERSON, next(rows), strict=True))) for call_sid in call_sids]
            found[sid] = [_person(call_sid, raw) for call_sid, raw in people if raw["status"] is not None]
        return found

    def accounts(
        self, accounts: Mapping[str, tuple[str, str]], failing: Mapping[str, Sequence[Receiver]]
    ) -> list[Takings]:
        """Return what each account has now; `accounts`: AccountSid -> its name and status."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for sid in accounts:
                pipe.zcard(keys.account_live_conferences(sid))
                pipe.zcard(keys.account_live(sid))
                pipe.zcard(keys.account_dialling(sid))
                pipe.zcard(keys.account_dials(sid))
                pipe.zcard(keys.account_dead(sid))
            numbers = pipe.execute()
        rows = zip(accounts.items(), zip(*[iter(numbers)] * 5, strict=True), strict=True)
        return [
            Takings(sid, name, status, conferences, calls, dialling, waiting, dead, tuple(failing.get(sid, ())))
            for (sid, (name, status)), (conferences, calls, dialling, waiting, dead) in rows
        ]


def _is_of(known: Mapping[str, LiveConference], sid: str, version: str | None) -> bool:
    return sid in known and known[sid].version == version


def _person(call_sid: str, raw: Mapping[str, str | None]) -> LivePerson:
    def flag(name: str) -> bool:
        return (raw.get(f"{name}_wanted") or raw[name]) == "1"

    return LivePerson(
        call_sid, raw["label"] or "", shown_address(raw["to"] or ""), raw["status"] or "", flag("muted"), flag("hold"),
        flag("coaching"), flag("talking"),
    )  # fmt: skip
