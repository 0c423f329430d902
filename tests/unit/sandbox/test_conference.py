"""Members come and go."""

from __future__ import annotations

from tests.unit.sandbox.client import Client

_LIFE = {
    "conference-create",
    "add-member",
    "del-member",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "conference-destroy",
}


def test_the_first_member_makes_the_conference_and_the_last_ends_it(client: Client) -> None:
    """conference-create before the first add-member, conference-destroy after the last del-member."""
    _, member_id = client.join("+15550001000", "CFx")

    client.api(f"conference CFx kick {member_id}")

    client.event("conference-destroy")
    assert client.labels(only=_LIFE) == [
        "conference-create",
        "add-member",
        "del-member",
        "CHANNEL_HANGUP",
        "CHANNEL_HANGUP_COMPLETE",
        "conference-destroy",
    ]
    created = client.event("conference-create")
    assert (created["Conference-Name"], created["Conference-Size"]) == ("CFx", "0")
    assert created["Conference-Profile-Name"] == "orchestrator"
    assert "Member-ID" not in created


def test_a_member_that_is_put_out_leaves_before_its_channel_hangs_up(client: Client) -> None:
    """kick and hup: del-member, then CHANNEL_HANGUP. uuid_kill: the other way round."""
    kicked, member_id = client.join("+15550001000", "CFx")
    killed, _ = client.join("+15550001001", "CFx")

    client.api(f"conference CFx hup {member_id}")
    client.api(f"uuid_kill {killed}")

    client.event("CHANNEL_HANGUP_COMPLETE", kicked)
    client.event("CHANNEL_HANGUP_COMPLETE", killed)
    assert client.labels(kicked, {"del-member", "CHANNEL_HANGUP"}) == ["del-member", "CHANNEL_HANGUP"]
    assert client.labels(killed, {"del-member", "CHANNEL_HANGUP"}) == ["CHANNEL_HANGUP", "del-member"]


def test_endconf_ends_it_for_all(client: Client) -> None:
    """When a member with the flag leaves, the others are hung up, and that before their del-member."""
    _, boss_id = client.join("+15550001000", "CFx", "conference_member_flags=endconf")
    other, _ = client.join("+15550001001", "CFx")

    client.api(f"conference CFx kick {boss_id}")

    client.event("conference-destroy")
    assert client.labels(other, {"del-member", "CHANNEL_HANGUP"}) == ["CHANNEL_HANGUP", "del-member"]


def test_mandatory_members_end_it_when_the_last_has_left(client: Client) -> None:
    """One of two leaves: it goes on."""
    flags = "conference_member_flags=mandatory_member_endconf"
    _, first_id = client.join("+15550001000", "CFx", flags)
    _, second_id = client.join("+15550001001", "CFx", flags)
    other, _ = client.join("+15550001002", "CFx")

    client.api(f"conference CFx kick {first_id}")
    client.until(lambda: client.labels().count("del-member") == 1)
    assert client.api("conference CFx count") == "2"
    client.api(f"conference CFx kick {second_id}")

    assert client.event("CHANNEL_HANGUP", other)["Hangup-Cause"] == "NORMAL_CLEARING"


def test_join_flags_show_in_add_member(client: Client) -> None:
    """Mute, deaf and moderator, from the variable or from the application's data."""
    muted, _ = client.join("+15550001000", "CFx", "conference_member_flags=mute|moderator")
    deaf = client.originate("+15550001001", "&conference(CFx@orchestrator+flags{deaf})")

    added = client.event("add-member", muted)
    assert (added["Speak"], added["Hear"], added["Member-Type"]) == ("false", "true", "moderator")
    assert client.event("add-member", deaf)["Hear"] == "false"


def test_several_flags_are_joined(client: Client) -> None:
    """With `|` or an escaped comma; those of the variable and those of the application's data are added up."""
    by_bar, _ = client.join("+15550001000", "CFx", "conference_member_flags=mute|deaf")
    by_comma, _ = client.join("+15550001000", "CFx", r"conference_member_flags=mute\,deaf")
    application, variables = "&conference(CFx@orchestrator+flags{deaf})", "conference_member_flags=mute"
    from_both = client.originate("+15550001000", application, variables)

    for channel_uuid in (by_bar, by_comma, from_both):
        added = client.event("add-member", channel_uuid)
        assert (added["Speak"], added["Hear"], added["Talking"]) == ("false", "false", "false")


def test_flags_of_a_ringing_leg_can_still_be_changed(client: Client) -> None:
    """uuid_setvar replaces them, and without a value takes them away; they are read when it joins."""
    given = "conference_member_flags=moderator"
    changed = client.originate("+15550002000", "&conference(CFx@orchestrator)", given)
    cleared = client.originate("+15550002000", "&conference(CFx@orchestrator)", "conference_member_flags=mute")
    client.event("CHANNEL_PROGRESS", changed)

    assert client.api(f"uuid_setvar {changed} conference_member_flags mute|deaf") == "+OK\n"
    assert client.api(f"uuid_setvar {cleared} conference_member_flags") == "+OK\n"

    added = client.event("add-member", changed)
    assert (added["Speak"], added["Hear"], added["Member-Type"]) == ("false", "false", "member")
    assert client.event("add-member", cleared)["Speak"] == "true"


def test_member_ids_are_unique_on_the_node(client: Client) -> None:
    """Not in the conference."""
    _, first_id = client.join("+15550001000", "CFx")
    _, second_id = client.join("+15550001001", "CFy")

    assert first_id != second_id


def test_a_call_that_joins_an_ending_conference_makes_a_new_one(client: Client) -> None:
    """Of the same name, with another Conference-Unique-ID: the old one is not found any more."""
    client.join("+15550001000", "CFx")
    latecomer = client.originate("+15550002000", "&conference(CFx@orchestrator)")
    client.event("CHANNEL_PROGRESS", latecomer)

    client.api("conference CFx hup all")

    added = client.event("add-member", latecomer)
    created = [event["Conference-Unique-ID"] for event in client.events if event.get("Action") == "conference-create"]
    assert len(created) == 2
    assert added["Conference-Unique-ID"] == created[1]
