"""What becomes of recordings when a part of the service dies: what was recorded is kept, what nobody said is not added.

All tests of a switch break the same service, one after the other; `room` repairs it.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from orchestrator.sids import channel_uuid_of, recorder_uuid_of
from tests.conftest import make_switch
from tests.harness.polling import eventually
from tests.harness.rigged import HurriedStack, await_death, repair, rig
from tests.harness.room import Room
from tests.harness.stack import Stack
from tests.harness.tape import await_told, download, finished, hz_of, now, start

LENGTH_SECONDS = 0.4
"""How exact a length is that begins and ends with requests of ours."""

DIES_IN_THE_MIDDLE_OF_PROCESSING = """
from orchestrator.recordings.worker import Child
assert Child._ask
Child._ask = lambda child, line: (child._input.write(line), child._input.flush(), die())
"""


@pytest.fixture(scope="module")
def stack(switch_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service to be broken again and again."""
    directory = tmp_path_factory.mktemp(f"recording-crashes-{switch_name}")
    running = HurriedStack(make_switch(switch_name, directory / "switch"), directory, workers=2)
    with running:
        yield running


@pytest.fixture
def room(stack: Stack) -> Iterator[Room]:
    """A conference; afterwards every part runs again."""
    made = Room(stack)
    yield made
    repair(stack)
    if made.conference_sid:
        made.end()


# ---------------------------------------------------------------- the listener


def test_conferences_that_end_without_a_listener(room: Room) -> None:
    """Hung up all at once, or left one by one: their recordings end with them, and not when somebody has noticed."""
    other = Room(room.stack)
    tapes = []
    for one in (room, other):
        one.add("anna", 1)
        one.add("bert", 2)
        begun = now()
        of_call = start(one, one.client.calls(one.people["anna"].call_sid)).sid
        tapes += [(one, of_call, begun), (one, start(one, one.conference).sid, begun)]
    time.sleep(0.5)
    room.stack.listener.kill_9()
    time.sleep(1)
    ended = {other.conference_sid: now()}
    for person in other.people.values():
        room.stack.switch.api(f"uuid_kill {channel_uuid_of(person.call_sid)}")
    ended[room.conference_sid] = now()
    with contextlib.suppress(TwilioRestException):  # nobody can tell in time that it has ended
        room.end()
    for one, sid, _ in tapes[::2]:
        finished(one, sid)  # so somebody has looked
    room.stack.listener.start()

    for one, sid, begun in tapes:
        end = ended[one.conference_sid]
        tape = download(room.stack, finished(one, sid).media_url, end)
        assert tape.seconds == pytest.approx(end - begun, abs=LENGTH_SECONDS)
        assert tape.heard(hz_of(one, "anna"), begun, end) > 0.95
        await_told(room.stack, sid, "in-progress", "stopped", "completed")


# ---------------------------------------------------------------- workers, the switch


def stop(resource: Any, sid: str) -> None:
    resource.recordings(sid).update(status="stopped")


def test_a_worker_dies_while_it_processes(room: Room) -> None:
    """Another one begins again; it is told once, and nothing is left of the first try."""
    call = room.client.calls(room.add("anna", 1).call_sid)
    first, second = room.stack.workers
    second.kill_9()
    rig(first, DIES_IN_THE_MIDDLE_OF_PROCESSING)
    begun = now()
    sid = start(room, call).sid
    time.sleep(1)
    stop(call, sid)
    ended = now()
    await_death(first)
    assert room.client.recordings(sid).fetch().status == "processing"
    second.start()

    tape = download(room.stack, finished(room, sid).media_url, ended)
    assert tape.seconds == pytest.approx(ended - begun, abs=LENGTH_SECONDS)
    await_told(room.stack, sid, "in-progress", "stopped", "completed")


def test_the_switch_dies_while_it_records(room: Room) -> None:
    """At most a second is lost of what was said until then."""
    person = room.add("anna", 1)
    room.add("bert", 2)
    begun = now()
    sids = [start(room, resource).sid for resource in (room.conference, room.client.calls(person.call_sid))]
    time.sleep(2)
    room.stack.switch.kill_9()
    died = now()
    room.stack.switch.hang_up_far_end()
    room.stack.switch.start()

    for sid in sids:
        tape = download(room.stack, finished(room, sid).media_url)
        assert died - begun - 1 <= tape.seconds <= died - begun + 0.1
        assert tape.ever(hz_of(room, "anna")) / 50 == pytest.approx(tape.seconds, abs=0.2)
        await_told(room.stack, sid, "in-progress", "stopped", "completed")
    room.stack.await_ready()


def parts_of(stack: Stack, sid: str) -> list[Path]:
    return sorted((stack.directory / "recordings" / "parts").glob(f"*{sid}*"))


def is_second(part: Path) -> bool:
    return part.name.endswith(".2.wav")


def test_what_stops_behind_our_back_goes_on(room: Room) -> None:
    """The switch is told to stop, the leg that listens is killed, a file is removed: each is noticed, and the recording
    goes on in another file, with silence in between; only what was in the removed one is lost."""
    person = room.add("anna", 1)
    room.add("bert", 2)
    call = room.client.calls(person.call_sid)
    begun = now()
    resources = {"stopped": call, "killed": room.conference, "removed": call}
    sids = {how: start(room, resource).sid for how, resource in resources.items()}
    time.sleep(1)
    broken = now()
    (path,) = parts_of(room.stack, sids["stopped"])
    room.stack.switch.api(f"uuid_record {channel_uuid_of(person.call_sid)} stop {path}")
    room.stack.switch.api(f"uuid_kill {recorder_uuid_of(sids['killed'])}")
    (path,) = parts_of(room.stack, sids["removed"])
    path.unlink()
    eventually(lambda: all(is_second(parts_of(room.stack, sid)[-1]) for sid in sids.values()), "another part", 15)
    time.sleep(1.5)
    for how, resource in resources.items():
        stop(resource, sids[how])
    ended = now()

    for how, sid in sids.items():
        tape = download(room.stack, finished(room, sid).media_url, ended)
        assert tape.heard(hz_of(room, "anna"), ended - 1.5, ended) > 0.95
        if how != "removed":
            assert tape.seconds == pytest.approx(ended - begun, abs=LENGTH_SECONDS)
            assert tape.heard(hz_of(room, "anna"), begun, broken) > 0.95
        await_told(room.stack, sid, "in-progress", "stopped", "completed")


# ---------------------------------------------------------------- the disk


@pytest.fixture
def small_disk(stack: Stack) -> Iterator[Path]:
    """RECORDINGS_DIR with room for 1 MB."""
    directory = stack.directory / "recordings"
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(directory)]
    unmount = ["umount", "--lazy"]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield directory
    subprocess.run([*unmount, str(directory)], check=True)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "junk").open("ab", 0) as junk:
        while junk.write(bytes(1024)) == 1024:
            pass


def test_a_full_disk(room: Room, small_disk: Path) -> None:
    """While it is full nothing is recorded, and nothing ends; what cannot be kept waits. What there was, and what comes
    when there is room again, is kept, each at its time."""
    call = room.client.calls(room.add("anna", 1).call_sid)
    begun = now()
    sid = start(room, call).sid
    time.sleep(1)
    full = now()
    fill(small_disk)
    eventually(lambda: is_second(parts_of(room.stack, sid)[-1]), "the switch cannot go on", 15)
    (small_disk / "junk").unlink()
    last = len(parts_of(room.stack, sid))
    eventually(lambda: len(parts_of(room.stack, sid)) > last, "it goes on", 15)
    time.sleep(1.5)
    stop(call, sid)
    ended = now()
    fill(small_disk)
    eventually(lambda: "No space left on device" in logs(room), "it is tried")
    assert room.client.recordings(sid).fetch().status == "processing"
    (small_disk / "junk").unlink()

    tape = download(room.stack, finished(room, sid).media_url, ended)
    hz = hz_of(room, "anna")
    assert tape.seconds == pytest.approx(ended - begun, abs=LENGTH_SECONDS)
    assert tape.heard(hz, begun, full) > 0.95
    assert tape.heard(hz, ended - 1.5, ended) > 0.95
    assert tape.ever(hz) / 50 < tape.seconds - 1
    await_told(room.stack, sid, "in-progress", "stopped", "completed")


def test_a_directory_that_cannot_be_written(room: Room) -> None:
    """What cannot begin has failed, at once and told; what has begun goes on when it can be written again."""
    call = room.client.calls(room.add("anna", 1).call_sid)
    begun = now()
    sid = start(room, call).sid
    time.sleep(1)
    parts, away = (room.stack.directory / "recordings" / name for name in ("parts", "away"))
    parts.rename(away)
    parts.write_text("no directory")
    refused = start(room, call)
    assert (refused.status, refused.error_code) == ("failed", 20500)
    *_, last = await_told(room.stack, refused.sid, "failed")
    assert last["ErrorCode"] == "20500"
    eventually(lambda: any(sid in line and "part_refused" in line for line in logs(room).splitlines()), "noticed", 15)
    parts.unlink()
    away.rename(parts)
    eventually(lambda: len(parts_of(room.stack, sid)) > 1, "it goes on", 15)
    time.sleep(1.5)
    stop(call, sid)
    ended = now()

    tape = download(room.stack, finished(room, sid).media_url, ended)
    assert tape.seconds == pytest.approx(ended - begun, abs=LENGTH_SECONDS)
    assert tape.heard(hz_of(room, "anna"), ended - 1.5, ended) > 0.95
    await_told(room.stack, sid, "in-progress", "stopped", "completed")


def logs(room: Room) -> str:
    return "".join(worker.log() for worker in room.stack.workers)
