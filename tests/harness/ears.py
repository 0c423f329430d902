"""Who hears whom: what each phone of a far end hears, measured.

    ears = Ears(far_end, [anna, bert, carl])  # numbers; their calls are up when it listens
    ...                                       # do something, and wait until the switch has been told
    heard = ears.listen()                     # 0.2 s for the sound to follow, then 0.4 s are recorded
    assert who_hears_whom(heard, [anna, bert, carl]) == {anna: {bert}, bert: {anna}, carl: set()}

The phones' tones tell them apart (`tone_hz`), so their numbers must end in different ones of 00 to 09, or as far apart.

Measured with six phones in a conference, 30 random tables of who is muted and deaf, 0.7 s each, and 20 more beside two
busy loops: all right; the quietest tone that was to be heard -20.7 dBFS, the loudest that was not -56.4.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Iterable
from itertools import count
from pathlib import Path
from typing import Final

from tests.harness.freeswitch import EslSocket, FarEnd, FreeSwitchError, tone_hz
from tests.harness.polling import eventually
from tests.harness.sound import (
    FRAME,
    HEARD_DBFS,
    RATE,
    SILENT_DBFS,
    HeardFrame,
    Samples,
    heard_frames,
    levels,
    read_wav,
    require_apart,
)

SETTLE_SECONDS: Final = 0.2
"""From a command to its sound: 80 ms at most were seen from `unmute` to the first frame, 40 ms from all others."""
WINDOW_SECONDS: Final = 0.4
LEAST_PART: Final = 0.5
"""Of a window must have been recorded; a machine that stood still measures nothing."""

Heard = dict[str, dict[int, float]]
"""Number of the listener -> tone in Hz -> dBFS."""

_file_numbers = count(1)


class Ears:
    """The phones with these numbers; each must have one call when it is listened to."""

    def __init__(self, far_end: FarEnd, numbers: Iterable[str]) -> None:
        self.numbers = tuple(numbers)
        require_apart([tone_hz(number) for number in self.numbers])  # a list: equal tones are too close as well
        self._far_end = far_end
        self._directory = far_end.directory / "windows"

    def listen(
        self,
        tones: Iterable[int] = (),
        seconds: float = WINDOW_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
        during: Callable[[], object] | None = None,
    ) -> Heard:
        """What every phone hears from now on: the level of each phone's tone, and of these.

        Nothing from before the call is in it. All phones are recorded over the same `seconds` and a little around them.
        `during` is called when all record, for sounds that are over before anybody could look.
        """
        wanted = {tone_hz(number) for number in self.numbers} | set(tones)
        require_apart(wanted)
        time.sleep(settle_seconds)
        paths = self._record(seconds, during)
        heard = {}
        for number, path in paths.items():
            samples = read_wav(path)
            path.unlink()
            if len(samples) < max(FRAME, LEAST_PART * seconds * RATE):
                raise FreeSwitchError(f"{number} recorded {len(samples)} samples in {seconds} s")
            heard[number] = levels(samples, wanted)
        return heard

    def first_heard(self, number: str, hz: int, act: Callable[[], object], seconds: float) -> float:
        """How long after `act` was begun a tone is heard first, in seconds; infinity if it is not in so many. Exact to
        two frames: the recording begins with the next one."""
        times: list[float] = []

        def timed() -> None:
            times.append(time.monotonic())
            act()

        started = time.monotonic()
        path = self._record(seconds, timed)[number]
        frames = heard_frames(read_wav(path), hz, HEARD_DBFS)
        path.unlink()
        return frames[0].seconds - (times[0] - started) if frames else math.inf

    def hear(self, number: str, act: Callable[[], object]) -> Samples:
        """What a phone hears from before `act` is begun until it is done."""
        time.sleep(SETTLE_SECONDS)  # what was before it has ended
        path = self._record(0.0, act)[number]
        samples = read_wav(path)
        path.unlink()
        return samples

    def whole_call(self, number: str) -> Path:
        """The recording of this phone's last call, from its answer to its end, which it must have reached."""
        if self._far_end.recordings is None:
            raise FreeSwitchError("this far end does not record: FarEnd(record=True)")
        found = sorted(self._far_end.recordings.glob(f"{number}-*.wav"), key=lambda path: path.stat().st_mtime_ns)
        if not found:
            raise FreeSwitchError(f"no recording of {number}")
        return found[-1]

    def ever_heard(self, number: str, hz: int, threshold_dbfs: float = SILENT_DBFS) -> list[HeardFrame]:
        """All frames of this phone's last call, now ended, in which a tone was heard; seconds are since its answer."""
        return heard_frames(read_wav(self.whole_call(number)), hz, threshold_dbfs)

    def _record(self, seconds: float, during: Callable[[], object] | None) -> dict[str, Path]:
        """Start all, wait, stop all. A recording is complete when its stop has been answered."""
        self._directory.mkdir(exist_ok=True)
        connection = self._far_end.connect()
        try:
            calls = eventually(lambda: _calls_by_number(connection, self.numbers), "each phone has one call")
            paths = {number: self._directory / f"{next(_file_numbers)}.wav" for number in self.numbers}
            for number, path in paths.items():
                _must(connection.command(f"api uuid_record {calls[number]} start {path}"))
            ends = time.monotonic() + seconds
            if during is not None:
                during()
            time.sleep(max(0.0, ends - time.monotonic()))
            for number, path in paths.items():
                _must(connection.command(f"api uuid_record {calls[number]} stop {path}"))
        finally:
            connection.close()
        return paths


def who_hears_whom(heard: Heard, numbers: Collection[str]) -> dict[str, set[str]]:
    """Listener -> the numbers whose tones they hear. A level between heard and not heard is an AssertionError."""
    return {
        listener: {
            speaker for speaker in numbers if speaker != listener and is_heard(heard[listener][tone_hz(speaker)])
        }
        for listener in heard
    }


def is_heard(dbfs: float) -> bool:
    """Whether this is the level of a tone that is heard; AssertionError if it is neither heard nor not heard."""
    assert not SILENT_DBFS <= dbfs <= HEARD_DBFS, f"{dbfs:.1f} dBFS is neither heard nor not heard"
    return dbfs > HEARD_DBFS


def _calls_by_number(connection: EslSocket, numbers: Iterable[str]) -> dict[str, str]:
    """Number -> the uuid of its only call. `show channels` lags behind: what it shows may be gone."""
    rows = json.loads(connection.command("api show channels as json")).get("rows", [])
    calls = {}
    for number in numbers:
        found = [str(row["uuid"]) for row in rows if row["dest"] == number]
        found = [uuid for uuid in found if connection.command(f"api uuid_exists {uuid}") == "true"]
        assert len(found) == 1, f"{number} has {len(found)} calls"
        calls[number] = found[0]
    return calls


def _must(reply: str) -> None:
    if not reply.startswith("+OK"):
        raise FreeSwitchError(f"uuid_record: {reply.strip()}")
