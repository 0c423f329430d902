"""Follows the calls of one node whose answerer is to be detected: has the switch write what they say, and listens.

The switch tells of an answer; the call's audio then grows in a file of DETECTION_DIR, which this process and the switch
share, until it is clear who it is. What becomes of a call whose detector dies: listener/overdue.py.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import gevent
import orjson
import structlog
from gevent.event import Event as Signal

from orchestrator.detection.decision import TICK_MS, Heard, Kind, Segment, Tuning, Verdict, hear
from orchestrator.detection.segments import FRAME_BYTES, Segmenter
from orchestrator.domain.events import AnswererDetected, Happened
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.client import CommandRefused, EventSocket, NodeUnavailable
from orchestrator.freeswitch.leg_audio import (
    DETECTION_EVENTS,
    AnsweredLeg,
    DetectionWanted,
    StartLegAudio,
    parse_answered,
)
from orchestrator.freeswitch.nodes import FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS
from orchestrator.freeswitch.recordings import StopWriting
from orchestrator.sids import call_sid_of

POLL_SECONDS: Final = 0.1
LATE_MS: Final = 400
"""Audio that is so much behind the clock counts as silence until it comes after all: a far end that sends nothing says
nothing."""

AT_ONCE: Final = 1000
"""Most calls that are listened to; those beyond stay `unknown`."""

SPARE_SECONDS: Final = 2
"""How long after the timeout the switch itself ceases to write, should this process have died."""

STALE_SECONDS: Final = 300
REPORT_SECONDS: Final = 5.0

Commit = Callable[[Happened], None]
Report = Callable[[int], None]
"""Tells operators that there is a detector, which listens to so many calls."""

log = structlog.get_logger("detector")


class Detector:
    """Detects who answers the calls of one node. `run` returns after `stop`."""

    def __init__(self, address: NodeAddress, password: str, directory: Path, commit: Commit, report: Report) -> None:
        self._address = address
        self._password = password
        self._directory = directory
        self._commit = commit
        self._report = report
        self._stopping = Signal()
        self._connection: EventSocket | None = None
        self._gone: dict[str, Signal] = {}
        """By channel: set when it has been hung up."""

    def run(self) -> None:
        """Connect, follow, reconnect until `stop`."""
        remove_stale(self._directory)
        gevent.spawn(self._tell_operators)
        backoff = FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            connection = self._connection = EventSocket(
                self._address.host, self._address.port, self._password, on_event=self._take
            )
            try:
                connection.connect()
                connection.command(f"event json {DETECTION_EVENTS}")
                gevent.spawn(connection.keep_awake)
                log.info("node_connected", node=self._address.name, directory=str(self._directory))
                while connection.connected and not self._stopping.wait(0.2):
                    pass
                backoff = FIRST_BACKOFF_SECONDS
            except (NodeUnavailable, CommandRefused) as error:
                log.warning("node_unreachable", node=self._address.name, error=str(error))
            finally:
                connection.close()
            self._stopping.wait(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF_SECONDS)

    def stop(self) -> None:
        """Listen to nobody any more, and return from `run`."""
        self._stopping.set()

    def _tell_operators(self) -> None:
        while not self._stopping.is_set():
            try:
                self._report(len(self._gone))
            except Unavailable as error:
                log.warning("store_unreachable", error=error.message)
            self._stopping.wait(REPORT_SECONDS)

    def _take(self, body: bytes) -> None:
        """On the reader's greenlet: must not block."""
        try:
            headers = orjson.loads(body)
            if headers.get("Event-Name") == "CHANNEL_HANGUP":
                gone = self._gone.get(headers.get("Unique-ID", ""))
                if gone is not None:
                    gone.set()
                return
            answered = parse_answered(headers)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            log.error("event_unreadable", error=repr(error)[:200])
            return
        connection = self._connection
        if answered is None or connection is None:
            return
        if len(self._gone) >= AT_ONCE:
            log.error("detection_dropped", channel=answered.channel_uuid, at_once=AT_ONCE)
            return
        self._gone[answered.channel_uuid] = Signal()
        gevent.spawn(self._detect, connection, answered)

    def _detect(self, connection: EventSocket, answered: AnsweredLeg) -> None:
        channel_uuid, gone = answered.channel_uuid, self._gone[answered.channel_uuid]
        path = self._directory / f"{channel_uuid}.raw"
        try:
            started = StartLegAudio(channel_uuid, str(path), answered.wanted.timeout_seconds + SPARE_SECONDS)
            connection.api(started.render())
            missed_ms = max(0, round((datetime.now(UTC) - answered.at).total_seconds() * 1000))
            verdict = follow(path, tuning_of(answered.wanted), lambda: gone.wait(POLL_SECONDS), missed_ms)
            if verdict is not None:
                self._tell(answered, verdict)
            if not gone.is_set():
                connection.api(StopWriting(channel_uuid, str(path)).render())
        except (CommandRefused, NodeUnavailable) as error:
            log.info("detection_broken_off", channel=channel_uuid, error=str(error).strip()[:200])
        finally:
            del self._gone[channel_uuid]
            path.unlink(missing_ok=True)

    def _tell(self, answered: AnsweredLeg, verdict: Verdict) -> None:
        call_sid = call_sid_of(answered.channel_uuid)
        if call_sid is None:
            return
        log.info("answerer_detected", call_sid=call_sid, answered_by=verdict.answered_by, after_ms=verdict.at_ms)
        at = max(answered.at + timedelta(milliseconds=verdict.at_ms), answered.at)
        self._commit(
            Happened(call_sid, answered.conference_sid, AnswererDetected(at, str(verdict.answered_by), verdict.at_ms))
        )


def follow(path: Path, tuning: Tuning, wait: Callable[[], bool], missed_ms: int = 0) -> Verdict | None:
    """Listen to a file that grows until it is clear who it is; None if `wait`, between two looks, says that they are
    gone. `missed_ms` of the call are over already."""
    segmenter, heard, read = Segmenter(), Heard(at_ms=missed_ms - missed_ms % TICK_MS), 0
    began = time.monotonic()
    supposed, supposed_ms = heard, 0
    while not wait():
        audio = read_from(path, read)
        read += len(audio)
        late_ms = round((time.monotonic() - began) * 1000) - read // FRAME_BYTES * TICK_MS - LATE_MS
        late_ms = max(0, late_ms - late_ms % TICK_MS)
        if not audio:
            # Silence, unless it comes after all.
            after = hear(supposed, Segment(Kind.SILENCE, late_ms - supposed_ms), tuning)
            if isinstance(after, Verdict):
                return after
            supposed, supposed_ms = after, late_ms
            continue
        began += late_ms / 1000
        for segment in (Segment(Kind.SILENCE, late_ms), *segmenter.feed(audio)):
            after = hear(heard, segment, tuning)
            if isinstance(after, Verdict):
                return after
            heard = after
        supposed, supposed_ms = heard, 0
    return None


def read_from(path: Path, position: int) -> bytes:
    """Return what has been written behind this position; nothing while there is no file."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(position)
        return file.read()
    return b""


def tuning_of(wanted: DetectionWanted) -> Tuning:
    """Return the parameters of a call as those of the decision."""
    return Tuning(
        to_message_end=wanted.to_message_end,
        timeout_ms=1000 * wanted.timeout_seconds,
        speech_threshold_ms=wanted.speech_threshold_ms,
        speech_end_threshold_ms=wanted.speech_end_threshold_ms,
        silence_timeout_ms=wanted.silence_timeout_ms,
    )


def remove_stale(directory: Path) -> None:
    """Remove what an earlier process has left: it holds what people said."""
    for path in directory.glob("*.raw"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
