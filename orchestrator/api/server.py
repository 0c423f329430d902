"""gunicorn's gevent worker with deadlines and bounds: a connection that is only there, or sends its request in drops,
takes nothing from others.

gunicorn itself reads the first headers for as long as its keepalive, a body for as long as the application, and takes
no connection beyond `worker_connections`, whoever has them.
"""

from __future__ import annotations

import contextlib
import errno
import io
import socket
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import gevent
import orjson
import structlog
from gunicorn.http import errors as parsing
from gunicorn.http import get_parser
from gunicorn.util import close
from gunicorn.workers.ggevent import GeventWorker

from orchestrator.api.connections import IN_ALL, Connection, Connections, mark, tell_client
from orchestrator.api.forms import MAX_BODY_BYTES
from orchestrator.dialects.twilio.errors import error_body
from orchestrator.errors import ApiError, BadParameter, RequestTooSlow
from orchestrator.outgoing.networks import Network

HEADER_SECONDS: Final = 5.0
"""How long the first request's headers may take, from the connection to their end."""

BODY_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 30.0
"""How long a connection is kept for the next request, its headers included."""

WRITE_SECONDS: Final = 30.0
"""How long a client may take to read a piece of an answer."""

MOST_HEADERS: Final = 50
MOST_HEADER_BYTES: Final = 2_048
"""Most bytes of one header. SDKs send ten, the longest of 150 bytes; proxies add some."""

REFUSAL_SECONDS: Final = 1.0

_GONE: Final = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF, errno.ESHUTDOWN)

log = structlog.get_logger("server")


class ApiWorker(GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Serves connections within deadlines and bounds. `trusted` are the operator's proxies; set before the process
    forks."""

    trusted: tuple[Network, ...] = ()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.connections = Connections(self.trusted)
        self.worker_connections = IN_ALL * 2  # those included that have been told to end
        # gunicorn asks for twenty settings at each request, by two calls each unless they are plain attributes.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection, from its first byte to its last."""
        address = addr[0] if isinstance(addr, tuple) else ""
        connection = self.connections.admit(address, partial(_hang_up, client))
        try:
            if connection is not None:
                client.settimeout(WRITE_SECONDS)
                self._serve(listener.getsockname(), client, addr, connection)
        except (parsing.NoMoreData, StopIteration, TimeoutError):
            pass
        except OSError as error:
            if error.errno not in _GONE:
                log.warning("connection_failed", error=type(error).__name__)
        except parsing.ParseException as error:
            log.info("request_unreadable", address=address, error=type(error).__name__)
            _refuse(client, BadParameter("The request is not HTTP as it should be"))
        except ApiError as error:
            _refuse(client, error)
        except Exception:
            log.exception("connection_crashed")
            _refuse(client, ApiError("An internal error has occurred"))
        finally:
            if connection is not None:
                self.connections.leave(connection)
            close(client)

    def _serve(self, name: Any, client: Any, addr: Any, connection: Connection) -> None:
        parser = get_parser(self.cfg, client, addr)
        answering = _Answering(client, connection)
        seconds = HEADER_SECONDS
        while self.alive:
            with gevent.Timeout(seconds, TimeoutError()):
                request = next(parser)
            if request is None:
                return
            with gevent.Timeout(BODY_SECONDS, RequestTooSlow("The body has not come in time")):
                _read_body(request, client)
            self.connections.work(connection)
            try:
                self.handle_request(name, request, answering, addr)
            finally:
                answering.send_head()
            self.connections.wait(connection)
            seconds = IDLE_SECONDS

    def load_wsgi(self) -> None:
        """Load the application, wrapped so that it is told the client's address."""
        super().load_wsgi()
        self._application: Any = self.wsgi
        self.wsgi: Any = self._call

    def _call(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Run the application with the client's own address. When it returns, the connection waits: a client that does
        not read its answer makes room for others, as one that does not finish its request does. Behind a proxy of the
        operator's the address is the one that the proxy names; nobody else may say who he is."""
        tell_client(environ, self.trusted)
        connection = environ["gunicorn.socket"].connection
        mark(environ, partial(self.connections.wait, connection))
        try:
            return self._application(environ, start_response)
        finally:
            self.connections.wait(connection)


class _Answering:
    """A client's socket, as gunicorn sees it while it answers: what it sends first, the head, goes out together with
    the body. On their own they are two packets, and two times that a client wakes up."""

    def __init__(self, client: Any, connection: Connection) -> None:
        self.connection = connection
        self._client = client
        self._head = b""

    def sendall(self, data: bytes) -> None:
        """Send the head and what follows it, or keep the head."""
        if not self._head and data.startswith(b"HTTP/"):
            self._head = data
            return
        head, self._head = self._head, b""
        self._client.sendall(head + data)

    def send_head(self) -> None:
        """Send the head of an answer without a body."""
        if self._head:
            self.sendall(b"")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _read_body(request: Any, client: Any) -> None:
    """Read the whole body before a request counts as one; one that is too large is left to the application to
    refuse."""
    if request._expected_100_continue:
        request._expected_100_continue = False
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = request.body.read(MAX_BODY_BYTES + 1)
    declared = next((int(value) for name, value in request.headers if name == "CONTENT-LENGTH"), 0)
    if len(body) < min(declared, MAX_BODY_BYTES + 1):
        raise parsing.NoMoreData  # hung up in the middle: by the client, or by us, to make room
    if len(body) > MAX_BODY_BYTES:
        request.force_close()  # the rest is not read
    request.body = io.BytesIO(body)


def _hang_up(client: Any) -> None:
    with contextlib.suppress(OSError):  # it may be gone already
        client.shutdown(socket.SHUT_RDWR)


def _refuse(client: Any, error: ApiError) -> None:
    """Tell a client that has sent no request what is wrong with it."""
    body = orjson.dumps(error_body(error))
    head = (
        f"HTTP/1.1 {error.http_status} {HTTPStatus(error.http_status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with contextlib.suppress(OSError):
        client.settimeout(REFUSAL_SECONDS)
        client.sendall(head.encode() + body)
