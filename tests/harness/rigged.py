"""A service to be broken: it hurries, and a part may be rigged to kill itself at the moment that matters."""

from __future__ import annotations

import sys

from tests.harness.polling import eventually
from tests.harness.stack import Process, Stack

RIGGED = """
from orchestrator import cooperation
cooperation.patch()
import os, sys

def die(*_, **__):
    os.killpg(0, 9)

{patch}
from orchestrator.cli import main
sys.exit(main([{command!r}]))
"""

HURRIES = """
import orchestrator.jobs.wakeups
import orchestrator.listener.listener
import orchestrator.playback.state
import orchestrator.recordings.look
import orchestrator.store.outbox
import orchestrator.store.lanes
orchestrator.jobs.wakeups.WOKEN_SECONDS = 1
orchestrator.listener.listener.AUDIT_SECONDS = 1.0
orchestrator.playback.state.LATE_MS = 1_000
orchestrator.recordings.look.LOOK_SECONDS = 1.0
orchestrator.store.outbox.LEASE_MS = 3_000
orchestrator.store.lanes.LEASE_MS = 3_000
"""
"""Waits that only make a test longer: for the next audit or look, a sound's missed end, what a dead worker holds."""


class HurriedStack(Stack):
    """A service that need not be waited for."""

    def _process(self, command: str, name: str | None = None) -> Process:
        process = super()._process(command, name)
        process.command = rigged(command, HURRIES)
        return process


def rigged(command: str, *patches: str) -> list[str]:
    return [sys.executable, "-c", RIGGED.format(patch="\n".join(patches), command=command), command]


def repair(stack: Stack) -> None:
    broken = False
    for process in (stack.api, stack.listener, *stack.workers):
        whole = rigged(process.command[-1], HURRIES)
        if process.command != whole or not is_alive(process):
            process.kill_9()
            process.command = whole
            process.start()
            broken = True
    if broken:
        stack.await_ready()


def is_alive(process: Process) -> bool:
    started = process._process
    return started is not None and started.poll() is None


def rig(process: Process, patch: str) -> None:
    """Start a part anew, with an accident built in."""
    process.kill_9()
    process.command = rigged(process.command[-1], HURRIES, patch)
    process.start()


def await_death(process: Process) -> None:
    eventually(lambda: not is_alive(process), f"{process.name} has died", 15)
    process.kill_9()
