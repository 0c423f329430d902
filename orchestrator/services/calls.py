"""Calls: the participants as Twilio's Call resource; read, hung up, canceled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal

import structlog

from orchestrator import logs
from orchestrator.domain.calls import ON_THE_WAY, call_status
from orchestrator.domain.conference import Participant
from orchestrator.errors import CallNotInProgress, NotFound
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.listener.coaching import Send
from orchestrator.listener.committer import Committer
from orchestrator.services.confirmation import act_until, end_call
from orchestrator.store.calls import CallFilter, CallStore
from orchestrator.store.conference_list import Place, Seen
from orchestrator.store.conferences import ConferenceStore

log = structlog.get_logger("calls")


class CallService:
    """Reads and ends calls. `account_sid` is always the authenticated account."""

    def __init__(
        self,
        store: CallStore,
        conferences: ConferenceStore,
        nodes: Nodes,
        make_committer: Callable[[Send], Committer],
    ) -> None:
        self._store = store
        self._conferences = conferences
        self._nodes = nodes
        self._make_committer = make_committer

    def fetch_call(self, account_sid: str, call_sid: str) -> Participant:
        """Fetch a call, also one that has ended. Raises NotFound."""
        return self._store.load(account_sid, call_sid)

    def list_calls(
        self, account_sid: str, wanted: CallFilter, behind: Place | None, *, oldest_first: bool
    ) -> Iterable[Seen[Participant]]:
        """List the account's calls behind a place, newest first: rows that were looked at, and which of them match."""
        return self._store.list_calls(account_sid, wanted, behind, oldest_first=oldest_first)

    def made_at(self, account_sid: str, call_sid: str) -> datetime | None:
        """Return when a call was created; None if nothing is known of it."""
        try:
            return self._store.load(account_sid, call_sid).created_at
        except NotFound:
            return None

    def end_call(self, account_sid: str, call_sid: str, status: Literal["completed", "canceled"]) -> Participant:
        """Hang up, whatever state the call is in; `canceled`: unless it is answered. Returns the call when it is over.

        Raises NotFound, CallNotInProgress, Unavailable.
        """
        call = self._store.load(account_sid, call_sid)
        if call.ended_at is not None or (status == "canceled" and call_status(call) not in ON_THE_WAY):
            raise CallNotInProgress(f"Call is not in-progress. Cannot be {status}: it is {call_status(call)}")
        if call.dialled_at is not None:
            self._nodes.get_connected(call.switch.node)  # nothing is noted that cannot be done
        self._conferences.request_removal(account_sid, call.conference_sid, call_sid)
        logs.bind(call.conference_sid, call_sid)
        log.info("call_end_asked", status=status)

        def is_over() -> bool:
            nonlocal call
            call = self._store.load(account_sid, call_sid)
            return call.ended_at is not None

        act_until(is_over, lambda: end_call(self._nodes, call, self._make_committer))
        return call
