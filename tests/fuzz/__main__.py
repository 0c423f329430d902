"""make fuzz: random requests by several threads, kills of processes in between, and every answer checked.

Each thread plays one conference after the other (scene.py): requests from a table (operations.py), several at once and
some that contradict each other; after them API and switch are compared with each other and with what was asked for
(model.py), and at the end callbacks and what is left in Redis (checks.py). Meanwhile listener, workers, API, Redis and
the switch are killed with -9 and started again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.conftest import SWITCHES, make_switch
from tests.fuzz.scene import Scene
from tests.fuzz.world import Finding, World
from tests.harness.freeswitch import find_freeswitch
from tests.harness.polling import eventually
from tests.harness.stack import Process, RealSwitch, Stack
from tests.harness.web import Web

VICTIMS: Final = {"listener": 5, "worker": 3, "api": 2, "redis": 2, "switch": 1}
"""What is killed -> how often it is chosen."""

LOOPING: Final = '<Response><Play loop="0">{url}</Play></Response>'
JOURNAL_LINES: Final = 40


class Killer:
    """On the main thread: the kernel ends a child of ours together with the thread that started it."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._stack = world.stack
        self._chance = random.Random(seed)  # noqa: S311 - chance, not secrets

    def run(self, is_over: Callable[[], bool], pause: float) -> None:
        """Kill something every `pause` seconds or so."""
        while not is_over():
            self._wait(self._chance.uniform(0.4, 1.6) * pause, is_over)
            if is_over():
                return
            victim = self._chance.choices(list(VICTIMS), list(VICTIMS.values()))[0]
            with self._world.breaking(victim):
                getattr(self, f"_kill_{victim}")()

    @staticmethod
    def _wait(seconds: float, is_over: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not is_over():
            time.sleep(0.1)

    def _away(self) -> None:
        time.sleep(self._chance.choice([0.0, 0.3, 1.0, 3.0]))

    def _kill_listener(self) -> None:
        listener = self._stack.listener
        follows = listener.log().count('"node_connected"')
        listener.kill_9()
        self._away()
        listener.start()
        eventually(lambda: listener.log().count('"node_connected"') > follows, "the listener follows the node", 60)

    def _kill_worker(self) -> None:
        self._replace(self._chance.choice(self._stack.workers))

    def _kill_api(self) -> None:
        self._replace(self._stack.api)
        eventually(lambda: self._world.ask("GET", ".json?PageSize=1").is_done, "the API is back", 60)

    def _replace(self, process: Process) -> None:
        process.kill_9()
        self._away()
        process.start()

    def _kill_redis(self) -> None:
        self._stack.redis.kill_9()
        time.sleep(self._chance.uniform(0, 1))
        self._stack.redis.start()

    def _kill_switch(self) -> None:
        self._world.switch_deaths += 1
        self._stack.switch.kill_9()
        self._stack.switch.hang_up_far_end()
        self._stack.switch.start()
        self._world.switch_deaths += 1
        self._stack.await_ready()


def play_for_ever(world: World, seed: str, is_over: Callable[[], bool], report: Callable[[str], None]) -> None:
    """One scene after the other; what is found is reported, and the next begins."""
    number = 0
    with ThreadPoolExecutor(8) as senders:
        while not is_over():
            number += 1
            scene = Scene(world, f"{seed}.{number}", senders)
            world.scenes += 1
            try:
                scene.play()
            except Finding as finding:
                people = ", ".join(f"{one.label}={one.call_sid} {one.number}" for one in scene.room.people.values())
                journal = "\n    ".join(scene.journal[-JOURNAL_LINES:])
                report(f"{scene.room.name} {scene.room.sid}: {finding}\n    {people}\n    {journal}")
            except Exception as error:  # noqa: BLE001 - a defect of ours is told like one of theirs
                report(f"{scene.room.name}: {error!r}")
            finally:
                scene.leave()


def run(switch: str, options: argparse.Namespace, directory: Path) -> int:
    """Returns how much was found."""
    web = Web()
    stack = Stack(make_switch(switch, directory / "switch"), directory, workers=2)
    found: list[str] = []

    def report(text: str) -> None:
        found.append(text)
        print(f"FOUND {len(found)}: {text}", flush=True)

    try:
        web.start()
        web.put("/loop.xml", LOOPING.format(url=web.put_tone(2600, 0.3)))
        web.put_tone(2600, 2)
        stack.start()
        world = World(stack, web)
        ends_at = time.monotonic() + options.minutes * 60

        def is_over() -> bool:
            return bool(time.monotonic() > ends_at)

        with ThreadPoolExecutor(options.threads) as players:
            running = [
                players.submit(play_for_ever, world, f"{options.seed}.{number}", is_over, report)
                for number in range(options.threads)
            ]
            if options.kill_seconds:
                Killer(world, options.seed).run(is_over, options.kill_seconds)
            for future in running:
                future.result()
        check_the_end(world, report)
        kills = ", ".join(f"{count} {what}" for what, count in sorted(world.kills.items())) or "nothing"
        print(
            f"{switch}, seed {options.seed}: {world.requests:,} requests, {world.scenes} conferences, "
            f"{world.recordings} recordings, {world.checks:,} checks; killed: {kills}; found: {len(found)}"
        )
    finally:
        stack.stop()
        web.stop()
    return len(found)


def check_the_end(world: World, report: Callable[[str], None]) -> None:
    """Nothing is left of all conferences, and no process has met what nobody expected."""
    switch = world.stack.switch
    if isinstance(switch, RealSwitch):
        try:
            eventually(lambda: switch.channel_count() == 0, "no channel is left", 30)
        except AssertionError as error:
            report(str(error))
    for process in (world.stack.api, world.stack.listener, *world.stack.workers):
        lines = [line for line in process.log().splitlines() if '"exception":' in line]
        if lines:
            report(f"{process.name} logged {len(lines)} exceptions, the first: {lines[0][:2000]}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=6)
    parser.add_argument("--switch", choices=SWITCHES, help="both, one after the other, if there is a FreeSWITCH")
    parser.add_argument("--kill-seconds", type=float, default=15, help="between two kills; 0: none")
    parser.add_argument("--keep", type=Path, help="a directory for the logs of all processes")
    options = parser.parse_args()
    switches = (options.switch,) if options.switch else SWITCHES if find_freeswitch() else SWITCHES[:1]
    found = 0
    for switch in switches:
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory) if options.keep is None else options.keep / switch
            folder.mkdir(parents=True, exist_ok=True)
            found += run(switch, options, folder)
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
