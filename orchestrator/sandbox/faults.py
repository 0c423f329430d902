"""What a test may break. Every knob takes effect at once, for clients that are connected too."""

from __future__ import annotations

from dataclasses import dataclass, field

from gevent.event import Event as Signal


def _set_signal() -> Signal:
    signal = Signal()
    signal.set()
    return signal


@dataclass(slots=True, eq=False)
class Faults:
    """The knobs. Times are added to what the real FreeSWITCH takes."""

    # Every event is sent this much later than it is fired; the order stays.
    event_delay_seconds: float = 0.0
    # BACKGROUND_JOB is fired this much later than the command ended: past the call's own events, if long enough.
    background_job_delay_seconds: float = 0.0
    # A bgapi command begins this much later than it is accepted, as on a loaded node: a uuid_kill finds no channel yet.
    background_job_start_delay_seconds: float = 0.0
    # Everything is written in pieces of this size, with the loop let run in between.
    write_piece_bytes: int | None = None
    # While it is not set, nothing is answered and no event is sent: a stopped process, its connections still open.
    awake: Signal = field(default_factory=_set_signal)
