"""What chaos says of a listener that wrote after it had lost its node."""

from __future__ import annotations

import redis

from orchestrator.store import keys
from tests.chaos.epochs import Epochs

SID = "CF" + "1" * 32


def test_an_epoch_that_goes_down_is_told(client: redis.Redis, redis_url: str) -> None:
    """Once, with both; one that rises is none of anybody's business, nor is a conference that no listener wrote yet."""
    epochs = Epochs(redis_url)
    client.zadd(keys.OPEN_CONFERENCES, {SID: 1, "CF" + "2" * 32: 2})
    for epoch in ("7", "8"):
        client.hset(keys.conference(SID), "epoch", epoch)
        epochs.look()
    assert epochs.went_down == []

    client.hset(keys.conference(SID), "epoch", "7")
    epochs.look()
    epochs.look()
    assert epochs.went_down == [f"{SID}: 8, then 7"]
