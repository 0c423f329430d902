"""One HTTP GET, as libcurl does it for mod_http_cache, on gevent's sockets: only the greenlet that asks waits."""

from __future__ import annotations

import http.client
import ssl
from typing import BinaryIO
from urllib.parse import SplitResult, urljoin, urlsplit

import gevent
from gevent import socket as gevent_socket
from gevent import ssl as gevent_ssl

USER_AGENT = "freeswitch-http-cache/1.0"
MAX_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE_BYTES = 65536
_FIRST_FAILURE = 400


class FetchFailed(Exception):
    """No answer, too late an answer, or one of 400 and more."""


def fetch(url: str, target: BinaryIO, *, connect_seconds: float, total_seconds: float) -> dict[str, str]:
    """Write the body to `target`; the answer's headers, their names in small letters. Redirects are followed."""
    too_late = gevent.Timeout(total_seconds)
    try:
        with too_late:
            for _ in range(MAX_REDIRECTS + 1):
                url_or_headers = _one_request(url, target, connect_seconds)
                if isinstance(url_or_headers, dict):
                    return url_or_headers
                url = url_or_headers
    except gevent.Timeout as timeout:
        if timeout is not too_late:
            raise
        raise FetchFailed(f"{url}: no answer within {total_seconds} s") from timeout
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchFailed(f"{url}: {error}") from error
    raise FetchFailed(f"{url}: more than {MAX_REDIRECTS} redirects")


def _one_request(url: str, target: BinaryIO, connect_seconds: float) -> str | dict[str, str]:
    """The headers of the answer, or where it sends us."""
    address = urlsplit(url if "://" in url else f"http://{url}")
    connection = _connect(address, connect_seconds)
    try:
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request("GET", path, headers={"User-Agent": USER_AGENT, "Accept": "*/*"})
        answer = connection.getresponse()
        location = answer.headers.get("Location")
        if answer.status in _REDIRECTS and location:
            return urljoin(address.geturl(), location)
        if answer.status >= _FIRST_FAILURE:
            raise FetchFailed(f"{url}: status {answer.status}")
        while piece := answer.read(_PIECE_BYTES):
            target.write(piece)
        return {name.lower(): value for name, value in answer.headers.items()}
    finally:
        connection.close()


def _connect(address: SplitResult, connect_seconds: float) -> http.client.HTTPConnection:
    """http.client, given a socket of gevent's that is connected already."""
    if address.scheme not in ("http", "https") or not address.hostname:
        raise FetchFailed(f"{address.geturl()}: neither http nor https")
    secure = address.scheme == "https"
    port = address.port or (443 if secure else 80)
    connection = http.client.HTTPConnection(address.hostname, port)
    plain = gevent_socket.create_connection((address.hostname, port), timeout=connect_seconds)
    plain.settimeout(None)
    connection.sock = _secured(plain, address.hostname) if secure else plain
    return connection


def _secured(plain: gevent_socket.socket, host: str) -> ssl.SSLSocket:
    context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    secured: ssl.SSLSocket = context.wrap_socket(plain, server_hostname=host)
    return secured
