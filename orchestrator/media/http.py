"""Sends one HTTP request, bounded in time and in bytes, also after decompression; what goes wrong is a MediaError."""

from __future__ import annotations

import errno
import hashlib
import io
import ssl
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import IO, Final
from urllib.request import Request

import gevent
import urllib3
from urllib3 import exceptions as broken

from orchestrator.callbacks.overrides import Overrides
from orchestrator.media import errors
from orchestrator.media.content import Kind, kind_of, most_bytes
from orchestrator.media.errors import MediaError
from orchestrator.outgoing.pool import AddressRefused

_CHUNK: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_WBITS: Final = {
    "gzip": 31,
    "x-gzip": 31,
    "deflate": 15,
    "br": None,
    "zstd": None,
    "compress": None,
    "x-compress": None,
}
"""Content encodings, by zlib's number; None: not understood."""

_CONDITIONS: Final = frozenset({"if-none-match", "if-modified-since"})
"""What makes a 304 an answer."""


class BadStatus(MediaError):
    """The answer is neither a success nor a redirect."""

    def __init__(self, status: int) -> None:
        super().__init__(errors.NO_REDIRECT if status < 400 else errors.STATUS, f"The server answered {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it goes out; `body` None for a GET. It has to be answered by `until` (time.monotonic). `cookies` are
    those of the whole fetch: some servers redirect to themselves until theirs comes back."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    overrides: Overrides
    until: float
    cookies: CookieJar = field(default_factory=CookieJar)
    is_document: bool = True


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came: headers by lower-case name; the body in a file, decoded, with its SHA-256. Only a 2xx has a body, and
    a kind."""

    status: int
    headers: Mapping[str, str]
    kind: Kind | None
    body: IO[bytes]
    digest: str


def send_request(pool: urllib3.PoolManager, request: HttpRequest) -> HttpResponse:
    """Send a request and read its answer: 2xx, a 304 that was asked for, or a redirect, which it does not follow.

    Raises MediaError for what the server or the network does, and OSError if this machine cannot keep the answer.
    """
    response: urllib3.BaseHTTPResponse | None = None
    deadline = gevent.Timeout(max(request.until - time.monotonic(), 0.001))
    try:
        with deadline:
            with _theirs():
                response = pool.request(
                    request.method,
                    request.url,
                    body=request.body,
                    headers={**request.headers, **_cookie_header(request)},
                    redirect=False,
                    retries=False,
                    timeout=_timeout(request.overrides),
                    preload_content=False,
                    decode_content=False,
                )
            request.cookies.extract_cookies(response, _for_jar(request))  # type: ignore[arg-type]  # it has `info`: enough
            return _read(response, request)
    except gevent.Timeout as ended:
        if ended is not deadline:
            raise
        raise MediaError(errors.TIMEOUT, "No whole answer in time") from ended
    finally:
        if response is not None:  # urllib3 has taken back the connection of an answer that was read to its end
            response.close()


def _for_jar(request: HttpRequest) -> Request:
    return Request(request.url)  # noqa: S310  # nothing opens it: a jar is asked so


def _cookie_header(request: HttpRequest) -> dict[str, str]:
    for_jar = _for_jar(request)
    request.cookies.add_cookie_header(for_jar)
    cookie = for_jar.get_header("Cookie")
    return {"Cookie": cookie} if cookie else {}


@contextmanager
def _theirs() -> Iterator[None]:
    """Translate errors inside into MediaErrors: they are the server's or the network's doing; elsewhere an OSError is
    this machine's."""
    try:
        yield
    except (broken.HTTPError, OSError, ValueError) as error:
        raise _translate(error) from error


def _timeout(overrides: Overrides) -> urllib3.Timeout:
    """Return the timeouts of single waits: none is longer than all of them together may be."""
    total = overrides.total_ms
    return urllib3.Timeout(connect=min(overrides.connect_ms, total) / 1000, read=min(overrides.read_ms, total) / 1000)


def _read(response: urllib3.BaseHTTPResponse, request: HttpRequest) -> HttpResponse:
    headers = {name.lower(): value for name, value in response.headers.itermerged()}
    is_asked_304 = response.status == 304 and not _CONDITIONS.isdisjoint(name.lower() for name in request.headers)
    if is_asked_304 or (response.status in _REDIRECTS and "location" in headers):
        if response.status == 304 or headers.get("content-length") == "0":
            with _theirs():
                response.read()  # nothing, and so the connection can be used again
        return HttpResponse(response.status, headers, None, io.BytesIO(), "")
    if not 200 <= response.status < 300:
        raise BadStatus(response.status)
    kind = kind_of(headers.get("content-type", ""), is_document=request.is_document)
    body = tempfile.TemporaryFile()  # noqa: SIM115  # it is the answer's, and closed with it
    try:
        digest = _store(response, headers, most_bytes(kind), body)
    except BaseException:
        body.close()
        raise
    return HttpResponse(response.status, headers, kind, body, digest)


def _store(response: urllib3.BaseHTTPResponse, headers: Mapping[str, str], most: int, body: IO[bytes]) -> str:
    """Write the body to a file; returns its SHA-256."""
    digest, size = hashlib.sha256(), 0
    for piece in _decoded(response, headers.get("content-encoding", ""), most):
        size += len(piece)
        if size > most:
            raise MediaError(errors.TOO_LARGE, f"The answer is larger than {most} bytes")
        digest.update(piece)
        body.write(piece)
    if not size:
        raise MediaError(errors.EMPTY, "The answer is empty")
    body.seek(0)
    return digest.hexdigest()


_GZIP: Final = b"\x1f\x8b"


def _decoded(response: urllib3.BaseHTTPResponse, encoding: str, most: int) -> Iterator[bytes]:
    """Yield the body without its content encoding. We ask for none; who sends gzip all the same is understood, in
    pieces of bounded size (20 kB of it can hold 20 MB), to the end that the gzip's last member marks (RFC 1952, 2.2). A
    word that names no encoding (`utf-8`, `none`) means nothing."""
    if (declared := response.headers.get("content-length", "")).isdecimal() and int(declared[:12]) > most:
        raise MediaError(errors.TOO_LARGE, f"The answer is larger than {most} bytes")
    codings = [word for word in map(str.strip, encoding.lower().split(",")) if word in _WBITS]
    if not codings:
        yield from _raw(response, most)
        return
    wbits = _WBITS[codings[0]]
    if wbits is None or len(codings) > 1:
        raise MediaError(errors.CONTENT_TYPE, "The answer's Content-Encoding was not asked for")
    unzip, is_empty = zlib.decompressobj(wbits), True
    try:
        for piece in _raw(response, most):
            rest, is_empty = piece, False
            while rest and not unzip.eof:
                yield unzip.decompress(rest, _CHUNK)
                gevent.sleep(0)  # what is small to read may be much to write
                rest = unzip.unconsumed_tail
                if unzip.eof and unzip.unused_data.startswith(_GZIP):
                    rest, unzip = unzip.unused_data, zlib.decompressobj(wbits)
            if unzip.eof:
                return
    except zlib.error as error:
        raise MediaError(errors.CONTENT_TYPE, "The answer's gzip is broken") from error
    if not is_empty:
        raise MediaError(errors.CONTENT_TYPE, "The answer's gzip has no end")


def _raw(response: urllib3.BaseHTTPResponse, most: int) -> Iterator[bytes]:
    """Yield the body as it comes, also the gzip that yields no byte for long: its length is bounded here."""
    size = 0
    while True:
        with _theirs():
            piece = response.read(_CHUNK, decode_content=False)
        if not piece:
            return
        size += len(piece)
        if size > most:
            raise MediaError(errors.TOO_LARGE, f"The answer is larger than {most} bytes")
        yield piece


_BY_KIND: Final[tuple[tuple[type[Exception], int, str], ...]] = (
    # The first that fits: urllib3's kinds of errors contain one another.
    (AddressRefused, errors.HOST, "The address is neither public nor in ALLOWED_PRIVATE_NETWORKS"),
    (broken.NameResolutionError, errors.HOST, "The host's name has no address"),
    (broken.ConnectTimeoutError, errors.CONNECT_TIMEOUT, "No connection in time"),
    (broken.SSLError, errors.TLS, "TLS failed"),
    (ssl.SSLError, errors.TLS, "TLS failed"),
    (broken.NewConnectionError, errors.CONNECTION, "No connection"),
    (broken.ReadTimeoutError, errors.TIMEOUT, "The server has been silent for too long"),
    (broken.LocationValueError, errors.BAD_URL, "The URL is not valid"),
    (broken.HTTPError, errors.CONNECTION, "The connection broke"),
    (OSError, errors.CONNECTION, "The connection broke"),
    (ValueError, errors.BAD_URL, "The URL is not valid"),
)


def _translate(error: Exception) -> MediaError:
    if isinstance(error, broken.NewConnectionError) and _is_refusal(error.__cause__):
        return MediaError(errors.REFUSED, "The connection was refused")
    code, message = next((code, message) for kind, code, message in _BY_KIND if isinstance(error, kind))
    return MediaError(code, f"{message} ({type(error).__name__})")


def _is_refusal(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ECONNREFUSED
