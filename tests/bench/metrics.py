"""What metrics cost a worker that delivers and a listener that follows, of the CPU time that each of them takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench.deliveries import Outbox
from tests.bench.receiver_process import FastReceiver
from tests.bench.report import Row
from tests.harness.freeswitch import EslSocket
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.stack import Process, Stack

CALLBACKS, LANES = 6_000, 300
PEOPLE, FLIPS = 5, 1_000
"""Each flip mutes or unmutes all."""


def measure(stack: Stack) -> list[Row]:
    room = Room(stack)
    for number in range(PEOPLE):
        room.add(f"p{number}", number + 1)
    shares = {"listener": _share(stack, stack.listener, lambda: _flip(stack, room))}
    receiver = FastReceiver(stack.directory)
    receiver.start()
    for worker in stack.workers[1:]:
        worker.kill_9()
    shares["worker"] = _share(stack, stack.workers[0], lambda: _deliver(stack, receiver))
    receiver.stop()
    return [
        Row(f"metrics, of a {kind}'s CPU time", share * 100, "%", goal="<= 3", is_met=share <= 0.03)
        for kind, share in shares.items()
    ]


def _share(stack: Stack, process: Process, work: Callable[[], None]) -> float:
    """Of the CPU time that a process takes for this work, what its metrics take."""
    path = Path(stack.directory, f"{process.name}.metrics")
    plain = process.command
    process.kill_9()
    process.command = [sys.executable, "-m", "tests.bench.timed_metrics", str(path), *plain[3:]]
    process.start()
    eventually(path.exists, "it reports", 30)
    stack.await_ready()
    before = _next_report(path)
    work()
    after = _next_report(path)
    process.kill_9()
    process.command = plain
    process.start()
    stack.await_ready()
    return (after["metrics"] - before["metrics"]) / (after["all"] - before["all"])


def _next_report(path: Path) -> dict[str, float]:
    path.unlink(missing_ok=True)
    eventually(path.exists, "it reports", 30)
    report: dict[str, float] = json.loads(path.read_text("utf-8"))
    return report


def _deliver(stack: Stack, receiver: FastReceiver) -> None:
    outbox = Outbox(stack)
    receiver.forget()
    outbox.wake(outbox.fill(receiver.url(), LANES, CALLBACKS))
    eventually(lambda: receiver.count() >= CALLBACKS, "all delivered", 120)


def _flip(stack: Stack, room: Room) -> None:
    """Everybody is muted and unmuted, again and again; over when the last time is committed."""
    esl = EslSocket(stack.switch.esl_port, stack.switch.password)
    for _ in range(FLIPS):
        esl.command(f"api conference {room.conference_sid} tmute all")
    esl.command(f"api conference {room.conference_sid} mute all")
    esl.close()
    client = stack.client().conferences(room.conference_sid)
    eventually(lambda: all(person.muted for person in client.participants.list()), "all are muted", 60)
