"""Documents as the world writes them, by what is heard: long ones, half broken ones, redirected ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.web import Web, tone
from tests.unit.media.audio_files import audio_files, make_audio


@pytest.fixture
def two(room: Room) -> Room:
    room.add("anna", 1)
    room.add("bert", 2)
    return room


def songs(web: Web, count: int) -> str:
    """A document of so many songs of five minutes; the first is a tone that nothing else has."""
    web.put("/song-0.mp3", make_audio("mp3", "libmp3lame", 44_100, 1, 300, 2600), "audio/mpeg")
    for number in range(1, count):
        web.pages[f"/song-{number}.mp3"] = web.pages["/song-0.mp3"]
    plays = "".join(f"<Play>song-{number}.mp3</Play>" for number in range(count))
    return web.put("/songs.xml", f'<Response>{plays}<Redirect method="GET"/></Response>')


def test_the_first_of_many_songs_is_heard_at_once(two: Room, web: Web) -> None:
    """Fifteen of five minutes: one is fetched ahead, no more; a second hold begins with what is there."""
    url = songs(web, 15)
    two.update("anna", hold=True, hold_url=url)
    two.expect("held, fifteen songs", anna="file", bert="")
    eventually(lambda: web.count("/song-1.mp3"), "the next is fetched")
    two.update("anna", hold=False)
    two.update("anna", hold=True, hold_url=url)
    two.expect("held again, fifteen songs", anna="file", bert="")

    assert [web.count(f"/song-{number}.mp3") for number in range(2, 15)] == [0] * 13


def test_a_slow_song_keeps_nobody_waiting_for_the_first(two: Room, web: Web) -> None:
    """The next is fetched while it plays; a second after its end there is stock music until the next has come."""
    late = web.put("/late.wav", tone(2800, 20), after_seconds=8)
    plays = f"<Play>{web.put_tone(2600, 3)}</Play><Play>{late}</Play>"
    two.update("anna", hold=True, hold_url=web.put("/two.xml", f"<Response>{plays}</Response>"))
    two.expect("held, the first of two songs", anna="file", bert="")
    eventually(lambda: web.count("/late.wav") == 1, "the second is asked for")
    assert two.is_played_to("anna"), "while the first plays"
    eventually(lambda: not two.is_played_to("anna"), "the first has ended")
    two.expect("held, the second is slow", anna="music", bert="")
    two.expect_soon("held, the second has come", anna="other-file", bert="")


def _log(room: Room) -> list[dict[str, Any]]:
    """What the workers have said of this conference, or of no conference at all."""
    lines = [line for worker in room.stack.workers for line in worker.log().splitlines() if line.startswith("{")]
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [row for row in rows if row.get("lane", room.conference_sid).startswith(room.conference_sid)]


def test_one_song_that_is_missing_is_passed_over(two: Room, web: Web) -> None:
    """What comes before and behind it is heard; the log has its code, and the announcement has ended."""
    before, behind = web.put_tone(2600, 2), web.put_tone(2800, 2)
    plays = (
        f"<Play>{before}</Play><Play>/nowhere.mp3</Play><Play>{web.put('/x', b'no audio')}</Play><Play>{behind}</Play>"
    )
    two.update("anna", announce_url=web.put("/three.xml", f"<Response>{plays}</Response>"))
    two.expect("announced, before what is missing", anna="bert file", bert="anna")
    two.expect_soon("announced, behind what is missing", anna="bert other-file", bert="anna")
    two.await_event("announcement-end")

    assert [row["code"] for row in _log(two) if row["event"] == "verb_passed_over"] == [11217, 13420]


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
def test_a_document_that_is_redirected_is_found(two: Room, web: Web, status: int, method: str) -> None:
    """As a browser would; 307 and 308 bring the participant along. The document answers 201, its audio 206."""
    web.pages["/here"] = lambda: (status, "text/html", b"moved")
    web.redirects["/here"] = "/there"
    web.pages["/there"] = lambda: (201, "text/xml", b"<Response><Play>/tone</Play></Response>")
    web.pages["/tone"] = lambda: (206, "binary/octet-stream", tone(2600, 2))
    two.update("anna", announce_url=web.url("/here"))
    two.expect(f"announced, redirected by {status}", anna="bert file", bert="anna")
    asked = eventually(lambda: [asked for asked in web.asked if asked.path == "/there"], "it is found")[0]

    assert asked.method == method
    assert asked.parameters.get("CallSid") == (two.people["anna"].call_sid if method == "POST" else None)
    assert "X-Twilio-Signature" in asked.headers


def test_a_document_that_is_nearly_right_is_played(two: Room, web: Web) -> None:
    """With defaults where Twilio warns; in an encoding that only its header names."""
    text = (
        "<?xml version='1.0' encoding='windows-1252'?><Response><Pause length=''/><Say language='en_US' voice='Woman'>"
        f"Größe</Say><say>x</say><Play loop='-1'>{web.put_tone(2600, 3)}</Play></Response>"
    )
    url = web.put("/nearly.xml", text.encode("cp1252"), "text/xml; charset=windows-1252")
    two.update("anna", announce_url=url)
    eventually(lambda: web.count("/2600-3.wav"), "its audio is fetched")
    two.expect_soon("announced, nearly right", anna="bert file", bert="anna")
    two.await_event("announcement-end")

    assert {row["code"] for row in _log(two) if row["event"] == "twiml_warning"} >= {12200, 13410, 13511, 13512, 13910}


def test_every_kind_of_audio_is_heard(two: Room, web: Web) -> None:
    """Forty files of half a second one after the other, each as `application/octet-stream`."""
    files = list(audio_files().values())
    for number, data in enumerate(files):
        web.put(f"/{number}", data, "application/octet-stream")
    plays = "".join(f"<Play>/{number}</Play>" for number in range(len(files)))
    two.update("anna", announce_url=web.put("/all.xml", f"<Response>{plays}</Response>"))
    two.stack.receiver.await_kind(two.conference_sid, "announcement-end", 1, 75)

    assert all(web.count(f"/{number}") for number in range(len(files)))
    assert [row for row in _log(two) if row["event"] == "verb_passed_over"] == []
