"""python -m tests.bench.takeovers KIND … [--rounds 50]: how long until somebody else goes on.

On a real switch if there is one, else in the sandbox.

What is measured is what others can see: from the kill, or the freeze, until the node's row in Redis says that another
listener is connected and has taken a snapshot; until it says that the node is away; until the conferences of a node
that is gone have ended; until Redis takes a write and the node's row is written again.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.errors import Unavailable
from orchestrator.store import keys
from orchestrator.store.connection import connect
from orchestrator.store.nodes import NodeStore
from tests.conftest import make_switch
from tests.harness.cables import cables_to_nodes
from tests.harness.freeswitch import FarEnd, find_freeswitch
from tests.harness.leases import owner_of
from tests.harness.polling import eventually
from tests.harness.sentinel import Guarded
from tests.harness.stack import Process, Stack

Measure = Callable[[Stack], float]
NODE = "fs1"


def row(stack: Stack) -> dict[str, str]:
    try:
        return NodeStore(connect(stack.environment["REDIS_URL"])).load_node(NODE)
    except Unavailable:
        return {}


def until(probe: Callable[[], object], what: str, since: float) -> float:
    eventually(probe, what, 60)
    return time.monotonic() - since


def is_followed_by(stack: Stack, process: Process) -> bool:
    seen = row(stack)
    return f":{process.pid}:" in seen.get("listener", "") and seen.get("connected") == "1"


def _pair(stack: Stack) -> tuple[Process, Process]:
    """The listener that follows the node, and the other."""
    client = connect(stack.environment["REDIS_URL"])
    owner = eventually(lambda: owner_of(client, NODE), "it is followed")
    one, two = stack.listeners
    return (one, two) if f":{one.pid}:" in owner else (two, one)


def _await_listener(stack: Stack, process: Process) -> None:
    """Until it could take over."""
    client: Any = connect(stack.environment["REDIS_URL"])
    eventually(lambda: any(f":{process.pid}:" in name for name in client.zrange(keys.LISTENERS, 0, -1)), "it lives", 60)


def listener_killed(stack: Stack) -> float:
    one, other = _pair(stack)
    since = time.monotonic()
    one.kill_9()
    took = until(lambda: is_followed_by(stack, other), "another follows it", since)
    one.start()
    _await_listener(stack, one)
    return took


def listener_frozen(stack: Stack) -> float:
    one, other = _pair(stack)
    since = time.monotonic()
    one.freeze()
    took = until(lambda: is_followed_by(stack, other), "another follows it", since)
    one.thaw()
    return took


def listener_stopped(stack: Stack) -> float:
    """SIGTERM."""
    one, other = _pair(stack)
    since = time.monotonic()
    os.kill(one.pid, signal.SIGTERM)
    took = until(lambda: is_followed_by(stack, other), "another follows it", since)
    one.stop()
    one.start()
    _await_listener(stack, one)
    return took


def listener_cut_off(stack: Stack) -> float:
    """From the node; started anew, for whoever has failed at a node leaves it to others for some time."""
    cables = {listener.name: cables_to_nodes(stack, listener)[0] for listener in stack.listeners}
    time.sleep(2)  # they share it
    one, other = _pair(stack)
    since = time.monotonic()
    cables[one.name].cut()
    took = until(lambda: is_followed_by(stack, other), "another follows it", since)
    cables[one.name].mend()
    return took


def node_frozen(stack: Stack) -> float:
    since = time.monotonic()
    stack.switch.pause()
    took = until(lambda: row(stack).get("connected") == "0", "it is away", since)
    stack.switch.resume()
    until(lambda: row(stack).get("connected") == "1", "it is back", since)
    return took


def node_killed(stack: Stack) -> float:
    """Until its conference has ended, 3 s of which the node is given to come back."""
    joined = stack.client().conferences("gone").participants.create(to=FarEnd.ANSWERS, **stack.call_settings())
    sid = joined.conference_sid
    stack.receiver.await_kind(sid, "participant-join")
    since = time.monotonic()
    stack.switch.kill_9()
    stack.receiver.await_kind(sid, "conference-end", seconds=60)
    took = time.monotonic() - since
    stack.switch.start()
    until(lambda: row(stack).get("connected") == "1", "it is back", since)
    time.sleep(1.5)  # the API's own connection comes back within half a second
    return took


def redis_killed(stack: Stack) -> float:
    """1.5 s of which the Sentinel waits."""
    assert isinstance(stack.redis, Guarded)
    before = row(stack).get("seen_at", "")
    since = time.monotonic()
    gone = stack.redis.kill_9()
    took = until(lambda: row(stack).get("seen_at", before) > before, "it is written again", since)
    stack.redis.bring_back(gone)
    guarded = stack.redis
    eventually(lambda: guarded.primary_port() != gone, "the old one is a replica", 60)
    time.sleep(2)  # the replica catches up
    return took


KINDS: dict[str, Measure] = {
    "listener-killed": listener_killed,
    "listener-frozen": listener_frozen,
    "listener-stopped": listener_stopped,
    "listener-cut-off": listener_cut_off,
    "node-frozen": node_frozen,
    "node-killed": node_killed,
    "redis-killed": redis_killed,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", choices=KINDS)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    name = "freeswitch" if find_freeswitch() else "sandbox"
    print(f"switch: {name}", flush=True)
    for kind in options.kinds or KINDS:
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            stack = Stack(make_switch(name, folder / "switch"), folder, listeners=2)
            if kind == "redis-killed":
                stack.redis = Guarded(folder / "guarded")
            try:
                stack.start()
                took = sorted(KINDS[kind](stack) for _ in range(options.rounds))
            finally:
                stack.stop()
        print(f"{kind:<18} median {statistics.median(took):5.2f} s, worst {took[-1]:5.2f} s of {len(took)}", flush=True)


main()
