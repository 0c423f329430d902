"""A receiver that costs as little as it can, as a process of its own: `python fast_receiver.py PORT`.

POST /cb?wait=MS answers 200 after MS; GET /seen gives what came, one JSON line a request: arrival, token and the
parameters; GET /count only how many; GET /forget empties it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import gevent
from gevent.server import StreamServer

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
seen: list[tuple[float, str, bytes]] = []


def serve(sock: Any, _: Any) -> None:
    stream = sock.makefile("rb")
    while True:
        line = stream.readline()
        if not line:
            return
        path = line.split(b" ")[1].decode()
        length, token = 0, ""
        while (header := stream.readline()) not in (b"\r\n", b""):
            name, _, value = header.partition(b":")
            lower = name.lower()
            if lower == b"content-length":
                length = int(value)
            elif lower == b"i-twilio-idempotency-token":
                token = value.strip().decode()
        body = stream.read(length) if length else b""
        if len(body) < length:
            return  # its sender was killed: it has not arrived
        if path.startswith("/cb"):
            seen.append((time.time(), token, body))
            wait = urlsplit(path).query.removeprefix("wait=")
            if wait:
                gevent.sleep(int(wait) / 1000)
            sock.sendall(ANSWER)
            continue
        answer = _report(path)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)


def _report(path: str) -> bytes:
    if path == "/count":
        return str(len(seen)).encode()
    if path == "/forget":
        seen.clear()
        return b""
    rows = (
        {"at": at, "token": token, **{name: values[0] for name, values in parse_qs(body.decode()).items()}}
        for at, token, body in seen
    )
    return "\n".join(json.dumps(row) for row in rows).encode()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    StreamServer(("127.0.0.1", int(sys.argv[1])), serve, backlog=2048).serve_forever()
