"""The RQ job: deliver what waits in one lane, in order, one at a time.

A job is only a wake-up. A doubled one finds the lane leased and goes home; a lost one is found by `Sweep`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from orchestrator.callbacks.deliver import Attempt, Sender
from orchestrator.callbacks.entry import Entry
from orchestrator.callbacks.retry import GIVE_UP_SECONDS, delay_seconds, is_delivered, is_final
from orchestrator.errors import Unavailable
from orchestrator.store.accounts import AccountStore
from orchestrator.store.connection import redis_errors
from orchestrator.store.outbox import LEASE_MS, Head, Lane, OutboxStore

QUEUE_NAME: Final = "callbacks"
CALLBACKS_PER_JOB: Final = 200
"""A long lane gives the worker back after this many, so that no lane starves."""

JOB_SECONDS: Final = CALLBACKS_PER_JOB * 21
"""Longer than that many attempts can take (5 s to connect, 15 s to answer)."""

log = structlog.get_logger("callbacks")


class Wakeups:
    """Enqueues one RQ job per lane. `queue` is RQ's; any worker of it may take the job."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def backlog(self) -> int:
        """How many wake-ups no worker has taken yet."""
        return int(self._queue.count)

    def wake(self, lanes: Sequence[Lane]) -> None:
        """Have these lanes drained soon. One round trip, however many."""
        jobs = [
            Queue.prepare_data(
                drain_lane,
                args=(lane.conference_sid, lane.name),
                timeout=JOB_SECONDS,
                result_ttl=0,
                failure_ttl=24 * 3600,
                description=f"drain {lane.conference_sid} {lane.name}",
            )
            for lane in lanes
        ]
        try:
            with redis_errors():
                if jobs:
                    self._queue.enqueue_many(jobs)
        except Unavailable as error:
            log.warning("wakeups_lost", error=error.message, lanes=len(lanes))  # the sweep finds these lanes


class Drainer:
    """Works lanes off. One per worker process."""

    def __init__(self, outbox: OutboxStore, accounts: AccountStore, sender: Sender, wakeups: Wakeups) -> None:
        self._outbox = outbox
        self._accounts = accounts
        self._sender = sender
        self._wakeups = wakeups
        self._leased: set[Lane] = set()

    def keep_leases(self, sleep: Callable[[float], object]) -> None:
        """Renew for ever the leases of the lanes under way; if this process dies, others have them 5 s later."""
        while True:
            try:
                if self._leased:
                    self._outbox.renew(list(self._leased))
            except Unavailable as error:
                log.warning("leases_not_renewed", error=error.message)
            sleep(LEASE_MS / 4000)

    def drain(self, lane: Lane) -> None:
        """Deliver until the lane is empty, has to wait, or has had its turn."""
        owner = uuid.uuid4().hex
        head = self._outbox.load_head(lane, owner, _now_ms())
        if head.verdict != "ok":
            return
        self._leased.add(lane)
        try:
            self._work_off(lane, owner, head)
        finally:
            self._leased.discard(lane)

    def _work_off(self, lane: Lane, owner: str, head: Head) -> None:
        attempts = head.attempts
        for _ in range(CALLBACKS_PER_JOB):
            if head.verdict != "ok":
                break
            entry = Entry.load(head.entry)
            if not self._settle(lane, owner, entry, attempts + 1):
                return
            head, attempts = self._outbox.commit_head(lane, owner, head.entry), 0
        self._outbox.release(lane, owner)
        if head.verdict == "ok":
            self._wakeups.wake([lane])

    def _settle(self, lane: Lane, owner: str, entry: Entry, attempts: int) -> bool:
        """Make one attempt; True if the entry is done with, False if it has to be tried again later."""
        account = self._accounts.load_account(entry.account_sid)
        if account is None:
            self._give_up(entry, attempts, "no-account")
            return True
        attempt = self._sender.deliver_callback(entry, account.auth_token)
        _log_attempt(entry, attempts, attempt)
        if attempt.status and is_delivered(attempt.status):
            return True
        if is_final(attempt.status):
            self._give_up(entry, attempts, f"http-{attempt.status}")
            return True
        if time.time() - entry.planned_at > GIVE_UP_SECONDS:
            self._give_up(entry, attempts, "age")
            return True
        self._outbox.save_retry(lane, owner, attempts, _now_ms() + int(delay_seconds(attempts) * 1000))
        return False

    def _give_up(self, entry: Entry, attempts: int, reason: str) -> None:
        self._outbox.save_dropped(reason, 1)
        log.error("callback_given_up", reason=reason, attempts=attempts, **_names(entry))


class Sweep:
    """Wakes lanes that nobody works on although they are due: retries, and wake-ups that were lost."""

    INTERVAL_SECONDS: Final = 1.0
    MOST_WAITING: Final = 100
    """With more wake-ups than this on their way none is lost, and adding to them would help nobody."""

    def __init__(self, outbox: OutboxStore, wakeups: Wakeups) -> None:
        self._outbox = outbox
        self._wakeups = wakeups

    def run(self, sleep: Callable[[float], object]) -> None:
        """Sweep for ever."""
        while True:
            try:
                with redis_errors():
                    if self._wakeups.backlog() < self.MOST_WAITING:
                        self._wakeups.wake(self._outbox.list_waiting(_now_ms()))
            except Unavailable as error:
                log.warning("sweep_failed", error=error.message)
            sleep(self.INTERVAL_SECONDS)


_drainer: Drainer | None = None


def use_drainer(drainer: Drainer) -> None:
    """Tell this worker process what its jobs run on."""
    global _drainer  # noqa: PLW0603 -- RQ calls a plain function by name; this is its one way to the process's objects
    _drainer = drainer


def drain_lane(conference_sid: str, lane: str) -> None:
    """The job itself, as RQ calls it."""
    if _drainer is None:
        raise RuntimeError("this worker was not started by `orchestrator work`")
    _drainer.drain(Lane(conference_sid, lane))


def make_queue(connection: object) -> Queue:
    """RQ's queue of wake-ups. JSON, so that a job's arguments are data and never code."""
    return Queue(QUEUE_NAME, connection=connection, serializer=JSONSerializer)  # type: ignore[arg-type]  # a Redis


def _now_ms() -> int:
    return int(time.time() * 1000)


def _names(entry: Entry) -> dict[str, str]:
    return {
        "account_sid": entry.account_sid,
        "conference_sid": entry.conference_sid,
        "call_sid": entry.call_sid,
        "callback": entry.kind,
        "token": entry.token,
    }


def _log_attempt(entry: Entry, attempts: int, attempt: Attempt) -> None:
    log.info(
        "callback_attempt",
        attempt=attempts,
        status=attempt.status,
        ms=attempt.milliseconds,
        error=attempt.error or None,
        **_names(entry),
    )
