"""One drainer, its lane, a real receiver and a clock that the test moves."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from orchestrator.callbacks import drain as drain_module
from orchestrator.callbacks.breaker import Breaker
from orchestrator.callbacks.deliver import Sender
from orchestrator.callbacks.drain import LANES_AT_ONCE, Drainer
from orchestrator.callbacks.retry import Schedule
from orchestrator.dialects.registry import DIALECTS
from orchestrator.jobs.wakeups import CALLBACKS, Wakeups, make_queue
from orchestrator.lanes import engine as engine_module
from orchestrator.lanes.engine import Engine
from orchestrator.store import keys
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.callbacks import CallbackStore, KeptCallback
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import Lane
from orchestrator.store.outbox import OutboxStore
from orchestrator.store.receivers import ReceiverStore
from tests.unit.callbacks.web import TOKEN, Web, an_entry
from tests.unit.outbox import loopback_pool, port_of, put_entries
from tests.unit.records import ACCOUNT, create

PLAIN = Schedule(jitter=0)


def make_engine(drainer: Drainer, wakeups: Wakeups) -> Engine:
    return Engine(drainer._outbox, wakeups, drainer.work, LANES_AT_ONCE)


def make_drainer(client: redis.Redis, schedule: Schedule = PLAIN) -> Drainer:
    return Drainer(
        OutboxStore(client),
        CallbackStore(client),
        AccountStore(client),
        Breaker(ReceiverStore(client)),
        Sender(loopback_pool(), DIALECTS.sign, time.monotonic),
        schedule,
    )


class Bench:
    def __init__(self, client: redis.Redis, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client, self.web = client, web
        self.now = float(int(time.time()))
        for module in (drain_module, engine_module):
            monkeypatch.setattr(module, "now_ms", lambda: int(self.now * 1000))
        AccountStore(client).save_account(Account(ACCOUNT, TOKEN, "active"))
        self.lane = self.new_lane("weekly")
        self.outbox = OutboxStore(client)
        self.callbacks = CallbackStore(client)
        self.queue = make_queue(CALLBACKS, redis.Redis.from_url(f"redis://127.0.0.1:{port_of(client)}/0"))
        self.wakeups = Wakeups(self.queue, CALLBACKS)
        self.drainer = make_drainer(client)
        self.engine = make_engine(self.drainer, self.wakeups)

    def new_lane(self, name: str, account_sid: str = ACCOUNT) -> Lane:
        return Lane(create(ConferenceStore(self.client), name, account_sid).conference_sid, keys.CONFERENCE_LANE)

    def put(self, *tokens: str, lane: Lane | None = None, **values: Any) -> None:
        lane = lane or self.lane
        settings = {
            "url": self.web.url(), "planned_at": self.now, "conference_sid": lane.sid, **values,
        }  # fmt: skip
        put_entries(self.client, lane, [an_entry(token=token, **settings) for token in tokens])

    def drain(self) -> None:
        self.engine.run(self.lane)

    def tokens(self) -> list[str]:
        return [asked.headers["I-Twilio-Idempotency-Token"] for asked in self.web.asked]

    def due_in(self) -> float:
        """Seconds until the lane's head is due again."""
        head = self.outbox.load_head(self.lane, "who asks", int(self.now * 1000))
        assert head.verdict == "wait", head
        return (head.due_ms - int(self.now * 1000)) / 1000

    def kept(self, token: str, lane: Lane | None = None) -> KeptCallback:
        return self.callbacks.load_callback(ACCOUNT, (lane or self.lane).sid, token)

    def dropped(self) -> dict[str, str]:
        return dict(self.client.hgetall(keys.DROPPED))  # type: ignore[arg-type]  # a sync client
