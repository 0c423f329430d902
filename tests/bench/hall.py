"""A conference of many silent phones, what the switch says of it, and a bare event socket client that admits people."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twilio.base.exceptions import TwilioRestException

from orchestrator.freeswitch.client import NUDGE_SECONDS
from orchestrator.freeswitch.commands import MOST_RELATED
from tests.harness.freeswitch import EslSocket, FarEnd, FreeSwitchError
from tests.harness.polling import eventually
from tests.harness.stack import Stack

PROBE_SECONDS = 0.001
"""How late a `Watch` is at most; see tests/bench/latency.py."""

TICKS = os.sysconf("SC_CLK_TCK")


class Watch(EslSocket):
    """Notes when each channel's conference events arrive, on a socket that never sleeps. The switch's own time stamps
    tick in steps of 20 ms. `on_added` is called with the channel's UUID and the new member's id."""

    def __init__(
        self, stack: Stack, on_added: Callable[[str, int], None] | None = None, nudge_seconds: float = PROBE_SECONDS
    ) -> None:
        super().__init__(stack.switch.esl_port, stack.switch.password, timeout_seconds=600)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or the nudges are held back
        self._seen: dict[tuple[str, str], float] = {}
        self._members: dict[str, int] = {}
        self._on_added = on_added
        self._nudge_seconds = nudge_seconds
        self.command("event json CUSTOM conference::maintenance")
        for work in (self._follow, self._nudge):
            threading.Thread(target=work, daemon=True).start()

    def at(self, channel: str, action: str, seconds: float = 20) -> float:
        """When this first came, by time.monotonic; waits for it."""
        return eventually(lambda: self._seen.get((channel, action)), f"{action} of {channel}", seconds) or 0.0

    def between(self, channel: str, first: str, second: str) -> float:
        """Milliseconds from one event to the other, once both have come."""
        return (self.at(channel, second) - self.at(channel, first)) * 1000

    def member_of(self, channel: str) -> int:
        """The member's id, once they have been added."""
        self.at(channel, "add-member")
        return self._members[channel]

    def _follow(self) -> None:
        with suppress(OSError, FreeSwitchError, ValueError):
            while True:
                _, body = self.read()
                at = time.monotonic()
                event = json.loads(body)
                channel, action = event.get("Unique-ID", ""), event.get("Action", "")
                if action == "add-member":
                    self._members[channel] = int(event["Member-ID"])
                self._seen.setdefault((channel, action), at)
                if action == "add-member" and self._on_added is not None:
                    self._on_added(channel, self._members[channel])

    def _nudge(self) -> None:
        with suppress(OSError):
            while True:
                self._socket.sendall(b"\n")
                time.sleep(self._nudge_seconds)


class Bare:
    """Dials somebody into a conference, muted and deaf as everybody joins; when they have been added it sends
    `commands`, made of the member's id, one after the other, each once the one before is answered. No state, no Redis;
    nudged as often as our own client is."""

    def __init__(self, stack: Stack, conference: str) -> None:
        self._route = stack.switch.outbound_route
        self._conference = conference
        self._commands: Callable[[int], list[str]] = lambda _: []
        self._connection = EslSocket(stack.switch.esl_port, stack.switch.password)
        self._dialling = EslSocket(stack.switch.esl_port, stack.switch.password)
        self._mine: set[str] = set()
        self._watch = Watch(stack, self._admit, NUDGE_SECONDS)

    def add(self, commands: Callable[[int], list[str]]) -> str:
        """Returns the channel's UUID at once."""
        channel = str(uuid.uuid4())
        self._commands = commands
        self._mine.add(channel)
        variables = f"origination_uuid={channel},conference_member_flags=mute|deaf"
        destination = self._route.replace("{number}", FarEnd.SILENT)
        self._dialling.command(
            f"bgapi originate {{{variables}}}{destination} conference:{self._conference}@orchestrator inline"
        )
        return channel

    def _admit(self, channel: str, member_id: int) -> None:
        if channel in self._mine:
            for command in self._commands(member_id):
                self._connection.command(f"api conference {self._conference} {command}")

    def remove(self, channel: str) -> None:
        self._dialling.command(f"api uuid_kill {channel}")

    def stop(self) -> None:
        for connection in (self._watch, self._connection, self._dialling):
            connection.close()


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

    def relations(self) -> set[tuple[int, int]]:
        """All (listener, speaker) of whom the switch says that the one does not hear the other."""
        return {(int(a), int(b)) for a, b in re.findall(r"(\d+) -> (\d+) \S+ NOHEAR", self.api("relate 0"))}

    def kept_apart(self, coach: str, coached: str) -> set[tuple[int, int]]:
        """What `relations` ought to be."""
        ids = self.members()
        return {(ids[other], ids[coach]) for other in ids if other not in {coach, coached}}

    def api(self, command: str) -> str:
        return self._connection.command(f"api conference {self.conference_sid} {command}")


def lists_of(members: list[str]) -> list[str]:
    """As one command each may hold them."""
    return [",".join(members[start : start + MOST_RELATED]) for start in range(0, len(members), MOST_RELATED)]


def channel_of(call_sid: str) -> str:
    return str(uuid.UUID(call_sid[2:]))


def idle_seconds() -> float:
    """Of all processors together, since the machine started."""
    words = Path("/proc/stat").read_text().split("\n")[0].split()
    return (int(words[4]) + int(words[5])) / TICKS


def joins(hall: Hall, watch: Watch) -> float:
    """From add-member to hearing the conference, in ms; they leave again."""
    joiner = hall.add()
    took = watch.between(channel_of(joiner), "add-member", "undeaf-member")
    hall.remove(joiner)
    return took


def joins_bare(bare: Bare, watch: Watch, coach: int) -> float:
    """The same with the same commands and without the orchestrator."""
    channel = bare.add(lambda member: [f"relate {member} {coach} nohear", f"unmute {member}", f"undeaf {member}"])
    took = watch.between(channel, "add-member", "undeaf-member")
    bare.remove(channel)
    watch.at(channel, "del-member")
    return took
