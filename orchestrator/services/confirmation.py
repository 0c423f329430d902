"""Waits until the store shows what a client asked for: facts are written by the listener, from the switch's events."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

from orchestrator.errors import Unavailable
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.commands import KillChannel
from orchestrator.freeswitch.nodes import Node
from orchestrator.sids import channel_uuid_of

CONFIRM_SECONDS: Final = 1.8
"""How long an answer waits for the event that makes it true; a client is promised an answer within 2 s."""


def act_until(is_true: Callable[[], bool], act: Callable[[], None]) -> None:
    """Repeat `act` until the store shows its effect, looking at growing intervals. Raises Unavailable after
    CONFIRM_SECONDS."""
    deadline = time.monotonic() + CONFIRM_SECONDS
    pause = 0.005
    act_again_at = 0.0
    while True:
        now = time.monotonic()
        if now >= act_again_at:
            act()
            act_again_at = now + 0.25
        if is_true():
            return
        if now > deadline:
            raise Unavailable("The switch has been told, and has not confirmed it yet: try again")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def end_call(node: Node, call_sid: str) -> None:
    """End a call's channel. Without one the call has ended, or is still to be made: then the listener ends it."""
    with contextlib.suppress(CommandRefused):
        node.send(KillChannel(channel_uuid_of(call_sid)))
