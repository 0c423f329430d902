"""Coaching: only the coached person hears the coach, whatever happens around them."""

from __future__ import annotations

from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.stack import Stack


@pytest.fixture
def coached(room: Room) -> Room:
    """Anna is coached by carl; bert must not know."""
    anna = room.add("anna", 1)
    room.add("bert", 2)
    room.add("carl", 3, coaching=True, call_sid_to_coach=anna.call_sid)
    return room


def test_monitor_whisper_barge(coached: Room) -> None:
    """Muted and coaching hears all and is heard by nobody; coaching is heard by one; barging in is heard by all."""
    coached.expect("coach", anna="bert carl", bert="anna", carl="anna bert")
    coached.update("carl", muted=True)
    coached.expect("coach, muted: monitor", anna="bert", bert="anna", carl="anna bert")
    coached.update("carl", muted=False)
    coached.expect("monitor no longer muted: coach again", anna="bert carl", bert="anna", carl="anna bert")
    coached.update("carl", coaching=False)
    coached.expect("barge", anna="bert carl", bert="anna carl", carl="anna bert")
    coached.update("carl", coaching=True, call_sid_to_coach=coached.people["bert"].call_sid)
    coached.expect("coach of another after barging", anna="bert", bert="anna carl", carl="anna bert")

    assert coached.await_event("participant-modify", 2)["Coaching"] == "true"


def test_another_is_coached(coached: Room) -> None:
    """The coach moves on: the next hears, the one before does not any more."""
    coached.update("carl", call_sid_to_coach=coached.people["bert"].call_sid)
    coached.expect("moved to another", anna="bert", bert="anna carl", carl="anna bert")


def test_late_joiners_do_not_hear_the_coach(coached: Room) -> None:
    """Whoever joins later is kept from hearing a coach, two coaches from hearing each other."""
    coached.add("dora", 4)
    coached.expect(
        "late joiner under coaching", anna="bert carl dora", bert="anna dora", carl="anna bert dora", dora="anna bert"
    )
    coached.add("emil", 5, coaching=True, call_sid_to_coach=coached.people["bert"].call_sid)
    coached.expect(
        "two coaches",
        anna="bert carl dora",
        bert="anna dora emil",
        carl="anna bert dora",
        dora="anna bert",
        emil="anna bert dora",
    )


def test_hold_of_coach_and_coached(coached: Room) -> None:
    """On hold neither of them hears or is heard; afterwards the coaching goes on."""
    coached.update("anna", hold=True)
    coached.expect("the coached is held", anna="music", bert="", carl="bert")
    coached.update("anna", hold=False)
    coached.expect("the coached is back", anna="bert carl", bert="anna", carl="anna bert")
    coached.update("carl", hold=True)
    coached.expect("the coach is held", anna="bert", bert="anna", carl="music")
    coached.update("carl", hold=False)
    coached.expect("the coach is back, still coaching", anna="bert carl", bert="anna", carl="anna bert")


def test_the_coached_leaves_and_comes_again(coached: Room) -> None:
    """Nobody hears a coach whose coached has left; a new call of the same person is not coached until somebody asks."""
    coached.remove("anna")
    coached.expect("the coached has left", bert="", carl="bert")
    anna = coached.add("anna", 1)
    coached.expect("the coached has come again", anna="bert", bert="anna", carl="anna bert")
    coached.update("carl", call_sid_to_coach=anna.call_sid)
    coached.expect("coached again", anna="bert carl", bert="anna", carl="anna bert")


def test_a_coach_leaves_and_nothing_remains(coached: Room) -> None:
    """What carried the whisper goes with the coach."""
    coached.remove("carl")
    coached.expect("the coach has left", anna="bert", bert="anna")

    eventually(lambda: not coached.pairs(), "no pair is left")


@pytest.mark.parametrize("order", [("mute", "hold", "coach"), ("coach", "hold", "mute"), ("hold", "coach", "mute")])
def test_combinations_end_in_what_was_asked_last(room: Room, order: tuple[str, ...]) -> None:
    """Whatever the order: held, then back, then unmuted, one after the other takes its effect back."""
    anna = room.add("anna", 1)
    room.add("bert", 2)
    room.add("carl", 3)
    changes: dict[str, dict[str, Any]] = {
        "mute": {"muted": True},
        "hold": {"hold": True},
        "coach": {"coaching": True, "call_sid_to_coach": anna.call_sid},
    }
    for change in order:
        room.update("carl", **changes[change])
    room.expect(f"{', '.join(order)}: all three", anna="bert", bert="anna", carl="music")
    room.update("carl", hold=False)
    room.expect(f"{', '.join(order)}: back from hold", anna="bert", bert="anna", carl="anna bert")
    room.update("carl", muted=False)
    room.expect(f"{', '.join(order)}: no longer muted", anna="bert carl", bert="anna", carl="anna bert")
    room.update("carl", coaching=False)
    room.expect(f"{', '.join(order)}: no longer coaching", anna="bert carl", bert="anna carl", carl="anna bert")


def test_a_switch_that_cannot_whisper(own_stack: Stack) -> None:
    """Coaching is refused, with the reason, before anybody is dialled; `orchestrator check` says it, too."""
    room = Room(own_stack)
    anna = room.add("anna", 1)
    room.add("bert", 2)
    assert "can let a coach be heard" in own_stack.orchestrator("check")
    own_stack.switch.api("unload mod_loopback")
    for act in (
        lambda: room.update("bert", coaching=True, call_sid_to_coach=anna.call_sid),
        lambda: room.add("carl", 3, coaching=True, call_sid_to_coach=anna.call_sid),
    ):
        with pytest.raises(TwilioRestException) as refused:
            act()
        assert (refused.value.status, refused.value.code) == (503, 20503)
        assert "has not loaded mod_loopback" in refused.value.msg

    room.expect("coaching was refused", anna="bert", bert="anna")
    assert own_stack.orchestrator_status("check") == 1


def test_who_talks_is_told_of_a_coach_as_well(coached: Room) -> None:
    """Out of the mix the conference itself cannot tell; the callbacks begin and end with the coach's voice."""
    carl = coached.people["carl"]
    assert coached.await_event("participant-speech-start")
    eventually(lambda: _spoke(coached, carl.call_sid) == ["participant-speech-start"], "carl talks")
    coached.update("carl", muted=True)
    eventually(
        lambda: _spoke(coached, carl.call_sid) == ["participant-speech-start", "participant-speech-stop"],
        "carl is muted",
    )
    coached.update("carl", muted=False)
    eventually(lambda: len(_spoke(coached, carl.call_sid)) == 3, "carl talks again")


def _spoke(room: Room, call_sid: str) -> list[str]:
    events = room.stack.receiver.of(room.conference_sid)
    return [each.kind for each in events if "speech" in each.kind and each.parameters.get("CallSid") == call_sid]


def test_a_pair_is_no_call(coached: Room) -> None:
    """Not in lists, not counted, not told of, and it outlives an audit."""
    pairs = eventually(coached.pairs, "carl whispers")
    participants = coached.conference.participants.list()
    coached.stack.listener.kill_9()
    coached.stack.listener.start()
    coached.stack.await_ready()
    coached.expect("after a new listener's first audit", anna="bert carl", bert="anna", carl="anna bert")

    assert {each.call_sid for each in participants} == {person.call_sid for person in coached.people.values()}
    events = coached.stack.receiver.of(coached.conference_sid)
    assert {each.parameters["CallSid"] for each in events if "CallSid" in each.parameters} <= coached.call_sids
    strays = [line for line in coached.stack.listener.log().splitlines() if "stray_leg_ended" in line]
    pair_sids = {"CA" + pair.replace("-", "") for pair in pairs}
    assert not [line for line in strays if any(sid in line for sid in pair_sids | coached.call_sids)]
    assert coached.pairs() >= pairs  # that which tells who talks may have come later
