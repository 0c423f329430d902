"""Attacks by HTTP: connections that are held, requests that are none, others' accounts; and how the API bears it.

The intruder comes from addresses of its own (127.66.0.0/24), so that what is bounded per address does not hit others.
"""

from __future__ import annotations

import itertools
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import requests

from tests.chaos.ledger import Ledger
from tests.harness.stack import Stack

HELD: Final = 1500
OPENED_AT_ONCE: Final = 300
HEALTH_SECONDS: Final = 2.0
SOURCES: Final = [f"127.66.0.{last}" for last in range(1, 21)]

HALVES: Final = (
    b"",
    b"GET /healthz HT",
    b"POST /2010-04-01/Accounts/AC/Conferences.json HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    b"POST /2010-04-01/Accounts/AC/Conferences.json HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nFrom=",
    b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n",
)
"""Ways to begin and not to end; what comes after is a byte now and then."""

MULTIPART: Final = b'--b\r\nContent-Disposition: form-data; name="Label"\r\n\r\n\xff\xfe\r\n--b--\r\n'
BAD_REQUESTS: Final = (
    b"POST {path} HTTP/1.1\r\nHost: x\r\n{auth}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST {path} HTTP/1.1\r\nHost: x\r\n{auth}Transfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n",
    b"POST {path} HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST {path} HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST {path} HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: -1\r\n\r\n",
    b"POST {path} HTTP/1.1\r\nHost: x\r\n{auth}Content-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: " + str(len(MULTIPART)).encode() + b"\r\n\r\n" + MULTIPART,
    b"GET {path} HTTP/1.1\r\nHost: x\r\n{auth}SCRIPT_NAME: /x\r\n\r\n",
    b"GET {path} HTTP/1.1\r\nHost: x\r\n{auth}Script-Name: /2010\r\n\r\n",
    b"GET {path}?PageSize=%ff%fe HTTP/1.1\r\nHost: x\r\n{auth}\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 3000 + b"\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xff\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)


@dataclass
class Account:
    """A tenant with credentials of its own."""

    sid: str
    token: str

    @property
    def auth(self) -> tuple[str, str]:
        return self.sid, self.token

    @property
    def header(self) -> bytes:
        return b"Authorization: Basic " + b64encode(f"{self.sid}:{self.token}".encode()) + b"\r\n"


@dataclass
class Intruder:
    """Attacks one stack. `conferences` are SIDs of the victims', kept up by who runs the round."""

    stack: Stack
    account: Account
    ledger: Ledger
    conferences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._held: list[socket.socket] = []
        self._sources = itertools.cycle(SOURCES)
        self._halves = itertools.cycle(HALVES)
        self._bad = itertools.cycle(BAD_REQUESTS)
        host, _, port = self.stack.bind.rpartition(":")
        self._api = (host, int(port))

    def steps(self) -> dict[str, Callable[[], object]]:
        return {
            "holder": self.hold_connections,
            "talker": self.send_what_is_no_request,
            "trespasser": self.trespass,
            "health": self.look_at_health,
        }

    def close(self) -> None:
        for held in self._held:
            held.close()
        self._held.clear()

    def _connect(self) -> socket.socket:
        return socket.create_connection(self._api, 1.0, (next(self._sources), 0))

    def hold_connections(self) -> None:
        """Some hundreds of connections that say nothing, half of something, or a byte now and then."""
        kept = [held for held in self._held if self._is_open(held)]
        self._held = kept
        for _ in range(min(OPENED_AT_ONCE, HELD - len(kept))):
            opened = self._connect()
            self._held.append(opened)
            opened.sendall(next(self._halves))
            self.ledger.note("connections held")
        for held in self._held[::7]:
            held.setblocking(False)
            try:
                held.send(b"a")
            except OSError:
                continue

    @staticmethod
    def _is_open(held: socket.socket) -> bool:
        held.setblocking(False)
        try:
            if held.recv(1 << 14):
                return True
        except BlockingIOError:
            return True
        except OSError:
            pass
        held.close()
        return False

    def send_what_is_no_request(self) -> None:
        """Each is refused or hung up on, with nothing of ours broken: a 500 is a hole."""
        text = next(self._bad)
        path = f"/2010-04-01/Accounts/{self.account.sid}/Conferences.json".encode()
        with self._connect() as opened:
            opened.sendall(text.replace(b"{path}", path).replace(b"{auth}", self.account.header))
            self.ledger.note("requests that are none")
            answer = opened.recv(1 << 14)
        if answer.startswith(b"HTTP/1.1 500"):
            self.ledger.hole(f"500 for {text[:120]!r}")

    def trespass(self) -> None:
        """Another tenant's paths with own credentials, own paths with another tenant's conferences, guessed tokens."""
        theirs = f"{self.stack.base_url}/2010-04-01/Accounts/{self.stack.account_sid}"
        mine = f"{self.stack.base_url}/2010-04-01/Accounts/{self.account.sid}"
        ours = f"{self.stack.base_url}/v1/Accounts/{self.stack.account_sid}"
        guess = (self.stack.account_sid, "0" * 32)
        asks: list[tuple[str, str, tuple[str, str], dict[str, str]]] = [
            ("GET", f"{theirs}/Conferences.json", self.account.auth, {}),
            ("GET", f"{ours}/Callbacks", self.account.auth, {}),
            ("POST", f"{ours}/Callbacks/Replay", self.account.auth, {}),
            ("GET", f"{theirs}/Conferences.json", guess, {}),
        ]
        for sid in self.conferences[-2:]:
            asks += [
                ("GET", f"{mine}/Conferences/{sid}.json", self.account.auth, {}),
                ("POST", f"{mine}/Conferences/{sid}.json", self.account.auth, {"Status": "completed"}),
                ("GET", f"{mine}/Conferences/{sid}/Participants.json", self.account.auth, {}),
                ("POST", f"{mine}/Conferences/{sid}/Participants/p1.json", self.account.auth, {"Muted": "false"}),
                ("DELETE", f"{mine}/Conferences/{sid}/Participants/p1.json", self.account.auth, {}),
            ]
        for method, url, auth, form in asks:
            answer = requests.request(method, url, auth=auth, data=form, timeout=5)
            self.ledger.note("trespasses")
            if answer.ok or answer.status_code == 500:
                self.ledger.hole(f"{answer.status_code} for {method} {url.replace(self.stack.base_url, '')}")

    def look_at_health(self) -> None:
        """As a load balancer would, which takes a process out that does not answer."""
        began = time.monotonic()
        try:
            status = requests.get(f"{self.stack.base_url}/healthz", timeout=10).status_code
        except requests.RequestException as error:
            self.ledger.hole(f"/healthz: {type(error).__name__}")
            return
        took = time.monotonic() - began
        self.ledger.took(took)
        if took > HEALTH_SECONDS or status != 200:
            self.ledger.hole(f"/healthz answered {status}, or after more than {HEALTH_SECONDS:g} s")
