"""How long a call stays readable, which is the operator's to say."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from orchestrator.domain.events import CallEnded
from orchestrator.errors import NotFound
from orchestrator.store import keys
from orchestrator.store.calls import CallStore
from orchestrator.store.commits import CommitStore
from tests.unit.listener.test_committer import NOW, World
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT

DAY = 86_400


def test_a_call_that_has_ended_is_kept_as_long_as_the_operator_says(client: redis.Redis) -> None:
    """From its end on; what leads to it, which is written when it is made, stays longer."""
    world, any_client = World(client), client
    world.committer.store = CommitStore(client, call_retention_seconds=DAY)
    made = world.create()
    key = keys.participant(made.conference_sid, made.call_sid)
    before: Any = any_client.ttl(key)
    world.apply(made, CallEnded(NOW, "NORMAL_CLEARING"))
    after: Any = any_client.ttl(key)
    index: Any = any_client.ttl(keys.call(made.call_sid))

    assert before == -1
    assert DAY - 5 <= after <= DAY
    assert index > keys.RETENTION_SECONDS
    assert CallStore(client).load(ACCOUNT, made.call_sid).ended_at == NOW
    with pytest.raises(NotFound):
        CallStore(client).load(OTHER_ACCOUNT, made.call_sid)
    any_client.delete(key)
    with pytest.raises(NotFound):
        CallStore(client).load(ACCOUNT, made.call_sid)
