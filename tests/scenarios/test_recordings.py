"""Recordings: who is in them and when, what clients are told, and what they can ask for."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from orchestrator.freeswitch.leg_audio import StartLegAudio
from orchestrator.freeswitch.recordings import RECORDER, StartPart
from orchestrator.recordings.wav import RATE
from tests.harness.freeswitch import EslSocket
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.sound import HEARD_DBFS, frame_levels
from tests.harness.stack import Stack
from tests.harness.tape import MUSIC, auth, await_told, callbacks, download, finished, hz_of, now, start

LENGTH_SECONDS = 0.4
"""How exact a length is that begins and ends with requests of ours."""

SWITCH_SECONDS = 0.2
"""How late what a switch was asked for begins and ends, once it has answered."""


def refusal(request: Any) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as refused:
        request()
    return refused.value.status, refused.value.code


def conference_recording(room: Room) -> Any:
    """The one that began with the conference."""
    (found,) = eventually(room.conference.recordings.list, "the recording has begun")
    return found


def test_a_conference_from_its_start(room: Room) -> None:
    """Each speaker is in it at their time; no music of those who wait or are on hold, no coach, nobody who is muted.
    It is told of, also after the conference's end."""
    settings = {"conference_record": "record-from-start", "conference_trim": "do-not-trim"}
    room.add("anna", 1, **settings, **callbacks(room, "conference_recording"))
    time.sleep(0.5)  # anna hears music
    room.add("bert", 2)
    started = now()
    room.add("carl", 3, muted=True)
    room.add("dora", 4, call_sid_to_coach=room.people["anna"].call_sid)
    time.sleep(1)
    held = now()
    room.update("bert", hold=True)
    time.sleep(1)
    unheld = now()
    room.update("bert", hold=False)
    time.sleep(1)
    muted = now()
    room.update("anna", muted=True)
    time.sleep(1)
    recording = conference_recording(room)
    assert (recording.status, recording.source, recording.channels) == ("in-progress", "Conference", 1)
    ended = now()
    room.end()

    recording = finished(room, recording.sid)
    tape = download(room.stack, recording.media_url, ended)
    anna, bert = hz_of(room, "anna"), hz_of(room, "bert")
    assert tape.seconds == pytest.approx(ended - started, abs=LENGTH_SECONDS)
    assert tape.heard(anna, started, muted) > 0.95
    assert tape.heard(anna, muted, ended) == 0
    assert tape.heard(bert, started, held) > 0.95
    assert tape.heard(bert, held, unheld) == 0
    assert tape.heard(bert, unheld, ended) > 0.95
    assert {name: tape.ever(hz) for name, hz in (("carl", hz_of(room, "carl")), ("dora", hz_of(room, "dora")))} == {
        "carl": 0,
        "dora": 0,
    }
    assert tape.ever(MUSIC) == 0

    _, last = await_told(room.stack, recording.sid, "in-progress", "completed")
    assert last == {
        "AccountSid": room.stack.account_sid,
        "ConferenceSid": room.conference_sid,
        "RecordingSid": recording.sid,
        "RecordingUrl": recording.media_url,
        "RecordingStatus": "completed",
        "RecordingDuration": str(round(tape.seconds)),
        "RecordingChannels": "1",
        "RecordingStartTime": last["RecordingStartTime"],
        "RecordingSource": "Conference",
        "ErrorCode": "0",
    }


def test_calls_by_track_and_channels(room: Room) -> None:
    """Dual: what one says on the first channel, what one hears on the second; a single track is one of them."""
    kept = {"record": True, "trim": "do-not-trim"} | callbacks(room)
    room.add("anna", 1, recording_channels="dual", **kept)
    room.add("bert", 2, recording_track="inbound", **kept)
    room.add("carl", 3, recording_track="outbound", **kept)
    time.sleep(1.5)
    recordings = {}
    for label, person in room.people.items():
        (recordings[label],) = room.client.calls(person.call_sid).recordings.list()
    hz = {label: hz_of(room, label) for label in room.people}
    room.end()

    tapes = {}
    for label, recording in recordings.items():
        done = finished(room, recording.sid)
        tapes[label] = download(room.stack, done.media_url)
        *_, last = await_told(room.stack, recording.sid, "in-progress", "stopped", "completed")
        assert (last["CallSid"], last["RecordingTrack"]) == (room.people[label].call_sid, recording.track)
    heard = {
        label: [{name for name in hz if tape.ever(hz[name], side) > 20} for side in range(len(tape.sides))]
        for label, tape in tapes.items()
    }
    assert heard == {
        "anna": [{"anna"}, {"bert", "carl"}],
        "bert": [{"bert"}],
        "carl": [{"anna", "bert"}],
    }
    mixed = download(room.stack, recordings_url(room, recordings["anna"].sid), RequestedChannels=1)
    assert [len(mixed.sides), mixed.ever(hz["anna"]) > 20, mixed.ever(hz["bert"]) > 20] == [1, True, True]
    answer = requests.get(
        f"{recordings_url(room, recordings['bert'].sid)}.wav",
        params={"RequestedChannels": 2},
        auth=auth(room.stack),
        timeout=5,
    )
    assert (answer.status_code, "<Code>16113</Code>" in answer.text) == (400, True)


def recordings_url(room: Room, sid: str) -> str:
    return f"{room.stack.base_url}/2010-04-01/Accounts/{room.stack.account_sid}/Recordings/{sid}"


@dataclass(frozen=True)
class Asked:
    """When a request was sent, and when it was answered: what it asked for was done in between."""

    sent: float
    answered: float

    def until(self, later: Asked) -> tuple[float, float]:
        """The least and the most that passed from what this one asked for to what a later one did."""
        return later.sent - self.answered, later.answered - self.sent


def ask(request: Callable[[], Any]) -> tuple[Any, Asked]:
    sent = now()
    return request(), Asked(sent, now())


def assert_between(seconds: float, *spans: tuple[float, float], what: object) -> None:
    """That a length is the sum of spans, as exact as a switch is: its events are some frames late."""
    least, most = (sum(each) for each in zip(*spans, strict=True))
    assert least - SWITCH_SECONDS < seconds < most + SWITCH_SECONDS, (what, least, seconds, most)


def test_pauses(room: Room) -> None:
    """A pause that skips makes the recording shorter, one of silence keeps its length; of a call and of a conference.
    Each step is told."""
    room.add("anna", 1)
    room.add("bert", 2)
    resources = {"call": room.client.calls(room.people["anna"].call_sid), "conference": room.conference}
    asked: dict[tuple[str, str], list[Asked]] = {}
    taken = {}
    for behavior in ("skip", "silence"):
        for parent, resource in resources.items():
            taken[parent, behavior], begun = ask(partial(start, room, resource))
            asked[parent, behavior] = [begun]

    def update(status: str, *shown: str) -> None:
        for of, recording in taken.items():
            kept = resources[of[0]].recordings(recording.sid)
            settings = {"pause_behavior": of[1]} if status == "paused" else {}
            changed, at = ask(partial(kept.update, status=status, **settings))
            assert changed.status in shown
            asked[of].append(at)

    time.sleep(1)
    update("paused", "paused")
    time.sleep(1.5)
    update("in-progress", "in-progress")
    time.sleep(1)
    update("stopped", "stopped", "processing")

    hz = hz_of(room, "anna")
    for of, recording in taken.items():
        begun, paused, resumed, ended = asked[of]
        tape = download(room.stack, finished(room, recording.sid).media_url, ended.answered)
        spoken = (begun.until(paused), resumed.until(ended))
        silent = [paused.until(resumed)] if of[1] == "silence" else []
        assert_between(tape.seconds, *spoken, *silent, what=of)
        assert_between(tape.ever(hz) / 50, *spoken, what=of)
        if silent:
            assert tape.heard(hz, paused.answered, resumed.sent) == 0
        words = ("in-progress", "paused", "in-progress", "stopped", "completed")
        *_, last = await_told(room.stack, recording.sid, *words)
        source = "StartCallRecordingAPI" if of[0] == "call" else "StartConferenceRecordingAPI"
        assert last["RecordingSource"] == source


def test_trim(room: Room) -> None:
    """Silence at both ends is cut off, to a tenth of a second, and what is between stays."""
    room.add("anna", 1, muted=True)
    room.add("bert", 3, to="+15550010003")  # says nothing
    plain = start(room, room.conference, trim="do-not-trim")
    begun = now()
    trimmed = start(room, room.conference, trim="trim-silence")
    time.sleep(1)
    unmuted = now()
    room.update("anna", muted=False)
    time.sleep(1)
    room.update("anna", muted=True)
    muted = now()
    time.sleep(1)
    room.conference.recordings(plain.sid).update(status="stopped")
    ended = now()
    room.conference.recordings(trimmed.sid).update(status="stopped")

    whole = download(room.stack, finished(room, plain.sid).media_url).sides[0]
    cut = download(room.stack, finished(room, trimmed.sid).media_url).sides[0]
    levels = frame_levels(whole, hz_of(room, "anna"))
    sounding = [frame for frame, level in enumerate(levels) if level > HEARD_DBFS]
    assert len(cut) / RATE == pytest.approx((sounding[-1] - sounding[0] + 1) / 50, abs=0.1)
    assert len(whole) / RATE == pytest.approx(ended - begun, abs=LENGTH_SECONDS)
    assert len(cut) / RATE == pytest.approx(muted - unmuted, abs=LENGTH_SECONDS)


def test_nothing_in_it(room: Room) -> None:
    """Only silence: absent, with Twilio's code; there is nothing to fetch."""
    person = room.add("anna", 1, to="+15550010000")  # says nothing
    call = room.client.calls(person.call_sid)
    started = call.recordings.create(recording_track="inbound", trim="trim-silence", **callbacks(room))
    time.sleep(0.5)
    call.recordings("Twilio.CURRENT").update(status="stopped")

    recording = finished(room, started.sid, "absent")
    assert recording.error_code == 16102
    *_, last = await_told(room.stack, started.sid, "in-progress", "stopped", "absent")
    assert last["ErrorCode"] == "16102"
    answer = requests.get(f"{recording.media_url}.wav", auth=auth(room.stack), timeout=5)
    assert (answer.status_code, "<Code>20404</Code>" in answer.text) == (404, True)


def test_what_can_be_asked_for(room: Room) -> None:
    """Listed by what it is of, addressed by `Twilio.CURRENT` if it is the only one, deleted when it is done."""
    person = room.add("anna", 1)
    room.add("bert", 2)
    call, recordings = room.client.calls(person.call_sid), room.client.recordings
    one = call.recordings.create()
    two = start(room, room.conference)
    assert [row.sid for row in call.recordings.list()] == [one.sid]
    assert [row.sid for row in room.conference.recordings.list()] == [two.sid]
    assert {row.sid for row in recordings.list(conference_sid=room.conference_sid)} == {one.sid, two.sid}
    assert [row.sid for row in recordings.list(call_sid=person.call_sid)] == [one.sid]
    assert refusal(lambda: recordings(one.sid).delete()) == (409, 20009)
    three = call.recordings.create()
    assert refusal(lambda: call.recordings("Twilio.CURRENT").update(status="paused")) == (400, 16108)
    call.recordings(three.sid).update(status="stopped")
    assert call.recordings("Twilio.CURRENT").update(status="paused").sid == one.sid
    for row in (call.recordings(one.sid), room.conference.recordings(two.sid)):
        row.update(status="in-progress")
        time.sleep(0.3)
        row.update(status="stopped")
    finished(room, one.sid)
    assert refusal(lambda: call.recordings(one.sid).update(status="in-progress")) == (400, 16114)
    url = recordings_url(room, one.sid)
    assert requests.get(f"{url}.wav", timeout=5).status_code == 401

    assert call.recordings(one.sid).delete() is True

    assert refusal(lambda: recordings(one.sid).fetch()) == (404, 20404)
    assert requests.get(f"{url}.wav", auth=auth(room.stack), timeout=5).status_code == 404
    assert one.sid not in {row.sid for row in recordings.list(call_sid=person.call_sid)}
    deleted = recordings.list(call_sid=person.call_sid, include_soft_deleted=True)
    assert {row.sid: row.status for row in deleted}[one.sid] == "deleted"
    kept = room.stack.directory / "recordings"
    eventually(lambda: not list(kept.rglob(f"*{one.sid}*")), "its files are gone")


def test_a_player_seeks(room: Room) -> None:
    """Any range of a file, as wav and as mp3, is what is there; the rest of what HTTP asks of a player's server."""
    person = room.add("anna", 1)
    call = room.client.calls(person.call_sid)
    started = call.recordings.create(recording_track="inbound")
    time.sleep(1)
    call.recordings(started.sid).update(status="stopped")
    url = finished(room, started.sid).media_url
    assert requests.get(url, auth=auth(room.stack), timeout=5).content.startswith(b"RIFF")
    for kind, mimetype in (("wav", "audio/x-wav"), ("mp3", "audio/mpeg")):
        whole = requests.get(f"{url}.{kind}", auth=auth(room.stack), timeout=5)
        size = len(whole.content)
        assert (whole.status_code, whole.headers["Content-Type"], whole.headers["Accept-Ranges"]) == (
            200,
            mimetype,
            "bytes",
        )
        for asked, first, last in (("100-199", 100, 199), ("500-", 500, size - 1), ("-50", size - 50, size - 1)):
            part = requests.get(f"{url}.{kind}", headers={"Range": f"bytes={asked}"}, auth=auth(room.stack), timeout=5)
            assert part.status_code == 206
            assert part.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
            assert part.content == whole.content[first : last + 1]
        beyond = requests.get(f"{url}.{kind}", headers={"Range": f"bytes={size}-"}, auth=auth(room.stack), timeout=5)
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
        head = requests.head(f"{url}.{kind}", auth=auth(room.stack), timeout=5)
        assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(size), b"")


def test_a_leg_that_hangs_up_as_it_begins_to_be_recorded_is_gone(stack: Stack, tmp_path: Path) -> None:
    """Recorded in mono or in stereo, or listened to by a detector: a real switch would keep some of them for ever."""
    recording, ending = (EslSocket(stack.switch.esl_port, stack.switch.password) for _ in range(2))
    chance, legs = random.Random(1), [str(uuid.uuid4()) for _ in range(100)]  # noqa: S311 - chance, not secrets
    for number, leg in enumerate(legs):
        assert "+OK" in recording.command(f"api originate {{origination_uuid={leg}}}{RECORDER} &park")
        path = str(tmp_path / leg)
        begin = (
            StartPart(leg, f"{path}.wav", stereo=False),
            StartPart(leg, f"{path}.wav", stereo=True),
            StartLegAudio(leg, f"{path}.raw", 30),
        )[number % 3]
        beginning = threading.Thread(target=recording.command, args=(f"api {begin.render()}",))
        beginning.start()
        time.sleep(chance.uniform(0, 0.03))
        ending.command(f"api uuid_kill {leg}")
        beginning.join()

    def left() -> set[str]:
        shown = json.loads(ending.command("api show channels as json")).get("rows", [])
        return {row["uuid"] for row in shown} & set(legs)

    eventually(lambda: not left(), "no channel is left")
