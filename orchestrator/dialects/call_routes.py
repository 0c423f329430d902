"""Calls, once for all dialects."""

from __future__ import annotations

from typing import Final

from flask import g, request

from orchestrator import logs
from orchestrator.dialects.base import Answer, Asked, Operation
from orchestrator.dialects.twilio import paging
from orchestrator.dialects.twilio.calls import parse_filters, parse_update
from orchestrator.errors import NotFound
from orchestrator.services.calls import CallService
from orchestrator.services.pacing import Pacing
from orchestrator.sids import is_sid

CALL_ROUTES: Final[tuple[tuple[str, str, Operation], ...]] = (
    ("GET", "/Calls", "list_calls"),
    ("GET", "/Calls/<call>", "fetch_call"),
    ("POST", "/Calls/<call>", "update_call"),
)


class CallResources:
    """Answers the operations on calls, in any dialect."""

    def __init__(self, calls: CallService, pacing: Pacing) -> None:
        self._calls = calls
        self._pacing = pacing

    def list_calls(self, asked: Asked) -> Answer:
        """List the calls that match the filters, newest first."""
        wanted = paging.parse_page(request.args)
        filters, given = parse_filters(asked, request.args)
        account_sid = asked.account_sid
        with self._pacing.list_rows(account_sid, g.account.limits) as counted:
            found = paging.page_of_seen(
                wanted,
                lambda behind, backwards: counted(
                    self._calls.list_calls(account_sid, filters, behind, oldest_first=backwards)
                ),
                lambda sid: self._calls.made_at(account_sid, sid),
            )
        path = asked.uri(account_sid, "Calls")
        return asked.dialect.render_calls(asked, paging.make_page(wanted, found, lambda row: row.call_sid, path, given))

    def fetch_call(self, asked: Asked, call: str) -> Answer:
        """Fetch a call, also one that has ended."""
        return asked.dialect.render_call(asked, self._calls.fetch_call(asked.account_sid, _call_sid(asked, call)))

    def update_call(self, asked: Asked, call: str) -> Answer:
        """End a call, or cancel it."""
        sid, status = _call_sid(asked, call), parse_update(request.form)
        return asked.dialect.render_call(asked, self._calls.end_call(asked.account_sid, sid, status))


def _call_sid(asked: Asked, segment: str) -> str:
    sid = asked.dialect.read_sid("CA", segment)
    if not is_sid("CA", sid):
        raise NotFound(f"The call {segment[:64]} was not found")
    logs.bind(sid)
    return sid
