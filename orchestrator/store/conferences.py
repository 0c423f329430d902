"""What the API asks of the store: create, find, list, record what a client wants. Facts are written by commits.py."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

import redis

from orchestrator import logs
from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import Conference, EndReason, Participant
from orchestrator.domain.hearing import Sound
from orchestrator.errors import (
    CoachedCallHeld,
    CoachedCallMissing,
    ConferenceFull,
    ConferenceNotActive,
    LabelInUse,
    NotFound,
)
from orchestrator.sids import is_sid, looks_like_call_sid
from orchestrator.store import keys
from orchestrator.store.conference_list import ConferenceFilter, Place, Seen, list_rows
from orchestrator.store.connection import redis_errors
from orchestrator.store.nodes import note_waiting
from orchestrator.store.records import (
    decode_conference,
    decode_participant,
    encode_conference,
    encode_participant,
)
from orchestrator.store.replicas import Replicas
from orchestrator.store.scripts import Script

_TRIMMED_PER_CREATE = 10
_YOUNG_MS = 60_000
"""A create is over long before, or has died."""


class ConferenceStore:
    """Stores the conferences and participants of all accounts; every verb names the account it acts for."""

    def __init__(
        self,
        client: redis.Redis,
        call_retention_seconds: int = keys.RETENTION_SECONDS,
        replicas: Replicas | None = None,
    ) -> None:
        self._replicas = replicas or Replicas()
        self._call_seconds = keys.RETENTION_SECONDS + call_retention_seconds
        self._redis: Any = client
        self._claim = Script(client, "conferences/claim_name")
        self._create = Script(client, "conferences/create_participant")
        self._find = Script(client, "conferences/find_participant")
        self._want_muted = Script(client, "conferences/want_muted")
        self._want_hold = Script(client, "conferences/want_hold")
        self._unwant = Script(client, "conferences/undo_wish")
        self._request_removal = Script(client, "conferences/request_removal")
        self._request_end = Script(client, "conferences/request_end")

    # ------------------------------------------------------------ create

    def find_name(self, account_sid: str, name: str) -> str | None:
        """Return the ConferenceSid that `name` stands for, if the conference is active."""
        with redis_errors():
            current = self._redis.hget(keys.account_names(account_sid), name)
            return None if current is None or self._is_over(current) else str(current)

    def claim_name(self, account_sid: str, name: str, candidate: str) -> str:
        """Return the ConferenceSid that `name` stands for, which is `candidate` from now on if it stood for none.

        Two callers with the same new name get the same SID. A name whose conference is over is free again.
        """
        with redis_errors():
            key = keys.account_names(account_sid)
            current = str(self._claim(keys=[key], args=[name, candidate, ""]))
            while current != candidate and self._is_over(current):
                current = str(self._claim(keys=[key], args=[name, candidate, current]))
            return current

    def _is_over(self, conference_sid: str) -> bool:
        status, end_reason = self._redis.hmget(keys.conference(conference_sid), "status", "end_reason")
        if status is None:
            # Claimed a moment ago by a create that has not come to its second step, or died before it did;
            # its claim is good: whoever comes next makes the conference under that SID.
            return False
        return bool(status == "completed" or end_reason)

    def create_participant(
        self,
        command: CreateParticipant,
        participant: Participant,
        conference: Conference | None,
        waits_ms: int = 0,
    ) -> Conference:
        """Write a new participant, and with it the conference if `conference` is given and does not exist yet.
        `waits_ms`: until its slot.

        Raises: NotFound, ConferenceNotActive, ConferenceFull, LabelInUse, CoachedCallMissing, CoachedCallHeld,
        Unavailable.
        """
        sid = participant.conference_sid
        made_ms = _milliseconds(participant.created_at)
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.set(keys.call(participant.call_sid), sid, ex=self._call_seconds)
            if waits_ms:
                note_waiting(pipe, participant.switch.node, participant.call_sid, made_ms, waits_ms)
            if conference is not None:
                pipe.zadd(keys.OPEN_CONFERENCES, {sid: made_ms})
                pipe.zadd(keys.node_conferences(conference.node), {sid: made_ms})
                index = keys.account_conferences(participant.account_sid)
                pipe.zadd(index, {sid: _milliseconds(conference.created_at)}, nx=True)
                pipe.zrandmember(index, _TRIMMED_PER_CREATE)
            self._create(
                keys=[
                    keys.conference(sid),
                    keys.participant(sid, participant.call_sid),
                    keys.live_participants(sid),
                    keys.labels(sid),
                    keys.participant(sid, ""),
                ],
                args=[
                    participant.account_sid,
                    participant.call_sid,
                    made_ms,
                    participant.label or "",
                    command.max_participants,
                    command.call_sid_to_coach or "",
                    json.dumps(encode_participant(participant)),
                    json.dumps([*encode_conference(conference), "version", "0"]) if conference else "",
                ],
                client=pipe,
            )
            *written, answer = self._replicas.execute(pipe)  # a create is a promise
            some = written[-1] if conference is not None else ()
            self._trim(participant.account_sid, [other for other in some if other != sid])
            if answer[0] != "ok":
                self._redis.delete(keys.call(participant.call_sid))
                raise _refusal(answer[0], command)
        return decode_conference(answer[1])[0]

    def _trim(self, account_sid: str, some: Sequence[str]) -> None:
        """Forget conferences that have expired: of ten at random at every create, so the index stays bounded. One that
        is young may be known here already and not be written yet: another create is at it."""
        if some:
            index, young_ms = keys.account_conferences(account_sid), time.time() * 1000 - _YOUNG_MS
            pipe = self._redis.pipeline(transaction=False)
            for sid in some:
                pipe.exists(keys.conference(sid))
                pipe.zscore(index, sid)
            found = pipe.execute()
            rows = zip(some, found[::2], found[1::2], strict=True)
            gone = [sid for sid, exists, made_ms in rows if not exists and (made_ms or 0) < young_ms]
            if gone:
                self._redis.zrem(index, *gone)

    # ------------------------------------------------------------ participants

    def load_participant(self, account_sid: str, conference_sid: str, reference: str) -> Participant:
        """Load a live participant by CallSid or label. Raises NotFound."""
        return decode_participant(self._run(self._find, account_sid, conference_sid, reference)[1])

    def request_muted(
        self, account_sid: str, conference_sid: str, reference: str, muted: bool
    ) -> tuple[Participant, str]:
        """Record that a client wants `muted`; returns the participant and what undoes it (`undo_wish`)."""
        wanted = "1" if muted else "0"
        answer = self._run(self._want_muted, account_sid, conference_sid, reference, wanted, logs.request_id())
        return decode_participant(answer[1]), str(answer[2])

    def request_hold(
        self, account_sid: str, conference_sid: str, reference: str, hold: bool, sound: Sound | None
    ) -> tuple[Participant, str]:
        """Record that a client wants `hold`, and what is to be heard meanwhile; as `request_muted`."""
        heard = (
            (("hold_url", sound.url), ("hold_method", sound.method), ("hold_dialect", sound.dialect)) if sound else ()
        )
        rest = ("1" if hold else "0", logs.request_id(), *(text for pair in heard for text in pair))
        answer = self._run(self._want_hold, account_sid, conference_sid, reference, *rest)
        return decode_participant(answer[1]), str(answer[2])

    def undo_wish(
        self, participant: Participant, field: Literal["muted_wanted", "hold_wanted"], wanted: bool, before: str
    ) -> None:
        """Take a wish back that the switch could not be told."""
        with redis_errors():
            key = keys.participant(participant.conference_sid, participant.call_sid)
            self._unwant(
                keys=[key, keys.conference(participant.conference_sid)], args=[field, "1" if wanted else "0", before]
            )

    def request_removal(self, account_sid: str, conference_sid: str, reference: str) -> Participant:
        """Record that a client removes the participant, so that its leave can say so."""
        answer = self._run(self._request_removal, account_sid, conference_sid, reference, logs.request_id())
        return decode_participant(answer[1])

    def _run(self, script: Any, account_sid: str, conference_sid: str, reference: str, *args: str) -> Any:
        kind = "call" if looks_like_call_sid(reference) else "label"
        if kind == "call" and not is_sid("CA", reference):
            raise NotFound(f"The participant {reference} was not found")
        with redis_errors():
            answer = script(
                keys=[
                    keys.conference(conference_sid),
                    keys.labels(conference_sid),
                    keys.participant(conference_sid, ""),
                ],
                args=[account_sid, reference, kind, *args],
            )
        if answer[0] != "ok":
            raise NotFound(f"The participant {reference} was not found in conference {conference_sid}")
        return answer

    def list_participants(self, account_sid: str, conference_sid: str) -> list[Participant]:
        """List the live participants, newest first. Raises NotFound if the conference is not the account's."""
        self.load_conference(account_sid, conference_sid)
        with redis_errors():
            call_sids = self._redis.zrevrange(keys.live_participants(conference_sid), 0, -1)
            found = self._hashes(keys.participant(conference_sid, sid) for sid in call_sids)
        participants = (decode_participant(flat) for flat in found if flat)
        return [participant for participant in participants if participant.is_live]

    def load_made_at(self, account_sid: str, conference_sid: str, call_sid: str | None) -> datetime | None:
        """When the conference, or the participant (also one that has left), was created; None if it is not known."""
        key = keys.participant(conference_sid, call_sid) if call_sid else keys.conference(conference_sid)
        with redis_errors():
            owner, created_at = self._redis.hmget(key, "account_sid", "created_at")
        return datetime.fromisoformat(created_at) if owner == account_sid else None

    # ------------------------------------------------------------ conferences

    def load_conference(self, account_sid: str, conference_sid: str) -> Conference:
        """Load a conference of the account, completed ones included. Raises NotFound."""
        with redis_errors():
            (flat,) = self._hashes([keys.conference(conference_sid)])
        if not flat:
            raise NotFound(f"The conference {conference_sid} was not found")
        conference = decode_conference(flat)[0]
        if conference.account_sid != account_sid:
            raise NotFound(f"The conference {conference_sid} was not found")
        return conference

    def list_conferences(
        self,
        account_sid: str,
        wanted: ConferenceFilter | None = None,
        behind: Place | None = None,
        *,
        oldest_first: bool = False,
    ) -> Iterator[Seen[Conference]]:
        """List all conferences of the account, newest first; see `conference_list`."""
        return list_rows(self._redis, account_sid, wanted or ConferenceFilter(), behind, oldest_first=oldest_first)

    def request_end(self, account_sid: str, conference_sid: str) -> Conference:
        """Record that a client ends the conference; from now on nobody can be added. Raises NotFound."""
        with redis_errors():
            answer = self._request_end(
                keys=[keys.conference(conference_sid)],
                args=[account_sid, str(EndReason.VIA_API), logs.request_id()],
            )
        if answer[0] != "ok":
            raise NotFound(f"The conference {conference_sid} was not found")
        return decode_conference(answer[1])[0]

    def _hashes(self, names: Iterable[str]) -> list[list[str]]:
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(name)
        return [[text for pair in found.items() for text in pair] for found in pipe.execute()]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _refusal(verdict: str, command: CreateParticipant) -> Exception:
    if verdict == "full":
        return ConferenceFull(f"The conference has MaxParticipants ({command.max_participants}) participants")
    if verdict == "label":
        return LabelInUse(f"Label: another participant of this conference is called '{command.label}'")
    if verdict == "coach":
        return CoachedCallMissing(f"CallSidToCoach: {command.call_sid_to_coach} is not in this conference")
    if verdict == "held":
        return CoachedCallHeld(f"CallSidToCoach: {command.call_sid_to_coach} is on hold")
    if verdict == "ended":
        return ConferenceNotActive("The conference has ended")
    return NotFound("The conference was not found")
