"""Decides who may use the console, and from where: a token where it is not on loopback, and no other site's pages.

Cookies are SameSite=Strict, and a request that changes something has to come from a page of ours, by what the browser
says of itself (Origin, Sec-Fetch-Site: https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site). Without a
token the Host has to be a name of loopback, so that no name of a stranger's can be made to lead here.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Final, NoReturn
from urllib.parse import urlsplit

import gevent
import structlog
from flask import Request, Response, redirect, request

from orchestrator.errors import ApiError

COOKIE: Final = "orchestrator_console"
SESSION_SECONDS: Final = 12 * 3600
WRONG_SECONDS = 1.0
LOGGED_SECONDS: Final = 10.0
MOST_ADDRESSES: Final = 1_000
MOST_WAITING: Final = 100
"""Most wrong tokens that wait for their answer, which holds a connection: more are refused at once."""

OPEN: Final = ("/healthz", "/readyz", "/login")
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send Origin: null with our own forms
    "Cache-Control": "no-store",
}

log = structlog.get_logger("console")


class NotFromHere(ApiError):
    """The request comes from another site's page, or by a name that is not ours."""

    code, http_status = 20403, 403


class TokenWrong(ApiError):
    """CONSOLE_TOKEN is needed."""

    code, http_status = 20003, 401


class Door:
    """Lets requests in. `token`: CONSOLE_TOKEN; empty on loopback only."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._waiting = 0
        self._tries: dict[str, tuple[float, int]] = {}

    def check(self, asked: Request) -> Response | None:
        """Let a request in (None), or lead a person without a session to the login. Raises NotFromHere, TokenWrong."""
        if not self._token and urlsplit(f"//{asked.host}").hostname not in LOOPBACK:
            raise NotFromHere("Without CONSOLE_TOKEN the console answers to a name of loopback only")
        if asked.method not in ("GET", "HEAD"):
            self._check_origin(asked)
        if not self._token or asked.path in OPEN or asked.path.startswith("/static/") or self._knows(asked):
            return None
        if asked.method == "GET" and "text/html" in asked.headers.get("Accept", ""):
            return redirect("/login", 303)  # type: ignore[return-value]  # werkzeug's Response, which Flask takes
        raise TokenWrong("CONSOLE_TOKEN is needed: as a bearer token, or by the login")

    @staticmethod
    def _check_origin(asked: Request) -> None:
        """Refuse what another site's page sends. What is no browser sends neither header, and has no cookie that
        another could use."""
        origin, site = asked.headers.get("Origin"), asked.headers.get("Sec-Fetch-Site", "none")
        if (origin is not None and urlsplit(origin).netloc != asked.host) or site not in ("same-origin", "none"):
            raise NotFromHere("The request comes from another site")

    def _knows(self, asked: Request) -> bool:
        scheme, _, given = asked.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(given) or self._refuse(asked)
        until, _, signed = asked.cookies.get(COOKIE, "").partition(".")
        if not until.isdigit() or int(until) < time.time():
            return False
        return hmac.compare_digest(signed, self._sign(until))

    def login(self, given: str) -> Response:
        """Open a session for whoever knows the token. Raises TokenWrong, after a second."""
        if not self._token or not self._is_token(given):
            self._refuse(request)
        answer = Response(status=303, headers={"Location": "/"})
        until = str(int(time.time()) + SESSION_SECONDS)
        value = f"{until}.{self._sign(until)}"
        answer.set_cookie(
            COOKIE, value, max_age=SESSION_SECONDS, httponly=True, samesite="Strict", secure=_by_tls(request)
        )
        log.info("console_login", address=request.remote_addr)
        return answer

    def _refuse(self, asked: Request) -> NoReturn:
        """Raise TokenWrong, after a second; an address that goes on trying is logged once in LOGGED_SECONDS."""
        address, now = asked.remote_addr or "?", time.monotonic()
        logged_at, since = self._tries.get(address, (float("-inf"), 0))
        if now >= logged_at + LOGGED_SECONDS:
            log.warning("console_token_refused", address=address, before=since)
            logged_at, since = now, -1
        if len(self._tries) >= MOST_ADDRESSES:
            self._tries.clear()
        self._tries[address] = (logged_at, since + 1)
        if self._waiting < MOST_WAITING:
            self._waiting += 1
            try:
                gevent.sleep(WRONG_SECONDS)
            finally:
                self._waiting -= 1
        raise TokenWrong("This is not CONSOLE_TOKEN")

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(_digest(given), _digest(self._token))

    def _sign(self, until: str) -> str:
        """Sign the end of a session with a key that only who knows the token has: a new token ends all sessions."""
        return hmac.new(self._token.encode(), until.encode(), hashlib.sha256).hexdigest()


def _by_tls(asked: Request) -> bool:
    """Return whether the browser uses TLS, also where it is a proxy that speaks it; whoever claims it in vain does
    without a session."""
    return asked.is_secure or asked.headers.get("X-Forwarded-Proto") == "https"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
