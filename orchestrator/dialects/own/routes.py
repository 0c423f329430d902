"""Paths under /v1. Same credentials and error bodies as the Twilio dialect."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, g, request

from orchestrator.dialects.own import schemas
from orchestrator.dialects.own.serializers import (
    iso,
    serialize_attempts,
    serialize_callback,
    serialize_key,
    serialize_receiver,
)
from orchestrator.errors import BadParameter, TokenNeeded
from orchestrator.services.all_services import Services
from orchestrator.services.callback_log import CallbackLog
from orchestrator.services.credentials import Credentials
from orchestrator.services.pacing import Pacing
from orchestrator.sids import is_sid
from orchestrator.store.quotas import QuotaStore


def make_blueprint(services: Services, pacing: Pacing, quotas: QuotaStore) -> Blueprint:
    """Make all routes under /v1."""
    blueprint = Blueprint("own", __name__, url_prefix="/v1/Accounts/<account_sid>")
    _add_callbacks(blueprint, services.callback_log, pacing)
    _add_replays(blueprint, services.callback_log, pacing, quotas)
    _add_receivers(blueprint, services.callback_log)
    _add_keys(blueprint, services.credentials)
    return blueprint


def _add_callbacks(blueprint: Blueprint, callback_log: CallbackLog, pacing: Pacing) -> None:
    """Add the routes that read the callback log."""

    @blueprint.get("/Callbacks")
    def list_callbacks(account_sid: str) -> Response:
        wanted = schemas.parse_filter(request.args)
        size, place = schemas.parse_size(request.args), schemas.parse_place(request.args)
        with pacing.list_rows(account_sid, g.account.limits) as counted:
            page = callback_log.list_callbacks(account_sid, wanted, size, place, counted)
        following = None
        if page.next_after is not None:
            token = f"{page.next_after.planned_ms}-{page.next_after.callback_id}"
            following = f"{request.path}?{urlencode({**request.args, 'PageToken': token})}"
        return _json({"callbacks": [serialize_callback(row) for row in page.callbacks], "next_page_uri": following})

    @blueprint.get("/Callbacks/<callback_id>")
    def fetch_callback(account_sid: str, callback_id: str) -> Response:
        found = callback_log.fetch_callback(account_sid, callback_id)
        return _json({**serialize_callback(found), "attempts": serialize_attempts(found)})


def _add_replays(blueprint: Blueprint, callback_log: CallbackLog, pacing: Pacing, quotas: QuotaStore) -> None:
    """Add the routes that send callbacks once more."""

    def grant(account_sid: str, number: int) -> int:
        return quotas.take(account_sid, g.account.limits, "replays_per_minute", 60_000, number)

    @blueprint.post("/Callbacks/<callback_id>/Replay")
    def replay(account_sid: str, callback_id: str) -> Response:
        grant(account_sid, 1)
        return _json(serialize_callback(callback_log.replay(account_sid, callback_id)), 202)

    @blueprint.post("/Callbacks/Replay")
    def replay_all(account_sid: str) -> Response:
        """Replay all that match; without State, dead ones. If there are more, go on with After=`next_after`."""
        wanted = schemas.parse_filter(request.form)
        with pacing.list_rows(account_sid, g.account.limits) as counted:
            replayed = callback_log.replay_all(account_sid, wanted, counted, lambda number: grant(account_sid, number))
        rest = replayed.next_after_ms
        body = {"replayed": replayed.number, "more": rest is not None, "next_after": iso(rest) if rest else None}
        return _json(body, 202)


def _add_receivers(blueprint: Blueprint, callback_log: CallbackLog) -> None:
    """Add the routes about the hosts that callbacks go to."""

    @blueprint.get("/Receivers")
    def list_receivers(account_sid: str) -> Response:
        return _json({"receivers": [serialize_receiver(row) for row in callback_log.list_receivers(account_sid)]})

    @blueprint.post("/Receivers/Resume")
    def resume_receiver(account_sid: str) -> Response:
        host = request.form.get("Host", "")
        if not host:
            raise BadParameter("Host: is required")
        callback_log.resume_receiver(account_sid, host.lower())
        return _json({"host": host.lower(), "is_paused": False})


def _add_keys(blueprint: Blueprint, credentials: Credentials) -> None:
    """Add the routes about API keys."""

    @blueprint.get("/Keys")
    def list_keys(account_sid: str) -> Response:
        return _json({"keys": [serialize_key(key) for key in credentials.list_keys(account_sid)]})

    @blueprint.post("/Keys")
    def create_key(account_sid: str) -> Response:
        """Make a key; its secret is told this once."""
        _require_token()
        key, secret = credentials.create_key(account_sid, schemas.parse_friendly_name(request.form))
        return _json({**serialize_key(key), "secret": secret}, 201)

    @blueprint.delete("/Keys/<key_sid>")
    def revoke_key(account_sid: str, key_sid: str) -> Response:
        _require_token()
        credentials.revoke_key(account_sid, key_sid)
        return Response(status=204)


def _require_token() -> None:
    """Refuse an API key: one that has leaked could make another one before it is revoked. Raises TokenNeeded."""
    if request.authorization is not None and is_sid("SK", request.authorization.username or ""):
        raise TokenNeeded("API keys are made and revoked with the AuthToken only")


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status=status, mimetype="application/json")
