"""A safe event socket: greenswitch's inbound client with its holes closed.

What is replaced, and why (greenswitch 0.0.19, esl.py; each point has a test that attacks it):
  * `ESLEvent.parse_data` URL-decodes a whole event before it splits lines, so anybody who can send one SIP INVITE
    can forge headers. Here every value is decoded on its own, after splitting. Events are asked for as JSON.
  * `send` waits for ever and `sock.send` may write a part. Here `sendall`, one writer at a time, and a deadline.
  * A dropped connection leaves commands in flight waiting. Here they all fail at once with `NodeUnavailable`.
  * Handlers run on the greenlet that reads. Here events are handed to a sink that must not block.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import gevent
from gevent import socket
from gevent.event import AsyncResult, Event
from gevent.lock import Semaphore
from greenswitch.esl import InboundESL, NotConnectedError

from orchestrator.errors import Unavailable

CONNECT_SECONDS: Final = 1.5
REPLY_SECONDS: Final = 1.5
"""An API answer is due within 2 s, also when a node hangs."""

NUDGE_SECONDS: Final = 0.004
"""An idle mod_event_socket looks for new events every 20 ms, or when it can read something (`read_packet`,
`switch_poll(…, 20000)`). A lone line break is skipped there, so one every 4 ms makes events come within that time."""

MAX_BODY_BYTES: Final = 64 * 1024 * 1024


class NodeUnavailable(Unavailable):
    """The node cannot be reached, has dropped the connection, or does not answer in time."""


class NodeDown(NodeUnavailable):
    """The node's host is there and says that nobody listens: FreeSWITCH does not run."""


class NodeRefuses(NodeUnavailable):
    """The node is there and lets nobody in with this password, or from here. Its calls go on."""


class CommandRefused(Exception):
    """FreeSWITCH answered `-ERR …`; the text is its own."""


def parse_headers(block: bytes) -> dict[str, str]:
    """One header block: split into lines first, decode each value afterwards.

    A decoded value may hold newlines; it can never become another header.
    """
    headers: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\n"):
        name, separator, value = line.partition(":")
        if separator:
            headers.setdefault(name.strip(), unquote(value.strip()))
    return headers


class EventSocket(InboundESL):  # type: ignore[misc]  # greenswitch ships no types
    """One connection to one node. `on_event` gets every event's body as it came; `on_close` is called once."""

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        on_event: Callable[[bytes], None] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(host, port, password, timeout=CONNECT_SECONDS)
        self._on_event = on_event
        self._on_close = on_close
        self._writing = Semaphore()
        self._closed = Event()
        self._is_rejected = False
        self._commands_sent: list[tuple[AsyncResult[str], Callable[[str], None] | None]] = []

    # ------------------------------------------------------------ connection

    def connect(self) -> None:
        """Connect and authenticate within CONNECT_SECONDS. Raises NodeUnavailable."""
        try:
            with gevent.Timeout(CONNECT_SECONDS, NodeUnavailable(f"Node {self._name} does not answer")):
                self.sock = socket.create_connection((self.host, self.port), timeout=CONNECT_SECONDS)
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sock.settimeout(None)
                self.sock_file = self.sock.makefile("rb")
                self.connected = True
                self._receive_events_greenlet = gevent.spawn(self.receive_events)
                self._auth_request_event.wait()
                self.authenticate()
        except (OSError, NotConnectedError) as error:
            self.close()
            kind = NodeDown if isinstance(error, ConnectionRefusedError) else NodeUnavailable
            raise kind(f"Node {self._name} is not reachable: {error}") from error
        except NodeUnavailable:
            self.close()
            raise

    def authenticate(self) -> None:
        """Send the password; it is never logged or part of an error."""
        if self._is_rejected:
            raise NodeRefuses(f"Node {self._name} refuses connections from here")
        reply = self.command(f"auth {self.password}")
        if reply != "+OK accepted":
            raise NodeRefuses(f"Node {self._name} refuses FREESWITCH_PASSWORD")

    @property
    def _name(self) -> str:
        return f"{self.host}:{self.port}"

    def close(self, why: str = "has dropped the connection") -> None:
        """Drop the connection; every command in flight fails now, and says why."""
        self._run = False
        self.connected = False
        if self._closed.is_set():
            return
        self._closed.set()
        self._auth_request_event.set()
        pending = self._commands_sent[:]
        self._commands_sent.clear()
        for waiting, _ in pending:
            waiting.set_exception(NodeUnavailable(f"Node {self._name} {why}"))
        sock = getattr(self, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):  # the peer may have closed it first
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        if self._on_close is not None:
            self._on_close()

    def keep_awake(self) -> None:
        """Make the node hand over its events at once, until the connection ends. Blocks."""
        while self.connected:
            gevent.sleep(NUDGE_SECONDS)
            if self._writing.acquire(blocking=False):  # a command under way wakes the node just as well
                try:
                    with contextlib.suppress(OSError):  # the reader finds out what has become of the connection
                        self.sock.send(b"\n")
                finally:
                    self._writing.release()

    def wait_closed(self) -> None:
        """Block until the connection is gone."""
        self._closed.wait()

    # ------------------------------------------------------------ reading

    def receive_events(self) -> None:
        """Read packets until the connection ends. This greenlet does nothing else."""
        try:
            while self._run:
                block = self._read_block()
                if block is None:
                    break
                headers = parse_headers(block)
                length = int(headers.get("Content-Length", "0"))
                if not 0 <= length <= MAX_BODY_BYTES:
                    break
                body = self.sock_file.read(length) if length else b""
                if len(body) < length:
                    break
                self._dispatch(headers, body)
        except (OSError, ValueError):
            pass  # the connection broke, or speaks no event socket: both end it, and close() tells everybody
        finally:
            self.close()

    def _read_block(self) -> bytes | None:
        lines: list[bytes] = []
        while True:
            line = self.sock_file.readline(MAX_BODY_BYTES)
            if not line:
                return None
            if line == b"\n":
                if lines:
                    return b"".join(lines)
                continue
            lines.append(line)

    def _dispatch(self, headers: Mapping[str, str], body: bytes) -> None:
        kind = headers.get("Content-Type", "")
        if kind == "text/event-json":
            if self._on_event is not None:
                self._on_event(body)
        elif kind == "api/response":
            self._answer(body.decode("utf-8", "replace"))
        elif kind == "command/reply":
            self._answer(headers.get("Reply-Text", ""))
        elif kind == "auth/request":
            self._auth_request_event.set()
        elif kind in ("text/disconnect-notice", "text/rude-rejection"):
            self._is_rejected = kind == "text/rude-rejection"
            self._run = False

    def _answer(self, text: str) -> None:
        if self._commands_sent:
            waiting, on_reply = self._commands_sent.pop(0)
            if on_reply is not None:
                on_reply(text)
            waiting.set(text)

    # ------------------------------------------------------------ writing

    def command(
        self,
        line: str,
        headers: Mapping[str, str] | None = None,
        seconds: float = REPLY_SECONDS,
        on_reply: Callable[[str], None] | None = None,
        may_write: Callable[[], None] | None = None,
    ) -> str:
        """Send one command and return its reply text. Raises NodeUnavailable.

        Replies come in the order of the commands, so commands may be in flight together. A node that does not
        answer in time is dropped: the reply that is still to come could not be told from the next one's.
        `on_reply` is called by the reader, between the events before and after the reply; `may_write` just before
        the command is written, after those of others: nothing is if it raises. It must not block.
        """
        packet = _packet(line, headers or {})
        reply: AsyncResult[str] = AsyncResult()
        try:
            with gevent.Timeout(seconds):
                with self._writing:
                    if not self.connected:
                        raise NodeUnavailable(f"Node {self._name} is not connected")
                    if may_write is not None:
                        may_write()
                    self._commands_sent.append((reply, on_reply))
                    self._write(packet)
                text = reply.get()
        except gevent.Timeout as timeout:
            self.close()
            raise NodeUnavailable(f"Node {self._name} has not answered within {seconds} s") from timeout
        except OSError as error:
            self.close()
            raise NodeUnavailable(f"Node {self._name} has dropped the connection") from error
        return text or ""

    def _write(self, packet: bytes) -> None:
        try:
            self.sock.sendall(packet)
        except BaseException:
            self.close()  # half of it may be on its way (the caller was killed), and would swallow the next command
            raise

    def api(
        self,
        line: str,
        seconds: float = REPLY_SECONDS,
        on_reply: Callable[[str], None] | None = None,
        may_write: Callable[[], None] | None = None,
    ) -> str:
        """Run an API command; returns its output. Raises CommandRefused on `-ERR`."""
        text = self.command(f"api {line}", seconds=seconds, on_reply=on_reply, may_write=may_write)
        if text.startswith("-ERR"):
            raise CommandRefused(text.strip())
        return text

    def bgapi(self, line: str, job_uuid: str) -> None:
        """Start a background job; its result comes as a BACKGROUND_JOB event with this Job-UUID."""
        text = self.command(f"bgapi {line}", {"Job-UUID": job_uuid})
        if not text.startswith("+OK"):
            raise CommandRefused(text.strip())

    def send(self, data: str) -> Any:
        """greenswitch's own way to send; closed, because it can wait for ever."""
        raise TypeError("greenswitch's send() can wait for ever: use command(), api() or bgapi()")


def _packet(line: str, headers: Mapping[str, str]) -> bytes:
    """A newline ends a command on the event socket, so none may be inside one."""
    parts = [line, *[f"{name}: {value}" for name, value in headers.items()]]
    for part in parts:
        if "\n" in part or "\r" in part or "\0" in part:
            raise ValueError("a command for the event socket holds a line break")
    return ("\n".join(parts) + "\n\n").encode()
