"""What is being played to a conference or to one member, and what waits behind it (conference_file_node_t).

One timer for each queue that plays something. Seen on the real one: a file begins in the next frame, its end is noticed
in the frame after its last one; stopping marks files, and each marked file is closed in a frame of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent

from orchestrator.sandbox.clock import FRAME_SECONDS, FRAMES_PER_SECOND
from orchestrator.sandbox.sounds import Sound

SpawnLater = Callable[..., "gevent.Greenlet[..., object]"]


@dataclass(slots=True, eq=False)
class Playing:
    """One file that plays, or waits for its turn. `alone` is `nomux`: its listener hears nothing else."""

    sound: Sound
    loops: bool = False
    alone: bool = False
    is_async: bool = False
    done: bool = False
    began_at: float | None = None
    stopped_at: float | None = None

    @property
    def seconds(self) -> float | None:
        """Return how long it plays, from its first frame to its last; None if it has no end."""
        return self.sound.seconds_looped if self.loops else self.sound.seconds

    def headers(self) -> dict[str, str]:
        """What its done event says was played: for all but http_cache files twice what it was, as the real one does."""
        samples = self._samples() * self.sound.counted
        rate = self.sound.rate
        return {
            "seconds": str(samples // rate),
            "milliseconds": str(samples // (rate // 1000)),
            "samples": str(samples),
        }

    def _samples(self) -> int:
        """Whole frames of it, at the file's own rate."""
        if self.began_at is None:
            return 0
        frames = int(((self.stopped_at or time.monotonic()) - self.began_at) * FRAMES_PER_SECOND)
        played = frames * self.sound.rate // FRAMES_PER_SECOND
        return played if self.seconds is None else min(played, round(self.seconds * self.sound.rate))


class FileQueue:
    """Plays files one after the other. Nothing happens in it until it is attached."""

    __slots__ = ("_announce", "_closed", "_lag_seconds", "_spawn_later", "_timer", "playing")

    def __init__(self) -> None:
        """Nothing plays."""
        self.playing: list[Playing] = []
        self._closed = True
        self._lag_seconds = FRAME_SECONDS
        self._spawn_later: SpawnLater | None = None
        self._announce: Callable[[Playing], None] | None = None
        self._timer: gevent.Greenlet[..., object] | None = None

    def attach(
        self, spawn_later: SpawnLater, announce: Callable[[Playing], None], lag_seconds: float = FRAME_SECONDS
    ) -> None:
        """Attach the queue to its conference or member: `announce` fires the done event; `lag_seconds` is how long
        after its end that comes."""
        self._spawn_later, self._announce, self._lag_seconds = spawn_later, announce, lag_seconds
        self._closed = False

    @property
    def head(self) -> Playing | None:
        """Return what plays now."""
        return self.playing[0] if self.playing else None

    def add(self, playing: Playing) -> None:
        """Add a file behind the others. After `close` it is never played and never done, as on the real one."""
        self.playing.append(playing)
        if len(self.playing) == 1:
            self._begin(playing)

    def replace(self, playing: Playing) -> None:
        """Play an async file in place of the one before, which is closed at once: there is only one."""
        self._finish_all()
        self.add(playing)

    def stop(self, *, only_first: bool = False) -> int:
        """Mark files as to be ended; returns how many, those counted again that were marked in the same frame."""
        stopped = self.playing[:1] if only_first else list(self.playing)
        was_done = bool(self.playing) and self.playing[0].done
        for playing in stopped:
            playing.done, playing.stopped_at = True, playing.stopped_at or time.monotonic()
        if stopped and not was_done:
            self._close_head_in(FRAME_SECONDS)
        return len(stopped)

    def close(self) -> None:
        """Close every file now, those too that never began: the conference or the member goes."""
        self._finish_all()
        self._closed = True

    def _begin(self, playing: Playing) -> None:
        if self._closed:
            return
        if playing.done:
            self._close_head_in(FRAME_SECONDS)
            return
        playing.began_at = time.monotonic()
        if playing.seconds is not None:
            self._close_head_in(playing.seconds + self._lag_seconds)

    def _close_head_in(self, seconds: float) -> None:
        self._cancel()
        if self._spawn_later is not None:
            self._timer = self._spawn_later(seconds, self._close_head)

    def _close_head(self) -> None:
        self._timer = None
        self._finish(self.playing.pop(0))
        if self.playing:
            self._begin(self.playing[0])

    def _finish_all(self) -> None:
        self._cancel()
        closing, self.playing = self.playing, []
        for playing in closing:
            self._finish(playing)

    def _finish(self, playing: Playing) -> None:
        if self._announce is not None:
            self._announce(playing)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.kill(block=False)
            self._timer = None
