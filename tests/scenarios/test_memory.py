"""Redis' maxmemory, in the whole service: creates are refused while there is a reserve, everything else goes on; and
when the reserve is used up as well, nothing is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import redis
from twilio.base.exceptions import TwilioRestException

from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack


@pytest.fixture
def store(own_stack: Stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(own_stack.environment["REDIS_URL"], decode_responses=True) as client:
        client.config_set("maxmemory-policy", "noeviction")
        yield client


def _limit(store: redis.Redis, share: float) -> None:
    used = store.info("memory")["used_memory"]
    store.config_set("maxmemory", int(used / share))


def _fill(store: redis.Redis) -> None:
    """To the brim: not even a small value fits."""
    for size in (100_000, 1_000, 1):
        with contextlib.suppress(redis.OutOfMemoryError):
            for number in range(1_000_000):
                store.set(f"junk:{size}:{number}", "x" * size)


def _is_refused(stack: Stack) -> bool:
    try:
        stack.client().conferences("one more").participants.create(to=FarEnd.ANSWERS, from_="+15550009999")
    except TwilioRestException as refused:
        return (refused.status, refused.code) == (503, 20503)
    return False


@pytest.mark.parametrize("reserve", ["untouched", "used up"])
def test_at_maxmemory_what_exists_goes_on(own_stack: Stack, store: redis.Redis, reserve: str) -> None:
    """Creates: 503. Reads, a removal and an end: as ever, and the switch does them. Callbacks: delivered, every one and
    in order; at once while there is a reserve, else when there is memory again. Then creates go on."""
    participants = own_stack.client().conferences("full").participants
    made = [participants.create(to=FarEnd.ANSWERS, **own_stack.call_settings(label=name)) for name in ("a", "b", "c")]
    sid = made[0].conference_sid
    own_stack.receiver.await_kind(sid, "participant-join", 3)
    _limit(store, 0.95)
    if reserve == "used up":
        _fill(store)
    eventually(lambda: _is_refused(own_stack), "creates are refused")

    conference = own_stack.client().conferences(sid)
    assert {row.label for row in conference.participants.list()} == {"a", "b", "c"}
    assert conference.participants("a").update(muted=True).muted
    assert conference.participants("b").delete()
    assert {row.label for row in conference.participants.list()} == {"a", "c"}
    assert conference.update(status="completed").status == "completed"
    eventually(lambda: sid not in own_stack.switch.api("conference json_list"), "it has ended on the switch")
    if reserve == "used up":
        store.delete(*store.keys("junk:*"))
        store.config_set("maxmemory", 0)
    own_stack.receiver.await_kind(sid, "conference-end", 1, seconds=60)
    assert len(own_stack.receiver.await_kind(sid, "participant-leave", 3)) == 3
    assert len(own_stack.receiver.await_kind(sid, "participant-mute", 1)) == 1
    events = [row for row in own_stack.receiver.of(sid) if "CallbackSource" not in row.parameters]
    numbers = [int(row.parameters["SequenceNumber"]) for row in events]
    assert numbers == list(range(1, len(numbers) + 1))

    store.config_set("maxmemory", 0)
    eventually(lambda: not _is_refused(own_stack), "creates go on")
