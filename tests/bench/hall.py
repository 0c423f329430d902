"""A conference of many silent phones, and what the switch says of it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from twilio.base.exceptions import TwilioRestException

from tests.harness.freeswitch import EslSocket, FarEnd, FreeSwitchError
from tests.harness.polling import eventually
from tests.harness.stack import Stack

PROBE_SECONDS = 0.001
"""How late a `Watch` is at most; see tests/bench/latency.py."""

TICKS = os.sysconf("SC_CLK_TCK")


class Watch(EslSocket):
    """Notes when each channel's conference events arrive, on a socket that never sleeps. The switch's own time stamps
    tick in steps of 20 ms."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack.switch.esl_port, stack.switch.password, timeout_seconds=600)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or the nudges are held back
        self._seen: dict[tuple[str, str], float] = {}
        self.command("event json CUSTOM conference::maintenance")
        for work in (self._follow, self._nudge):
            threading.Thread(target=work, daemon=True).start()

    def at(self, channel: str, action: str, seconds: float = 20) -> float:
        """When this first came, by time.monotonic; waits for it."""
        return eventually(lambda: self._seen.get((channel, action)), f"{action} of {channel}", seconds) or 0.0

    def _follow(self) -> None:
        with suppress(OSError, FreeSwitchError, ValueError):
            while True:
                _, body = self.read()
                at = time.monotonic()
                event = json.loads(body)
                channel, action = event.get("Unique-ID", ""), event.get("Action", "")
                self._seen.setdefault((channel, action), at)

    def _nudge(self) -> None:
        with suppress(OSError):
            while True:
                self._socket.sendall(b"\n")
                time.sleep(PROBE_SECONDS)


class Hall:
    """A conference made through the API. `people` are the CallSids of those who were added and not removed."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.people: list[str] = []
        self.conference_sid = ""
        self._name = f"hall {uuid.uuid4().hex}"
        self._client = stack.client()
        self._connection = EslSocket(stack.switch.esl_port, stack.switch.password)

    def add(self, **settings: Any) -> str:
        """Returns the CallSid when the API has answered."""
        settings = {"from_": "+15550009999", "to": FarEnd.SILENT, "beep": "false"} | settings
        created = self._client.conferences(self._name).participants.create(**settings)
        self.conference_sid = created.conference_sid
        self.people.append(created.call_sid)
        return str(created.call_sid)

    def fill(self, count: int) -> None:
        """Until there are `count` people, and all hear the conference."""
        while len(self.people) < count:
            self.add()
        eventually(lambda: len(self.members(hearing=True)) == count, f"{count} people hear the conference", 60)

    def update(self, call_sid: str, **changes: Any) -> None:
        self._client.conferences(self.conference_sid).participants(call_sid).update(**changes)

    def remove(self, call_sid: str) -> None:
        """Returns when they are no member any more. On a full machine the answer is "try again", and it happens."""
        try:
            self._client.conferences(self.conference_sid).participants(call_sid).delete()
        except TwilioRestException as error:
            if error.status != 503:
                raise
        self.people.remove(call_sid)
        eventually(lambda: call_sid not in self.members(), "they have left")

    def members(self, hearing: bool = False) -> dict[str, int]:
        """CallSid -> member id; only those who hear and are heard if `hearing`."""
        text = self.api("json_list")
        rows = json.loads(text)[0]["members"] if text.startswith("[") else []
        return {
            "CA" + row["uuid"].replace("-", ""): row["id"]
            for row in rows
            if not hearing or (row["flags"]["can_hear"] and row["flags"]["can_speak"])
        }

    def has(self, *channels: str) -> bool:
        """Whether the switch has all of them."""
        return all(self._connection.command(f"api uuid_exists {channel}") == "true" for channel in channels)

    def raw(self, command: str) -> str:
        """Any command, on a connection that waits for each answer."""
        return self._connection.command(f"api {command}")

    def api(self, command: str) -> str:
        return self._connection.command(f"api conference {self.conference_sid} {command}")


def channel_of(call_sid: str) -> str:
    return str(uuid.UUID(call_sid[2:]))


def cpu_seconds(pid: int) -> float:
    """Of a process, until now."""
    return seconds_in(Path(f"/proc/{pid}/stat"))


def seconds_in(path: Path) -> float:
    """utime and stime of a `stat`; the name before them may hold spaces."""
    words = path.read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def idle_seconds() -> float:
    """Of all processors together, since the machine started."""
    words = Path("/proc/stat").read_text().split("\n")[0].split()
    return (int(words[4]) + int(words[5])) / TICKS
