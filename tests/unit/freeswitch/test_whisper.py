"""Whisper pairs: their names, their UUIDs, and the command that makes one."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import CoachingImpossible
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.commands import SwitchCommand
from orchestrator.freeswitch.whisper import SPEECH, StartWhisper, Whisper, is_whisper, pair_of, require_whispers

CONFERENCE, COACH, COACHED = "CF" + 32 * "1", "CA" + 32 * "2", "CA" + 32 * "3"
PAIR = Whisper(CONFERENCE, COACH, COACHED)
SPEECH_PAIR = Whisper(CONFERENCE, COACH, SPEECH)
LEG = f"loopback/m:^:set:orchestrator_whisper={PAIR.channel_uuid}-{COACH}^set:eavesdrop"
"""FreeSWITCH cuts names off at 127 characters."""


def test_the_legs_of_a_pair_are_known_by_their_name() -> None:
    """Both have the name of the address that was dialled: which pair, and whose voice."""
    dialled = StartWhisper(PAIR).render().partition("}")[2]

    assert dialled[:127].startswith(LEG)
    assert is_whisper(dialled[:127])
    assert pair_of(dialled[:127]) == (PAIR.channel_uuid, COACH)


@pytest.mark.parametrize(
    "name", ["sofia/internal/%2B15550001001@127.0.0.1:13981", "loopback/1000-a", "loopback/m:^:", ""]
)
def test_calls_are_no_whisper(name: str) -> None:
    """An operator may route calls through mod_loopback as well."""
    assert not is_whisper(name)
    assert pair_of(name) is None


def test_a_pair_is_found_again() -> None:
    """Whoever asks for it: the same UUID for the same two, another one for any others, and for the other direction."""
    others = [Whisper(CONFERENCE, COACHED, COACH), SPEECH_PAIR, Whisper(CONFERENCE, COACH, "CA" + 32 * "4")]

    assert PAIR.channel_uuid == Whisper(CONFERENCE, COACH, COACHED).channel_uuid
    assert len({PAIR.channel_uuid, *(each.channel_uuid for each in others)}) == 4


def test_a_doubled_pair_finds_nobody() -> None:
    """FreeSWITCH makes a second channel of the same UUID under another one: whom it whispers to is looked up by it."""
    command = StartWhisper(PAIR).render()

    assert f"whisper_to_{PAIR.channel_uuid}=33333333-3333-3333-3333-333333333333" in command
    assert command.endswith(" eavesdrop:${whisper_to_${uuid}} inline")


def test_a_coach_is_listened_for_where_nobody_hears() -> None:
    """A conference of its own, deaf: its events tell when the coach talks."""
    command = StartWhisper(SPEECH_PAIR).render()

    assert f"whisper_to_{SPEECH_PAIR.channel_uuid}=speech-{CONFERENCE}@orchestrator," in command
    assert command.endswith(" conference:${whisper_to_${uuid}} inline")
    assert command.partition("}")[0].endswith(",conference_member_flags=deaf")


class Node:
    address = NodeAddress("fs1", "127.0.0.1", 8021)

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def send(self, command: SwitchCommand) -> str:
        assert command.render() == "module_exists mod_loopback"
        return self.answer


def test_without_its_module_coaching_is_refused() -> None:
    """It would be answered, and nobody would hear the coach."""
    node: Any = Node("false")
    with pytest.raises(CoachingImpossible, match="fs1 has not loaded mod_loopback"):
        require_whispers(node)

    node.answer = "true"
    require_whispers(node)
