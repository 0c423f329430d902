"""What a node holds now -> the events that were missed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.conference import Conference, Participant, ParticipantStatus, SwitchRef
from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    DialFailed,
    Event,
    MemberAdded,
    MemberRemoved,
    ParticipantHeld,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from orchestrator.domain.transitions import apply
from orchestrator.freeswitch.snapshot import (
    DIAL_GRACE,
    LOST_CAUSE,
    OUTSIDE_GRACE,
    Member,
    RawSnapshot,
    Snapshot,
    is_outside,
    missed_events,
    parse_snapshot,
)
from tests.unit.examples import CA, CF, UUID, a_conference, a_participant, at

QUEUED, CONNECTING, RINGING, CONNECTED, COMPLETE, FAILED = ParticipantStatus
NOW = at(60)
NO_CONFERENCE = "-ERR No active conferences\n"


def never(channel_uuid: str) -> bool:
    raise AssertionError(f"{channel_uuid} was asked for")


def gone(channel_uuid: str) -> bool:
    return False


def present(channel_uuid: str) -> bool:
    return True


def raw(channels: Any, conferences: Any) -> RawSnapshot:
    text = conferences if isinstance(conferences, str) else json.dumps(conferences)
    return RawSnapshot(NOW, json.dumps(channels), text)


def member(
    uuid: str = UUID,
    number: int = 7,
    *,
    speaks: bool = True,
    hears: bool = True,
    hold: bool = False,
    kind: str = "caller",
) -> dict[str, Any]:
    """A row of `conference json_list`."""
    return {"type": kind, "id": number, "uuid": uuid, "flags": {"can_hear": hears, "can_speak": speaks, "hold": hold}}


def channel(uuid: str = UUID, callstate: str = "ACTIVE", direction: str = "outbound") -> dict[str, str]:
    """A row of `show channels as json`."""
    return {"uuid": uuid, "direction": direction, "callstate": callstate}


# ---------------------------------------------------------------- reading


def test_channels_and_members_are_read() -> None:
    """By CallSid; a member that cannot speak is muted."""
    conferences = [{"conference_name": CF, "members": [member(speaks=False)]}]

    snapshot = parse_snapshot(raw({"row_count": 1, "rows": [channel()]}, conferences))
    held = parse_snapshot(raw({}, [{"conference_name": CF, "members": [member(hears=False, hold=True)]}]))

    assert held.members == {CA: Member(CF, 7, muted=False, deaf=True, hold=True)}
    assert snapshot == Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=True, deaf=False, hold=False)})


@pytest.mark.parametrize("conferences", [NO_CONFERENCE, "+OK No active conferences.\n", "[]", ""])
def test_an_empty_node_is_an_empty_snapshot(conferences: str) -> None:
    """Without channels there are no `rows`; without a conference the answer is a sentence."""
    assert parse_snapshot(raw({"row_count": 0}, conferences)) == Snapshot(NOW)


def test_what_is_not_ours_is_left_out() -> None:
    """Incoming legs, foreign channels, other conferences, and a recording, which is a member of a type of its own."""
    rows = [channel(direction="inbound"), channel("not-a-uuid")]
    conferences = [
        {"conference_name": "weekly-10.0.0.1", "members": [member()]},
        {"conference_name": CF, "members": [member(kind="recording_node"), {"type": "recording_node"}, member("x")]},
        {"conference_name": CF},
    ]

    assert parse_snapshot(raw({"rows": rows}, conferences)) == Snapshot(NOW)


@pytest.mark.parametrize(
    ("channels", "conferences"),
    [({"rows": [{}]}, "[]"), ({}, "[x"), ({}, [{"conference_name": CF, "members": [{"uuid": UUID}]}])],
)
def test_an_answer_that_is_not_freeswitchs_raises(channels: Any, conferences: Any) -> None:
    """Nothing is concluded from half a snapshot."""
    with pytest.raises((ValueError, KeyError)):
        parse_snapshot(raw(channels, conferences))


# ---------------------------------------------------------------- comparing


def connected(**changes: Any) -> Participant:
    switch = SwitchRef("n1", UUID, 7)
    return a_participant(**{"status": CONNECTED, "answered_at": at(1), "joined_at": at(1), "switch": switch, **changes})


def missed(snapshot: Snapshot, participant: Participant, is_alive: Any = never) -> list[Event]:
    found = missed_events(snapshot, [participant], is_alive)

    assert all((item.call_sid, item.conference_sid) == (CA, CF) for item in found)
    return [item.event for item in found]


@pytest.mark.parametrize(
    ("callstate", "expected"),
    [
        ("DOWN", [CallInitiated(NOW)]),
        ("DIALING", [CallInitiated(NOW)]),
        ("RINGING", [CallInitiated(NOW), CallRang(NOW)]),
        ("EARLY", [CallInitiated(NOW), CallRang(NOW)]),
        ("ACTIVE", [CallInitiated(NOW), CallAnswered(NOW)]),
        ("HELD", [CallInitiated(NOW), CallAnswered(NOW)]),
        ("UNHELD", [CallInitiated(NOW), CallAnswered(NOW)]),
    ],
)
def test_a_channel_shows_how_far_its_call_has_come(callstate: str, expected: list[Event]) -> None:
    """All that happened to a call nobody watched."""
    assert missed(Snapshot(NOW, {CA: callstate}), a_participant()) == expected


def test_a_member_has_joined() -> None:
    """Its flags are those that everybody joins with, so they say nothing of a mute."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 9, muted=True, deaf=True, hold=False)})

    assert missed(snapshot, a_participant(status=RINGING)) == [
        CallAnswered(NOW),
        MemberAdded(NOW, 9),
        ParticipantUnheld(NOW),
    ]


def test_a_mute_that_was_missed_is_an_event() -> None:
    """In both directions; for one whose mute is known it is no news to `apply`."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=False, deaf=False, hold=False)})

    assert ParticipantUnmuted(NOW) in missed(snapshot, connected(muted=True, admitted=True))


def test_on_hold_a_members_flags_say_nothing_of_its_mute() -> None:
    """While it is held FreeSWITCH calls every member mute and deaf."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=True, deaf=True, hold=True)})

    found = missed(snapshot, connected(admitted=True))

    assert found == [CallAnswered(NOW), MemberAdded(NOW, 7), ParticipantHeld(NOW)]


def test_a_hold_that_was_missed_is_an_event() -> None:
    """In both directions."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=False, deaf=False, hold=False)})

    found = missed(snapshot, connected(admitted=True, hold=True))

    assert found[-2:] == [ParticipantUnmuted(NOW), ParticipantUnheld(NOW)]


@pytest.mark.parametrize("muted", [False, True])
def test_one_who_is_not_admitted_gives_no_news_of_a_mute(muted: bool) -> None:
    """Everybody joins muted; taken for a mute it would be told to clients, and would admit them."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=True, deaf=True, hold=False)})

    found = missed(snapshot, connected(muted=muted))

    assert found == [CallAnswered(NOW), MemberAdded(NOW, 7), ParticipantUnheld(NOW)]


def test_a_new_member_of_an_admitted_participant_gives_no_news_of_a_mute() -> None:
    """It was admitted as another member: this one is muted as everybody who joins, and is still to be admitted."""
    early = a_participant(status=RINGING, admitted=True, switch=SwitchRef("n1", UUID, 7))
    snapshot = Snapshot(NOW, {CA: "EARLY"}, {CA: Member(CF, 8, muted=True, deaf=True, hold=False)})

    found = missed(snapshot, early)

    assert ParticipantMuted(NOW) not in found


def test_a_participant_that_is_no_member_any_more_has_left() -> None:
    """Its call may live on for a moment; one who was never in has not left."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"})

    assert missed(snapshot, connected()) == [MemberRemoved(NOW), CallAnswered(NOW)]
    assert missed(snapshot, a_participant(status=CONNECTING)) == [CallAnswered(NOW)]


def test_a_member_that_left_before_the_answer_does_not_join_by_it() -> None:
    """It was in the room with early media; both its leave and its answer were missed."""
    early = a_participant(status=RINGING, switch=SwitchRef("n1", UUID, 7))

    assert missed(Snapshot(NOW, {CA: "ACTIVE"}), early) == [MemberRemoved(NOW), CallAnswered(NOW)]


def test_a_member_of_another_conference_is_not_in_this_one() -> None:
    """Somebody has transferred the leg."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member("CF" + "0" * 32, 7, muted=False, deaf=False, hold=False)})

    assert missed(snapshot, connected())[0] == MemberRemoved(NOW)


def test_a_call_that_the_node_does_not_have_has_ended() -> None:
    """With a cause that says that nobody saw it; a dial that never made a leg has failed."""
    assert missed(Snapshot(NOW), connected(), gone) == [CallEnded(NOW, LOST_CAUSE)]
    assert missed(Snapshot(NOW), a_participant(status=RINGING), gone) == [CallEnded(NOW, LOST_CAUSE)]
    assert missed(Snapshot(NOW), a_participant(), gone) == [DialFailed(NOW, LOST_CAUSE)]


def test_the_list_of_channels_lags_so_the_channel_itself_is_asked_for() -> None:
    """Before a call is declared dead."""
    assert missed(Snapshot(NOW), connected(), present) == []


def test_a_call_that_was_just_dialled_may_have_no_channel_yet() -> None:
    """It is not even asked for."""
    young = a_participant(created_at=NOW - DIAL_GRACE / 2)
    old = a_participant(created_at=NOW - DIAL_GRACE)

    assert missed(Snapshot(NOW), young) == []
    assert missed(Snapshot(NOW), old, gone) != []


# ---------------------------------------------------------------- closing the gap


@st.composite
def situations(draw: st.DrawFn) -> tuple[Snapshot, Conference, Participant]:
    """Anything the store may believe, and anything the node may hold."""
    status = draw(st.sampled_from([QUEUED, CONNECTING, RINGING, CONNECTED]))
    is_member = status is CONNECTED or draw(st.booleans())
    answered = status is CONNECTED or (not is_member and status is not QUEUED and draw(st.booleans()))
    participant = a_participant(
        status=status,
        switch=SwitchRef("n1", UUID, 7 if is_member else None),
        answered_at=at(1) if answered else None,
        joined_at=at(1) if status is CONNECTED else None,
        muted=draw(st.booleans()),
        hold=draw(st.booleans()),
        admitted=is_member and draw(st.booleans()),
    )
    states = ["", "DOWN", "DIALING", "RINGING", "EARLY", "ACTIVE", "HELD", "HANGUP"]
    callstate = draw(st.sampled_from(states))
    channels = {CA: callstate} if callstate else {}
    number = 7 if participant.admitted else draw(st.integers(7, 8))
    members = (
        {CA: Member(CF, number, *(draw(st.booleans()) for _ in range(3)))} if callstate and draw(st.booleans()) else {}
    )
    count = int(participant.is_present)
    return Snapshot(NOW, channels, members), a_conference(present_count=count, starter_count=count), participant


@given(situations())
def test_after_a_snapshot_the_store_believes_what_the_node_holds(
    situation: tuple[Snapshot, Conference, Participant],
) -> None:
    """And a second look at the same finds nothing more to tell."""
    snapshot, conference, before = situation
    participant = before
    for item in missed_events(snapshot, [participant], gone):
        outcome = apply(conference, participant, item.event)
        conference, participant = outcome.conference, outcome.participant

    told: list[Event] = []
    settled, again = conference, participant
    for item in missed_events(snapshot, [participant], gone) if participant.is_live else []:
        outcome = apply(settled, again, item.event)
        settled, again = outcome.conference, outcome.participant
        told += outcome.events
    member_now = snapshot.members.get(CA)
    is_answered = snapshot.channels.get(CA) in ("ACTIVE", "HELD") or before.answered_at is not None

    assert participant.is_live is bool(CA in snapshot.channels and (member_now or not before.is_present))
    assert participant.is_present is bool(member_now and (is_answered or before.is_present))
    if member_now:
        assert participant.hold is member_now.hold
        knows_mute = before.admitted and not member_now.hold
        assert participant.muted is (member_now.muted if knows_mute else before.muted)
    assert (told, settled, again) == ([], conference, participant)


# ------------------------------------------------------------ calls in no conference


def snapshot_of(participant: Participant, callstate: str, conference_sid: str | None) -> Snapshot:
    members = {}
    if conference_sid is not None:
        members[participant.call_sid] = Member(conference_sid, 7, muted=False, deaf=False, hold=False)
    return Snapshot(NOW, {participant.call_sid: callstate} if callstate else {}, members)


LONG_AGO, JUST_NOW = NOW - 2 * OUTSIDE_GRACE, NOW - OUTSIDE_GRACE / 2


@pytest.mark.parametrize(
    ("callstate", "conference_sid", "answered_at", "left_at", "outside"),
    [
        ("ACTIVE", None, LONG_AGO, None, True),
        ("HELD", None, LONG_AGO, LONG_AGO, True),
        ("ACTIVE", "CF" + "9" * 32, LONG_AGO, None, True),
        ("ACTIVE", CF, LONG_AGO, None, False),
        ("ACTIVE", None, JUST_NOW, None, False),
        ("ACTIVE", None, LONG_AGO, JUST_NOW, False),
        ("ACTIVE", None, None, None, False),
        ("EARLY", None, LONG_AGO, None, False),
        ("HANGUP", None, LONG_AGO, None, False),
        ("", None, LONG_AGO, None, False),
    ],
)
def test_a_call_outside(
    callstate: str,
    conference_sid: str | None,
    answered_at: datetime | None,
    left_at: datetime | None,
    outside: bool,
) -> None:
    """It is up, and has been in no conference, or in another, for longer than a join takes, or an end."""
    participant = a_participant(answered_at=answered_at, left_at=left_at)

    assert is_outside(snapshot_of(participant, callstate, conference_sid), participant) is outside
