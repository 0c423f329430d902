"""Reads what has come from a node: events, sounds and parts that have ended, a snapshot."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import orjson
import structlog

from orchestrator import metrics
from orchestrator.domain.events import Happened
from orchestrator.freeswitch.events import EndedSound, translate_event
from orchestrator.freeswitch.recordings import OfPart, translate_recording
from orchestrator.freeswitch.snapshot import RawSnapshot, Snapshot, parse_snapshot


@dataclass(frozen=True, slots=True)
class NodeLost:
    """The node is gone, and all that it had."""

    at: datetime


Item = bytes | RawSnapshot | NodeLost

log = structlog.get_logger("listener")


@dataclass(slots=True)
class Batch:
    """What was read at once. `sounds` have ended on the switch, `parts` of recordings have begun or ended; `last`, a
    snapshot or the node's loss, comes after all events."""

    events: list[Happened] = field(default_factory=list)
    sounds: list[EndedSound] = field(default_factory=list)
    parts: list[OfPart] = field(default_factory=list)
    last: Snapshot | NodeLost | None = None


def read_batch(items: Sequence[Item]) -> Batch:
    """Translate what was read. What cannot be read is logged and dropped: the next audit makes up for it."""
    batch = Batch()
    for item in items:
        try:
            if isinstance(item, RawSnapshot):
                batch.last = parse_snapshot(item)
            elif isinstance(item, NodeLost):
                batch.last = item
            else:
                _read_event(parse_event(item), batch)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            log.error("event_unreadable", error=repr(error)[:200])
    return batch


def _read_event(headers: dict[str, str], batch: Batch) -> None:
    part = translate_recording(headers)
    if part is not None:
        batch.parts.append(part)
        return
    translated = translate_event(headers)
    if isinstance(translated, EndedSound):
        batch.sounds.append(translated)
    elif translated is not None:
        batch.events.append(translated)


def parse_event(body: bytes) -> dict[str, str]:
    """Return an event's headers. A far end may have put bytes into one that are no UTF-8: the others count all the
    same."""
    try:
        return cast(dict[str, str], orjson.loads(body))
    except orjson.JSONDecodeError:
        return cast(dict[str, str], orjson.loads(body.decode("utf-8", "replace")))


def measure(node: str, events: Sequence[Happened]) -> None:
    """Count what was committed, a batch at once, and how late its oldest event was."""
    if not events:
        return
    for name, number in Counter(type(item.event).__name__ for item in events).items():
        metrics.EVENTS.labels(node, name).inc(number)
    lag = time.time() - min(item.event.at for item in events).timestamp()
    metrics.EVENT_LAG_SECONDS.labels(node).observe(max(0.0, lag))
