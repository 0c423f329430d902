"""What one worker process delivers: beside bare gevent and urllib3 without any queue, and stock RQ with a job each."""

from __future__ import annotations

import json
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import redis

from orchestrator.callbacks.entry import Entry
from orchestrator.domain.changes import Change, NewCallback, Versioned
from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import Conference, Participant, SwitchRef
from orchestrator.jobs import wakeups
from orchestrator.sids import channel_uuid_of, mint_sid
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.connection import connect
from orchestrator.store.lanes import Lane
from tests.bench.receiver_process import FastReceiver
from tests.bench.redis_cpu import redis_cpu
from tests.bench.report import Row
from tests.harness.polling import eventually
from tests.harness.stack import Process, Stack

CALLBACKS = 6_000
LANES = 300
STOCK = 600
AT_ONCE = 1_000


class Outbox:
    """Puts callbacks into the outbox as the listener does, without the listener."""

    def __init__(self, stack: Stack, account_sid: str | None = None) -> None:
        self.url = stack.environment["REDIS_URL"]
        self._account_sid = account_sid or stack.account_sid
        self._store = ConferenceStore(connect(self.url))
        self._commits = CommitStore(connect(self.url))
        self._wakeups = wakeups.Wakeups(
            wakeups.make_queue(wakeups.CALLBACKS, redis.Redis.from_url(self.url)), wakeups.CALLBACKS
        )

    def fill(self, url: str, lanes: int, callbacks: int) -> list[Lane]:
        """`callbacks` spread evenly over `lanes` conferences; nobody is woken yet."""
        made = []
        for _ in range(lanes):
            conference = self._conference()
            change = Change(conference, conference.conference, uuid.uuid4().hex)
            sid = conference.conference.conference_sid
            change.outbox["conference"] = [self._callback(sid, url, number) for number in range(callbacks // lanes)]
            self._commits.commit([change])
            made.append(Lane(sid, "conference"))
        return made

    def wake(self, lanes: list[Lane]) -> None:
        self._wakeups.wake(lanes)

    def _conference(self) -> Versioned:
        now, sid, call = datetime.now(UTC), mint_sid("CF"), mint_sid("CA")
        conference = Conference(sid, self._account_sid, sid, "none", created_at=now, updated_at=now)
        switch = SwitchRef("none", channel_uuid_of(call))
        participant = Participant(call, sid, self._account_sid, switch, "x", "y", created_at=now, updated_at=now)
        self._store.create_participant(CreateParticipant("x", "y"), participant, conference)
        return self._commits.load([], [sid])[0][sid]

    def _callback(self, sid: str, url: str, number: int) -> NewCallback:
        token = str(uuid.uuid4())
        entry = Entry(
            token, self._account_sid, sid, "", "participant-join", url, "POST", parameters(sid, number), time.time()
        )
        return NewCallback(token, int(time.time() * 1000), entry.dump())


def parameters(sid: str, number: int) -> tuple[tuple[str, str], ...]:
    """The 14 of a join."""
    return (
        ("ConferenceSid", sid),
        ("FriendlyName", "standup"),
        ("AccountSid", "AC" + "0" * 32),
        ("SequenceNumber", str(number)),
        ("Timestamp", "Fri, 20 Nov 2026 08:00:00 +0000"),
        ("StatusCallbackEvent", "participant-join"),
        ("CallSid", "CA" + "0" * 32),
        ("Muted", "false"),
        ("Hold", "false"),
        ("Coaching", "false"),
        ("EndConferenceOnExit", "false"),
        ("StartConferenceOnEnter", "true"),
        ("ParticipantLabel", "alice"),
        ("CallStatus", "in-progress"),
    )


def measure(stack: Stack) -> list[Row]:
    """Throughput beside its floors, a thousand slow receivers together."""
    for process in (stack.api, stack.listener):
        process.kill_9()
    receiver = FastReceiver(stack.directory)
    receiver.start()
    outbox = Outbox(stack)
    rates = [_deliver(outbox, receiver, LANES, CALLBACKS) for _ in range(2)]
    alone = [_deliver(outbox, receiver, 2_000, 2_000) for _ in range(2)]
    bare = _run_script(stack, receiver, "bare_delivery", CALLBACKS)
    together = _slow_together(outbox, receiver)
    for worker in stack.workers:
        worker.kill_9()
    stock = _stock_rq(stack, receiver)
    receiver.stop()
    best = max(rates)
    return [
        Row(f"deliveries, one worker, {LANES} lanes of {CALLBACKS // LANES}", best, "/s", bare, "bare gevent + urllib3",
            ">= 0.5", best / bare >= 0.5),
        Row("deliveries, one worker, 2,000 lanes of 1", max(alone), "/s", bare, "bare gevent + urllib3"),
        Row("stock RQ, one job per callback", stock, "/s", bare, "bare gevent + urllib3"),
        Row(f"{AT_ONCE:,} receivers of 1 s each, together", together, "s", goal="<= 2.5", is_met=together <= 2.5),
    ]  # fmt: skip


def _deliver(outbox: Outbox, receiver: FastReceiver, lanes: int, callbacks: int) -> float:
    receiver.forget()
    used = redis_cpu(outbox.url)
    woken = outbox.fill(receiver.url(), lanes, callbacks)
    started = time.monotonic()
    outbox.wake(woken)
    eventually(lambda: receiver.count() >= callbacks, "all delivered", 120)
    took = time.monotonic() - started
    used = redis_cpu(outbox.url) - used
    print(f"  Redis used {used / callbacks * 1e6:.0f} us of CPU for a callback, its part of {lanes} creates included")
    return callbacks / took


def _slow_together(outbox: Outbox, receiver: FastReceiver) -> float:
    receiver.forget()
    woken = outbox.fill(receiver.url(wait_ms=1000), AT_ONCE, AT_ONCE)
    started = time.time()
    outbox.wake(woken)
    eventually(lambda: receiver.count() >= AT_ONCE, "all sent", 60)
    return float(max(row["at"] for row in receiver.seen())) + 1.0 - started


def _run_script(stack: Stack, receiver: FastReceiver, name: str, count: int) -> float:
    receiver.forget()
    process = Process(name, [], stack.environment, stack.directory)
    process.command = [sys.executable, "-m", f"tests.bench.{name}", receiver.url(), str(count)]
    process.start()
    eventually(lambda: "rate" in process.log(), "it is done", 120)
    process.kill_9()
    return float(json.loads(process.log().splitlines()[-1])["rate"])


def _stock_rq(stack: Stack, receiver: FastReceiver) -> float:
    receiver.forget()
    queue = wakeups.make_queue(wakeups.CALLBACKS, redis.Redis.from_url(stack.environment["REDIS_URL"]))
    queue.empty()  # type: ignore[no-untyped-call]  # RQ's own is untyped
    for number in range(STOCK):
        queue.enqueue(
            "tests.bench.stock_job.post", receiver.url(), dict(parameters("CF" + "0" * 32, number)), result_ttl=0
        )
    process = Process("stock", [], stack.environment, stack.directory)
    serializer = "rq.serializers.JSONSerializer"
    rq = str(Path(sys.executable).with_name("rq"))
    url = stack.environment["REDIS_URL"]
    process.command = [rq, "worker", "-u", url, "-S", serializer, "-w", "rq.SimpleWorker", "--burst", "-q", "callbacks"]
    started = time.monotonic()
    process.start()
    eventually(lambda: receiver.count() >= STOCK, "all delivered", 120)
    took = time.monotonic() - started
    process.kill_9()
    return STOCK / took
