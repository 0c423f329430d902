"""Coaching: only the coached person hears the coach, whatever happens around them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.room import Room


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
    """The relations go with the coach: they would cost the mixer work for ever."""
    coached.remove("carl")
    coached.expect("the coach has left", anna="bert", bert="anna")

    assert coached.apart() == set()


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
