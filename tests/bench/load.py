"""A small HTTP load: prepared requests over kept connections, so that the client costs as little as it can."""

from __future__ import annotations

import base64
import selectors
import socket
import time
from urllib.parse import urlencode


def post(host: str, path: str, form: dict[str, str], auth: tuple[str, str] | None = None) -> bytes:
    """A whole POST as it goes over the wire."""
    body = urlencode(form).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Accept: application/json",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    if auth is not None:
        lines.append("Authorization: Basic " + base64.b64encode(":".join(auth).encode()).decode())
    return "\r\n".join([*lines, "", ""]).encode() + body


def requests_per_second(host: str, packets: list[bytes], seconds: float, connections: int = 16) -> float:
    """Answers with status 200 or 201 a second. A 503 (busy) is not counted; any other status is an error."""
    name, _, port = host.rpartition(":")
    selector = selectors.DefaultSelector()
    for number in range(connections):
        sock = socket.create_connection((name, int(port)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(packets[number % len(packets)])
        selector.register(sock, selectors.EVENT_READ, [number, b""])
    started = time.monotonic()
    answered = 0
    while (now := time.monotonic()) < started + seconds:
        for key, _ in selector.select(timeout=1):
            state = key.data
            assert isinstance(key.fileobj, socket.socket)
            sock = key.fileobj
            state[1] += sock.recv(65536)
            if not _is_whole(state[1]):
                continue
            if state[1].startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
                answered += 1
            elif not state[1].startswith(b"HTTP/1.1 503"):
                raise RuntimeError(state[1][:500])
            state[0] += 1
            state[1] = b""
            sock.sendall(packets[state[0] % len(packets)])
    for key in list(selector.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()
    return answered / (now - started)


def _is_whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return True
