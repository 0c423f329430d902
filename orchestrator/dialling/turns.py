"""Whose turn it is: a call is dialled by the request that creates it, or waits in its account's queue for a worker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import structlog

from orchestrator.dialling.orders import Order, Seal
from orchestrator.domain.conference import Participant
from orchestrator.errors import Unavailable
from orchestrator.limits import Limits
from orchestrator.store.dials import DialStore
from orchestrator.store.quotas import reached

log = structlog.get_logger("dialling")


class Turns:
    """Gives the API's calls their turns."""

    def __init__(self, store: DialStore, seal: Seal, wake: Callable[[Sequence[object]], None]) -> None:
        self._store = store
        self._seal = seal
        self._wake = wake

    def is_free(self, account_sid: str, limits: Limits) -> bool:
        """Whether a call would be dialled now. Raises QuotaReached, Unavailable."""
        _rate(limits)
        return self._store.is_free(account_sid)

    def seal(self, order: Order) -> str:
        """Seal what is needed to dial a call later, as it is kept until then."""
        return self._seal.seal(order)

    @contextlib.contextmanager
    def taken(self, participant: Participant, order: str, limits: Limits) -> Iterator[int]:
        """Give a call its turn: yields the ms until then, 0: now. `order` is sealed. The turn is given back if the call
        is refused then.

        Raises QuotaReached, Unavailable.
        """
        per_second = _rate(limits)
        account_sid, sid, call_sid = participant.account_sid, participant.conference_sid, participant.call_sid
        turn = self._store.reserve(account_sid, sid, call_sid, order, per_second)
        try:
            yield turn.waits_ms
        except BaseException:
            with contextlib.suppress(Unavailable):  # a worker finds no record of it, and drops it
                self._store.give_back(account_sid, sid, call_sid, per_second, turn)
            raise
        if turn.waits_ms:
            self._announce(account_sid)

    def _announce(self, account_sid: str) -> None:
        try:
            self._wake([self._store.list_soon(account_sid, int(time.time() * 1000))])
        except Unavailable as error:
            log.warning("wakeups_lost", topic="dialling", error=error.message, items=1)  # a sweep finds the account


def _rate(limits: Limits) -> int:
    """Calls a second. Raises QuotaReached if there are none."""
    if limits.calls_per_second <= 0:
        raise reached("calls_per_second", limits, 1000)
    return limits.calls_per_second
