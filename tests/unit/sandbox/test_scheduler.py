"""Hangups for later."""

from __future__ import annotations

from tests.unit.sandbox.client import Client


def test_a_scheduled_hangup_comes_with_its_cause_when_its_second_begins(client: Client) -> None:
    """+1 is the next second of the clock: it may be sooner than one second."""
    channel_uuid = client.originate("+15550001000")
    client.event("CHANNEL_PARK", channel_uuid)

    assert client.api(f"sched_hangup +1 {channel_uuid} NO_ANSWER") == "+OK\n"

    assert client.event("CHANNEL_HANGUP", channel_uuid)["Hangup-Cause"] == "NO_ANSWER"
    client.event("DEL_SCHEDULE")
