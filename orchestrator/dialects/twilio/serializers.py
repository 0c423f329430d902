"""Answers out: state as Twilio's JSON, every key always present (wire-contract sections 3.2 and 4)."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from orchestrator.domain.conference import Conference, ConferenceStatus, Participant

API_VERSION = "2010-04-01"


@lru_cache(maxsize=8192)
def rfc2822(moment: datetime) -> str:
    """`Fri, 18 Feb 2011 21:07:19 +0000`: English names and UTC, or SDKs read None."""
    return format_datetime(moment)


def participants_uri(account_sid: str, conference_sid: str) -> str:
    """The path of a conference's participants, without a suffix."""
    return f"/{API_VERSION}/Accounts/{account_sid}/Conferences/{conference_sid}/Participants"


def conferences_uri(account_sid: str) -> str:
    """The path of an account's conferences, without a suffix."""
    return f"/{API_VERSION}/Accounts/{account_sid}/Conferences"


def serialize_participant(participant: Participant, queue_time_ms: int | None = None) -> dict[str, Any]:
    """A participant; `queue_time` is a string of milliseconds, in the answer to its create only."""
    uri = participants_uri(participant.account_sid, participant.conference_sid)
    return {
        "account_sid": participant.account_sid,
        "call_sid": participant.call_sid,
        "label": participant.label,
        "conference_sid": participant.conference_sid,
        "date_created": rfc2822(participant.created_at),
        "date_updated": rfc2822(participant.updated_at),
        "end_conference_on_exit": participant.end_conference_on_exit,
        "muted": participant.muted_as_asked,
        "hold": participant.hold_as_asked,
        "start_conference_on_enter": participant.start_conference_on_enter,
        "coaching": participant.coaching,
        "call_sid_to_coach": participant.call_sid_to_coach,
        "status": str(participant.status),
        "queue_time": None if queue_time_ms is None else str(queue_time_ms),
        "uri": f"{uri}/{participant.call_sid}.json",
    }


def serialize_conference(conference: Conference) -> dict[str, Any]:
    """A conference; why it ended, and who ended it, is told when it has."""
    is_over = conference.status is ConferenceStatus.COMPLETED
    uri = f"{conferences_uri(conference.account_sid)}/{conference.conference_sid}"
    return {
        "sid": conference.conference_sid,
        "account_sid": conference.account_sid,
        "friendly_name": conference.friendly_name,
        "status": str(conference.status),
        "date_created": rfc2822(conference.created_at),
        "date_updated": rfc2822(conference.updated_at),
        "api_version": API_VERSION,
        "region": conference.region,
        "reason_conference_ended": str(conference.end_reason) if is_over and conference.end_reason else None,
        "call_sid_ending_conference": conference.ending_call_sid if is_over else None,
        "subresource_uris": {"participants": f"{uri}/Participants.json", "recordings": f"{uri}/Recordings.json"},
        "uri": f"{uri}.json",
    }
