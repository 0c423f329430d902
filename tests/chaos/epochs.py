"""Whether a listener that had lost its node wrote: then the epoch of an open conference went down (adr/0020)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis

from orchestrator.store import keys
from orchestrator.store.connection import connect

EVERY_SECONDS = 0.1


class Epochs:
    """Looks ten times a second. What the next write hides before that is not seen."""

    def __init__(self, url: str) -> None:
        self._redis: Any = connect(url)
        self._known: dict[tuple[str, str], int] = {}
        self._is_over = threading.Event()
        self.went_down: list[str] = []
        self.looks = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """On a thread of its own, for as long as this lasts."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(EVERY_SECONDS):
            with suppress(redis.RedisError):  # it has been killed, or frozen
                self.look()

    def look(self) -> None:
        """A replica that is made the primary may not have the last writes: it begins a history of its own, and epochs
        are compared within one."""
        sids = self._redis.zrange(keys.OPEN_CONFERENCES, 0, -1)
        pipe = self._redis.pipeline(transaction=False)
        pipe.info("replication")
        for sid in sids:
            pipe.hget(keys.conference(sid), "epoch")
        told, *epochs = pipe.execute()
        for sid, epoch in zip(sids, epochs, strict=True):
            if epoch:
                self._compare((told["master_replid"], sid), int(epoch))
        self.looks += 1

    def _compare(self, which: tuple[str, str], epoch: int) -> None:
        before = self._known.get(which, 0)
        if epoch < before:
            self.went_down.append(f"{which[1]}: {before}, then {epoch}")
        self._known[which] = epoch
