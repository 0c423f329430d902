"""What the switch has to do because a state has changed: one command for each reason, and none without one."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.domain.conference import (
    Coach,
    Conference,
    ConferenceStatus,
    EndReason,
    Participant,
    ParticipantStatus,
    RecordingSettings,
    SwitchRef,
)
from orchestrator.domain.effects import (
    Beep,
    Effect,
    EndCall,
    EndConferenceRecordings,
    EndOthers,
    RecordCall,
    RecordConference,
    RefreshSound,
    StartConference,
    UpdateCoaching,
    UpdateHearing,
    UpdateMember,
    UpdateWhispers,
    effects_of,
    outstanding_updates,
)
from orchestrator.domain.events import (
    AnnouncementEnded,
    CallAnswered,
    CallInitiated,
    Event,
    MemberAdded,
    MemberRemoved,
    ParticipantHeld,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    SpeechStarted,
)
from orchestrator.domain.transitions import apply
from tests.unit.examples import CA, COACHED, UUID, a_conference, a_participant, at

STARTED: dict[str, Any] = {
    "status": ConferenceStatus.IN_PROGRESS, "live_count": 3, "present_count": 3, "starter_count": 3,
    "callbacks_fixed": True,
}  # fmt: skip


def arriving(**changes: Any) -> Participant:
    return a_participant(**{"status": ParticipantStatus.CONNECTING, "answered_at": at(1), **changes})


def there(**changes: Any) -> Participant:
    switch = SwitchRef("n1", UUID, 7)
    values = {"status": ParticipantStatus.CONNECTED, "joined_at": at(1), "switch": switch}
    return arriving(**{**values, **changes})


def follows(conference: Conference, participant: Participant, event: Event) -> tuple[Effect, ...]:
    return apply(conference, participant, event).effects


# ---------------------------------------------------------------- coming


def test_a_new_member_is_told_what_it_hears() -> None:
    """Alone, before the start, it joined deaf: said once more, for the conference may have started meanwhile."""
    assert follows(a_conference(), arriving(), MemberAdded(at(2), 7)) == (UpdateHearing(), RefreshSound())


def test_a_member_with_early_media_is_not_present() -> None:
    """It is played nothing, and nobody is beeped at, until it is answered."""
    early = a_participant(status=ParticipantStatus.RINGING)

    assert follows(a_conference(**STARTED), early, MemberAdded(at(2), 7)) == (UpdateHearing(),)


def test_the_same_member_again_is_no_news() -> None:
    """A snapshot tells it once more."""
    early = a_participant(status=ParticipantStatus.RINGING, switch=SwitchRef("n1", UUID, 7))

    assert follows(a_conference(), early, MemberAdded(at(2), 7)) == ()


def test_who_joins_a_conference_in_progress_is_beeped() -> None:
    """The beep has to be heard by them, too, or not: that is Twilio's `Beep`."""
    commands = follows(a_conference(**STARTED), arriving(), MemberAdded(at(2), 7))

    assert commands == (Beep("enter"), UpdateHearing())


# ---------------------------------------------------------------- the start


def test_the_start_lets_everybody_hear_before_anybody_is_beeped() -> None:
    """The order of the commands is the order in which the switch is told."""
    waiting = a_conference(live_count=2, present_count=1, starter_count=0, callbacks_fixed=True)

    commands = follows(waiting, arriving(), MemberAdded(at(2), 7))

    assert commands == (StartConference(), Beep("enter"), UpdateHearing())


def test_a_conference_starts_once() -> None:
    """It stays started when too few are left, and whoever comes then is no new start."""
    one_left = a_conference(**{**STARTED, "live_count": 2, "present_count": 1})
    after = apply(one_left, there(), MemberRemoved(at(3)))
    again = apply(after.conference, arriving(call_sid=COACHED), MemberAdded(at(4), 8))

    assert after.conference.status is again.conference.status is ConferenceStatus.IN_PROGRESS
    assert StartConference() not in (*after.effects, *again.effects)


def test_nobody_is_beeped_before_the_start() -> None:
    """Neither for who comes nor for who goes."""
    waiting = a_conference(live_count=3, present_count=2, starter_count=0, callbacks_fixed=True)
    mute_guest = {"start_conference_on_enter": False}

    comes = follows(waiting, arriving(**mute_guest), MemberAdded(at(2), 7))
    goes = follows(waiting, there(**mute_guest), MemberRemoved(at(2)))

    assert not any(isinstance(command, Beep) for command in (*comes, *goes))


@pytest.mark.parametrize(("enter", "leave"), [(True, True), (True, False), (False, True), (False, False)])
def test_each_has_a_beep_of_its_own(enter: bool, leave: bool) -> None:
    """Beep=onEnter, onExit, true, false."""
    beeps = {"beep_on_enter": enter, "beep_on_exit": leave}
    comes = follows(a_conference(**STARTED), arriving(**beeps), MemberAdded(at(2), 7))
    goes = follows(a_conference(**STARTED), there(**beeps), MemberRemoved(at(2)))

    assert (Beep("enter") in comes, Beep("exit") in goes) == (enter, leave)


def test_the_last_one_out_is_not_beeped() -> None:
    """Nobody is there to hear it."""
    last = a_conference(**{**STARTED, "live_count": 2, "present_count": 1})

    assert follows(last, there(), MemberRemoved(at(2))) == ()


# ---------------------------------------------------------------- hold, waiting, coaching


def test_hold_takes_the_conference_away_and_unhold_gives_it_back() -> None:
    """And the sound in place of it is looked at, both times."""
    held = follows(a_conference(**STARTED), there(), ParticipantHeld(at(2)))
    unheld = follows(a_conference(**STARTED), there(hold=True), ParticipantUnheld(at(2)))

    assert held == unheld == (UpdateHearing(), RefreshSound())


@pytest.mark.parametrize(("hold", "event"), [(False, ParticipantHeld(at(2))), (True, ParticipantUnheld(at(2)))])
def test_a_hold_that_is_not_what_was_asked_for_last_is_undone(hold: bool, event: Event) -> None:
    """Two requests whose commands have overtaken each other: the last request counts."""
    commands = follows(a_conference(**STARTED), there(hold=hold, hold_wanted=hold), event)

    assert commands[0] == UpdateMember(hold=hold)


def test_a_hold_that_a_client_knows_of_changes_no_sound() -> None:
    """The request has had it looked at already; the switch is told all the same what the member may hear."""
    assert follows(a_conference(**STARTED), there(hold_wanted=True), ParticipantHeld(at(2))) == (UpdateHearing(),)


def test_another_wait_url_is_heard_by_who_waits() -> None:
    """And by nobody else."""
    change = ParticipantModified(at(2), wait_url="https://app.example/w")

    assert follows(a_conference(present_count=1), there(), change) == (RefreshSound(),)
    assert follows(a_conference(**STARTED), there(), change) == ()


OTHER = "CA" + "5" * 32
FORMER = (Coach(CA, OTHER),)
COACHING: dict[str, Any] = {"coaching": True, "call_sid_to_coach": OTHER}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ParticipantModified(at(2), coaching=True, call_sid_to_coach=COACHED), (UpdateWhispers(FORMER),)),
        (ParticipantModified(at(2), coaching=True, call_sid_to_coach=OTHER), ()),
        (ParticipantModified(at(2), coaching=False), (UpdateCoaching(), UpdateWhispers(FORMER))),
        (ParticipantMuted(at(2)), (UpdateWhispers(FORMER),)),
        (ParticipantHeld(at(2)), (UpdateWhispers(FORMER), UpdateHearing(), RefreshSound())),
        (MemberRemoved(at(2)), (UpdateWhispers(FORMER), Beep("exit"))),
        (SpeechStarted(at(2)), ()),
    ],
)
def test_what_changes_a_coach_changes_the_whispers(change: Event, expected: tuple[Effect, ...]) -> None:
    """And who begins or ceases to coach is taken out of the mix, or put back."""
    assert follows(a_conference(**STARTED, coaches=FORMER), there(**COACHING), change) == expected


@pytest.mark.parametrize("event", [ParticipantHeld(at(2)), MemberRemoved(at(2))])
def test_what_changes_the_coached_changes_the_whispers(event: Event) -> None:
    """Of nobody else does it matter: a conference of hundreds may have one coach."""
    coached, else_ = there(call_sid=OTHER), there(call_sid=COACHED)
    conference = a_conference(**STARTED, coaches=FORMER)

    assert UpdateWhispers(FORMER) in follows(conference, coached, event)
    assert UpdateWhispers(FORMER) not in follows(conference, else_, event)


def test_who_begins_to_coach_is_out_of_the_mix_before_the_whisper() -> None:
    """The order of the commands is the order in which the switch is told."""
    change = ParticipantModified(at(2), **COACHING)

    assert follows(a_conference(**STARTED), there(), change) == (UpdateCoaching(), UpdateWhispers(()))


def test_a_coach_who_comes_is_taken_out_of_the_mix() -> None:
    """It joined so; unless it was asked to coach in that moment."""
    commands = follows(a_conference(**STARTED), arriving(**COACHING), MemberAdded(at(2), 7))

    assert commands == (UpdateCoaching(), UpdateWhispers(()), Beep("enter"), UpdateHearing())


def test_the_start_makes_whispers() -> None:
    """Whoever it is that starts it."""
    waiting = a_conference(live_count=3, present_count=1, starter_count=0, callbacks_fixed=True, coaches=FORMER)

    assert UpdateWhispers(FORMER) in follows(waiting, arriving(call_sid=COACHED), MemberAdded(at(2), 7))


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize(
    "event", [MemberAdded(at(2), 7), CallAnswered(at(2)), CallInitiated(at(2)), ParticipantMuted(at(2))]
)
def test_in_an_ending_conference_nothing_but_removal_follows(event: Event) -> None:
    """Nobody is beeped or played to any more."""
    ending = a_conference(**{**STARTED, "end_reason": EndReason.VIA_API})

    assert follows(ending, a_participant(), event) == (EndCall(),)


def test_who_is_to_be_removed_is_ended() -> None:
    """It shows up late: it is ended instead."""
    assert follows(a_conference(**STARTED), arriving(removal_requested=True), MemberAdded(at(2), 7)) == (EndCall(),)


def test_who_is_removed_while_they_come_may_begin_the_conference_for_those_who_wait() -> None:
    """They have been there, and so it has started: for the others, too, who would stay deaf."""
    waits = a_conference(status=ConferenceStatus.INIT, live_count=2, present_count=1, starter_count=1)
    effects = follows(waits, arriving(removal_requested=True), MemberAdded(at(2), 7))
    assert effects == (EndCall(), StartConference())


def test_an_end_is_told_once() -> None:
    """Those who leave one after the other have nothing to add."""
    conference = a_conference(**STARTED)
    first = apply(conference, there(end_conference_on_exit=True), MemberRemoved(at(2)))
    second = apply(first.conference, there(call_sid=COACHED), MemberRemoved(at(3)))

    assert (first.effects, second.effects) == ((EndOthers(),), ())


@pytest.mark.parametrize(
    ("changes", "whose", "expected"),
    [
        (STARTED, {"hold": True}, (RefreshSound(), EndConferenceRecordings())),
        (STARTED, {"hold_wanted": True}, (RefreshSound(), EndConferenceRecordings())),
        ({}, {"wait_url": ""}, (RefreshSound(),)),
        (STARTED, {}, (EndConferenceRecordings(),)),
    ],
)
def test_a_sound_does_not_outlive_a_conference_that_ends(
    changes: dict[str, Any], whose: dict[str, Any], expected: tuple[Effect, ...]
) -> None:
    """Of who is on hold or waits somebody has to look at the lane: its key would stay for a day."""
    conference = a_conference(**changes | {"end_reason": EndReason.VIA_API, "live_count": 1, "present_count": 1})

    assert follows(conference, there(**whose), MemberRemoved(at(2))) == expected


def test_a_call_is_recorded_from_its_answer_on() -> None:
    """Once, also where the answer is told twice, and only if that was asked for."""
    recorded = a_participant(recording=RecordingSettings())
    first = apply(a_conference(), recorded, CallAnswered(at(1)))

    assert RecordCall() in first.effects
    assert RecordCall() not in follows(first.conference, first.participant, CallAnswered(at(2)))
    assert RecordCall() not in follows(a_conference(), a_participant(), CallAnswered(at(1)))


@pytest.mark.parametrize("asks", ["the first", "the second"])
def test_a_conference_is_recorded_from_its_start_on(asks: str) -> None:
    """Whoever of those who are there at the start has asked for it; nobody's music is in it."""
    settings = RecordingSettings(trims=False)
    who = {"the first": settings} if asks == "the first" else {"the second": settings}
    one = arriving(conference_recording=who.get("the first"))
    first = apply(a_conference(), one, MemberAdded(at(1), 7))
    two = arriving(call_sid=COACHED, conference_recording=who.get("the second"))
    second = apply(first.conference, two, MemberAdded(at(2), 8))

    assert RecordConference() not in first.effects
    assert RecordConference() in second.effects
    assert second.conference.recording == settings


@pytest.mark.parametrize("event", [AnnouncementEnded(at(2), "https://app.example/a", "one"), SpeechStarted(at(2))])
def test_what_is_only_told_has_no_consequences(event: Event) -> None:
    """Speech, and the end of an announcement."""
    assert follows(a_conference(**STARTED), there(), event) == ()


def test_no_change_no_consequence() -> None:
    """Whatever the state."""
    for conference in (a_conference(), a_conference(**STARTED), a_conference(end_reason=EndReason.VIA_API)):
        for participant in (a_participant(), arriving(), there(), there(hold=True, muted_wanted=True)):
            assert effects_of(conference, participant, conference, participant) == ()


# ---------------------------------------------------------------- what was asked for and is not done yet


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ()),
        ({"muted_wanted": True}, (UpdateMember(muted=True),)),
        ({"muted": True, "muted_wanted": False}, (UpdateMember(muted=False),)),
        ({"muted": True, "muted_wanted": True}, ()),
        ({"hold_wanted": True}, (UpdateMember(hold=True),)),
        ({"hold": True, "hold_wanted": False}, (UpdateMember(hold=False),)),
        ({"hold": True, "hold_wanted": True}, ()),
        ({"muted_wanted": True, "hold_wanted": True}, (UpdateMember(muted=True, hold=True),)),
        ({"end_conference_on_exit": True}, ()),
        ({"exit_hook_changed": True}, (UpdateMember(end_conference_on_exit=False),)),
        (
            {"exit_hook_changed": True, "end_conference_on_exit": True},
            (UpdateMember(end_conference_on_exit=True),),
        ),
    ],
)
def test_what_is_outstanding(asked: dict[str, Any], expected: tuple[UpdateMember, ...]) -> None:
    """What a client has asked for last, where it differs from what the switch has said."""
    assert outstanding_updates(there(**asked)) == expected


def test_before_it_is_a_member_neither_mute_nor_hold_is_outstanding() -> None:
    """There is nobody to be told of. The exit hook is its channel's."""
    wishes = {"muted_wanted": True, "hold_wanted": True, "end_conference_on_exit": True, "exit_hook_changed": True}
    ringing = there(switch=SwitchRef("n1", UUID), **wishes)

    assert outstanding_updates(ringing) == (UpdateMember(end_conference_on_exit=True),)


def test_a_coachs_mute_is_never_outstanding() -> None:
    """It is a fact by being asked for: the switch is muted anyway, and could not say it."""
    assert outstanding_updates(there(muted_wanted=True, **COACHING)) == ()


def test_what_was_wanted_while_it_rang_is_done_at_the_join() -> None:
    """Held, then told what it hears: nothing."""
    commands = follows(
        a_conference(**STARTED), arriving(hold_wanted=True, muted_wanted=True), MemberAdded(at(2), 7, False)
    )

    assert commands[0] == UpdateMember(muted=True, hold=True)
    assert UpdateHearing() in commands


def test_what_was_asked_for_before_the_join_is_done_at_the_join() -> None:
    """Only where it was changed since the leg was dialled."""
    asked = arriving(end_conference_on_exit=True, exit_hook_changed=True)

    commands = follows(a_conference(), asked, MemberAdded(at(2), 7))

    assert UpdateMember(end_conference_on_exit=True) in commands
