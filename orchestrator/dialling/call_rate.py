"""When a call is dialled, so many a second: now, by the request that creates it, or later, by a worker, when it has
waited in its account's queue."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import structlog

from orchestrator.dialling.queued_call import QueuedCall, Seal
from orchestrator.domain.conference import Participant
from orchestrator.errors import Unavailable
from orchestrator.limits import Limits
from orchestrator.store.dials import DialStore
from orchestrator.store.quotas import reached

log = structlog.get_logger("dialling")


class CallRate:
    """Keeps an account to its calls per second."""

    def __init__(self, store: DialStore, seal: Seal, wake: Callable[[Sequence[object]], None]) -> None:
        self._store = store
        self._seal = seal
        self._wake = wake

    def is_free(self, account_sid: str, limits: Limits) -> bool:
        """Whether a call would be dialled now. Raises QuotaReached, Unavailable."""
        _rate(limits)
        return self._store.is_free(account_sid)

    def seal(self, queued_call: QueuedCall) -> str:
        """Seal what is needed to dial a call later, as it is kept until then."""
        return self._seal.seal(queued_call)

    @contextlib.contextmanager
    def slot_for(self, participant: Participant, sealed_call: str, limits: Limits) -> Iterator[int]:
        """Give a call its slot: yields the ms until then, 0: now. `sealed_call` is kept until then. The slot is given
        back if the call is refused now.

        Raises QuotaReached, Unavailable.
        """
        per_second = _rate(limits)
        account_sid, sid, call_sid = participant.account_sid, participant.conference_sid, participant.call_sid
        slot = self._store.reserve(account_sid, sid, call_sid, sealed_call, per_second)
        try:
            yield slot.waits_ms
        except BaseException:
            with contextlib.suppress(Unavailable):  # a worker finds no record of it, and drops it
                self._store.give_back(account_sid, sid, call_sid, per_second, slot)
            raise
        if slot.waits_ms:
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
