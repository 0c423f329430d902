"""What an event means for its participant, by examples; any order of them: test_transitions.py, test_room.py."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from orchestrator.domain.conference import (
    Coach,
    Conference,
    ConferenceStatus,
    Participant,
    ParticipantStatus,
    SwitchRef,
)
from orchestrator.domain.effects import UpdateCoaching
from orchestrator.domain.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnswererDetected,
    CallEnded,
    Event,
    MemberAdded,
    MemberRemoved,
    ParticipantHeld,
    ParticipantJoined,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
    SpeechStarted,
    SpeechStopped,
)
from orchestrator.domain.transitions import Outcome, apply, apply_to_conference
from tests.unit.examples import CA, COACHED, UUID, a_conference, a_participant, at

CONNECTED, COMPLETE, FAILED = ParticipantStatus.CONNECTED, ParticipantStatus.COMPLETE, ParticipantStatus.FAILED


def connected(**changes: Any) -> Participant:
    switch = SwitchRef("n1", UUID, 7)
    values = {"status": CONNECTED, "answered_at": at(1), "joined_at": at(1), "switch": switch}
    return a_participant(**{**values, **changes})


def room(**changes: Any) -> Conference:
    values = {"present_count": 1, "starter_count": 1, "callbacks_fixed": True}
    return a_conference(**{**values, **changes})


def told(participant: Participant, event: Event) -> tuple[Participant, list[type[Event]]]:
    outcome = apply(room(), participant, event)
    again = apply(outcome.conference, outcome.participant, event)

    assert again == Outcome(outcome.conference, outcome.participant), "news twice"
    return outcome.participant, [type(each) for each in outcome.events]


def test_a_new_member_is_neither_held_nor_talking() -> None:
    """Whatever it was as another member."""
    early = connected(status=ParticipantStatus.RINGING, answered_at=None, joined_at=None, hold=True, talking=True)
    after = apply(a_conference(), early, MemberAdded(at(2), 8)).participant

    assert (after.switch.member_id, after.hold, after.talking) == (8, False, False)


@pytest.mark.parametrize("as_member", [None, False, True])
@pytest.mark.parametrize("created", [False, True])
def test_a_new_member_is_muted_as_it_joined(created: bool, as_member: bool | None) -> None:
    """A mute that was asked for while it rang may have come in time, or not; where nobody says it, nothing changes."""
    ringing = a_participant(status=ParticipantStatus.RINGING, muted=created, muted_wanted=as_member)
    after = apply(a_conference(), ringing, MemberAdded(at(2), 7, as_member)).participant

    assert after.muted is (created if as_member is None else as_member)


@pytest.mark.parametrize("wanted", [None, False, True])
def test_a_new_member_who_coaches_is_muted_as_was_asked(wanted: bool | None) -> None:
    """The switch mutes every coach: it cannot say it."""
    coach = a_participant(muted=True, muted_wanted=wanted, coaching=True, call_sid_to_coach=COACHED)
    for as_member in (None, False, True):
        after = apply(a_conference(), coach, MemberAdded(at(2), 7, as_member)).participant

        assert after.muted is (wanted is not False)


def test_who_is_muted_already_is_no_news() -> None:
    """A switch says it again for every command."""
    after, kinds = told(connected(muted=True), ParticipantMuted(at(2)))

    assert (after.muted, kinds) == (True, [])


@pytest.mark.parametrize(
    ("before", "event", "kinds"),
    [
        ({}, ParticipantHeld(at(2)), [ParticipantHeld]),
        ({"hold": True}, ParticipantHeld(at(2)), []),
        ({"hold": True}, ParticipantUnheld(at(2)), [ParticipantUnheld]),
        ({}, ParticipantUnheld(at(2)), []),
        ({}, SpeechStarted(at(2)), [SpeechStarted]),
        ({"talking": True}, SpeechStarted(at(2)), []),
        ({"talking": True}, SpeechStopped(at(2)), [SpeechStopped]),
        ({}, SpeechStopped(at(2)), []),
        ({"talking": True}, ParticipantMuted(at(2)), [ParticipantMuted, SpeechStopped]),
        ({"talking": True}, ParticipantHeld(at(2)), [ParticipantHeld, SpeechStopped]),
        ({"talking": True, "hold": True}, ParticipantUnheld(at(2)), [ParticipantUnheld]),
        ({"talking": True, "muted": True}, ParticipantUnmuted(at(2)), [ParticipantUnmuted]),
    ],
)
def test_a_change_is_told_once(before: dict[str, bool], event: Event, kinds: list[type[Event]]) -> None:
    """FreeSWITCH repeats its events; and of one who is muted or held while talking it never says that they stopped."""
    assert told(connected(**before), event)[1] == kinds


@pytest.mark.parametrize("event", [ParticipantHeld(at(2)), ParticipantMuted(at(2))])
def test_nobody_is_told_of_a_member_that_has_not_joined(event: Event) -> None:
    """Early media: it is no participant of the conversation yet."""
    after, kinds = told(connected(status=ParticipantStatus.RINGING, answered_at=None), event)

    assert kinds == []
    assert after.hold or after.muted


CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "end_conference_on_exit": (True, {"end_conference_on_exit": True}),
    "beep_on_exit": (False, {"beep_on_exit": False}),
    "wait_url": ("", {"wait_url": ""}),
    "wait_method": ("GET", {"wait_method": "GET"}),
    "wait_dialect": ("signalwire", {"wait_dialect": "signalwire"}),
    "coaching": (True, {"coaching": True, "call_sid_to_coach": COACHED}),
    "call_sid_to_coach": (COACHED, {"coaching": True, "call_sid_to_coach": COACHED}),
}


@pytest.mark.parametrize("name", [field.name for field in fields(ParticipantModified) if field.name != "at"])
def test_a_modification_changes_what_it_names(name: str) -> None:
    """And a second one to the same is no news."""
    value, together = CHANGES[name]
    after, kinds = told(connected(), ParticipantModified(at(2), **together))

    assert getattr(after, name) == value
    assert kinds == [ParticipantModified]


def test_a_modification_before_the_join_is_not_told() -> None:
    """It counts all the same."""
    after, kinds = told(a_participant(), ParticipantModified(at(2), end_conference_on_exit=True))

    assert (after.end_conference_on_exit, kinds) == (True, [])


def test_the_end_of_coaching_forgets_whom() -> None:
    """A GET must not show somebody who is no longer coached."""
    coach = connected(coaching=True, call_sid_to_coach=COACHED)
    after, _ = told(coach, ParticipantModified(at(2), coaching=False))

    assert (after.coaching, after.call_sid_to_coach) == (False, None)


ANNOUNCED = (
    AnnouncementEnded(at(2), "https://app.example/a", "one"),
    AnnouncementFailed(at(2), "https://app.example/a", "11200: no", "other"),
)


@pytest.mark.parametrize("event", ANNOUNCED)
@pytest.mark.parametrize("status", ParticipantStatus)
def test_an_announcement_is_told_once_whoever_has_left(
    status: ParticipantStatus, event: AnnouncementEnded | AnnouncementFailed
) -> None:
    """Whoever asked for it is owed an answer, and one only, should a worker die between telling and noting it."""
    participant, conference = a_participant(status=status), room()
    if not participant.is_live:
        participant = a_participant(status=status, left_at=at(1), ended_at=at(1))
    outcome = apply(conference, participant, event)
    again = apply(outcome.conference, outcome.participant, event)

    assert (outcome.events, outcome.effects) == ((event,), ())
    assert again == Outcome(outcome.conference, outcome.participant), "told twice"
    assert outcome.participant.announced_id == event.announcement_id
    assert outcome.participant.status is status


@pytest.mark.parametrize("event", ANNOUNCED)
@pytest.mark.parametrize("status", [ConferenceStatus.INIT, ConferenceStatus.IN_PROGRESS])
def test_an_announcement_to_all_is_an_event_of_the_conference(
    status: ConferenceStatus, event: AnnouncementEnded | AnnouncementFailed
) -> None:
    """No participant carries it; it is told once."""
    after, events = apply_to_conference(room(status=status), event)

    assert (after.announced_id, events) == (event.announcement_id, (event,))
    assert apply_to_conference(after, event) == (after, ()), "told twice"


@pytest.mark.parametrize("event", ANNOUNCED)
def test_nothing_is_announced_after_the_conference_s_end(event: Event) -> None:
    """`conference-end` is the last word, also for a worker that looked a moment before it."""
    over = a_conference(live_count=0, status=ConferenceStatus.COMPLETED)
    gone = a_participant(status=ParticipantStatus.COMPLETE, left_at=at(1), ended_at=at(1))

    assert apply(over, gone, event) == Outcome(over, gone)
    assert apply_to_conference(over, event) == (over, ())


# ---------------------------------------------------------------- the conference knows its coaches


def joins(**changes: Any) -> Outcome:
    arriving = a_participant(status=ParticipantStatus.CONNECTING, answered_at=at(1), **changes)
    return apply(a_conference(live_count=2, present_count=1), arriving, MemberAdded(at(2), 7))


def test_a_coach_who_joins_is_known_to_the_conference() -> None:
    """And whom they coach."""
    outcome = joins(coaching=True, call_sid_to_coach=COACHED)

    assert outcome.conference.coaches == (Coach(CA, COACHED),)
    assert [type(event) for event in outcome.events].count(ParticipantJoined) == 1


def test_nobody_else_is_a_coach() -> None:
    """A participant who only listens costs nothing."""
    outcome = joins()

    assert outcome.conference.coaches == ()


@pytest.mark.parametrize(
    "event", [MemberRemoved(at(3)), CallEnded(at(3), "X"), ParticipantModified(at(3), coaching=False)]
)
def test_who_stops_coaching_is_no_coach_any_more(event: Event) -> None:
    """Leaving, its call's end, barging in. What the switch was told stays to be taken back."""
    before = joins(coaching=True, call_sid_to_coach=COACHED)
    after = apply(before.conference, before.participant, event)

    assert after.conference.coaches == ()


def test_a_coach_moves_to_another() -> None:
    """One coach is one row."""
    other = "CA" + "4" * 32
    before = joins(coaching=True, call_sid_to_coach=COACHED)
    after = apply(
        before.conference, before.participant, ParticipantModified(at(3), coaching=True, call_sid_to_coach=other)
    )

    assert after.conference.coaches == (Coach(CA, other),)


def test_who_is_told_to_coach_before_it_is_a_member_is_a_coach_when_it_is_one() -> None:
    """Relations are between members."""
    asked = apply(a_conference(), a_participant(), ParticipantModified(at(1), coaching=True, call_sid_to_coach=COACHED))
    added = apply(asked.conference, asked.participant, MemberAdded(at(2), 7))

    assert (asked.conference.coaches, asked.effects) == ((), (UpdateCoaching(),))
    assert added.conference.coaches == (Coach(CA, COACHED),)


def test_the_coached_persons_leave_changes_no_coach() -> None:
    """The coach is then heard by nobody, and again by the coached person when they come back."""
    coach = Coach(COACHED, CA)
    conference = room(live_count=2, present_count=2, starter_count=2, coaches=(coach,))
    after = apply(conference, connected(), MemberRemoved(at(3)))

    assert after.conference.coaches == (coach,)


def test_who_picked_up_is_a_fact_once() -> None:
    """The first answer counts: of a detector, or of a listener that has waited long enough."""
    waiting = connected(detection_seconds=30)

    after, told_events = told(waiting, AnswererDetected(at(3), "human", 1900))

    assert (after.answered_by, told_events) == ("human", [AnswererDetected])
    assert apply(room(), after, AnswererDetected(at(40), "unknown", 30_000)).events == ()
    assert apply(room(), connected(), AnswererDetected(at(3), "human", 1900)).events == (), "nobody wants to know"


def test_whoever_hangs_up_before_it_is_clear_is_unknown() -> None:
    """Every call that was answered has one answer, told before its end; one that was not has none."""
    ended = apply(room(), connected(detection_seconds=30), CallEnded(at(3), "NORMAL_CLEARING"))
    unanswered = apply(room(), a_participant(detection_seconds=30), CallEnded(at(3), "USER_BUSY", 486))

    assert ended.participant.answered_by == "unknown"
    assert [type(event) for event in ended.events][:2] == [AnswererDetected, CallEnded]
    assert ended.events[0] == AnswererDetected(at(3), "unknown", 2000)
    assert AnswererDetected not in [type(event) for event in unanswered.events]
