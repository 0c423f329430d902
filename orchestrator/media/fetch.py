"""Documents and audio from the URLs that clients name: signed, redirected, cached by HTTP's rules, few at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import orjson
import urllib3

from orchestrator.callbacks.overrides import Failure, Overrides, parse_overrides
from orchestrator.media import errors
from orchestrator.media.ages import revalidated
from orchestrator.media.answers import Answer, AnswerCache
from orchestrator.media.content import Kind, as_utf8, kind_of
from orchestrator.media.errors import MediaError
from orchestrator.media.exchange import Answered, Asked, BadStatus, exchange
from orchestrator.media.program import Rendered, Source
from orchestrator.media.render import Renderer
from orchestrator.media.turns import Turns
from orchestrator.outgoing.addressing import basic_auth, request_urls
from orchestrator.store.accounts import AccountStore
from orchestrator.store.media import MediaStore
from orchestrator.twiml.verbs import Method

MAX_REDIRECTS: Final = 5
MAX_URL: Final = 4_096
"""Characters, fragment included. A relative URL makes the next document's longer, and that one the next one's."""

USER_AGENT: Final = "TwilioProxy/1.1"

Sign = Callable[[str, str, Sequence[tuple[str, str]]], str]
"""(AuthToken, URL, POST parameters) -> the value of X-Twilio-Signature."""

_KEPT: Final = (
    "cache-control", "expires", "pragma", "date", "age", "etag", "last-modified", "vary", "location", "content-type",
)  # fmt: skip
_KEPT_CHARACTERS: Final = 4_096

_FAILURES: Final[dict[int, Failure]] = {
    errors.CONNECT_TIMEOUT: "ct", errors.REFUSED: "ct", errors.TLS: "ct", errors.TIMEOUT: "rt", errors.CONNECTION: "rt",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """A document's body, or the clip that it is; `url` is where it was found, the base of what is relative in it."""

    url: str
    kind: Kind
    body: bytes = b""
    clip: Rendered | None = None


@dataclass(frozen=True, slots=True)
class _Errand:
    """What is wanted of a URL, hop after hop. `auth_token` None: unsigned."""

    account_sid: str
    method: Method
    parameters: tuple[tuple[str, str], ...]
    auth_token: str | None
    unreadable: int
    overrides: Overrides
    until: float


class Fetcher:
    """`pool` must be an OutgoingPool; connections to a server are kept and used again."""

    def __init__(
        self,
        pool: urllib3.PoolManager,
        sign: Sign,
        accounts: AccountStore,
        media: MediaStore,
        renderer: Renderer,
        turns: Turns | None = None,
    ) -> None:
        self._pool = pool
        self._sign = sign
        self._accounts = accounts
        self._media = media
        self._renderer = renderer
        self._turns = turns or Turns()
        self._cache = AnswerCache(media)

    def fetch_document(self, source: Source) -> Page:
        """A document, TwiML, text or audio, by a signed request. Raises MediaError, Unavailable."""
        account = self._accounts.load_account(source.account_sid)
        if account is None:
            raise MediaError(errors.FAILED, "The account is gone", source.url)
        return self._fetch(
            source.url, source.account_sid, source.method, source.parameters, account.auth_token, errors.CONTENT_TYPE
        )

    def fetch_audio(self, url: str, account_sid: str) -> Rendered:
        """What a <Play> names: by GET, with no parameters and no signature. Raises MediaError, Unavailable."""
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
        auth_token: str | None,
        unreadable: int,
    ) -> Page:
        try:
            overrides = parse_overrides(check_length(url))
            until = time.monotonic() + overrides.total_ms / 1000
            errand = _Errand(account_sid, method, parameters, auth_token, unreadable, overrides, until)
            with self._turns.take(account_sid, until):
                return self._follow(url, errand)
        except MediaError as error:
            raise MediaError(error.code, error.message, error.url or url) from error
        except ValueError as error:
            raise MediaError(errors.BAD_URL, "The URL is not valid", url) from error

    def _follow(self, url: str, errand: _Errand) -> Page:
        """Parameters go with the first request only; a redirect's URL is complete."""
        here, parameters = url, errand.parameters
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._ask(here, parameters, errand)
            if answer.status < 300:
                return _page(here, answer)
            if "location" not in answer.headers or answer.status == 304:
                raise BadStatus(answer.status)
            if errand.method != "GET":
                raise MediaError(errors.STATUS, f"The server answered {answer.status}, and a POST is not redirected")
            here, parameters = _next(here, answer.headers["location"]), ()
        raise MediaError(errors.REDIRECTS, f"More than {MAX_REDIRECTS} redirects")

    def _ask(self, url: str, parameters: tuple[tuple[str, str], ...], errand: _Errand) -> Answer:
        """From the cache or from the server. A kept answer whose clip has made room for others is asked for anew."""
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
            raise MediaError(errors.BAD_URL, "The URL is neither http:// nor https://")
        in_query = parameters if errand.method == "GET" else ()
        requested, signed = request_urls(url, in_query)
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", **basic_auth(signed)}
        if errand.auth_token is not None:
            posted = parameters if errand.method == "POST" else ()
            headers["X-Twilio-Signature"] = self._sign(errand.auth_token, signed, posted)
        if errand.method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
            return self._send(requested, headers, urlencode(parameters).encode(), errand)
        for _ in range(2):
            answer = self._cache.answer(
                errand.account_sid, signed, headers, lambda asked: self._send(requested, asked, None, errand)
            )
            clip = _clip(answer)
            if clip is None or self._media.touch(clip.media_id):
                return answer
            self._cache.forget(errand.account_sid, signed)
        raise MediaError(errors.FAILED, "The account's clips are dropped faster than they are made")

    def _send(self, url: str, headers: dict[str, str], body: bytes | None, errand: _Errand) -> Answer:
        asked = Asked(errand.method, url, headers, body, errand.overrides, errand.until)
        tries = errand.overrides.retries
        while True:
            try:
                answered = exchange(self._pool, asked)
                break
            except MediaError as error:
                if tries <= 0 or _failure(error) not in errand.overrides.retried:
                    raise
                tries -= 1
        with answered.body:
            kept = _kept(answered)
            if errand.auth_token is not None:
                kept = revalidated(kept, answered.status)
            return Answer(answered.status, kept, self._result(answered, errand))

    def _result(self, answered: Answered, errand: _Errand) -> bytes:
        """What the cache keeps in place of the body: its kind, and a document as it is, or the clip of audio."""
        kind = answered.kind
        if answered.status >= 300:
            return b""
        if kind == "unusable":
            raise MediaError(errand.unreadable, "The answer's Content-Type cannot be used")
        if kind in ("twiml", "text"):
            return kind.encode() + b"\n" + answered.body.read()
        clip = self._renderer.render_audio(
            errand.account_sid, answered.body, answered.digest, errand.unreadable, is_ulaw=kind == "ulaw"
        )
        return b"clip\n" + orjson.dumps(clip)


def _failure(error: MediaError) -> Failure | None:
    if isinstance(error, BadStatus):
        return "4xx" if error.status < 500 else "5xx"
    return _FAILURES.get(error.code)


def _next(here: str, location: str) -> str:
    """A redirect's target. Basic authentication stays with the server that it was given for; overrides are not sent
    by servers, so a fragment means nothing."""
    there = urlsplit(urljoin(here, location))._replace(fragment="")
    was = urlsplit(here)
    same = (there.scheme, there.hostname, there.port) == (was.scheme, was.hostname, was.port)
    if same and "@" in was.netloc and "@" not in there.netloc:
        there = there._replace(netloc=f"{was.netloc.rpartition('@')[0]}@{there.netloc}")
    return check_length(there.geturl())


def check_length(url: str) -> str:
    """The URL. Raises MediaError if it is too long to be followed, kept and logged."""
    if len(url) > MAX_URL:
        raise MediaError(errors.BAD_URL, f"The URL is longer than {MAX_URL} characters", url[:MAX_URL])
    return url


def _kept(answered: Answered) -> dict[str, str]:
    kept = {name: value for name in _KEPT if (value := answered.headers.get(name)) is not None}
    if any(len(value) > _KEPT_CHARACTERS for value in kept.values()):
        raise MediaError(errors.FAILED, "The answer's headers are too long")
    return kept


def _clip(answer: Answer) -> Rendered | None:
    kind, _, rest = answer.result.partition(b"\n")
    return Rendered(**orjson.loads(rest)) if kind == b"clip" else None


def _page(url: str, answer: Answer) -> Page:
    clip = _clip(answer)
    if clip is not None:
        return Page(url, "audio", clip=clip)
    content_type = answer.headers.get("content-type", "")
    kind = kind_of(content_type)
    return Page(url, kind, as_utf8(answer.result.partition(b"\n")[2], kind, content_type))
