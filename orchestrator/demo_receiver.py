"""The receiver of `orchestrator up`: prints every callback that arrives, and whether its signature is right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from gevent.pywsgi import WSGIServer

from orchestrator.dialects.twilio.signature import sign

MAX_BODY = 64 * 1024


class DemoReceiver:
    """Listens on loopback, on the port that `kept` names: the last callbacks of yesterday go there. On another, which
    is then kept, if that is taken. `show` gets one line for each callback."""

    def __init__(self, auth_token: str, show: Callable[[str], object], kept: Path) -> None:
        self._auth_token = auth_token
        self._show = show
        self._kept = kept

    def start(self) -> None:
        """Start listening."""
        try:
            self._listen(int(self._kept.read_text()))
        except (OSError, ValueError, OverflowError):
            self._listen(0)
        self._kept.write_text(str(self._server.server_port))

    def _listen(self, port: int) -> None:
        self._server = WSGIServer(("127.0.0.1", port), self._serve, log=None)
        self._server.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.stop()

    @property
    def url(self) -> str:
        """Return the URL at which it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/callbacks"

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        length = min(int(environ.get("CONTENT_LENGTH") or 0), MAX_BODY)
        pairs = parse_qsl(environ["wsgi.input"].read(length).decode(), keep_blank_values=True)
        given = environ.get("HTTP_X_TWILIO_SIGNATURE") or environ.get("HTTP_X_SIGNALWIRE_SIGNATURE")
        right = given == sign(self._auth_token, self.url, pairs)
        self._show(_line(dict(pairs), "signature ok" if right else "SIGNATURE WRONG"))
        start_response("204 No Content", [])
        return [b""]


def _line(parameters: dict[str, str], verdict: str) -> str:
    """One line; `!r` keeps what came over the network from writing to the terminal."""
    kind = parameters.get("StatusCallbackEvent") or f"call {parameters.get('CallStatus', '?')}"
    names = ("SequenceNumber", "ParticipantLabel", "Muted", "ReasonParticipantLeft", "ReasonConferenceEnded")
    rest = " ".join(f"{name}={parameters[name]!r}" for name in names if name in parameters)
    return f"callback {kind!r} {rest} CallSid={parameters.get('CallSid', '-')!r} {verdict}"
