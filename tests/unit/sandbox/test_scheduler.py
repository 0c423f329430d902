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


def test_zero_is_now_and_the_default_cause_is_allotted_timeout(client: Client) -> None:
    """Nothing is scheduled."""
    channel_uuid = client.originate("+15550001000")
    client.event("CHANNEL_PARK", channel_uuid)

    client.api(f"sched_hangup +0 {channel_uuid}")

    assert client.event("CHANNEL_HANGUP", channel_uuid)["Hangup-Cause"] == "ALLOTTED_TIMEOUT"
    assert "ADD_SCHEDULE" not in client.labels()


def test_sched_del_takes_away_every_task_of_a_channel(client: Client) -> None:
    """By the channel's uuid, or one by its number."""
    channel_uuid = client.originate("+15550001000")
    client.event("CHANNEL_PARK", channel_uuid)
    for _ in range(3):
        client.api(f"sched_hangup +100 {channel_uuid}")
    task_id = client.event("ADD_SCHEDULE")["Task-ID"]

    assert client.api(f"sched_del {task_id}") == "+OK Deleted: 1\n"
    assert client.api(f"sched_del {task_id}") == "+OK Deleted: 0\n"
    assert client.api(f"sched_del {channel_uuid}") == "+OK Deleted: 2\n"
    assert client.api(f"sched_del {channel_uuid}") == "+OK Deleted: 0\n"
