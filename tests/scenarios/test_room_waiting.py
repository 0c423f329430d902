"""Waiting: until the conference starts nobody is heard, and everybody hears what they wait with."""

from __future__ import annotations

from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.web import Web


def test_who_is_alone_waits_with_music(room: Room) -> None:
    """Without a WaitUrl the stock music is heard; it ends when the conference starts."""
    room.add("anna", 1)
    room.expect("alone: waiting, stock music", anna="music")
    room.add("bert", 2)
    room.expect("two: started", anna="bert", bert="anna")


def test_everybody_waits_with_what_they_were_given(room: Room, web: Web) -> None:
    """WaitUrl is each participant's own: a file, silence if it is empty, the stock music if there is none."""
    loop = web.put("/loop.xml", f'<Response><Play loop="0">{web.put_tone(2600, 1)}</Play></Response>')
    room.add("anna", 1, start_conference_on_enter=False, wait_url=loop)
    room.add("bert", 2, start_conference_on_enter=False, wait_url="")
    room.add("carl", 3, start_conference_on_enter=False)
    room.expect("waiting: a WaitUrl, an empty one, none", anna="file", bert="", carl="music")

    other = web.put("/other.xml", f'<Response><Play loop="0">{web.put_tone(2800, 1)}</Play></Response>')
    room.update("carl", wait_url=other)
    room.expect("waiting: WaitUrl changed by an update", anna="file", bert="", carl="other-file")
    assert room.await_event("participant-modify")["ParticipantLabel"] == "carl"

    room.add("dora", 4)
    room.expect(
        "started by the one who starts conferences",
        anna="bert carl dora",
        bert="anna carl dora",
        carl="anna bert dora",
        dora="anna bert carl",
    )


def test_a_started_conference_stays_started(room: Room) -> None:
    """Whoever remains alone hears nobody, and no music; whoever joins is heard at once."""
    room.add("anna", 1, start_conference_on_enter=False)
    room.add("bert", 2)
    room.remove("bert")
    room.expect("alone in a started conference", anna="")
    room.add("carl", 3, start_conference_on_enter=False)
    room.expect("joined a started conference", anna="carl", carl="anna")
    room.await_event("conference-start")

    assert room.stack.receiver.kinds(room.conference_sid).count("conference-start") == 1


def test_a_held_person_who_waits_hears_hold_music_and_waits_on(room: Room, web: Web) -> None:
    """Hold goes before waiting; after it the waiting goes on, or the conversation if it has begun."""
    loop = web.put("/loop.xml", f'<Response><Play loop="0">{web.put_tone(2600, 1)}</Play></Response>')
    room.add("anna", 1, start_conference_on_enter=False)
    room.update("anna", hold=True, hold_url=loop)
    room.expect("waiting and held", anna="file")
    room.update("anna", hold=False)
    room.expect("waiting and no longer held", anna="music")
    room.update("anna", hold=True, hold_url=loop)
    room.add("bert", 2)
    room.add("carl", 3)
    room.expect("held while the conference started", anna="file", bert="carl", carl="bert")
    room.update("anna", hold=False)
    room.expect("back from hold in a started conference", anna="bert carl", bert="anna carl", carl="anna bert")


def test_beeps(room: Room) -> None:
    """`true` beeps at both ends, onEnter and onExit at one, `false` never; before the start nobody is beeped at."""
    room.add("anna", 1, start_conference_on_enter=False, wait_url="")
    room.expect_during(
        "before the start: no beep",
        lambda: room.add("bert", 2, beep="true", start_conference_on_enter=False, wait_url=""),
        anna="",
    )
    room.add("carl", 3)
    heard = "anna carl"
    room.expect_during("Beep=true: on enter", lambda: room.add("dora", 4, beep="true"), bert=f"{heard} beep")
    room.expect_during("Beep=true: on exit", lambda: room.remove("dora"), bert=f"{heard} beep")
    room.expect_during("Beep=onExit: not on enter", lambda: room.add("emil", 5, beep="onExit"), bert=heard)
    room.expect_during("Beep=onExit: on exit", lambda: room.remove("emil"), bert=f"{heard} beep")
    room.expect_during("Beep=onEnter: on enter", lambda: room.add("fred", 6, beep="onEnter"), bert=f"{heard} beep")
    room.update("fred", beep_on_exit=True)
    room.expect_during("BeepOnExit=true by an update", lambda: room.remove("fred"), bert=f"{heard} beep")
    room.expect_during("Beep=false: on enter", lambda: room.add("gina", 7), bert=heard)
    room.expect_during("Beep=false: on exit", lambda: room.remove("gina"), bert=heard)


def test_a_person_who_leaves_ends_what_they_hear(room: Room, web: Web) -> None:
    """A document that goes round and round is not fetched any more once nobody hears it."""
    around = web.put("/round.xml", f"<Response><Play>{web.put_tone(2600, 1)}</Play><Redirect/></Response>")
    room.add("anna", 1, start_conference_on_enter=False, wait_url=around)
    room.add("bert", 2, start_conference_on_enter=False)
    eventually(lambda: web.count("/round.xml") >= 2, "the document has gone round")
    room.remove("anna")
    fetched = web.count("/round.xml")
    room.expect("one who waited has left", bert="music")
    room.expect("… and stays away", bert="music")

    assert web.count("/round.xml") <= fetched + 1
