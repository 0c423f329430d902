"""How events look on the wire."""

from __future__ import annotations

import json

from orchestrator.sandbox.events import Event, EventStamp


def test_plain_events_are_url_encoded_line_by_line() -> None:
    """Each value is encoded, and an empty one is spelt `_undef_`."""
    event = Event({"Event-Name": "CHANNEL_CREATE", "Caller-Caller-ID-Name": "A: b\nAction: x", "Empty": ""})

    assert event.plain() == (
        "Event-Name: CHANNEL_CREATE\nCaller-Caller-ID-Name: A%3A%20b%0AAction%3A%20x\nEmpty: _undef_\n\n"
    )


def test_a_body_follows_the_headers_with_its_length_in_bytes() -> None:
    """BACKGROUND_JOB has a body: told by Content-Length in plain, and as _body in JSON."""
    event = Event({"Event-Name": "BACKGROUND_JOB"}, "+OK é\n")

    assert event.plain() == "Event-Name: BACKGROUND_JOB\nContent-Length: 7\n\n+OK é\n"
    assert json.loads(event.json()) == {"Event-Name": "BACKGROUND_JOB", "Content-Length": "7", "_body": "+OK é\n"}


def test_every_event_has_a_number_of_its_own() -> None:
    """Event-Sequence counts up; Core-UUID tells the run."""
    stamp = EventStamp("core")

    first, second = stamp.headers("HEARTBEAT"), stamp.headers("CUSTOM", "conference::maintenance")

    assert (first["Event-Sequence"], second["Event-Sequence"]) == ("1", "2")
    assert first["Core-UUID"] == "core"
    assert second["Event-Subclass"] == "conference::maintenance"
