"""The event socket's framing (read_packet and the senders of mod_event_socket.c)."""

from __future__ import annotations

from dataclasses import dataclass, field

from gevent.socket import socket

_READ_BYTES = 65536


class Disconnected(Exception):
    """The client has closed its side."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One command with its headers, as a client sends it."""

    command: str
    headers: dict[str, str] = field(default_factory=dict)


class PacketReader:
    """Splits a client's bytes into packets: a command line, headers, an empty line, a body if its length is told."""

    def __init__(self, connection: socket) -> None:
        """Nothing has been read yet."""
        self._connection = connection
        self._buffer = b""

    def read(self) -> Packet:
        """The next packet; blank lines before it are skipped, as the real one skips them."""
        lines = self._read_block().decode("utf-8", "surrogateescape").split("\n")
        command, *header_lines = [line.rstrip("\r") for line in lines]
        headers = {}
        for line in header_lines:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.lower()] = value.lstrip(" ")
        length = headers.get("content-length", "")
        if length.isdigit():
            self._skip(int(length))
        return Packet(command, headers)

    def _read_block(self) -> bytes:
        while True:
            self._buffer = self._buffer.lstrip(b"\r\n")
            head, found, rest = self._buffer.replace(b"\r\n", b"\n").partition(b"\n\n")
            if found and head:
                self._buffer = rest
                return head
            self._receive()

    def _skip(self, length: int) -> None:
        while len(self._buffer) < length:
            self._receive()
        self._buffer = self._buffer[length:]

    def _receive(self) -> None:
        try:
            received = self._connection.recv(_READ_BYTES)
        except OSError as error:
            raise Disconnected from error
        if not received:
            raise Disconnected
        self._buffer += received


def auth_request() -> str:
    """What a client is greeted with."""
    return "Content-Type: auth/request\n\n"


def command_reply(text: str, headers: dict[str, str] | None = None) -> str:
    """The answer to everything but `api`."""
    extra = "".join(f"{name}: {value}\n" for name, value in (headers or {}).items())
    return f"Content-Type: command/reply\nReply-Text: {text}\n{extra}\n"


def api_response(body: str) -> str:
    """The answer to `api`; an empty one is spelt out."""
    return _with_body("Content-Type: api/response\nContent-Length: {length}\n\n", body or "-ERR no reply\n")


def event_message(kind: str, body: str) -> str:
    """An event; `kind` is plain or json."""
    return _with_body(f"Content-Length: {{length}}\nContent-Type: text/event-{kind}\n\n", body)


def disconnect_notice(message: str) -> str:
    """The last words before a connection is closed."""
    return _with_body("Content-Type: text/disconnect-notice\nContent-Length: {length}\n\n", message)


def _with_body(head: str, body: str) -> str:
    return head.format(length=len(body.encode("utf-8", "surrogateescape"))) + body
