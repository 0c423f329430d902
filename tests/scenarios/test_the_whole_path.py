"""A tenant's app with the official SDK: three people, labels, mute, remove, end; and every callback."""

from __future__ import annotations

import uuid

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack


def test_three_people_are_added_muted_removed_and_the_conference_is_completed(stack: Stack) -> None:
    """Everything that the README promises, in one conference, with signed callbacks without gaps."""
    client = stack.client()
    name = f"standup {uuid.uuid4().hex[:8]}"
    settings = stack.call_settings()
    labels = ("alice", "bob", "carol")
    created = {
        label: client.conferences(name).participants.create(to=FarEnd.RINGS_THEN_ANSWERS, label=label, **settings)
        for label in labels
    }
    conference_sid = created["alice"].conference_sid
    stack.receiver.await_kind(conference_sid, "participant-join", 3)

    assert {p.conference_sid for p in created.values()} == {conference_sid}
    assert {p.status for p in created.values()} == {"queued"}
    conference = client.conferences(conference_sid).fetch()
    assert (conference.status, conference.friendly_name) == ("in-progress", name)
    listed = client.conferences(conference_sid).participants.list()
    assert sorted(p.label for p in listed) == sorted(labels)
    assert {p.status for p in listed} == {"connected"}

    participants = client.conferences(conference_sid).participants
    assert participants("alice").update(muted=True).muted is True
    assert participants("alice").fetch().muted is True
    assert [p.label for p in participants.list(muted=True)] == ["alice"]
    stack.receiver.await_kind(conference_sid, "participant-mute")
    assert participants(created["alice"].call_sid).update(muted=False).muted is False
    stack.receiver.await_kind(conference_sid, "participant-unmute")

    assert participants("bob").delete() is True
    with pytest.raises(TwilioRestException) as gone:
        participants("bob").fetch()
    assert (gone.value.status, gone.value.code) == (404, 20404)

    ended = client.conferences(conference_sid).update(status="completed")
    assert (ended.status, ended.reason_conference_ended) == ("completed", "conference-ended-via-api")
    stack.receiver.await_kind(conference_sid, "conference-end")
    _assert_conference_callbacks(stack, conference_sid)
    for participant in created.values():
        _assert_call_callbacks(stack, participant.call_sid)


def _assert_conference_callbacks(stack: Stack, conference_sid: str) -> None:
    received = stack.receiver.of(conference_sid)
    kinds = [r.kind for r in received]
    assert all(r.is_signed for r in received)
    assert [int(r.parameters["SequenceNumber"]) for r in received] == list(range(1, len(received) + 1))
    assert sorted(kinds) == sorted(
        ["participant-join"] * 3
        + ["participant-leave"] * 3
        + ["conference-start", "participant-mute", "participant-unmute", "conference-end"]
    )
    assert kinds.index("conference-start") == 2, "after the second join"
    assert kinds[-1] == "conference-end"
    reasons = {r.parameters["ParticipantLabel"]: r.parameters["ReasonParticipantLeft"] for r in received
               if r.kind == "participant-leave"}  # fmt: skip
    assert reasons == {
        "bob": "participant_updated_via_api",
        "alice": "conference_ended_via_api",
        "carol": "conference_ended_via_api",
    }


def _assert_call_callbacks(stack: Stack, call_sid: str) -> None:
    eventually(lambda: stack.receiver.kinds(call_sid)[-1:] == ["call completed"], f"{call_sid} is told to have ended")
    received = stack.receiver.of(call_sid)
    assert [r.kind for r in received] == ["call initiated", "call ringing", "call in-progress", "call completed"]
    assert [r.parameters["SequenceNumber"] for r in received] == ["0", "1", "2", "3"]
    assert all(r.is_signed for r in received)
    assert received[-1].parameters["Direction"] == "outbound-api"
