"""Answers out, in XML or JSON: the names of RestComm's document and those of its code, where they differ.

https://github.com/RestComm/Restcomm-Connect : ParticipantsEndpoint.java, CallConverter.java; wire-contract section 3.7.
"""

from __future__ import annotations

from typing import Any

from orchestrator.dialects import xml
from orchestrator.dialects.base import Answer, Asked, Page
from orchestrator.dialects.twilio.paging import last_page
from orchestrator.dialects.twilio.serializers import as_json, rfc2822
from orchestrator.domain.conference import Conference, ConferenceStatus, Participant

API_VERSION = "2012-04-24"
NOTHING = "null"
"""RestComm's own word, a text, for a page that is not there."""


def serialize_participant(asked: Asked, participant: Participant) -> dict[str, Any]:
    """A participant, which its code calls a call."""
    account_sid, conference_sid, call_sid = participant.account_sid, participant.conference_sid, participant.call_sid
    return {
        "sid": call_sid,
        "call_sid": call_sid,
        "conference_sid": conference_sid,
        "date_created": rfc2822(participant.created_at),
        "date_updated": rfc2822(participant.updated_at),
        "account_sid": account_sid,
        "muted": participant.muted_as_asked,
        "hold": participant.hold_as_asked,
        "start_conference_on_enter": participant.start_conference_on_enter,
        "end_conference_on_exit": participant.end_conference_on_exit,
        "end_conference_on_enter": participant.end_conference_on_exit,
        "uri": asked.uri(account_sid, "Conferences", conference_sid, "Participants", call_sid),
    }


def serialize_conference(asked: Asked, conference: Conference) -> dict[str, Any]:
    """A conference; a moderator is whoever starts it."""
    path = (conference.account_sid, "Conferences", conference.conference_sid)
    return {
        "sid": conference.conference_sid,
        "date_created": rfc2822(conference.created_at),
        "date_updated": rfc2822(conference.updated_at),
        "account_sid": conference.account_sid,
        "status": _status(conference),
        "api_version": API_VERSION,
        "friendly_name": conference.friendly_name,
        "uri": asked.uri(*path),
        "subresource_uris": {"participants": asked.uri(*path, "Participants")},
    }


def _status(conference: Conference) -> str:
    if conference.status is ConferenceStatus.COMPLETED:
        return "COMPLETED"
    return "RUNNING_MODERATOR_PRESENT" if conference.starter_count else "RUNNING_MODERATOR_ABSENT"


def render_participant(asked: Asked, participant: Participant, _: int | None) -> Answer:
    """A participant."""
    return _render(asked, "Call", serialize_participant(asked, participant))


def render_participants(asked: Asked, page: Page[Participant]) -> Answer:
    """A page of participants."""
    return _render_page(asked, page, "Call", [serialize_participant(asked, row) for row in page.rows])


def render_conference(asked: Asked, conference: Conference) -> Answer:
    """A conference."""
    return _render(asked, "Conference", serialize_conference(asked, conference))


def render_conferences(asked: Asked, page: Page[Conference]) -> Answer:
    """A page of conferences."""
    return _render_page(asked, page, "Conference", [serialize_conference(asked, row) for row in page.rows])


def _render(asked: Asked, name: str, values: dict[str, Any]) -> Answer:
    return as_json(values) if asked.representation == "json" else _as_xml(xml.resource(name, values))


def _render_page(asked: Asked, page: Page[Any], name: str, rows: list[dict[str, Any]]) -> Answer:
    """A page behind the last one is an error. What is not counted is not said."""
    if page.total is not None and page.number > last_page(page.total, page.size):
        return Answer(b"", "", 400)
    described: dict[str, Any] = {
        "page": page.number,
        "num_pages": None if page.total is None else last_page(page.total, page.size) + 1,
        "page_size": page.size,
        "total": page.total,
        "start": str(page.start),
        "end": str(page.end),
        "uri": page.uri,
        "first_page_uri": page.first_uri,
        "previous_page_uri": page.previous_uri or NOTHING,
        "next_page_uri": page.next_uri or NOTHING,
        "last_page_uri": page.last_uri or NOTHING,
    }
    known = {key: value for key, value in described.items() if value is not None}
    if asked.representation == "json":
        return as_json({**known, f"{name.lower()}s": rows})
    attributes = [(key.replace("_", ""), value) for key, value in known.items()]
    return _as_xml(xml.element(f"{name}s", xml.elements(xml.resource(name, row) for row in rows), attributes))


def _as_xml(content: str) -> Answer:
    return Answer(xml.document(xml.element("RestcommResponse", xml.elements([content]))), xml.MIMETYPE)
