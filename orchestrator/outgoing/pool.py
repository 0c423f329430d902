"""HTTP connections to allowed addresses only: urllib3, with the lookup taken out of its hands.

A URL's host is resolved once for each new connection, every address is checked, and the connection is made to one of
those addresses. Nothing resolves the name a second time, so an answer that changes in between (DNS rebinding)
changes nothing. The host's name stays what the Host header, SNI and the certificate's check go by.
"""

from __future__ import annotations

import re
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from http.client import HTTPException
from typing import Any, Final

import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
    URLSchemeUnknown,
)
from urllib3.poolmanager import PoolKey
from urllib3.util import parse_url

from orchestrator.outgoing.addressing import target_of
from orchestrator.outgoing.networks import Address, Network, may_connect, unmapped
from orchestrator.outgoing.reading import YieldingResponse

Resolve = Callable[[str], Sequence[Address]]
"""A host -> its addresses; raises socket.gaierror. `Resolver.resolve` is one."""

ROUTES: Final = 4096
"""URLs of which it is remembered where they lead."""

_ZONE: Final = re.compile(r"%[^]]*]$")
"""Where an IPv6 address leads on this machine: nothing to a server (RFC 6874, section 1)."""

Allowed = Callable[[str], Sequence[Address]]
"""A host -> those of its addresses that may be connected to; raises AddressRefused, socket.gaierror."""


class AddressRefused(HTTPError):
    """No address of the host may be connected to. Nothing was sent, and another try will not do better.

    An HTTPError, and of none of the kinds that urllib3 wraps or retries: whatever `retries` says, it arrives as it is.
    """

    def __init__(self, host: str, addresses: Sequence[Address]) -> None:
        self.host = host
        self.addresses = tuple(addresses)
        shown = ", ".join(map(str, addresses))
        super().__init__(f"{host!r} is {shown}: neither public nor in ALLOWED_PRIVATE_NETWORKS")


class _Headers(dict[str, str]):
    """A request's headers, and its target as it was given: urllib3 encodes `%7e`, `/a/../b` and `b[]` anew on the way
    to the connection (connectionpool.py, urlopen), and hands the headers on as they are."""

    def __init__(self, headers: Mapping[str, str], target: str) -> None:
        super().__init__(headers)
        self.target = target

    def copy(self) -> _Headers:
        return _Headers(self, self.target)


class _Connection(HTTPConnection):
    allowed: Allowed
    response_class = YieldingResponse

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        """Send the target byte for byte."""
        super().request(method, headers.target if isinstance(headers, _Headers) else url, body, headers, **options)

    def _new_conn(self) -> socket.socket:
        """Connect to the first allowed address that answers (HTTPConnection._new_conn has this contract)."""
        try:
            connected = self._connect(self.allowed(self._dns_host))
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host} did not answer in {self.timeout} s") from error
        except OSError as error:
            raise NewConnectionError(self, f"{self.host}: {error}") from error
        sys.audit("http.client.connect", self, self.host, self.port)
        return connected

    def _connect(self, addresses: Sequence[Address]) -> socket.socket:
        """Connect to the first of the addresses that answers, within `timeout` for all tries together: each may take
        half of what is left, the last one all of it."""
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        for following, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
            left = None if deadline is None else max(deadline - time.monotonic(), 0.001)
            try:
                return self._connect_one(address, left / 2 if left is not None and following else left)
            except OSError:
                if not following:
                    raise
        raise OSError("no address")

    def _connect_one(self, address: Address, seconds: float | None) -> socket.socket:
        connecting = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            for option in self.socket_options or ():
                connecting.setsockopt(*option)
            if self.source_address:
                connecting.bind(self.source_address)
            connecting.settimeout(seconds)
            connecting.connect((str(address), self.port))
            connecting.settimeout(self.timeout)  # the TLS handshake's
        except BaseException:  # also a deadline's that ends the greenlet: the socket must not stay behind
            connecting.close()
            raise
        return connecting


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Connection
    allowed: Allowed

    def _new_conn(self) -> Any:  # urllib3's protocols for connections are private
        connection = super()._new_conn()
        connection.allowed = self.allowed  # type: ignore[attr-defined]  # it is a _Connection
        return connection

    def exchange(self, url: str, request: bytes, connect: float, read: float | None) -> urllib3.BaseHTTPResponse:
        """Send a request that is written out, and read how its answer begins. Raises what `urlopen` raises."""
        connection: Any = None
        try:
            connection = self._get_conn()
            head = self._exchange(connection, request, connect, read)
        except EmptyPoolError:
            raise  # it has no place to give back
        except BaseException as error:  # also a deadline's
            if connection is not None:
                connection.close()
            self._put_conn(None)
            if isinstance(error, ssl.SSLError | ssl.CertificateError):
                raise SSLError(error) from error
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(self, url, f"no answer in {read} s") from error
            if isinstance(error, OSError | HTTPException):
                raise ProtocolError("Connection aborted.", error) from error
            raise
        return urllib3.HTTPResponse(
            head,
            HTTPHeaderDict(head.headers.items()),
            head.status,
            preload_content=False,
            original_response=head,
            pool=self,
            connection=connection,
        )

    @staticmethod
    def _exchange(connection: Any, request: bytes, connect: float, read: float | None) -> YieldingResponse:
        if connection.is_closed:
            connection.timeout = connect
            connection.connect()
        connection.sock.settimeout(read)
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it hung up
            connection.sock.sendall(request)
        head = YieldingResponse(connection.sock, method="POST")
        try:
            head.begin()
        except BaseException:
            head.close()  # it has the socket, too
            raise
        if head.will_close:
            connection.close()  # the answer has the socket until it is read
        return head


class _HTTPSPool(_HTTPPool, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class OutgoingPool(urllib3.PoolManager):
    """A urllib3.PoolManager that goes to public and listed addresses only, and knows no proxies.

    It follows no redirects and retries nothing unless `retries` of a request says so; every hop is checked either way.
    `maxsize` bounds the connections to one scheme, host and port, `num_pools` how many of those keep theirs. With
    `block` a request beyond `maxsize` waits for a connection, at most `pool_timeout` seconds if the request gives
    one (EmptyPoolError); without, it opens one that is closed after it. With `block`, answers that are read piecemeal
    (preload_content=False) must be read to their end, released or closed.
    """

    def __init__(
        self,
        resolve: Resolve,
        listed: Iterable[Network] = (),
        *,
        num_pools: int = 200,
        maxsize: int = 100,
        block: bool = True,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            num_pools=num_pools,
            maxsize=maxsize,
            block=block,
            retries=False,
            # One for all: urllib3 would read the system's certificates again for each connection.
            ssl_context=ssl_context or ssl.create_default_context(),
        )
        self.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        self._resolve = resolve
        self._listed = tuple(listed)
        self._route = lru_cache(ROUTES)(self._find_route)

    def allowed_addresses(self, host: str) -> list[Address]:
        """Return those addresses of a host that may be connected to, at least one. Raises AddressRefused,
        socket.gaierror."""
        addresses = self._resolve(host)
        allowed = [unmapped(address) for address in addresses if may_connect(address, self._listed)]
        if not allowed:
            raise AddressRefused(host, addresses)
        return allowed

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]  # as in PoolManager
        """Request `url` as it stands, and each redirect's."""
        kw["headers"] = _Headers(kw.get("headers") or self.headers, target_of(url))
        return super().urlopen(method, url, redirect, **kw)

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, connect: float, read: float | None
    ) -> urllib3.BaseHTTPResponse:
        """Post to `url` as it stands, and follow nothing: as `request` does it with preload_content=False, for a third
        of the work. `headers` are not looked at, as they are ours. `connect` and `read` are timeouts in seconds."""
        key, context, start = self._route(url)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"{start}Content-Length: {len(body)}\r\n{lines}\r\n".encode("latin-1") + body
        # A copy: urllib3 takes what is not for the pool out of it.
        pool: _HTTPPool = self.connection_from_pool_key(key, dict(context))  # type: ignore[assignment]  # of _new_pool
        return pool.exchange(url, request, connect, read)

    def _find_route(self, url: str) -> tuple[PoolKey, dict[str, Any], str]:
        """Return the pool of a URL, and how a request to it begins."""
        parts = parse_url(url)
        scheme = parts.scheme or "http"
        if scheme not in self.key_fn_by_scheme:
            raise URLSchemeUnknown(scheme)
        if not parts.host:
            raise LocationValueError("No host specified.")
        usual = 443 if scheme == "https" else 80
        port = parts.port or usual
        context = {**self.connection_pool_kw, "scheme": scheme, "host": parts.host, "port": port}
        host = _ZONE.sub("]", parts.host.rstrip(".")) + ("" if port == usual else f":{port}")
        start = f"POST {target_of(url)} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\n"
        return self.key_fn_by_scheme[scheme](context), context, start

    def _new_pool(
        self, scheme: str, host: str, port: int, request_context: dict[str, Any] | None = None
    ) -> HTTPConnectionPool:
        pool = super()._new_pool(scheme, host, port, request_context)
        pool.allowed = self.allowed_addresses  # type: ignore[attr-defined]  # it is an _HTTPPool
        return pool
