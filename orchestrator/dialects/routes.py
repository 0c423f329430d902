"""The resources, once for all dialects: what differs between them is asked of the request's `Dialect`.

Order of checks: credentials, path, required, formats, state.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

import structlog
from flask import Blueprint, Response, g, request

from orchestrator import logs
from orchestrator.dialects.base import SUFFIXES, Answer, Asked, Operation
from orchestrator.dialects.call_routes import CALL_ROUTES, CallResources
from orchestrator.dialects.recording_routes import RECORDING_ROUTES, RecordingResources
from orchestrator.dialects.twilio import paging, schemas
from orchestrator.dialects.twilio.filters import parse_conference_filters
from orchestrator.domain.commands import given_in
from orchestrator.domain.conference import Participant
from orchestrator.errors import ApiError, MethodNotAllowed, NotFound
from orchestrator.services.all_services import Services
from orchestrator.services.pacing import Pacing
from orchestrator.sids import is_sid

Value = TypeVar("Value")

log = structlog.get_logger("app")

_CONFERENCES: Final = "/Conferences"
_CONFERENCE: Final = "/Conferences/<segment>"
_PARTICIPANTS: Final = "/Conferences/<segment>/Participants"
_PARTICIPANT: Final = "/Conferences/<segment>/Participants/<reference>"

ROUTES: Final[tuple[tuple[str, str, Operation], ...]] = (
    ("GET", "", "fetch_account"),
    ("GET", _CONFERENCES, "list_conferences"),
    ("GET", _CONFERENCE, "fetch_conference"),
    ("POST", _CONFERENCE, "update_conference"),
    ("GET", _PARTICIPANTS, "list_participants"),
    ("POST", _PARTICIPANTS, "create_participant"),
    ("GET", _PARTICIPANT, "fetch_participant"),
    ("POST", _PARTICIPANT, "update_participant"),
    ("DELETE", _PARTICIPANT, "remove_participant"),
)
"""Verb and path below an account -> what is done. A suffix may stand behind each path."""


def current(proxy: Value) -> Value:
    """Return what one of Flask's proxies stands for now. Each use of a proxy looks it up anew, by six calls."""
    found: Any = proxy
    return found._get_current_object()  # type: ignore[no-any-return]


def make_blueprint(prefix: str, services: Services, pacing: Pacing) -> Blueprint:
    """Make all routes under a dialect's prefix, bound to the objects they act on."""
    blueprint = Blueprint(f"resources {prefix}".replace(".", " "), __name__, url_prefix=f"{prefix}/Accounts/<account>")
    resources, calls = Resources(services, pacing), CallResources(services.calls, pacing)
    recordings = RecordingResources(services.recordings, pacing)
    acts: list[tuple[str, str, Operation, Callable[..., Answer | Response]]] = [
        *((*route, getattr(resources, route[2])) for route in ROUTES),
        *((*route, getattr(calls, route[2])) for route in CALL_ROUTES),
        *((*route, getattr(recordings, route[2])) for route in RECORDING_ROUTES),
    ]
    for verb, path, operation, act in acts:
        view = _make_view(prefix, path, operation, act)
        for suffix in SUFFIXES if path and not path.endswith(">") else ("",):
            blueprint.add_url_rule(path + suffix, operation + suffix[1:], view, methods=[verb])

    return blueprint


def _make_view(
    prefix: str, path: str, operation: Operation, act: Callable[..., Answer | Response]
) -> Callable[..., Response]:
    placeholder = re.search(r"<(\w+)>$", path)
    last = placeholder[1] if placeholder else None

    def view(account: str, **segments: str) -> Response:
        asked: Asked = current(g).asked
        if asked.prefix != prefix:
            raise no_such_path()
        if asked.representation is None:
            raise NotFound(f"{asked.suffix} is not offered here: .json, or no suffix for XML")
        if operation not in asked.dialect.operations:
            raise MethodNotAllowed("Method not allowed")
        if last is not None:
            segments[last] = asked.unsuffixed(segments[last])
        answer = act(asked, **segments)
        return answer if isinstance(answer, Response) else to_response(answer)

    return view


def to_response(answer: Answer) -> Response:
    """Return the answer as a response of Flask's."""
    response = Response(answer.body, status=answer.status, mimetype=answer.mimetype or None, headers=answer.headers)
    if not answer.mimetype:
        del response.headers["Content-Type"]
    return response


class Resources:
    """Answers the operations on accounts, conferences and participants, in any dialect."""

    def __init__(self, services: Services, pacing: Pacing) -> None:
        self._services = services
        self._pacing = pacing

    def fetch_account(self, asked: Asked) -> Answer:
        """Fetch the account itself: what SDKs ask for to see whether their credentials work."""
        return asked.dialect.render_account(asked, g.account)

    def list_conferences(self, asked: Asked) -> Answer:
        """List the conferences that match the filters, newest first."""
        wanted = paging.parse_page(request.args)
        filters, given = parse_conference_filters(request.args)
        with self._pacing.list_rows(asked.account_sid, g.account.limits) as counted:
            found = paging.page_of_seen(
                wanted,
                lambda behind, backwards: counted(
                    self._services.conferences.list_conferences(
                        asked.account_sid, filters, behind, oldest_first=backwards
                    )
                ),
                lambda sid: self._services.conferences.made_at(asked.account_sid, sid),
            )
        path = asked.uri(asked.account_sid, "Conferences")
        page = paging.make_page(wanted, found, lambda row: row.conference_sid, path, given)
        return asked.dialect.render_conferences(asked, page)

    def fetch_conference(self, asked: Asked, segment: str) -> Answer:
        """Fetch a conference, also a completed one."""
        found = self._services.conferences.fetch_conference(asked.account_sid, _conference_sid(asked, segment))
        return asked.dialect.render_conference(asked, found)

    def update_conference(self, asked: Asked, segment: str) -> Answer:
        """Announce to everybody in a conference, or end it."""
        sid, account_sid = _conference_sid(asked, segment), asked.account_sid
        update, conferences = asked.dialect.parse_conference_update(request.form), self._services.conferences
        if update.announce_url is not None:
            conferences.announce(account_sid, sid, update.announce_url, update.announce_method, asked.dialect.name)
        act = conferences.end_conference if update.ends else conferences.fetch_conference
        return asked.dialect.render_conference(asked, act(account_sid, sid))

    def list_participants(self, asked: Asked, segment: str) -> Answer:
        """List the participants who are in the conference or on the way to it, newest first."""
        sid = _conference_sid(asked, segment)
        wanted = paging.parse_page(request.args)
        flags = schemas.parse_flags(request.args, ("Muted", "Hold", "Coaching"))
        with self._pacing.list_rows(asked.account_sid, g.account.limits) as counted:
            live = counted(self._services.participants.list_participants(asked.account_sid, sid))
            rows = [row for row in live if _has(row, flags)]
        given = [(name, "true" if value else "false") for name, value in flags.items()]
        found = paging.page_of(
            wanted,
            rows,
            lambda row: paging.place(row.created_at, row.call_sid),
            lambda call_sid: self._services.participants.made_at(asked.account_sid, sid, call_sid),
        )
        path = asked.uri(asked.account_sid, "Conferences", sid, "Participants")
        page = paging.make_page(wanted, found, lambda row: row.call_sid, path, given, len(rows))
        return asked.dialect.render_participants(asked, page)

    def create_participant(self, asked: Asked, segment: str) -> Answer:
        """Dial somebody into a conference, by its SID or FriendlyName."""
        command = given_in(asked.dialect.parse_create(request.form), asked.dialect.name)
        name = asked.dialect.read_sid("CF", segment)
        name = name if is_sid("CF", name) else schemas.parse_conference_name(name)
        created, queue_time_ms = self._services.participants.create_participant(asked.account_sid, name, command)
        for code, text in schemas.list_warnings(request.form):
            log.info("create_warning", code=code, error=text)  # the client's to mend: no trouble of the operator's
        return replace(asked.dialect.render_participant(asked, created, queue_time_ms), status=201)

    def fetch_participant(self, asked: Asked, segment: str, reference: str) -> Answer:
        """Fetch a participant, by CallSid or label."""
        found = self._services.participants.fetch_participant(
            asked.account_sid, _conference_sid(asked, segment), _reference(asked, reference)
        )
        return asked.dialect.render_participant(asked, found, None)

    def update_participant(self, asked: Asked, segment: str, reference: str) -> Answer:
        """Mute or hold a participant, have them coach, announce to them."""
        sid, reference = _conference_sid(asked, segment), _reference(asked, reference)
        update = asked.dialect.parse_update(request.form)
        changed = self._services.updates.update_participant(
            asked.account_sid, sid, reference, update, asked.dialect.name
        )
        return asked.dialect.render_participant(asked, changed, None)

    def remove_participant(self, asked: Asked, segment: str, reference: str) -> Answer:
        """End the participant's call."""
        self._services.participants.remove_participant(
            asked.account_sid, _conference_sid(asked, segment), _reference(asked, reference)
        )
        return Answer(b"", "", 204)


def no_such_path() -> ApiError:
    """Make Twilio's 404 for a path that it does not know."""
    return NotFound(f"The requested resource {request.path[:512]} was not found")


def _conference_sid(asked: Asked, segment: str) -> str:
    sid = asked.dialect.read_sid("CF", segment)
    if not is_sid("CF", sid):
        raise MethodNotAllowed("Method not allowed: a ConferenceSid is needed here, not a FriendlyName")
    logs.bind(sid)
    return sid


def _reference(asked: Asked, segment: str) -> str:
    reference = asked.dialect.read_sid("CA", segment)
    logs.bind(reference)
    return reference


def _has(participant: Participant, flags: dict[str, bool]) -> bool:
    values = {"Muted": participant.muted_as_asked, "Hold": participant.hold_as_asked, "Coaching": participant.coaching}
    return all(values[name] is wanted for name, wanted in flags.items())
