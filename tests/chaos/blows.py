"""What is done to a deployment of two nodes while conferences come and go, and what has to hold after each blow."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import redis

from tests.chaos.choir import Choir
from tests.chaos.epochs import Epochs
from tests.harness.cables import Way
from tests.harness.freeswitch import FreeSwitchError
from tests.harness.polling import eventually
from tests.harness.sentinel import Guarded
from tests.harness.stack import Process, Stack


@dataclass
class Ways:
    """Of all processes."""

    to_nodes: list[Way] = field(default_factory=list)
    to_redis: list[Way] = field(default_factory=list)


class Killer:
    """On the main thread: the kernel ends a child of ours together with the thread that started it."""

    def __init__(
        self, stack: Stack, apis: list[Process], ways: Ways, choir: Choir | None, epochs: Epochs, seed: int
    ) -> None:
        assert isinstance(stack.redis, Guarded)
        self._stack, self._apis, self._ways, self._choir, self._epochs = stack, apis, ways, choir, epochs
        self._guarded = stack.redis
        self._random = random.Random(seed)  # noqa: S311 - chance, not secrets
        self.done: Counter[str] = Counter()
        self.looks = 0

    def run(self) -> None:
        """Strike each blow once, in any order."""
        blows = [
            self._kill_process, self._freeze_process, self._kill_node, self._freeze_node, self._kill_redis,
            self._freeze_redis, self._kill_replica, self._freeze_replica, self._kill_sentinel, self._freeze_sentinel,
            self._break_connections, self._cut_from_node, self._cut_from_redis, self._cordon, self._drain,
        ]  # fmt: skip
        self._random.shuffle(blows)
        for blow in blows:
            time.sleep(self._random.uniform(0.5, 2.0))
            if self._choir is not None:
                self._choir.turn()
            before = self.done.copy()
            blow()
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

    def _cut_from_node(self) -> None:
        self.done["way to a node cut"] += 1
        self._cut(self._random.choice(self._ways.to_nodes), at_least=0.5)

    def _cut_from_redis(self) -> None:
        """One process, for longer than a lease lasts."""
        self.done["way to Redis cut"] += 1
        self._cut(self._random.choice(self._ways.to_redis), at_least=2.5)

    def _cut(self, way: Way, at_least: float) -> None:
        for cable in way:
            cable.cut()
        time.sleep(self._random.uniform(at_least, 6.0))
        for cable in way:
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
