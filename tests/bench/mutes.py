"""Mute requests a second of one API process, against a bare Flask route that only sends the same ESL command."""

from __future__ import annotations

import re

from tests.bench.bare import bare_route
from tests.bench.load import post, requests_per_second
from tests.bench.redis_cpu import redis_cpu
from tests.bench.report import Row
from tests.harness.freeswitch import FarEnd
from tests.harness.stack import Stack

SECONDS = 5.0
GOAL = 0.6


def measure(stack: Stack) -> list[Row]:
    """Both in turn, twice, with the whole service running: the better round of each counts."""
    settings = stack.call_settings(conference_status_callback_event=["start", "end", "join", "leave"])
    participants = stack.client().conferences("bench").participants
    created = [participants.create(to=FarEnd.ANSWERS, **settings) for _ in range(8)]
    sid = created[0].conference_sid
    stack.receiver.await_kind(sid, "participant-join", 8)
    members = re.findall(r'"id":\s*(\d+)', stack.switch.api(f"conference {sid} json_list"))
    calls = [call.call_sid for call in created]
    own, floor = [], []
    with bare_route(stack) as host:
        for _ in range(2):
            floor.append(requests_per_second(host, _bare_packets(host, sid, members), SECONDS))
            used = redis_cpu(stack.environment["REDIS_URL"])
            own.append(requests_per_second(stack.bind, _own_packets(stack, sid, calls), SECONDS))
            used = redis_cpu(stack.environment["REDIS_URL"]) - used
            print(f"  Redis used {used / own[-1] / SECONDS * 1e6:.0f} us of CPU for a mute, its event included")
    ratio = max(own) / max(floor)
    return [
        Row(
            "mute requests, one API process",
            max(own),
            "requests/s",
            max(floor),
            "a bare Flask route",
            f">= {GOAL}",
            ratio >= GOAL,
        )
    ]


def _own_packets(stack: Stack, sid: str, calls: list[str]) -> list[bytes]:
    base = f"/2010-04-01/Accounts/{stack.account_sid}/Conferences/{sid}/Participants"
    auth = (stack.account_sid, stack.auth_token)
    return [
        post(stack.bind, f"{base}/{call}.json", {"Muted": word}, auth) for word in ("true", "false") for call in calls
    ]


def _bare_packets(host: str, sid: str, members: list[str]) -> list[bytes]:
    return [post(host, f"/{sid}/{member}", {"Muted": word}) for word in ("true", "false") for member in members]
