"""An event socket client for these tests: gevent's sockets, so that it shares its loop with the sandbox."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event as Signal

PASSWORD = "ClueCon"
DEADLINE_SECONDS = 5.0
_POLL_SECONDS = 0.02
Headers = dict[str, Any]


class Closed(Exception):
    """The sandbox has closed the connection."""


class Client:
    """Sends commands, keeps replies and events in order of arrival; waits have a deadline."""

    def __init__(self, port: int, *, authenticate: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.messages: list[tuple[Headers, str]] = []
        self.events: list[Headers] = []
        self.closed = False
        self._stream = self.socket.makefile("rb")
        self._arrived = Signal()
        self._replies: list[tuple[Headers, str]] = []
        self._reader = gevent.spawn(self._read_all)
        assert self.reply()[0] == {"Content-Type": "auth/request"}
        if authenticate:
            assert self.command(f"auth {PASSWORD}") == "+OK accepted"

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode() + b"\n\n")

    def command(self, text: str) -> str:
        """One command and its answer: the body of an api response, else the Reply-Text."""
        self.send(text)
        headers, body = self.reply()
        return body if headers["Content-Type"] == "api/response" else str(headers["Reply-Text"])

    def api(self, text: str) -> str:
        return self.command(f"api {text}")

    def reply(self) -> tuple[Headers, str]:
        """The next message that is not an event."""
        self._wait(lambda: bool(self._replies) or self.closed, "a reply")
        if not self._replies:
            raise Closed
        return self._replies.pop(0)

    def subscribe(self, names: str = "ALL") -> None:
        assert self.command(f"event json {names}") == "+OK event listener enabled json"

    def originate(self, number: str, application: str = "&park()", variables: str = "") -> str:
        """Dial by bgapi; the channel's uuid."""
        channel_uuid = str(uuid.uuid4())
        given = f"origination_uuid={channel_uuid}" + (f",{variables}" if variables else "")
        reply = self.command(f"bgapi originate {{{given}}}sofia/internal/{number}@phones {application}")
        assert reply.startswith("+OK Job-UUID: ")
        return channel_uuid

    def join(self, number: str, name: str, variables: str = "") -> tuple[str, str]:
        """Dial into a conference; the channel's uuid and the member's id."""
        channel_uuid = self.originate(number, f"&conference({name}@orchestrator)", variables)
        added = self.event("add-member", channel_uuid)
        return channel_uuid, str(added["Member-ID"])

    def event(self, name: str, channel_uuid: str | None = None) -> Headers:
        """The first event of that name (or Action), of that channel if one is given; it may still have to come."""
        found: list[Headers] = []

        def is_there() -> bool:
            found[:] = [event for event in self.events if label(event) == name and _is_of(event, channel_uuid)]
            return bool(found)

        self._wait(is_there, name)
        return found[0]

    def job(self) -> str:
        """What the first BACKGROUND_JOB says."""
        return str(self.event("BACKGROUND_JOB")["_body"])

    def labels(self, channel_uuid: str | None = None, only: set[str] | None = None) -> list[str]:
        """The names (or Actions) of the events so far, in order."""
        labels = [label(event) for event in self.events if _is_of(event, channel_uuid)]
        return [name for name in labels if only is None or name in only]

    def until(self, condition: Callable[[], bool], what: str = "the condition") -> None:
        self._wait(condition, what)

    def close(self) -> None:
        self._reader.kill()
        self.socket.close()

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            came = [label(event) for event in self.events]
            assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s for {what}; there came {came}"
            self._arrived.clear()
            self._arrived.wait(_POLL_SECONDS)

    def _read_all(self) -> None:
        try:
            while True:
                headers, body = self._read()
                self.messages.append((headers, body))
                if headers["Content-Type"] == "text/event-json":
                    self.events.append(json.loads(body))
                else:
                    self._replies.append((headers, body))
                self._arrived.set()
        except (Closed, OSError):
            self.closed = True
            self._arrived.set()

    def _read(self) -> tuple[Headers, str]:
        headers: Headers = {}
        while True:
            line = self._stream.readline()
            if not line:
                raise Closed
            if line == b"\n":
                break
            name, _, value = line.decode().rstrip("\n").partition(": ")
            headers[name] = value
        return headers, self._stream.read(int(headers.get("Content-Length", "0"))).decode()


def label(event: Headers) -> str:
    """What an event is about: its Action, else its name."""
    return str(event.get("Action") or event["Event-Name"])


def _is_of(event: Headers, channel_uuid: str | None) -> bool:
    return channel_uuid is None or event.get("Unique-ID") == channel_uuid
