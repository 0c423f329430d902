"""Members come and go."""

from __future__ import annotations

from tests.unit.sandbox.client import Client


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


def test_a_kicked_member_is_not_found_any_more(client: Client) -> None:
    """Though it is still there for a frame; one that `hup` put out is found."""
    _, kicked = client.join("+15550001000", "CFx")
    _, hung_up = client.join("+15550001001", "CFx")

    words = (f"kick {kicked}", f"hup {hung_up}", f"mute {kicked}", f"mute {hung_up}")
    client.send("\n\n".join(f"api conference CFx {each}" for each in words))

    replies = [client.reply()[1] for _ in words]
    assert replies[2:] == [f"-ERR Non-Existant ID {kicked}\n", f"+OK mute {hung_up}\n"]
