"""Who hears whom: the matrix that mod_conference's mixing loop makes of flags."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.caller_profile import CallerProfile
from orchestrator.sandbox.channel import Channel
from orchestrator.sandbox.file_queue import Playing
from orchestrator.sandbox.member import Member, hears, may_hear
from orchestrator.sandbox.sounds import Sound


class NoHost:
    """A channel needs one; nothing is asked of it here."""

    def fire(self, name: str, headers: dict[str, str]) -> None:
        raise AssertionError(name)

    def api(self, command: str, argument: str) -> str:
        raise AssertionError(command)


@pytest.fixture
def pair() -> tuple[Member, Member]:
    """A listener and a speaker who talks."""
    return _member(1), _member(2)


def _member(member_id: int) -> Member:
    return Member(member_id, Channel(NoHost(), f"u{member_id}", "c", CallerProfile("", "", ""), {}), talking=True)


def test_everybody_hears_everybody_but_himself(pair: tuple[Member, Member]) -> None:
    """And nobody hears who is silent."""
    listener, speaker = pair

    assert hears(listener, speaker)
    assert not hears(speaker, speaker)
    speaker.talking = False
    assert may_hear(listener, speaker)
    assert not hears(listener, speaker)


@pytest.mark.parametrize(
    ("whose", "flag", "value", "heard"),
    [
        ("speaker", "can_speak", False, False),
        ("speaker", "hold", True, False),
        ("speaker", "can_hear", False, True),
        ("listener", "can_speak", False, True),
        ("listener", "hold", True, True),
        ("listener", "can_hear", False, False),
    ],
)
def test_flags(pair: tuple[Member, Member], whose: str, flag: str, value: bool, heard: bool) -> None:
    """Mute and hold silence the speaker, deaf the listener; a listener on hold hears on."""
    listener, speaker = pair
    setattr(listener if whose == "listener" else speaker, flag, value)

    assert hears(listener, speaker) is heard


@pytest.mark.parametrize(("alone", "heard"), [(True, False), (False, True)])
def test_a_file_that_plays_to_the_listener_alone(pair: tuple[Member, Member], alone: bool, heard: bool) -> None:
    """`nomux`, and the file of `hold`, take the conference's place; another file is mixed in."""
    listener, speaker = pair
    listener.files.playing.append(Playing(Sound("f", "f", None), alone=alone))

    assert hears(listener, speaker) is heard
