"""What a snapshot of the conferences says."""

from __future__ import annotations

import json

from tests.unit.sandbox.client import Client


def test_none(client: Client) -> None:
    """An empty array, no conferences, none counted."""
    assert client.api("conference json_list") == "[]"
    assert client.api("conference list") == "+OK No active conferences.\n"
    assert client.api("conference count") == "0"


def test_json_list_tells_members_and_their_flags(client: Client) -> None:
    """Newest member first; a held one can neither hear nor speak."""
    muted, muted_id = client.join("+15550001000", "CFx", "conference_member_flags=mute|endconf")
    held, held_id = client.join("+15550001001", "CFx")
    client.api(f"conference CFx hold {held_id}")

    (listed,) = json.loads(client.api("conference json_list"))

    assert (listed["conference_name"], listed["member_count"]) == ("CFx", 2)
    assert listed["conference_uuid"] == client.event("conference-create")["Conference-Unique-ID"]
    newest, oldest = listed["members"]
    assert (newest["uuid"], newest["id"], newest["type"]) == (held, int(held_id), "caller")
    assert (newest["flags"]["hold"], newest["flags"]["can_hear"], newest["flags"]["can_speak"]) == (True, False, False)
    assert (oldest["uuid"], oldest["id"]) == (muted, int(muted_id))
    assert (oldest["flags"]["can_speak"], oldest["flags"]["can_hear"]) == (False, True)
    assert oldest["flags"]["end_conference"] is True
    assert json.loads(client.api("conference CFx json_list")) == [listed]


def test_list_and_count(client: Client) -> None:
    """One line for each member, and a line before them for each conference."""
    channel_uuid, member_id = client.join("+15550001000", "CFx", "conference_member_flags=mute")
    client.event("floor-change")

    line = (
        f"{member_id};sofia/internal/%2B15550001000@phones;{channel_uuid};"
        "+15550001000;+15550001000;hear|floor;0;0;100\n"
    )
    assert client.api("conference CFx list") == line
    assert client.api("conference list").endswith(f"json_status)\n{line}")
    assert client.api("conference list summary").startswith("+OK Conference CFx (1 member rate: 8000 flags: running|")
    assert (client.api("conference CFx list count"), client.api("conference CFx count")) == ("1", "1")
