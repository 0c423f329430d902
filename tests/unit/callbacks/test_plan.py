"""Which callbacks an event leads to, and their numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.callbacks.plan import PLAN, plan_callbacks
from orchestrator.domain.conference import CallbackSettings, LeaveReason
from orchestrator.domain.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnswererDetected,
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    ConferenceEnded,
    ConferenceStarted,
    Event,
    ParticipantHeld,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
    SpeechStarted,
    SpeechStopped,
)
from tests.unit.examples import CA, EVENTS, PROGRESS, a_conference, a_participant, at

JOINED = ParticipantJoined(at(1))
ALL: list[Event] = [
    CallInitiated(at(0)), CallRang(at(1)), CallAnswered(at(2)), JOINED, ConferenceStarted(at(3)),
    ParticipantMuted(at(4)), ParticipantUnmuted(at(5)), ParticipantLeft(at(6), LeaveReason.HUNG_UP),
    ConferenceEnded(at(6)), CallEnded(at(7), "X"),
]  # fmt: skip

KINDS = {
    ConferenceStarted: ("start", "conference-start"),
    ConferenceEnded: ("end", "conference-end"),
    ParticipantJoined: ("join", "participant-join"),
    ParticipantLeft: ("leave", "participant-leave"),
    ParticipantMuted: ("mute", "participant-mute"),
    ParticipantHeld: ("hold", "participant-hold"),
    ParticipantUnheld: ("hold", "participant-unhold"),
    ParticipantModified: ("modify", "participant-modify"),
    SpeechStarted: ("speaker", "participant-speech-start"),
    SpeechStopped: ("speaker", "participant-speech-stop"),
    AnnouncementEnded: ("announcement", "announcement-end"),
    AnnouncementFailed: ("announcement", "announcement-fail"),
    ParticipantUnmuted: ("mute", "participant-unmute"),
    CallInitiated: ("initiated", "initiated"),
    CallRang: ("ringing", "ringing"),
    CallAnswered: ("answered", "answered"),
    CallEnded: ("completed", "completed"),
    AnswererDetected: ("detection", "detection"),
}


def test_words_and_kinds_are_twilios() -> None:
    """Wire-contract sections 8.1 and 8.2: what is subscribed to, and what is sent."""
    assert {event: (row.word, row.kind) for event, row in PLAN.items()} == KINDS
    assert {row.source for event, row in PLAN.items() if event.__name__.startswith("Call")} == {"call"}
    others = {event: row.source for event, row in PLAN.items() if not event.__name__.startswith("Call")}
    assert others.pop(AnswererDetected) == "detection"
    assert set(others.values()) == {"conference"}


def test_who_picked_up_is_told_in_a_lane_of_its_own() -> None:
    """To its own receiver, which keeps no other waiting; the numbers of call progress go on without it."""
    found = AnswererDetected(at(3), "human", 1500)
    settings = CallbackSettings("https://app.example/amd", "POST", ("detection",))
    participant = a_participant(detection_callbacks=settings, progress_callbacks=PROGRESS, call_sequence_number=3)

    _, after, (told,) = plan_callbacks(a_conference(), participant, [found])

    assert (told.lane, told.kind, told.settings) == (f"{CA}-detection", "detection", settings)
    assert after == participant
    assert plan_callbacks(a_conference(), a_participant(progress_callbacks=PROGRESS), [found])[2] == []


def test_everything_is_told_in_order_to_one_who_wants_everything() -> None:
    """Conference events in the conference's lane, a call's progress in the call's; each with numbers of its own."""
    conference = a_conference(callbacks=EVENTS, callbacks_fixed=True)
    participant = a_participant(progress_callbacks=PROGRESS)

    _, _, callbacks = plan_callbacks(conference, participant, tuple(ALL))

    assert [(c.lane, c.kind, c.sequence_number) for c in callbacks] == [
        (CA, "initiated", 0),
        (CA, "ringing", 1),
        (CA, "answered", 2),
        ("conference", "participant-join", 1),
        ("conference", "conference-start", 2),
        ("conference", "participant-mute", 3),
        ("conference", "participant-unmute", 4),
        ("conference", "participant-leave", 5),
        ("conference", "conference-end", 6),
        (CA, "completed", 3),
    ]


def test_nobody_is_told_without_settings() -> None:
    """Nor is a number used up."""
    conference, participant = a_conference(callbacks_fixed=True), a_participant()

    assert plan_callbacks(conference, participant, tuple(ALL)) == (conference, participant, [])


WORDS = st.lists(st.sampled_from(sorted({word for word, _ in KINDS.values()})), unique=True)


@given(WORDS, WORDS, st.lists(st.sampled_from(ALL)), st.integers(0, 9), st.integers(1, 9))
def test_a_client_sees_only_what_it_subscribed_to_and_numbers_without_gaps(
    conference_words: list[str], call_words: list[str], events: list[Event], call_number: int, conference_number: int
) -> None:
    """A callback that is not sent takes no number; the numbers go on where the states left off."""
    conference = a_conference(
        callbacks=CallbackSettings("https://a/", "POST", tuple(conference_words)),
        callbacks_fixed=True,
        sequence_number=conference_number,
    )
    participant = a_participant(
        progress_callbacks=CallbackSettings("https://b/", "POST", tuple(call_words)), call_sequence_number=call_number
    )

    after, call_after, callbacks = plan_callbacks(conference, participant, tuple(events))
    of_conference = [c for c in callbacks if c.lane == "conference"]
    of_call = [c for c in callbacks if c.lane == CA]
    wanted = {"conference": set(conference_words), "call": set(call_words)}

    assert [c.event for c in callbacks] == [
        event for event in events if PLAN[type(event)].word in wanted[PLAN[type(event)].source]
    ]
    assert [c.sequence_number for c in of_conference] == [*range(conference_number, after.sequence_number)]
    assert [c.sequence_number for c in of_call] == [*range(call_number, call_after.call_sequence_number)]
    assert replace(after, sequence_number=conference_number) == conference
    assert replace(call_after, call_sequence_number=call_number) == participant


@pytest.mark.parametrize(("fixed", "told_to"), [(True, "https://first.example/"), (False, "https://own.example/")])
def test_conference_events_go_where_the_first_to_join_said(fixed: bool, told_to: str) -> None:
    """Before anybody has joined, where this participant said."""
    first = CallbackSettings("https://first.example/", "GET", ("leave",))
    own = CallbackSettings("https://own.example/", "POST", ("leave",))
    conference = a_conference(callbacks=first if fixed else None, callbacks_fixed=fixed)

    _, _, callbacks = plan_callbacks(
        conference, a_participant(conference_callbacks=own), (ParticipantLeft(at(1), LeaveReason.ADD_FAILED),)
    )

    assert [c.settings.url for c in callbacks] == [told_to]


def test_settings_that_the_first_to_join_did_not_give_are_not_taken_from_a_later_one() -> None:
    """Fixed is fixed, even if it is nothing."""
    conference = a_conference(callbacks=None, callbacks_fixed=True)

    assert plan_callbacks(conference, a_participant(conference_callbacks=EVENTS), (JOINED,))[2] == []
