"""What the listener asks of the store: load states, and commit changed ones with their callbacks in one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import redis

from orchestrator.domain.conference import Conference, ConferenceStatus, Participant
from orchestrator.store import keys, scripts
from orchestrator.store.connection import redis_errors
from orchestrator.store.records import (
    decode_conference,
    decode_participant,
    encode_conference,
    encode_participant,
)

OUTBOX_DEPTH = 10_000
"""Callbacks that one lane may hold; the oldest fall out, and are counted."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A conference as it was read, with the version that a commit has to find unchanged."""

    conference: Conference
    version: int


@dataclass(slots=True)
class Change:
    """All that one batch of events changed in one conference."""

    before: Versioned
    after: Conference
    participants: dict[str, tuple[Participant, Participant]] = field(default_factory=dict)
    """CallSid -> the participant as it was read, and as it is now."""
    outbox: dict[str, list[bytes]] = field(default_factory=dict)
    """Lane -> its new callbacks, in order."""


@dataclass(frozen=True, slots=True)
class Committed:
    """`lanes` were empty and now hold callbacks: wake them. `dropped`: entries that fell out of a full lane."""

    lanes: tuple[str, ...] = ()
    dropped: int = 0


class CommitStore:
    """State as the listener sees it: by ConferenceSid and CallSid, whatever the account."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._commit = client.register_script(scripts.COMMIT)
        self._release_name = client.register_script(scripts.RELEASE_NAME)

    def load_conference_sids(self, call_sids: Sequence[str]) -> dict[str, str]:
        """The ConferenceSid of each known call."""
        if not call_sids:
            return {}
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for sid in call_sids:
                pipe.get(keys.call(sid))
            found = pipe.execute()
        return {call: conference for call, conference in zip(call_sids, found, strict=True) if conference}

    def load(
        self, pairs: Iterable[tuple[str, str]], conference_sids: Iterable[str]
    ) -> tuple[dict[str, Versioned], dict[str, Participant]]:
        """Load conferences, and participants given as (ConferenceSid, CallSid); unknown ones are left out."""
        pairs, conference_sids = list(pairs), list(conference_sids)
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for sid in conference_sids:
                pipe.hgetall(keys.conference(sid))
            for conference_sid, call_sid in pairs:
                pipe.hgetall(keys.participant(conference_sid, call_sid))
            found = pipe.execute()
        conferences = {}
        for sid, raw in zip(conference_sids, found, strict=False):
            if "version" in raw:
                conferences[sid] = Versioned(*decode_conference(_flat(raw)))
        participants = {}
        for (_, call_sid), raw in zip(pairs, found[len(conference_sids) :], strict=True):
            if "status" in raw:
                participants[call_sid] = decode_participant(_flat(raw))
        return conferences, participants

    def list_live(self, node: str) -> dict[str, list[Participant]]:
        """ConferenceSid -> live participants, of every open conference on `node`."""
        with redis_errors():
            sids = self._redis.zrange(keys.OPEN_CONFERENCES, 0, -1)
            pipe = self._redis.pipeline(transaction=False)
            for sid in sids:
                pipe.hmget(keys.conference(sid), "node", "status")
                pipe.zrange(keys.live_participants(sid), 0, -1)
            found = pipe.execute()
        pairs = []
        here = []
        for sid, (where, status), calls in zip(sids, found[::2], found[1::2], strict=True):
            if where == node and status != ConferenceStatus.COMPLETED:
                here.append(sid)
                pairs += [(sid, call) for call in calls]
        _, participants = self.load(pairs, ())
        live: dict[str, list[Participant]] = {sid: [] for sid in here}
        for participant in participants.values():
            live[participant.conference_sid].append(participant)
        return live

    def list_live_calls(self, conference_sid: str) -> list[str]:
        """The CallSids that are in the conference or on the way to it."""
        with redis_errors():
            return list(self._redis.zrange(keys.live_participants(conference_sid), 0, -1))

    def commit(self, changes: Sequence[Change]) -> list[Committed | None]:
        """Write each change if nobody has changed its conference since; None where somebody has."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for change in changes:
                names, body = _render(change)
                self._commit(keys=names, args=[change.before.version, body], client=pipe)
            answers = pipe.execute()
            self._release_names(changes, answers)
            committed = [_committed(answer) for answer in answers]
            dropped = sum(one.dropped for one in committed if one is not None)
            if dropped:
                self._redis.hincrby(keys.DROPPED, "depth", dropped)
        return committed

    def _release_names(self, changes: Sequence[Change], answers: Sequence[list[Any]]) -> None:
        """A completed conference gives its FriendlyName free (if we die here, the next create does it)."""
        for change, answer in zip(changes, answers, strict=True):
            after = change.after
            if int(answer[0]) == 1 and after.status is ConferenceStatus.COMPLETED:
                names = keys.account_names(after.account_sid)
                self._release_name(keys=[names], args=[after.friendly_name, after.conference_sid])


def _flat(raw: Mapping[str, str]) -> list[str]:
    return [text for pair in raw.items() for text in pair]


def _render(change: Change) -> tuple[list[str], bytes]:
    sid = change.after.conference_sid
    names = [keys.conference(sid), keys.live_participants(sid), keys.labels(sid), keys.lanes(sid)]
    participants = []
    for call_sid, (before, after) in change.participants.items():
        names.append(keys.participant(sid, call_sid))
        participants.append(
            {
                "key": len(names),
                "fields": encode_participant(after, before),
                "gone": call_sid if before.is_live and not after.is_live else False,
                "label": after.label or "",
                "expire": keys.RETENTION_SECONDS if after.ended_at else 0,
            }
        )
    outbox = []
    for lane, entries in change.outbox.items():
        names.append(keys.outbox(sid, lane))
        outbox.append({"key": len(names), "lane": lane, "entries": [entry.decode() for entry in entries]})
    completed = change.after.status is ConferenceStatus.COMPLETED
    body = {
        "conference": encode_conference(change.after, change.before.conference),
        "expire": keys.RETENTION_SECONDS if completed else 0,
        "depth": OUTBOX_DEPTH,
        "participants": participants,
        "outbox": outbox,
    }
    return names, orjson.dumps(body)


def _committed(answer: Sequence[Any]) -> Committed | None:
    if int(answer[0]) == 0:
        return None
    rest = [str(item) for item in answer[1:]]
    if len(rest) >= 2 and rest[-2] == "dropped":
        return Committed(tuple(rest[:-2]), int(rest[-1]))
    return Committed(tuple(rest))
