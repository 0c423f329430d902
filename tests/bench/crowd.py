"""Admission of a late joiner while more and more conferences are on the node: a join must not cost more for them.

Every other conference has one silent phone and is made through the API, so our processes know it as well as the switch
does. Beside each figure, at the same moment on the same node: a bare client in a conference of the same size, which
says how much of the growth is the machine's, for phones and mixers take their share of it.
"""

from __future__ import annotations

import json
import os
import time
import uuid

from tests.bench.hall import Bare, Hall, Watch, channel_of, idle_seconds, joins, joins_bare
from tests.bench.report import Row, percentile
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import RealSwitch, Stack

OTHERS = (1, 50, 100)
"""A mixer and a phone each: with 200 of them two cores have no time left, and that is all one would measure."""
JOINERS = 30
MOST_GROWTH = 1.5
"""Beyond what the bare client's figure grows by itself."""


def measure(stack: Stack, counts: tuple[int, ...] = OTHERS) -> list[Row]:
    """The middle of JOINERS at each size, ours and the bare client's in turn."""
    if not isinstance(stack.switch, RealSwitch):
        print("crowd: needs a real FreeSWITCH")
        return []
    hall, client, others = Hall(stack), stack.client(), 0
    hall.fill(2)
    watch = Watch(stack)
    coach = hall.add(coaching=True, call_sid_to_coach=hall.people[0])
    watch.at(channel_of(coach), "undeaf-member")
    room = f"bare-{uuid.uuid4().hex}"
    bare = Bare(stack, room)
    bare_coach = _bare_room(stack, bare, watch, room)
    own, floor, idle = [], [], []
    for count in counts:
        for _ in range(others, count):
            participants = client.conferences(f"other {uuid.uuid4().hex}").participants
            participants.create(from_="+15550009999", to=FarEnd.SILENT, beep="false")
        others = count
        eventually(lambda: _conferences(stack) >= count + 2, f"{count} conferences beside ours", 60)  # noqa: B023
        took, took_bare = [], []
        before, started = idle_seconds(), time.monotonic()
        for _ in range(JOINERS):
            took.append(joins(hall, watch))
            took_bare.append(joins_bare(bare, watch, bare_coach))
        idle.append((idle_seconds() - before) / (time.monotonic() - started) / (os.cpu_count() or 1))
        own.append(took)
        floor.append(took_bare)
    bare.stop()
    watch.close()
    rows = [_row(*each) for each in zip(counts, idle, own, floor, strict=True)]
    growth, bare_growth = (percentile(each[-1], 0.5) / percentile(each[0], 0.5) for each in (own, floor))
    what = f"growth from {counts[0]} to {counts[-1]} conferences"
    is_met = growth <= MOST_GROWTH * bare_growth
    return [*rows, Row(what, growth, "x", bare_growth, "bare's growth", f"<= {MOST_GROWTH:g}", is_met)]


def _row(count: int, idle: float, own: list[float], floor: list[float]) -> Row:
    what = f"joins beside {count}, idle {idle:.0%}, p50 ({min(own):.1f} to {max(own):.1f})"
    return Row(what, percentile(own, 0.5), "ms", percentile(floor, 0.5), f"bare ({min(floor):.1f} to {max(floor):.1f})")


def _bare_room(stack: Stack, bare: Bare, watch: Watch, room: str) -> int:
    """Three people, the last of whom nobody but the first hears; returns the coach's member id."""
    channels = [bare.add(lambda member: [f"unmute {member}", f"undeaf {member}"])]
    watch.at(channels[0], "undeaf-member")
    for _ in range(2):
        channels.append(bare.add(lambda member: [f"unmute {member}", f"undeaf {member}"]))
        watch.at(channels[-1], "undeaf-member")
    ids = [watch.member_of(channel) for channel in channels]
    stack.switch.api(f"conference {room} relate {ids[1]} {ids[2]} nohear")
    return ids[2]


def _conferences(stack: Stack) -> int:
    text = stack.switch.api("conference json_list")
    return len(json.loads(text)) if text.startswith("[") else 0
