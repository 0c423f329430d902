"""Waits until the store shows what a client asked for: facts are written by the listener, from the switch's events."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from orchestrator.domain.conference import Participant
from orchestrator.domain.events import CallEnded, Happened
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.commands import KillChannel
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer

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


def end_call(nodes: Nodes, participant: Participant, make_committer: Callable[[Send], Committer]) -> None:
    """End a call's channel. One that waits in the queue has none, and is over by being said to be, whether its node is
    there or not; a channel that is still to be made is ended by the listener. Raises Unavailable."""
    send = partial(nodes.send, participant.switch.node)
    if participant.is_waiting:
        ended = CallEnded(datetime.now(UTC), "ORIGINATOR_CANCEL")
        happened = Happened(participant.call_sid, participant.conference_sid, ended)
        with contextlib.suppress(NodeUnavailable):  # it is committed; others of the conference hear of it with the node
            make_committer(send).commit_events([happened])
        return
    with contextlib.suppress(CommandRefused):
        send(KillChannel(participant.switch.channel_uuid))
