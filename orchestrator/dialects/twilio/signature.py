"""X-Twilio-Signature: https://www.twilio.com/docs/usage/security#validating-requests"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence


def sign(auth_token: str, url: str, parameters: Sequence[tuple[str, str]]) -> str:
    """Sign the URL as configured, and for a POST its parameters: names in byte order, each with its distinct
    values sorted. A GET has its parameters in the URL: pass none."""
    distinct = sorted(set(parameters), key=lambda pair: (pair[0].encode(), pair[1].encode()))
    text = url + "".join([name + value for name, value in distinct])
    digest = hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def sign_request(auth_token: str, url: str, parameters: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the header of a signed request."""
    return {"X-Twilio-Signature": sign(auth_token, url, parameters)}
