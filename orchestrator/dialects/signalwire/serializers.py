"""Answers out: Twilio's, with UUIDs, and without what SignalWire does not know (wire-contract section 3.7)."""

from __future__ import annotations

import re
import uuid
from typing import Any, Final

from orchestrator.dialects.base import Answer, Asked, Page
from orchestrator.dialects.twilio import serializers
from orchestrator.domain.conference import STOCK, Participant

_SID: Final = re.compile(r"(?:AC|CA|CF|RE)([0-9a-f]{32})", re.ASCII)


def write_sid(sid: str) -> str:
    """`CA…` as a UUID; any other text as it is."""
    match = _SID.fullmatch(sid)
    return str(uuid.UUID(match[1])) if match else sid


def serialize_participant(asked: Asked, participant: Participant) -> dict[str, Any]:
    """A participant. Its `status` has two words only; `hold_url` is there while somebody is on hold with one."""
    body = serializers.serialize_participant(asked, participant)
    del body["label"], body["queue_time"]
    body["status"] = "in-progress" if participant.is_live else "completed"
    if participant.hold_as_asked and participant.hold_url not in (STOCK, ""):
        body["hold_url"] = participant.hold_url
    return body


def render_participant(asked: Asked, participant: Participant, _: int | None) -> Answer:
    """A participant; there is no queue that a create could tell of."""
    return serializers.as_json(serialize_participant(asked, participant))


def render_participants(asked: Asked, page: Page[Participant]) -> Answer:
    """A page of participants."""
    rows = [serialize_participant(asked, row) for row in page.rows]
    return serializers.as_json(serializers.serialize_page("participants", page, rows))
