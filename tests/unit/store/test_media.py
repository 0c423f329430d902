"""Clips and notes are kept for as long as they are used, within a bound for each account and one for all."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.store import keys
from orchestrator.store.media import ENTRY_BYTES, MediaStore, TooLarge

ONE, TWO = "AC" + "1" * 32, "AC" + "2" * 32
WAV = b"RIFF\xff\x00\x80" + bytes(93)
"""100 bytes that are no UTF-8."""
COST = len(WAV) + ENTRY_BYTES
ROOM = 10 * COST
"""An account's: of ten such clips."""


@dataclass
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(client: redis.Redis) -> Clock:
    seconds, _ = client.time()
    return Clock(float(seconds))


@pytest.fixture
def media(client: redis.Redis, clock: Clock) -> MediaStore:
    return MediaStore(client, 4 * ROOM, clock)


def left(client: redis.Redis) -> dict[str, object]:
    return {str(name): client.type(name) for name in client.scan_iter() if name != keys.MEDIA_DROPPED}


def test_a_clip_is_loaded_as_it_was_saved(media: MediaStore) -> None:
    """By its id of 128 random bits, byte for byte."""
    media_id = media.save(WAV, ONE)

    assert (len(media_id), media.load(media_id), media.measure(media_id)) == (32, WAV, 100)
    assert media.save(WAV, ONE) != media_id


@pytest.mark.parametrize("media_id", ["0" * 32, "", "../accounts", "A" * 32, "0" * 31 + "\n"])
def test_what_was_not_saved_is_not_there(media: MediaStore, media_id: str) -> None:
    """Also for what is no id."""
    assert (media.load(media_id), media.measure(media_id), media.touch(media_id)) == (None, None, False)


def test_a_clip_that_is_used_stays(media: MediaStore, client: redis.Redis, clock: Clock) -> None:
    """Being read or touched gives it its time anew; never less than it had."""
    media_id = media.save(WAV, ONE, seconds=10)
    before = client.ttl(keys.media_clip(media_id))
    media.touch(media_id, seconds=5)
    still = client.ttl(keys.media_clip(media_id))
    media.load(media_id)

    assert 8 < before <= 10
    assert 8 < still <= 10
    assert client.ttl(keys.media_clip(media_id)) > 80_000


def test_what_is_used_least_recently_makes_room(media: MediaStore, clock: Clock) -> None:
    """Within an account's quarter; and what was dropped is counted."""
    first = [media.save(WAV, ONE) for clock.now in [clock.now + n for n in range(10)]]
    media.touch(first[0])
    clock.now += 1
    media.touch(first[0])
    other = media.save(WAV, TWO)
    clock.now += 1
    media.save(WAV, ONE)

    assert [media.measure(media_id) is not None for media_id in first] == [True, False, *[True] * 8]
    assert media.measure(other) == 100


def test_all_accounts_together_are_bounded(media: MediaStore, client: redis.Redis, clock: Clock) -> None:
    """Five accounts of a quarter each: the oldest of them all goes."""
    for number in range(5):
        for _ in range(10):
            clock.now += 0.001
            media.save(WAV, f"AC{number:032x}")

    assert client.hget(keys.MEDIA_BYTES, "all") == str(4 * ROOM)
    assert client.hgetall(keys.MEDIA_DROPPED) == {"all": "10"}
    assert client.exists(f"{keys.MEDIA}account:AC{0:032x}") == 0


def test_what_is_larger_than_an_account_is_refused(media: MediaStore) -> None:
    """Nothing is dropped for it."""
    kept = media.save(WAV, ONE)
    with pytest.raises(TooLarge):
        media.save(bytes(ROOM - ENTRY_BYTES + 1), ONE)
    media.save_note(ONE, "a" * 64, bytes(ROOM - ENTRY_BYTES + 1))

    assert media.measure(kept) == 100
    assert media.load_note(ONE, "a" * 64) is None


def test_notes_are_the_accounts_own(media: MediaStore) -> None:
    """The same name in another account is another note; a note is replaced, and forgotten."""
    media.save_note(ONE, "a" * 64, b"one")
    media.save_note(ONE, "a" * 64, "zwölf".encode())
    media.save_note(TWO, "a" * 64, b"two")
    seen = media.load_note(ONE, "a" * 64), media.load_note(TWO, "a" * 64)
    media.forget_note(ONE, "a" * 64)

    assert seen == ("zwölf", "two")
    assert (media.load_note(ONE, "a" * 64), media.load_note(TWO, "a" * 64)) == (None, "two")


def test_a_clip_that_nobody_owns_is_none(media: MediaStore, client: redis.Redis) -> None:
    """It is not counted, so nobody may go on using it: it is made again."""
    media_id = "0" * 32
    client.set(keys.media_clip(media_id), WAV, ex=100)

    assert not media.touch(media_id)
    assert client.ttl(keys.media_clip(media_id)) <= 100


def test_small_values_are_counted_with_what_they_cost(media: MediaStore, client: redis.Redis) -> None:
    """Key, expiry and indexes take more than a small note: what Redis uses is no more than what is counted."""
    large = MediaStore(client, 2**30)
    large.save_note(ONE, f"{2**20:064x}", b"x" * 150)
    before = int(client.info("memory")["used_memory"])
    for number in range(5_000):
        large.save_note(ONE, f"{number:064x}", b"x" * 150)
    used = int(client.info("memory")["used_memory"]) - before

    assert int(client.hget(keys.MEDIA_BYTES, ONE) or 0) == 5_001 * (150 + ENTRY_BYTES)
    assert used < 5_001 * (150 + ENTRY_BYTES)


CONCURRENT = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
import structlog
from orchestrator.store import keys
from orchestrator.store.connection import connect
from orchestrator.store.media import ENTRY_BYTES, MediaStore

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
client = connect(sys.argv[1])
client.connection_pool.connection_kwargs["socket_timeout"] = 60  # all the writes are large, and the machine may be busy
media = MediaStore(client, 64 << 20)
account = "AC" + "1" * 32
def save():
    for _ in range(4):
        media.save(bytes(7 << 20), account)
gevent.joinall([gevent.spawn(save) for _ in range(8)], raise_error=True)
kept = [int(client.strlen(name)) + ENTRY_BYTES for name in client.scan_iter("media:*clip:*")]
print(sum(kept) <= 16 << 20, len(kept), int(client.hget(keys.MEDIA_BYTES, account)) == sum(kept))
"""


def test_the_bound_holds_when_many_save_at_once(redis_url: str) -> None:
    """A clip never comes after it has been dropped: nothing that is kept is uncounted."""
    command = [sys.executable, "-c", textwrap.dedent(CONCURRENT), redis_url]
    root = Path(__file__).parents[3]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=root)

    assert ended.stdout.split() == ["True", "2", "True"], ended.stderr[-2000:]


def test_what_has_ended_is_no_longer_counted(media: MediaStore, client: redis.Redis, clock: Clock) -> None:
    """The next write finds what Redis has let go."""
    for _ in range(5):
        client.delete(keys.media_clip(media.save(WAV, ONE, seconds=10)))
    clock.now += 11
    media.save(WAV, TWO)

    assert client.hgetall(keys.MEDIA_BYTES) == {"all": str(COST), TWO: str(COST)}
    assert client.zcard(keys.MEDIA_ENDS) == 1


_STEPS = st.lists(
    st.tuples(st.sampled_from(["save", "note", "forget", "touch", "later"]), st.integers(0, 5), st.integers(1, 9_000)),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_the_count_is_what_is_kept(client: redis.Redis, clock: Clock, steps: list[tuple[str, int, int]]) -> None:
    """After whatever happens the bytes counted are the cost of what is there, and the bounds hold."""
    client.flushall()
    media, ids = MediaStore(client, 4 * ROOM, clock), ["0" * 32]
    for step, number, size in steps:
        account = f"AC{number:032x}"
        if step == "save":
            ids.append(media.save(bytes(size), account))
        elif step == "note":
            media.save_note(account, f"{size % 3:064x}", b"x" * size)
        elif step == "forget":
            media.forget_note(account, f"{size % 3:064x}")
        elif step == "touch":
            media.touch(ids[size % len(ids)])
        else:
            clock.now += size
    members = client.zrange(keys.MEDIA_ENDS, 0, -1)
    sizes = {str(member): int(client.strlen(keys.MEDIA + str(member))) + ENTRY_BYTES for member in members}
    counted = {str(name): int(number) for name, number in client.hgetall(keys.MEDIA_BYTES).items()}

    assert counted.pop("all", 0) == sum(sizes.values()) == sum(counted.values()) <= 4 * ROOM
    assert all(number <= ROOM for number in counted.values())
    assert {name.removeprefix(keys.MEDIA) for name in left(client) if client.type(name) == "string"} == set(sizes)
