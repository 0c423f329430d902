"""Callbacks out: exactly the parameters of wire-contract sections 8.1 and 8.2."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.callbacks.plan import Callback, plan_callbacks
from orchestrator.dialects.twilio.callbacks import SERIALIZERS, serialize_callback, serialize_fetch
from orchestrator.domain.conference import (
    CallbackSettings,
    Conference,
    EndReason,
    LeaveReason,
    Participant,
    ParticipantStatus,
)
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
    Event,
    ParticipantHeld,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
    SpeechStarted,
    SpeechStopped,
)
from tests.unit.examples import AC, CA, CF, COACHED, EVENTS, PROGRESS, a_conference, a_participant, at

OTHER = "CA" + "9" * 32
DETECTION = CallbackSettings("https://app.example/detection", "POST", ("detection",))
PLACES = {
    f"{party}{place}": ""
    for party in ("From", "To", "Caller", "Called")
    for place in ("City", "State", "Zip", "Country")
}


def callback(event: Event, conference: Conference | None = None, participant: Participant | None = None) -> Callback:
    told = a_conference(callbacks=EVENTS, callbacks_fixed=True, sequence_number=4) if conference is None else conference
    to_tell = {"progress_callbacks": PROGRESS, "detection_callbacks": DETECTION}
    about = a_participant(**to_tell, call_sequence_number=2) if participant is None else participant
    (made,) = plan_callbacks(told, about, (event,))[2]
    return made


def sent(event: Event, conference: Conference | None = None, participant: Participant | None = None) -> dict[str, str]:
    parameters = serialize_callback(callback(event, conference, participant))

    assert len(dict(parameters)) == len(parameters), "a parameter is sent twice"
    assert all(isinstance(value, str) for _, value in parameters)
    return dict(parameters)


def a_told_conference(**changes: Any) -> Conference:
    return a_conference(callbacks=EVENTS, callbacks_fixed=True, **changes)


def of_conference(kind: str) -> dict[str, str]:
    return {
        "ConferenceSid": CF,
        "FriendlyName": "weekly",
        "AccountSid": AC,
        "SequenceNumber": "4",
        "Timestamp": "Tue, 03 Feb 2026 04:05:15 +0000",
        "StatusCallbackEvent": kind,
    }


def of_participant(kind: str) -> dict[str, str]:
    return of_conference(kind) | {
        "CallSid": CA,
        "Muted": "false",
        "Hold": "false",
        "Coaching": "false",
        "EndConferenceOnExit": "false",
        "StartConferenceOnEnter": "true",
    }


def of_call(status: str) -> dict[str, str]:
    return {
        "CallSid": CA,
        "AccountSid": AC,
        "From": "+15550001000",
        "To": "+15550002000",
        "Caller": "+15550001000",
        "Called": "+15550002000",
        "Direction": "outbound-api",
        "ApiVersion": "2010-04-01",
        "CallStatus": status,
        "CallbackSource": "call-progress-events",
        "SequenceNumber": "2",
        "Timestamp": "Tue, 03 Feb 2026 04:05:15 +0000",
        **PLACES,
    }


NOW = at(9)


EXACT: list[tuple[Event, dict[str, str]]] = [
    (ConferenceStarted(NOW), of_conference("conference-start")),
    (ParticipantJoined(NOW), of_participant("participant-join")),
    (ParticipantMuted(NOW), of_participant("participant-mute")),
    (ParticipantUnmuted(NOW), of_participant("participant-unmute")),
    (ParticipantHeld(NOW), of_participant("participant-hold")),
    (ParticipantUnheld(NOW), of_participant("participant-unhold")),
    (ParticipantModified(NOW, beep_on_exit=False), of_participant("participant-modify")),
    (SpeechStarted(NOW), of_participant("participant-speech-start")),
    (SpeechStopped(NOW), of_participant("participant-speech-stop")),
    (
        AnswererDetected(NOW, "machine_end_beep", 7320),
        {"CallSid": CA, "AccountSid": AC, "AnsweredBy": "machine_end_beep", "MachineDetectionDuration": "7320"},
    ),
    (
        AnnouncementEnded(NOW, "https://app.example/a", "one"),
        of_conference("announcement-end") | {"AnnounceUrl": "https://app.example/a"},
    ),
    (
        AnnouncementFailed(NOW, "https://app.example/a", "11200: no", "one"),
        of_conference("announcement-fail")
        | {"AnnounceUrl": "https://app.example/a", "ReasonAnnouncementFailed": "11200: no"},
    ),
    (
        ParticipantLeft(NOW, LeaveReason.ADD_FAILED),
        of_participant("participant-leave")
        | {"ParticipantCallStatus": "failed", "ReasonParticipantLeft": "participant_add_failed"},
    ),
    (ConferenceEnded(NOW), of_conference("conference-end")),
    (CallInitiated(NOW), of_call("initiated")),
    (CallRang(NOW), of_call("ringing")),
    (CallAnswered(NOW), of_call("in-progress")),
    (CallEnded(NOW, "X"), of_call("failed") | {"CallDuration": "0", "Duration": "0", "SipResponseCode": "503"}),
]


@pytest.mark.parametrize(("event", "expected"), EXACT)
def test_a_callback_has_exactly_these_parameters(event: Event, expected: dict[str, str]) -> None:
    """Every kind, with nothing optional set."""
    assert sent(event) == expected


def test_every_kind_is_tried_above() -> None:
    """A new serializer gets a row."""
    assert {callback(event).kind for event, _ in EXACT} == set(SERIALIZERS)


def test_a_participants_callback_says_all_about_it() -> None:
    """The label and whom it coaches only if there are such."""
    participant = a_participant(
        label="customer", muted=True, hold=True, coaching=True, call_sid_to_coach=COACHED,
        start_conference_on_enter=False, end_conference_on_exit=True,
    )  # fmt: skip
    changed = set(sent(ParticipantJoined(NOW), a_told_conference(sequence_number=4), participant).items()) - set(
        of_participant("participant-join").items()
    )

    assert changed == {
        ("Muted", "true"), ("Hold", "true"), ("Coaching", "true"), ("CallSidToCoach", COACHED),
        ("ParticipantLabel", "customer"), ("EndConferenceOnExit", "true"), ("StartConferenceOnEnter", "false"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "event",
    [
        AnnouncementEnded(NOW, "https://app.example/a", "one"),
        AnnouncementFailed(NOW, "https://app.example/a", "no", "one"),
    ],
)
def test_an_announcement_to_one_says_to_whom_while_they_are_there(event: Event) -> None:
    """One who has left, or to all: nobody's call."""
    present = a_participant(status=ParticipantStatus.CONNECTED, label="customer")
    told = a_told_conference(sequence_number=4)
    to_one, to_nobody = sent(event, told, present), sent(event, told, a_participant(status=ParticipantStatus.COMPLETE))
    (planned,) = plan_callbacks(told, None, (event,))[2]
    to_all = dict(serialize_callback(planned))

    assert {"CallSid": CA, "ParticipantLabel": "customer", "Hold": "false"}.items() <= to_one.items()
    assert (
        to_nobody.keys()
        == to_all.keys()
        == to_one.keys() - of_participant("x").keys() - {"ParticipantLabel"} | set(of_conference("x"))
    )


def test_a_fetch_says_for_whom_it_is() -> None:
    """Wire-contract section 8.5; an announcement to all is for nobody in particular."""
    to_all = [("AccountSid", AC), ("ApiVersion", "2010-04-01"), ("ConferenceSid", CF), ("FriendlyName", "weekly")]

    assert serialize_fetch(a_conference(), None) == to_all
    assert serialize_fetch(a_conference(), a_participant()) == [
        *to_all,
        ("CallSid", CA),
        ("From", "+15550001000"),
        ("To", "+15550002000"),
        ("CallStatus", "in-progress"),
        ("Direction", "outbound-api"),
    ]


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("muted", "Muted"), ("hold", "Hold"), ("coaching", "Coaching"),
        ("end_conference_on_exit", "EndConferenceOnExit"), ("start_conference_on_enter", "StartConferenceOnEnter"),
    ],
)  # fmt: skip
def test_each_boolean_has_its_own_parameter(field: str, name: str) -> None:
    """Changed alone, it changes that parameter alone."""
    plain = a_participant()
    before = sent(ParticipantJoined(NOW), None, plain)
    after = sent(ParticipantJoined(NOW), None, a_participant(**{field: not getattr(plain, field)}))

    assert {key for key in after if after[key] != before[key]} == {name}


@pytest.mark.parametrize("reason", LeaveReason)
def test_a_leave_says_why(reason: LeaveReason) -> None:
    """With underscores; and how the call ended."""
    answered = a_participant(answered_at=at(1))
    parameters = sent(ParticipantLeft(NOW, reason), None, answered)

    assert (parameters["ReasonParticipantLeft"], parameters["ParticipantCallStatus"]) == (reason.value, "completed")


@pytest.mark.parametrize("reason", EndReason)
def test_an_end_says_why_and_who(reason: EndReason) -> None:
    """With hyphens, and in words; the label belongs to the one who ended it."""
    conference = a_told_conference(end_reason=reason, ending_call_sid=CA, ending_label="customer")
    parameters = sent(ConferenceEnded(NOW), conference, a_participant(label="the last to leave"))
    extra = set(parameters) - set(of_conference("conference-end"))

    assert extra == {
        "CallSidEndingConference", "ParticipantLabelEndingConference", "ReasonConferenceEnded", "Reason",
    }  # fmt: skip
    assert parameters["CallSidEndingConference"] == CA
    assert parameters["ParticipantLabelEndingConference"] == "customer"
    assert parameters["ReasonConferenceEnded"] == reason.value
    assert parameters["Reason"]


@pytest.mark.parametrize(
    ("ending", "label", "extra"),
    [
        (None, "customer", set()),
        (OTHER, "customer", {"CallSidEndingConference"}),
        (CA, None, {"CallSidEndingConference"}),
    ],
)
def test_an_end_names_nobody_else(ending: str | None, label: str | None, extra: set[str]) -> None:
    """Ended by the API: no call. Ended by another: not with this one's label."""
    conference = a_told_conference(end_reason=EndReason.VIA_API, ending_call_sid=ending)
    parameters = sent(ConferenceEnded(NOW), conference, a_participant(label=label))

    assert set(parameters) - set(of_conference("conference-end")) == {"ReasonConferenceEnded", "Reason"} | extra


@pytest.mark.parametrize(
    ("changes", "sip_status", "expected"),
    [
        ({"hangup_cause": "USER_BUSY"}, 486, ("busy", "486")),
        ({"hangup_cause": "NO_ANSWER"}, None, ("no-answer", "487")),
        ({"hangup_cause": "NO_ANSWER"}, 480, ("no-answer", "480")),
        ({"hangup_cause": "UNALLOCATED_NUMBER"}, 404, ("failed", "404")),
        ({"hangup_cause": "NORMAL_CLEARING", "removal_requested": True}, None, ("canceled", "487")),
        ({"hangup_cause": "NORMAL_CLEARING", "answered_at": at(1)}, 200, ("completed", "200")),
        ({"hangup_cause": "NORMAL_CLEARING", "answered_at": at(1)}, None, ("completed", "200")),
        ({"hangup_cause": "USER_BUSY"}, None, ("busy", "486")),
        ({"hangup_cause": "INVALID_GATEWAY"}, None, ("failed", "503")),
    ],
)
def test_the_end_of_a_call_says_how_it_ended(
    changes: dict[str, Any], sip_status: int | None, expected: tuple[str, str]
) -> None:
    """Always with a SIP answer: the far end's if it gave one, else what our INVITE or our CANCEL was answered with."""
    participant = a_participant(progress_callbacks=PROGRESS, ended_at=NOW, **changes)
    parameters = sent(CallEnded(NOW, "X", sip_status), None, participant)

    assert (parameters["CallStatus"], parameters["SipResponseCode"]) == expected


@given(st.integers(0, 100_000))
def test_a_call_is_counted_in_seconds_and_in_minutes_begun(seconds: int) -> None:
    """From the answer to the end: 49 s are one minute, 60 s too, 61 s are two."""
    participant = a_participant(progress_callbacks=PROGRESS, answered_at=at(5), ended_at=at(5 + seconds))
    parameters = sent(CallEnded(participant.ended_at or NOW, "X"), None, participant)

    assert parameters["CallDuration"] == str(seconds)
    assert int(parameters["Duration"]) * 60 - seconds in range(60)


def test_an_unanswered_call_lasted_no_time() -> None:
    """However long it rang."""
    parameters = sent(CallEnded(at(60), "NO_ANSWER"), None, a_participant(progress_callbacks=PROGRESS, ended_at=at(60)))

    assert (parameters["CallDuration"], parameters["Duration"]) == ("0", "0")


@pytest.mark.parametrize("to", ["sip:alice@example.com", "client:alice"])
def test_only_a_phone_number_has_a_place(to: str) -> None:
    """The sixteen places are sent for phone numbers, empty if unknown."""
    parameters = sent(CallRang(NOW), None, a_participant(progress_callbacks=PROGRESS, to=to))

    assert parameters.keys().isdisjoint(PLACES)
    assert parameters["To"] == parameters["Called"] == to


@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_text_from_outside_is_carried_unchanged(name: str, label: str) -> None:
    """Friendly name and label, any character."""
    settings = CallbackSettings("https://a/", "POST", ("join",))
    conference = a_conference(friendly_name=name, callbacks=settings, callbacks_fixed=True)
    parameters = sent(ParticipantJoined(NOW), conference, a_participant(label=label))

    assert (parameters["FriendlyName"], parameters["ParticipantLabel"]) == (name, label)
