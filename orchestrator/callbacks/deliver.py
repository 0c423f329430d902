"""One attempt to deliver one callback: an HTTP request with the contract's headers (wire-contract section 8.6)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import gevent
import urllib3

from orchestrator.callbacks.entry import Entry

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 15.0
ATTEMPT_SECONDS: Final = CONNECT_SECONDS + READ_SECONDS
"""For the whole of it: a receiver that sends a byte now and then would never meet READ_SECONDS."""

MAX_REDIRECTS: Final = 5
ANSWER_BYTES: Final = 2048
USER_AGENT: Final = "TwilioProxy/1.1"

Sign = Callable[[str, str, Sequence[tuple[str, str]]], str]
"""(AuthToken, URL, POST parameters) -> the value of X-Twilio-Signature."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt went: an HTTP status, or 0 and the error's name. `url` is what was requested."""

    url: str
    status: int
    milliseconds: int
    error: str = ""


class Sender:
    """Sends callbacks; connections to a receiver are kept and used again."""

    def __init__(self, sign: Sign, clock: Callable[[], float]) -> None:
        self._sign = sign
        self._clock = clock
        self._pool = urllib3.PoolManager(num_pools=200, maxsize=100, retries=False)

    def deliver_callback(self, entry: Entry, auth_token: str) -> Attempt:
        """Make one attempt. Never raises for what a receiver or the network does."""
        url, signed_url = request_urls(entry)
        posted = entry.parameters if entry.method == "POST" else ()
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            "X-Twilio-Signature": self._sign(auth_token, signed_url, posted),
            "I-Twilio-Idempotency-Token": entry.token,
            **_basic_auth(signed_url),
        }
        body = None
        if entry.method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
            body = urlencode(posted).encode()
        started = self._clock()
        status, error = 0, ""
        response: urllib3.BaseHTTPResponse | None = None
        deadline = gevent.Timeout(ATTEMPT_SECONDS)
        try:
            with deadline:
                response = self._pool.request(
                    entry.method,
                    url,
                    body=body,
                    headers=headers,
                    # Twilio follows redirects, but a followed POST loses its parameters (wire-contract section 8.8).
                    redirect=entry.method == "GET",
                    retries=urllib3.Retry(
                        total=None,
                        connect=0,
                        read=0,
                        status=0,
                        other=0,
                        redirect=MAX_REDIRECTS,
                        raise_on_redirect=False,
                    )
                    if entry.method == "GET"
                    else False,
                    timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                    preload_content=False,
                )
                status = response.status
                # The answer means nothing, but a connection whose answer was read can be used again.
                short = len(response.read(ANSWER_BYTES + 1)) <= ANSWER_BYTES
                response.release_conn() if short else response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError, gevent.Timeout) as failure:
            if isinstance(failure, gevent.Timeout) and failure is not deadline:
                raise
            error = type(failure).__name__
            if response is not None:  # the status has come, so the receiver has had the event
                response.close()
        return Attempt(url, status, int((self._clock() - started) * 1000), error)


def request_urls(entry: Entry) -> tuple[str, str]:
    """The URL to request and the URL to sign. Neither has the fragment (overrides are ours to read, never sent);
    a GET carries its parameters in the query, behind what is there. Userinfo is signed as configured, and sent
    as Basic authentication instead of in the request line."""
    parts = urlsplit(entry.url)._replace(fragment="")
    if entry.method == "GET":
        query = "&".join(filter(None, (parts.query, urlencode(entry.parameters))))
        parts = parts._replace(query=query)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), urlunsplit(parts)


def _basic_auth(url: str) -> dict[str, str]:
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    return {"Authorization": f"Basic {b64encode(unquote(userinfo).encode()).decode()}"} if userinfo else {}
