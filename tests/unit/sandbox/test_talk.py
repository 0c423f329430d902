"""Who talks, and who has the floor. All of it was seen on the real one with phones that play a tone."""

from __future__ import annotations

import time

import gevent
import pytest

from orchestrator.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client

_TALK = {"start-talking", "stop-talking"}
_SOON_SECONDS = 0.15


def test_talking_begins_two_frames_after_joining(client: Client) -> None:
    """Once, and not of who joins muted."""
    loud, _ = client.join("+15550001000", "CFx")
    muted, _ = client.join("+15550001001", "CFx", "conference_member_flags=mute")

    started = client.event("start-talking", loud)
    later_us = int(started["Event-Date-Timestamp"]) - int(client.event("add-member", loud)["Event-Date-Timestamp"])
    assert later_us > 30_000
    assert (started["Talking"], started["Speak"]) == ("true", "true")
    gevent.sleep(_SOON_SECONDS)
    assert client.labels(only=_TALK) == ["start-talking"]
    assert client.labels(muted, _TALK) == []


@pytest.mark.parametrize(("off", "on"), [("mute", "unmute"), ("hold", "unhold")])
def test_mute_and_hold_end_it_without_an_event(client: Client, off: str, on: str) -> None:
    """Their own event says Talking: false; it starts again after unmute and unhold."""
    _, member_id = client.join("+15550001000", "CFx")
    client.event("start-talking")

    client.api(f"conference CFx {off} {member_id}")
    gevent.sleep(_SOON_SECONDS)

    assert client.event(f"{off}-member")["Talking"] == "false"
    assert client.labels(only=_TALK) == ["start-talking"]
    client.api(f"conference CFx {on} {member_id}")
    client.until(lambda: client.labels(only=_TALK) == ["start-talking"] * 2)
    assert client.event(f"{on}-member")["Talking"] == "false"


def test_it_takes_both_unmute_and_unhold(client: Client) -> None:
    """A member that is muted and on hold does not talk after one of them, and does not start twice after both."""
    _, member_id = client.join("+15550001000", "CFx")
    client.event("start-talking")
    client.api(f"conference CFx hold {member_id}")
    client.api(f"conference CFx mute {member_id}")

    client.api(f"conference CFx unhold {member_id}")
    gevent.sleep(_SOON_SECONDS)
    assert client.labels(only=_TALK) == ["start-talking"]
    client.api(f"conference CFx unmute {member_id}")
    client.api(f"conference CFx unmute {member_id}")
    client.until(lambda: client.labels(only=_TALK) == ["start-talking"] * 2)
    gevent.sleep(_SOON_SECONDS)

    assert client.labels(only=_TALK) == ["start-talking"] * 2


def test_a_phone_that_falls_quiet(client: Client, sandbox: Sandbox) -> None:
    """stop-talking comes 40 frames later, with Talking: false; leaving gives none, muting takes it away."""
    quiet, _ = client.join("+15550001000", "CFx")
    muted, muted_id = client.join("+15550001001", "CFx")
    client.until(lambda: client.labels(only=_TALK) == ["start-talking"] * 2)

    began = time.monotonic()
    sandbox.node.sessions[quiet].set_quiet(True)
    sandbox.node.sessions[muted].set_quiet(True)
    client.api(f"conference CFx mute {muted_id}")

    assert client.event("stop-talking")["Talking"] == "false"
    assert time.monotonic() - began > 0.7
    sandbox.node.sessions[quiet].set_quiet(False)
    client.until(lambda: client.labels(quiet, _TALK) == ["start-talking", "stop-talking", "start-talking"])
    client.api("conference CFx hup all")
    client.event("conference-destroy")
    assert client.labels(muted, _TALK) == ["start-talking"]
    assert client.labels().count("stop-talking") == 1


def test_a_phone_that_is_quiet_before_it_joins(client: Client, sandbox: Sandbox) -> None:
    """It never starts."""
    channel_uuid = client.originate("+15550002000", "&conference(CFx@orchestrator)")
    client.event("CHANNEL_PROGRESS", channel_uuid)
    sandbox.node.sessions[channel_uuid].set_quiet(True)

    client.event("add-member", channel_uuid)
    gevent.sleep(_SOON_SECONDS)

    assert client.labels(only=_TALK) == []


def test_the_floor_goes_to_who_talks(client: Client) -> None:
    """A muted first member has it until somebody talks, a holder who is muted loses it, and a leaver gives it back."""
    _, first = client.join("+15550001000", "CFx", "conference_member_flags=mute")
    client.event("floor-change")
    _, second = client.join("+15550001001", "CFx")
    client.until(lambda: client.labels().count("floor-change") == 2)
    _, third = client.join("+15550001002", "CFx")
    client.until(lambda: client.labels().count("start-talking") == 2)

    client.api(f"conference CFx mute {second}")
    client.until(lambda: client.labels().count("floor-change") == 3)
    client.api(f"conference CFx kick {third}")
    client.until(lambda: client.labels().count("floor-change") == 5)

    changes = [event for event in client.events if event.get("Action") == "floor-change"]
    assert [(event["Old-ID"], event["New-ID"]) for event in changes] == [
        ("none", first),
        (first, second),
        (second, third),
        ("none", "none"),
        ("none", second),
    ]
