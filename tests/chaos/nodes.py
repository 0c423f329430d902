"""python -m tests.chaos.nodes: two nodes, listeners, API processes and workers each; Redis, two replicas, a Sentinel.

Any of them is killed or frozen, nodes are cordoned and drained, all connections to Redis are broken, and the way
between a node, or Redis, and whoever talks to it is cut, while conferences come and go; on real switches if there are
any. Each round strikes each blow of `blows` once. After each blow: no conference is on two nodes, no open conference's
epoch went down, and, on real switches, who hears whom is right within 5 s. After each round: every lane of callbacks
whole and in order, one leave for every join, and no name that outlived its conference. What listeners tried that had
lost a node is counted, and so is what a failover of Redis forgot (docs/redis.md): people who were promised, and events
that were told, and are told anew with another token.
Not tried: that the primary does not reach its replica, or the Sentinel, while others reach both.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from orchestrator.store import keys
from orchestrator.store.connection import connect
from tests.bench.receiver_process import FastReceiver
from tests.chaos.blows import Killer, Ways
from tests.chaos.board import watched
from tests.chaos.choir import Choir
from tests.chaos.crowd import check
from tests.chaos.epochs import Epochs
from tests.conftest import make_switch
from tests.harness.cables import cables_to_nodes, way_to_redis
from tests.harness.freeswitch import FarEnd, find_freeswitch
from tests.harness.polling import eventually
from tests.harness.sentinel import Guarded
from tests.harness.stack import Process, RealSwitch, Stack, free_port

GIVE_UP_SECONDS = 120.0

FORGOTTEN = 2 * 4
"""Conferences of a round for each that is filled at a time: Redis is killed once, and frozen once, and those of some
three seconds around that may be forgotten, or told anew with other tokens (docs/redis.md)."""


class App:
    """A tenant's app. `promised`: who was promised (201), by conference; `lost`: those of these conferences that the
    API does not know afterwards."""

    def __init__(self, bases: list[str], auth: tuple[str, str], receiver: FastReceiver) -> None:
        self._bases, self._auth, self._receiver = bases, auth, receiver
        self.promised: dict[str, set[str]] = {}
        self.lost: set[str] = set()

    def _request(self, method: str, path: str, form: dict[str, str] | None = None) -> requests.Response:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            base = random.choice(self._bases)  # noqa: S311 - a load balancer
            try:
                answer: requests.Response = requests.request(
                    method, f"{base}{path}", data=form, auth=self._auth, timeout=10
                )
            except requests.RequestException:
                time.sleep(0.2)
                continue
            if answer.status_code not in (429, 503):
                return answer
            time.sleep(0.2)
        raise TimeoutError(f"{method} {path}")

    def run_conferences(self, name: str, people: int, is_over: threading.Event) -> None:
        """One after the other."""
        for number in itertools.count():
            if is_over.is_set():
                return
            self._run_conference(f"{name}-{number}", people)

    def _run_conference(self, name: str, people: int) -> None:
        """Fill it, mute everybody, end it. A node that dies ends it earlier, and who is added then is in the next."""
        form = {
            "From": "+15550009999",
            "To": FarEnd.ANSWERS,
            "ConferenceStatusCallback": self._receiver.url(),
            "ConferenceStatusCallbackEvent": "start end join leave mute",
        }
        filled: dict[str, set[str]] = {}
        for _ in range(people):
            answer = self._request("POST", f"/{name}/Participants.json", form)
            assert answer.status_code == 201, answer.text
            filled.setdefault(str(answer.json()["conference_sid"]), set()).add(str(answer.json()["call_sid"]))
        self.promised |= filled
        for sid, calls in filled.items():
            for call in calls:
                self._request("POST", f"/{sid}/Participants/{call}.json", {"Muted": "true"})
            self._end(sid)

    def _end(self, sid: str) -> None:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            answer = self._request("POST", f"/{sid}.json", {"Status": "completed"})
            if answer.status_code == 404:
                self.lost.add(sid)
                return
            assert answer.status_code == 200, answer.text
            if answer.json()["status"] == "completed":
                return
            time.sleep(0.1)
        raise TimeoutError(f"{sid} does not end")


def play(
    stack: Stack, apis: list[Process], bases: list[str], ways: Ways, choir: Choir | None,
    receiver: FastReceiver, number: int, options: argparse.Namespace,
) -> str:  # fmt: skip
    """One round; returns a line about it."""
    receiver.forget()
    epochs = Epochs(stack.environment["REDIS_URL"])
    killer = Killer(stack, apis, ways, choir, epochs, number)
    app = App(bases, (stack.account_sid, stack.auth_token), receiver)
    started, is_over = time.monotonic(), threading.Event()
    with ThreadPoolExecutor(options.at_once) as pool, epochs.watched():
        running = [
            pool.submit(app.run_conferences, f"chaos-{number}-{k}", options.people, is_over)
            for k in range(options.at_once)
        ]
        try:
            killer.run()
        finally:
            is_over.set()
    for future in running:
        future.result()
    if choir is not None:
        choir.leave()
    client: Any = connect(stack.environment["REDIS_URL"])
    lost = {
        call for sid, calls in app.promised.items() for call in calls if not client.exists(keys.participant(sid, call))
    }
    assert len(lost) <= FORGOTTEN * options.at_once * options.people, f"lost: {sorted(lost)}"
    promised = {sid: calls - lost for sid, calls in app.promised.items() if sid not in app.lost}
    told_anew: set[str] = set()
    came, again = await_whole_lanes(stack, receiver, promised, app.lost, told_anew)
    assert len(told_anew) <= FORGOTTEN * options.at_once, f"told anew: {sorted(told_anew)}"
    refused = sum(int(count) for count in client.hgetall(keys.COMMITS_REFUSED).values())
    leases = sum(one.log().count('"lease_lost"') for one in stack.listeners)
    done = ", ".join(f"{count} {what}" for what, count in sorted(killer.done.items()))
    return (
        f"round {number}: {len(promised)} conferences of {sum(map(len, promised.values()))} people, {came} callbacks "
        f"whole and in order, {again} twice; {len(lost)} people lost who were promised, {len(told_anew)} conferences "
        f"told anew; {done}; "
        f"{killer.looks} looks at both nodes, {epochs.looks} at epochs{f', {choir}' if choir else ''}; "
        f"leases lost so far {leases}, commits refused {refused}; {time.monotonic() - started:.0f} s"
    )


def await_whole_lanes(
    stack: Stack, receiver: FastReceiver, promised: dict[str, set[str]], lost: set[str], told_anew: set[str]
) -> tuple[int, int]:
    """Returns how many callbacks came, and how many of them again, when all have, and no name is left."""

    def all_ended() -> bool:
        ended = {row["ConferenceSid"] for row in receiver.seen() if row["StatusCallbackEvent"] == "conference-end"}
        assert not set(promised) - ended, f"lanes without an end: {sorted(set(promised) - ended)[:2]}"
        return True

    eventually(all_ended, "every lane has its end", 120)
    found = check([row for row in receiver.seen() if row["ConferenceSid"] not in lost], promised, told_anew)
    client: Any = connect(stack.environment["REDIS_URL"])
    eventually(lambda: not client.hlen(keys.account_names(stack.account_sid)), "no name is left", 60)
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=4, help="conferences")
    parser.add_argument("--people", type=int, default=4, help="in each")
    options = parser.parse_args()
    name = "freeswitch" if find_freeswitch() else "sandbox"
    print(f"switches: {name}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        receiver = FastReceiver(folder)
        receiver.start()
        switch, other = (make_switch(name, folder / which) for which in ("one", "two"))
        if isinstance(switch, RealSwitch) and isinstance(other, RealSwitch):
            other.far_end = switch.far_end
        stack = Stack(switch, folder / "stack", workers=2, listeners=2, other=other)
        stack.redis = Guarded(folder / "guarded", replicas=2)
        try:
            stack.start()
            bind = f"127.0.0.1:{free_port()}"
            second = Process("api2", ["api"], {**stack.environment, "ORCHESTRATOR_BIND": bind}, stack.directory)
            second.start()
            ways = Ways()
            for process in (*stack.listeners, *stack.workers, stack.api, second):
                ways.to_nodes += [[cable] for cable in cables_to_nodes(stack, process)]
                ways.to_redis.append(way_to_redis(stack, process))
            choir = Choir(stack, switch.far_end) if isinstance(switch, RealSwitch) else None
            paths = [f"http://{one}/2010-04-01/Accounts/{stack.account_sid}/Conferences" for one in (stack.bind, bind)]
            with watched(stack, folder):
                for number in range(1, options.rounds + 1):
                    print(play(stack, [stack.api, second], paths, ways, choir, receiver, number, options), flush=True)
            second.kill_9()
        finally:
            stack.stop()
            receiver.stop()
    for what in choir.wrong if choir else ():
        print(f"not right within 5 s: {what}")
    return 1 if choir and choir.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
