"""Who picked up: from MachineDetection to AnsweredBy, with a real detector on what phones really say."""

from __future__ import annotations

import uuid

import pytest

from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack


def call(stack: Stack, to: str, detection: str, **more: object) -> str:
    """Dial somebody of whom it is to be found out who picks up; returns the CallSid."""
    settings = stack.call_settings(
        machine_detection=detection, amd_status_callback=stack.receiver.url("/detection"), **more
    )
    name = f"detection {uuid.uuid4().hex[:8]}"
    return str(stack.client().conferences(name).participants.create(to=to, **settings).call_sid)


def detections(stack: Stack, call_sid: str) -> list[dict[str, str]]:
    """The AmdStatusCallbacks of a call; each is signed."""
    found = [one for one in list(stack.receiver.received) if one.path == "/detection"]
    assert all(one.is_signed for one in found)
    return [one.parameters for one in found if one.parameters["CallSid"] == call_sid]


def detection_of(stack: Stack, call_sid: str, seconds: float = 12.0) -> dict[str, str]:
    return eventually(lambda: detections(stack, call_sid), "somebody says who picked up", seconds=seconds)[0]


@pytest.mark.parametrize(
    ("to", "detection", "answered_by"),
    [
        (FarEnd.A_PERSON, "Enable", "human"),
        (FarEnd.A_PERSON, "DetectMessageEnd", "human"),
        (FarEnd.A_MACHINE_WITH_A_BEEP, "Enable", "machine_start"),
        (FarEnd.A_MACHINE_WITH_A_BEEP, "DetectMessageEnd", "machine_end_beep"),
        (FarEnd.A_MACHINE_WITHOUT_A_BEEP, "DetectMessageEnd", "machine_end_silence"),
    ],
)
def test_who_picked_up_is_told_once_and_signed(stack: Stack, to: str, detection: str, answered_by: str) -> None:
    """AmdStatusCallback has Twilio's four parameters, and all progress callbacks from then on say it as well."""
    call_sid = call(stack, to, detection)

    told = detection_of(stack, call_sid)
    assert set(told) == {"CallSid", "AccountSid", "AnsweredBy", "MachineDetectionDuration"}
    assert (told["AnsweredBy"], told["AccountSid"]) == (answered_by, stack.account_sid)
    assert 1000 < int(told["MachineDetectionDuration"]) < 6000
    end_call(stack, call_sid)
    completed = eventually(lambda: progress(stack, call_sid, "completed"), "the call's end is told")[0]
    assert completed["AnsweredBy"] == answered_by
    assert len(detections(stack, call_sid)) == 1


def test_a_muted_participant_on_hold_is_heard_by_the_detector(stack: Stack) -> None:
    """The conference hears nothing of them, and it is found out all the same who they are."""
    call_sid = call(stack, FarEnd.A_MACHINE_WITH_A_BEEP, "Enable", muted=True)

    assert detection_of(stack, call_sid)["AnsweredBy"] == "machine_start"
    end_call(stack, call_sid)


def test_whoever_hangs_up_first_is_unknown(stack: Stack) -> None:
    """One callback all the same: a client that waits for it does not wait for ever."""
    call_sid = call(stack, FarEnd.A_PERSON, "Enable")
    eventually(lambda: progress(stack, call_sid, "in-progress"), "the call is answered")
    end_call(stack, call_sid)

    assert detection_of(stack, call_sid)["AnsweredBy"] == "unknown"


def test_without_a_detector_the_answer_is_unknown_by_the_timeout(own_stack: Stack) -> None:
    """Neither the call nor its client hangs: the listener says it, also one that has been killed meanwhile."""
    stack = own_stack
    stack.detector.kill_9()
    call_sid = call(stack, FarEnd.A_PERSON, "Enable", machine_detection_timeout=3)
    eventually(lambda: progress(stack, call_sid, "in-progress"), "the call is answered")
    stack.listener.kill_9()
    stack.listener.start()

    told = detection_of(stack, call_sid)
    assert (told["AnsweredBy"], told["MachineDetectionDuration"]) == ("unknown", "3000")


def test_no_audio_is_left_behind(stack: Stack) -> None:
    """What people say is kept no longer than it is listened to."""
    call_sid = call(stack, FarEnd.A_PERSON, "Enable")
    detection_of(stack, call_sid)

    eventually(lambda: not list((stack.directory / "detection").iterdir()), "the audio is gone")
    end_call(stack, call_sid)


def progress(stack: Stack, call_sid: str, status: str) -> list[dict[str, str]]:
    return [one.parameters for one in stack.receiver.of(call_sid) if one.parameters["CallStatus"] == status]


def end_call(stack: Stack, call_sid: str) -> None:
    conferences = stack.client().conferences.list(status="init") + stack.client().conferences.list(status="in-progress")
    for conference in conferences:
        for participant in stack.client().conferences(conference.sid).participants.list():
            if participant.call_sid == call_sid:
                participant.delete()
