"""What a request costs. The bound stands a tenth above what was counted when it was set: who passes it has made every
request dearer, and raises it or finds another way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import create_environ

from orchestrator.store import keys
from tests.unit.api.test_app import BASE, Api, basic, make_api, present, stop
from tests.unit.calls import count_calls
from tests.unit.records import create

WORDS = ("true", "false")
MUTES = 20
MOST_CALLS = 660
"""A mute, from the request that gunicorn has read to the answer that it sends: the way to Redis and the switch
included. It was 930 before every function was counted (docs/adr/0024)."""


@pytest.fixture
def api(redis_url: str) -> Iterator[Api]:
    made = make_api(redis_url)
    yield made
    stop(made)


def test_a_mute_takes_few_calls(api: Api) -> None:
    made = create(api.store)
    path = f"{BASE}/Conferences/{made.conference_sid}/Participants/{made.call_sid}.json"
    api.redis.hset(keys.participant(made.conference_sid, made.call_sid), mapping=present(made))
    asked = [create_environ(path, method="POST", headers=basic(), data={"Muted": word}) for word in WORDS * MUTES]
    statuses: list[str] = []

    def start(status: str, *_: Any) -> Any:
        statuses.append(status)

    def answer(environs: list[Any]) -> None:
        for environ in environs:
            b"".join(api.web.application.wsgi_app(environ, start))

    answer(asked[:MUTES])
    calls = count_calls(lambda: answer(asked[MUTES:])) / MUTES

    assert set(statuses) == {"200 OK"}
    assert calls <= MOST_CALLS
