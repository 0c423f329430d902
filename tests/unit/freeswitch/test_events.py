"""Headers of the switch -> domain events. What real ones lead to: test_tapes.py."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    DialFailed,
    Event,
    Happened,
    MemberAdded,
    MemberRemoved,
    ParticipantHeld,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
    SpeechStarted,
    SpeechStopped,
)
from orchestrator.freeswitch.events import (
    CONFERENCE_ACTIONS,
    EVENT_NAMES,
    SOUND_ENDS,
    SUBSCRIPTION,
    EndedSound,
    translate_event,
)
from orchestrator.freeswitch.files import tagged
from orchestrator.freeswitch.whisper import SPEECH, StartWhisper, Whisper
from tests.unit.examples import CA, CF, UUID

AT = datetime(2026, 11, 20, 8, 0, 0, 123456, UTC)
STAMP = str(int(AT.timestamp()) * 1_000_000 + 123456)


def channel(name: str, **headers: str) -> dict[str, str]:
    return {
        "Event-Name": name,
        "Event-Date-Timestamp": STAMP,
        "Unique-ID": UUID,
        "Call-Direction": "outbound",
        "variable_orchestrator_conference_sid": CF,
        **headers,
    }


def conference(action: str, **headers: str) -> dict[str, str]:
    return {
        "Event-Name": "CUSTOM",
        "Event-Subclass": "conference::maintenance",
        "Event-Date-Timestamp": STAMP,
        "Action": action,
        "Conference-Name": CF,
        "Unique-ID": UUID,
        "Member-ID": "7",
        "Speak": "true",
        **headers,
    }


AS_COACH = {"Channel-Presence-ID": "orchestrator-coach"}


TRANSLATED: list[tuple[dict[str, str], Event]] = [
    (channel("CHANNEL_CREATE"), CallInitiated(AT)),
    (channel("CHANNEL_PROGRESS"), CallRang(AT)),
    (channel("CHANNEL_PROGRESS_MEDIA"), CallRang(AT)),
    (channel("CHANNEL_ANSWER"), CallAnswered(AT)),
    (
        channel("CHANNEL_HANGUP_COMPLETE", **{"Hangup-Cause": "USER_BUSY", "variable_sip_term_status": "486"}),
        CallEnded(AT, "USER_BUSY", 486),
    ),
    (channel("CHANNEL_HANGUP_COMPLETE", **{"Hangup-Cause": "NO_ANSWER"}), CallEnded(AT, "NO_ANSWER", None)),
    (channel("CHANNEL_HANGUP_COMPLETE", variable_sip_term_status="4x"), CallEnded(AT, "UNKNOWN", None)),
    (
        channel(
            "CHANNEL_HANGUP_COMPLETE",
            **{
                "Hangup-Cause": "REQUESTED_CHAN_UNAVAIL",
                "variable_proto_specific_hangup_cause": "sip:302",
                "variable_sip_invite_failure_status": "487",
            },
        ),
        CallEnded(AT, "REQUESTED_CHAN_UNAVAIL", 302),
    ),
    (conference("add-member"), MemberAdded(AT, 7, False)),
    (conference("add-member", Speak="false"), MemberAdded(AT, 7, True)),
    (conference("add-member", Speak="false", **AS_COACH), MemberAdded(AT, 7, None)),
    (conference("del-member"), MemberRemoved(AT)),
    (conference("mute-member"), ParticipantMuted(AT)),
    (conference("unmute-member"), ParticipantUnmuted(AT)),
    (conference("hold-member"), ParticipantHeld(AT)),
    (conference("unhold-member"), ParticipantUnheld(AT)),
    (conference("start-talking"), SpeechStarted(AT)),
    (conference("stop-talking"), SpeechStopped(AT)),
]


@pytest.mark.parametrize(("headers", "event"), TRANSLATED)
def test_an_event_of_the_switch_is_a_domain_event(headers: dict[str, str], event: Event) -> None:
    """With its call, its conference and its own moment to the microsecond."""
    assert translate_event(headers) == Happened(CA, CF, event)


PAIR = Whisper(CF, CA, SPEECH)
LEG = {"Unique-ID": PAIR.channel_uuid, "Channel-Name": StartWhisper(PAIR).render().partition("}")[2][:127]}


@pytest.mark.parametrize(
    ("action", "event"),
    [
        ("start-talking", SpeechStarted(AT)),
        ("stop-talking", SpeechStopped(AT)),
        ("del-member", SpeechStopped(AT)),
    ],
)
def test_a_coachs_speech_is_told_by_who_listens_for_it(action: str, event: Event) -> None:
    """The conference itself does not hear them."""
    assert translate_event(conference(action, **LEG, **{"Conference-Name": f"speech-{CF}"})) == Happened(CA, CF, event)


@pytest.mark.parametrize(
    "headers",
    [
        *(channel(name, **LEG) for name in ("CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE")),
        conference("add-member", **LEG, **{"Conference-Name": f"speech-{CF}"}),
        conference("start-talking", **LEG, **{"Conference-Name": "speech-weekly"}),
    ],
)
def test_a_whisper_is_no_call(headers: dict[str, str]) -> None:
    """Its legs are nobody's."""
    assert translate_event(headers) is None


def job(body: str) -> dict[str, str]:
    return {"Event-Name": "BACKGROUND_JOB", "Event-Date-Timestamp": STAMP, "Job-UUID": UUID, "_body": body}


def test_a_failed_originate_is_the_end_of_a_dial() -> None:
    """The job has the UUID of its leg, and does not say which conference."""
    assert translate_event(job("-ERR INVALID_GATEWAY\n")) == Happened(CA, None, DialFailed(AT, "INVALID_GATEWAY"))


@pytest.mark.parametrize("body", [f"+OK {UUID}\n", "", "\n"])
def test_an_originate_that_succeeded_says_nothing_new(body: str) -> None:
    """The channel's own events say it."""
    assert translate_event(job(body)) is None


@pytest.mark.parametrize("name", ["CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER"])
def test_an_incoming_leg_is_not_a_participant(name: str) -> None:
    """A call from the node to itself shows the inbound leg's events, too."""
    assert translate_event(channel(name, **{"Call-Direction": "inbound"})) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        channel("CHANNEL_HANGUP"),
        channel("HEARTBEAT"),
        channel("CHANNEL_CREATE", **{"Unique-ID": "not-a-uuid"}),
        channel("CHANNEL_CREATE", **{"Unique-ID": ""}),
        channel("CHANNEL_CREATE", variable_orchestrator_conference_sid="weekly"),
        conference("floor-change"),
        conference("mute-member", **AS_COACH),
        conference("unmute-member", **AS_COACH),
        conference("deaf-member"),
        conference("undeaf-member"),
        conference("play-file"),
        conference("conference-create"),
        conference("add-member", **{"Conference-Name": "weekly-10.0.0.1"}),
        {key: value for key, value in conference("add-member").items() if key != "Unique-ID"},
    ],
)
def test_what_is_not_ours_is_dropped(headers: dict[str, str]) -> None:
    """Other events, other conferences, other channels on the same switch."""
    assert translate_event(headers) is None


def test_a_channels_event_cannot_pass_for_a_conferences() -> None:
    """Only CUSTOM events have an Action; a header of that name in another event is a caller's doing."""
    forged = channel("CHANNEL_ANSWER", Action="del-member", **{"Conference-Name": "CF" + "0" * 32})

    assert translate_event(forged) == Happened(CA, CF, CallAnswered(AT))


def test_a_leg_without_our_variable_has_no_conference_yet() -> None:
    """The store knows it by its call."""
    headers = channel("CHANNEL_ANSWER")
    del headers["variable_orchestrator_conference_sid"]

    assert translate_event(headers) == Happened(CA, None, CallAnswered(AT))


def test_every_translator_is_tried_above() -> None:
    """A new row of the two tables gets the headers that the switch sends. A job's: see `job`."""
    tried = {headers.get("Action", headers["Event-Name"]) for headers, _ in TRANSLATED}

    assert tried == {*EVENT_NAMES, *CONFERENCE_ACTIONS} - {"BACKGROUND_JOB"}


def test_everything_that_is_translated_is_subscribed_to() -> None:
    """A row for an event that never comes would be dead."""
    subscribed = SUBSCRIPTION.split()

    assert set(EVENT_NAMES) <= set(subscribed)
    assert subscribed[-2:] == ["CUSTOM", "conference::maintenance"]


PLAY = "0123456789abcdef"


@pytest.mark.parametrize("action", sorted(SOUND_ENDS))
@pytest.mark.parametrize("lane", [CA, "conference"])
def test_the_end_of_what_we_had_played_is_known_by_its_tag(action: str, lane: str) -> None:
    """The header that the file's parameter becomes; the member may have left, and have no name in the event."""
    headers = conference(action, orchestrator_play=f"{lane}.{PLAY}", Async="false")
    for name in ("Unique-ID", "Member-ID"):
        del headers[name]
    ended = translate_event(headers)

    assert ended == EndedSound(CF, lane, PLAY)
    assert str(ended) == f"{CF}:{lane}:{PLAY}"
    assert tagged("x.wav", lane, PLAY) == f"{{orchestrator_play={lane}.{PLAY}}}x.wav"


@pytest.mark.parametrize(
    "headers",
    [
        conference("play-file-done"),
        conference("play-file-done", orchestrator_play=""),
        conference("play-file-done", orchestrator_play="beep"),
        conference("play-file-done", orchestrator_play=f"{CA}.{PLAY[1:]}"),
        conference("play-file-done", orchestrator_play=f"{CA}.{PLAY}\n"),
        conference("play-file-done", orchestrator_play=f"weekly.{PLAY}"),
        conference("play-file-member-done", orchestrator_play=f"{CA}.{PLAY}", **{"Conference-Name": "weekly"}),
        conference("play-file", orchestrator_play=f"{CA}.{PLAY}"),
        conference("play-file-member", orchestrator_play=f"{CA}.{PLAY}"),
        channel("CHANNEL_ANSWER", Action="play-file-done", orchestrator_play=f"{CA}.{PLAY}")
        | {"Call-Direction": "inbound"},
    ],
)
def test_what_is_not_the_end_of_our_own_play_is_dropped(headers: dict[str, str]) -> None:
    """Beeps, other people's files, and beginnings, whose header may be that of another file."""
    assert translate_event(headers) is None


NAMES = st.sampled_from([*EVENT_NAMES, "CUSTOM", "CHANNEL_HANGUP", ""])
VALUES = st.one_of(
    st.sampled_from([UUID, CF, CA, "7", "true", "false", "inbound", "outbound", "-ERR x", "486"]), st.text()
)


@given(
    st.fixed_dictionaries(
        {"Event-Name": NAMES, "Event-Date-Timestamp": st.integers(0, 4_000_000_000_000_000).map(str)},
        optional=dict.fromkeys(
            ["Unique-ID", "Job-UUID", "Conference-Name", "orchestrator_play", "Call-Direction", "Hangup-Cause", "_body",
             "variable_sip_term_status", "variable_orchestrator_conference_sid"],
            VALUES,
        )
        | {"Action": st.sampled_from([*CONFERENCE_ACTIONS, *SOUND_ENDS, "floor-change"])}
        | {"Member-ID": st.integers(1).map(str)},
    ).filter(lambda headers: headers.get("Action") != "add-member" or "Member-ID" in headers)
)  # fmt: skip
def test_whatever_the_headers_say_it_is_a_call_of_ours_or_nothing(headers: dict[str, str]) -> None:
    """Never an exception, never a name from outside where a SID belongs."""
    found = translate_event(headers)

    assert found is None or found.conference_sid in (None, CF)
    if isinstance(found, Happened):
        assert found.subject == CA or found.subject[2:].isalnum()
        assert found.event.at.tzinfo is UTC
