"""Who hears whom, and what else: the whole truth table, spelled out in words of the product and not of the code."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.domain.conference import (
    STOCK,
    CallbackSettings,
    Conference,
    ConferenceStatus,
    EndReason,
    Participant,
    ParticipantStatus,
)
from orchestrator.domain.hearing import (
    Sound,
    background_of,
    hears,
    hears_conference,
    is_heard,
    is_listened_for,
    is_mixed,
    whispers,
)
from tests.unit.examples import CA, COACHED, a_conference, a_participant

OTHER = "CA" + "3" * 32
STARTED = a_conference(status=ConferenceStatus.IN_PROGRESS, live_count=3, present_count=3, starter_count=1)
WAITING = a_conference(live_count=1, present_count=1)

SPEAKERS: dict[str, tuple[dict[str, Any], bool]] = {
    "plain": ({}, True),
    "muted": ({"muted": True}, False),
    "held": ({"hold": True}, False),
    "muted and held": ({"muted": True, "hold": True}, False),
    "to be muted": ({"muted_wanted": True}, False),
    "to be unmuted": ({"muted": True, "muted_wanted": False}, True),
    "to be held": ({"hold_wanted": True}, False),
    "to be unheld": ({"hold": True, "hold_wanted": False}, True),
    "to be unheld, and muted": ({"muted": True, "hold": True, "hold_wanted": False}, False),
    "to be unmuted, and held": ({"muted": True, "muted_wanted": False, "hold": True}, False),
}
LISTENERS: dict[str, tuple[dict[str, Any], bool]] = {
    "plain": ({}, True),
    "muted": ({"muted": True}, True),
    "held": ({"hold": True}, False),
    "to be held": ({"hold_wanted": True}, False),
    "to be unheld": ({"hold": True, "hold_wanted": False}, True),
}
COACHING: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "nobody coaches": ({}, {}, True),
    "the listener is coached by the speaker": ({"coaching": True, "call_sid_to_coach": COACHED}, {}, True),
    "the speaker coaches somebody else": ({"coaching": True, "call_sid_to_coach": OTHER}, {}, False),
    "the listener coaches somebody else": ({}, {"coaching": True, "call_sid_to_coach": OTHER}, True),
    "the listener coaches the speaker": ({}, {"coaching": True, "call_sid_to_coach": CA}, True),
    "the speaker has coached somebody else": ({"coaching": False, "call_sid_to_coach": OTHER}, {}, True),
}


def speaker(**changes: Any) -> Participant:
    return a_participant(**{"status": ParticipantStatus.CONNECTED, **changes})


def listener(**changes: Any) -> Participant:
    return speaker(call_sid=COACHED, **changes)


@pytest.mark.parametrize("conference", [WAITING, STARTED], ids=["waiting", "started"])
@pytest.mark.parametrize(("who", "whom", "coaching"), [*itertools.product(LISTENERS, SPEAKERS, COACHING)])
def test_the_whole_truth_table(conference: Conference, who: str, whom: str, coaching: str) -> None:
    """Heard is who is neither muted nor held, by those who hear the conference, and a coach by the coached alone."""
    (listening, can_hear), (speaking, can_be_heard) = LISTENERS[who], SPEAKERS[whom]
    of_speaker, of_listener, allowed = COACHING[coaching]

    found = hears(conference, listener(**listening, **of_listener), speaker(**speaking, **of_speaker))

    assert found is (conference is STARTED and can_hear and can_be_heard and allowed)


@pytest.mark.parametrize("changes", [changes for changes, _ in SPEAKERS.values()])
def test_nobody_hears_themselves(changes: dict[str, Any]) -> None:
    """Whatever else is so."""
    one = speaker(**changes)

    assert hears(STARTED, one, one) is False


def test_the_mix_and_the_whispers_are_what_the_answer_is_made_of() -> None:
    """The switch is told each for itself: deaf, mute, hold; and a pair for the coached alone."""
    coach = speaker(coaching=True, call_sid_to_coach=OTHER)
    coached = speaker(call_sid=OTHER)

    assert (hears_conference(WAITING, listener()), hears_conference(STARTED, listener())) == (False, True)
    assert (is_heard(speaker()), is_heard(speaker(muted=True)), is_heard(speaker(hold=True))) == (True, False, False)
    assert (is_mixed(speaker()), is_mixed(speaker(muted=True)), is_mixed(coach)) == (True, False, False)
    assert (whispers(STARTED, coached, coach), whispers(STARTED, listener(), coach)) == (True, False)
    assert not whispers(STARTED, coached, speaker(call_sid_to_coach=OTHER)), "nobody whispers who does not coach"


@pytest.mark.parametrize("gone", ["coach", "coached"])
def test_nobody_whispers_to_or_from_outside(gone: str) -> None:
    """A leg that rings has an ear, too."""
    ringing = {"status": ParticipantStatus.RINGING}
    coach = speaker(coaching=True, call_sid_to_coach=OTHER, **(ringing if gone == "coach" else {}))
    coached = speaker(call_sid=OTHER, **(ringing if gone == "coached" else {}))

    assert not whispers(STARTED, coached, coach)


@pytest.mark.parametrize(
    ("events", "changes", "expected"),
    [
        (("join", "speaker"), {}, True),
        (("join",), {}, False),
        (("speaker",), {"muted": True}, False),
        (("speaker",), {"hold": True}, False),
        (("speaker",), {"coaching": False}, False),
    ],
)
def test_a_coach_is_listened_for_if_somebody_wants_to_know(
    events: tuple[str, ...], changes: dict[str, Any], expected: bool
) -> None:
    """It costs a pair; whoever is muted or held is not told to talk, as everybody else."""
    conference = replace(STARTED, callbacks=CallbackSettings("https://app.example/c", "POST", events))
    coach = speaker(**{"coaching": True, "call_sid_to_coach": OTHER, **changes})

    assert is_listened_for(conference, coach) is expected
    assert not is_listened_for(replace(STARTED, callbacks=None), coach)


HOLD = {"hold_url": "https://app.example/hold", "hold_method": "GET", "hold_number": 4}
WAIT = {"wait_url": "https://app.example/wait", "wait_method": "POST"}


@pytest.mark.parametrize(
    ("conference", "changes", "expected"),
    [
        (WAITING, {}, Sound(STOCK, "POST")),
        (WAITING, WAIT, Sound("https://app.example/wait", "POST")),
        (WAITING, {"wait_url": ""}, Sound("", "POST")),
        (STARTED, WAIT, None),
        (STARTED, {"hold": True}, Sound(STOCK, "GET")),
        (STARTED, {"hold": True, **HOLD}, Sound("https://app.example/hold", "GET", 4)),
        (STARTED, {"hold_wanted": True, **HOLD}, Sound("https://app.example/hold", "GET", 4)),
        (STARTED, {"hold": True, "hold_wanted": False, **HOLD}, None),
        (WAITING, {"hold": True, **HOLD, **WAIT}, Sound("https://app.example/hold", "GET", 4)),
        (WAITING, {"hold": True, "hold_wanted": False, **HOLD, **WAIT}, Sound("https://app.example/wait", "POST")),
        (STARTED, {"muted": True}, None),
    ],
)
def test_what_is_heard_in_place_of_the_conference(
    conference: Conference, changes: dict[str, Any], expected: Sound | None
) -> None:
    """Hold's sound before that of waiting; none for whoever hears the conference."""
    assert background_of(conference, speaker(**changes)) == expected


@pytest.mark.parametrize("status", [status for status in ParticipantStatus if status != "connected"])
def test_who_is_not_there_is_played_nothing(status: ParticipantStatus) -> None:
    """Nor is anybody whose conference is ending."""
    ending = a_conference(live_count=1, present_count=1, end_reason=EndReason.VIA_API)

    assert background_of(WAITING, speaker(status=status, hold=True)) is None
    assert background_of(ending, speaker(hold=True)) is None
