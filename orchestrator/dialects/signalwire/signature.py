"""X-SignalWire-Signature: Twilio's algorithm, which the `RequestValidator` of SignalWire's SDKs knows (for a body that
it gets as a text it tries another first)."""

from __future__ import annotations

from orchestrator.dialects.base import Parameters
from orchestrator.dialects.twilio.signature import sign


def sign_request(auth_token: str, url: str, parameters: Parameters) -> dict[str, str]:
    """Return the header of a signed request; the key is the account's token."""
    return {"X-SignalWire-Signature": sign(auth_token, url, parameters)}
