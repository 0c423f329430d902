"""mod_loopback and eavesdrop: pairs that come and go as the real ones do (seen on FreeSWITCH 1.10.12)."""

from __future__ import annotations

import json
import uuid

import pytest

from orchestrator.freeswitch.whisper import SPEECH, ListWhispers, StartWhisper, Whisper, pair_of
from orchestrator.sandbox.server import Sandbox
from orchestrator.sids import call_sid_of, mint_sid
from tests.unit.sandbox.client import Client

CONFERENCE = mint_sid("CF")


def two(client: Client) -> tuple[str, str]:
    """Channel UUIDs of a coach and a coached, members of a conference."""
    return tuple(client.join(number, CONFERENCE)[0] for number in ("+15550001000", "+15550001001"))  # type: ignore[return-value]  # two


def pair_of_two(client: Client, ear: str | None = None) -> tuple[Whisper, str, str]:
    coach, coached = two(client)
    whisper = Whisper(CONFERENCE, str(call_sid_of(coach)), ear or str(call_sid_of(coached)))
    assert client.api(StartWhisper(whisper).render()) == f"+OK {whisper.channel_uuid}\n"
    return whisper, coach, coached


def legs(client: Client) -> list[dict[str, str]]:
    found = json.loads(client.api(ListWhispers().render())).get("rows", [])
    return sorted(found, key=lambda row: row["direction"])


def test_a_pair_is_two_legs(client: Client) -> None:
    """Of one name; the one that was asked for is outbound and whispers, the other listens to the coach."""
    whisper, coach, coached = pair_of_two(client)
    client.until(lambda: [row["application_data"] for row in legs(client)] == [coach, coached])
    first, second = reversed(legs(client))

    assert (first["uuid"], first["direction"], second["direction"]) == (whisper.channel_uuid, "outbound", "inbound")
    assert first["name"] == second["name"]
    assert len(first["name"]) == 127
    assert pair_of(first["name"]) == (whisper.channel_uuid, whisper.coach)


def test_either_end_ends_both_legs(client: Client) -> None:
    """`uuid_kill` of the first leg, or of the call at either end."""
    whisper, coach, coached = pair_of_two(client)
    client.api(f"uuid_kill {whisper.channel_uuid}")
    client.until(lambda: legs(client) == [])
    for victim in (coached, coach):
        assert client.api(StartWhisper(whisper).render()).startswith("+OK ")
        client.api(f"uuid_kill {victim}")
        client.until(lambda: legs(client) == [])
        if victim == coached:
            coached = client.join("+15550001001", CONFERENCE)[0]
            whisper = Whisper(CONFERENCE, whisper.coach, str(call_sid_of(coached)))


@pytest.mark.parametrize("ear", [None, SPEECH])
def test_a_second_one_with_the_same_uuid_ends_at_once(client: Client, ear: str | None) -> None:
    """It is answered with another UUID; the first is left alone."""
    whisper, _, _ = pair_of_two(client, ear)
    second = client.api(StartWhisper(whisper).render())

    assert second.startswith("+OK ")
    assert whisper.channel_uuid not in second
    client.until(lambda: len(legs(client)) == 2)
    assert client.api(f"uuid_exists {whisper.channel_uuid}") == "true"


def test_without_a_coach_there_is_no_pair(client: Client) -> None:
    """The second leg ends before the first is made."""
    _, coached = two(client)
    nobody = Whisper(CONFERENCE, str(call_sid_of(str(uuid.uuid4()))), str(call_sid_of(coached)))

    assert client.api(StartWhisper(nobody).render()) == "-ERR NORMAL_CLEARING\n"


def test_a_coach_is_listened_for(client: Client, sandbox: Sandbox) -> None:
    """A deaf member of a conference of its own talks when the coach does."""
    whisper, coach, _ = pair_of_two(client, SPEECH)
    speech = {"start-talking", "stop-talking"}
    client.until(lambda: client.labels(whisper.channel_uuid, speech) == ["start-talking"])
    sandbox.node.sessions[coach].set_quiet(True)
    client.until(lambda: client.labels(whisper.channel_uuid, speech) == ["start-talking", "stop-talking"])

    event = client.event("stop-talking", whisper.channel_uuid)
    assert (event["Conference-Name"], event["Hear"]) == (f"speech-{CONFERENCE}", "false")


def test_the_module_goes_when_no_leg_of_it_is_left(client: Client) -> None:
    """Then a pair is impossible, and there is nothing more to unload (seen on the real one)."""
    whisper, _, _ = pair_of_two(client)
    assert client.api("unload mod_loopback") == "-ERR [Module in use.]\n"
    assert client.api("module_exists mod_loopback") == "true"
    client.api(f"uuid_kill {whisper.channel_uuid}")
    client.until(lambda: legs(client) == [])

    assert client.api("unload mod_loopback") == "+OK\n"
    assert client.api("module_exists mod_loopback") == "false"
    for endpoint in ("loopback/m:^:answer^park/default/inline", "null/nobody"):
        assert client.api(f"originate {endpoint} &park()") == "-ERR CHAN_NOT_IMPLEMENTED\n"
    assert client.api("unload mod_loopback") == "-ERR [No such module!]\n"
