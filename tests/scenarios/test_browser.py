"""A recording in a browser's own player; skipped where there is no Chromium."""

from __future__ import annotations

import re
import time

import pytest

from tests.harness.browser import CHROMIUM, Browser
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.tape import finished, lengthen, part_of

SECONDS = 600


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH")
def test_a_browser_plays_a_recording_and_seeks(room: Room) -> None:
    """To the middle of ten minutes, and it plays on from there; of what lies between it asks for nothing."""
    call = room.client.calls(room.add("anna", 1).call_sid)
    sid = call.recordings.create(recording_track="inbound").sid
    part = eventually(lambda: part_of(room.stack, sid), "it is written")
    assert part is not None
    time.sleep(0.5)
    lengthen(part, SECONDS)
    call.recordings(sid).update(status="stopped")
    assert int(finished(room, sid).duration) >= SECONDS
    stack = room.stack
    base = f"http://{stack.account_sid}:{stack.auth_token}@{stack.bind}/2010-04-01/Accounts/{stack.account_sid}"

    with Browser() as browser:
        for kind in ("wav", "mp3"):
            found = browser.play_and_seek(f"{base}/Recordings/{sid}.{kind}")
            assert found["duration"] == pytest.approx(SECONDS, abs=15)
            assert 0 < found["before"] < 5
            assert found["from"] == pytest.approx(found["duration"] / 2, abs=0.5)
            assert found["from"] < found["after"] < found["from"] + 5

    asked = {kind: [ranged for url, ranged in browser.ranges if url.endswith(kind)] for kind in ("wav", "mp3")}
    assert all(asked.values()), "everything came with 206"
    starts = [int(re.split(r"[ -]", ranged)[1]) for ranged in asked["wav"]]
    assert any(start > SECONDS * 16_000 / 3 for start in starts), starts
