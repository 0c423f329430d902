"""Builds the memory of callbacks, for those who serve and for commands."""

from __future__ import annotations

from orchestrator.services.callback_log import CallbackLog
from orchestrator.settings import Settings
from orchestrator.store.callbacks import CallbackStore
from orchestrator.store.connection import connect
from orchestrator.store.receivers import ReceiverStore


def build_callback_log(settings: Settings) -> CallbackLog:
    """Build the memory of callbacks, for the API and the command line."""
    client = connect(settings.redis_url)
    return CallbackLog(CallbackStore(client, settings.retention_seconds), ReceiverStore(client))
