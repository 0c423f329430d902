"""Clips and notes are kept for as long as they are used, within a bound for each account and one for all."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.store import keys
from orchestrator.store.media import MediaStore, TooLarge

ONE, TWO = "AC" + "1" * 32, "AC" + "2" * 32
WAV = b"RIFF\xff\x00\x80" + bytes(93)
"""100 bytes that are no UTF-8."""


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
    return MediaStore(client, 4_000, clock)


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

    assert client.hget(keys.MEDIA_BYTES, "all") == "4000"
    assert client.hgetall(keys.MEDIA_DROPPED) == {"all": "10"}
    assert client.exists(keys.media_account(f"AC{0:032x}")) == 0


def test_what_is_larger_than_an_account_is_refused(media: MediaStore) -> None:
    """Nothing is dropped for it."""
    kept = media.save(WAV, ONE)
    with pytest.raises(TooLarge):
        media.save(bytes(1_001), ONE)
    media.save_note(ONE, "a" * 64, bytes(1_001))

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


def test_what_has_ended_is_no_longer_counted(media: MediaStore, client: redis.Redis, clock: Clock) -> None:
    """The next write finds what Redis has let go."""
    for _ in range(5):
        client.delete(keys.media_clip(media.save(WAV, ONE, seconds=10)))
    clock.now += 11
    media.save(WAV, TWO)

    assert client.hgetall(keys.MEDIA_BYTES) == {"all": "100", TWO: "100"}
    assert client.zcard(keys.MEDIA_ENDS) == 1


_STEPS = st.lists(
    st.tuples(st.sampled_from(["save", "note", "forget", "touch", "later"]), st.integers(0, 5), st.integers(1, 900)),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_the_count_is_what_is_kept(client: redis.Redis, clock: Clock, steps: list[tuple[str, int, int]]) -> None:
    """After whatever happens the bytes counted are the bytes of what is indexed, and the bounds hold."""
    client.flushall()
    media, ids = MediaStore(client, 4_000, clock), ["0" * 32]
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
    sizes = {str(member): int(client.strlen(keys.MEDIA + str(member))) for member in members}
    counted = {str(name): int(number) for name, number in client.hgetall(keys.MEDIA_BYTES).items()}

    assert counted.pop("all", 0) == sum(sizes.values()) == sum(counted.values()) <= 4_000
    assert all(number <= 1_000 for number in counted.values())
    assert {name.removeprefix(keys.MEDIA) for name in left(client) if client.type(name) == "string"} == set(sizes)
