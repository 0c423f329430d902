"""A domain command -> what the switch is told: every row, and what an audit repeats."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from orchestrator import orders
from orchestrator.domain import commands, consequences
from orchestrator.domain.commands import (
    AdmitParticipant,
    Beep,
    Command,
    EndConference,
    RefreshSound,
    RelateCoaches,
    RemoveParticipant,
    StartConference,
    UpdateHearing,
    UpdateParticipant,
)
from orchestrator.domain.conference import (
    Coach,
    Conference,
    ConferenceStatus,
    EndReason,
    Participant,
    ParticipantStatus,
    SwitchRef,
)
from orchestrator.freeswitch.commands import (
    DeafenMember,
    HangUpMembers,
    HoldMember,
    KillChannel,
    MuteMember,
    PlayToAll,
    Relate,
    SetExitHook,
    StopMember,
)
from orchestrator.freeswitch.files import BEEPS
from orchestrator.freeswitch.relations import Order, Pair, SetRelations, Together
from orchestrator.freeswitch.snapshot import Member
from orchestrator.orders import Orders, expand, relations_of, repeat
from tests.unit.examples import CF, a_conference, a_participant


def sid(number: int) -> str:
    return "CA" + f"{number:x}" * 32


def uuid(number: int) -> str:
    return f"{number:x}" * 8


def person(number: int, **changes: Any) -> Participant:
    """Present and admitted, as member `number`."""
    plain = a_participant(
        call_sid=sid(number),
        switch=SwitchRef("n1", uuid(number), number),
        status=ParticipantStatus.CONNECTED,
        admitted=True,
    )
    return replace(plain, **changes)


def room(*coaches: Participant, **changes: Any) -> Conference:
    rows = tuple(Coach(one.call_sid, one.switch.member_id or 0, one.call_sid_to_coach or "") for one in coaches)
    values = {"status": ConferenceStatus.IN_PROGRESS, "coaches": rows, "has_relations": bool(rows)}
    return a_conference(**{**values, **changes})


ONE, TWO, THREE = person(1), person(2), person(3)
COACH = person(9, coaching=True, call_sid_to_coach=sid(1))
RINGING = a_participant(call_sid=sid(7), switch=SwitchRef("n1", uuid(7)), status=ParticipantStatus.RINGING)


def told(
    command: Command, conference: Conference, participant: Participant, live: Iterable[Participant] = ()
) -> tuple[Order, ...]:
    everybody = [participant, *live]
    return expand(command, conference, participant, Store(everybody)).commands


class Store:
    """Those whose calls have not ended."""

    def __init__(self, live: Iterable[Participant]) -> None:
        self.live = list(live)

    def list_live(self, conference_sid: str) -> list[Participant]:
        assert conference_sid == CF
        return self.live

    def list_members(self, conference_sid: str) -> list[tuple[str, int]]:
        assert conference_sid == CF
        return members_of(self.live)


class Unread(Store):
    """A join has to cost the same in a large conference: nobody else is to be read."""

    def list_live(self, conference_sid: str) -> list[Participant]:
        raise AssertionError("somebody else was read")

    def list_members(self, conference_sid: str) -> list[tuple[str, int]]:
        raise AssertionError("somebody else was read")


UNREAD = Unread(())


def members_of(live: Iterable[Participant]) -> list[tuple[str, int]]:
    ids = ((one.call_sid, one.switch.member_id) for one in live)
    return [(call_sid, member_id) for call_sid, member_id in ids if member_id is not None]


def repeated(conference: Conference, live: list[Participant], members: dict[str, Member]) -> Orders:
    return repeat(conference, live, members, Store(live))


def test_every_command_that_can_follow_has_a_row() -> None:
    """What consequences_of can give is told to the switch; a command without a row would raise in the listener."""
    made = {
        cls
        for _, cls in inspect.getmembers(consequences, inspect.isclass)
        if issubclass(cls, Command) and cls.__module__ == commands.__name__ and cls is not Command
    }

    assert set(orders._EXPANSIONS) == made


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (UpdateParticipant(), ()),
        (UpdateParticipant(muted=True), (MuteMember(CF, 1, True),)),
        (UpdateParticipant(muted=False), (MuteMember(CF, 1, False),)),
        (UpdateParticipant(hold=True), (HoldMember(CF, 1, True),)),
        (UpdateParticipant(hold=False), (HoldMember(CF, 1, False),)),
        (UpdateParticipant(muted=True, hold=False), (MuteMember(CF, 1, True), HoldMember(CF, 1, False))),
        (UpdateParticipant(end_conference_on_exit=True), (SetExitHook(uuid(1), CF, True, answered=True),)),
        (UpdateParticipant(end_conference_on_exit=False), (SetExitHook(uuid(1), CF, False, answered=True),)),
    ],
)
def test_what_was_asked_for_is_told(update: UpdateParticipant, expected: tuple[Order, ...]) -> None:
    """Each property by its own command."""
    assert told(update, room(), ONE) == expected


def test_who_is_no_member_can_be_neither_muted_nor_held() -> None:
    """There is no number to name it by; its exit hook is its channel's."""
    update = UpdateParticipant(muted=True, hold=True, end_conference_on_exit=True)

    assert told(update, room(), RINGING) == (SetExitHook(uuid(7), CF, True, answered=True),)


def test_an_end_ends_members_first_and_then_every_other_leg() -> None:
    """Legs that still ring are no members; the one who has left needs nothing."""
    assert told(EndConference(CF), room(), ONE, [TWO, RINGING]) == (
        HangUpMembers(CF),
        KillChannel(uuid(2)),
        KillChannel(uuid(7)),
    )
    assert told(RemoveParticipant(CF, sid(1)), room(), ONE) == (KillChannel(uuid(1)),)


# ---------------------------------------------------------------- admission


@pytest.mark.parametrize(
    ("changes", "muted"),
    [
        ({}, False),
        ({"muted": True}, True),
        ({"muted_wanted": True}, True),
        ({"muted": True, "muted_wanted": False}, False),
    ],
)
def test_who_is_admitted_speaks_or_is_muted_as_was_asked_last(changes: dict[str, Any], muted: bool) -> None:
    """And reads nobody else's record."""
    newcomer = person(5, admitted=False, **changes)

    found = expand(AdmitParticipant(), room(), newcomer, UNREAD)

    assert found == Orders((Together((MuteMember(CF, 5, muted),)),))


def test_a_newcomer_is_kept_from_hearing_every_coach_before_it_speaks() -> None:
    """All in one command, whoever many there are in the conference; what comes behind it does not happen without it."""
    second = person(8, coaching=True, call_sid_to_coach=sid(2))
    newcomer = person(5, admitted=False)

    found = expand(AdmitParticipant(), room(COACH, second), newcomer, UNREAD)

    relate = Relate(CF, (5,), (9, 8), hears=False)
    assert found.commands == (Together((relate, MuteMember(CF, 5, False))),)


def test_the_coached_newcomer_hears_its_own_coach_and_no_other() -> None:
    """Also when it rejoins."""
    second = person(8, coaching=True, call_sid_to_coach=sid(2))
    newcomer = person(1, admitted=False)

    (together,) = told(AdmitParticipant(), room(COACH, second), newcomer)

    assert together == Together((Relate(CF, (1,), (8,), hears=False), MuteMember(CF, 1, False)))


def test_a_coach_is_related_to_everybody_before_it_speaks() -> None:
    """Monitors, who are muted, as well: barge is then one relation less, and no race."""
    for muted in (False, True):
        newcomer = replace(COACH, admitted=False, muted=muted)
        (together,) = told(AdmitParticipant(), room(COACH), newcomer, [ONE, TWO, THREE, RINGING])

        assert together == Together(
            (
                SetRelations(CF, frozenset({Pair(2, 9), Pair(3, 9)}), frozenset({Pair(1, 9)}), frozenset({9})),
                MuteMember(CF, 9, muted),
            )
        )


def test_a_coach_is_kept_from_hearing_other_coaches() -> None:
    """Only the coached hears a coach."""
    second = person(8, coaching=True, call_sid_to_coach=sid(1), admitted=False)
    (together,) = told(AdmitParticipant(), room(COACH, second), second, [ONE, COACH])

    assert isinstance(together, Together)
    first, relations, _ = together.orders
    assert first == Relate(CF, (8,), (9,), hears=False)
    assert isinstance(relations, SetRelations)
    assert relations.apart == {Pair(8, 9), Pair(9, 8)}
    assert relations.together == {Pair(1, 8), Pair(1, 9)}


def test_one_who_has_gone_again_is_not_admitted() -> None:
    """Its removal came in the same batch."""
    gone = person(5, switch=SwitchRef("n1", uuid(5)), admitted=False)

    assert expand(AdmitParticipant(), room(), gone, UNREAD) == Orders()


# ---------------------------------------------------------------- relations


def test_relations_are_between_members_who_are_there() -> None:
    """Not with themselves, not with legs that ring; and for as long as the conference knows the coach."""
    assert relations_of(room(COACH), members_of([ONE, TWO, RINGING, COACH])) == SetRelations(
        CF, apart=frozenset({Pair(2, 9)}), together=frozenset({Pair(1, 9)}), speakers=frozenset({9})
    )
    assert relations_of(room(COACH), members_of([ONE, TWO])).apart == {Pair(2, 9)}
    assert told(RelateCoaches(), room(), ONE, [TWO]) == (SetRelations(CF),)


def test_when_the_coached_has_left_nobody_hears_the_coach() -> None:
    """Until they come back."""
    found = relations_of(room(COACH), members_of([TWO, THREE, COACH]))

    assert found.apart == {Pair(2, 9), Pair(3, 9)}
    assert found.together == frozenset()


# ---------------------------------------------------------------- hearing, start, beeps


@pytest.mark.parametrize(
    ("conference", "changes", "expected"),
    [
        (room(), {}, (DeafenMember(CF, 1, False),)),
        (room(), {"hold": True}, (DeafenMember(CF, 1, True),)),
        (room(), {"hold_wanted": True}, (DeafenMember(CF, 1, True),)),
        (room(), {"hold": True, "hold_wanted": False}, (DeafenMember(CF, 1, False),)),
        (room(status=ConferenceStatus.INIT), {}, (DeafenMember(CF, 1, True),)),
        (room(), {"admitted": False}, ()),
        (room(), {"switch": SwitchRef("n1", uuid(1))}, ()),
    ],
)
def test_what_a_member_may_hear_is_told(
    conference: Conference, changes: dict[str, Any], expected: tuple[Order, ...]
) -> None:
    """Nothing to one who is not admitted: it is deaf, and stays so."""
    assert told(UpdateHearing(), conference, person(1, **changes)) == expected


def test_at_the_start_music_ends_before_the_others_are_heard() -> None:
    """Those on hold go on being so, with their own sound; one who is not admitted stays deaf."""
    held, unadmitted = person(2, hold=True), person(3, admitted=False)
    found = expand(StartConference(), room(), ONE, Store([ONE, held, unadmitted, RINGING]))

    assert found == Orders(
        (StopMember(CF, 1), DeafenMember(CF, 1, False), StopMember(CF, 3)),
        (sid(1), sid(3)),
    )


@pytest.mark.parametrize("moment", ["enter", "exit"])
def test_a_beep_is_played_beside_what_is_being_played(moment: Any) -> None:
    """An announcement is not kept waiting, and does not keep a beep waiting."""
    assert told(Beep(moment), room(), ONE) == (PlayToAll(CF, BEEPS[moment], beside=True),)
    assert BEEPS["enter"] != BEEPS["exit"]


def test_a_changed_sound_is_looked_at_by_a_worker() -> None:
    """The switch is told nothing by the listener."""
    assert expand(RefreshSound(), room(), ONE, UNREAD) == Orders((), (sid(1),))


# ---------------------------------------------------------------- what an audit repeats


def member(number: int, *, muted: bool = False, deaf: bool = False, hold: bool = False) -> dict[str, Member]:
    return {sid(number): Member(CF, number, muted, deaf or hold, hold)}


def test_what_is_as_it_should_be_is_left_alone() -> None:
    """Most audits tell the switch nothing. Of one on hold it cannot be seen what they hear: that is said again."""
    held = person(2, hold=True)

    assert repeated(room(), [ONE, RINGING], member(1)) == Orders()
    assert repeated(room(), [held], member(2, hold=True)) == Orders((DeafenMember(CF, 2, True),), (sid(2),))


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
        (person(1), member(1, deaf=True), (StopMember(CF, 1), DeafenMember(CF, 1, False))),
        (person(1, admitted=False), member(1, muted=True, deaf=True), (Together((MuteMember(CF, 1, False),)),)),
        (person(1, removal_requested=True), member(1), (KillChannel(uuid(1)),)),
        (person(1, muted_wanted=True), {}, ()),
        (person(1, muted_wanted=True), member(1) | {sid(1): Member(CF, 2, False, False, False)}, ()),
    ],
)
def test_what_the_switch_has_lost_is_told_again(
    participant: Participant, is_member: dict[str, Member], expected: tuple[Order, ...]
) -> None:
    """By what it says of its members; one that is no member, or another one by now, is not spoken of."""
    assert repeated(room(), [participant], is_member).commands == expected


def test_who_should_hear_nothing_and_does_is_deafened() -> None:
    """A conference that waits: the order that deafens was lost."""
    waiting = room(status=ConferenceStatus.INIT)

    assert repeated(waiting, [ONE], member(1)).commands == (DeafenMember(CF, 1, True),)


def test_relations_are_looked_at_if_there_ever_were_any() -> None:
    """A conference without a coach costs nothing; one whose coach has left may have some to be cleared."""
    assert repeated(room(), [ONE, TWO], {}).commands == ()
    assert repeated(room(has_relations=True), [ONE, TWO], {}).commands == (SetRelations(CF),)
    assert repeated(room(COACH), [ONE, COACH], {}).commands == (relations_of(room(COACH), members_of([ONE, COACH])),)


def test_relations_are_set_before_anybody_is_admitted() -> None:
    """Whoever was admitted first would hear the coach."""
    newcomer = person(2, admitted=False)
    found = repeated(room(COACH), [newcomer, COACH], member(2, muted=True, deaf=True) | member(9)).commands

    assert isinstance(found[0], SetRelations)
    assert isinstance(found[1], Together)


def test_in_an_ending_conference_every_leg_is_ended() -> None:
    """And nothing else is done."""
    ending = room(end_reason=EndReason.VIA_API)
    found = repeated(ending, [ONE, RINGING], member(1, deaf=True)).commands

    assert found == (KillChannel(uuid(1)), KillChannel(uuid(7)))
