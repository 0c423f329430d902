"""One account's receiver sleeps 15 s on every request, another's answers at once: its latency alone, and beside it.

The same for a conference of 200 that is ended at once: from its last event to its last callback.
"""

from __future__ import annotations

import secrets
import time
import uuid

from tests.bench.deliveries import Outbox
from tests.bench.receiver_process import FastReceiver
from tests.bench.report import Row, percentile
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack

PROBES = 150
SLOW_LANES = 1_000
PEOPLE = 200


def measure(stack: Stack) -> list[Row]:
    """Fairness, then the burst."""
    (stack.directory / "slow").mkdir(exist_ok=True)
    receiver, slow = FastReceiver(stack.directory), FastReceiver(stack.directory / "slow")
    slow_account = "AC" + secrets.token_hex(16)
    stack.add_account(slow_account, "slow" * 8)
    receiver.start()
    slow.start()
    burst = _burst(stack, receiver)
    alone = _latencies(Outbox(stack), receiver)
    others = Outbox(stack, slow_account)
    others.wake(others.fill(slow.url(wait_ms=15_000), SLOW_LANES, SLOW_LANES * 3))
    eventually(lambda: slow.count() >= SLOW_LANES * 0.9, "the slow ones are under way", 30)
    beside = _latencies(Outbox(stack), receiver)
    receiver.stop()
    slow.stop()
    ratio = percentile(beside, 0.99) / percentile(alone, 0.99)
    return [
        Row(f"a conference of {PEOPLE} ended: last event to last callback", burst, "s", goal="<= 1", is_met=burst <= 1),
        Row(
            "event to request, idle, p50", percentile(alone, 0.5), "ms", goal="< 10", is_met=percentile(alone, 0.5) < 10
        ),
        Row(
            "event to request, idle, p99",
            percentile(alone, 0.99),
            "ms",
            goal="< 50",
            is_met=percentile(alone, 0.99) < 50,
        ),
        Row(
            f"the same beside {SLOW_LANES:,} receivers of 15 s, p99",
            percentile(beside, 0.99),
            "ms",
            percentile(alone, 0.99),
            "alone",
            "<= 1.5",
            ratio <= 1.5,
        ),
    ]


def _latencies(outbox: Outbox, receiver: FastReceiver) -> list[float]:
    took = []
    for number in range(PROBES):
        receiver.forget()
        lanes = outbox.fill(receiver.url(), 1, 1)
        started = time.time()
        outbox.wake(lanes)
        (row,) = eventually(receiver.seen, f"probe {number} arrives")
        took.append((row["at"] - started) * 1000)
    return took


def _burst(stack: Stack, receiver: FastReceiver) -> float:
    participants = stack.client().conferences(f"burst {uuid.uuid4().hex}").participants
    settings = {
        "from_": "+15550009999",
        "conference_status_callback": receiver.url(),
        "conference_status_callback_event": ["join", "leave", "end"],
        "status_callback": receiver.url(),
    }
    created = [participants.create(to=FarEnd.ANSWERS, **settings) for _ in range(PEOPLE)]
    sid = created[0].conference_sid
    eventually(lambda: receiver.count() >= PEOPLE, "all have joined", 60)
    stack.switch.api(f"conference {sid} hup all")
    eventually(lambda: stack.client().conferences(sid).fetch().status == "completed", "it has ended", 30)
    last_event = time.time()
    eventually(lambda: receiver.count() >= PEOPLE * 3 + 1, "every callback has come", 60)
    return max(float(row["at"]) for row in receiver.seen()) - last_event
