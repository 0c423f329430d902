"""What becomes of recordings when a part of the service dies: what was recorded is kept, what nobody said is not added.

All tests of a switch break the same service, one after the other; `room` repairs it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from twilio.base.exceptions import TwilioRestException

from orchestrator.sids import channel_uuid_of
from tests.conftest import make_switch
from tests.harness.rigged import HurriedStack, repair
from tests.harness.room import Room
from tests.harness.stack import Stack
from tests.harness.tape import await_told, download, finished, hz_of, now, start

LENGTH_SECONDS = 0.4
"""How exact a length is that begins and ends with requests of ours."""


@pytest.fixture(scope="module")
def stack(switch_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service to be broken again and again."""
    directory = tmp_path_factory.mktemp(f"recording-crashes-{switch_name}")
    running = HurriedStack(make_switch(switch_name, directory / "switch"), directory, workers=2)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def room(stack: Stack) -> Iterator[Room]:
    """A conference; afterwards every part runs again."""
    made = Room(stack)
    yield made
    repair(stack)
    if made.conference_sid:
        made.end()


# ---------------------------------------------------------------- the listener


@pytest.mark.parametrize("how", ["all at once", "one by one"])
def test_a_conference_that_ends_without_a_listener(room: Room, how: str) -> None:
    """Its recording ends with it, and not when somebody has noticed; so does that of a call."""
    room.add("anna", 1)
    room.add("bert", 2)
    begun = now()
    of_call = start(room, room.client.calls(room.people["anna"].call_sid)).sid
    of_conference = start(room, room.conference).sid
    time.sleep(1)
    room.stack.listener.kill_9()
    time.sleep(1)
    ended = now()
    if how == "all at once":
        with contextlib.suppress(TwilioRestException):  # nobody can tell in time that it has ended
            room.end()
    else:
        for person in room.people.values():
            room.stack.switch.api(f"uuid_kill {channel_uuid_of(person.call_sid)}")
    finished(room, of_call)  # so somebody has looked
    room.stack.listener.start()

    for sid in (of_call, of_conference):
        tape = download(room.stack, finished(room, sid).media_url, ended)
        assert tape.seconds == pytest.approx(ended - begun, abs=LENGTH_SECONDS)
        assert tape.heard(hz_of(room, "anna"), begun, ended) > 0.8
        await_told(room.stack, sid, "in-progress", "stopped", "completed")
