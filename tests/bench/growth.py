"""What a delivery costs while more and more callbacks are kept, and more and more lanes wait: docs/growth.svg.

python -m tests.bench growth
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import orjson
import redis

from orchestrator.callbacks.entry import Entry
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from tests.bench.deliveries import LANES, Outbox, parameters
from tests.bench.receiver_process import FastReceiver
from tests.bench.report import Row
from tests.harness.freeswitch import REPOSITORY
from tests.harness.polling import eventually
from tests.harness.stack import Stack

KEPT = (0, 10_000, 100_000, 300_000, 1_000_000)
WAITING = (0, 1_000, 3_000, 10_000)
CALLBACKS = 3_000
ROUNDS = 3


def measure(stack: Stack) -> list[Row]:
    """Deliveries a second at each size; the best of three rounds, so that a hiccup of the machine does not count."""
    for process in (stack.api, stack.listener):
        process.kill_9()
    receiver = FastReceiver(stack.directory)
    receiver.start()
    outbox = Outbox(stack)
    client = redis.Redis.from_url(stack.environment["REDIS_URL"])
    kept = []
    for before, count in zip((0, *KEPT), KEPT, strict=False):
        _keep(client, stack.account_sid, count - before)
        kept.append((count, _rate(outbox, receiver)))
    waiting = []
    for before, count in zip((0, *WAITING), WAITING, strict=False):
        _wait(client, outbox, receiver, count - before)
        waiting.append((count, _rate(outbox, receiver)))
    receiver.stop()
    (REPOSITORY / "docs" / "growth.svg").write_text(draw({"callbacks kept": kept, "lanes waiting": waiting}), "utf-8")
    return [
        *(Row(f"deliveries with {count:,} callbacks kept", rate, "/s", kept[0][1], "none") for count, rate in kept[1:]),
        *(
            Row(f"deliveries with {count:,} lanes waiting", rate, "/s", waiting[0][1], "none")
            for count, rate in waiting[1:]
        ),
    ]


def _rate(outbox: Outbox, receiver: FastReceiver) -> float:
    best = 0.0
    for _ in range(ROUNDS):
        receiver.forget()
        lanes = outbox.fill(receiver.url(), LANES, CALLBACKS)
        started = time.monotonic()
        outbox.wake(lanes)
        eventually(lambda: receiver.count() >= CALLBACKS, "all delivered", 120)
        best = max(best, CALLBACKS / (time.monotonic() - started))
    return best


def _keep(client: redis.Redis, account_sid: str, count: int) -> None:
    """Delivered callbacks, as the store keeps them: 100 to a conference."""
    sid = mint_sid("CF")
    pipe = client.pipeline(transaction=False)
    now_ms = int(time.time() * 1000)
    attempt = {"number": 1, "at_ms": now_ms, "url": "http://127.0.0.1/cb", "status": 200, "milliseconds": 1,
               "error": "", "answer": ""}  # fmt: skip
    for number in range(count):
        if number % 100 == 0:
            sid = mint_sid("CF")
        token = str(uuid.uuid4())
        entry = Entry(token, account_sid, sid, "", "participant-join", "http://127.0.0.1/cb", "POST",
                      parameters(sid, number), now_ms / 1000)  # fmt: skip
        record: Any = {"entry": entry.dump(), "lane": "conference", "state": "delivered", "reason": "",
                       "attempts": "1", "planned_ms": now_ms, "since_ms": now_ms}  # fmt: skip
        record["attempt:1"] = orjson.dumps(attempt)
        pipe.hset(keys.callback(sid, token), mapping=record)
        pipe.expire(keys.callback(sid, token), keys.RETENTION_SECONDS)
        pipe.zadd(keys.conference_callbacks(sid), {token: now_ms})
        pipe.zadd(keys.account_callbacks(account_sid), {f"{sid}.{token}": now_ms})
        if number % 2_000 == 1_999:
            pipe.execute()
    pipe.execute()


def _wait(client: redis.Redis, outbox: Outbox, receiver: FastReceiver, count: int) -> None:
    """Lanes with a callback whose retry is due in an hour."""
    due = int(time.time() * 1000) + 3_600_000
    for lane in outbox.fill(receiver.url(), count, count) if count else ():
        client.set(keys.retry(lane.sid, lane.name), due, ex=86_400)
        client.zadd(keys.lanes_due("callbacks"), {str(lane): due})


def draw(series: dict[str, list[tuple[int, float]]]) -> str:
    """One panel for each series: deliveries a second over the count."""
    panels = []
    for index, (name, points) in enumerate(series.items()):
        left, most = 60 + index * 380, max(rate for _, rate in points) * 1.15
        step = 300 / (len(points) - 1)
        places = [(left + number * step, 200 - 170 * rate / most) for number, (_, rate) in enumerate(points)]
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
        panels.append(f'<polyline points="{line}" fill="none" stroke="#1565c0" stroke-width="2"/>')
        panels.append(f'<line x1="{left}" y1="200" x2="{left + 300}" y2="200" stroke="#888"/>')
        panels.append(f'<text x="{left + 150}" y="240" text-anchor="middle">{name}</text>')
        for (x, y), (count, rate) in zip(places, points, strict=True):
            panels.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="#1565c0"/>')
            panels.append(f'<text x="{x:.0f}" y="{y - 8:.0f}" text-anchor="middle">{rate:,.0f}</text>')
            panels.append(f'<text x="{x:.0f}" y="218" text-anchor="middle">{count:,}</text>')
    title = '<text x="20" y="16">deliveries a second, one worker process</text>'
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="780" height="250" font-family="sans-serif" font-size="11">'
    background = '<rect width="780" height="250" fill="white"/>'
    return "\n".join([head, background, title, *panels, "</svg>", ""])
