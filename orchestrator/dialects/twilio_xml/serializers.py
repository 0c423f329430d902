"""Answers out: Twilio's JSON as XML, in the order of the 2010 document (wire-contract sections 3.2 and 7.2)."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.dialects import xml
from orchestrator.dialects.base import Answer, Asked, Page
from orchestrator.dialects.twilio.calls import serialize_call
from orchestrator.dialects.twilio.paging import last_page
from orchestrator.dialects.twilio.recordings import serialize_recording
from orchestrator.dialects.twilio.serializers import serialize_account, serialize_conference, serialize_participant
from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.recording import (
    Recording,
)
from orchestrator.store.accounts import Account

_REST: Final = (
    "muted", "end_conference_on_exit", "start_conference_on_enter", "hold", "coaching", "call_sid_to_coach", "label",
    "status", "queue_time", "date_created", "date_updated", "uri",
)  # fmt: skip
PARTICIPANT: Final = ("call_sid", "conference_sid", "account_sid", *_REST)
LISTED_PARTICIPANT: Final = ("conference_sid", "account_sid", "call_sid", *_REST)
"""The document itself puts the CallSid elsewhere in a list."""

CONFERENCE: Final = (
    "sid", "account_sid", "friendly_name", "status", "date_created", "api_version", "date_updated", "region",
    "reason_conference_ended", "call_sid_ending_conference", "uri", "subresource_uris",
)  # fmt: skip


def render_account(asked: Asked, account: Account) -> Answer:
    """An account."""
    values = serialize_account(asked, account)
    return as_xml(xml.resource("Account", values))


def render_conference(asked: Asked, conference: Conference) -> Answer:
    """A conference."""
    return as_xml(xml.resource("Conference", serialize_conference(asked, conference), CONFERENCE))


def render_conferences(asked: Asked, page: Page[Conference]) -> Answer:
    """A page of conferences."""
    rows = [xml.resource("Conference", serialize_conference(asked, row), CONFERENCE) for row in page.rows]
    return as_xml(xml.element("Conferences", xml.elements(rows), page_attributes(page)))


def render_participant(asked: Asked, participant: Participant, queue_time_ms: int | None) -> Answer:
    """A participant."""
    return as_xml(xml.resource("Participant", serialize_participant(asked, participant, queue_time_ms), PARTICIPANT))


def render_participants(asked: Asked, page: Page[Participant]) -> Answer:
    """A page of participants."""
    rows = [xml.resource("Participant", serialize_participant(asked, row), LISTED_PARTICIPANT) for row in page.rows]
    return as_xml(xml.element("Participants", xml.elements(rows), page_attributes(page)))


def render_call(asked: Asked, call: Participant) -> Answer:
    """A call."""
    values = serialize_call(asked, call)
    return as_xml(xml.resource("Call", values))


def render_calls(asked: Asked, page: Page[Participant]) -> Answer:
    """A page of calls."""
    rows = [serialize_call(asked, row) for row in page.rows]
    elements = xml.elements(xml.resource("Call", values) for values in rows)
    return as_xml(xml.element("Calls", elements, page_attributes(page)))


def render_recording(asked: Asked, recording: Recording, where: str, base: str) -> Answer:
    """A recording."""
    values = serialize_recording(asked, recording, where, base)
    return as_xml(xml.resource("Recording", values))


def render_recordings(asked: Asked, page: Page[Recording], where: str, base: str) -> Answer:
    """A page of recordings."""
    values = [serialize_recording(asked, row, where, base) for row in page.rows]
    rows = [xml.resource("Recording", row) for row in values]
    return as_xml(xml.element("Recordings", xml.elements(rows), page_attributes(page)))


def page_attributes(page: Page[Any]) -> list[tuple[str, object]]:
    """Return the page's attributes of the 2010 document; without a count, those that Twilio has kept since."""
    counted = page.total is not None
    attributes: list[tuple[str, object]] = [("page", page.number)]
    if page.total is not None:
        attributes.append(("numpages", last_page(page.total, page.size) + 1))
    attributes.append(("pagesize", page.size))
    if counted:
        attributes.append(("total", page.total))
    attributes += [
        ("start", page.start),
        ("end", page.end),
        ("uri", page.uri),
        ("firstpageuri", page.first_uri),
        ("previouspageuri", page.previous_uri),
        ("nextpageuri", page.next_uri),
    ]
    return [*attributes, ("lastpageuri", page.last_uri)] if counted else attributes


def as_xml(content: str) -> Answer:
    """An answer in XML."""
    return Answer(xml.document(xml.element("TwilioResponse", xml.elements([content]))), xml.MIMETYPE)
