"""Each alert fires when its thing is broken, and the board shows figures: a stack, its console, and Prometheus with the
files of docker/metrics (Debian: prometheus)."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import redis
import requests

from orchestrator.listener.listener import QUEUE_LENGTH
from tests.harness.freeswitch import EslSocket
from tests.harness.polling import eventually
from tests.harness.prometheus import PROMETHEUS, Prometheus, WatchedConsole, board_expressions
from tests.harness.room import Room
from tests.harness.stack import Process, SandboxSwitch, Stack
from tests.unit.test_alerts import BROKEN, RULES

SOONER: Final = {"LanesLate": ("> 60", "> 3"), "EventsLate": ("> 2", "> 0.5")}
"""Alert -> its bound, and the one here: nobody waits for a minute. `for` is left out of all."""

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not here")


class Scene:
    """What there is to break, and what Prometheus makes of it."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        self.stack, self.directory = stack, directory
        self.console = WatchedConsole(stack, directory)
        self.redis: Any = redis.Redis.from_url(stack.environment["REDIS_URL"], decode_responses=True)
        self.console.start()
        self.prometheus = Prometheus(self.console, directory, SOONER)
        self.prometheus.start()
        self.room = Room(stack)
        for number, label in enumerate(("anna", "bert"), 1):
            self.room.add(label, number)

    def close(self) -> None:
        self.prometheus.kill_9()
        self.console.kill_9()
        self.redis.close()

    def mute(self, label: str = "anna") -> int:
        """Ask for a mute, and for its opposite next time; returns the status."""
        self._muted = not getattr(self, "_muted", False)
        return self._ask_api("POST", label, {"Muted": str(self._muted).lower()})

    def remove(self, label: str) -> int:
        return self._ask_api("DELETE", label, {})

    def _ask_api(self, method: str, label: str, form: dict[str, str]) -> int:
        stack, sid = self.stack, self.room.conference_sid
        url = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences/{sid}/Participants/{label}.json"
        auth = (stack.account_sid, stack.auth_token)
        return requests.request(method, url, data=form, auth=auth, timeout=10).status_code


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("alerts")
    with Stack(SandboxSwitch(directory), directory) as stack:
        made = Scene(stack, directory)
        try:
            eventually(lambda: made.prometheus.series("orchestrator_processes"), "Prometheus has figures", seconds=30)
            yield made
        finally:
            made.close()


Poke = Callable[[], object]
Break = Callable[[Scene], contextlib.AbstractContextManager[Poke]]
BREAKS: dict[str, Break] = {}


def nothing_more() -> None:
    """Once broken is enough."""


def breaks(alert: str) -> Callable[[Callable[[Scene], Iterator[Poke]]], object]:
    """What breaks its thing, yields what is done again and again until it fires, and mends."""

    def keep(function: Callable[[Scene], Iterator[Poke]]) -> object:
        BREAKS[alert] = contextlib.contextmanager(function)
        return function

    return keep


@contextlib.contextmanager
def dead(scene: Scene, *processes: Process) -> Iterator[None]:
    for process in processes:
        process.kill_9()
    yield
    for process in processes:
        process.start()
    scene.stack.await_ready()


@breaks("ConsoleAway")
def _(scene: Scene) -> Iterator[Poke]:
    with dead(scene, scene.console):
        yield nothing_more


@breaks("NodeAway")
def _(scene: Scene) -> Iterator[Poke]:
    scene.stack.switch.pause()
    yield nothing_more
    scene.stack.switch.resume()
    scene.stack.await_ready()


@breaks("NoWorker")
def _(scene: Scene) -> Iterator[Poke]:
    with dead(scene, *scene.stack.workers):
        yield nothing_more


@breaks("NoListener")
def _(scene: Scene) -> Iterator[Poke]:
    with dead(scene, scene.stack.listener):
        yield nothing_more


@breaks("NoApi")
def _(scene: Scene) -> Iterator[Poke]:
    with dead(scene, scene.stack.api):
        yield nothing_more


@breaks("LanesLate")
def _(scene: Scene) -> Iterator[Poke]:
    with dead(scene, *scene.stack.workers):
        scene.mute()
        yield nothing_more


@breaks("EventsLate")
def _(scene: Scene) -> Iterator[Poke]:
    def slow_commit() -> None:
        scene.redis.execute_command("CLIENT", "PAUSE", "900", "WRITE")
        scene.stack.switch.api(f"conference {scene.room.conference_sid} tmute all")
        scene.redis.set("until", "the pause is over", ex=1)

    yield slow_commit


@breaks("EventsDropped")
def _(scene: Scene) -> Iterator[Poke]:
    """Redis takes nothing until the listener says that its queue is full: the switch has much to say."""
    switch = scene.stack.switch
    flips = f"api conference {scene.room.conference_sid} tmute all"
    scene.redis.execute_command("CLIENT", "PAUSE", "150000", "WRITE")
    connection = EslSocket(switch.esl_port, switch.password)

    def said() -> bool:
        for _ in range(QUEUE_LENGTH // 10 // len(scene.room.people)):
            connection.command(flips)
        return '"events_dropped"' in scene.stack.listener.log()

    eventually(said, "events are dropped", seconds=120)
    connection.close()
    scene.redis.execute_command("CLIENT", "UNPAUSE")
    yield nothing_more
    scene.stack.await_ready()


@breaks("ApiErrors")
def _(scene: Scene) -> Iterator[Poke]:
    scene.stack.switch.pause()
    yield scene.mute
    scene.stack.switch.resume()
    scene.stack.await_ready()


@breaks("ApiSlow")
def _(scene: Scene) -> Iterator[Poke]:
    """A removal waits for the listener."""
    scene.room.add("carl", 3)
    with dead(scene, scene.stack.listener):
        yield lambda: scene.remove("carl")


@breaks("SwitchRefuses")
def _(scene: Scene) -> Iterator[Poke]:
    scene.stack.switch.pause()
    yield scene.mute
    scene.stack.switch.resume()
    scene.stack.await_ready()


@breaks("DeadLetters")
def _(scene: Scene) -> Iterator[Poke]:
    scene.stack.receiver.answer = lambda _: 404
    yield scene.mute
    scene.stack.receiver.answer = lambda _: 200


@breaks("ReceiversPaused")
def _(scene: Scene) -> Iterator[Poke]:
    """It has failed 20 times in a minute, as far as Redis knows."""
    scene.stack.receiver.answer = lambda _: 500
    key = f"account:{{{scene.stack.account_sid}}}:receivers"

    def fail() -> None:
        scene.mute()
        for host, text in scene.redis.hgetall(key).items():
            row = json.loads(text) | {"failures": 20, "failing_since_ms": int(time.time() * 1000) - 61_000}
            if not row["pauses"]:
                scene.redis.hset(key, host, json.dumps(row))

    yield fail
    scene.stack.receiver.answer = lambda _: 200


@breaks("RedisMemory")
def _(scene: Scene) -> Iterator[Poke]:
    scene.redis.config_set("maxmemory", int(scene.redis.info("memory")["used_memory"] / 0.87))
    yield nothing_more
    scene.redis.config_set("maxmemory", 0)


@breaks("RedisForgets")
def _(scene: Scene) -> Iterator[Poke]:
    scene.redis.config_set("appendonly", "no")
    yield nothing_more
    scene.redis.config_set("appendonly", "yes")


@breaks("RedisSlow")
def _(scene: Scene) -> Iterator[Poke]:
    """Four tenths of each nine: in between the console is read. Not of each second: processes
    look every two seconds, and would always meet it or never."""
    due = time.monotonic()

    def pause() -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + 0.9
            scene.redis.execute_command("CLIENT", "PAUSE", "400", "ALL")

    yield pause


@breaks("RecordingsFail")
def _(scene: Scene) -> Iterator[Poke]:
    """What cannot begin has failed."""
    parts, away = (scene.directory / "recordings" / name for name in ("parts", "away"))
    parts.rename(away)
    parts.write_text("no directory")
    call = scene.stack.client().calls(scene.room.people["bert"].call_sid)
    assert call.recordings.create().status == "failed"
    yield nothing_more
    parts.unlink()
    away.rename(parts)


@breaks("Trouble")
def _(scene: Scene) -> Iterator[Poke]:
    """Redis is away, and the listener, which has something to write, says so again and again."""

    def said() -> int:
        lines = scene.stack.listener.log().splitlines()
        return sum('"store_unreachable"' in line and '"level":"error"' in line for line in lines)

    before = said()
    scene.stack.redis.kill_9()
    scene.stack.switch.api(f"conference {scene.room.conference_sid} tmute all")
    eventually(lambda: said() > before + 60, "it is said often", seconds=60)
    scene.stack.redis.start()
    yield nothing_more
    scene.stack.await_ready()


# A slow Redis first: of all answers in five minutes one in ten has to be slow.
@pytest.mark.timeout(240)  # 120 s to break it, 60 until it is seen
@pytest.mark.parametrize("alert", sorted(BROKEN, key=lambda name: (name != "RedisSlow", name)))
def test_an_alert_fires_when_its_thing_is_broken(scene: Scene, alert: str) -> None:
    labels, _ = BROKEN[alert]
    with BREAKS[alert](scene) as poke:

        def fires() -> bool:
            poke()
            return any(labels.items() <= found.items() for found in scene.prometheus.firing(alert))

        eventually(fires, f"{alert} fires", seconds=60)


def test_every_figure_and_label_of_a_rule_is_one_of_a_live_stack(scene: Scene) -> None:
    """Also those that a rule sums by, or that its text names."""
    scene.room.add("fred", 4)
    for rule in RULES:
        named = re.findall(r"(orchestrator_\w+)(?:\{([^}]*)\})?", rule["expr"])
        by = re.findall(r"by \(([^)]*)\)", rule["expr"])
        labels = {name.strip() for text in by for name in text.split(",")}
        labels |= set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        for name, matchers in named:
            wanted = labels | set(re.findall(r"(\w+)!?=", matchers))
            found = eventually(lambda name=name: scene.prometheus.series(name), f"{name} of {rule['alert']}")  # type: ignore[misc]
            assert all(wanted <= series.keys() for series in found), (rule["alert"], name)


def test_every_panel_of_the_board_has_something_to_show(scene: Scene) -> None:
    """After calls, mutes, and callbacks that are refused."""
    expressions = board_expressions()
    scene.stack.receiver.answer = lambda _: 404
    scene.room.add("gina", 5)
    assert scene.remove("gina") == 204

    def is_shown(expression: str) -> bool:
        scene.mute()
        return bool(scene.prometheus.shown(expression))

    assert len(expressions) > 30
    for expression in expressions:
        eventually(lambda wanted=expression: is_shown(wanted), expression, seconds=20)  # type: ignore[misc]
    scene.stack.receiver.answer = lambda _: 200
