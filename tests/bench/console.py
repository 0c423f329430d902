"""The console over 2,000 live conferences of five, while three watch it and the API is asked for mutes; by name only:
making ten thousand calls takes minutes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
from twilio.base.exceptions import TwilioRestException

from orchestrator.store import keys
from tests.bench.hall import channel_of, cpu_seconds
from tests.bench.load import post, requests_per_second
from tests.bench.report import Row, percentile
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Process, Stack, free_port

CONFERENCES, PEOPLE, VIEWERS = 2_000, 5, 3
UPDATES = 60
ROUNDS, SECONDS = 20, 3.0


class Viewer:
    """A browser's stream of the live page."""

    def __init__(self, host: str) -> None:
        name, _, port = host.rpartition(":")
        self._socket = socket.create_connection((name, int(port)))
        self._socket.sendall(f"GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        self._wanted, self._seen = b"", threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def expect(self, text: str) -> threading.Event:
        """Set when the text comes."""
        self._seen.clear()
        self._wanted = text.encode()
        return self._seen

    def _read(self) -> None:
        last = b""
        while data := self._socket.recv(1 << 20):
            if self._wanted and self._wanted in last + data:
                self._seen.set()
            last = data[-len(self._wanted) :] if self._wanted else b""


def measure(stack: Stack) -> list[Row]:
    if stack.switch.name != "sandbox":
        print("console: in the sandbox only, where ten thousand phones cost nothing")
        return []
    stack.switch.api("fsctl max_sessions 20000")
    stack.switch.api("fsctl sps 2000")
    people = _fill(stack)
    host = f"127.0.0.1:{free_port()}"
    console = Process("console", ["console"], stack.environment | {"CONSOLE_BIND": host}, stack.directory)
    console.start()
    try:
        eventually(lambda: "console_starting" in console.log(), "the console is up")
        painted = [_paint(host) for _ in range(5)]
        viewers = [Viewer(host) for _ in range(VIEWERS)]
        with redis.Redis.from_url(stack.environment["REDIS_URL"], decode_responses=True) as store:
            took = [_update(stack, store, viewers[n % VIEWERS], *people[-1 - n]) for n in range(UPDATES)]
        committed, updates = ([row[place] for row in took] for place in (0, 1))
        rates, cpu = _beside(stack, console, people[-50 * PEOPLE :])
    finally:
        console.kill_9()
    ratio = rates["with"] / rates["without"]
    load = f"load {os.getloadavg()[0]:.0f}"
    return [
        Row(f"console, {CONFERENCES:,} conferences of {PEOPLE}: / the first time", painted[0] * 1e3, "ms",
            goal="<= 1000", is_met=painted[0] <= 1),
        Row("console: / afterwards, median", statistics.median(painted[1:]) * 1e3, "ms"),
        Row("console: a mute is committed, 95 of 100", percentile(committed, 0.95) * 1e3, "ms"),
        Row("console: a mute is on the page, median", statistics.median(updates) * 1e3, "ms"),
        Row("console: a mute is on the page, 95 of 100", percentile(updates, 0.95) * 1e3, "ms",
            goal="<= 1000", is_met=percentile(updates, 0.95) <= 1),
        Row(f"console: of a core, {VIEWERS} watch and the API mutes", cpu * 100, "%", goal="< 20", is_met=cpu < 0.2),
        Row(f"mute requests beside it ({load})", rates["with"], "requests/s", rates["without"], "without",
            goal=">= 0.95", is_met=ratio >= 0.95),
    ]  # fmt: skip


def _fill(stack: Stack) -> list[tuple[str, str, str]]:
    """All join; returns ConferenceSid, CallSid and label of each, the last made last."""

    def fill(number: int) -> list[tuple[str, str, str]]:
        participants = stack.client().conferences(f"console {number}").participants
        rows = []
        for place in range(PEOPLE):
            label = f"p{number}x{place}"
            made = eventually(lambda label=label: _create(participants, label), f"{label} is called", 30)  # type: ignore[misc]
            rows.append((made.conference_sid, made.call_sid, label))
        return rows

    with ThreadPoolExecutor(8) as pool:
        people = [row for rows in pool.map(fill, range(CONFERENCES)) for row in rows]
    total = CONFERENCES * PEOPLE
    eventually(lambda: f"{total} total" in stack.switch.api("show channels count"), f"{total} calls are up", 60)
    return people


def _create(participants: Any, label: str) -> Any:
    """None: the node takes no more at the moment."""
    with contextlib.suppress(TwilioRestException):
        return participants.create(from_="+15550009999", to=FarEnd.SILENT, label=label, beep="false")
    return None


def _paint(host: str) -> float:
    began = time.monotonic()
    with urllib.request.urlopen(f"http://{host}/", timeout=10) as answer:
        assert f"{CONFERENCES} conferences, {CONFERENCES * PEOPLE} people".encode() in answer.read()
    return time.monotonic() - began


def _update(stack: Stack, store: Any, viewer: Viewer, sid: str, call_sid: str, label: str) -> tuple[float, float]:
    """From the switch's mute, which it has answered, to the commit, and to the stream."""
    rows = json.loads(stack.switch.api(f"conference {sid} json_list"))[0]["members"]
    member = next(row["id"] for row in rows if row["uuid"] == channel_of(call_sid))
    seen = viewer.expect(f"{label} <em>muted</em>")
    stack.switch.api(f"conference {sid} mute {member}")
    began = time.monotonic()
    eventually(lambda: store.hget(keys.participant(sid, call_sid), "muted") == "1", f"{label} is muted")
    committed = time.monotonic() - began
    assert seen.wait(10), label
    return committed, time.monotonic() - began


def _beside(stack: Stack, console: Process, people: list[tuple[str, str, str]]) -> tuple[dict[str, float], float]:
    """Mute requests a second with the console and while it is frozen, by turns; and its share of a core meanwhile."""
    base = f"/2010-04-01/Accounts/{stack.account_sid}/Conferences"
    auth = (stack.account_sid, stack.auth_token)
    packets = [
        post(stack.bind, f"{base}/{sid}/Participants/{call_sid}.json", {"Muted": word}, auth)
        for word in ("true", "false")
        for sid, call_sid, _ in people
    ]
    rates: dict[str, list[float]] = {"with": [], "without": []}
    spent = lasted = 0.0
    for number in range(ROUNDS):
        for word in ("with", "without") if number % 2 else ("without", "with"):
            if word == "without":
                console.freeze()
            began, before = time.monotonic(), cpu_seconds(console.pid)
            rates[word].append(requests_per_second(stack.bind, packets, SECONDS))
            if word == "with":
                spent += cpu_seconds(console.pid) - before
                lasted += time.monotonic() - began
            console.thaw()
    print("rounds:", {name: [round(rate) for rate in row] for name, row in rates.items()})
    return {name: statistics.fmean(row) for name, row in rates.items()}, spent / lasted
