"""The small API commands."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.client import Client

_NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (f"uuid_exists {_NOBODY}", "false"),
        (f"uuid_kill {_NOBODY}", "-ERR No such channel!\n"),
        ("uuid_kill", "-USAGE: <uuid> [cause]\n"),
        (f"uuid_setvar {_NOBODY} a b", "-ERR No such channel!\n"),
        (f"uuid_setvar {_NOBODY}", "-USAGE: <uuid> <var> [value]\n"),
        (f"uuid_setvar_multi {_NOBODY} a=b", "-ERR No such channel!\n-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"),
        (f"uuid_setvar_multi {_NOBODY}", "-ERR no reply\n"),
        (f"uuid_getvar {_NOBODY} a", "-ERR No such channel!\n"),
        ("uuid_getvar", "-USAGE: <uuid> <var>\n"),
        (f"sched_hangup +1 {_NOBODY}", "-ERR No such channel!\n"),
        ("sched_hangup", "-USAGE: [+]<time> <uuid> [<cause>]\n"),
        (f"sched_del {_NOBODY}", "+OK Deleted: 0\n"),
        ("global_getvar nosuch", "-ERR no reply\n"),
        ("echo hi there", "hi there"),
        ("hostname", "sandbox"),
        ("version short", "1.10.12\n"),
        ("hupall", "+OK hangup all channels with cause MANAGER_REQUEST\n"),
    ],
)
def test_replies(client: Client, command: str, reply: str) -> None:
    """To the letter what the real one says."""
    assert client.api(command) == reply


def test_what_runs(client: Client) -> None:
    """`status` says UP, `uptime` counts, the core has a uuid, and so has whoever asks for one."""
    assert client.api("status").startswith("UP 0 years, 0 days, 0 hours, 0 minutes, 0 seconds, ")
    assert "0 session(s) - peak 0" in client.api("status")
    assert client.api("version").startswith("FreeSWITCH Version 1.10.12")
    assert int(client.api("uptime")) <= int(client.api("uptime ms"))
    assert client.api("global_getvar core_uuid") == client.event("API")["Core-UUID"]
    assert len(client.api("create_uuid")) == len(_NOBODY)


def test_variables_of_a_channel(client: Client) -> None:
    """Set with a value to the end of the line, unset without one; several at once between semicolons."""
    channel_uuid = client.originate("+15550001000")
    client.event("CHANNEL_PARK", channel_uuid)

    assert client.api(f"uuid_setvar {channel_uuid} a conference CFx hup all") == "+OK\n"
    assert client.api(f"uuid_getvar {channel_uuid} a") == "conference CFx hup all"
    assert client.api(f"uuid_setvar {channel_uuid} a") == "+OK\n"
    assert client.api(f"uuid_getvar {channel_uuid} a") == "_undef_"
    assert client.api(f"uuid_setvar_multi {channel_uuid} a=x y;b=2") == "+OK\n"
    assert client.api(f"uuid_getvar {channel_uuid} a") == "x y"
    assert client.api(f"uuid_getvar {channel_uuid} b") == "2"


def test_a_channel_that_was_hung_up_is_gone_at_once(client: Client) -> None:
    """Before its last events have come."""
    channel_uuid = client.originate("+15550001000")
    client.event("CHANNEL_PARK", channel_uuid)
    client.send(f"api uuid_kill {channel_uuid}\n\napi uuid_exists {channel_uuid}\n\napi uuid_kill {channel_uuid}")

    replies = [client.reply()[1] for _ in range(3)]

    assert replies == ["+OK\n", "false", "-ERR No such channel!\n"]
    client.event("CHANNEL_UNPARK", channel_uuid)
