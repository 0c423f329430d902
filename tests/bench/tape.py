"""Events a second that one listener applies from a tape, beside the parser of greenswitch alone on the same events.

The tape is recorded in this run: PEOPLE join a conference, are muted and unmuted, and leave. It is then renamed into
COPIES conferences whose events come interleaved, and applied as the listener does it: translate, apply, commit with the
callbacks to Redis, wake the lanes in RQ.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import orjson
import redis
import structlog
from greenswitch.esl import ESLEvent

from orchestrator.dialects.twilio.callbacks import serialize_callback
from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import CallbackSettings, Conference, Participant, SwitchRef
from orchestrator.freeswitch.events import SUBSCRIPTION
from orchestrator.jobs.wakeups import CALLBACKS, PLAYBACK, Wakeups, make_queue
from orchestrator.listener.batch import read_batch
from orchestrator.listener.committer import Committer
from orchestrator.listener.listener import BATCH_LENGTH
from orchestrator.logs import configure_logs
from orchestrator.sids import channel_uuid_of, mint_sid
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import connect
from tests.bench.report import Row
from tests.harness.freeswitch import FarEnd
from tests.harness.stack import Stack
from tests.unit.recorder import make_recorder

PEOPLE = 20
COPIES = 60
GOAL = 5000
ACCOUNT = "AC" + "b" * 32


class Recorder:
    """Keeps every event's body that our subscription brings."""

    def __init__(self, stack: Stack) -> None:
        self.bodies: list[bytes] = []
        self._socket = socket.create_connection(("127.0.0.1", stack.switch.esl_port))
        self._stream = self._socket.makefile("rb")
        self._read()
        for command in (f"auth {stack.switch.password}", f"event json {SUBSCRIPTION}"):
            self._socket.sendall(f"{command}\n\n".encode())
            self._read()
        threading.Thread(target=self._record, daemon=True).start()

    def _read(self) -> bytes:
        length = 0
        while (line := self._stream.readline()) not in (b"\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return self._stream.read(length)

    def _record(self) -> None:
        while body := self._read():
            self.bodies.append(body)


def measure(stack: Stack) -> list[Row]:
    """Record, multiply, apply."""
    bodies, sid, calls = record(stack)
    for process in (stack.api, stack.listener, *stack.workers):
        process.kill_9()
    url = stack.environment["REDIS_URL"]
    redis.Redis.from_url(url).flushall()
    tape = multiply(bodies, sid, calls, ConferenceStore(connect(url)), COPIES)
    greenswitch_rate, orjson_rate = _parse_rates(tape)
    committer = Committer(
        CommitStore(connect(url)),
        make_recorder(connect(url)),
        serialize_callback,
        Wakeups(make_queue(CALLBACKS, redis.Redis.from_url(url)), CALLBACKS).wake,
        Wakeups(make_queue(PLAYBACK, redis.Redis.from_url(url)), PLAYBACK).wake,
        time.sleep,
        lambda _: "+OK",
    )
    _write_logs_nowhere()
    started = time.monotonic()
    for start in range(0, len(tape), BATCH_LENGTH):
        committer.commit_events(read_batch(tape[start : start + BATCH_LENGTH]).events)
    rate = len(tape) / (time.monotonic() - started)
    left = redis.Redis.from_url(url, decode_responses=True)
    statuses = {left.hget(key, "status") for key in left.scan_iter("conference:{CF*}", 1000) if key.count(":") == 1}
    assert statuses == {"completed"}, statuses
    waiting = sum(left.llen(key) for key in left.scan_iter("outbox:*", 1000))
    # Each person: a join, a leave, six mutes, four of the call; each conference: a start and an end.
    assert waiting == COPIES * (PEOPLE * 12 + 2), waiting
    what = f"events applied by one listener ({len(tape):,} of {COPIES} conferences)"
    return [
        Row(what, rate, "events/s", greenswitch_rate, "greenswitch's parser alone", f">= {GOAL:,}", rate >= GOAL),
        Row("the same events parsed as JSON", orjson_rate, "events/s", greenswitch_rate, "greenswitch's parser alone"),
    ]


def _write_logs_nowhere() -> None:
    """A listener writes a line for each transition; so does this one, at the same cost."""
    configure_logs("bench")
    nowhere = Path("/dev/null").open("wb")  # noqa: SIM115 - open as long as this process
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(nowhere))


def record(stack: Stack) -> tuple[list[bytes], str, list[str]]:
    recorder = Recorder(stack)
    participants = stack.client().conferences("tape").participants
    created = [participants.create(to=FarEnd.RINGS_THEN_ANSWERS, **stack.call_settings()) for _ in range(PEOPLE)]
    sid, calls = created[0].conference_sid, [c.call_sid for c in created]
    stack.receiver.await_kind(sid, "participant-join", PEOPLE)
    for _ in range(3):
        for muted in (True, False):
            for call in calls:
                stack.client().conferences(sid).participants(call).update(muted=muted)
    stack.receiver.await_kind(sid, "participant-unmute", 3 * PEOPLE)
    for call in calls:
        stack.client().conferences(sid).participants(call).delete()
    stack.receiver.await_kind(sid, "conference-end")
    return recorder.bodies, sid, calls


def multiply(
    bodies: list[bytes], sid: str, calls: list[str], store: ConferenceStore, copies_wanted: int, node: str = "fs1"
) -> list[bytes]:
    copies = []
    for _ in range(copies_wanted):
        new_sid, names = mint_sid("CF"), {call: mint_sid("CA") for call in calls}
        _create(store, new_sid, list(names.values()), node)
        table = {sid.encode(): new_sid.encode()} | {
            channel_uuid_of(old).encode(): channel_uuid_of(new).encode() for old, new in names.items()
        }
        copies.append([_rename(body, table) for body in bodies])
    return [body for together in zip(*copies, strict=True) for body in together]


def _rename(body: bytes, table: dict[bytes, bytes]) -> bytes:
    for old, new in table.items():
        if old in body:
            body = body.replace(old, new)
    return body


def _create(store: ConferenceStore, sid: str, calls: list[str], node: str) -> None:
    now, account_sid = datetime.now(UTC), ACCOUNT
    url = "http://127.0.0.1:9/"
    conference = Conference(sid, account_sid, f"tape {uuid.uuid4().hex}", node, created_at=now, updated_at=now)
    for call in calls:
        participant = Participant(
            call,
            sid,
            account_sid,
            SwitchRef(node, channel_uuid_of(call)),
            from_="+15550009999",
            to="+15550001000",
            created_at=now,
            updated_at=now,
            progress_callbacks=CallbackSettings(url, "POST", ("initiated", "ringing", "answered", "completed")),
            conference_callbacks=CallbackSettings(url, "POST", ("start", "end", "join", "leave", "mute")),
        )
        store.create_participant(CreateParticipant(from_="x", to="y"), replace(participant), conference)


def _parse_rates(tape: list[bytes]) -> tuple[float, float]:
    some = tape[:6000]
    plain = ["".join(f"{name}: {quote(str(value))}\n" for name, value in orjson.loads(body).items()) for body in some]
    started = time.monotonic()
    for text in plain:
        ESLEvent(text)
    between = time.monotonic()
    for body in some:
        orjson.loads(body)
    ended = time.monotonic()
    return len(some) / (between - started), len(some) / (ended - between)
