"""A receiver for the tests of callbacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.unit.callbacks.bench import Bench
from tests.unit.callbacks.web import Web


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def bench(client: redis.Redis, web: Web, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(client, web, monkeypatch)
