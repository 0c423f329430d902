"""A tenant who means harm: documents and audio from servers that are slow, huge, lying, or lead in circles."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import requests

from tests.chaos.intruder import Account
from tests.chaos.ledger import Ledger
from tests.harness.hostile_web import (
    Server,
    drip,
    endless_gzip,
    fifty_megabytes,
    gzip_bomb,
    head,
    redirect_to,
    saying,
)
from tests.harness.stack import Stack
from tests.harness.web import tone

NUMBERS: Final = ("+15550001000", "+15550010000")
"""Her own people: a tone of 1000 Hz that nobody else may hear, and silence."""

XML: Final = "text/xml"
DOCUMENTS: Final = (
    b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response><Say>&x;</Say></Response>',
    b"<Response>" + b"<Say>" * 5000 + b"</Say>" * 5000 + b"</Response>",
    b"<Response>" + b"<Pause/>" * 10_000 + b"</Response>",
    b"<Response><Redirect/></Response>",
    b'<Response><Say loop="0">' + b"evil " * 800 + b"</Say></Response>",
    b"<Response><Play>file:///etc/passwd</Play><Play>http://169.254.169.254/</Play></Response>",
)


def answers() -> list[Callable[[socket.socket], object]]:
    lying = tone(2700, 1)[:4] + b"\xff\xff\xff\xff" + tone(2700, 1)[8:40] + b"\xff\xff\xff\xff" + bytes(100)
    return [
        drip,
        fifty_megabytes,
        gzip_bomb,
        endless_gzip,
        lambda near: near.recv(1),
        saying(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 9999),
        saying(head("audio/mpeg"), b"ID3", bytes(range(256)) * 400),
        saying(head(), lying),
        *(saying(head(XML, f"Content-Length: {len(document)}"), document) for document in DOCUMENTS),
    ]


@dataclass
class Mallory:
    """One conference of hers in a stack, to which she announces, and with whose people she plays."""

    stack: Stack
    account: Account
    ledger: Ledger

    def __post_init__(self) -> None:
        self._servers = [Server(answer=answer) for answer in answers()]
        loop = Server()
        loop.answer = redirect_to(loop.url)
        self._servers += [loop, Server(answer=redirect_to("http://169.254.169.254/latest/meta-data"))]
        self._urls = itertools.cycle([server.url for server in self._servers])
        self._base = f"{self.stack.base_url}/2010-04-01/Accounts/{self.account.sid}/Conferences"

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def steps(self) -> dict[str, Callable[[], object]]:
        return {"mallory": self.play_with_documents}

    def play_with_documents(self) -> None:
        """Everything that takes a URL gets one; what she is told does not matter, but a 500 is a hole."""
        for number, to in enumerate(NUMBERS):
            if not self._is_in(f"m{number}"):
                self._post(
                    "/mallory/Participants.json",
                    {"From": "+15550009999", "To": to, "Label": f"m{number}", "WaitUrl": next(self._urls)},
                )
        sid = self._conference()
        if not sid:
            return
        self._post(f"/{sid}.json", {"AnnounceUrl": next(self._urls), "AnnounceMethod": "GET"})
        for label in ("m0", "m1"):
            path = f"/{sid}/Participants/{label}.json"
            self._post(path, {"Hold": "true", "HoldUrl": next(self._urls)})
            self._post(path, {"AnnounceUrl": next(self._urls)})
            self._post(path, {"Hold": "false"})

    def _is_in(self, label: str) -> bool:
        sid = self._conference()
        if not sid:
            return False
        url = f"{self._base}/{sid}/Participants/{label}.json"
        return requests.get(url, auth=self.account.auth, timeout=10).status_code == 200

    def _conference(self) -> str:
        """Hers that is in progress, or nothing."""
        given = {"FriendlyName": "mallory", "Status": "in-progress"}
        answer = requests.get(f"{self._base}.json", params=given, auth=self.account.auth, timeout=10)
        found = answer.json().get("conferences", []) if answer.ok else []
        return str(found[0]["sid"]) if found else ""

    def _post(self, path: str, form: dict[str, str]) -> None:
        answer = requests.post(self._base + path, data=form, auth=self.account.auth, timeout=10)
        self.ledger.note("hostile URLs", sum(name.endswith("Url") for name in form))
        if answer.status_code == 500:
            self.ledger.hole(f"500 for POST {path} {sorted(form)}")
