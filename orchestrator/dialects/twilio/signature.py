"""X-Twilio-Signature: https://www.twilio.com/docs/usage/security#validating-requests"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence


def sign(auth_token: str, url: str, parameters: Sequence[tuple[str, str]]) -> str:
    """Sign the URL as configured, and for a POST its parameters: names in byte order, each with its distinct
    values sorted. A GET has its parameters in the URL: pass none."""
    text = url + "".join([name + value for name, value in sorted(set(parameters))])  # in the order of UTF-8's bytes
    return base64.b64encode(hmac.digest(auth_token.encode(), text.encode(), "sha1")).decode()


def sign_request(auth_token: str, url: str, parameters: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the header of a signed request."""
    return {"X-Twilio-Signature": sign(auth_token, url, parameters)}
