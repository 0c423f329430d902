"""What became of callbacks, and sending them again: what is behind `/v1` and `orchestrator callbacks`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import structlog

from orchestrator.errors import BadParameter, Conflict, NotFound
from orchestrator.sids import is_sid
from orchestrator.store.callbacks import CallbackFilter, CallbackStore, KeptCallback
from orchestrator.store.receivers import Receiver, ReceiverStore

MOST_SCANNED: Final = 1_000
"""Rows that one request may look at; a filter that matches few of a million is answered in several pages."""

MOST_REPLAYED: Final = 1_000

_TOKEN: Final = re.compile(r"[0-9a-f-]{36}", re.ASCII)

log = structlog.get_logger("callback_log")


@dataclass(frozen=True, slots=True)
class Page:
    """Some callbacks, newest first, and where the next page begins (None: there is nothing more)."""

    callbacks: Sequence[KeptCallback]
    next_after: KeptCallback | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many were sent again; and the moment (ms) from which there may be more, None: there are none."""

    number: int
    next_after_ms: int | None


Counted = Callable[[Iterable[KeptCallback | None]], Iterator[KeptCallback | None]]
"""Passes a list's rows on, so that whoever asks can count and pace them."""


class CallbackLog:
    """Lists callbacks and sends them again. `account_sid` is always the authenticated account, or the one that an
    operator names."""

    def __init__(self, callbacks: CallbackStore, receivers: ReceiverStore) -> None:
        self._callbacks = callbacks
        self._receivers = receivers

    def fetch_callback(self, account_sid: str, callback_id: str) -> KeptCallback:
        """Fetch a callback with its attempts. Raises NotFound."""
        conference_sid, _, token = callback_id.partition(".")
        if _TOKEN.fullmatch(token) is None or not is_sid("CF", conference_sid):
            raise NotFound("The callback was not found")
        return self._callbacks.load_callback(account_sid, conference_sid, token)

    def list_callbacks(
        self,
        account_sid: str,
        wanted: CallbackFilter,
        size: int,
        after: tuple[int, str] | None = None,
        counted: Counted = iter,
    ) -> Page:
        """List at most `size` callbacks, those behind `after` (moment in ms, id). Every row goes through `counted`."""
        found: list[KeptCallback] = []
        last: KeptCallback | None = None
        for row in islice(counted(self._behind(account_sid, wanted, after)), MOST_SCANNED):
            if len(found) == size:
                return Page(found, last)
            if row is None:
                continue
            last = row
            if wanted.matches(row):
                found.append(row)
        scanned_all = last is None or not self._has_more(account_sid, wanted, last, counted)
        return Page(found, None if scanned_all else last)

    def _behind(
        self, account_sid: str, wanted: CallbackFilter, after: tuple[int, str] | None
    ) -> Iterator[KeptCallback | None]:
        if after is None:
            return self._callbacks.list_callbacks(account_sid, wanted)
        moment, callback_id = after
        newest = moment if wanted.before_ms is None else min(moment, wanted.before_ms)
        rows = self._callbacks.list_callbacks(account_sid, replace(wanted, before_ms=newest))
        return (row for row in rows if row is None or (row.planned_ms, row.callback_id) < (moment, callback_id))

    def _has_more(self, account_sid: str, wanted: CallbackFilter, last: KeptCallback, counted: Counted) -> bool:
        rows = counted(self._behind(account_sid, wanted, (last.planned_ms, last.callback_id)))
        return any(row is not None for row in islice(rows, MOST_SCANNED))

    def replay(self, account_sid: str, callback_id: str) -> KeptCallback:
        """Send a finished callback again, at the end of its lane. Raises NotFound, Conflict if it waits already."""
        callback = self.fetch_callback(account_sid, callback_id)
        if not self._replay([callback]):
            raise Conflict(f"The callback {callback_id} waits to be delivered already")
        return self.fetch_callback(account_sid, callback_id)

    def replay_all(
        self,
        account_sid: str,
        wanted: CallbackFilter,
        counted: Counted = iter,
        grant: Callable[[int], int] = lambda number: number,
    ) -> Replayed:
        """Send all finished callbacks again, the oldest first, in the order of their events: at most MOST_REPLAYED at
        once, of MOST_SCANNED rows, and as many as `grant` allows."""
        if not wanted.state:
            wanted = replace(wanted, state="dead")
        if wanted.state == "waiting":
            raise BadParameter("State: callbacks that wait cannot be replayed")
        chosen: list[KeptCallback] = []
        next_after_ms: int | None = None
        rows = counted(self._callbacks.list_callbacks(account_sid, wanted, oldest_first=True))
        for number, row in enumerate(rows, 1):
            if row is None:
                continue
            # Events of one moment stay together: Redis does not know their order, their numbers do.
            is_later = bool(chosen) and row.planned_ms != chosen[-1].planned_ms
            if is_later and (len(chosen) >= MOST_REPLAYED or number > MOST_SCANNED):
                next_after_ms = row.planned_ms
                break
            if wanted.matches(row):
                chosen.append(row)
            elif number > MOST_SCANNED:
                next_after_ms = row.planned_ms
                break
        chosen.sort(key=lambda callback: (callback.planned_ms, callback.sequence_number))
        granted = grant(len(chosen)) if chosen else 0
        if granted < len(chosen):
            next_after_ms = chosen[granted].planned_ms
        return Replayed(self._replay(chosen[:granted]), next_after_ms)

    def _replay(self, callbacks: Iterable[KeptCallback]) -> int:
        replayed = 0
        for callback in callbacks:
            if self._callbacks.save_replay(callback, int(time.time() * 1000)):
                replayed += 1
                log.info("callback_replayed", callback=callback.callback_id, account_sid=callback.account_sid)
        return replayed

    def list_receivers(self, account_sid: str) -> list[Receiver]:
        """List the receivers of this account that fail now."""
        return self._receivers.list_receivers(account_sid)

    def resume_receiver(self, account_sid: str, host: str) -> None:
        """Try a paused receiver again from now on. Raises NotFound if it is not known to fail."""
        if not self._receivers.forget_receiver(account_sid, host):
            raise NotFound("Host: this receiver is not known to fail")
        self._callbacks.save_due_now(account_sid, host)
        log.info("receiver_resumed", account_sid=account_sid, host=host)
