"""Drains a lane of callbacks: delivers what waits in it, in order, one at a time. `lanes` calls it for a lane that it
has leased."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

import gevent
import orjson
import structlog

from orchestrator import logs, metrics, tracing
from orchestrator.callbacks.breaker import Breaker
from orchestrator.callbacks.deliver import Result, Sender, receiver_of
from orchestrator.callbacks.entry import Entry
from orchestrator.callbacks.overrides import Overrides, parse_overrides
from orchestrator.callbacks.retry import Schedule, is_final, retry_after_seconds
from orchestrator.clock import now_ms
from orchestrator.errors import Unavailable
from orchestrator.lanes.engine import LaneLease
from orchestrator.store.accounts import AccountStore
from orchestrator.store.callbacks import Attempt, CallbackStore
from orchestrator.store.outbox import Head, OutboxStore, State, Tried

LANES_AT_ONCE: Final = 3_000
LANES_PER_ACCOUNT: Final = 1_500
LANES_PER_RECEIVER: Final = 1_000
LANES_FOR_EVERYBODY: Final = 300
"""Lanes that any account may have: beyond them it gets at most half of those that are free, so that one account's slow
receivers cannot take all."""

CALLBACKS_AT_A_TIME: Final = 200
SECONDS_AT_A_TIME: Final = 15.0
"""A long or slow lane goes to the back of the queue after so many or so long, so that no lane starves."""

POSTPONED_MS: Final = 500

_ALL: Final = "*"
Written = TypeVar("Written")

log = structlog.get_logger("callbacks")


class Drainer:
    """Delivers the callbacks of a lane. One per worker process."""

    def __init__(
        self,
        outbox: OutboxStore,
        callbacks: CallbackStore,
        accounts: AccountStore,
        breaker: Breaker,
        sender: Sender,
        schedule: Schedule,
    ) -> None:
        self._outbox = outbox
        self._callbacks = callbacks
        self._accounts = accounts
        self._breaker = breaker
        self._sender = sender
        self._schedule = schedule
        self._in_flight: Counter[str] = Counter()

    def work(self, lease: LaneLease, head: Head) -> int | None:
        """Deliver until the lane is empty, has to wait, or has had enough at a time; returns when to look at it again
        (ms): now, if there is more."""
        entry = self._read(lease, head)
        if entry is None:
            return now_ms()
        places = (entry.account_sid, f"{entry.account_sid} {receiver_of(entry)}")
        if not self._has_room(*places):
            return now_ms() + int(POSTPONED_MS * random.uniform(1, 3))  # noqa: S311 -- spreads load, keeps no secret
        self._in_flight.update((*places, _ALL))
        try:
            return self._drain_some(lease, head, entry)
        finally:
            self._in_flight.subtract((*places, _ALL))
            for place in places:
                if not self._in_flight[place]:
                    del self._in_flight[place]

    def _read(self, lease: LaneLease, head: Head) -> Entry | None:
        """Read the callback at the head. One that cannot be read is dead: it is removed, and None returned."""
        try:
            return Entry.load(head.entry)
        except (KeyError, TypeError, ValueError):
            log.exception("entry_unreadable", lane=str(lease.lane), token=head.token)
            self._callbacks.save_dropped("unreadable")  # whose it is cannot be read either
            self._finish(lease, Tried(head.token), "dead", "unreadable")
            return None

    def _has_room(self, account: str, receiver: str) -> bool:
        if self._in_flight[receiver] >= LANES_PER_RECEIVER:
            return False
        free = LANES_AT_ONCE - self._in_flight[_ALL]
        return self._in_flight[account] < max(LANES_FOR_EVERYBODY, min(LANES_PER_ACCOUNT, free // 2))

    def _drain_some(self, lease: LaneLease, head: Head, entry: Entry) -> int | None:
        """Deliver as many as are delivered at a time; returns when to go on (ms), None if the lane is given back."""
        ends_at = time.monotonic() + SECONDS_AT_A_TIME
        for _ in range(CALLBACKS_AT_A_TIME):
            following = self._settle(lease, head, entry)
            if following is None or following.verdict != "ok":
                return None
            if lease.must_end or time.monotonic() > ends_at:
                break
            head, read = following, self._read(lease, following)
            if read is None:
                break
            entry = read
        return now_ms()

    def _finish(self, lease: LaneLease, tried: Tried, state: State, reason: str) -> Head:
        """Remove the head, which is delivered or dead; returns the next one. An empty lane is given back in the same
        step; a lost one is not ours."""
        following = self._insist(lambda: self._outbox.commit_head(lease.lane, lease.owner, tried, state, reason))
        lease.is_held = following.verdict == "ok"
        return following

    def _retry_later(self, lease: LaneLease, tried: Tried, due_ms: int) -> None:
        """Have the head tried again at `due_ms`; until then the lane is given back."""
        self._insist(lambda: self._outbox.save_retry(lease.lane, lease.owner, tried, due_ms))
        lease.is_held = False

    @staticmethod
    def _insist(write: Callable[[], Written]) -> Written:
        """Repeat a write until Redis has taken it: what a receiver has said must not be forgotten because Redis is
        away."""
        while True:
            try:
                return write()
            except Unavailable as error:
                log.warning("outcome_not_kept", error=error.message)
                gevent.sleep(0.2)

    # ------------------------------------------------------------ one callback

    def _settle(self, lease: LaneLease, head: Head, entry: Entry) -> Head | None:
        """Try the head of the lane; returns what comes after it, or None if the lane has to wait."""
        sids = (entry.account_sid, entry.conference_sid, entry.call_sid)
        with logs.bound(*sids, request_id=entry.request_id):
            return self._deliver(lease, head, entry)

    def _deliver(self, lease: LaneLease, head: Head, entry: Entry) -> Head | None:
        account = self._accounts.load_account(entry.account_sid)
        if account is None:
            return self._bury(lease, entry, Tried(head.token), "no-account")
        if self._is_too_old(head, now_ms()):
            return self._bury(lease, entry, Tried(head.token), "age")
        pause_ms = self._breaker.pause_ms(entry.account_sid, receiver_of(entry), now_ms())
        if pause_ms:
            self._retry_later(lease, Tried(head.token), now_ms() + pause_ms)
            return None
        began_ms = now_ms()
        result, attempts = self._try(entry, account.auth_token, head.attempts)
        tried = Tried(head.token, tuple((attempt.number, orjson.dumps(attempt).decode()) for attempt in attempts))
        if result.failure is None:
            following = self._finish(lease, tried, "delivered", "")
            self._note_alive(entry)
            return following
        return self._after_failure(lease, entry, tried, head, result, began_ms)

    def _after_failure(
        self, lease: LaneLease, entry: Entry, tried: Tried, head: Head, result: Result, began_ms: int
    ) -> Head | None:
        """Bury the callback if that was the receiver's last word, or it is too old; else have it tried again later."""
        if result.is_refused:
            return self._bury(lease, entry, tried, "address-refused")
        if is_final(result.status):
            self._note_alive(entry)
            return self._bury(lease, entry, tried, f"http-{result.status}")
        self._insist(lambda: self._breaker.failed(entry.account_sid, receiver_of(entry), began_ms, now_ms()))
        made = head.attempts + len(tried.attempts)
        delay = self._schedule.delay_seconds(made, random.uniform(-1, 1))  # noqa: S311 -- spreads load, keeps no secret
        asked = retry_after_seconds(result.retry_after, lambda: datetime.now(UTC))
        due_ms = now_ms() + int(max(delay, asked or 0.0) * 1000)
        if self._is_too_old(head, due_ms):
            return self._bury(lease, entry, tried, "age")
        self._retry_later(lease, tried, due_ms)
        return None

    def _note_alive(self, entry: Entry) -> None:
        """Note that the receiver answers; if it was paused, the callbacks that wait for it become due now."""
        if self._breaker.succeeded(entry.account_sid, receiver_of(entry)):
            self._callbacks.save_due_now(entry.account_sid, receiver_of(entry))

    def _is_too_old(self, head: Head, at_ms: int) -> bool:
        return at_ms - head.since_ms > self._schedule.give_up_seconds * 1000

    def _try(self, entry: Entry, auth_token: str, attempts_before: int) -> tuple[Result, list[Attempt]]:
        """Make one attempt, and Twilio's quick retries after it as far as the URL's overrides ask for them."""
        overrides = parse_overrides(entry.url)
        ends_at = time.monotonic() + overrides.total_ms / 1000
        attempts: list[Attempt] = []
        while True:
            at_ms = now_ms()
            seconds = max(ends_at - time.monotonic(), 0.1)
            about = entry.request_id or entry.call_sid or entry.conference_sid
            with tracing.span(f"callback {entry.kind}", about, token=entry.token):
                result = self._sender.deliver_callback(entry, auth_token, overrides, seconds)
                tracing.describe({"http.response.status_code": result.status, "error": result.error})
            number = attempts_before + len(attempts) + 1
            _log_attempt(entry, number, result)
            attempts.append(
                Attempt(number, at_ms, result.url, result.status, result.milliseconds, result.error, result.answer)
            )
            if not _is_retried_at_once(result, overrides, len(attempts)) or time.monotonic() >= ends_at:
                return result, attempts

    def _bury(self, lease: LaneLease, entry: Entry, tried: Tried, reason: str) -> Head:
        """Make the head a dead letter: log, list and count it once. Returns the next one: the lane goes on."""
        following = self._finish(lease, tried, "dead", reason)
        if following.verdict != "lost":
            log.error("callback_dead", reason=reason, callback=entry.kind, token=entry.token)
            planned_ms = int(entry.planned_at * 1000)
            self._callbacks.save_dead(entry.account_sid, entry.conference_sid, entry.token, reason, planned_ms)
        return following


def _is_retried_at_once(result: Result, overrides: Overrides, made: int) -> bool:
    return result.failure in overrides.retried and made <= overrides.retries and not result.is_refused


def _log_attempt(entry: Entry, number: int, result: Result) -> None:
    counted_as = "delivered" if result.failure is None else f"http-{result.status}" if result.status else "no-answer"
    metrics.ATTEMPTS.labels(counted_as).inc()
    metrics.ATTEMPT_SECONDS.observe(result.milliseconds / 1000)
    log.info(
        "callback_attempt",
        attempt=number,
        status=result.status,
        ms=result.milliseconds,
        error=result.error or None,
        callback=entry.kind,
        token=entry.token,
    )
