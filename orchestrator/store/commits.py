"""What the listener asks of the store: load states, and commit changed ones with their callbacks in one step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import redis

from orchestrator.domain.changes import Change, Versioned, said_in, wishes_in
from orchestrator.domain.conference import Conference, ConferenceStatus, Participant
from orchestrator.domain.events import OwedEnd
from orchestrator.store import keys
from orchestrator.store.accounts import AccountStore
from orchestrator.store.callback_index import (
    OUTBOX_DEPTH,
    WAKE_GRACE_MS,
    Dropped,
    forget_callbacks,
    index_callbacks,
    parse_dropped,
)
from orchestrator.store.connection import redis_errors
from orchestrator.store.dials import queue_next_gateways, queue_waiting
from orchestrator.store.leases import refused
from orchestrator.store.quotas import count_off
from orchestrator.store.records import decode_conference, decode_participant, encode_conference, encode_participant
from orchestrator.store.replicas import Replicas
from orchestrator.store.scripts import Script


@dataclass(frozen=True, slots=True)
class Committed:
    """`lanes` were empty and now hold callbacks: wake them. `dropped`: token and moment (ms) of what fell out of a full
    lane. `contested`: CallSid and what is wanted of those who were just muted or unmuted against it. `requests`: wish
    that was fulfilled -> who asked for it (changes.wish_of)."""

    lanes: tuple[str, ...] = ()
    dropped: Dropped = ()
    contested: tuple[tuple[str, bool], ...] = ()
    requests: Mapping[str, str] = field(default_factory=dict)


class CommitStore:
    """State as the listener sees it: by ConferenceSid and CallSid, whatever the account. Nobody is told of a commit
    before a replica has it, so a failover does not have it told twice with two tokens."""

    def __init__(
        self,
        client: redis.Redis,
        call_retention_seconds: int = keys.RETENTION_SECONDS,
        retention_seconds: int = keys.RETENTION_SECONDS,
        replicas: Replicas | None = None,
    ) -> None:
        self._replicas = replicas or Replicas()
        self._call_retention_seconds = call_retention_seconds
        self._retention_seconds = retention_seconds
        self._redis: Any = client
        self._commit = Script(client, "conferences/commit")
        self._fence = Script(client, "conferences/fence")
        self._release_name = Script(client, "conferences/release_name")
        self._accounts = AccountStore(client)

    def load_conference_sids(self, call_sids: Sequence[str]) -> dict[str, str]:
        """Return the ConferenceSid of each known call."""
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
                conferences[sid] = Versioned(*decode_conference(raw))
        participants = {}
        for (_, call_sid), raw in zip(pairs, found[len(conference_sids) :], strict=True):
            if "status" in raw:
                participants[call_sid] = decode_participant(raw)
        return conferences, participants

    def list_conference_sids(self, node: str) -> list[str]:
        """List the conferences that are known as a node's, oldest first; some may be over."""
        with redis_errors():
            return list(self._redis.zrange(keys.node_conferences(node), 0, -1))

    def list_unended(self, node: str, within: Sequence[str]) -> list[tuple[Conference, list[Participant]]]:
        """List those of these conferences that are open and on `node`, as far as we know, with the participants whose
        calls have not ended."""
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for sid in within:
                pipe.hmget(keys.conference(sid), "node", "status")
                pipe.zrange(keys.live_participants(sid), 0, -1)
            found = pipe.execute()
            here, over = {}, []
            for sid, (where, status), calls in zip(within, found[::2], found[1::2], strict=True):
                if where == node and calls:
                    here[sid] = calls
                elif where not in (None, node) or status == "completed":
                    over.append(sid)
            if over:
                self._redis.zrem(keys.node_conferences(node), *over)
        conferences, participants = self.load([(sid, call) for sid, calls in here.items() for call in calls], here)
        return [
            (conferences[sid].conference, [participants[call] for call in calls if call in participants])
            for sid, calls in here.items()
            if sid in conferences
        ]

    def list_live(self, conference_sid: str) -> list[Participant]:
        """List the conference's participants whose calls have not ended."""
        with redis_errors():
            calls = self._redis.zrange(keys.live_participants(conference_sid), 0, -1)
        return list(self.load([(conference_sid, call) for call in calls], ())[1].values())

    def list_owed(self, conference_sid: str) -> list[OwedEnd]:
        """List the conference's announcements whose end has still to be told."""
        with redis_errors():
            return [OwedEnd(**orjson.loads(text)) for text in self._redis.hvals(keys.owed(conference_sid))]

    def fence(self, node: str, epoch: int) -> None:
        """Close every conference that is known as a node's to listeners of older epochs: before the first commit of
        this one.

        Raises LeaseLost if there is a newer epoch.
        """
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for sid in self._redis.zrange(keys.node_conferences(node), 0, -1):
                self._fence(keys=[keys.conference(sid)], args=[epoch, node], client=pipe)
            late = pipe.execute().count(0)
            if late:
                raise refused(self._redis, node, late)

    def commit(self, changes: Sequence[Change], epoch: int | None = None) -> list[Committed | None]:
        """Write each change if nobody has changed its conference since; None where somebody has. `epoch`: of the
        listener's lease; whoever writes what a client wants has none (adr/0020).

        After `Unavailable` the same changes may be committed again: what was done is not done twice.
        Raises LeaseLost if there is a newer epoch.
        """
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            late = {
                change.after.conference_sid: int(time.time() * 1000)
                for change in changes
                if change.outbox and change.before.conference.status is ConferenceStatus.COMPLETED
            }
            if late:  # the sweep's search looks at conferences that have ended if they are on this list only
                pipe.zadd(keys.OPEN_CONFERENCES, late, nx=True)
            for change in changes:
                names, body = _render(change, self._call_retention_seconds, self._retention_seconds)
                arguments = [change.before.version, change.commit_id, body, "" if epoch is None else epoch]
                self._commit(keys=names, args=arguments, client=pipe)
            answers = self._replicas.execute(pipe)[-len(changes) :]
            late_ones = sum(int(answer[0]) == -1 for answer in answers)
            if late_ones:
                raise refused(self._redis, changes[0].after.node, late_ones)
            committed = [_committed(answer) for answer in answers]
            done = [(change, one) for change, one in zip(changes, committed, strict=True) if one is not None]
            # Each command is tried; those that Redis has no memory for are made up for as if we had died here.
            with contextlib.suppress(redis.OutOfMemoryError):
                self._index(done)
        return committed

    def queue_again(self, waiting: Sequence[Participant]) -> None:
        """Have calls dialled that wait for another gateway; those that are in the queue already keep their slot."""
        queue_waiting(self._redis, waiting)

    def _index(self, done: Sequence[tuple[Change, Committed]]) -> None:
        """What lies in other slots than the conference. Should we die before it: lanes are found, and a name is freed,
        by the sweep's search; a call that waits for another gateway by the listener's next look; a later create looks
        at calls that count for their account and have ended, and a callback is missing in the account's list, not in
        its conference's."""
        pipe = self._redis.pipeline(transaction=False)
        now_ms = int(time.time() * 1000)
        for change, one in done:
            after = change.after
            count_off(pipe, change)
            queue_next_gateways(pipe, change.participants.values())
            planned = [new for group in change.outbox.values() for new in group]
            index_callbacks(
                pipe, after.account_sid, after.conference_sid, planned, one.dropped, self._retention_seconds
            )
            if one.lanes:
                due = {f"{after.conference_sid}:{lane}": now_ms + WAKE_GRACE_MS for lane in one.lanes}
                pipe.zadd(keys.lanes_due("callbacks"), due)
            if after.status is ConferenceStatus.COMPLETED:
                names = keys.account_names(after.account_sid)
                self._release_name(keys=[names], args=[after.friendly_name, after.conference_sid], client=pipe)
        accounts = list(dict.fromkeys(change.after.account_sid for change, _ in done if change.outbox))
        for account_sid in accounts:
            pipe.zcard(keys.account_callbacks(account_sid))
        answers = pipe.execute()
        for account_sid, count in zip(accounts, answers[len(answers) - len(accounts) :], strict=True):
            forget_callbacks(self._redis, account_sid, count - self._accounts.load_limits(account_sid).kept_callbacks)


def _render(change: Change, call_retention_seconds: int, retention_seconds: int) -> tuple[list[str], bytes]:
    sid = change.after.conference_sid
    names = [
        keys.conference(sid),
        keys.live_participants(sid),
        keys.labels(sid),
        keys.lanes(sid),
        keys.callback(sid, ""),
        keys.conference_callbacks(sid),
        keys.owed(sid),
    ]
    records, events = [], change.events()
    for call_sid, (before, after) in change.participants.items():
        names.append(keys.participant(sid, call_sid))
        said = said_in(events.get(call_sid, ()))
        records.append(
            {
                "key": len(names),
                "fields": encode_participant(after, before),
                "expire": call_retention_seconds if after.ended_at else 0,
                "call": {
                    "sid": call_sid,
                    "left": before.is_live and not after.is_live,
                    "ended": after.ended_at is not None,
                    "label": after.label or "",
                    "wishes": wishes_in(events.get(call_sid, ())),
                    **{word: word in said for word in ("added", "muted", "hold")},
                },
            }
        )
    outbox = []
    for lane, callbacks in change.outbox.items():
        names.append(keys.outbox(sid, lane))
        rows = [[new.token, str(new.planned_ms), new.entry.decode(), new.wish] for new in callbacks]
        outbox.append({"key": len(names), "lane": lane, "callbacks": rows})
    completed = change.after.status is ConferenceStatus.COMPLETED
    body = {
        "conference": encode_conference(change.after, change.before.conference),
        "expire": retention_seconds if completed else 0,
        "keep": retention_seconds,
        "oldest_ms": str(int(time.time() * 1000) - retention_seconds * 1000),
        "depth": OUTBOX_DEPTH,
        "records": records,
        "outbox": outbox,
        "announced": change.announced,
    }
    return names, orjson.dumps(body)


def _committed(answer: Sequence[Any]) -> Committed | None:
    if int(answer[0]) == 0:
        return None
    _, lanes, dropped, contested, requests = answer
    return Committed(
        lanes=tuple(map(str, lanes)),
        dropped=parse_dropped(dropped),
        contested=tuple((call_sid, wanted == "1") for call_sid, wanted in (str(text).split(" ") for text in contested)),
        requests={wish: request_id for wish, _, request_id in (str(text).rpartition(" ") for text in requests)},
    )
