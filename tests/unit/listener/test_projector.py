"""Events lead to changes, callbacks and effects without anything being read, written or sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.callbacks.entry import Entry
from orchestrator.dialects.twilio.callbacks import serialize_callback
from orchestrator.domain.changes import Change, Versioned
from orchestrator.domain.conference import Conference, ConferenceStatus, Participant, ParticipantStatus, SwitchRef
from orchestrator.domain.effects import RefreshSound, UpdateHearing
from orchestrator.domain.events import (
    AnnouncementEnded,
    CallAnswered,
    CallEnded,
    CallInitiated,
    Event,
    Happened,
    MemberAdded,
    MemberRemoved,
    OwedEnd,
)
from orchestrator.listener.projector import Known, Projection, may_end, project
from tests.unit.examples import CA, CF, EVENTS, PROGRESS, UUID, a_conference, a_participant, at

OTHER = "CA" + "2" * 32
GONE = CallEnded(at(9), "NORMAL_CLEARING")


def known(conference: Conference, *people: Participant, owed: tuple[OwedEnd, ...] = ()) -> Known:
    group = {person.call_sid: person for person in people}
    return Known({CF: Versioned(conference, 3)}, {CF: group}, {CF: list(owed)})


def projected(state: Known, *happened: tuple[str, Event]) -> Projection:
    return project(state, [(CF, Happened(subject, CF, event)) for subject, event in happened], serialize_callback)


def entries(change: Change, lane: str = "conference") -> list[Entry]:
    return [Entry.load(row.entry.decode()) for row in change.outbox[lane]]


def there(**changes: object) -> Participant:
    values = {"status": ParticipantStatus.CONNECTED, "answered_at": at(1), "joined_at": at(2)}
    return a_participant(switch=SwitchRef("n1", UUID, 7), **{**values, **changes})


def in_progress(**changes: object) -> Conference:
    values = {"status": ConferenceStatus.IN_PROGRESS, "callbacks": EVENTS, "callbacks_fixed": True}
    return a_conference(**{**values, "live_count": 2, "present_count": 2, "starter_count": 2, **changes})


def test_a_call_s_events_lead_to_state_callbacks_and_effects() -> None:
    """What was known stays as it was: nothing is a fact before it is committed."""
    new = a_participant(progress_callbacks=PROGRESS, conference_callbacks=EVENTS)
    state = known(a_conference(), new)
    found = projected(state, (CA, CallInitiated(at(1))), (CA, CallAnswered(at(2))), (CA, MemberAdded(at(3), 7)))
    change = found.changes[CF]

    assert change.before.version == 3
    assert change.participants[CA][0] == state.participants[CF][CA] == new
    assert change.participants[CA][1].status is ParticipantStatus.CONNECTED
    assert [entry.kind for entry in entries(change)] == ["participant-join"]
    assert [entry.kind for entry in entries(change, CA)] == ["initiated", "answered"]
    joined = (CA, "MemberAdded", "connecting", "connected", "")
    assert found.effects[CF] == [(UpdateHearing(), joined), (RefreshSound(), joined)]


def test_an_event_of_the_conference_needs_no_participant() -> None:
    """Its settings and its number are the conference's, and it is nobody's call."""
    found = projected(
        known(in_progress(sequence_number=5)), (CF, AnnouncementEnded(at(3), "https://app.example/a", "1"))
    )
    (entry,) = entries(found.changes[CF])

    assert (entry.kind, entry.call_sid, dict(entry.parameters)["SequenceNumber"]) == ("announcement-end", "", "5")
    assert found.changes[CF].participants == {}
    assert found.changes[CF].after.sequence_number == 6
    assert found.changes[CF].transitions == [(CF, "AnnouncementEnded", "in-progress", "in-progress", "")]


def test_a_fact_may_come_after_the_conference_s_end() -> None:
    """A call ends a moment after its conference: its own lane goes on."""
    over = in_progress(status=ConferenceStatus.COMPLETED, live_count=0, present_count=0, starter_count=0)
    left = there(status=ParticipantStatus.COMPLETE, left_at=at(5), progress_callbacks=PROGRESS)
    found = projected(known(over, left), (CA, GONE))

    assert found.changes[CF].outbox.keys() == {CA}
    assert [entry.kind for entry in entries(found.changes[CF], CA)] == ["completed"]


def test_late_news_leads_to_nothing() -> None:
    """Neither a change nor a callback, of whatever subject."""
    state = known(in_progress(announced_id="1"), there())

    assert projected(state, (CA, CallAnswered(at(3))), (CF, AnnouncementEnded(at(3), "x", "1"))) == Projection()


def test_the_end_tells_what_it_cuts_off_of_each_subject() -> None:
    """That to one of a call, that to all of the conference; what is told at the same time is not told again.
    Each names who asked for it."""
    owed = tuple(OwedEnd(str(n), f"https://app.example/{n}", n != 2, f"RQ{n}") for n in range(3))
    ending = in_progress(live_count=1, present_count=1, starter_count=1, end_request="RQ9")
    state = known(ending, there(), owed=owed)
    told = AnnouncementEnded(at(3), owed[0].announce_url, "0")
    found = projected(state, (CF, told), (CA, MemberRemoved(at(4))))

    assert [(entry.kind, entry.call_sid, entry.request_id) for entry in entries(found.changes[CF])] == [
        ("announcement-end", "", ""), ("participant-leave", CA, "RQ9"), ("announcement-fail", "", "RQ1"),
        ("announcement-fail", CA, "RQ2"), ("conference-end", CA, "RQ9"),
    ]  # fmt: skip


@pytest.mark.parametrize(("number", "ends"), [(1, []), (2, [CF])])
def test_a_conference_may_end_when_as_many_go_as_there_are(number: int, ends: list[str]) -> None:
    """Only then is it asked what its end cuts off."""
    people = there(), there(call_sid=OTHER)
    gone = [(CF, Happened(person.call_sid, CF, MemberRemoved(at(4)))) for person in people[:number]]

    assert may_end(known(in_progress(), *people), gone) == ends


def test_one_event_that_cannot_be_applied_costs_no_other() -> None:
    """A defect is logged; a change is whole or is not there."""
    other = replace(there(), call_sid=OTHER)
    found = projected(known(in_progress(), there(), other), (CA, Event(at(3))), (OTHER, GONE))

    assert found.changes[CF].participants.keys() == {OTHER}


def test_a_leg_without_a_record_is_a_stray() -> None:
    """So is one whose record says that it has ended: what shows it alive is the reason."""
    ended = there(status=ParticipantStatus.COMPLETE, left_at=at(3), ended_at=at(4))
    state = known(in_progress(), ended)

    assert projected(state, (CA, CallAnswered(at(5))), (OTHER, MemberAdded(at(5), 9))).strays == [(CF, CA), (CF, OTHER)]
    assert projected(state, (CA, GONE), (OTHER, GONE)).strays == []
