"""An effect -> what the switch is told: each kind, and what an audit repeats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.domain.conference import (
    Coach,
    Conference,
    ConferenceStatus,
    EndReason,
    Participant,
    ParticipantStatus,
    SwitchRef,
)
from orchestrator.domain.effects import (
    Beep,
    Effect,
    EndCall,
    EndOthers,
    RefreshSound,
    StartConference,
    UpdateCoaching,
    UpdateHearing,
    UpdateMember,
    UpdateWhispers,
)
from orchestrator.freeswitch.coach_mark import UnmuteUnlessCoach
from orchestrator.freeswitch.commands import (
    DeafenMember,
    HangUpMembers,
    HoldMember,
    KillChannel,
    MuteMember,
    PlayToAll,
    SetExitHook,
    SetJoinFlags,
    StopMember,
    SwitchCommand,
)
from orchestrator.freeswitch.files import BEEPS
from orchestrator.freeswitch.snapshot import Member
from orchestrator.listener.effects import Rendered, render
from orchestrator.listener.reconciler import lost_effects
from tests.unit.examples import CF, a_conference, a_participant


def sid(number: int) -> str:
    return "CA" + f"{number:x}" * 32


def uuid(number: int) -> str:
    return f"{number:x}" * 8


def person(number: int, **changes: Any) -> Participant:
    """Present, as member `number`."""
    plain = a_participant(
        call_sid=sid(number),
        switch=SwitchRef("n1", uuid(number), number),
        status=ParticipantStatus.CONNECTED,
    )
    return replace(plain, **changes)


def room(**changes: Any) -> Conference:
    return a_conference(**{"status": ConferenceStatus.IN_PROGRESS, **changes})


ONE, TWO, THREE = person(1), person(2), person(3)
COACH = person(9, coaching=True, call_sid_to_coach=sid(1))
RINGING = a_participant(call_sid=sid(7), switch=SwitchRef("n1", uuid(7)), status=ParticipantStatus.RINGING)


def told(
    command: Effect, conference: Conference, participant: Participant, live: Iterable[Participant] = ()
) -> tuple[SwitchCommand, ...]:
    everybody = [participant, *live]
    return render(command, conference, participant, Store(everybody)).commands


class Store:
    """Those whose calls have not ended."""

    def __init__(self, live: Iterable[Participant]) -> None:
        self.live = list(live)

    def list_live(self, conference_sid: str) -> list[Participant]:
        assert conference_sid == CF
        return self.live


class Unread(Store):
    """A join has to cost the same in a large conference: nobody else is to be read."""

    def list_live(self, conference_sid: str) -> list[Participant]:
        raise AssertionError("somebody else was read")


UNREAD = Unread(())


def repeated(conference: Conference, live: list[Participant], members: dict[str, Member]) -> Rendered:
    return lost_effects(conference, live, members, Store(live))


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (UpdateMember(), ()),
        (UpdateMember(muted=True), (MuteMember(CF, 1, True),)),
        (UpdateMember(muted=False), (UnmuteUnlessCoach(uuid(1), CF, 1),)),
        (UpdateMember(hold=True), (HoldMember(CF, 1, True),)),
        (UpdateMember(hold=False), (HoldMember(CF, 1, False),)),
        (UpdateMember(muted=True, hold=False), (MuteMember(CF, 1, True), HoldMember(CF, 1, False))),
        (UpdateMember(end_conference_on_exit=True), (SetExitHook(uuid(1), CF, True, answered=True),)),
        (UpdateMember(end_conference_on_exit=False), (SetExitHook(uuid(1), CF, False, answered=True),)),
    ],
)
def test_what_was_asked_for_is_told(update: UpdateMember, expected: tuple[SwitchCommand, ...]) -> None:
    """Each property by its own command."""
    assert told(update, room(), ONE) == expected


def test_a_coach_is_never_let_into_the_mix_by_a_mute() -> None:
    """Nor muted: that is the whisper's matter."""
    for muted in (True, False):
        assert told(UpdateMember(muted=muted), room(), COACH) == ()


def test_who_is_no_member_can_be_neither_muted_nor_held() -> None:
    """There is no number to name it by; its exit hook is its channel's."""
    update = UpdateMember(muted=True, hold=True, end_conference_on_exit=True)

    assert told(update, room(), RINGING) == (SetExitHook(uuid(7), CF, True, answered=True),)


def test_an_end_ends_members_first_and_then_every_other_leg() -> None:
    """Legs that still ring are no members; the one who has left needs nothing."""
    assert told(EndOthers(), room(), ONE, [TWO, RINGING]) == (
        HangUpMembers(CF),
        KillChannel(uuid(2)),
        KillChannel(uuid(7)),
    )
    assert told(EndCall(), room(), ONE) == (KillChannel(uuid(1)),)


# ---------------------------------------------------------------- coaching


def test_coaching_is_left_to_who_settles_it() -> None:
    """Which looks at the state of that moment, and not of this one."""
    former = (Coach(sid(9), sid(1)),)

    assert render(UpdateCoaching(), room(), COACH, UNREAD) == Rendered(mixing=(sid(9),))
    assert render(UpdateWhispers(former), room(), COACH, UNREAD) == Rendered(former=former)
    assert Rendered(mixing=(sid(9),)).is_about_coaching
    assert Rendered(former=()).is_about_coaching
    assert not Rendered((KillChannel(uuid(1)),), (sid(1),)).is_about_coaching


def test_what_is_rendered_adds_up() -> None:
    """Those of several effects are carried out as one."""
    one = Rendered((KillChannel(uuid(1)),), (sid(1),), (sid(1),), None)
    other = Rendered((KillChannel(uuid(2)),), (sid(2),), (), (Coach(sid(9), sid(1)),))

    assert one + other == Rendered(
        (KillChannel(uuid(1)), KillChannel(uuid(2))), (sid(1), sid(2)), (sid(1),), (Coach(sid(9), sid(1)),)
    )
    assert (one + one).former is None


# ---------------------------------------------------------------- hearing, start, beeps


@pytest.mark.parametrize(
    ("conference", "changes", "expected"),
    [
        (room(), {}, (DeafenMember(CF, 1, False),)),
        (room(), {"hold": True}, (DeafenMember(CF, 1, True),)),
        (room(), {"hold_wanted": True}, (DeafenMember(CF, 1, True),)),
        (room(), {"hold": True, "hold_wanted": False}, (DeafenMember(CF, 1, False),)),
        (room(status=ConferenceStatus.INIT), {}, (DeafenMember(CF, 1, True),)),
        (room(), {"switch": SwitchRef("n1", uuid(1))}, (SetJoinFlags(uuid(1), False, False),)),
    ],
)
def test_what_a_member_may_hear_is_told(
    conference: Conference, changes: dict[str, Any], expected: tuple[SwitchCommand, ...]
) -> None:
    """Whoever is no member yet is to join so."""
    assert told(UpdateHearing(), conference, person(1, **changes)) == expected


def test_at_the_start_music_ends_before_the_others_are_heard() -> None:
    """Those on hold go on being so, with their own sound; who still rings is to join as one who hears."""
    held, muted = person(2, hold=True), replace(RINGING, muted=True)
    found = render(StartConference(), room(), ONE, Store([ONE, held, muted]))

    assert found == Rendered(
        (StopMember(CF, 1), DeafenMember(CF, 1, False), SetJoinFlags(uuid(7), True, False)), (sid(1),)
    )


@pytest.mark.parametrize("moment", ["enter", "exit"])
def test_a_beep_is_played_beside_what_is_being_played(moment: Any) -> None:
    """An announcement is not kept waiting, and does not keep a beep waiting."""
    assert told(Beep(moment), room(), ONE) == (PlayToAll(CF, BEEPS[moment], beside=True),)
    assert BEEPS["enter"] != BEEPS["exit"]


def test_a_changed_sound_is_looked_at_by_a_worker() -> None:
    """The switch is told nothing by the listener."""
    assert render(RefreshSound(), room(), ONE, UNREAD) == Rendered((), (sid(1),))


# ---------------------------------------------------------------- what an audit repeats


def member(number: int, *, muted: bool = False, deaf: bool = False, hold: bool = False) -> dict[str, Member]:
    return {sid(number): Member(CF, number, muted, deaf or hold, hold)}


def test_what_is_as_it_should_be_is_left_alone() -> None:
    """Most audits tell the switch nothing. Of one on hold it cannot be seen what they hear: that is said again."""
    held = person(2, hold=True)

    assert repeated(room(), [ONE, RINGING], member(1)) == Rendered()
    assert repeated(room(), [held], member(2, hold=True)) == Rendered((DeafenMember(CF, 2, True),), (sid(2),))


@pytest.mark.parametrize(
    ("participant", "is_member", "expected"),
    [
        (person(1, muted_wanted=True), member(1), (MuteMember(CF, 1, True),)),
        (person(1, hold_wanted=True), member(1, deaf=True), (HoldMember(CF, 1, True),)),
        (person(1, hold_wanted=True), member(1), (HoldMember(CF, 1, True), DeafenMember(CF, 1, True))),
        (
            person(1, hold=True, hold_wanted=False),
            member(1, hold=True),
            (HoldMember(CF, 1, False), DeafenMember(CF, 1, False)),
        ),
        (person(1), member(1, deaf=True), (DeafenMember(CF, 1, False), StopMember(CF, 1))),
        (person(1, removal_requested=True), member(1), (KillChannel(uuid(1)),)),
        (person(1, muted_wanted=True), {}, ()),
        (person(1, muted_wanted=True), member(1) | {sid(1): Member(CF, 2, False, False, False)}, ()),
    ],
)
def test_what_the_switch_has_lost_is_told_again(
    participant: Participant, is_member: dict[str, Member], expected: tuple[SwitchCommand, ...]
) -> None:
    """By what it says of its members; one that is no member, or another one by now, is not spoken of."""
    assert repeated(room(), [participant], is_member).commands == expected


def test_who_should_hear_nothing_and_does_is_deafened() -> None:
    """A conference that waits: the order that deafens was lost."""
    waiting = room(status=ConferenceStatus.INIT)

    assert repeated(waiting, [ONE], member(1)).commands == (DeafenMember(CF, 1, True),)


@pytest.mark.parametrize(
    ("participant", "is_member", "expected"),
    [
        (ONE, member(1), ()),
        (ONE, member(1, muted=True), (sid(1),)),
        (person(1, muted=True), member(1, muted=True), ()),
        (person(1, muted_wanted=True), member(1), ()),
        (COACH, member(9, muted=True), ()),
        (COACH, member(9), (sid(9),)),
        (replace(COACH, muted_wanted=True), member(9), (sid(9),)),
        (replace(COACH, hold=True), member(9, hold=True), ()),
    ],
)
def test_who_is_in_the_mix_and_should_not_be_is_put_right(
    participant: Participant, is_member: dict[str, Member], expected: tuple[str, ...]
) -> None:
    """Or the other way round; a wish that is open is repeated instead, and of one on hold it cannot be seen."""
    assert repeated(room(), [participant], is_member).mixing == expected


def test_in_an_ending_conference_every_leg_is_ended() -> None:
    """And nothing else is done."""
    ending = room(end_reason=EndReason.VIA_API)
    found = repeated(ending, [ONE, RINGING], member(1, deaf=True)).commands

    assert found == (KillChannel(uuid(1)), KillChannel(uuid(7)))
