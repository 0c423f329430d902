"""Pauses receivers that have failed for long, per account and host: each gets only a probe now and then (a circuit
breaker)."""

from __future__ import annotations

import time
from typing import Final

import structlog

from orchestrator.store.receivers import PROBE_MS, Receiver, ReceiverStore
from orchestrator.store.shared_reads import SharedReads

CACHE_SECONDS: Final = 1.0
CACHED_RECEIVERS: Final = 10_000

log = structlog.get_logger("callbacks")


class Breaker:
    """Knows which receivers are paused, for this worker process; asks the store at most once a second for each."""

    def __init__(self, store: ReceiverStore) -> None:
        self._store = store
        self._known: dict[tuple[str, str], tuple[float, Receiver | None]] = {}
        self._reads: SharedReads[Receiver | None] = SharedReads()

    def pause_ms(self, account_sid: str, host: str, now_ms: int) -> int:
        """Return how long to leave the receiver alone; 0: try it now. Of the callbacks that wait for a paused receiver,
        one gets a 0: the probe."""
        receiver = self._load(account_sid, host)
        if receiver is None or not receiver.pauses:
            return 0
        # Paused, as far as this process knows: an operator or another process may have resumed it a moment ago.
        receiver = self._store.load_receiver(account_sid, host)
        self._keep(account_sid, host, receiver)
        if receiver is None or not receiver.pauses:
            return 0
        if receiver.paused_until_ms > now_ms:
            return receiver.paused_until_ms - now_ms
        return 0 if self._store.claim_probe(account_sid, host, now_ms) else PROBE_MS

    def succeeded(self, account_sid: str, host: str) -> bool:
        """Note that the receiver has answered, so that it is paused no more. Returns True if it was, and others wait
        for it."""
        receiver = self._load(account_sid, host)
        if receiver is None:
            return False
        self._store.forget_receiver(account_sid, host)
        self._keep(account_sid, host, None)
        if receiver.pauses:
            log.info("receiver_resumed", account_sid=account_sid, host=host)
        return receiver.pauses > 0

    def failed(self, account_sid: str, host: str, began_ms: int, now_ms: int) -> None:
        """Note that an attempt was not delivered and will be made again."""
        known = self._load(account_sid, host)
        after = self._store.save_failure(account_sid, host, began_ms, now_ms)
        self._keep(account_sid, host, after)
        if after.pauses > (known.pauses if known else 0):
            seconds = (after.paused_until_ms - now_ms) // 1000
            log.error("receiver_paused", account_sid=account_sid, host=host, failures=after.failures, seconds=seconds)

    def _load(self, account_sid: str, host: str) -> Receiver | None:
        known = self._known.get((account_sid, host))
        if known is not None and known[0] > time.monotonic():
            return known[1]
        return self._reads.read((account_sid, host), lambda: self._read(account_sid, host))

    def _read(self, account_sid: str, host: str) -> Receiver | None:
        receiver = self._store.load_receiver(account_sid, host)
        self._keep(account_sid, host, receiver)
        return receiver

    def _keep(self, account_sid: str, host: str, receiver: Receiver | None) -> None:
        if len(self._known) >= CACHED_RECEIVERS:
            self._known.clear()
        self._known[account_sid, host] = (time.monotonic() + CACHE_SECONDS, receiver)
