"""What operators see of a conference: the people that were called for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis

from orchestrator.store import keys
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.history import History
from tests.unit.records import ACCOUNT, create


def test_the_people_of_a_conference_are_found_among_the_last_calls_of_its_account(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order of their creation, without those of other conferences. A page does not read a day of calls, and says
    that there may be more; the command line reads all."""
    store, began = ConferenceStore(client), datetime.now(UTC) - timedelta(seconds=9)
    names = ("ours", "ours", "theirs", "ours", "ours")
    made = [create(store, name, created_at=began + timedelta(seconds=n)) for n, name in enumerate(names)]
    for call in made:
        client.zadd(keys.account_kept(ACCOUNT), {f"{call.call_sid}:100": call.created_at.timestamp() * 1000})
    history = History(client)
    conference = history.load_conference(made[0].conference_sid)
    assert conference is not None

    ours = [made[index].call_sid for index in (0, 1, 3, 4)]

    def last() -> tuple[list[str], bool]:
        people, are_more = history.list_last_people(conference)
        return [one.call_sid for one in people], are_more

    assert last() == (ours, False)
    monkeypatch.setattr("orchestrator.store.history.CALLS_READ", 3)
    assert last() == (ours[-2:], True)
    assert [one.call_sid for one in history.list_people(conference)] == ours
