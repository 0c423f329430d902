"""Announcements: to one and to all, what becomes of them, and what a document can say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.web import Web


@pytest.fixture
def three(room: Room) -> Room:
    for digit, label in enumerate(("anna", "bert", "carl"), 1):
        room.add(label, digit)
    return room


def test_to_one(three: Room, web: Web) -> None:
    """One hears it over the conversation, the others do not; the end is told."""
    url = web.put_tone(2600, 2)
    three.update("anna", announce_url=url, announce_method="GET")
    three.expect("announced to one", anna="bert carl file", bert="anna carl", carl="anna bert")

    told = three.await_event("announcement-end")
    assert (told["AnnounceUrl"], told["ParticipantLabel"]) == (url, "anna")


def test_to_all(three: Room, web: Web) -> None:
    """Everybody in the conversation hears it, muted or not; whoever is on hold does not."""
    three.update("bert", muted=True)
    three.update("carl", hold=True)
    url = web.put_tone(2600, 2)
    three.conference.update(announce_url=url, announce_method="GET")
    three.expect("announced to all", anna="file", bert="anna file", carl="music")

    told = three.await_event("announcement-end")
    assert told["AnnounceUrl"] == url
    assert "CallSid" not in told


def test_to_one_on_hold(three: Room, web: Web) -> None:
    """The hold music makes room for it, and comes back."""
    three.update("anna", hold=True)
    three.expect("held, before the announcement", anna="music", bert="carl", carl="bert")
    three.update("anna", announce_url=web.put_tone(2600, 2))
    three.expect("announced to one on hold", anna="file", bert="carl", carl="bert")
    three.await_event("announcement-end")
    three.expect("held, after the announcement", anna="music", bert="carl", carl="bert")


def test_one_after_the_other(three: Room, web: Web) -> None:
    """Announcements to the same person wait for each other and keep their order."""
    urls = [web.put_tone(2600, 0.3), web.put_tone(2800, 0.3), web.put_tone(2600, 0.4)]
    for url in urls:
        three.update("anna", announce_url=url, announce_method="GET")
    told = three.stack.receiver.await_kind(three.conference_sid, "announcement-end", 3)

    assert [one.parameters["AnnounceUrl"] for one in told] == urls


def test_a_document_is_played_as_it_says(three: Room, web: Web) -> None:
    """Play with a relative URL and loops, Pause, and Redirect; the request carries the participant and is signed."""
    web.put_tone(2600, 0.3)
    web.put("/next.xml", "<Response><Play>2600-0.3.wav</Play></Response>")
    url = web.put(
        "/first.xml",
        '<Response><Play loop="2">2600-0.3.wav</Play><Pause length="1"/>'
        '<Play digits="1"/><Redirect method="GET">next.xml</Redirect></Response>',
    )
    three.update("anna", announce_url=url)
    three.await_event("announcement-end")

    first = next(asked for asked in web.asked if asked.path == "/first.xml")
    following = next(asked for asked in web.asked if asked.path == "/next.xml")
    assert (first.method, following.method) == ("POST", "GET")
    assert first.parameters["CallSid"] == three.people["anna"].call_sid
    assert first.parameters["ConferenceSid"] == three.conference_sid
    assert "X-Twilio-Signature" in first.headers
    assert web.count("/2600-0.3.wav") >= 1


BROKEN: dict[str, tuple[Callable[[Web], str], str]] = {
    "404": (lambda web: web.url("/nowhere"), "11217"),
    "a page": (lambda web: web.put("/page", "<html><p>hello</p></html>", "text/html"), "12102"),
    "no XML": (lambda web: web.put("/no.xml", "<Response><Play>"), "12100"),
    "another verb": (lambda web: web.put("/dial.xml", "<Response><Dial>1</Dial></Response>"), "13238"),
    "a picture": (lambda web: web.put("/picture", b"GIF89a", "image/gif"), "12300"),
    "a billion laughs": (
        lambda web: web.put("/lol", '<!DOCTYPE r [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]><Response>&b;</Response>'),
        "12100",
    ),
    "an endless redirect": (lambda web: web.put("/again", "<Response><Redirect/></Response>"), "11215"),
    "nothing in time": (
        lambda web: web.put("/late", "<Response/>", after_seconds=3) + "#tt=300",
        "11203",
    ),
    "a refused address": (lambda web: "http://169.254.169.254/latest/meta-data", "11210"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_played_is_told(room: Room, web: Web, case: str) -> None:
    """announcement-fail names the reason with Twilio's code; the conversation goes on."""
    make, code = BROKEN[case]
    room.add("anna", 1)
    room.add("bert", 2)
    url = make(web)
    room.update("anna", announce_url=url)
    told = room.await_event("announcement-fail")

    assert told["AnnounceUrl"] == url
    assert told["ReasonAnnouncementFailed"].startswith(f"{code}:")
    assert room.matrix() == {"anna": {"bert"}, "bert": {"anna"}}


def test_what_is_refused_at_once(three: Room, web: Web) -> None:
    """Each refusal has Twilio's code and changes nothing."""
    anna = three.people["anna"].call_sid
    nobody = "CA" + "0" * 32
    three.update("carl", hold=True)
    carl = three.people["carl"].call_sid
    refused: list[tuple[str, dict[str, Any], int]] = [
        ("anna", {"hold": True, "announce_url": web.url("/x")}, 16099),
        ("anna", {"announce_url": "ftp://example.com/x"}, 21205),
        ("anna", {"hold": True, "hold_url": "file:///etc/passwd"}, 21205),
        ("anna", {"wait_url": "gopher://x"}, 21205),
        ("anna", {"coaching": True}, 20001),
        ("anna", {"coaching": True, "call_sid_to_coach": anna}, 20001),
        ("anna", {"coaching": True, "call_sid_to_coach": nobody}, 16028),
        ("anna", {"coaching": True, "call_sid_to_coach": carl}, 16027),
    ]
    for label, changes, code in refused:
        with pytest.raises(TwilioRestException) as caught:
            three.update(label, **changes)
        assert (caught.value.status, caught.value.code) == (400, code), changes
    with pytest.raises(TwilioRestException) as caught:
        three.add("dora", 4, coaching=True, call_sid_to_coach=carl)

    assert caught.value.code == 16027
    assert three.matrix()["anna"] == {"bert"}


def test_nobody_hears_an_announcement_before_the_start(room: Room, web: Web) -> None:
    """A conference that is not in progress cannot be announced to (16001); one participant can."""
    room.add("anna", 1)
    with pytest.raises(TwilioRestException) as caught:
        room.conference.update(announce_url=web.put_tone(2600, 1))
    room.update("anna", announce_url=web.put_tone(2600, 2))
    room.expect("waiting, announced to one", anna="file")

    assert (caught.value.status, caught.value.code) == (400, 16001)
    eventually(lambda: room.await_event("announcement-end"), "the end is told")
