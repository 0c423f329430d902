"""Limits how many fetches or renderings run at once: few in all and fewer for one account, so that none waits behind
another's crowd."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gevent.lock import Semaphore

from orchestrator.media.errors import FAILED, TIMEOUT, MediaError

AT_ONCE: Final = 64
PER_ACCOUNT: Final = 8
WAITING: Final = 200
"""Most that wait of one account, running ones included; what comes on top is refused at once."""


@dataclass(slots=True)
class _Row:
    slots: Semaphore
    waiting: int = 0


class Slots:
    """Places for what runs at once. Each caller waits in its account's line first, and only the first few of a line in
    everybody's: lines are first come, first served, so an account with hundreds is never more than `per_account` places
    ahead of one with a single one."""

    def __init__(self, at_once: int = AT_ONCE, per_account: int = PER_ACCOUNT, waiting: int = WAITING) -> None:
        self._everybody = Semaphore(at_once)
        self._per_account = per_account
        self._waiting = waiting
        self._accounts: dict[str, _Row] = {}

    @contextmanager
    def take(self, account_sid: str, until: float | None = None) -> Iterator[None]:
        """Wait for a place until `until` (time.monotonic; None: for ever), and hold it for as long as the block lasts.

        Raises MediaError: 11200 if too many wait, 11203 at `until`.
        """
        row = self._accounts.setdefault(account_sid, _Row(Semaphore(self._per_account)))
        if row.waiting >= self._waiting:
            raise MediaError(FAILED, f"More than {self._waiting} of the account at once")
        row.waiting += 1
        try:
            with _place(row.slots, until), _place(self._everybody, until):
                yield
        finally:
            row.waiting -= 1
            if not row.waiting:
                del self._accounts[account_sid]


@contextmanager
def _place(line: Semaphore, until: float | None) -> Iterator[None]:
    if not line.acquire(timeout=None if until is None else max(until - time.monotonic(), 0.001)):
        raise MediaError(TIMEOUT, "Others took all the time")
    try:
        yield
    finally:
        line.release()
