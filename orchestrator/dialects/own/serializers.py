"""Answers out: callbacks with their attempts, and receivers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from orchestrator.outgoing.addressing import without_password
from orchestrator.sids import write_as_uuid
from orchestrator.store.accounts import Account, ApiKey, token_id
from orchestrator.store.callbacks import KeptCallback
from orchestrator.store.receivers import Receiver


def iso(ms: int) -> str:
    """Write a moment as `/v1` has it."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def serialize_callback(callback: KeptCallback) -> dict[str, Any]:
    """Serialize a callback; `id` names it, `token` is its I-Twilio-Idempotency-Token."""
    return {
        "id": callback.callback_id,
        "token": callback.token,
        "account_sid": callback.account_sid,
        "conference_sid": callback.conference_sid,
        "call_sid": callback.call_sid,
        "kind": callback.kind,
        "state": callback.state,
        "reason": callback.reason or None,
        "date_created": iso(callback.planned_ms),
        "url": without_password(callback.url),
        "method": callback.method,
        "parameters": dict(callback.parameters),
        "attempts_made": callback.attempts_made,
        "replays": callback.replays,
        "uri": f"/v1/Accounts/{callback.account_sid}/Callbacks/{callback.callback_id}",
    }


def serialize_attempts(callback: KeptCallback) -> list[dict[str, Any]]:
    """Serialize the attempts that are kept: the first ten and the last twenty."""
    return [
        {**asdict(attempt), "url": without_password(attempt.url), "at": iso(attempt.at_ms)}
        for attempt in callback.attempts
    ]


def serialize_receiver(receiver: Receiver) -> dict[str, Any]:
    """Serialize a receiver that fails."""
    return {
        "host": receiver.host,
        "failures": receiver.failures,
        "failing_since": iso(receiver.failing_since_ms),
        "is_paused": receiver.pauses > 0,
        "paused_until": iso(receiver.paused_until_ms) if receiver.pauses else None,
    }


def serialize_key(key: ApiKey) -> dict[str, Any]:
    """Serialize an API key, without its secret."""
    return {"sid": key.key_sid, "friendly_name": key.friendly_name, "date_created": key.created_at}


def serialize_account(account: Account) -> dict[str, Any]:
    """Serialize an account for its operator: its ids in every dialect, and which tokens there are, not what they
    are."""
    return {
        "account_sid": account.account_sid,
        "project_id": write_as_uuid(account.account_sid),
        "status": account.status,
        "friendly_name": account.friendly_name,
        "token_id": token_id(account.auth_token),
        "secondary_token_id": token_id(account.secondary_token) if account.secondary_token else None,
        "keys": sorted(account.keys),
    }
