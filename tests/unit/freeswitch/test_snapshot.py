"""What a node holds now -> the events that were missed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

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
from orchestrator.freeswitch.whisper import StartWhisper, Whisper
from orchestrator.sids import recorder_uuid_of
from tests.unit.examples import CA, CF, UUID, a_conference, a_participant, at

QUEUED, CONNECTING, RINGING, CONNECTED, COMPLETE, FAILED = ParticipantStatus
NOW = at(60)
NO_CONFERENCE = "-ERR No active conferences\n"


class Node:
    """What a switch says of one channel; what it is not expected to be asked is an error."""

    def __init__(
        self, alive: bool | None = None, coach: bool | None = None, members: Mapping[str, Member] | None = None
    ) -> None:
        self._alive, self._coach, self._members = alive, coach, members

    def is_alive(self, channel_uuid: str) -> bool:
        assert self._alive is not None, f"{channel_uuid} was asked for"
        return self._alive

    def is_coach(self, channel_uuid: str) -> bool:
        assert self._coach is not None, f"{channel_uuid}'s mark was asked for"
        return self._coach

    def list_members(self, conference_sid: str) -> Mapping[str, Member]:
        assert self._members is not None, f"{conference_sid} was asked for"
        return self._members


NEVER, GONE, PRESENT = Node(), Node(alive=False), Node(alive=True)
COACH = Node(coach=True)


def plain(snapshot: Snapshot) -> Node:
    """A switch that holds the same as when the snapshot was taken, and no coach."""
    return Node(alive=False, coach=False, members=snapshot.members)


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


def channel(
    uuid: str = UUID, callstate: str = "ACTIVE", direction: str = "outbound", name: str = "sofia/internal/x"
) -> dict[str, str]:
    """A row of `show channels as json`."""
    return {"uuid": uuid, "direction": direction, "callstate": callstate, "name": name}


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


def test_whispers_are_no_calls() -> None:
    """Told by their names, of either leg: the other's row may be missing."""
    pair = Whisper(CF, CA, "CA" + 32 * "2")
    name = StartWhisper(pair).render().partition("}")[2][:127]
    first, second = channel(pair.channel_uuid, name=name), channel("x", direction="inbound", name=name)
    for rows in ([first], [second], [first, second]):
        snapshot = parse_snapshot(raw({"rows": rows}, "[]"))

        assert (snapshot.channels, snapshot.whispers) == ({}, {pair.channel_uuid: CA})


def test_recorders_are_no_people() -> None:
    """They are members of our conferences, told by their UUIDs."""
    leg = recorder_uuid_of("RE" + CA[2:])
    conferences = [
        {"conference_name": CF, "members": [member(leg)]},
        {"conference_name": "own", "members": [member(leg)]},
    ]
    snapshot = parse_snapshot(raw({"rows": [channel(leg)]}, conferences))

    assert (snapshot.channels, snapshot.members, snapshot.recorders) == ({}, {}, {leg: CF})


def test_a_look_is_at_one_conference() -> None:
    """What it does not name may be in another one."""
    text = json.dumps([{"conference_name": CF, "members": [member()]}])
    snapshot = parse_snapshot(RawSnapshot(NOW, '{"row_count":0}', text, CF))

    assert (snapshot.conference_sid, list(snapshot.members)) == (CF, [CA])


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


def missed(snapshot: Snapshot, participant: Participant, node: Node = NEVER) -> list[Event]:
    found = missed_events(snapshot, [participant], node)

    assert all((item.subject, item.conference_sid) == (CA, CF) for item in found)
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


@pytest.mark.parametrize("muted", [False, True])
def test_a_member_has_joined(muted: bool) -> None:
    """Muted or not, as it came."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 9, muted=muted, deaf=True, hold=False)})

    assert missed(snapshot, a_participant(status=RINGING), plain(snapshot)) == [
        CallAnswered(NOW),
        MemberAdded(NOW, 9, muted),
        ParticipantMuted(NOW) if muted else ParticipantUnmuted(NOW),
        ParticipantUnheld(NOW),
    ]


def test_a_member_by_another_number_is_an_event() -> None:
    """It has left and come again while nobody listened: what is said to the old number reaches nobody."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 8, muted=False, deaf=False, hold=False)})

    assert missed(snapshot, connected()) == [MemberAdded(NOW, 8, muted=False)]


def test_a_mute_that_was_missed_is_an_event() -> None:
    """In both directions; one whose mute is known is not asked for, and nothing is told."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=False, deaf=False, hold=False)})

    assert missed(snapshot, connected(muted=True), plain(snapshot)) == [ParticipantUnmuted(NOW)]
    assert missed(snapshot, connected(muted=False), NEVER) == []


@pytest.mark.parametrize("muted", [False, True])
@pytest.mark.parametrize("wanted", [None, False, True])
def test_a_coach_is_muted_as_was_asked(muted: bool, wanted: bool | None) -> None:
    """The switch, where every coach is muted, is not even asked."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=True, deaf=False, hold=False)})
    coach = connected(muted=muted, muted_wanted=wanted, coaching=True, call_sid_to_coach="CA" + 32 * "2")
    event = ParticipantMuted(NOW) if wanted else ParticipantUnmuted(NOW)

    assert missed(snapshot, coach) == ([] if wanted in (None, muted) else [event])


def test_who_is_still_muted_as_a_coach_has_not_been_muted() -> None:
    """Whoever ended the coaching died before it had said so to the switch."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=True, deaf=False, hold=False)})

    found = missed(snapshot, connected(), COACH)

    assert found == []


@pytest.mark.parametrize("now", [{}, {CA: Member(CF, 7, False, False, False)}, {CA: Member(CF, 7, True, True, True)}])
def test_a_coach_who_barged_in_since_the_snapshot_has_not_been_muted(now: dict[str, Member]) -> None:
    """The snapshot says muted, the mark is gone by the time it is asked for: whether a client wants the mute is only
    known if the member is muted still. Nor has one been muted who is held, or has left, by now."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=True, deaf=False, hold=False)})

    found = missed(snapshot, connected(), Node(coach=False, members=now))

    assert found == []


def test_on_hold_a_members_flags_say_nothing_of_its_mute() -> None:
    """While it is held FreeSWITCH calls every member mute and deaf."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=True, deaf=True, hold=True)})

    found = missed(snapshot, connected())

    assert found == [ParticipantHeld(NOW)]


def test_a_hold_that_was_missed_is_an_event() -> None:
    """In both directions."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"}, {CA: Member(CF, 7, muted=False, deaf=False, hold=False)})

    found = missed(snapshot, connected(hold=True))

    assert found == [ParticipantUnheld(NOW)]


def test_a_participant_that_is_no_member_any_more_has_left() -> None:
    """Its call may live on for a moment; one who was never in has not left."""
    snapshot = Snapshot(NOW, {CA: "ACTIVE"})

    assert missed(snapshot, connected()) == [MemberRemoved(NOW)]
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
    assert missed(Snapshot(NOW), connected(), GONE) == [CallEnded(NOW, LOST_CAUSE)]
    assert missed(Snapshot(NOW), a_participant(status=RINGING), GONE) == [CallEnded(NOW, LOST_CAUSE)]
    assert missed(Snapshot(NOW), a_participant(), GONE) == [DialFailed(NOW, LOST_CAUSE)]


def test_the_list_of_channels_lags_so_the_channel_itself_is_asked_for() -> None:
    """Before a call is declared dead."""
    assert missed(Snapshot(NOW), connected(), PRESENT) == []


def test_a_call_that_was_just_dialled_may_have_no_channel_yet() -> None:
    """It is not even asked for."""
    young = a_participant(dialled_at=NOW - DIAL_GRACE / 2)
    old = a_participant(dialled_at=NOW - DIAL_GRACE)

    assert missed(Snapshot(NOW), young) == []
    assert missed(Snapshot(NOW), old, GONE) != []
    assert missed(Snapshot(NOW), a_participant(dialled_at=NOW - DIAL_GRACE, tried_at=NOW - DIAL_GRACE / 2)) == [], (
        "by another gateway"
    )


def test_a_call_that_waits_to_be_dialled_needs_no_channel() -> None:
    """However long: nobody has asked the switch for one."""
    waiting = a_participant(created_at=NOW - timedelta(minutes=10), dialled_at=None)

    assert missed(Snapshot(NOW), waiting) == [], "it is not even asked for"


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
    )
    states = ["", "DOWN", "DIALING", "RINGING", "EARLY", "ACTIVE", "HELD", "HANGUP"]
    callstate = draw(st.sampled_from(states))
    channels = {CA: callstate} if callstate else {}
    number = draw(st.integers(7, 8))
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
    for item in missed_events(snapshot, [participant], plain(snapshot)):
        outcome = apply(conference, participant, item.event)
        conference, participant = outcome.conference, outcome.participant

    told: list[Event] = []
    settled, again = conference, participant
    for item in missed_events(snapshot, [participant], plain(snapshot)) if participant.is_live else []:
        outcome = apply(settled, again, item.event)
        settled, again = outcome.conference, outcome.participant
        told += outcome.events
    member_now = snapshot.members.get(CA)
    is_answered = snapshot.channels.get(CA) in ("ACTIVE", "HELD") or before.answered_at is not None

    assert participant.is_live is bool(CA in snapshot.channels and (member_now or not before.is_present))
    assert participant.is_present is bool(member_now and (is_answered or before.is_present))
    if member_now:
        assert participant.hold is member_now.hold
        assert participant.muted is (before.muted if member_now.hold else member_now.muted)
    assert (told, settled, again) == ([], conference, participant)


@given(situations())
def test_what_is_left_out_is_no_news(situation: tuple[Snapshot, Conference, Participant]) -> None:
    """`apply` would come to the same, with as much to tell."""
    snapshot, conference, participant = situation

    def applied() -> tuple[Conference, Participant, list[Event]]:
        after, person, told = conference, participant, list[Event]()
        for item in missed_events(snapshot, [participant], plain(snapshot)):
            outcome = apply(after, person, item.event)
            after, person = outcome.conference, outcome.participant
            told += outcome.events
        return after, person, told

    found = applied()
    with patch("orchestrator.freeswitch.snapshot._is_news", lambda *_: True):
        assert found == applied()


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
