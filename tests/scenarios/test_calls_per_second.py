"""Calls per second: creates over an account's rate are queued, and dialled in order, each at its slot, exactly once."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import redis
import requests

from orchestrator.sids import call_sid_of, channel_uuid_of
from orchestrator.store import keys
from tests.harness.freeswitch import EslSocket, FarEnd, FreeSwitchError
from tests.harness.polling import eventually
from tests.harness.stack import RealSwitch, Stack
from tests.scenarios.test_secrets import everything_in

RATE = 30
AT_ONCE = 12
"""Threads that create."""

LATE_SECONDS = 0.5
STAMP_SECONDS = 0.05

FINAL = {"call busy", "call failed"}
"""What ends while nobody follows the switch has failed, for all that anybody knows."""


@dataclass
class Switchboard:
    """What the switch says that it dials: CallSid -> when (s since 1970), each time that it does."""

    dialled: dict[str, list[float]] = field(default_factory=dict)

    def of(self, call_sids: list[str]) -> dict[str, float]:
        return {sid: self.dialled[sid][0] for sid in call_sids if sid in self.dialled}


@contextmanager
def watched(stack: Stack) -> Iterator[Switchboard]:
    """Every outgoing channel of the switch from now on."""
    board, connection = Switchboard(), EslSocket(stack.switch.esl_port, stack.switch.password, 60)
    connection.send("event json CHANNEL_CREATE")

    def read() -> None:
        while True:
            try:
                headers, body = connection.read()
            except (OSError, FreeSwitchError):
                return
            event = json.loads(body) if "json" in headers.get("Content-Type", "") else {}
            call_sid = call_sid_of(event.get("Unique-ID", ""))
            if event.get("Call-Direction") == "outbound" and call_sid is not None:
                at = int(event["Event-Date-Timestamp"]) / 1_000_000
                board.dialled.setdefault(call_sid, []).append(at)

    threading.Thread(target=read, daemon=True).start()
    try:
        yield board
    finally:
        connection.close()


@dataclass(frozen=True)
class Made:
    """A create: what it was answered, and between which moments."""

    call_sid: str
    status: str
    queue_ms: int
    asked_at: float
    answered_at: float


def create(stack: Stack, name: str, account: tuple[str, str], **more: str) -> Made:
    url = f"{stack.base_url}/2010-04-01/Accounts/{account[0]}/Conferences/{name}/Participants.json"
    data = {"From": "+15550009999", "To": FarEnd.BUSY, "StatusCallback": stack.receiver.url(), **more}
    asked_at = time.time()
    body = requests.post(url, data=data, auth=account, timeout=10).json()
    assert "call_sid" in body, body
    return Made(body["call_sid"], body["status"], int(body["queue_time"]), asked_at, time.time())


def create_all(stack: Stack, name: str, number: int) -> list[Made]:
    """In two conferences: one takes 250, and those who wait are among them."""
    account = (stack.account_sid, stack.auth_token)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda index: create(stack, f"{name} {index % 2}", account), range(number)))


class Queue:
    """The queue as Redis has it while it is there: CallSid -> its slot."""

    def __init__(self, stack: Stack) -> None:
        self.seen: dict[str, float] = {}
        self._key = keys.account_dials(stack.account_sid)
        self._redis: Any = redis.Redis.from_url(stack.environment["REDIS_URL"], decode_responses=True)

    def of(self, call_sids: list[str]) -> list[str]:
        """These by their slots. Who found the conference's name taken a moment ago had another slot before."""
        return sorted(self.seen.keys() & set(call_sids), key=lambda sid: self.seen[sid])

    def look(self) -> int:
        found = self._redis.zrange(self._key, 0, -1, withscores=True)
        self.seen.update({member.partition(".")[2]: slot for member, slot in found})
        return len(found)


def how_many(stack: Stack) -> int:
    """At once. On the sandbox, which runs everywhere, a tenth of what the real switch has."""
    return 300 if isinstance(stack.switch, RealSwitch) else 45


def test_a_burst_is_dialled_in_order_at_the_accounts_rate(own_stack: Stack) -> None:
    """As many as in 10 s, give or take 1; each when its queue_time promised, give or take 0.5 s; in order. Another
    account's call in the middle is dialled at once, and nobody waits for the API."""
    stack, number = own_stack, how_many(own_stack)
    other = ("AC" + "e" * 32, "e" * 32)
    stack.orchestrator("account", "create", "--sid", other[0], "--token", other[1])
    stack.set_limits(stack.account_sid, calls_per_second=RATE)
    queue = Queue(stack)
    with watched(stack) as board, ThreadPoolExecutor(1) as beside:
        burst = beside.submit(create_all, stack, "burst", number)
        while not burst.done():
            queue.look()
            time.sleep(0.05)
        made = burst.result()
        queue.look()
        theirs = create(stack, "theirs", other)
        eventually(lambda: theirs.call_sid in board.dialled, "the other account's call is dialled", 2)
        sids = [one.call_sid for one in made]
        eventually(lambda: len(board.of(sids)) == number, "all are dialled", number / RATE + 15)
        eventually(lambda: queue.look() == 0, "nobody waits any more")
        at = board.of(sids)
        lasted = max(at.values()) - min(at.values())
        off = {one.call_sid: _off(one, at[one.call_sid]) for one in made}
        in_order = queue.of(sids)
        print(
            f"{number} creates in {max(one.answered_at for one in made) - min(one.asked_at for one in made):.2f} s, "
            f"slowest answer {max(one.answered_at - one.asked_at for one in made):.2f} s; dialled in {lasted:.2f} s, "
            f"at most {max(off.values()):.3f} s off; another account's after {at_once(board, theirs):.3f} s"
        )

    assert {one.status for one in made} == {"queued"}
    due_in, created_in = (number - 1) / RATE, max(one.answered_at for one in made) - min(one.asked_at for one in made)
    assert lasted >= due_in - 1
    # A machine that has no time for creates has none for dialling in time.
    if created_in < due_in / 2:
        assert lasted <= due_in + 1
        assert max(off.values()) <= LATE_SECONDS
    assert_in_order(in_order, at)
    assert len(in_order) >= number / 2
    assert all(len(times) == 1 for times in board.dialled.values())
    assert (theirs.queue_ms, at_once(board, theirs) < LATE_SECONDS) == (0, True)
    assert max(one.answered_at - one.asked_at for one in [*made, theirs]) < 2


def assert_in_order(call_sids: list[str], at: dict[str, float]) -> None:
    """The switch begins each call in a thread of its own, and its stamps tick in steps of 20 ms: who follows within two
    of them, as in making up for a delay, may come first."""
    apart = [at[later] - at[earlier] for earlier, later in pairwise(call_sids)]
    print(f"{sum(gap < 0 for gap in apart)} of {len(apart)} before their predecessor, by {-min(apart):.3f} s at most")
    for earlier, later in pairwise(call_sids):
        assert at[later] > at[earlier] - STAMP_SECONDS, (earlier, later, at[later] - at[earlier])


def at_once(board: Switchboard, one: Made) -> float:
    """How long after it was asked for."""
    return board.dialled[one.call_sid][0] - one.asked_at


def _off(one: Made, at: float) -> float:
    """How much earlier or later it was dialled than its answer said."""
    earliest, latest = one.asked_at + one.queue_ms / 1000, one.answered_at + one.queue_ms / 1000
    return max(earliest - at, at - latest, 0.0)


def test_kills_in_the_middle_lose_nobody_and_dial_nobody_twice(own_stack: Stack) -> None:
    """kill -9 of those that dial, then of Redis, then of the listener and the API: every call is dialled exactly once,
    in order, and told its end."""
    stack, number = own_stack, how_many(own_stack)
    stack.set_limits(stack.account_sid, calls_per_second=RATE)
    queue = Queue(stack)
    with watched(stack) as board:
        made = create_all(stack, "killed", number)
        queue.look()
        sids = [one.call_sid for one in made]
        for share, kill in ((0.2, kill_workers), (0.4, kill_redis), (0.6, kill_the_rest)):
            eventually(partial(_are_dialled, board, sids, round(share * number)), f"{share} are dialled", 60)
            kill(stack)
        eventually(lambda: len(board.of(sids)) == number, "all are dialled", number / RATE + 60)
        eventually(lambda: all(FINAL & set(stack.receiver.kinds(sid)) for sid in sids), "each is told its end", 30)
        eventually(lambda: queue.look() == 0, "nobody waits any more")
        times = Counter({sid: len(found) for sid, found in board.dialled.items()})
        at = board.of(sids)

    assert times == Counter(dict.fromkeys(sids, 1))
    in_order = queue.of(sids)
    assert_in_order(in_order, at)


def _are_dialled(board: Switchboard, sids: list[str], least: int) -> bool:
    return len(board.of(sids)) >= least


def kill_workers(stack: Stack) -> None:
    for worker in stack.workers:
        worker.kill_9()
    for worker in stack.workers:
        worker.start()


def kill_redis(stack: Stack) -> None:
    stack.redis.kill_9()
    stack.redis.start()


def kill_the_rest(stack: Stack) -> None:
    for process in (stack.listener, stack.api):
        process.kill_9()
        process.start()


def test_a_queued_call_is_canceled_and_its_password_read_by_nobody(own_stack: Stack) -> None:
    """DELETE is answered at once and the call is never dialled; what waits with it says nothing in the database."""
    stack = own_stack
    stack.set_limits(stack.account_sid, calls_per_second=1)
    account = (stack.account_sid, stack.auth_token)
    with watched(stack) as board:
        first = create(stack, "patience", account, To=FarEnd.ANSWERS)
        waiting = [
            create(stack, "patience", account, To=f"sip:a@{stack.switch.sip_domain}", SipAuthUsername="bob",
                   SipAuthPassword="hunter2hunter2", StatusCallbackEvent="initiated completed")
            for _ in range(3)
        ]  # fmt: skip
        client: Any = redis.Redis.from_url(stack.environment["REDIS_URL"])
        kept = everything_in(client)
        client.close()
        victim = stack.client().calls(waiting[1].call_sid)
        shown = victim.fetch()
        sid = stack.client().conferences.list(friendly_name="patience")[0].sid
        assert stack.client().conferences(sid).participants(waiting[1].call_sid).delete() is True
        stack.receiver.await_kind(waiting[1].call_sid, "call canceled")
        eventually(lambda: waiting[2].call_sid in board.dialled, "the one behind it is dialled", 10)

    assert [one.status for one in (first, *waiting)] == ["queued"] * 4
    assert (shown.status, shown.start_time) == ("queued", None)
    assert victim.fetch().status == "canceled"
    assert waiting[1].call_sid not in board.dialled
    assert waiting[1].call_sid in kept
    assert "hunter2" not in kept
    assert stack.switch.api(f"uuid_exists {channel_uuid_of(waiting[1].call_sid)}") == "false"
    assert first.queue_ms == 0
