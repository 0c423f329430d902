"""Real events, replayed: tape -> translate_event -> apply gives the right statuses, and tells the right things."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
import pytest

from orchestrator.domain.conference import Conference, Participant, SwitchRef
from orchestrator.domain.effects import Effect, EndCall, EndOthers
from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    ConferenceEnded,
    ConferenceStarted,
    DialFailed,
    Event,
    Happened,
    MemberAdded,
    MemberRemoved,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantMuted,
    ParticipantUnmuted,
    SpeechStarted,
    SpeechStopped,
)
from orchestrator.domain.hangup import final_call_status
from orchestrator.domain.transitions import apply
from orchestrator.freeswitch.events import translate_event
from tests.unit.examples import CF, a_conference, a_participant

TAPES = Path(__file__).parents[2] / "tapes"
NAMES = sorted(path.stem for path in TAPES.glob("*.jsonl"))


def read_tape(name: str) -> list[dict[str, str]]:
    """The events in order. A failed originate's job gets the UUID of its leg, as this program asks for."""
    tape = [orjson.loads(line) for line in (TAPES / f"{name}.jsonl").read_bytes().splitlines()]
    legs = [headers["Unique-ID"] for headers in tape if headers["Event-Name"] == "CHANNEL_CREATE"]
    jobs = [headers for headers in tape if headers["Event-Name"] == "BACKGROUND_JOB"]
    succeeded = {headers["_body"].removeprefix("+OK ").strip() for headers in jobs}
    failed = [leg for leg in legs if leg not in succeeded] or legs
    for headers in (job for job in jobs if job["_body"].startswith("-ERR")):
        headers["Job-UUID"] = failed[0] if failed else headers["Job-UUID"]
    return tape


@dataclass
class Replay:
    """Conferences and participants as they are after a tape, and all that clients were told."""

    conferences: dict[str, Conference] = field(default_factory=dict)
    participants: dict[str, Participant] = field(default_factory=dict)
    told: list[tuple[int, type[Event]]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    effects: list[tuple[int, Effect]] = field(default_factory=list)

    def number(self, call_sid: str) -> int:
        return list(self.participants).index(call_sid)

    def of(self, number: int) -> list[type[Event]]:
        return [kind for who, kind in self.told if who == number]

    @property
    def statuses(self) -> list[str]:
        return [str(participant.status) for participant in self.participants.values()]


def translated(name: str) -> Iterator[Happened]:
    for headers in read_tape(name):
        if isinstance(found := translate_event(headers), Happened):
            yield found


def replay(name: str, *, times: int = 1, ends_on_exit: int | None = None, muted: int | None = None) -> Replay:
    """Every leg is a participant of the conference that it joins; `ends_on_exit` has EndConferenceOnExit, `muted` was
    created with Muted."""
    result = Replay()
    items = list(translated(name))
    rooms: dict[str, str] = {}
    for item in items:
        rooms.setdefault(item.subject, "")
        rooms[item.subject] = rooms[item.subject] or item.conference_sid or ""
    first = next(filter(None, rooms.values()), CF)
    for number, (call_sid, room) in enumerate(rooms.items()):
        sid = room or first
        switch = SwitchRef("n1", call_sid[2:])
        ends = number == ends_on_exit
        result.participants[call_sid] = a_participant(
            call_sid=call_sid,
            conference_sid=sid,
            switch=switch,
            end_conference_on_exit=ends,
            muted=number == muted,
        )
        known = result.conferences.get(sid, a_conference(conference_sid=sid, live_count=0))
        result.conferences[sid] = replace(known, live_count=known.live_count + 1)
    for item in items:
        for _ in range(times):
            _apply(result, item)
    return result


def _apply(result: Replay, item: Happened) -> None:
    participant = result.participants[item.subject]
    outcome = apply(result.conferences[participant.conference_sid], participant, item.event)
    result.conferences[participant.conference_sid] = outcome.conference
    result.participants[item.subject] = outcome.participant
    number = result.number(item.subject)
    result.told += [(number, type(event)) for event in outcome.events]
    result.events += outcome.events
    result.effects += [(number, effect) for effect in outcome.effects]


EXPECTED: dict[str, tuple[list[str], list[str], list[str | None]]] = {
    "busy": (["failed"], ["busy"], ["last-participant-left"]),
    "no_such_gateway": (["failed"], ["failed"], ["last-participant-left"]),
    "removed_while_ringing": (["failed"], ["canceled"], ["last-participant-left"]),
    "rings_answers_removed": (["complete"], ["completed"], ["last-participant-left"]),
    "no_answer": (["complete", "failed"], ["completed", "no-answer"], ["last-participant-left"]),
    "early_media_then_busy": (["complete", "failed"], ["completed", "busy"], ["last-participant-left"]),
    "early_media_then_answer": (["complete"] * 2, ["completed"] * 2, ["last-participant-left"]),
    "end_on_exit_removed": (["complete"] * 2, ["completed"] * 2, ["participant-with-end-conference-on-exit-left"]),
    "end_on_exit_hangs_up": (["complete"] * 3, ["completed"] * 3, ["participant-with-end-conference-on-exit-left"]),
    "end_on_exit_with_a_ringing_leg": (
        ["complete"] * 3, ["completed"] * 3, ["participant-with-end-conference-on-exit-left"],
    ),
    "mute_events": (["complete"] * 3, ["completed"] * 3, ["last-participant-left"] * 2),
    "duplicate_uuid": (["complete"], ["completed"], ["last-participant-left"]),
}  # fmt: skip
"""Tape -> the participants' statuses, their calls' final statuses, why each conference ended."""

ENDS_ON_EXIT = {"end_on_exit_removed": 0, "end_on_exit_hangs_up": 2, "end_on_exit_with_a_ringing_leg": 2}


def test_every_tape_is_replayed() -> None:
    """And none is missing."""
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", EXPECTED)
def test_a_tape_ends_as_it_should(name: str) -> None:
    """Everyone has left exactly once, every conference has ended exactly once, for the right reason."""
    result = replay(name, ends_on_exit=ENDS_ON_EXIT.get(name))
    statuses, calls, reasons = EXPECTED[name]
    kinds = [kind for _, kind in result.told]

    assert result.statuses == statuses
    assert [str(final_call_status(each)) for each in result.participants.values()] == calls
    assert [each.end_reason for each in result.conferences.values()] == reasons
    assert kinds.count(ParticipantLeft) == len(result.participants)
    assert kinds.count(ConferenceEnded) == len(result.conferences)
    assert all((each.live_count, each.present_count) == (0, 0) for each in result.conferences.values())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_tape_in_which_every_event_comes_twice_tells_nothing_twice(name: str) -> None:
    """Two listeners, a repeated commit, a snapshot that saw it first."""
    once, twice = (replay(name, times=times, ends_on_exit=ENDS_ON_EXIT.get(name)) for times in (1, 2))

    assert twice.told == once.told
    assert twice.participants == once.participants
    assert twice.conferences == once.conferences
    assert twice.effects == once.effects


WHOLE_LIFE = [CallInitiated, CallAnswered, ParticipantJoined, ParticipantLeft, CallEnded]


def calls_part(kinds: list[type[Event]]) -> list[type[Event]]:
    """Without what is the conference's, and without speech."""
    return [kind for kind in kinds if kind not in (ConferenceStarted, ConferenceEnded, SpeechStarted, SpeechStopped)]


def test_busy_is_told_with_the_far_ends_answer() -> None:
    """No ringing, one end, 486; the job's failure afterwards is no second end."""
    result = replay("busy")
    (participant,) = result.participants.values()

    assert result.of(0) == [CallInitiated, CallEnded, ParticipantLeft, ConferenceEnded]
    assert (participant.hangup_cause, participant.sip_status) == ("USER_BUSY", 486)
    assert participant.joined_at is None


def test_a_dial_that_makes_no_leg_is_told_as_a_call_that_began_and_ended() -> None:
    """The only event is the job's."""
    result = replay("no_such_gateway")

    assert [type(item.event) for item in translated("no_such_gateway")] == [DialFailed]
    assert result.of(0) == [CallInitiated, CallEnded, ParticipantLeft, ConferenceEnded]
    assert next(iter(result.participants.values())).hangup_cause == "INVALID_GATEWAY"


def test_a_call_that_rings_answers_and_leaves() -> None:
    """All five call events in order, and its `del-member` before its end."""
    result = replay("rings_answers_removed")

    assert calls_part(result.of(0)) == [CallInitiated, CallRang, CallAnswered, *WHOLE_LIFE[2:]]
    assert SpeechStarted in result.of(0)
    assert ConferenceStarted not in result.of(0), "one is not a conference"


def test_a_leg_that_rings_and_is_removed_never_joined() -> None:
    """It leaves all the same."""
    result = replay("removed_while_ringing")

    assert result.of(0) == [CallInitiated, CallRang, CallEnded, ParticipantLeft, ConferenceEnded]


def test_early_media_that_ends_busy_never_joined() -> None:
    """Although FreeSWITCH had it as a member of the conference, and took it out."""
    kinds = [type(item.event) for item in translated("early_media_then_busy")]
    result = replay("early_media_then_busy")

    assert (kinds.count(MemberAdded), kinds.count(MemberRemoved)) == (2, 2)
    assert result.of(1) == [CallInitiated, CallRang, CallEnded, ParticipantLeft]
    assert ConferenceStarted not in [kind for _, kind in result.told]


def test_early_media_that_is_answered_joins_at_the_answer() -> None:
    """Two seconds after it became a member; then the conference starts."""
    result = replay("early_media_then_answer")
    second = list(result.participants.values())[1]
    added = next(
        i.event.at for i in translated("early_media_then_answer")
        if i.subject == second.call_sid and isinstance(i.event, MemberAdded)
    )  # fmt: skip

    assert calls_part(result.of(1))[:4] == [CallInitiated, CallRang, CallAnswered, ParticipantJoined]
    assert result.of(1)[:5] == [CallInitiated, CallRang, CallAnswered, ParticipantJoined, ConferenceStarted]
    assert second.joined_at == second.answered_at
    assert second.joined_at is not None
    assert (second.joined_at - added).total_seconds() > 1.5


def test_when_one_with_end_on_exit_hangs_up_the_others_follow_and_say_why() -> None:
    """The switch ends them by its hook; their `del-member` or their hangup may come first."""
    result = replay("end_on_exit_hangs_up", ends_on_exit=2)
    reasons = [str(event.reason) for event in result.events if isinstance(event, ParticipantLeft)]
    (conference,) = result.conferences.values()

    assert reasons == ["participant_hung_up", "moderator_ended_conference", "moderator_ended_conference"]
    assert conference.ending_call_sid == list(result.participants)[2]
    ends = [effect for _, effect in result.effects if isinstance(effect, EndOthers | EndCall)]
    assert ends == [EndOthers()]
    assert calls_part(result.of(0)) == calls_part(result.of(1)) == WHOLE_LIFE


def test_a_leg_that_answers_into_an_ended_conference_is_sent_away() -> None:
    """The switch's hook ends members only; a leg that still rings is ours to end, and is again when it joins."""
    result = replay("end_on_exit_with_a_ringing_leg", ends_on_exit=2)
    ends = (EndOthers, EndCall)
    ended = [effect for number, effect in result.effects if number == 1 and isinstance(effect, ends)]

    assert EndOthers in [type(effect) for number, effect in result.effects if number == 2]
    assert set(ended) == {EndCall()}
    assert result.told.count((1, ParticipantLeft)) == 1


def test_mutes_are_told_when_something_changed() -> None:
    """FreeSWITCH says `mute-member` again for one who is muted; a client hears of it once."""
    said = [type(item.event) for item in translated("mute_events")]
    result = replay("mute_events", muted=0)

    assert (said.count(ParticipantMuted), said.count(ParticipantUnmuted)) == (8, 5)
    assert [k for k in result.of(0) if k in (ParticipantMuted, ParticipantUnmuted)] == [
        ParticipantUnmuted, ParticipantMuted, ParticipantUnmuted, ParticipantMuted,
    ]  # fmt: skip
    assert [k for k in result.of(1) if k in (ParticipantMuted, ParticipantUnmuted)] == [
        ParticipantMuted, ParticipantUnmuted, ParticipantMuted, ParticipantUnmuted, ParticipantMuted,
    ]  # fmt: skip


def test_a_second_dial_with_the_same_uuid_does_not_end_the_first_call() -> None:
    """Its job fails while the first leg is in the conference: the leg's own end is awaited."""
    kinds = [type(item.event) for item in translated("duplicate_uuid")]

    assert DialFailed in kinds[: kinds.index(CallEnded)]
    assert calls_part(replay("duplicate_uuid").of(0)) == WHOLE_LIFE


@pytest.mark.parametrize("name", NAMES)
def test_a_tape_names_no_machine(name: str) -> None:
    """Recordings are published: no paths and no host of the machine that made them."""
    text = (TAPES / f"{name}.jsonl").read_text()

    assert not re.search(r"(/|%2F)(opt|work|root|home|usr|tmp|var)(/|%2F)", text)
    assert {h["FreeSWITCH-Hostname"] for h in map(orjson.loads, text.splitlines())} == {"switch"}


def test_the_tapes_stay_small() -> None:
    """They are part of every clone."""
    assert sum(path.stat().st_size for path in TAPES.iterdir()) < 1_000_000
