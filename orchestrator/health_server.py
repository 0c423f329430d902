"""`/healthz` and `/readyz` of a process that serves nothing else. Its loop answers: one that hangs does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gevent.pywsgi import WSGIServer

from orchestrator.health import Readiness

StatusAndText = tuple[str, str]


def answer(path: str, readiness: Readiness) -> StatusAndText | None:
    """Return status and text of a health path; None if it is none."""
    if path == "/healthz":
        return "200 OK", "ok\n"
    if path == "/readyz":
        problems = readiness.problems()
        return ("503 Service Unavailable", "\n".join(problems) + "\n") if problems else ("200 OK", "ready\n")
    return None


def serve(bind: str, readiness: Readiness) -> WSGIServer:
    """Begin to answer at host:port, beside whatever the process does."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, text = answer(environ["PATH_INFO"], readiness) or ("404 Not Found", "not found\n")
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode()]

    host, _, port = bind.rpartition(":")
    server = WSGIServer((host.strip("[]"), int(port)), application, log=None, error_log=None)
    server.start()
    return server
