"""Real HTTP and HTTPS servers on any loopback address, which count the connections that they accept."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str]]


class Web:
    def __init__(
        self, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None, **answers: Answer
    ) -> None:
        outer = self
        self.hosts: list[str] = []
        self.accepted: list[Any] = []
        self.answer: Callable[[str], Answer] = lambda path: answers.get(path.strip("/"), (200, {}))

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer.hosts.append(str(self.headers["Host"]))
                status, headers = outer.answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": "2", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
            daemon_threads = True
            request_queue_size = 256

            def get_request(self) -> tuple[Any, Any]:
                accepted, peer = super().get_request()
                outer.accepted.append(peer)
                return accepted, peer

            def handle_error(self, *_: Any) -> None:
                pass  # a client that does not like our certificate goes away

        self._server = Server((address, port), Handler)
        if tls is not None:  # the handshake is the handler thread's, at its first read
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._server.server_port)
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
