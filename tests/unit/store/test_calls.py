"""How long what is over stays readable, which is the operator's to say."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from orchestrator.domain.events import CallAnswered, CallEnded, MemberAdded, MemberRemoved
from orchestrator.errors import NotFound
from orchestrator.store import keys
from orchestrator.store.calls import CallStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from tests.unit.listener.test_committer import NOW, World
from tests.unit.records import ACCOUNT, EVENTS, OTHER_ACCOUNT, create

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


def test_the_operator_says_how_long_what_is_over_is_kept(client: redis.Redis) -> None:
    """RETENTION_DAYS, of a conference and of its callbacks; of the call CALL_RETENTION_DAYS."""
    world = World(client)
    world.committer.store = CommitStore(client, 7_200, 3_600)
    person = create(ConferenceStore(client), conference_callbacks=EVENTS)
    world.apply(person, CallAnswered(NOW), MemberAdded(NOW, 1))
    world.apply(person, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    sid = person.conference_sid

    kept = (keys.conference(sid), keys.conference_callbacks(sid), keys.account_callbacks(ACCOUNT))
    lives: list[Any] = [client.ttl(key) for key in kept]
    call_lives: Any = client.ttl(keys.participant(sid, person.call_sid))
    assert all(3_500 < seconds <= 3_600 for seconds in lives)
    assert 7_100 < call_lives <= 7_200
