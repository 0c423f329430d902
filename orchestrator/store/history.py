"""What operators see of conferences and calls of any account, also after their end. Reads only."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

import redis

from orchestrator.domain.calls import call_status
from orchestrator.domain.conference import Conference, Participant
from orchestrator.outgoing.addressing import shown_address
from orchestrator.sids import is_sid
from orchestrator.store import keys
from orchestrator.store.accounts import list_account_sids
from orchestrator.store.connection import redis_errors
from orchestrator.store.records import decode_conference, decode_participant

ROWS_PER_READ: Final = 200
OPEN_READ: Final = 5_000
CALLS_READ: Final = 5_000
"""Most calls of an account that are read to find those of one conference: a page that is shown twice a second must not
read a day of calls."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened in a conference: when, what, and to which call ('' to the conference)."""

    at: datetime
    what: str
    call_sid: str = ""
    detail: str = ""


class History:
    """Finds conferences and calls of all accounts."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def load_conference(self, conference_sid: str) -> Conference | None:
        """Load a conference, also one that has ended; None if it is not known any more."""
        with redis_errors():
            raw = self._redis.hgetall(keys.conference(conference_sid))
        return decode_conference(raw)[0] if "version" in raw else None

    def list_open(self) -> list[str]:
        """List the ConferenceSids that are active or have callbacks waiting, the newest first."""
        with redis_errors():
            return list(self._redis.zrevrange(keys.OPEN_CONFERENCES, 0, -1))

    def list_conferences(self, account_sid: str) -> Iterator[Conference]:
        """List an account's conferences that are kept, the newest first; read in chunks."""
        start = 0
        while True:
            with redis_errors():
                sids = self._redis.zrevrange(keys.account_conferences(account_sid), start, start + ROWS_PER_READ - 1)
                rows = self._hashes([keys.conference(sid) for sid in sids])
            yield from (decode_conference(raw)[0] for raw in rows if "version" in raw)
            if len(sids) < ROWS_PER_READ:
                return
            start += ROWS_PER_READ

    def load_call(self, call_sid: str) -> Participant | None:
        """Load a call, live or not; None if it is not known any more."""
        with redis_errors():
            sid = self._redis.get(keys.call(call_sid))
            raw = self._redis.hgetall(keys.participant(sid, call_sid)) if sid else {}
        return _seen(raw) if "status" in raw else None

    def list_calls(
        self, account_sid: str, after_ms: float = 0, before_ms: float = float("inf"), newest_first: bool = False
    ) -> Iterator[Participant]:
        """List an account's calls that are kept, in order of their creation, or the other way round; read in chunks."""
        start = 0
        ends = (before_ms, after_ms) if newest_first else (after_ms, before_ms)
        read = self._redis.zrevrangebyscore if newest_first else self._redis.zrangebyscore
        while True:
            with redis_errors():
                names = read(keys.account_kept(account_sid), *ends, start=start, num=ROWS_PER_READ)
                yield from self._calls([name.partition(":")[0] for name in names])
            if len(names) < ROWS_PER_READ:
                return
            start += ROWS_PER_READ

    def list_people(self, conference: Conference) -> list[Participant]:
        """List the calls that were made for a conference and are still kept, in order of their creation."""
        calls = self._calls_during(conference)
        return [call for call in calls if call.conference_sid == conference.conference_sid][::-1]

    def list_last_people(self, conference: Conference) -> tuple[list[Participant], bool]:
        """List the calls made for a conference that are among its account's last CALLS_READ calls, and say whether
        there may be more."""
        calls = list(islice(self._calls_during(conference), CALLS_READ + 1))
        found = [call for call in calls[:CALLS_READ] if call.conference_sid == conference.conference_sid]
        return found[::-1], len(calls) > CALLS_READ

    def _calls_during(self, conference: Conference) -> Iterator[Participant]:
        """List all calls that the conference's account made between its creation and its end, the newest first."""
        since = conference.created_at.timestamp() * 1000 - 1_000
        over = conference.status == "completed"
        until = conference.updated_at.timestamp() * 1000 + 1_000 if over else time.time() * 1000 + 1_000
        return self.list_calls(conference.account_sid, since, until, newest_first=True)

    def find(self, text: str) -> list[str]:
        """Find ConferenceSids by a ConferenceSid, CallSid, FriendlyName, label or number: of SIDs any; otherwise first
        those that are open by their name, or by the label of somebody in them; then among each account's last two
        hundred conferences and calls. The newest first."""
        text = text.strip()
        if is_sid("CF", text):
            return [text] if self.load_conference(text) else []
        if is_sid("CA", text):
            call = self.load_call(text)
            return [call.conference_sid] if call else []
        accounts = list_account_sids(self._redis)
        shown, found = shown_address(text), dict.fromkeys(self._find_open(text, accounts))
        for account_sid in accounts:
            for index, conference in enumerate(self.list_conferences(account_sid)):
                if conference.friendly_name == text:
                    found[conference.conference_sid] = None
                if index >= ROWS_PER_READ:
                    break
            with redis_errors():
                names = self._redis.zrevrange(keys.account_kept(account_sid), 0, ROWS_PER_READ - 1)
                calls = self._calls([name.partition(":")[0] for name in names])
            found |= {
                call.conference_sid: None for call in calls if text == call.label or shown in (call.to, call.from_)
            }
        return list(found)

    def _find_open(self, text: str, account_sids: Sequence[str]) -> list[str]:
        """List the open conferences that have this name, and, of the newest OPEN_READ, those with this label in them:
        by what is indexed, however many are newer."""
        opened = self.list_open()
        asked = [keys.account_names(sid) for sid in account_sids]
        labels = opened[:OPEN_READ]
        with redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for key in (*asked, *map(keys.labels, labels)):
                pipe.hget(key, text)
            answers = pipe.execute()
        found = set(answers[: len(asked)])
        found |= {sid for sid, call_sid in zip(labels, answers[len(asked) :], strict=True) if call_sid}
        return [sid for sid in opened if sid in found]

    def _calls(self, call_sids: Sequence[str]) -> list[Participant]:
        pipe = self._redis.pipeline(transaction=False)
        for call_sid in call_sids:
            pipe.get(keys.call(call_sid))
        pairs = [(sid, call) for sid, call in zip(pipe.execute(), call_sids, strict=True) if sid]
        rows = self._hashes([keys.participant(sid, call) for sid, call in pairs])
        return [_seen(raw) for raw in rows if "status" in raw]

    def _hashes(self, names: Sequence[str]) -> list[dict[str, str]]:
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(name)
        return list(pipe.execute())


def timeline(conference: Conference, people: Sequence[Participant]) -> list[Moment]:
    """Return what is known to have happened, in order, from the records: what was only passing is in its callbacks."""
    found = [Moment(conference.created_at, "conference created")]
    for call in people:
        sid, cause = call.call_sid, f"{call.hangup_cause or ''} {call.sip_status or ''}".strip()
        steps = (
            (call.created_at, "created", call.label or ""),
            (call.dialled_at, "dialled", call.to),
            (call.answered_at, "answered", call.answered_by or ""),
            (call.joined_at, "joined", ""),
            (call.left_at, "left", ""),
            (call.ended_at, f"ended: {call_status(call)}", cause),
        )
        found += [Moment(at, what, sid, detail) for at, what, detail in steps if at is not None]
    if conference.status == "completed":
        found.append(Moment(conference.updated_at, "conference ended", "", str(conference.end_reason or "")))
    return sorted(found, key=lambda moment: moment.at)


def _seen(raw: dict[str, str]) -> Participant:
    """Return a call as operators see it: whom it is between without the passwords in SIP URIs, as the log says it."""
    call = decode_participant(raw)
    return replace(call, from_=shown_address(call.from_), to=shown_address(call.to))
