"""python -m tests.chaos.nodes: two nodes, two listeners, two API processes, two workers; Redis, a replica, a Sentinel.

Any of them is killed or frozen, nodes are cordoned and drained, all connections to Redis are broken, and the way
between a node and whoever talks to it is cut, while conferences come and go; on real switches if there are any. After
each blow: no conference is on two nodes, no open conference's epoch went down, and, on real switches, who hears whom is
right within 5 s. After each round: every lane of callbacks whole and in order, one leave for every join, and no name
that outlived its conference. What listeners tried that had lost a node is counted. Not tried: that one process alone
does not reach Redis; the Sentinel tells all of them the same address, so no cable can be laid for one.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import redis
import requests

from orchestrator.store import keys
from orchestrator.store.connection import connect
from tests.bench.receiver_process import FastReceiver
from tests.chaos.board import watched
from tests.chaos.choir import Choir
from tests.chaos.crowd import check
from tests.chaos.epochs import Epochs
from tests.conftest import make_switch
from tests.harness.freeswitch import FarEnd, FreeSwitchError, find_freeswitch
from tests.harness.polling import eventually
from tests.harness.sentinel import Guarded
from tests.harness.stack import Process, RealSwitch, Stack, free_port

GIVE_UP_SECONDS = 120.0


class Cable:
    """What is between a process and a node, and can be cut: nothing passes, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._whole = threading.Event()
        self._whole.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def _accept(self) -> None:
        while True:
            near, _ = self._listening.accept()
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._whole.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                self._whole.wait()
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            end.close()


def lay_cables(stack: Stack, process: Process) -> list[Cable]:
    """One from this process to each node; it is started anew."""
    cables = [Cable(switch.esl_port) for switch in stack.switches]
    through = ",".join(f"fs{number}=127.0.0.1:{cable.port}" for number, cable in enumerate(cables, 1))
    process.stop()
    process.environment = {**process.environment, "FREESWITCH_NODES": through}
    process.start()
    stack.await_ready()
    return cables


class Killer:
    """On the main thread: the kernel ends a child of ours together with the thread that started it."""

    def __init__(
        self, stack: Stack, apis: list[Process], cables: list[Cable], choir: Choir | None, epochs: Epochs, seed: int
    ) -> None:
        assert isinstance(stack.redis, Guarded)
        self._stack, self._apis, self._cables, self._choir, self._epochs = stack, apis, cables, choir, epochs
        self._guarded = stack.redis
        self._random = random.Random(seed)  # noqa: S311 - chance, not secrets
        self.done: Counter[str] = Counter()
        self.looks = 0

    def run(self, is_over: Callable[[], bool]) -> None:
        acts = (
            self._kill_process, self._freeze_process, self._kill_node, self._freeze_node, self._kill_redis,
            self._freeze_redis, self._kill_replica, self._freeze_replica, self._kill_sentinel, self._freeze_sentinel,
            self._break_connections, self._cut, self._cordon, self._drain,
        )  # fmt: skip
        while not is_over():
            time.sleep(self._random.uniform(0.5, 2.0))
            if self._choir is not None:
                self._choir.turn()
            before = self.done.copy()
            self._random.choice(acts)()
            self._look_at_nodes()
            assert not self._epochs.went_down, f"written by who had lost the node: {self._epochs.went_down}"
            if self._choir is not None:
                self._choir.look(", ".join(self.done - before))

    def _look_at_nodes(self) -> None:
        """No conference is on two."""
        held = []
        for switch in self._stack.switches:
            try:
                held.append(set(re.findall(r"Conference (CF[0-9a-f]{32}) ", switch.api("conference list"))))
            except (OSError, FreeSwitchError):
                return  # it comes up just now
        both = set.intersection(*held)
        assert not both, f"on two nodes: {sorted(both)}"
        self.looks += 1

    def _process(self) -> Process:
        return self._random.choice([*self._stack.listeners, *self._stack.workers, *self._apis])

    def _kill_process(self) -> None:
        process = self._process()
        self.done[f"{process.name.rstrip('0123456789')} killed"] += 1
        process.kill_9()
        time.sleep(self._random.uniform(0.0, 3.0))
        process.start()

    def _freeze_process(self) -> None:
        process = self._process()
        self.done[f"{process.name.rstrip('0123456789')} frozen"] += 1
        process.freeze()
        time.sleep(self._random.uniform(0.5, 5.0))
        process.thaw()

    def _kill_node(self) -> None:
        switch = self._random.choice(self._stack.switches)
        self.done["node killed"] += 1
        switch.kill_9()
        time.sleep(self._random.uniform(0.0, 6.0))
        switch.start()

    def _freeze_node(self) -> None:
        switch = self._random.choice(self._stack.switches)
        self.done["node frozen"] += 1
        switch.pause()
        time.sleep(self._random.uniform(0.5, 5.0))
        switch.resume()

    def _kill_redis(self) -> None:
        self.done["Redis killed"] += 1
        gone = self._guarded.kill_9()
        eventually(lambda: self._guarded.primary_port() not in (None, gone), "the replica is the primary", 60)
        self._guarded.bring_back(gone)
        eventually(lambda: self._guarded.primary_port() != gone, "the old one is a replica", 60)
        time.sleep(2)  # it catches up

    def _freeze_redis(self) -> None:
        """For longer than the Sentinel waits: it comes back as a primary that is none any more."""
        self.done["Redis frozen"] += 1
        pid = self._guarded.freeze()
        time.sleep(self._random.uniform(2.0, 5.0))
        os.kill(pid, signal.SIGCONT)
        eventually(self._guarded.is_settled, "one is the primary", 60)

    def _kill_replica(self) -> None:
        self.done["replica killed"] += 1
        gone = self._guarded.kill_replica()
        time.sleep(self._random.uniform(0.0, 3.0))
        self._guarded.bring_back(gone)
        eventually(self._guarded.is_settled, "the replica follows again", 60)

    def _freeze_replica(self) -> None:
        """Commits wait for its word."""
        self.done["replica frozen"] += 1
        pid = self._guarded.freeze_replica()
        time.sleep(self._random.uniform(0.5, 5.0))
        os.kill(pid, signal.SIGCONT)
        eventually(self._guarded.is_settled, "the replica follows again", 60)

    def _kill_sentinel(self) -> None:
        self.done["Sentinel killed"] += 1
        self._guarded.kill_sentinel()
        time.sleep(self._random.uniform(0.0, 3.0))
        self._guarded.start_sentinel()

    def _freeze_sentinel(self) -> None:
        self.done["Sentinel frozen"] += 1
        pid = self._guarded.freeze_sentinel()
        time.sleep(self._random.uniform(0.5, 1.5))
        os.kill(pid, signal.SIGCONT)

    def _break_connections(self) -> None:
        """Everybody's to the primary; they may come back at once."""
        self.done["connections to Redis broken"] += 1
        client: Any = redis.Redis(port=self._guarded.primary_port() or 0)
        client.client_kill_filter(_type="normal", skipme=True)

    def _cut(self) -> None:
        self.done["way cut"] += 1
        cable = self._random.choice(self._cables)
        cable.cut()
        time.sleep(self._random.uniform(0.5, 6.0))
        cable.mend()

    def _cordon(self) -> None:
        """For a moment: it keeps what it has and gets nothing new."""
        name = self._random.choice(("fs1", "fs2"))
        self.done["node cordoned"] += 1
        self._say("cordon", name)
        time.sleep(self._random.uniform(0.5, 3.0))
        self._say("uncordon", name)

    def _drain(self) -> None:
        """For as long as it takes, or 3 s."""
        name = self._random.choice(("fs1", "fs2"))
        self.done["node drained"] += 1
        self._say("drain", name, "--seconds", "3")
        self._say("uncordon", name)

    def _say(self, *words: str) -> None:
        try:
            self._stack.orchestrator_status("nodes", *words)
        except subprocess.TimeoutExpired:
            self.done[f"{words[0]} that the machine was too slow for"] += 1


class App:
    """A tenant's app: whoever it is told is gone it lets go."""

    def __init__(self, bases: list[str], auth: tuple[str, str], receiver: FastReceiver) -> None:
        self._bases, self._auth, self._receiver = bases, auth, receiver

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

    def run_conference(self, name: str, people: int) -> tuple[str, set[str]]:
        """Fill it, mute everybody, end it; returns its last SID and those who were promised there (201)."""
        form = {
            "From": "+15550009999",
            "To": FarEnd.ANSWERS,
            "ConferenceStatusCallback": self._receiver.url(),
            "ConferenceStatusCallbackEvent": "start end join leave mute",
        }
        promised: dict[str, set[str]] = {}
        sid = ""
        for _ in range(people):
            answer = self._request("POST", f"/{name}/Participants.json", form)
            if answer.status_code == 201:
                sid = str(answer.json()["conference_sid"])
                promised.setdefault(sid, set()).add(str(answer.json()["call_sid"]))
        for call in promised[sid]:
            self._request("POST", f"/{sid}/Participants/{call}.json", {"Muted": "true"})
        while self._request("GET", f"/{sid}.json").json().get("status") not in ("completed", None):
            self._request("POST", f"/{sid}.json", {"Status": "completed"})
        return sid, promised[sid]


def play(
    stack: Stack, apis: list[Process], bases: list[str], cables: list[Cable], choir: Choir | None,
    receiver: FastReceiver, number: int, options: argparse.Namespace,
) -> str:  # fmt: skip
    """One round; returns a line about it."""
    receiver.forget()
    epochs = Epochs(stack.environment["REDIS_URL"])
    killer = Killer(stack, apis, cables, choir, epochs, number)
    app = App(bases, (stack.account_sid, stack.auth_token), receiver)
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool, epochs.watched():
        running = [
            pool.submit(app.run_conference, f"chaos-{number}-{k}", options.people) for k in range(options.conferences)
        ]
        killer.run(lambda: all(future.done() for future in running))
    promised = dict(future.result() for future in running)
    if choir is not None:
        choir.leave()

    def all_ended() -> bool:
        ended = {row["ConferenceSid"] for row in receiver.seen() if row["StatusCallbackEvent"] == "conference-end"}
        assert not set(promised) - ended, f"lanes without an end: {sorted(set(promised) - ended)[:2]}"
        return True

    eventually(all_ended, "every lane has its end", 120)
    came, again = check(receiver.seen(), promised)
    client: Any = connect(stack.environment["REDIS_URL"])
    eventually(lambda: not client.hlen(keys.account_names(stack.account_sid)), "no name is left", 60)
    refused = sum(int(count) for count in client.hgetall(keys.COMMITS_REFUSED).values())
    lost = sum(one.log().count('"lease_lost"') for one in stack.listeners)
    done = ", ".join(f"{count} {what}" for what, count in sorted(killer.done.items()))
    people = sum(map(len, promised.values()))
    return (
        f"round {number}: {people} people, {came} callbacks whole and in order, {again} twice; {done}; "
        f"{killer.looks} looks at both nodes, {epochs.looks} at epochs{f', {choir}' if choir else ''}; "
        f"leases lost so far {lost}, commits refused {refused}; {time.monotonic() - started:.0f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--conferences", type=int, default=24)
    parser.add_argument("--people", type=int, default=5)
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
        stack.redis = Guarded(folder / "guarded")
        try:
            stack.start()
            bind = f"127.0.0.1:{free_port()}"
            second = Process("api2", ["api"], {**stack.environment, "ORCHESTRATOR_BIND": bind}, stack.directory)
            second.start()
            cabled = (*stack.listeners, *stack.workers, stack.api, second)
            cables = [cable for one in cabled for cable in lay_cables(stack, one)]
            choir = Choir(stack, switch.far_end) if isinstance(switch, RealSwitch) else None
            paths = [f"http://{one}/2010-04-01/Accounts/{stack.account_sid}/Conferences" for one in (stack.bind, bind)]
            with watched(stack, folder):
                for number in range(1, options.rounds + 1):
                    print(play(stack, [stack.api, second], paths, cables, choir, receiver, number, options), flush=True)
            second.kill_9()
        finally:
            stack.stop()
            receiver.stop()
    for what in choir.wrong if choir else ():
        print(f"not right within 5 s: {what}")
    return 1 if choir and choir.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
