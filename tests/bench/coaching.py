"""Coaching in a conference of 200: how long until the coached hears the coach, beside the same commands on a bare event
socket once our processes have been killed. What it costs the mixer: tests/bench/mixer.py.
"""

from __future__ import annotations

import time
import uuid

from orchestrator.freeswitch.coach_mark import MarkCoach
from orchestrator.freeswitch.commands import MuteMember
from orchestrator.freeswitch.dial_string import PROFILE
from orchestrator.freeswitch.whisper import StartWhisper, Whisper
from orchestrator.sids import call_sid_of
from tests.bench.hall import Hall, Watch, channel_of
from tests.bench.report import Row, percentile
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import RealSwitch, Stack

PEOPLE = 200
ROUNDS = 15
MOST_TIMES = 3.0
"""Whatever we add to what the switch itself needs."""


def measure(stack: Stack) -> list[Row]:
    """Ours first, then the floors; the middle of all rounds counts, and p99 of the joiners."""
    if not isinstance(stack.switch, RealSwitch):
        print("coaching: needs a real FreeSWITCH")
        return []
    hall = Hall(stack)
    hall.fill(PEOPLE)
    watch = Watch(stack)
    updates = [_update(hall) for _ in range(ROUNDS)]
    coaches = [_coach_joins(hall) for _ in range(ROUNDS)]
    hall.add(coaching=True, call_sid_to_coach=hall.people[0])
    joiners = [_joins(hall, watch) for _ in range(ROUNDS)]
    for process in (stack.api, stack.listener, *stack.workers):
        process.kill_9()
    bare_updates = [_update_bare(hall) for _ in range(ROUNDS)]
    bare_coaches = [_joins_bare(hall, watch, True) for _ in range(ROUNDS)]
    bare_joiners = [_joins_bare(hall, watch, False) for _ in range(ROUNDS)]
    watch.close()
    return [
        _row(f"a coach by an update among {PEOPLE}: request to whisper, p50", updates, bare_updates, MOST_TIMES),
        _row(f"a coach joins {PEOPLE}: request to whisper, p50", coaches, bare_coaches, MOST_TIMES),
        _row("late joiner: request to hearing, p50", joiners, bare_joiners, MOST_TIMES),
        _row("late joiner: request to hearing, p99", joiners, bare_joiners, share=0.99),
    ]


def _row(what: str, own: list[float], floor: list[float], most: float | None = None, share: float = 0.5) -> Row:
    value, against = percentile(own, share), percentile(floor, share)
    spread = f"{what} ({min(own):.1f} to {max(own):.1f})"
    floor_is = f"bare ({min(floor):.1f} to {max(floor):.1f})"
    goal = "" if most is None else f"<= {most:g}"
    return Row(spread, value, "ms", against, floor_is, goal, None if most is None else value <= most * against)


def _since(started: float) -> float:
    return (time.monotonic() - started) * 1000


def _update(hall: Hall) -> float:
    """From the request to its answer, when the pair is up."""
    coached, coach = hall.people[:2]
    started = time.monotonic()
    hall.update(coach, coaching=True, call_sid_to_coach=coached)
    took = _since(started)
    pair = Whisper(hall.conference_sid, coach, coached).channel_uuid
    assert hall.has(pair)
    hall.update(coach, coaching=False)
    eventually(lambda: not hall.has(pair), "the pair has ended")
    return took


def _update_bare(hall: Hall) -> float:
    coached, coach = hall.people[:2]
    pair, member = Whisper(hall.conference_sid, coach, coached), hall.members()[coach]
    started = time.monotonic()
    for command in (
        MarkCoach(channel_of(coach), True), MuteMember(hall.conference_sid, member, True), StartWhisper(pair)
    ):  # fmt: skip
        hall.raw(command.render())
    took = _since(started)
    hall.raw(f"uuid_kill {pair.channel_uuid}")
    hall.raw(MuteMember(hall.conference_sid, member, False).render())
    eventually(lambda: not hall.has(pair.channel_uuid), "the pair has ended")
    return took


def _coach_joins(hall: Hall) -> float:
    """From the request to the pair; they leave again."""
    started = time.monotonic()
    coach = hall.add(coaching=True, call_sid_to_coach=hall.people[0])
    pair = Whisper(hall.conference_sid, coach, hall.people[0]).channel_uuid
    while not hall.has(pair):
        time.sleep(0.001)
    took = _since(started)
    hall.remove(coach)
    return took


def _joins(hall: Hall, watch: Watch) -> float:
    """From the request to the moment at which somebody is a member, who hears from then on; they leave again."""
    started = time.monotonic()
    joiner = hall.add()
    took = (watch.at(channel_of(joiner), "add-member") - started) * 1000
    hall.remove(joiner)
    return took


def _joins_bare(hall: Hall, watch: Watch, as_coach: bool) -> float:
    """The same without the orchestrator."""
    channel, route = str(uuid.uuid4()), hall.stack.switch.outbound_route
    flags = ",conference_member_flags=mute" if as_coach else ""
    destination = route.replace("{number}", FarEnd.SILENT)
    started = time.monotonic()
    hall.raw(
        f"bgapi originate {{origination_uuid={channel}{flags}}}{destination} "
        f"conference:{hall.conference_sid}@{PROFILE} inline"
    )
    took = (watch.at(channel, "add-member") - started) * 1000
    if as_coach:
        hall.raw(StartWhisper(Whisper(hall.conference_sid, str(call_sid_of(channel)), hall.people[0])).render())
        took = _since(started)
    hall.raw(f"uuid_kill {channel}")
    watch.at(channel, "del-member")
    return took
