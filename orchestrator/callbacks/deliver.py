"""Makes one attempt to deliver one callback: an HTTP request with the contract's headers (wire-contract section
8.6)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote_plus, urlsplit

import gevent
import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from orchestrator.callbacks.entry import Entry
from orchestrator.callbacks.overrides import Failure, Overrides
from orchestrator.outgoing import addressing
from orchestrator.outgoing.pool import AddressRefused, OutgoingPool

MAX_REDIRECTS: Final = 5
ANSWER_BYTES: Final = 2048
USER_AGENT: Final = "TwilioProxy/1.1"

Sign = Callable[[str, str, str, Sequence[tuple[str, str]]], Mapping[str, str]]
"""(dialect, AuthToken, URL, POST parameters) -> the headers that sign the request."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt went. `url` is what was requested, `status` the HTTP status or 0, `error` what broke instead;
    `failure` says of which kind it was (None: the receiver has had the event), `answer` how its answer begins."""

    url: str
    status: int
    milliseconds: int
    failure: Failure | None
    error: str = ""
    answer: str = ""
    retry_after: str | None = None
    is_refused: bool = False


class Sender:
    """Sends callbacks; connections to a receiver are kept and used again."""

    def __init__(self, pool: OutgoingPool, sign: Sign, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._sign = sign
        self._clock = clock

    def deliver_callback(self, entry: Entry, auth_token: str, overrides: Overrides, seconds: float) -> Result:
        """Make one attempt of at most `seconds`. Never raises for what a receiver or the network does."""
        url, signed_url = request_urls(entry)
        headers, body = self._request(entry, auth_token, signed_url)
        started = self._clock()
        status, error, answer, retry_after, refused = 0, "", "", None, False
        failure: Failure | None = None
        response: urllib3.BaseHTTPResponse | None = None
        deadline = gevent.Timeout(seconds)
        try:
            with deadline:
                response = self._open(url, headers, body, overrides, seconds)
                status, retry_after = response.status, response.headers.get("Retry-After")
                # The answer means nothing to us, but a connection whose answer was read can be used again.
                start = response.read(ANSWER_BYTES + 1)
                answer = start[:ANSWER_BYTES].decode("utf-8", "replace")
                response.release_conn() if len(start) <= ANSWER_BYTES else response.close()
        except (HTTPError, OSError, ValueError, gevent.Timeout) as broken:
            if isinstance(broken, gevent.Timeout) and broken is not deadline:
                raise
            error, refused = type(broken).__name__, isinstance(broken, AddressRefused)
            failure = "ct" if isinstance(broken, _NO_CONNECTION) else "rt"
            if response is not None:
                response.close()
        if status:  # it has come, so the receiver has had the event, whatever broke afterwards
            failure = _failure(status)
        milliseconds = int((self._clock() - started) * 1000)
        return Result(url, status, milliseconds, failure, error, answer, retry_after, refused)

    def _request(self, entry: Entry, auth_token: str, signed_url: str) -> tuple[dict[str, str], bytes | None]:
        posted = entry.parameters if entry.method == "POST" else ()
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            **self._sign(entry.dialect, auth_token, signed_url, posted),
            "I-Twilio-Idempotency-Token": entry.token,
            **_basic_auth(signed_url),
        }
        if entry.method == "GET":
            return headers, None
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        return headers, "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in posted]).encode()

    def _open(
        self, url: str, headers: dict[str, str], body: bytes | None, overrides: Overrides, seconds: float
    ) -> urllib3.BaseHTTPResponse:
        """Send the request, and follow redirects for GET only: Twilio follows all of them, but a followed POST loses
        its parameters (wire-contract section 8.8)."""
        connect = overrides.connect_ms / 1000
        read = overrides.read_ms / 1000 if overrides.read_ms < seconds * 1000 else None  # or the deadline comes first
        if body is not None:
            return self._pool.post(url, headers, body, connect=connect, read=read)
        timeout = urllib3.Timeout(connect=connect, read=read)
        return self._pool.request("GET", url, headers=headers, retries=_FOLLOW, timeout=timeout, preload_content=False)


_FOLLOW: Final = urllib3.Retry(
    total=None, connect=0, read=0, status=0, other=0, redirect=MAX_REDIRECTS, raise_on_redirect=False
)
_NO_CONNECTION: Final = (ConnectTimeoutError, NewConnectionError, SSLError, AddressRefused, ssl.SSLError)


def _failure(status: int) -> Failure | None:
    """Return the kind of failure that a status is. A redirect that was not followed has lost the event: it is the
    receiver's last word, like a 4xx."""
    if status < 300:
        return None
    return "4xx" if status < 500 else "5xx"


def request_urls(entry: Entry) -> tuple[str, str]:
    """Return the URL to request and the URL to sign; a GET carries its parameters in the query."""
    return _urls(entry.url, entry.parameters if entry.method == "GET" else ())


_quoted: Final = lru_cache(maxsize=4096)(quote_plus)
"""Names of parameters and most of their values come again and again."""

_urls: Final = lru_cache(maxsize=4096)(addressing.request_urls)
_basic_auth: Final = lru_cache(maxsize=4096)(addressing.basic_auth)


def receiver_of(entry: Entry) -> str:
    """Return the receiver's host and port, as the URL names them."""
    return _receiver(entry.url)


@lru_cache(maxsize=4096)
def _receiver(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()
