"""Builds committers, which make events facts, for every process that commits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from redis import Redis

from orchestrator.dialects.registry import DIALECTS
from orchestrator.errors import Unavailable
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer, Wake
from orchestrator.recordings.recorder import Recorder
from orchestrator.recordings.storage import Place
from orchestrator.settings import Settings
from orchestrator.store.accounts import AccountStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.connection import is_guarded
from orchestrator.store.leases import Lease
from orchestrator.store.recordings import RecordingStore
from orchestrator.store.replicas import Replicas


def committer_maker(
    settings: Settings,
    client: Redis,
    recorder: Recorder,
    wake_callbacks: Wake,
    wake_sounds: Wake,
    wait: Callable[[float], object],
    lease: Lease | None = None,
) -> Callable[[Send], Committer]:
    """Return what makes committers for a process that writes facts: with the way to a node, and its lease if it is a
    listener's."""
    replicas = Replicas(is_guarded(settings.redis_url))
    return lambda send: Committer(
        CommitStore(client, settings.call_retention_seconds, settings.retention_seconds, replicas),
        recorder,
        DIALECTS.serialize_callback,
        wake_callbacks,
        wake_sounds,
        wait,
        send,
        lease,
    )


def build_recorder(settings: Settings, client: Redis, wake_callbacks: Wake, wake_looks: Wake) -> Recorder:
    """Build the recorder, for every process that has to do with recordings."""
    serialize = partial(DIALECTS.serialize_recording_callback, base=settings.public_url)
    stores = (RecordingStore(client, settings.retention_seconds), AccountStore(client))
    return Recorder(*stores, serialize, wake_callbacks, wake_looks, settings.recordings_dir)


def place(settings: Settings) -> Place:
    """Return where recordings that are finished are kept."""
    kept = Path(settings.recordings_dir) / "kept"
    return Place(kept, settings.recordings_bucket, settings.recordings_endpoint, settings.recordings_key)


def give_up(seconds: float) -> None:
    """Refuse what Redis does not take now: a client waits."""
    raise Unavailable("The data store is not reachable")
