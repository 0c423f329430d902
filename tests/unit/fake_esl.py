"""A scripted event socket server on a real socket: it says exactly what a test tells it to, and when.

It runs on the gevent loop of the test, so whoever waits for something waits with `settled`, not with time.sleep.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gevent
from gevent import socket
from gevent.server import StreamServer

from tests.harness.polling import eventually

Found = TypeVar("Found")

PASSWORD = "scripted"


def settled(probe: Callable[[], Found], what: str, seconds: float = 10.0) -> Found:
    """`eventually` for what happens on this thread's gevent loop."""

    def turn() -> Found:
        gevent.sleep(0.001)
        return probe()

    return eventually(turn, what, seconds)


class Gone(Exception):
    """The client has closed its connection."""


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: Any) -> None:
        self.socket = connection
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def say(self, text: bytes | str) -> None:
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def hear(self) -> str:
        """The next command, without the line breaks that end it; lone line breaks (nudges) are skipped."""
        while True:
            self._rest = self._rest.lstrip(b"\n")
            command, ended, rest = self._rest.partition(b"\n\n")
            if ended:
                self._rest = rest
                return command.decode()
            read = self.socket.recv(65536)
            if not read:
                raise Gone
            self._rest += read

    def welcome(self) -> None:
        """Ask for the password and accept it."""
        self.say("Content-Type: auth/request\n\n")
        assert self.hear() == f"auth {PASSWORD}"
        self.say(reply("+OK accepted"))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def reply(text: str) -> bytes:
    return f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode()


def answer(text: str) -> bytes:
    body = text.encode()
    return b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body)


def event(headers: Mapping[str, str]) -> bytes:
    body = json.dumps(headers).encode()
    return b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body)


Script = Callable[[Peer], None]


class FakeEsl:
    """Plays `script` to each client, one after the other; the connection ends when the script returns."""

    def __init__(self, script: Script, receive_buffer: int = 0) -> None:
        self.script = script
        self.peers: list[Peer] = []
        self.port = 0
        self._receive_buffer = receive_buffer
        self._server: StreamServer | None = None

    def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._server = StreamServer(listener, self._serve)
        self._server.start()

    def stop(self) -> None:
        """The process is gone: its port refuses, its connections end. `start` brings it back on the same port."""
        if self._server is not None:
            self._server.stop(timeout=0)
            self._server = None
        for peer in self.peers:
            peer.close()

    def _serve(self, connection: Any, _: Any) -> None:
        peer = Peer(connection)
        self.peers.append(peer)
        try:
            self.script(peer)
        except (Gone, OSError):
            pass  # the client has left, which is its good right
        finally:
            peer.close()


def obedient(answers: Mapping[str, str] | None = None, heard: list[str] | None = None) -> Script:
    """A switch that does what it is told: `+OK` to everything, or what `answers` has for a command's beginning."""

    def script(peer: Peer) -> None:
        peer.welcome()
        while True:
            command = peer.hear()
            if heard is not None:
                heard.append(command)
            for start, text in {**(answers or {}), "api module_exists": "true"}.items():
                if command.startswith(start):
                    peer.say(answer(text) if command.startswith("api ") else reply(text))
                    break
            else:
                peer.say(answer("+OK\n") if command.startswith("api ") else reply("+OK"))

    return script
