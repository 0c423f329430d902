"""The queue of each account, as a lane: its calls are dialled in order, so many a second, each at its slot."""

from __future__ import annotations

import time
from typing import Final

import gevent

from orchestrator.dialling.dialler import BARRED, Dialler, NotNow
from orchestrator.lanes.engine import LaneLease
from orchestrator.store.accounts import AccountStore
from orchestrator.store.dials import DialStore

ACCOUNTS_AT_ONCE: Final = 1_000
"""In one worker process."""

LOOK_MS: Final = 2_000
"""How long a lane is held at a time, and how soon calls that wait for nothing are ended."""

EARLY_MS: Final = 700
"""So long before a slot the lane is looked at again: a sweep comes twice a second."""

NAP_MS: Final = 200

LATE_MS: Final = 1_000
"""What an account is behind by is made up for, at twice its rate at most; more is not: after a crash calls go on at the
account's rate."""

TRY_AGAIN_MS: Final = 300
"""So long a node that takes no call now is passed over: calls to others go on, in order."""


class DialQueue:
    """Dials the calls of accounts' queues: works on the lanes of kind `dialling`."""

    def __init__(self, store: DialStore, accounts: AccountStore, dialler: Dialler) -> None:
        self._store = store
        self._accounts = accounts
        self._dialler = dialler

    def work(self, lease: LaneLease, found: object) -> int | None:
        """Dial what is due; returns when to look again. Raises LeaseLost, Unavailable."""
        account_sid = lease.lane.sid
        if self._accounts.is_suspended(account_sid):
            for call in self._store.list_waiting(account_sid):
                self._dialler.end(call, BARRED)
            return None
        for call in self._store.list_over(account_sid):
            self._dialler.end(call)
        per_second = self._accounts.load_limits(account_sid).calls_per_second
        if per_second <= 0:  # nobody is told when that changes
            return None if self._store.head(account_sid) is None else int(_now_ms() + LOOK_MS)
        until = _now_ms() + LOOK_MS
        passed_over: dict[str, float] = {}
        while True:
            now = _now_ms()
            passed_over = {node: again for node, again in passed_over.items() if again > now}
            head = self._store.head(account_sid, passed_over)
            if head is None:
                return int(min(passed_over.values())) if passed_over else None
            due = max(head.slot_ms, head.not_before_ms)
            if max(due, now) > until or lease.must_end:
                return int(max(now, min(due - EARLY_MS, now + LOOK_MS, *passed_over.values())))
            if due > now:
                gevent.sleep(min(due - now, NAP_MS) / 1000)
                continue
            self._store.check(lease.lane, lease.owner)
            try:
                self._dialler.take(head)
            except NotNow as error:
                if not error.node:
                    return int(now + TRY_AGAIN_MS)
                passed_over[error.node] = now + TRY_AGAIN_MS
                continue
            self._store.save_next(account_sid, _next_ms(due, now, 1000 / per_second))


def _next_ms(due: float, now: float, apart: float) -> float:
    """When the call behind one that was due, and is dialled now, may be dialled."""
    return max(max(due, now - LATE_MS) + apart, now + apart / 2)


def _now_ms() -> float:
    return time.time() * 1000
