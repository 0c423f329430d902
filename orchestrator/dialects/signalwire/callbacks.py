"""Callbacks and requests for documents: Twilio's parameters, with UUIDs in place of SIDs."""

from __future__ import annotations

from orchestrator.callbacks.plan import Callback
from orchestrator.callbacks.recordings import RecordingCallback
from orchestrator.dialects.base import Parameters
from orchestrator.dialects.twilio import callbacks, recordings
from orchestrator.domain.conference import Conference, Participant
from orchestrator.sids import write_as_uuid


def serialize_callback(callback: Callback) -> Parameters:
    """The parameters of a callback, in the order in which they are sent."""
    return _translated(callbacks.serialize_callback(callback))


def serialize_fetch(conference: Conference, participant: Participant | None) -> Parameters:
    """What goes along with a request for a document."""
    return _translated(callbacks.serialize_fetch(conference, participant))


def serialize_recording_callback(callback: RecordingCallback, url: str) -> Parameters:
    """What a client is told of a recording."""
    return _translated(recordings.serialize_recording_callback(callback, url))


def _translated(parameters: Parameters) -> Parameters:
    """A FriendlyName or a label may look like a SID: only those named so are."""
    return [(name, write_as_uuid(value) if "Sid" in name else value) for name, value in parameters]
