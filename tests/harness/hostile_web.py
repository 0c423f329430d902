"""A web server that means harm: it answers slowly, without end, with bombs, or with somebody else's address."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Callable

from tests.harness.web import tone


class Server:
    """Answers each connection with bytes of the test's choice, as slowly as it likes; counts connections."""

    def __init__(self, host: str = "127.0.0.1", answer: Callable[[socket.socket], object] = lambda _: None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.answer = answer
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/evil.wav"

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near:
            try:
                near.recv(1 << 16)
                self.answer(near)
            except OSError:
                pass

    def close(self) -> None:
        self._listener.close()


def head(kind: str = "audio/wav", *more: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *more)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def saying(*parts: bytes) -> Callable[[socket.socket], object]:
    return lambda near: near.sendall(b"".join(parts))


def redirect_to(target: str) -> Callable[[socket.socket], object]:
    return saying(head("text/plain", f"Location: {target}", "Content-Length: 0", status="302 Found"))


def drip(near: socket.socket) -> None:
    """A byte now and then, for ever."""
    near.sendall(head("audio/wav", "Content-Length: 100000"))
    near.settimeout(0.1)
    while True:
        near.sendall(b"R")
        try:
            if not near.recv(1):
                return
        except TimeoutError:
            continue


def fifty_megabytes(near: socket.socket, *more: str) -> None:
    near.sendall(head("audio/wav", *more) + tone(2600, 1)[:44])
    for _ in range(50):
        near.sendall(bytes(1 << 20))


def gzip_bomb(near: socket.socket) -> None:
    """50 kB that unpack to 50 MB of a WAV file."""
    near.sendall(head("audio/wav", "Content-Encoding: gzip") + gzip.compress(tone(2600, 1)[:44] + bytes(50 << 20)))


def endless_gzip(near: socket.socket) -> None:
    squeeze = zlib.compressobj(9, wbits=31)
    near.sendall(head("text/xml", "Content-Encoding: gzip"))
    while True:
        near.sendall(squeeze.compress(b"<Response>" + b" " * (1 << 20)) + squeeze.flush(zlib.Z_SYNC_FLUSH))
