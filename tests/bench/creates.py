"""Participants created a second by one API process, until the switch has dialled the last, beside a bare Flask route
that only sends a command. Whoever is called is busy, so that calls do not add up; what follows them costs as well."""

from __future__ import annotations

import re
import time

from tests.bench.bare import bare_route
from tests.bench.load import post, requests_per_second
from tests.bench.report import Row
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack

SECONDS = 5.0
CONFERENCES = 64
NO_LIMIT = 1_000_000
"""Sessions, at once and a second: what one node takes is not what is measured."""


def measure(stack: Stack) -> list[Row]:
    """The route, creates, and again: the better round of each counts."""
    for limit in ("max_sessions", "sps"):
        stack.switch.api(f"fsctl {limit} {NO_LIMIT}")
    own, floor = [], []
    with bare_route(stack) as host:
        mute = post(host, "/nobody/1", {"Muted": "true"})
        for _ in range(2):
            floor.append(requests_per_second(host, [mute], SECONDS))
            own.append(_created_and_dialled(stack))
    accepted, dialled = max(own)
    name = "a bare Flask route"
    return [
        Row("creates accepted, one API process", accepted, "requests/s", max(floor), name),
        Row("creates accepted and dialled", dialled, "calls/s", max(floor), name),
    ]


def _created_and_dialled(stack: Stack) -> tuple[float, float]:
    """How many a second were accepted, and how many dialled until the last of them was."""
    before, began = _sessions(stack), time.monotonic()
    accepted = requests_per_second(stack.bind, _packets(stack), SECONDS)
    eventually(lambda: _sessions(stack) - before >= int(accepted * SECONDS), "all are dialled", seconds=60)
    return accepted, (_sessions(stack) - before) / (time.monotonic() - began)


def _packets(stack: Stack) -> list[bytes]:
    base = f"/2010-04-01/Accounts/{stack.account_sid}/Conferences"
    form = {"From": "+15550009999", "To": FarEnd.BUSY}
    auth = (stack.account_sid, stack.auth_token)
    return [post(stack.bind, f"{base}/creates{n}/Participants.json", form, auth) for n in range(CONFERENCES)]


def _sessions(stack: Stack) -> int:
    found = re.search(r"(\d+) session\(s\) since startup", stack.switch.api("status"))
    assert found is not None
    return int(found[1])
