"""A server that sends without end and as fast as it can, in a process of its own so that nobody waits for it."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SECONDS: Final = 40
"""So a client that is taken in stands still for so long, and a test that fails ends."""

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n"
_KINDS: Final = {
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000),
    "chunks": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 20_000),
    "behind gzip": (_HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"\xff\xfbx"), bytes(500_000)),
    "gzip's name": (_HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\3", b"n" * 500_000),
}
ROOT: Final = Path(__file__).parents[3]

WATCHED: Final = """
from gevent import monkey
monkey.patch_all()
import sys, time
import gevent
{imports}
stalls = [0.0]
def tick():
    last = time.process_time()
    while True:
        gevent.sleep(0.01)
        stalls.append(time.process_time() - last)
        last = time.process_time()
gevent.spawn(tick)
gevent.sleep(0.02)
url, started = sys.argv[1], time.monotonic()
{attempt}
gevent.sleep(0.02)
print(max(stalls) < 0.3, time.monotonic() - started < 20, len(stalls) > 2)
"""
"""`attempt` ends by a deadline of half a second: then others have been running all the time, and it ends long before
the flood. Whoever stands still because of the flood does so with the processor's time; on a busy machine there is less
of it, and no more stands still."""


@contextlib.contextmanager
def flooding(kind: str, *tls: Path) -> Iterator[int]:
    """The server's port; `tls` are files of a certificate and its key."""
    command = [sys.executable, "-m", "tests.unit.outgoing.flood", kind, *map(str, tls)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def watch(attempt: str, url: str) -> list[str]:
    """What a process that gevent has patched prints: of the attempt, and then True True True if all is well."""
    lines = attempt.splitlines()
    imports = "\n".join(line for line in lines if line.startswith("from "))  # they take time that is not the flood's
    work = "\n".join(line for line in lines if not line.startswith("from "))
    command = [sys.executable, "-c", WATCHED.format(imports=imports, attempt=work), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    return done.stdout.split() or [done.stderr[-2000:]]


def main(kind: str, *tls: str) -> None:
    head, said = _KINDS[kind]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls:
        context.load_cert_chain(*tls)
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        peer, _ = server.accept()
        threading.Thread(target=_serve, args=(peer, context if tls else None, head, said), daemon=True).start()


def _serve(peer: socket.socket, context: ssl.SSLContext | None, head: bytes, said: bytes) -> None:
    with contextlib.suppress(OSError), context.wrap_socket(peer, server_side=True) if context else peer as talking:
        talking.recv(65_536)
        talking.sendall(head)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            talking.sendall(said)


if __name__ == "__main__":
    main(*sys.argv[1:])
