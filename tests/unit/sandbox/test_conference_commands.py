"""Each subcommand's reply and event."""

from __future__ import annotations

import json

import pytest

from tests.unit.sandbox.client import Client, Headers


@pytest.mark.parametrize(
    ("command", "reply", "action", "header"),
    [
        ("mute", "+OK mute {}\n", "mute-member", ("Speak", "false")),
        ("unmute", "+OK unmute {}\n", "unmute-member", ("Speak", "true")),
        ("tmute", "+OK mute {}\n", "mute-member", ("Speak", "false")),
        ("deaf", "+OK deaf {}\n", "deaf-member", ("Hear", "false")),
        ("undeaf", "+OK undeaf {}\n", "undeaf-member", ("Hear", "true")),
        ("hold", "+OK hold {}\n", "hold-member", ("Hold", "true")),
        ("unhold", "+OK unhold {}\n", "unhold-member", ("Hold", "false")),
        ("kick", "+OK kicked {}\n", "kick-member", ("Conference-Size", "1")),
        ("hup", "+OK hup {}\n", "hup-member", ("Conference-Size", "1")),
    ],
)
def test_member_commands(client: Client, command: str, reply: str, action: str, header: tuple[str, str]) -> None:
    """They name the member and fire one event, even if nothing changed."""
    _, member_id = client.join("+15550001000", "CFx")

    assert client.api(f"conference CFx {command} {member_id}") == reply.format(member_id)

    event = client.event(action)
    assert (event["Member-ID"], event[header[0]]) == (member_id, header[1])


def test_targets(client: Client) -> None:
    """all (newest first), last, non_moderator, and an id that is not there."""
    _, first = client.join("+15550001000", "CFx")
    _, second = client.join("+15550001001", "CFx", "conference_member_flags=moderator")

    assert client.api("conference CFx mute all") == f"+OK mute {second}\n+OK mute {first}\n"
    assert client.api("conference CFx unmute last") == f"+OK unmute {second}\n"
    assert client.api("conference CFx unmute non_moderator") == (
        f"Skipping moderator (member id {second}).\n+OK unmute {first}\n"
    )
    assert client.api("conference CFx mute 99") == "-ERR Non-Existant ID 99\n"
    assert client.api("conference CFx mute") == "mute <[member_id|all]|last|non_moderator> [<quiet>]"
    assert client.api(f"conference CFx get-uuid {first}") == client.event("add-member")["Unique-ID"]


def test_lock_and_dtmf(client: Client) -> None:
    """The remaining small ones."""
    _, member_id = client.join("+15550001000", "CFx")

    assert client.api("conference CFx lock") == "+OK CFx locked\n"
    assert client.api("conference CFx unlock") == "+OK CFx unlocked\n"
    assert client.api(f"conference CFx dtmf {member_id} 12") == f"+OK sent 12 to {member_id}\n"
    assert client.api(f"conference CFx dtmf {member_id}") == "-ERR Invalid input!\n"
    assert client.event("dtmf-member")["Digits"] == "12"


def test_transfer_takes_the_call_to_another_conference(client: Client) -> None:
    """The same channel and the same member id; the old conference goes on without it."""
    channel_uuid, member_id = client.join("+15550001000", "CFx")
    client.join("+15550001001", "CFx")

    reply = client.api(f"conference CFx transfer CFy@orchestrator {member_id}")

    assert reply == f"+OK Member '{member_id}' sent to conference CFy@orchestrator.\n"
    client.until(lambda: client.labels(channel_uuid).count("add-member") == 2)
    moved = [event for event in client.events if event.get("Action") == "add-member"][-1]
    assert (moved["Conference-Name"], moved["Member-ID"]) == ("CFy", member_id)
    assert client.api("conference CFx count") == "1"
    assert client.api("conference CFx transfer CFy 99") == "-ERR No Member 99 in conference CFx.\n"


def test_mute_deaf_and_hold_do_not_touch_each_other(client: Client) -> None:
    """Each event has all three flags; json_list folds hold into can_speak, can_hear and can_see, and says it itself."""
    _, member_id = client.join("+15550001000", "CFx")

    for command in ("hold", "mute", "deaf", "unhold"):
        client.api(f"conference CFx {command} {member_id}")

    assert _flags(client.event("mute-member")) == ("false", "true", "true")
    assert _flags(client.event("deaf-member")) == ("false", "false", "true")
    assert _flags(client.event("unhold-member")) == ("false", "false", "false")
    assert _listed(client) == (False, False, True, False)
    client.api(f"conference CFx unmute {member_id}")
    client.api(f"conference CFx undeaf {member_id}")
    assert _listed(client) == (True, True, True, False)
    client.api(f"conference CFx hold {member_id}")
    assert _listed(client) == (False, False, False, True)


def test_a_kicked_member_is_not_found_any_more(client: Client) -> None:
    """Though it is still there for a frame; one that `hup` put out is found."""
    _, kicked = client.join("+15550001000", "CFx")
    _, hung_up = client.join("+15550001001", "CFx")

    client.api(f"conference CFx kick {kicked}")
    client.api(f"conference CFx hup {hung_up}")

    assert client.api(f"conference CFx mute {kicked}") == f"-ERR Non-Existant ID {kicked}\n"
    assert client.api(f"conference CFx mute {hung_up}") == f"+OK mute {hung_up}\n"


def _flags(event: Headers) -> tuple[str, str, str]:
    return event["Speak"], event["Hear"], event["Hold"]


def _listed(client: Client) -> tuple[bool, bool, bool, bool]:
    flags = json.loads(client.api("conference CFx json_list"))[0]["members"][0]["flags"]
    return flags["can_speak"], flags["can_hear"], flags["can_see"], flags["hold"]
