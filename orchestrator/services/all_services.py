"""All services together, as the API and the console get them."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.recordings.service import Recordings
from orchestrator.services.callback_log import CallbackLog
from orchestrator.services.calls import CallService
from orchestrator.services.conferences import ConferenceService
from orchestrator.services.credentials import Credentials
from orchestrator.services.participants import ParticipantService
from orchestrator.services.updates import UpdateService


@dataclass(frozen=True, slots=True)
class Services:
    """All that the API can do, whatever the dialect."""

    conferences: ConferenceService
    participants: ParticipantService
    updates: UpdateService
    calls: CallService
    callback_log: CallbackLog
    credentials: Credentials
    recordings: Recordings
