"""Answers out: state as Twilio's JSON, every key always present (wire-contract sections 3.2 and 4)."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

import orjson

from orchestrator.dialects.base import Answer, Asked, Page
from orchestrator.domain.conference import Conference, ConferenceStatus, Participant
from orchestrator.store.accounts import Account

API_VERSION = "2010-04-01"


@lru_cache(maxsize=8192)
def rfc2822(moment: datetime) -> str:
    """Write a moment as `Fri, 18 Feb 2011 21:07:19 +0000`: English names and UTC, or SDKs read None."""
    return format_datetime(moment)


def serialize_account(asked: Asked, account: Account) -> dict[str, Any]:
    """Serialize an account. Its AuthToken is not told: a client that asks has it, and answers end up in logs."""
    sid, write = account.account_sid, asked.dialect.write_sid
    return {
        "sid": write(sid),
        "owner_account_sid": write(sid),
        "friendly_name": account.friendly_name,
        "status": account.status,
        "type": "Full",
        "auth_token": None,
        "date_created": _moment(account.created_at),
        "date_updated": _moment(account.updated_at),
        "subresource_uris": {"conferences": asked.uri(sid, "Conferences")},
        "uri": asked.uri(sid),
    }


def _moment(text: str) -> str | None:
    return rfc2822(datetime.fromisoformat(text)) if text else None


def serialize_participant(asked: Asked, participant: Participant, queue_time_ms: int | None = None) -> dict[str, Any]:
    """Serialize a participant; `queue_time` is a string of milliseconds, in the answer to its create only."""
    write = asked.dialect.write_sid
    account_sid, conference_sid, call_sid = participant.account_sid, participant.conference_sid, participant.call_sid
    coached = participant.call_sid_to_coach
    return {
        "account_sid": write(account_sid),
        "call_sid": write(call_sid),
        "label": participant.label,
        "conference_sid": write(conference_sid),
        "date_created": rfc2822(participant.created_at),
        "date_updated": rfc2822(participant.updated_at),
        "end_conference_on_exit": participant.end_conference_on_exit,
        "muted": participant.muted_as_asked,
        "hold": participant.hold_as_asked,
        "start_conference_on_enter": participant.start_conference_on_enter,
        "coaching": participant.coaching,
        "call_sid_to_coach": write(coached) if coached else None,
        "status": str(participant.status),
        "queue_time": None if queue_time_ms is None else str(queue_time_ms),
        "uri": asked.uri(account_sid, "Conferences", conference_sid, "Participants", call_sid),
    }


def serialize_conference(asked: Asked, conference: Conference) -> dict[str, Any]:
    """Serialize a conference; why it ended, and who ended it, is told when it has."""
    is_over = conference.status is ConferenceStatus.COMPLETED
    account_sid, sid = conference.account_sid, conference.conference_sid
    write = asked.dialect.write_sid
    ending = conference.ending_call_sid if is_over else None
    return {
        "sid": write(sid),
        "account_sid": write(account_sid),
        "friendly_name": conference.friendly_name,
        "status": str(conference.status),
        "date_created": rfc2822(conference.created_at),
        "date_updated": rfc2822(conference.updated_at),
        "api_version": API_VERSION,
        "region": conference.region,
        "reason_conference_ended": str(conference.end_reason) if is_over and conference.end_reason else None,
        "call_sid_ending_conference": write(ending) if ending else None,
        "subresource_uris": {
            name.lower(): asked.uri(account_sid, "Conferences", sid, name) for name in ("Participants", "Recordings")
        },
        "uri": asked.uri(account_sid, "Conferences", sid),
    }


def serialize_page(key: str, page: Page[Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Serialize a page: exactly these keys, or SDKs fail (wire-contract section 7.1)."""
    return {
        key: rows,
        "page": page.number,
        "page_size": page.size,
        "start": page.start,
        "end": page.end,
        "uri": page.uri,
        "first_page_uri": page.first_uri,
        "next_page_uri": page.next_uri,
        "previous_page_uri": page.previous_uri,
    }


def render_account(asked: Asked, account: Account) -> Answer:
    """An account."""
    return as_json(serialize_account(asked, account))


def render_conference(asked: Asked, conference: Conference) -> Answer:
    """A conference."""
    return as_json(serialize_conference(asked, conference))


def render_conferences(asked: Asked, page: Page[Conference]) -> Answer:
    """A page of conferences."""
    return as_json(serialize_page("conferences", page, [serialize_conference(asked, row) for row in page.rows]))


def render_participant(asked: Asked, participant: Participant, queue_time_ms: int | None) -> Answer:
    """A participant."""
    return as_json(serialize_participant(asked, participant, queue_time_ms))


def render_participants(asked: Asked, page: Page[Participant]) -> Answer:
    """A page of participants."""
    return as_json(serialize_page("participants", page, [serialize_participant(asked, row) for row in page.rows]))


def as_json(body: Any, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(orjson.dumps(body), "application/json", status)
