"""Whisper pairs: their names, their UUIDs, and the command that makes one."""

from __future__ import annotations

import pytest

from orchestrator.freeswitch.whisper import StartWhisper, Whisper, is_whisper

CONFERENCE, COACH, COACHED = "CF" + 32 * "1", "CA" + 32 * "2", "CA" + 32 * "3"
# `show channels as json` of a real FreeSWITCH 1.10.12; names are cut off at 128 characters.
LEG = (
    f"loopback/m:^:set:orchestrator_whisper={CONFERENCE}-{COACH}"
    "^set:eavesdrop_br"
)  # fmt: skip


def test_the_legs_of_a_pair_are_known_by_their_name() -> None:
    """Both have the name of the address that was dialled."""
    assert is_whisper(LEG)
    assert StartWhisper(Whisper(CONFERENCE, COACH, COACHED)).render().partition("}")[2].startswith(LEG)


@pytest.mark.parametrize("name", ["sofia/internal/%2B15550001001@127.0.0.1:13981", "loopback/1000-a", ""])
def test_calls_are_no_whisper(name: str) -> None:
    """An operator may route calls through mod_loopback as well."""
    assert not is_whisper(name)


def test_a_pair_is_found_again() -> None:
    """Whoever asks for it: the same UUID for the same two, another one for any others, and for the other direction."""
    pair = Whisper(CONFERENCE, COACH, COACHED)

    assert pair.channel_uuid == Whisper(CONFERENCE, COACH, COACHED).channel_uuid
    assert len({pair.channel_uuid, Whisper(CONFERENCE, COACHED, COACH).channel_uuid}) == 2


def test_a_doubled_pair_finds_nobody() -> None:
    """FreeSWITCH makes a second channel of the same UUID under another one: whom it whispers to is looked up by it."""
    pair = Whisper(CONFERENCE, COACH, COACHED)
    command = StartWhisper(pair).render()

    assert f"whisper_to_{pair.channel_uuid}=33333333-3333-3333-3333-333333333333" in command
    assert command.endswith(" eavesdrop:${whisper_to_${uuid}} inline")
