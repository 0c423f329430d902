"""Coaching in a conference of 200: what a coach costs whom, beside a bare event socket client that sends the same
commands to the same conference once our processes have been killed.

The phones are silent, so the mixer is not what is measured (tests/bench/mixer.py does that).
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from tests.bench.hall import Bare, Hall, Watch, channel_of, joins, joins_bare, lists_of
from tests.bench.report import Row, percentile
from tests.harness.stack import RealSwitch, Stack

PEOPLE = 200
ROUNDS = 7
COACHES = 5
JOINERS = 40
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
    coaches = [_coach_joins(hall, watch) for _ in range(COACHES - 1)]
    for _ in coaches:
        hall.remove(hall.people[-1])
    coaches.append(_coach_joins(hall, watch))
    joiners = [joins(hall, watch) for _ in range(JOINERS)]
    for process in (stack.api, stack.listener, *stack.workers):
        process.kill_9()
    coach, members = hall.people[-1], hall.members()
    others = [str(member) for call, member in members.items() if call not in {coach, hall.people[0]}]
    singles = [_raw(hall, members[coach], others) for _ in range(ROUNDS)]
    lists = [_raw(hall, members[coach], lists_of(others)) for _ in range(ROUNDS)]
    bare = Bare(stack, hall.conference_sid)
    bare_joiners = [joins_bare(bare, watch, members[coach]) for _ in range(JOINERS)]
    everybody = [*others, str(members[coach])]
    bare_coaches = [_coach_joins_bare(bare, watch, everybody) for _ in range(COACHES)]
    bare.stop()
    watch.close()
    return [
        _row(f"coach set by an update among {PEOPLE}, p50", updates, singles, f"{len(others)} single commands", 1.5),
        _row("the same", updates, lists, "the same in lists"),
        _row(f"a coach joins {PEOPLE}: create to heard, p50", coaches, bare_coaches, "bare", MOST_TIMES),
        _row("late joiner: add-member to hearing, p50", joiners, bare_joiners, "bare", MOST_TIMES),
        _row("late joiner: add-member to hearing, p99", joiners, bare_joiners, "bare", share=0.99),
    ]


def _row(
    what: str, own: list[float], floor: list[float], floor_is: str, most: float | None = None, share: float = 0.5
) -> Row:
    value, against = percentile(own, share), percentile(floor, share)
    spread = f"{what} ({min(own):.1f} to {max(own):.1f})"
    floor_is = f"{floor_is} ({min(floor):.1f} to {max(floor):.1f})"
    goal = "" if most is None else f"<= {most:g}"
    return Row(spread, value, "ms", against, floor_is, goal, None if most is None else value <= most * against)


def _update(hall: Hall) -> float:
    """From the request to its answer, when everybody but the coached is kept from hearing."""
    coached, coach = hall.people[:2]
    started = time.monotonic()
    hall.update(coach, coaching=True, call_sid_to_coach=coached)
    took = (time.monotonic() - started) * 1000
    assert hall.relations() == hall.kept_apart(coach, coached)
    hall.update(coach, coaching=False)
    assert hall.relations() == set()
    return took


def _coach_joins(hall: Hall, watch: Watch) -> float:
    """From the request to the moment at which the coach may be heard. Returns with the coach in the conference."""
    for coach in hall.people[PEOPLE:]:
        hall.remove(coach)
    started = time.monotonic()
    coach = hall.add(coaching=True, call_sid_to_coach=hall.people[0])
    took = (watch.at(channel_of(coach), "unmute-member") - started) * 1000
    assert hall.relations() == hall.kept_apart(coach, hall.people[0])
    return took


def _coach_joins_bare(bare: Bare, watch: Watch, others: list[str]) -> float:
    def commands(member: int) -> list[str]:
        return [*(f"relate {some} {member} nohear" for some in lists_of(others)), f"unmute {member}"]

    started = time.monotonic()
    channel = bare.add(commands)
    took = (watch.at(channel, "unmute-member") - started) * 1000
    bare.remove(channel)
    watch.at(channel, "del-member")
    return took


def _raw(hall: Hall, coach: int, groups: Iterable[str]) -> float:
    """Every group is related with a command of its own, one after the other on one connection."""
    groups = list(groups)
    for group in groups:
        hall.api(f"relate {group} {coach} clear")
    assert hall.relations() == set()
    started = time.monotonic()
    for group in groups:
        hall.api(f"relate {group} {coach} nohear")
    return (time.monotonic() - started) * 1000
