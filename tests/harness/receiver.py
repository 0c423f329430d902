"""A real HTTP receiver of callbacks that keeps what it gets, and judges it with twilio's own RequestValidator."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twilio.request_validator import RequestValidator

from tests.harness.polling import eventually


@dataclass(frozen=True)
class Received:
    """One request: its parameters, headers, the moment of its arrival, and whether its signature is right."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    at: float
    is_signed: bool

    @property
    def kind(self) -> str:
        """`participant-join`, or `call completed` for call progress."""
        return self.parameters.get("StatusCallbackEvent") or f"call {self.parameters.get('CallStatus')}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@dataclass
class Receiver:
    """Answers 200 to everything; `answer` may be replaced to refuse, or to be slow."""

    auth_token: str
    answer: Callable[[Received], int] = lambda received: 200
    received: list[Received] = field(default_factory=list)
    port: int = 0

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                self._take("POST")

            def do_GET(self) -> None:
                self._take("GET")

            def _take(self, method: str) -> None:
                at = time.time()
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if len(body) < length:  # whoever sent it was killed in the middle
                    self.close_connection = True
                    return
                received = outer._judge(method, self.path, body.decode(), dict(self.headers.items()), at)
                status = outer.answer(received)
                outer.received.append(received)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/callbacks") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def _judge(self, method: str, path: str, body: str, headers: dict[str, str], at: float) -> Received:
        posted = dict(parse_qsl(body, keep_blank_values=True))
        query = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
        signature = headers.get("X-Twilio-Signature") or headers.get("X-SignalWire-Signature", "")
        is_signed = RequestValidator(self.auth_token).validate(self.url(path), posted, signature)
        return Received(method, path, {**query, **posted}, headers, at, is_signed)

    # ------------------------------------------------------------ what tests ask

    def of(self, sid: str) -> list[Received]:
        """What came for one conference or call, in order of arrival, each event once (by its idempotency token)."""
        found: dict[str, Received] = {}
        for received in list(self.received):
            is_call = "CallbackSource" in received.parameters
            wanted = received.parameters.get("CallSid" if is_call else "ConferenceSid")
            if wanted == sid:
                found.setdefault(received.headers["I-Twilio-Idempotency-Token"], received)
        return list(found.values())

    def kinds(self, sid: str) -> list[str]:
        return [received.kind for received in self.of(sid)]

    def await_kind(self, sid: str, kind: str, count: int = 1, seconds: float = 15.0) -> list[Received]:
        """Wait until `count` callbacks of this kind have come for the conference or call."""

        def probe() -> list[Received]:
            found = [received for received in self.of(sid) if received.kind == kind]
            assert len(found) >= count, f"{kind} {len(found)} of {count}; came: {self.kinds(sid)}"
            return found

        return eventually(probe, f"{count} times {kind} for {sid}", seconds)
