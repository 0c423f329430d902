"""A web server of a tenant's: documents, audio, and what can be wrong with them. Keeps what was asked of it."""

from __future__ import annotations

import io
import math
import threading
import time
import wave
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, str, bytes]
"""Status, Content-Type, body."""


def tone(hz: int, seconds: float, rate: int = 16_000) -> bytes:
    """A WAV file with a tone of -20 dBFS."""
    step = 2 * math.pi * hz / rate
    samples = array("h", (round(3277 * math.sin(step * index)) for index in range(int(rate * seconds))))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]


@dataclass
class Web:
    """`put` says what a path answers; a path that nobody put is a 404."""

    pages: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    """Path -> Location, beside its answer."""
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self._answer("POST")

            def do_GET(self) -> None:
                self._answer("GET")

            def _answer(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                parts = urlsplit(self.path)
                given = dict(parse_qsl(parts.query, keep_blank_values=True) + parse_qsl(body, keep_blank_values=True))
                outer.asked.append(Asked(method, parts.path, given, dict(self.headers.items())))
                status, kind, content = outer.pages.get(parts.path, lambda: (404, "text/plain", b"nothing here"))()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if parts.path in outer.redirects:
                    self.send_header("Location", outer.redirects[parts.path])
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                try:
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def put(self, path: str, content: bytes | str, kind: str = "", after_seconds: float = 0) -> str:
        """Answer `content` at `path`, late if asked to; returns the URL. Text is TwiML, bytes are a WAV file."""
        body = content.encode() if isinstance(content, str) else content
        kind = kind or ("text/xml" if isinstance(content, str) else "audio/wav")

        def answer() -> Answer:
            time.sleep(after_seconds)  # the server that a test is about is slow
            return 200, kind, body

        self.pages[path] = answer
        return self.url(path)

    def put_tone(self, hz: int, seconds: float) -> str:
        """A WAV file with a tone; returns its URL."""
        return self.put(f"/{hz}-{seconds}.wav", tone(hz, seconds))

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked.path == path for asked in self.asked)
