"""Recordings are committed with their callbacks in one step, by the rules of all callbacks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis

from orchestrator.store import keys
from orchestrator.store import recordings as recordings_module
from orchestrator.store.recordings import RecordingStore, lane_of
from tests.unit.domain.test_recording import at, begun
from tests.unit.outbox import new, waiting


def test_a_full_lane_drops_its_oldest_and_counts_them(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a conference's: the newest say what is true now, and operators see how many were lost."""
    monkeypatch.setattr(recordings_module, "OUTBOX_DEPTH", 3)
    store, made = RecordingStore(client), begun()
    store.create(made)
    for number, tokens in enumerate(("01", "23")):
        found = store.load(made.conference_sid, made.recording_sid)
        assert found is not None
        after = replace(found.recording, updated_at=at(number + 1))
        assert store.commit(found, after, [new(token) for token in tokens])

    assert waiting(client, lane_of(made)) == list("123")
    assert client.hgetall(keys.DROPPED) == {"depth": "1"}
    assert client.zrange(keys.account_dead(made.account_sid), 0, -1) == [f"{made.conference_sid}.0"]
    assert client.hmget(keys.callback(made.conference_sid, "0"), "state", "reason") == ["dead", "depth"]


def test_a_change_of_what_another_has_changed_meanwhile_is_refused(client: redis.Redis) -> None:
    """Whoever comes second loads and applies again; nothing of theirs is planned."""
    store, made = RecordingStore(client), begun()
    store.create(made)
    found = store.load(made.conference_sid, made.recording_sid)
    assert found is not None
    after = replace(found.recording, updated_at=at(1))

    assert store.commit(found, after, [new("first")])
    assert not store.commit(found, after, [new("second")])
    assert waiting(client, lane_of(made)) == ["first"]
