"""The law in the header of transitions.py, for any order of events; then each rule by an example."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.callbacks.plan import PLAN
from orchestrator.domain.conference import (
    Conference,
    ConferenceStatus,
    EndReason,
    LeaveReason,
    Participant,
    ParticipantStatus,
    SwitchRef,
)
from orchestrator.domain.effects import EndCall, EndOthers, RefreshSound
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
    DialFailed,
    Event,
    MemberAdded,
    MemberRemoved,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantModified,
    ParticipantMuted,
)
from orchestrator.domain.transitions import EVENT_TABLE, LATE, Outcome, apply
from tests.unit.examples import CA, EVENTS, PROGRESS, START, UUID, a_conference, a_participant, at

QUEUED, CONNECTING, RINGING, CONNECTED, COMPLETE, FAILED = ParticipantStatus
RANK = {QUEUED: 0, CONNECTING: 1, RINGING: 2, CONNECTED: 3, COMPLETE: 4, FAILED: 4}
ONCE = (CallInitiated, CallRang, CallAnswered, CallEnded, DialFailed)
"""Events that can happen to a call once; a mute can happen again."""


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event that a switch, or a snapshot, can come up with."""
    kind = draw(st.sampled_from(sorted(EVENT_TABLE, key=lambda each: each.__name__)))
    extra: tuple[object, ...] = ()
    if kind is MemberAdded:
        extra = (draw(st.integers(1, 3)),)
    if kind is CallEnded:
        extra = (draw(st.sampled_from(["NORMAL_CLEARING", "USER_BUSY"])), draw(st.sampled_from([486])))
    if kind is ParticipantModified:
        coaching = draw(st.sampled_from([None, False, True]))
        coached = "CA" + draw(st.sampled_from("01234")) * 32 if coaching else None
        extra = (draw(st.sampled_from([None, False, True])), None, None, None, coaching, coached)
    if kind is AnnouncementEnded:
        extra = ("https://app.example/a", draw(st.sampled_from("ab")))
    if kind is AnnouncementFailed:
        extra = ("https://app.example/a", "x", draw(st.sampled_from("ab")))
    if kind is AnswererDetected:
        extra = (draw(st.sampled_from(["human", "unknown"])), 2000)
    if kind is DialFailed:
        extra = ("INVALID_GATEWAY",)
    return kind(START, *extra)


class AnyOrder(RuleBasedStateMachine):
    """Conferences in which anything happens to anybody at any time, as often as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.conference: Conference = a_conference(live_count=0)
        self.participants: list[Participant] = []
        self.happened: dict[int, list[Event]] = defaultdict(list)
        self.told: dict[int, list[Event]] = defaultdict(list)
        self.conference_told: list[Event] = []
        self.seconds = 0

    @initialize(starts=st.booleans(), ends=st.booleans())
    def first(self, starts: bool, ends: bool) -> None:
        self._add(starts, ends)

    @precondition(lambda self: not self.conference.is_ending and len(self.participants) < 5)
    @rule(starts=st.booleans(), ends=st.booleans())
    def another(self, starts: bool, ends: bool) -> None:
        self._add(starts, ends)

    def _add(self, starts: bool, ends: bool) -> None:
        digit = f"{len(self.participants):x}" * 32
        self.participants.append(
            a_participant(
                call_sid="CA" + digit,
                switch=SwitchRef("n1", digit),
                start_conference_on_enter=starts,
                end_conference_on_exit=ends,
                conference_callbacks=replace(EVENTS, url=f"https://app.example/{len(self.participants)}"),
            )
        )
        self.conference = replace(self.conference, live_count=self.conference.live_count + 1)

    @rule(who=st.integers(0, 4), event=events())
    def something_happens(self, who: int, event: Event) -> None:
        self._happen(who, event)

    def _happen(self, who: int, event: Event) -> None:
        self.seconds += 1
        self._apply(who % len(self.participants), replace(event, at=at(self.seconds)))

    @rule(who=st.integers(0, 4), number=st.integers(1, 3))
    def one_arrives(self, who: int, number: int) -> None:
        """What mostly happens, so that conferences with several people in them are seen as well."""
        for event in (CallInitiated(START), CallRang(START), CallAnswered(START), MemberAdded(START, number)):
            self._happen(who, event)

    @rule(who=st.integers(0, 4), which=st.integers(0, 20))
    def something_comes_late_again(self, who: int, which: int) -> None:
        """An event of this call that was already applied: no news, if it can only happen once."""
        who %= len(self.participants)
        past = self.happened[who]
        if not past:
            return
        event = past[which % len(past)]
        before = self.conference, self.participants[who]
        outcome = self._apply(who, event)
        if isinstance(event, ONCE):
            assert (outcome.conference, outcome.participant, outcome.events) == (*before, ())

    @rule(who=st.integers(0, 4))
    def a_client_removes_one(self, who: int) -> None:
        who %= len(self.participants)
        if self.participants[who].is_live:
            self.participants[who] = replace(self.participants[who], removal_requested=True)

    @rule(who=st.integers(0, 4), muted=st.booleans(), ends=st.booleans())
    def a_client_updates_one(self, who: int, muted: bool, ends: bool) -> None:
        who %= len(self.participants)
        if self.participants[who].is_live:
            self.participants[who] = replace(self.participants[who], muted_wanted=muted, end_conference_on_exit=ends)

    @precondition(lambda self: not self.conference.is_ending)
    @rule()
    def a_client_ends_the_conference(self) -> None:
        self.conference = replace(self.conference, end_reason=EndReason.VIA_API)

    def _apply(self, who: int, event: Event) -> Outcome:
        conference, participant = self.conference, self.participants[who]
        outcome = apply(conference, participant, event)
        self._check_step(conference, participant, outcome)
        again = apply(outcome.conference, outcome.participant, event)

        assert not (isinstance(event, MemberRemoved | CallEnded) and outcome.participant.is_present)
        assert again == Outcome(outcome.conference, outcome.participant), "an event was news twice"

        self.conference, self.participants[who] = outcome.conference, outcome.participant
        self.happened[who].append(event)
        for told in outcome.events:
            is_conferences = isinstance(told, ConferenceStarted | ConferenceEnded)
            (self.conference_told if is_conferences else self.told[who]).append(told)
        return outcome

    def _check_step(self, conference: Conference, participant: Participant, outcome: Outcome) -> None:
        after = outcome.participant

        assert RANK[after.status] >= RANK[participant.status], "a status went backwards"
        assert participant.is_live or after.status is participant.status, "complete and failed are final"
        assert (after.joined_at is not None) == (after.status in (CONNECTED, COMPLETE)), "complete: was connected"
        assert all(type(told) in PLAN for told in outcome.events), "an event that no callback is planned for"
        assert not after.is_present or after.switch.member_id is not None, "in the conference, and no member of it"
        if outcome.events == ():
            assert after.status is participant.status, "a status changed and nobody is told"
        if conference.callbacks_fixed:
            assert outcome.conference.callbacks == conference.callbacks, "only the first to join says where to report"
        if conference.end_reason is not None:
            assert outcome.conference.end_reason is conference.end_reason, "the reason for the end is decided once"
        if ParticipantJoined in map(type, outcome.events):
            assert outcome.conference.callbacks_fixed
        if ConferenceStarted in map(type, outcome.events):
            assert outcome.conference.present_count >= 2
            assert outcome.conference.starter_count >= 1

    @invariant()
    def counts_are_what_the_participants_say(self) -> None:
        present = [each for each in self.participants if each.is_present]

        assert self.conference.live_count == sum(each.is_live for each in self.participants)
        assert self.conference.present_count == len(present)
        assert self.conference.starter_count == sum(each.start_conference_on_enter for each in present)

    @invariant()
    def everyone_leaves_once_and_joins_before(self) -> None:
        for who, participant in enumerate(self.participants):
            kinds = [type(event) for event in self.told[who]]

            assert kinds.count(ParticipantLeft) == (0 if participant.is_live else 1)
            assert kinds.count(ParticipantJoined) == (1 if participant.joined_at else 0)
            assert all(kinds.count(once) <= 1 for once in ONCE)
            if {ParticipantLeft, ParticipantJoined} <= set(kinds):
                assert kinds.index(ParticipantJoined) < kinds.index(ParticipantLeft)
            of_the_call = [kind for kind in kinds if kind not in (AnnouncementEnded, AnnouncementFailed)]
            if of_the_call:
                assert of_the_call[0] is CallInitiated
            if {CallRang, CallAnswered} <= set(kinds):
                assert kinds.index(CallRang) < kinds.index(CallAnswered)
            if CallEnded in kinds:
                assert not {CallRang, CallAnswered, ParticipantJoined} & set(kinds[kinds.index(CallEnded) :])

    @invariant()
    def the_conference_ends_once_and_when_nobody_is_left(self) -> None:
        kinds = [type(event) for event in self.conference_told]
        is_over = self.conference.live_count == 0 and bool(self.participants)

        assert (self.conference.status is ConferenceStatus.COMPLETED) == is_over
        assert kinds.count(ConferenceEnded) == is_over
        assert kinds.count(ConferenceStarted) <= 1
        assert kinds == sorted(kinds, key=[ConferenceStarted, ConferenceEnded].index)
        assert (self.conference.end_reason is not None) or not is_over

    def teardown(self) -> None:
        """Whatever was missed: once every call has ended, everyone has left and the conference has ended."""
        for who in range(len(self.participants)):
            self._apply(who, CallEnded(at(self.seconds + 1), "NORMAL_CLEARING"))
        if self.participants:
            self.counts_are_what_the_participants_say()
            self.everyone_leaves_once_and_joins_before()
            self.the_conference_ends_once_and_when_nobody_is_left()

            assert self.conference.status is ConferenceStatus.COMPLETED
            assert all(each.ended_at is not None for each in self.participants)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(stateful_step_count=30)


# ---------------------------------------------------------------- each rule by an example


def connected(**changes: object) -> Participant:
    values: dict[str, object] = {
        "status": CONNECTED, "answered_at": at(1), "joined_at": at(1), "switch": SwitchRef("n1", UUID, 7), **changes,
    }  # fmt: skip
    return a_participant(**values)


def with_one_present(**changes: object) -> Conference:
    values: dict[str, object] = {"present_count": 1, "starter_count": 1, "callbacks_fixed": True, **changes}
    return a_conference(**values)


def kinds_of(outcome: Outcome) -> list[type[Event]]:
    return [type(event) for event in outcome.events]


def run(conference: Conference, participant: Participant, *happening: Event) -> tuple[Outcome, list[type[Event]]]:
    told: list[type[Event]] = []
    outcome = Outcome(conference, participant)
    for event in happening:
        outcome = apply(outcome.conference, outcome.participant, event)
        told += kinds_of(outcome)
    return outcome, told


@pytest.mark.parametrize(
    ("kind", "status"), [(kind, status) for kind, row in EVENT_TABLE.items() for status in row if row[status] is LATE]
)
def test_late_news_changes_nothing(kind: type[Event], status: ParticipantStatus) -> None:
    """Every cell of the table that says LATE: not even `updated_at` moves."""
    conference, participant = with_one_present(), a_participant(status=status, left_at=at(1), ended_at=at(1))
    extra: dict[type[Event], tuple[object, ...]] = {
        MemberAdded: (1,), CallEnded: ("X",), DialFailed: ("X",), AnswererDetected: ("human", 1),
    }  # fmt: skip
    event = kind(at(9), *extra.get(kind, ()))

    assert apply(conference, participant, event) == Outcome(conference, participant)


def test_an_event_without_a_row_is_a_programming_error() -> None:
    """It raises and changes nothing, so that it cannot pass unseen."""
    with pytest.raises(KeyError):
        apply(a_conference(), a_participant(), ParticipantJoined(at(1)))


def test_a_call_goes_through_its_life() -> None:
    """Initiated, rang, answered and joined, left and ended: one status after the other, and who is told what."""
    outcome, told = run(a_conference(), a_participant(), CallInitiated(at(1)), CallRang(at(2)), CallAnswered(at(3)))

    assert outcome.participant.status is RINGING
    assert outcome.participant.answered_at == at(3)

    outcome, more = run(outcome.conference, outcome.participant, MemberAdded(at(4), 7))

    assert outcome.participant.status is CONNECTED
    assert (outcome.participant.joined_at, outcome.participant.switch.member_id) == (at(4), 7)
    assert outcome.participant.updated_at == at(4)
    assert told + more == [CallInitiated, CallRang, CallAnswered, ParticipantJoined]

    outcome, told = run(outcome.conference, outcome.participant, MemberRemoved(at(5)), CallEnded(at(6), "X", 200))

    assert outcome.participant.status is COMPLETE
    assert (outcome.participant.left_at, outcome.participant.ended_at) == (at(5), at(6))
    assert (outcome.participant.hangup_cause, outcome.participant.sip_status) == ("X", 200)
    assert outcome.participant.switch.member_id is None
    assert told == [ParticipantLeft, ConferenceEnded, CallEnded]


def test_early_media_makes_a_member_and_the_answer_makes_it_join() -> None:
    """The leg is in the room before the far end has answered; clients count it only then."""
    early, told = run(a_conference(), a_participant(), CallInitiated(at(1)), CallRang(at(1)), MemberAdded(at(2), 7))

    assert early.participant.status is RINGING
    assert early.conference.present_count == 0
    assert told == [CallInitiated, CallRang]

    answered = apply(early.conference, early.participant, CallAnswered(at(3)))

    assert answered.participant.status is CONNECTED
    assert kinds_of(answered) == [CallAnswered, ParticipantJoined]


def test_early_media_that_is_never_answered_leaves_as_failed() -> None:
    """Out of the room before the answer is not a leave; the end of the call is."""
    outcome, told = run(
        a_conference(), a_participant(), CallInitiated(at(1)), MemberAdded(at(2), 7), MemberRemoved(at(3))
    )

    assert outcome.participant.is_live
    assert told == [CallInitiated]

    ended = apply(outcome.conference, outcome.participant, CallEnded(at(4), "USER_BUSY", 486))

    assert ended.participant.status is FAILED
    assert kinds_of(ended) == [CallEnded, ParticipantLeft, ConferenceEnded]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (CallRang(at(1)), [CallInitiated, CallRang]),
        (CallAnswered(at(1)), [CallInitiated, CallAnswered]),
        (CallEnded(at(1), "X"), [CallInitiated, CallEnded, ParticipantLeft, ConferenceEnded]),
        (DialFailed(at(1), "X"), [CallInitiated, CallEnded, ParticipantLeft, ConferenceEnded]),
    ],
)
def test_a_call_whose_beginning_was_missed_is_still_told_to_begin(event: Event, told: list[type[Event]]) -> None:
    """A client sees `initiated` first, whichever event comes first."""
    assert kinds_of(apply(a_conference(), a_participant(), event)) == told


def test_ringing_after_the_answer_is_late() -> None:
    """A snapshot may have said first that the call is answered: then a client is not told that it rings."""
    outcome, told = run(a_conference(), a_participant(), CallAnswered(at(1)), CallRang(at(2)))

    assert outcome.participant.status is CONNECTING
    assert told == [CallInitiated, CallAnswered]


def test_a_failed_dial_ends_a_call_that_has_no_leg() -> None:
    """With a leg the leg's own end is awaited: it has the far end's answer in it."""
    no_leg = apply(a_conference(), a_participant(), DialFailed(at(1), "INVALID_GATEWAY"))
    with_leg = apply(a_conference(), a_participant(status=CONNECTING), DialFailed(at(1), "USER_BUSY"))

    assert no_leg.participant.status is FAILED
    assert no_leg.participant.hangup_cause == "INVALID_GATEWAY"
    assert with_leg.events == ()


def test_two_present_and_one_of_them_a_starter_start_the_conference() -> None:
    """Neither two who wait, nor one starter alone: https://www.twilio.com/docs/voice/twiml/conference"""
    arriving = {"status": CONNECTING, "answered_at": at(1)}
    event = MemberAdded(at(2), 7)
    waiting = a_participant(**arriving, start_conference_on_enter=False)
    starter = a_participant(**arriving)

    two_who_wait = apply(a_conference(present_count=1, live_count=2), waiting, event)
    starter_alone = apply(a_conference(live_count=2), starter, event)
    starter_comes = apply(a_conference(present_count=1, live_count=2), starter, event)
    starter_is_there = apply(a_conference(present_count=1, starter_count=1, live_count=2), waiting, event)

    assert two_who_wait.conference.status is ConferenceStatus.INIT
    assert starter_alone.conference.status is ConferenceStatus.INIT
    for started in (starter_comes, starter_is_there):
        assert started.conference.status is ConferenceStatus.IN_PROGRESS
        assert kinds_of(started) == [ParticipantJoined, ConferenceStarted]


def test_an_ending_conference_does_not_start() -> None:
    """Two who arrive while it is being ended are not told that it begins."""
    conference = a_conference(present_count=1, starter_count=1, live_count=2, end_reason=EndReason.VIA_API)

    outcome = apply(conference, a_participant(status=CONNECTING, answered_at=at(1)), MemberAdded(at(2), 7))

    assert outcome.conference.status is ConferenceStatus.INIT
    assert kinds_of(outcome) == [ParticipantJoined]
    assert outcome.effects == (EndCall(),)


def test_the_first_to_join_fixes_the_callbacks() -> None:
    """Later settings are ignored, and so is the lack of any."""
    arriving = {"status": CONNECTING, "answered_at": at(1)}
    event = MemberAdded(at(2), 7)

    first = apply(a_conference(live_count=2), a_participant(**arriving, conference_callbacks=EVENTS), event)
    none = apply(a_conference(live_count=2), a_participant(**arriving), event)
    second = apply(none.conference, a_participant(**arriving, conference_callbacks=PROGRESS), event)

    assert (first.conference.callbacks, first.conference.callbacks_fixed) == (EVENTS, True)
    assert (second.conference.callbacks, second.conference.callbacks_fixed) == (None, True)


@pytest.mark.parametrize(
    ("conference", "participant", "reason"),
    [
        ({}, connected(), LeaveReason.HUNG_UP),
        ({}, connected(removal_requested=True), LeaveReason.UPDATED_VIA_API),
        ({}, a_participant(status=RINGING), LeaveReason.ADD_FAILED),
        ({}, a_participant(status=RINGING, removal_requested=True), LeaveReason.UPDATED_VIA_API),
        ({"end_reason": EndReason.VIA_API}, connected(), LeaveReason.CONFERENCE_ENDED_VIA_API),
        ({"end_reason": EndReason.VIA_API}, a_participant(status=RINGING), LeaveReason.CONFERENCE_ENDED_VIA_API),
        ({"end_reason": EndReason.END_ON_EXIT_LEFT}, connected(), LeaveReason.MODERATOR_ENDED_CONFERENCE),
        ({"end_reason": EndReason.END_ON_EXIT_KICKED}, a_participant(), LeaveReason.MODERATOR_ENDED_CONFERENCE),
        ({}, connected(end_conference_on_exit=True), LeaveReason.HUNG_UP),
    ],
)
def test_why_a_participant_left(conference: dict[str, object], participant: Participant, reason: LeaveReason) -> None:
    """The cause nearest to the client's own doing is named; the one who ends the conference has hung up."""
    before = with_one_present(live_count=2, present_count=2, starter_count=2, **conference)

    left = next(e for e in apply(before, participant, CallEnded(at(3), "X")).events if isinstance(e, ParticipantLeft))

    assert left.reason is reason


@pytest.mark.parametrize(
    ("participant", "reason"),
    [
        (connected(), EndReason.LAST_LEFT),
        (connected(removal_requested=True), EndReason.LAST_KICKED),
        (connected(end_conference_on_exit=True), EndReason.END_ON_EXIT_LEFT),
        (connected(end_conference_on_exit=True, removal_requested=True), EndReason.END_ON_EXIT_KICKED),
        (a_participant(end_conference_on_exit=True, status=RINGING), EndReason.LAST_LEFT),
    ],
)
def test_why_a_conference_ended(participant: Participant, reason: EndReason) -> None:
    """And who ended it. EndConferenceOnExit of somebody who never joined means nothing."""
    present = int(participant.is_present)
    before = a_conference(present_count=present, starter_count=present)

    after = apply(before, participant, CallEnded(at(3), "X")).conference

    assert after.status is ConferenceStatus.COMPLETED
    assert (after.end_reason, after.ending_call_sid) == (reason, CA)


def test_an_end_by_the_api_names_no_call() -> None:
    """The last to leave has not ended it."""
    before = with_one_present(end_reason=EndReason.VIA_API)

    after = apply(before, connected(), CallEnded(at(3), "X")).conference

    assert (after.status, after.end_reason) == (ConferenceStatus.COMPLETED, EndReason.VIA_API)
    assert after.ending_call_sid is None


def test_one_with_end_on_exit_takes_the_others_along() -> None:
    """The conference is ending at once, and completed when the others have gone too."""
    before = with_one_present(live_count=3)

    outcome = apply(before, connected(end_conference_on_exit=True), MemberRemoved(at(3)))

    assert outcome.conference.is_ending
    assert outcome.conference.status is not ConferenceStatus.COMPLETED
    assert outcome.effects == (EndOthers(), RefreshSound())
    assert kinds_of(outcome) == [ParticipantLeft]


def test_the_last_one_out_leaves_nothing_to_be_ended() -> None:
    """Nobody is left whose call could be ended; but what was heard while waiting has to be cleared away."""
    outcome = apply(with_one_present(), connected(end_conference_on_exit=True), MemberRemoved(at(3)))

    assert outcome.effects == (RefreshSound(),)


@pytest.mark.parametrize("event", [CallInitiated(at(1)), CallRang(at(1)), CallAnswered(at(1))])
def test_a_call_that_was_removed_before_it_had_a_leg_is_ended_when_it_shows_up(event: Event) -> None:
    """The switch could not end what it did not have yet."""
    outcome = apply(a_conference(), a_participant(removal_requested=True), event)

    assert outcome.effects == (EndCall(),)


def test_a_mute_is_told_of_a_present_member_once() -> None:
    """FreeSWITCH repeats `mute-member`; and before the join it is no news to anybody."""
    told = apply(with_one_present(), connected(), ParticipantMuted(at(3)))
    again = apply(told.conference, told.participant, ParticipantMuted(at(4)))
    early = apply(a_conference(), a_participant(status=RINGING), ParticipantMuted(at(3)))

    assert kinds_of(told) == [ParticipantMuted]
    assert told.participant.muted
    assert again == Outcome(told.conference, told.participant)
    assert early.participant.muted
    assert early.events == ()


def test_updated_at_is_the_events_moment_and_only_where_something_changed() -> None:
    """A ringing call changes its participant; its conference is as it was."""
    outcome = apply(a_conference(), a_participant(), CallRang(at(5)))

    def moments() -> tuple[datetime, datetime]:
        return outcome.participant.updated_at, outcome.conference.updated_at

    assert moments() == (at(5), START)
