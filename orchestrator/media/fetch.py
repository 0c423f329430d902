"""Fetches documents and audio from clients' URLs: signed, redirected, cached by HTTP's rules, few at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import CookieJar
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit

import orjson
import urllib3

from orchestrator.callbacks.overrides import Failure, Overrides, parse_overrides
from orchestrator.media import errors
from orchestrator.media.content import Kind, charset_of, kind_of
from orchestrator.media.errors import MediaError
from orchestrator.media.freshness import assumed, revalidated
from orchestrator.media.http import BadStatus, HttpRequest, HttpResponse, send_request
from orchestrator.media.http_cache import HttpCache, StoredResponse
from orchestrator.media.program import Rendered, Source
from orchestrator.media.render import Renderer
from orchestrator.media.slots import Slots
from orchestrator.outgoing.addressing import basic_auth, join_urls, request_urls
from orchestrator.store.accounts import AccountStore
from orchestrator.store.media import MediaStore
from orchestrator.twiml.verbs import Method

MAX_REDIRECTS: Final = 5
MAX_URL: Final = 4_096
"""Characters, fragment included. A relative URL makes the next document's longer, and that one the next one's."""

USER_AGENT: Final = "TwilioProxy/1.1"

Sign = Callable[[str, str, str, Sequence[tuple[str, str]]], Mapping[str, str]]
"""(dialect, AuthToken, URL, POST parameters) -> the headers that sign the request."""

Signer = Callable[[str, Sequence[tuple[str, str]]], Mapping[str, str]]
"""The same for one dialect and token."""

_KEPT: Final = (
    "cache-control", "expires", "pragma", "date", "age", "etag", "last-modified", "vary", "location", "content-type",
)  # fmt: skip
_KEPT_CHARACTERS: Final = 4_096

_FAILURES: Final[dict[int, Failure]] = {
    errors.CONNECT_TIMEOUT: "ct", errors.REFUSED: "ct", errors.TLS: "ct", errors.TIMEOUT: "rt", errors.CONNECTION: "rt",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """A document's body, in the charset that its header names ('': none), or the clip that it is; `url` is where it was
    found, the base of what is relative in it."""

    url: str
    kind: Kind
    body: bytes = b""
    charset: str = ""
    clip: Rendered | None = None


@dataclass(frozen=True, slots=True)
class _Errand:
    """What is wanted of a URL, at all hops."""

    account_sid: str
    unreadable: int
    overrides: Overrides
    until: float
    cookies: CookieJar = field(default_factory=CookieJar)


@dataclass(frozen=True, slots=True)
class Hop:
    """One request of an errand. `sign` None: unsigned."""

    url: str
    method: Method
    parameters: tuple[tuple[str, str], ...]
    sign: Signer | None

    def redirected(self, status: int, location: str) -> Hop:
        """Return the request that a redirect leads to, as browsers do it
        (https://fetch.spec.whatwg.org/#http-redirect-fetch): 307 and 308 repeat the request, the others become a GET. A
        redirect's URL is complete, so only what is posted goes along.

        What comes from another origin than the client's own is never signed again, wherever it leads: whoever sends us
        on chooses the URL.
        """
        url = _resolve(self.url, location)
        is_repeated = self.method == "POST" and status in (307, 308)
        return Hop(
            url,
            "POST" if is_repeated else "GET",
            self.parameters if is_repeated else (),
            self.sign if _may_be_signed(self.url, url) else None,
        )


class Fetcher:
    """Fetches documents and audio. `pool` must be an OutgoingPool; connections to a server are kept and used again."""

    def __init__(
        self,
        pool: urllib3.PoolManager,
        sign: Sign,
        accounts: AccountStore,
        media: MediaStore,
        renderer: Renderer,
        slots: Slots | None = None,
    ) -> None:
        self._pool = pool
        self._sign = sign
        self._accounts = accounts
        self._media = media
        self._renderer = renderer
        self._slots = slots or Slots()
        self._cache = HttpCache(media)

    def fetch_document(self, source: Source) -> Page:
        """Fetch a document, TwiML, text or audio, by a signed request. Raises MediaError, Unavailable."""
        account = self._accounts.load_account(source.account_sid)
        if account is None:
            raise MediaError(errors.FAILED, "The account is gone", source.url)
        sign = partial(self._sign, source.dialect, account.auth_token)
        return self._fetch(source.url, source.account_sid, source.method, source.parameters, sign, errors.CONTENT_TYPE)

    def fetch_audio(self, url: str, account_sid: str) -> Rendered:
        """Fetch the audio of a <Play>: by GET, with no parameters and no signature. Raises MediaError, Unavailable."""
        page = self._fetch(url, account_sid, "GET", (), None, errors.PLAY_TYPE)
        if page.clip is None:
            raise MediaError(errors.PLAY_TYPE, "Play: the answer is no audio", url)
        return page.clip

    def _fetch(
        self,
        url: str,
        account_sid: str,
        method: Method,
        parameters: tuple[tuple[str, str], ...],
        sign: Signer | None,
        unreadable: int,
    ) -> Page:
        try:
            overrides = parse_overrides(check_length(url))
            until = time.monotonic() + overrides.total_ms / 1000
            errand = _Errand(account_sid, unreadable, overrides, until)
            with self._slots.take(account_sid, until):
                return self._follow(Hop(url, method, parameters, sign), errand)
        except MediaError as error:
            raise MediaError(error.code, error.message, error.url or url) from error
        except ValueError as error:
            raise MediaError(errors.BAD_URL, "The URL is not valid", url) from error

    def _follow(self, hop: Hop, errand: _Errand) -> Page:
        is_document = hop.sign is not None
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._ask(hop, errand, is_document=is_document)
            if answer.status < 300:
                return _page(hop.url, answer)
            if "location" not in answer.headers or answer.status == 304:
                raise BadStatus(answer.status)
            hop = hop.redirected(answer.status, answer.headers["location"])
        raise MediaError(errors.REDIRECTS, f"More than {MAX_REDIRECTS} redirects")

    def _ask(self, hop: Hop, errand: _Errand, *, is_document: bool) -> StoredResponse:
        """Get an answer from the cache or from the server. A kept answer whose clip has made room for others is asked
        for anew."""
        parts = urlsplit(hop.url)
        if not _is_http(parts):
            raise MediaError(errors.BAD_URL, "The URL is neither http:// nor https://")
        requested, signed = request_urls(hop.url, hop.parameters if hop.method == "GET" else ())
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", **basic_auth(signed)}
        if hop.sign is not None:
            posted = hop.parameters if hop.method == "POST" else ()
            headers.update(hop.sign(signed, posted))

        def send(headers: dict[str, str], body: bytes | None = None) -> StoredResponse:
            request = HttpRequest(
                hop.method, requested, headers, body, errand.overrides, errand.until, errand.cookies, is_document
            )
            return self._send(request, errand, is_document=is_document)

        if hop.method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
            return send(headers, urlencode(hop.parameters).encode())
        for _ in range(2):
            # The cache has names of headers in lower case; receivers get the same ones from a GET and a POST.
            answer = self._cache.get(
                errand.account_sid, signed, headers, lambda asked: send({name.title(): asked[name] for name in asked})
            )
            clip = _clip(answer)
            if clip is None or self._media.touch(clip.media_id):
                return answer
            self._cache.forget(errand.account_sid, signed)
        raise MediaError(errors.FAILED, "The account's clips are dropped faster than they are made")

    def _send(self, request: HttpRequest, errand: _Errand, *, is_document: bool) -> StoredResponse:
        tries = errand.overrides.retries
        while True:
            try:
                response = send_request(self._pool, request)
                break
            except MediaError as error:
                if tries <= 0 or _failure(error) not in errand.overrides.retried:
                    raise
                tries -= 1
        with response.body:
            kept = (revalidated if is_document else assumed)(_kept(response), response.status)
            return StoredResponse(response.status, kept, self._result(response, errand))

    def _result(self, response: HttpResponse, errand: _Errand) -> bytes:
        """Return what the cache keeps in place of the body: its kind, and a document as it is, or the clip of audio."""
        kind = response.kind
        if kind is None:
            return b""
        if kind in ("twiml", "text"):
            return kind.encode() + b"\n" + response.body.read()
        clip = self._renderer.render_audio(errand.account_sid, response.body, response.digest, errand.unreadable, kind)
        return b"clip\n" + orjson.dumps(clip)


def _is_http(parts: SplitResult) -> bool:
    return parts.scheme in ("http", "https") and bool(parts.hostname)


_PORTS: Final = {"http": 80, "https": 443}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Return a URL's origin. https://html.spec.whatwg.org/#origin"""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _may_be_signed(here: str, there: str) -> bool:
    """Return whether a redirected request may be signed: within an origin; and from plain HTTP to TLS at their usual
    ports, as web servers send everybody."""
    was, origin = _origin(here), _origin(there)
    return origin == was or (was, origin) == (("http", was[1], 80), ("https", was[1], 443))


def _failure(error: MediaError) -> Failure | None:
    if isinstance(error, BadStatus):
        return "4xx" if error.status < 500 else "5xx"
    return _FAILURES.get(error.code)


def _resolve(here: str, location: str) -> str:
    """Return a redirect's target. Basic authentication stays with the server that it was given for; overrides are not
    sent by servers, so a fragment means nothing. What is no ASCII comes as Latin-1 and is meant as UTF-8."""
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode()
    try:
        there = join_urls(here, location.strip()).partition("#")[0]
        parts = urlsplit(there)
        if not _is_http(parts) or parts.port == 0:  # one that is no number raises
            raise ValueError("neither http:// nor https://")
    except ValueError as error:
        raise MediaError(errors.NO_REDIRECT, "The redirect leads to no URL") from error
    was = urlsplit(here)
    if _origin(here) == _origin(there) and "@" in was.netloc and "@" not in parts.netloc:
        there = there.replace("://", f"://{was.netloc.rpartition('@')[0]}@", 1)
    return check_length(there)


def check_length(url: str) -> str:
    """Return the URL. Raises MediaError if it is too long to be followed, kept and logged."""
    if len(url) > MAX_URL:
        raise MediaError(errors.BAD_URL, f"The URL is longer than {MAX_URL} characters", url[:MAX_URL])
    return url


def _kept(response: HttpResponse) -> dict[str, str]:
    kept = {name: value for name in _KEPT if (value := response.headers.get(name)) is not None}
    if any(len(value) > _KEPT_CHARACTERS for value in kept.values()):
        raise MediaError(errors.FAILED, "The answer's headers are too long")
    return kept


def _clip(answer: StoredResponse) -> Rendered | None:
    kind, _, rest = answer.result.partition(b"\n")
    return Rendered(**orjson.loads(rest)) if kind == b"clip" else None


def _page(url: str, answer: StoredResponse) -> Page:
    clip = _clip(answer)
    if clip is not None:
        return Page(url, "audio", clip=clip)
    content_type = answer.headers.get("content-type", "")
    body = answer.result.partition(b"\n")[2]
    return Page(url, kind_of(content_type), body, charset_of(content_type))
