"""Twilio's paths under /2010-04-01. Order of checks: credentials, path, required, formats, state."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from flask import Blueprint, Response, request

from orchestrator.dialects.twilio import paging, schemas
from orchestrator.dialects.twilio.filters import parse_conference_filters
from orchestrator.dialects.twilio.serializers import (
    API_VERSION,
    conferences_uri,
    participants_uri,
    serialize_conference,
    serialize_participant,
)
from orchestrator.domain.conference import Participant
from orchestrator.errors import ApiError, MethodNotAllowed, NotFound
from orchestrator.handlers import Handlers
from orchestrator.sids import is_sid
from orchestrator.updates import Updates

PREFIX = f"/{API_VERSION}"


def make_blueprint(handlers: Handlers, updates: Updates) -> Blueprint:
    """All routes of the dialect, bound to the objects they act on."""
    blueprint = Blueprint("twilio", __name__, url_prefix=f"{PREFIX}/Accounts/<account_sid>")
    _add_conferences(blueprint, handlers, updates)
    _add_participants(blueprint, handlers, updates)

    @blueprint.after_request
    def name_request(response: Response) -> Response:
        """Twilio names every request; support asks for it."""
        response.headers["Twilio-Request-Id"] = f"RQ{uuid.uuid4().hex}"
        return response

    return blueprint


def _add_conferences(blueprint: Blueprint, handlers: Handlers, updates: Updates) -> None:
    @blueprint.get("/Conferences.json")
    def list_conferences(account_sid: str) -> Response:
        wanted = paging.parse_page(request.args)
        matches, given = parse_conference_filters(request.args)
        rows = (row for row in handlers.list_conferences(account_sid) if matches(row))
        found = paging.page_of(
            wanted,
            rows,
            lambda row: paging.place(row.created_at, row.conference_sid),
            lambda sid: handlers.made_at(account_sid, sid),
        )
        path = f"{conferences_uri(account_sid)}.json"
        return _json(
            paging.envelope(
                "conferences", wanted, found, serialize_conference, lambda row: row.conference_sid, path, given
            )
        )

    @blueprint.get("/Conferences/<segment>.json")
    def fetch_conference(account_sid: str, segment: str) -> Response:
        return _json(serialize_conference(handlers.fetch_conference(account_sid, _conference_sid(segment))))

    @blueprint.post("/Conferences/<segment>.json")
    def update_conference(account_sid: str, segment: str) -> Response:
        sid = _conference_sid(segment)
        update = schemas.parse_conference_update(request.form)
        if update.announce_url is not None:
            updates.announce(account_sid, sid, update.announce_url, update.announce_method)
        act = handlers.end_conference if update.ends else handlers.fetch_conference
        return _json(serialize_conference(act(account_sid, sid)))


def _add_participants(blueprint: Blueprint, handlers: Handlers, updates: Updates) -> None:
    participants = "/Conferences/<segment>/Participants.json"
    participant = "/Conferences/<segment>/Participants/<reference>.json"

    @blueprint.get(participants)
    def list_participants(account_sid: str, segment: str) -> Response:
        sid = _conference_sid(segment)
        wanted = paging.parse_page(request.args)
        flags = schemas.parse_flags(request.args, ("Muted", "Hold", "Coaching"))
        rows = [row for row in handlers.list_participants(account_sid, sid) if _has(row, flags)]
        given = [(name, "true" if value else "false") for name, value in flags.items()]
        found = paging.page_of(
            wanted,
            rows,
            lambda row: paging.place(row.created_at, row.call_sid),
            lambda call_sid: handlers.made_at(account_sid, sid, call_sid),
        )
        path = f"{participants_uri(account_sid, sid)}.json"
        return _json(
            paging.envelope("participants", wanted, found, serialize_participant, lambda row: row.call_sid, path, given)
        )

    @blueprint.post(participants)
    def create_participant(account_sid: str, segment: str) -> Response:
        command = schemas.parse_create(request.form)
        name = segment if is_sid("CF", segment) else schemas.parse_conference_name(segment)
        created, queue_time_ms = handlers.create_participant(account_sid, name, command)
        return _json(serialize_participant(created, queue_time_ms), 201)

    @blueprint.get(participant)
    def fetch_participant(account_sid: str, segment: str, reference: str) -> Response:
        found = handlers.fetch_participant(account_sid, _conference_sid(segment), reference)
        return _json(serialize_participant(found))

    @blueprint.post(participant)
    def update_participant(account_sid: str, segment: str, reference: str) -> Response:
        sid = _conference_sid(segment)
        update = schemas.parse_update(request.form)
        return _json(serialize_participant(updates.update_participant(account_sid, sid, reference, update)))

    @blueprint.delete(participant)
    def remove_participant(account_sid: str, segment: str, reference: str) -> Response:
        handlers.remove_participant(account_sid, _conference_sid(segment), reference)
        response = Response(status=204)
        del response.headers["Content-Type"]
        return response


def no_such_path() -> ApiError:
    """Twilio's 404 for a path that it does not know."""
    return NotFound(f"The requested resource {request.path[:512]} was not found")


def _conference_sid(segment: str) -> str:
    if not is_sid("CF", segment):
        raise MethodNotAllowed("Method not allowed: a ConferenceSid is needed here, not a FriendlyName")
    return segment


def _has(participant: Participant, flags: dict[str, bool]) -> bool:
    values = {"Muted": participant.muted_as_asked, "Hold": participant.hold_as_asked, "Coaching": participant.coaching}
    return all(values[name] is wanted for name, wanted in flags.items())


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status=status, mimetype="application/json")
