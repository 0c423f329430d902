"""A tenant that works, alone and beside one that takes all it can: its creates, its reads, its callbacks. None of its
creates that are told 201 may fail to dial."""

from __future__ import annotations

import json
import secrets
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis

from orchestrator.domain.conference import Conference, ConferenceStatus
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.records import encode_conference
from tests.bench.deliveries import Outbox
from tests.bench.receiver_process import FastReceiver
from tests.bench.report import Row, percentile
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Process, Stack

ROUNDS = 60
OVER = 1_500
KEPT = 3_000
GOAL = 1.5

KINDS = ("create", "read", "callback of the join")


def measure(stack: Stack) -> list[Row]:
    """Alone, beside, and alone again: the better of the two counts."""
    account = ("AC" + secrets.token_hex(16), secrets.token_hex(16))
    stack.add_account(account[0], account[1])
    _fill(stack, account[0])
    _work(stack, 5)
    first = _work(stack, ROUNDS)
    greedy = Process("greedy", [], stack.environment | environment(stack, *account), stack.directory)
    greedy.command = [sys.executable, str(Path(__file__).with_name("greedy.py"))]
    greedy.start()
    time.sleep(2)  # it has begun, and has used up what its quotas give at once
    beside = _work(stack, ROUNDS)
    greedy.stop()
    for what, number in sorted(json.loads(greedy.log().splitlines()[-1]).items()):
        print(f"    the other got {what:<50} {number:>7,}")
    eventually(lambda: not _live(stack, account[0]), "the other's calls have ended", 90)
    last = _work(stack, ROUNDS)
    rows = []
    for kind in KINDS:
        for share in (0.5, 0.95):
            alone = min(percentile(times[kind], share) for times in (first, last))
            value = percentile(beside[kind], share)
            goal = f"<= {GOAL}" if share == 0.5 else ""
            is_met = value / alone <= GOAL if goal else None
            rows.append(Row(f"{kind}, p{share * 100:.0f}", value, "ms", alone, "alone", goal, is_met))
    return rows


def environment(stack: Stack, account_sid: str, token: str) -> dict[str, str]:
    """What greedy.py reads."""
    return {"GREEDY_HOST": stack.bind, "GREEDY_SID": account_sid, "GREEDY_TOKEN": token}


def _fill(stack: Stack, account_sid: str) -> None:
    """What the greedy one has to look through: conferences that are over, callbacks that have been delivered."""
    now = datetime.now(UTC)
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as client:
        pipe = client.pipeline(transaction=False)
        for number in range(OVER):
            sid, made_at = mint_sid("CF"), now - timedelta(seconds=number)
            over = Conference(sid, account_sid, f"over {number}", "fs1", made_at, made_at, ConferenceStatus.COMPLETED)
            flat = [*encode_conference(over), "version", "1"]
            pipe.hset(keys.conference(sid), mapping=dict(zip(flat[::2], flat[1::2], strict=True)))
            pipe.zadd(keys.account_conferences(account_sid), {sid: int(made_at.timestamp() * 1000)})
        pipe.execute()
    (stack.directory / "greedy").mkdir(exist_ok=True)
    receiver = FastReceiver(stack.directory / "greedy")
    receiver.start()
    outbox = Outbox(stack, account_sid)
    outbox.wake(outbox.fill(receiver.url(), 30, KEPT))
    eventually(lambda: receiver.count() >= KEPT, "the callbacks are delivered", 60)


def _live(stack: Stack, account_sid: str) -> int:
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as client:
        return int(client.zcard(keys.account_dialling(account_sid)))


def _work(stack: Stack, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each create, of each read, and from each create's answer to its join callback."""
    client = stack.client()
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        started = time.perf_counter()
        made = client.conferences(f"works {secrets.token_hex(4)}").participants.create(
            to=FarEnd.ANSWERS, **stack.call_settings()
        )
        created = time.perf_counter()
        answered_at = time.time()
        client.conferences(made.conference_sid).participants(made.call_sid).fetch()
        read = time.perf_counter()
        (joined,) = stack.receiver.await_kind(made.conference_sid, "participant-join", 1, 20)
        times["create"].append((created - started) * 1000)
        times["read"].append((read - created) * 1000)
        times["callback of the join"].append((joined.at - answered_at) * 1000)
        client.conferences(made.conference_sid).update(status="completed")
    return times
