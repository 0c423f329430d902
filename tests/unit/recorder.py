"""A recorder for tests that are about something else."""

from __future__ import annotations

import redis

from orchestrator.callbacks.recordings import RecordingCallback
from orchestrator.dialects.base import Parameters
from orchestrator.dialects.twilio.recordings import serialize_recording_callback
from orchestrator.recordings.recorder import Recorder
from orchestrator.store.accounts import AccountStore
from orchestrator.store.recordings import RecordingStore

BASE = "https://api.example"


def serialize(callback: RecordingCallback) -> Parameters:
    return serialize_recording_callback(callback, f"{BASE}/{callback.recording.recording_sid}")


def make_recorder(
    client: redis.Redis, lanes: list[object] | None = None, looks: list[object] | None = None, directory: str = "/rec"
) -> Recorder:
    lanes, looks = [] if lanes is None else lanes, [] if looks is None else looks
    return Recorder(RecordingStore(client), AccountStore(client), serialize, lanes.extend, looks.extend, directory)
