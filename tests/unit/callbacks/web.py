"""A real HTTP server that answers as a test wants it to, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from orchestrator.callbacks.entry import Entry

TOKEN = "a" * 32


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body, keep_blank_values=True))


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Web:
    def __init__(self, answer: Callable[[Asked], Answer] = lambda asked: Answer()) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.was_cut_off = threading.Event()
        self.see_names: Callable[[list[str]], object] = lambda names: None
        """Gets the names of each request's headers as they are spelt."""

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                headers = {name.title(): value for name, value in self.headers.items()}
                # `path` has lost what the standard library takes for a mistake.
                headers["X-Request-Target"] = self.requestline.split(" ")[1]
                asked = Asked(self.command, self.path, headers, body)
                outer.see_names(list(self.headers.keys()))
                answer = outer.answer(asked)
                outer.asked.append(asked)
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(answer.body)
                except ConnectionError:  # who has heard enough hangs up
                    outer.was_cut_off.set()

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/callbacks", userinfo: str = "") -> str:
        return f"http://{userinfo}127.0.0.1:{self.port}{path}"


def an_entry(url: str, method: str = "POST", **values: Any) -> Entry:
    settings: dict[str, Any] = {
        "token": "token-1",
        "account_sid": "AC" + "1" * 32,
        "conference_sid": "CF" + "1" * 32,
        "call_sid": "CA" + "1" * 32,
        "kind": "participant-join",
        "url": url,
        "method": method,
        "parameters": (("FriendlyName", "Ünï & co=1"), ("CallSid", "CA1"), ("Empty", "")),
        "planned_at": 1_000.0,
    }
    return Entry(**{**settings, **values})
