"""People who are busy, away or gone: the participant fails, and the app is told why."""

from __future__ import annotations

from functools import partial

import pytest
from twilio.base.exceptions import TwilioRestException

from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import FarEnd
from tests.harness.sip import Agent, Message, Reply
from tests.harness.stack import RealSwitch, Stack

RESPONSES = {
    486: "busy", 600: "busy", 480: "no-answer", 487: "no-answer", 403: "failed", 404: "failed", 408: "failed",
    488: "failed", 500: "failed", 503: "failed", 603: "failed",
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "status", "sip_status"),
    [
        (FarEnd.BUSY, "busy", "486"),
        (FarEnd.UNREACHABLE, "failed", "404"),
        (FarEnd.DECLINES, "failed", "603"),
        (FarEnd.EARLY_MEDIA_1_SECOND_THEN_BUSY, "busy", "486"),
    ],
)
def test_a_call_that_is_refused_is_told_with_the_far_ends_own_answer(
    stack: Stack, number: str, status: str, sip_status: str
) -> None:
    """One leave without a join, `participant_add_failed`, and the SIP status of the far end."""
    conference = stack.client().conferences(f"refused {number}")
    settings = stack.call_settings(conference_status_callback_event=["start", "end", "join", "leave"])
    participant = conference.participants.create(to=number, **settings)
    stack.receiver.await_kind(participant.conference_sid, "conference-end")
    completed = stack.receiver.await_kind(participant.call_sid, f"call {status}")[0]
    leave, end = stack.receiver.of(participant.conference_sid)

    assert completed.parameters["SipResponseCode"] == sip_status
    assert (completed.parameters["CallDuration"], completed.parameters["Duration"]) == ("0", "0")
    assert leave.parameters["ReasonParticipantLeft"] == "participant_add_failed"
    assert leave.parameters["ParticipantCallStatus"] == status
    assert end.parameters["ReasonConferenceEnded"] == "last-participant-left"


def answer_with(status: int, request: Message) -> list[Reply]:
    """That status to an INVITE."""
    return [Reply(status if request.method == "INVITE" else 200)]


def test_each_sip_response_has_its_final_status(stack: Stack) -> None:
    """The rows of domain/hangup.py, on the wire: each response of a far end, the status that is told for it everywhere,
    the response itself, sequence numbers from 0, and nothing left on the switch."""
    if not isinstance(stack.switch, RealSwitch):
        pytest.skip("the sandbox has no SIP")
    conference = stack.client().conferences("responses")
    settings = stack.call_settings(conference_status_callback_event=["start", "end", "join", "leave"])
    for response, status in RESPONSES.items():
        with Agent(partial(answer_with, response)) as phone:
            made = conference.participants.create(to=phone.uri, **settings)
            completed = stack.receiver.await_kind(made.call_sid, f"call {status}")[0].parameters
        stack.receiver.await_kind(made.conference_sid, "conference-end")
        kinds = [(one.kind, one.parameters["SequenceNumber"]) for one in stack.receiver.of(made.call_sid)]
        (leave,) = [one for one in stack.receiver.of(made.conference_sid) if one.kind.startswith("participant")]

        assert completed["SipResponseCode"] == str(response)
        assert (completed["CallDuration"], completed["Duration"]) == ("0", "0")
        assert kinds == [("call initiated", "0"), (f"call {status}", "1")]
        assert leave.kind == "participant-leave"
        assert leave.parameters["ParticipantCallStatus"] == status
        assert leave.parameters["ReasonParticipantLeft"] == "participant_add_failed"
        assert stack.switch.api(f"uuid_exists {channel_uuid_of(made.call_sid)}") == "false"


@pytest.mark.parametrize("early_media", [True, False])
def test_nobody_answers_within_the_timeout_and_its_buffer(stack: Stack, early_media: bool) -> None:
    """Timeout plus 5 s: then the call is `no-answer`, with or without early media."""
    number = "+15550007060" if early_media else FarEnd.NEVER_ANSWERS
    conference = stack.client().conferences(f"patience {early_media}")
    participant = conference.participants.create(to=number, timeout=5, early_media=early_media, **stack.call_settings())
    (completed,) = stack.receiver.await_kind(participant.call_sid, "call no-answer", seconds=20)
    ringing = stack.receiver.of(participant.call_sid)[1]

    assert completed.parameters["SipResponseCode"] == "487"
    assert 8.0 < completed.at - ringing.at < 12.0


def test_removing_somebody_who_still_rings_ends_the_call(stack: Stack) -> None:
    """204 only when it is so: the leg is gone from the switch, and the call is `canceled`."""
    conference = stack.client().conferences("still ringing")
    participant = conference.participants.create(to=FarEnd.NEVER_ANSWERS, label="late", **stack.call_settings())
    stack.receiver.await_kind(participant.call_sid, "call ringing")
    assert stack.client().conferences(participant.conference_sid).participants("late").delete() is True

    assert stack.switch.api(f"uuid_exists {channel_uuid_of(participant.call_sid)}") == "false"
    stack.receiver.await_kind(participant.call_sid, "call canceled")


def test_removing_somebody_right_after_the_create_ends_the_call(stack: Stack) -> None:
    """Also a leg that the switch has not made yet when the request comes."""
    client = stack.client()
    for number in range(20):
        participant = client.conferences(f"at once {number}").participants.create(
            to=FarEnd.NEVER_ANSWERS, **stack.call_settings()
        )
        assert client.conferences(participant.conference_sid).participants(participant.call_sid).delete() is True
        with pytest.raises(TwilioRestException):
            client.conferences(participant.conference_sid).participants(participant.call_sid).fetch()

    assert stack.receiver.await_kind(participant.call_sid, "call canceled")
