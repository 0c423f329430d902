"""The sweep wakes lanes that are due, and survives Redis."""

from __future__ import annotations

import pytest
import redis

from orchestrator.errors import Unavailable
from orchestrator.jobs.wakeups import SOUNDS, Wakeups, make_queue
from orchestrator.sids import mint_sid
from orchestrator.sounds.sweep import INTERVAL_SECONDS, SoundSweep
from orchestrator.store import keys
from orchestrator.store.outbox import Lane
from orchestrator.store.sounds import SoundStore


class Enough(Exception):
    """Ends a sweep that runs for ever."""


def test_lanes_that_are_due_are_woken_and_the_sweep_outlives_redis(client: redis.Redis, redis_url: str) -> None:
    """Every half a second; a round that fails is followed by another."""
    wakeups = Wakeups(make_queue(SOUNDS, redis.Redis.from_url(redis_url)), SOUNDS)
    due, later = Lane(mint_sid("CF"), "conference"), Lane(mint_sid("CF"), mint_sid("CA"))
    client.zadd(keys.SOUNDS_DUE, {str(due): 1, str(later): 2**45})
    slept: list[float] = []

    class Away(SoundStore):
        def list_due(self, now_ms: int, most: int) -> list[Lane]:
            if not slept:
                raise Unavailable("away")
            return super().list_due(now_ms, most)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise Enough

    with pytest.raises(Enough):
        SoundSweep(Away(client), wakeups).run(sleep)

    assert slept == [INTERVAL_SECONDS] * 3
    assert wakeups.take() == [str(due)]
