"""Hold and mute: who is heard, what is heard on hold, and what it is like afterwards."""

from __future__ import annotations

import pytest

from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.web import Web


@pytest.fixture
def three(room: Room) -> Room:
    for digit, label in enumerate(("anna", "bert", "carl"), 1):
        room.add(label, digit)
    return room


def test_mute(three: Room) -> None:
    """A muted person is heard by nobody and hears everybody; joined muted, from the first moment."""
    three.expect("plain", anna="bert carl", bert="anna carl", carl="anna bert")
    three.update("carl", muted=True)
    three.expect("muted", anna="bert", bert="anna", carl="anna bert")
    three.update("carl", muted=False)
    three.expect("no longer muted", anna="bert carl", bert="anna carl", carl="anna bert")
    three.add("dora", 4, muted=True)
    three.expect("joined muted", anna="bert carl", bert="anna carl", carl="anna bert", dora="anna bert carl")
    three.update("dora", muted=False)
    three.expect("joined muted, then not", anna="bert carl dora", dora="anna bert carl")


def test_hold_with_music(three: Room) -> None:
    """The held hears only music and is heard by nobody; callbacks say so."""
    three.update("anna", hold=True)
    three.expect("held, stock music", anna="music", bert="carl", carl="bert")
    three.update("anna", hold=False)
    three.expect("back from hold", anna="bert carl", bert="anna carl", carl="anna bert")

    held, unheld = three.await_event("participant-hold"), three.await_event("participant-unhold")
    assert (held["ParticipantLabel"], held["Hold"], unheld["Hold"]) == ("anna", "true", "false")


def test_hold_with_urls(three: Room, web: Web) -> None:
    """A file is heard once and then silence, never the conference; a document goes on as it says."""
    three.update("anna", hold=True, hold_url=web.put_tone(2600, 2))
    three.expect("held, HoldUrl is a file", anna="file", bert="carl", carl="bert")
    eventually(lambda: not three.is_played_to("anna"), "the file has ended")
    three.expect("held, the file has ended", anna="", bert="carl", carl="bert")
    around = web.put("/round.xml", f'<Response><Play loop="2">{web.put_tone(2800, 0.4)}</Play><Redirect/></Response>')
    three.update("anna", hold=True, hold_url=around)
    eventually(lambda: web.count("/round.xml") >= 2, "the document has gone round")
    three.expect("held, a document that goes round", anna="other-file", bert="carl", carl="bert")
    three.update("anna", hold=False)
    three.expect("back from a hold with a document", anna="bert carl", bert="anna carl", carl="anna bert")


def test_mute_and_hold_are_two_things(three: Room) -> None:
    """Back from hold one is as muted as before, or as was asked meanwhile."""
    three.update("anna", muted=True)
    three.update("anna", hold=True)
    three.expect("muted and held", anna="music", bert="carl", carl="bert")
    three.update("anna", hold=False)
    three.expect("back from hold, still muted", anna="bert carl", bert="carl", carl="bert")
    three.update("anna", hold=True)
    three.update("anna", muted=False)
    three.expect("held, unmuted meanwhile", anna="music", bert="carl", carl="bert")
    three.update("anna", hold=False)
    three.expect("back from hold, no longer muted", anna="bert carl", bert="anna carl", carl="anna bert")


def test_stock_music_while_a_url_is_slow_or_broken(three: Room, web: Web) -> None:
    """The held never hears the conference meanwhile; the error is in the log, with its code."""
    slow = web.put("/slow.xml", f'<Response><Play loop="0">{web.put_tone(2600, 1)}</Play></Response>', after_seconds=4)
    three.update("anna", hold=True, hold_url=slow)
    three.expect("held, the URL is slow", anna="music", bert="carl", carl="bert")
    eventually(lambda: web.count("/2600-1.wav"), "the document has come")
    three.expect("held, the slow URL has come", anna="file", bert="carl", carl="bert")
    three.update("bert", hold=True, hold_url=web.url("/404"))
    three.expect("held, the URL is broken", anna="file", bert="music", carl="")

    lane = f"{three.conference_sid}:{three.people['bert'].call_sid}"
    told = [line for line in three.stack.workers[0].log().splitlines() if "sound_failed" in line and lane in line]
    assert len(told) == 1
    assert '"code":11217' in told[0]
