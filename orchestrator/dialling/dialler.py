"""Dials one call that has waited for its slot, exactly once.

A call is claimed, dialled, and taken out of the queue. A worker that dies in between leaves a claim behind: the next
waits until the node's listener has told what there is to tell, asks the switch, and dials only what nobody has.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog

from orchestrator import logs
from orchestrator.dialling.policies import check_policy
from orchestrator.dialling.queued_call import Seal, Unreadable
from orchestrator.dialling.sessions import Sessions
from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import Conference, Participant, ParticipantStatus
from orchestrator.domain.events import CallEnded, Happened
from orchestrator.domain.hearing import hears_conference
from orchestrator.errors import BadParameter, NodeFull
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.commands import ChannelExists
from orchestrator.freeswitch.dial_string import Originate
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.store.accounts import AccountStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.dials import DialStore, Waiting
from orchestrator.store.nodes import NodeStore

YOUNG_MS: Final = 5_000
"""A call's slot is reserved just before its record is written."""

HEARD_SECONDS: Final = 2
"""So long after a claim was found a listener has told of the call, if it was dialled."""

CANCELED: Final = "ORIGINATOR_CANCEL"
BARRED: Final = "OUTGOING_CALL_BARRED"
"""By the operator, since it was asked for."""

log = structlog.get_logger("dialling")


class NotNow(Exception):
    """A call cannot be dialled yet, and nobody has dialled it. Those behind it wait, too: order is kept. With a `node`
    only those that it dials."""

    def __init__(self, node: str = "") -> None:
        super().__init__(node)
        self.node = node


class Unsure(NotNow):
    """The call may have been dialled."""


def _about(call: Waiting) -> AbstractContextManager[None]:
    """Have lines, and what follows, name a call of the queue, not the request that woke the queue; `_load` adds that
    which the call is due to."""
    return logs.bound(call.account_sid, call.conference_sid, call.call_sid, request_id="")


class Dialler:
    """Dials calls of any account and node."""

    def __init__(
        self,
        store: DialStore,
        accounts: AccountStore,
        commits: CommitStore,
        listeners: NodeStore,
        nodes: Nodes,
        sessions: Sessions,
        seal: Seal,
        make_committer: Callable[[Send], Committer],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._commits = commits
        self._listeners = listeners
        self._nodes = nodes
        self._sessions = sessions
        self._seal = seal
        self._make_committer = make_committer

    def take(self, call: Waiting) -> None:
        """Dial a call, or end it. Raises NotNow, Unavailable."""
        with _about(call):
            claim, sealed, found_ms = self._store.claim(call)
            if claim == 0:
                return
            was_claimed = claim == 2
            try:
                if was_claimed:
                    self._await_news(call, found_ms)
                dialled = self._settle(call, sealed, was_claimed)
            except Unsure:
                raise
            except NotNow:
                self._store.unclaim(call)
                raise
            self._store.finish(call, *dialled)

    def end(self, call: Waiting, cause: str = CANCELED) -> None:
        """Take a call that is not dialled any more out of the queue: its leave, and its last callback, say why."""
        with _about(call):
            _, participant = self._load(call)
            if participant is not None and participant.ended_at is None:
                event = Happened(call.call_sid, call.conference_sid, CallEnded(datetime.now(UTC), cause))
                try:
                    self._make_committer(partial(self._nodes.send, participant.switch.node)).commit_events([event])
                except NodeUnavailable as error:
                    log.warning("end_not_told", error=error.message)  # it is committed
            self._store.finish(call, None)

    def _settle(self, call: Waiting, sealed: str, was_claimed: bool) -> tuple[datetime | None, int]:
        """When the call was dialled, None if it was not, and how many gateways were left then."""
        conference, participant = self._load(call)
        if conference is None or participant is None:
            if time.time() * 1000 - call.slot_ms < YOUNG_MS:
                raise NotNow
            log.error("waiting_call_unknown")
            return None, 0
        left = participant.gateways_left
        if participant.ended_at is not None or (participant.sealed_call and not participant.is_waiting):
            return None, left  # over, or dialled by whoever was here before
        was_begun = participant.status is not ParticipantStatus.QUEUED
        has_channel = (was_claimed or was_begun) and self._has_channel(participant)
        if (was_begun and not participant.sealed_call) or (was_claimed and has_channel):
            # By the gateway behind the last that was noted, which may have failed since the claim: `left` counts that.
            return datetime.now(UTC), max(0, participant.tried_left - 1)
        if has_channel:
            raise NotNow  # the one by which it has failed: a switch has a UUID once
        if participant.removal_requested or conference.is_ending:
            self.end(call)
            return None, left
        return self._dial(call, sealed, conference, participant), left

    def _dial(self, call: Waiting, sealed: str, conference: Conference, participant: Participant) -> datetime | None:
        name = participant.switch.node
        try:
            node = self._nodes.get_connected(name)
        except NodeUnavailable as error:
            raise NotNow(name) from error
        try:
            queued = self._seal.open(sealed)
            if not self._may_call(call.account_sid, queued.command):
                self.end(call, BARRED)
                return None
            # As it is wanted by now: nobody could tell a switch of a call that had no channel.
            destination = queued.destination.with_left(participant.gateways_left)
            wanted = replace(participant, muted=participant.muted_as_asked, muted_wanted=None)
            started = hears_conference(conference, participant)
            self._sessions.reserve(participant)
            dialled_at = datetime.now(UTC)
            node.start_job(Originate(queued.command, wanted, destination, started), participant.switch.channel_uuid)
        except NodeFull as error:
            raise NotNow(name) from error
        except NodeUnavailable as error:
            raise Unsure(name) from error
        except (Unreadable, BadParameter, CommandRefused) as error:
            log.error("waiting_call_not_dialled", error=repr(error)[:200])
            self.end(call, "NORMAL_TEMPORARY_FAILURE")
            return None
        log.info("waiting_call_dialled")
        return dialled_at

    def _may_call(self, account_sid: str, command: CreateParticipant) -> bool:
        """Whether the account's policy still lets it."""
        try:
            check_policy(self._accounts.load_policy(account_sid), command.to, command.from_, command.caller_id)
        except BadParameter as error:
            log.warning("waiting_call_barred", error=error.message)
            return False
        return True

    def _load(self, call: Waiting) -> tuple[Conference | None, Participant | None]:
        sid, call_sid = call.conference_sid, call.call_sid
        conferences, participants = self._commits.load([(sid, call_sid)], [sid])
        found, participant = conferences.get(sid), participants.get(call_sid)
        if participant is not None:
            logs.bind(participant.removal_request or participant.create_request)
        return (found.conference if found else None), participant

    # ------------------------------------------------------------ after somebody's death

    def _await_news(self, call: Waiting, found_ms: int) -> None:
        """Raises Unsure until the node's listener has been following, with nothing left to be read, since the claim was
        found. Both moments are Redis': clocks of hosts differ."""
        _, participant = self._load(call)
        if participant is None:
            return
        node = self._listeners.load_node(participant.switch.node)
        is_all = node.get("connected") == "1" and node.get("queued") == "0"
        if not is_all or int(node.get("seen_at", "0")) < found_ms / 1000 + HEARD_SECONDS:
            raise Unsure(participant.switch.node)

    def _has_channel(self, participant: Participant) -> bool:
        """Raises Unsure."""
        name = participant.switch.node
        try:
            return self._nodes.send(name, ChannelExists(participant.switch.channel_uuid)).strip() == "true"
        except (NodeUnavailable, CommandRefused) as error:
            raise Unsure(name) from error
