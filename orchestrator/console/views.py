"""Turns conferences, calls and moments into rows as operators see them: on the page, on the command line, in an
export."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from orchestrator.domain.calls import call_status, queue_time_ms, talked_seconds
from orchestrator.domain.conference import Conference, Participant
from orchestrator.store.history import Moment

CALL_COLUMNS: Final = (
    "call_sid", "conference_sid", "account_sid", "label", "from", "to", "status", "participant_status", "muted", "hold",
    "coaching", "talking", "node", "created_at", "dialled_at", "answered_at", "joined_at", "left_at", "ended_at",
    "queue_ms", "seconds", "cause", "sip_status", "answered_by",
)  # fmt: skip


def conference_row(conference: Conference) -> dict[str, Any]:
    """Return a conference as a row; `people` are those in it or on their way."""
    return {
        "conference_sid": conference.conference_sid,
        "account_sid": conference.account_sid,
        "friendly_name": conference.friendly_name,
        "status": str(conference.status),
        "people": conference.live_count,
        "node": conference.node,
        "created_at": _iso(conference.created_at),
        "reason": str(conference.end_reason) if conference.end_reason else None,
    }


def person_row(call: Participant) -> dict[str, Any]:
    """Return a call, and whom it brought into the conference, as a row."""
    return {
        "call_sid": call.call_sid,
        "conference_sid": call.conference_sid,
        "account_sid": call.account_sid,
        "label": call.label,
        "from": call.from_,
        "to": call.to,
        "status": str(call_status(call)),
        "participant_status": str(call.status),
        "muted": call.muted_as_asked,
        "hold": call.hold_as_asked,
        "coaching": call.coaching,
        "talking": call.talking,
        "node": call.switch.node,
        "created_at": _iso(call.created_at),
        "dialled_at": _iso(call.dialled_at),
        "answered_at": _iso(call.answered_at),
        "joined_at": _iso(call.joined_at),
        "left_at": _iso(call.left_at),
        "ended_at": _iso(call.ended_at),
        "queue_ms": queue_time_ms(call),
        "seconds": talked_seconds(call),
        "cause": call.hangup_cause,
        "sip_status": call.sip_status,
        "answered_by": call.answered_by,
    }


def moment_row(moment: Moment) -> dict[str, Any]:
    """Return one thing that happened as a row."""
    return {"at": _iso(moment.at), "what": moment.what, "call_sid": moment.call_sid, "detail": moment.detail}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None
