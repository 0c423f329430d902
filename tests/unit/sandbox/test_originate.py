"""`originate` and its outcomes; every order of events here was seen on the real one."""

from __future__ import annotations

from orchestrator.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client

_CALL_EVENTS = {
    "CHANNEL_CREATE",
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_ANSWER",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "add-member",
}


def test_not_answered_in_time(client: Client) -> None:
    """NO_ANSWER without a SIP status, and at the beginning of a second of the clock."""
    channel_uuid = client.originate("+15550004000", variables="originate_timeout=1")

    ended = client.event("CHANNEL_HANGUP_COMPLETE", channel_uuid)
    assert ended["Hangup-Cause"] == "NO_ANSWER"
    assert int(ended["variable_end_epoch"]) - int(ended["variable_start_epoch"]) == 1
    assert "variable_sip_term_status" not in ended
    assert client.job() == "-ERR NO_ANSWER\n"


def test_a_kill_sent_right_behind_the_originate_finds_the_channel(client: Client) -> None:
    """bgapi waits until its thread runs: on one connection the kill is never too early."""
    client.send("bgapi originate {origination_uuid=u1}sofia/internal/+15550001000@phones &park()\n\napi uuid_kill u1")

    client.reply()
    assert client.reply()[1] == "+OK\n"
    client.event("CHANNEL_HANGUP_COMPLETE", "u1")
    assert client.labels("u1", _CALL_EVENTS) == ["CHANNEL_CREATE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE"]


def test_a_job_that_starts_late_is_missed_by_the_kill(sandbox: Sandbox, client: Client) -> None:
    """On a loaded node the kill comes before the channel, and the call lives on; a knob makes it so."""
    sandbox.faults.background_job_start_delay_seconds = 0.1
    channel_uuid = client.originate("+15550001000")

    assert client.api(f"uuid_kill {channel_uuid}") == "-ERR No such channel!\n"

    client.event("CHANNEL_ANSWER", channel_uuid)
