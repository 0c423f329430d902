"""What a client is told of what happens in a room: every parameter of every callback, in order, once."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import pytest
from twilio.base.exceptions import TwilioRestException

from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.receiver import Received
from tests.harness.room import EVENTS, Room
from tests.harness.stack import SandboxSwitch, Stack
from tests.harness.web import Web

OF_ALL: Final = {"ConferenceSid", "FriendlyName", "AccountSid", "SequenceNumber", "Timestamp", "StatusCallbackEvent"}
OF_PARTICIPANTS: Final = OF_ALL | {
    "CallSid", "Muted", "Hold", "Coaching", "EndConferenceOnExit", "StartConferenceOnEnter", "ParticipantLabel",
}  # fmt: skip
"""Wire-contract section 8.2."""


@pytest.fixture
def three(room: Room) -> Iterator[Room]:
    """Anna, bert and carl; afterwards everything told was signed, numbered without gaps, and came in order."""
    for digit, label in enumerate(("anna", "bert", "carl"), 1):
        room.add(label, digit)
    yield room
    assert_in_order(room.stack, room.conference_sid)


def assert_in_order(stack: Stack, conference_sid: str) -> None:
    told = stack.receiver.of(conference_sid)
    assert [int(one.parameters["SequenceNumber"]) for one in told] == list(range(1, len(told) + 1))
    assert all(one.is_signed for one in told)
    moments = [parsedate_to_datetime(one.parameters["Timestamp"]) for one in told]
    assert moments == sorted(moments)


def told(room: Room, kind: str, count: int = 1) -> dict[str, str]:
    """The parameters of the last of so many, and not one more, whose common ones are checked."""
    found = room.stack.receiver.await_kind(room.conference_sid, kind, count)
    assert len(found) == count, [one.parameters for one in found]
    parameters = found[-1].parameters
    assert parameters["ConferenceSid"] == room.conference_sid
    assert parameters["FriendlyName"] == room.name
    assert parameters["AccountSid"] == room.stack.account_sid
    assert parameters["StatusCallbackEvent"] == kind
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", parameters["Timestamp"])
    return parameters


def assert_about(room: Room, label: str, parameters: dict[str, str], *more: str, **values: str) -> None:
    """About this participant, with these values, and with no parameters but the table's."""
    assert set(parameters) == OF_PARTICIPANTS | set(more)
    plain = {
        "CallSid": room.people[label].call_sid,
        "ParticipantLabel": label,
        "Muted": "false",
        "Hold": "false",
        "Coaching": "false",
        "EndConferenceOnExit": "false",
        "StartConferenceOnEnter": "true",
    }
    assert {name: parameters[name] for name in (*plain, *values)} == plain | values


def kinds_but(room: Room, *ignored: str) -> list[str]:
    """What was told, without what is about talking and what the test does not care for."""
    kinds = room.stack.receiver.kinds(room.conference_sid)
    return [kind for kind in kinds if kind not in ignored and not kind.startswith("participant-speech")]


# ---------------------------------------------------------------- hold, modify


def test_hold_and_unhold_are_told_once_each(three: Room, web: Web) -> None:
    """With the state after it; another HoldUrl during a hold, and asking again for what is so, are no news."""
    three.update("anna", hold=True)
    assert_about(three, "anna", told(three, "participant-hold"), Hold="true")
    three.update("anna", hold=True, hold_url=web.put_tone(2600, 1))
    three.update("anna", hold=True)
    three.update("anna", muted=True)
    assert_about(three, "anna", told(three, "participant-mute"), Hold="true", Muted="true")
    three.update("anna", hold=False)
    assert_about(three, "anna", told(three, "participant-unhold"), Muted="true")
    three.update("anna", hold=False)
    three.update("anna", muted=False)
    assert_about(three, "anna", told(three, "participant-unmute"))

    joined = ["participant-join"] * 3 + ["conference-start"]
    assert sorted(kinds_but(three)[:4]) == sorted(joined)
    assert kinds_but(three)[4:] == ["participant-hold", "participant-mute", "participant-unhold", "participant-unmute"]


def test_every_change_of_a_participant_is_told_once(three: Room, web: Web) -> None:
    """BeepOnExit, EndConferenceOnExit, WaitUrl, Coaching and another CallSidToCoach: one participant-modify each; the
    same again is no news, and several in one request are one."""
    anna, carl = three.people["anna"].call_sid, three.people["carl"].call_sid
    wait_url = web.put_tone(2600, 1)
    end = {"EndConferenceOnExit": "true"}
    coaching = {"Coaching": "true", "CallSidToCoach": anna}
    changes: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"beep_on_exit": True}, {}),
        ({"end_conference_on_exit": True}, end),
        ({"wait_url": wait_url}, end),
        ({"wait_url": wait_url, "wait_method": "GET"}, end),
        ({"wait_url": ""}, end),
        ({"coaching": True, "call_sid_to_coach": anna}, end | coaching),
        ({"call_sid_to_coach": carl}, end | coaching | {"CallSidToCoach": carl}),
        ({"coaching": False}, end),
        ({"beep_on_exit": False, "end_conference_on_exit": False, "wait_url": wait_url}, {}),
    ]
    for count, (change, values) in enumerate(changes, 1):
        three.update("bert", **change)
        parameters = told(three, "participant-modify", count)
        assert_about(three, "bert", parameters, *({"CallSidToCoach"} & set(values)), **values)
        three.update("bert", **change)
    three.update("bert", muted=True)  # behind whatever the repetitions might have led to
    told(three, "participant-mute")

    assert kinds_but(three).count("participant-modify") == len(changes)


def test_a_change_of_what_was_so_from_the_start_is_no_news(room: Room) -> None:
    """Created with EndConferenceOnExit, muted, coaching: asking for the same is answered, and told to nobody."""
    anna = room.add("anna", 1)
    room.add(
        "bert",
        2,
        end_conference_on_exit=True,
        muted=True,
        beep="onExit",
        coaching=True,
        call_sid_to_coach=anna.call_sid,
    )
    same = room.update(
        "bert",
        end_conference_on_exit=True,
        muted=True,
        beep_on_exit=True,
        coaching=True,
        call_sid_to_coach=anna.call_sid,
    )
    assert (same.end_conference_on_exit, same.muted, same.coaching) == (True, True, True)
    room.update("anna", hold=True)
    room.await_event("participant-hold")

    assert [kind for kind in kinds_but(room) if kind not in ("participant-join", "conference-start")] == [
        "participant-hold"
    ]
    joined = [one for one in room.stack.receiver.of(room.conference_sid) if one.kind == "participant-join"]
    values = {"Muted": "true", "Coaching": "true", "CallSidToCoach": anna.call_sid, "EndConferenceOnExit": "true"}
    assert_about(room, "bert", joined[1].parameters, "CallSidToCoach", **values)


def test_what_is_changed_while_the_phone_rings_is_told_with_the_join(room: Room) -> None:
    """A change before the join is part of the join: nobody is told of a modification of somebody who is not there."""
    room.add("anna", 1)
    settings = room.stack.call_settings(conference_status_callback_event=EVENTS)
    made = room.client.conferences(room.name).participants.create(to="+15550002001", label="bert", **settings)
    room.update(made.call_sid, end_conference_on_exit=True, beep_on_exit=True)
    room.update(made.call_sid, muted=True)
    joined = room.await_event("participant-join", 2)

    assert joined["EndConferenceOnExit"] == "true"
    assert "participant-modify" not in kinds_but(room)
    assert joined["Muted"] == "true" or room.await_event("participant-mute")["CallSid"] == made.call_sid


# ---------------------------------------------------------------- talking


def speech(room: Room, label: str) -> list[str]:
    """Of this participant: `start` and `stop`, in order."""
    about = [one for one in room.stack.receiver.of(room.conference_sid) if "speech" in one.kind]
    return [
        one.kind.removeprefix("participant-speech-") for one in about if one.parameters["ParticipantLabel"] == label
    ]


def await_speech(room: Room, label: str, *expected: str) -> None:
    def probe() -> bool:
        assert speech(room, label) == list(expected), speech(room, label)
        return True

    eventually(probe, f"{label}: {expected}")


def test_who_is_muted_or_held_while_talking_has_stopped(three: Room) -> None:
    """The switch says nothing of it; the client is told, right behind the mute or the hold."""
    await_speech(three, "anna", "start")
    three.update("anna", muted=True)
    await_speech(three, "anna", "start", "stop")
    three.update("anna", hold=True)
    three.update("anna", muted=False)
    told(three, "participant-unmute")
    await_speech(three, "anna", "start", "stop")
    three.update("anna", hold=False)
    await_speech(three, "anna", "start", "stop", "start")
    three.update("anna", hold=True)
    await_speech(three, "anna", "start", "stop", "start", "stop")

    about_anna = [
        one for one in three.stack.receiver.of(three.conference_sid) if one.parameters.get("ParticipantLabel") == "anna"
    ]
    kinds = [one.kind for one in about_anna]
    for change in ("participant-mute", "participant-hold"):
        for index in (place for place, kind in enumerate(kinds) if kind == change):
            talked = kinds[:index].count("participant-speech-start") > kinds[:index].count("participant-speech-stop")
            assert not talked or kinds[index + 1] == "participant-speech-stop", kinds
    last = next(one for one in reversed(about_anna) if one.kind == "participant-speech-stop")
    assert_about(three, "anna", last.parameters, Hold="true")


PAUSING_PHONES: Final = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
from orchestrator.cli import main
from orchestrator.sandbox.server import Sandbox

start = Sandbox.start

def start_with_pauses(sandbox):
    start(sandbox)
    gevent.spawn(pause, sandbox)

def pause(sandbox):
    heard, turns = {}, 0
    while True:
        gevent.sleep(0.05)
        members = {member.channel.channel_uuid for c in sandbox.node.conferences.values() for member in c.members}
        for name in [name for name, session in sandbox.node.sessions.items() if name in members]:
            if "15550010200" not in sandbox.node.sessions[name].channel.profile.destination:
                continue
            heard[name] = heard.get(name, 0) + 1
            if heard[name] % 80 == 40:
                sandbox.node.sessions[name].set_quiet(True)
            elif heard[name] % 80 == 0:
                sandbox.node.sessions[name].set_quiet(False)

Sandbox.start = start_with_pauses
sys.exit(main(sys.argv[1:]))
"""
"""The sandbox's phones never pause; this one does, as tests/farend/phones.xml has it."""


@pytest.fixture
def pausing(request: pytest.FixtureRequest, switch_name: str, tmp_path: Path) -> Iterator[Stack]:
    """A service that can dial a phone which talks for 2 s and is silent for 2 s."""
    if switch_name != "sandbox":
        yield request.getfixturevalue("stack")
        return
    switch = SandboxSwitch(tmp_path)
    process = switch._process
    process.command = [sys.executable, "-c", PAUSING_PHONES, *process.command[3:]]
    running = Stack(switch, tmp_path)
    with running:
        yield running


def test_talking_and_pausing_are_told(pausing: Stack) -> None:
    """speech-start when somebody begins, speech-stop 0.8 s after they fell silent, in turn, each with the state."""
    room = Room(pausing)
    room.add("anna", 1, start_conference_on_enter=False)
    made = room.client.conferences(room.name).participants.create(
        **pausing.call_settings(to=FarEnd.TALKS_2_SECONDS_IN_4, label="bert", conference_status_callback_event=EVENTS)
    )

    def talked() -> list[Received]:
        about = [one for one in pausing.receiver.of(room.conference_sid) if "speech" in one.kind]
        found = [one for one in about if one.parameters["CallSid"] == made.call_sid]
        assert len(found) >= 3, [one.kind for one in found]
        return found[:3]

    talk = eventually(talked, "bert talks, pauses, and talks again", 15)
    room.end()
    pausing.receiver.await_kind(room.conference_sid, "conference-end")

    assert [one.kind.rpartition("-")[2] for one in talk] == ["start", "stop", "start"]
    seconds = [parsedate_to_datetime(one.parameters["Timestamp"]).timestamp() for one in talk]
    assert 1 <= seconds[1] - seconds[0] <= 5
    assert set(talk[0].parameters) == OF_PARTICIPANTS
    assert_in_order(pausing, room.conference_sid)


# ---------------------------------------------------------------- announcements


def test_announcements_are_told_with_all_parameters(three: Room, web: Web) -> None:
    """To one: whom it was played to, with their state; to all: nobody's. A failure says why."""
    three.update("anna", muted=True)
    url, missing = web.put_tone(2600, 0.2), web.url("/nowhere")
    three.update("anna", announce_url=url, announce_method="GET")
    one = told(three, "announcement-end")
    assert_about(three, "anna", one, "AnnounceUrl", Muted="true", AnnounceUrl=url)
    three.conference.update(announce_url=url, announce_method="GET")
    to_all = told(three, "announcement-end", 2)
    assert set(to_all) == OF_ALL | {"AnnounceUrl"}
    three.update("anna", announce_url=missing)
    failed = told(three, "announcement-fail")
    assert_about(three, "anna", failed, "AnnounceUrl", "ReasonAnnouncementFailed", Muted="true", AnnounceUrl=missing)
    three.conference.update(announce_url=missing)
    failed = told(three, "announcement-fail", 2)

    assert set(failed) == OF_ALL | {"AnnounceUrl", "ReasonAnnouncementFailed"}
    assert failed["AnnounceUrl"] == missing
    assert re.fullmatch(r"11217: .+", failed["ReasonAnnouncementFailed"])


def test_announcements_to_somebody_who_leaves_have_failed(three: Room, web: Web) -> None:
    """The one that is played and those that wait: each is told once, without anybody's state, and nobody hears them."""
    urls = [web.put_tone(2600, 20), web.put_tone(2800, 1), web.put_tone(2600, 1)]
    for url in urls:
        three.update("anna", announce_url=url, announce_method="GET")
    eventually(lambda: three.is_played_to("anna"), "the first is played")
    three.remove("anna")
    failed = three.stack.receiver.await_kind(three.conference_sid, "announcement-fail", 3)

    assert [one.parameters["AnnounceUrl"] for one in failed] == urls
    for one in failed:
        assert set(one.parameters) == OF_ALL | {"AnnounceUrl", "ReasonAnnouncementFailed"}
    assert "announcement-end" not in kinds_but(three)
    three.expect("one left in the middle of an announcement", bert="carl", carl="bert")


def test_nothing_is_told_after_the_end(room: Room, web: Web) -> None:
    """A conference that ends in the middle of announcements, a hold and talking: its end is the last word."""
    for digit, label in enumerate(("anna", "bert", "carl"), 1):
        room.add(label, digit)
    url = web.put_tone(2600, 20)
    room.update("carl", hold=True)
    room.await_event("participant-hold")
    for _ in range(2):
        room.update("anna", announce_url=url, announce_method="GET")
        room.conference.update(announce_url=url, announce_method="GET")
    eventually(lambda: room.is_played_to("anna"), "it is played")
    before = room.stack.receiver.kinds(room.conference_sid)
    room.end()
    room.await_event("conference-end")
    after = room.stack.receiver.kinds(room.conference_sid)[len(before) :]

    assert after[-1] == "conference-end"
    assert Counter(kind for kind in after if "announcement" not in kind and "speech" not in kind) == Counter(
        {"participant-leave": 3, "conference-end": 1}
    )
    assert_in_order(room.stack, room.conference_sid)
    with pytest.raises(TwilioRestException) as caught:
        room.conference.update(announce_url=url)
    assert (caught.value.status, caught.value.code) == (400, 16001)


# ---------------------------------------------------------------- who may come, and how it ends


def test_exactly_max_participants_come_in(room: Room) -> None:
    """Ten clients dial at once into a conference for four: four are dialled, six are told 400 with 16020; a place that
    somebody leaves is free again."""
    start = threading.Barrier(10)

    def create(number: int) -> tuple[str, int | None]:
        participants = room.stack.client().conferences(room.name).participants
        settings = room.stack.call_settings(to="+15550001001", label=f"p{number}", max_participants=4, beep="false")
        start.wait()
        try:
            return participants.create(**settings).conference_sid, None
        except TwilioRestException as error:
            return str(error.status), error.code

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(create, range(10)))
    refused = [answer for answer in answers if answer[1] is not None]
    conferences = {sid for sid, code in answers if code is None}
    assert len(conferences) == 1
    room.conference_sid = conferences.pop()

    assert refused == [("400", 16020)] * 6
    room.await_event("participant-join", 4)
    assert len(room.conference.participants.list()) == 4
    label = room.conference.participants.list()[0].label
    room.conference.participants(label).delete()
    again = room.client.conferences(room.name).participants.create(
        **room.stack.call_settings(to="+15550001002", label="again", max_participants=4)
    )
    assert again.conference_sid == room.conference_sid
    with pytest.raises(TwilioRestException) as caught:
        room.add("late", 3, max_participants=4)
    assert (caught.value.status, caught.value.code) == (400, 16020)
    room.await_event("participant-join", 5)


def _removed(room: Room, label: str) -> object:
    return room.conference.participants(label).delete()


def _hangs_up(room: Room, label: str) -> object:
    """Returns when they have left."""
    room.stack.switch.api(f"uuid_kill {channel_uuid_of(room.people[label].call_sid)}")
    return room.stack.receiver.await_kind(room.conference_sid, "participant-leave")


ENDS: Final[dict[str, tuple[Callable[[Room], Any], bool]]] = {
    "conference-ended-via-api": (Room.end, False),
    "participant-with-end-conference-on-exit-left": (lambda room: _hangs_up(room, "bert"), True),
    "participant-with-end-conference-on-exit-kicked": (lambda room: _removed(room, "bert"), True),
    "last-participant-left": (lambda room: (_removed(room, "anna"), _hangs_up(room, "bert")), False),
    "last-participant-kicked": (lambda room: (_hangs_up(room, "anna"), _removed(room, "bert")), False),
}
"""Reason -> how the conference of anna and bert is ended, and whether bert ends it by going."""


@pytest.mark.parametrize("reason", ENDS)
def test_why_a_conference_ended(room: Room, reason: str) -> None:
    """All five values, in the callback and in the resource, with who ended it; the others are told why they left."""
    end_it, by_exit = ENDS[reason]
    room.add("anna", 1)
    room.add("bert", 2, muted=True)
    if by_exit:  # by an update: what was asked last counts
        room.update("bert", end_conference_on_exit=True)
        assert_about(room, "bert", told(room, "participant-modify"), Muted="true", EndConferenceOnExit="true")
    end_it(room)
    parameters = told(room, "conference-end")
    ended = room.conference.fetch()

    has_culprit = reason != "conference-ended-via-api"
    culprit = {"CallSidEndingConference"} if has_culprit else set()
    label = {"ParticipantLabelEndingConference"}
    assert set(parameters) - label == OF_ALL | {"ReasonConferenceEnded", "Reason"} | culprit
    assert parameters["ReasonConferenceEnded"] == ended.reason_conference_ended == reason
    assert parameters["Reason"]
    assert ended.status == "completed"
    if has_culprit:
        bert = room.people["bert"].call_sid
        assert parameters["CallSidEndingConference"] == ended.call_sid_ending_conference == bert
    assert_left(room, by_exit, reason)
    assert_in_order(room.stack, room.conference_sid)


@pytest.mark.parametrize("how", ["last", "removed", "hangs up"])
def test_the_label_of_who_ended_it_is_told(room: Room, how: str) -> None:
    """ParticipantLabelEndingConference beside CallSidEndingConference, whoever of them leaves last."""
    room.add("anna", 1)
    room.add("bert", 2, end_conference_on_exit=how != "last")
    if how == "last":
        room.remove("anna")
    (_hangs_up if how == "hangs up" else _removed)(room, "bert")
    parameters = told(room, "conference-end")

    assert parameters["CallSidEndingConference"] == room.people["bert"].call_sid
    assert parameters.get("ParticipantLabelEndingConference") == "bert"


def assert_left(room: Room, by_exit: bool, reason: str) -> None:
    left: list[Received] = room.stack.receiver.await_kind(room.conference_sid, "participant-leave", 2)
    reasons = {one.parameters["ParticipantLabel"]: one.parameters["ReasonParticipantLeft"] for one in left}
    for one in left:
        more = {"ReasonParticipantLeft", "ParticipantCallStatus"}
        assert set(one.parameters) == OF_PARTICIPANTS | more
        assert one.parameters["ParticipantCallStatus"] == "completed"
    anna = {"last-participant-left": "participant_updated_via_api", "last-participant-kicked": "participant_hung_up"}
    bert = {"left": "participant_hung_up", "kicked": "participant_updated_via_api"}
    if reason == "conference-ended-via-api":
        assert set(reasons.values()) == {"conference_ended_via_api"}
    else:
        assert reasons["anna"] == ("moderator_ended_conference" if by_exit else anna[reason])
        assert reasons["bert"] == bert[reason.rpartition("-")[2]]
