"""The operators' API, under /v1 on the console: accounts, what they may take, their keys, nodes. The same code as the
command line's; described by the table below in /openapi.json."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any, Final, cast

import orjson
from flask import Blueprint, Response, g, request

from orchestrator.console.reader import Reader
from orchestrator.console.views import conference_row, person_row
from orchestrator.dialects.own.serializers import serialize_account, serialize_key
from orchestrator.errors import BadParameter, NotFound
from orchestrator.limits import TABLE, parse_limit
from orchestrator.policy import parse_numbers
from orchestrator.services.credentials import Credentials
from orchestrator.services.trunking import Trunking
from orchestrator.sids import mint_sid
from orchestrator.store.account_removal import AccountRemoval
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.history import timeline
from orchestrator.store.registry import State
from orchestrator.trunks import Trunk

POLICY: Final = ("allowed_prefixes", "refused_prefixes", "caller_ids")
TRUNK: Final = ("Gateway", "FriendlyName")

OPERATIONS: Final[tuple[tuple[str, str, str, tuple[str, ...]], ...]] = (
    ("GET", "/v1/Accounts", "List accounts with what they have now", ()),
    ("POST", "/v1/Accounts", "Make an account; its AuthToken is told this once", ("FriendlyName",)),
    ("GET", "/v1/Accounts/{AccountSid}", "One account, without its tokens", ()),
    ("POST", "/v1/Accounts/{AccountSid}", "Suspend, resume (Status=suspended, active), rename",
     ("Status", "FriendlyName")),
    ("DELETE", "/v1/Accounts/{AccountSid}", "Delete a suspended account and all that is kept of it", ()),
    ("GET", "/v1/Accounts/{AccountSid}/Limits", "What it may take", ()),
    ("POST", "/v1/Accounts/{AccountSid}/Limits", "Change what it may take: a number, or `default`",
     tuple(row.name for row in TABLE)),
    ("GET", "/v1/Accounts/{AccountSid}/Keys", "Its API keys", ()),
    ("POST", "/v1/Accounts/{AccountSid}/Keys", "Make an API key; its secret is told this once", ("FriendlyName",)),
    ("DELETE", "/v1/Accounts/{AccountSid}/Keys/{KeySid}", "Refuse a key from now on", ()),
    ("GET", "/v1/Accounts/{AccountSid}/Policy", "Whom it may call, and as whom", ()),
    ("POST", "/v1/Accounts/{AccountSid}/Policy", "Change it: +1,+44,… or `any` or `none`", POLICY),
    ("GET", "/v1/Accounts/{AccountSid}/Trunks", "Its trunks", ()),
    ("POST", "/v1/Accounts/{AccountSid}/Trunks", "Make a trunk, for `Byoc`; Gateway may be repeated", TRUNK),
    ("POST", "/v1/Accounts/{AccountSid}/Trunks/{TrunkSid}", "Give it other gateways, or another name", TRUNK),
    ("DELETE", "/v1/Accounts/{AccountSid}/Trunks/{TrunkSid}", "Delete it; creates that name it are refused", ()),
    ("GET", "/v1/Nodes", "Every node, and what its listener last said", ()),
    ("POST", "/v1/Nodes/{NodeName}", "Cordon it, or have it get new conferences again", ("State",)),
    ("GET", "/v1/Conferences", "Conferences that are not over", ()),
    ("GET", "/v1/Conferences/{ConferenceSid}", "One, also after its end: its calls, and what happened", ()),
)  # fmt: skip
"""Verb, path, summary, and the parameters of its form."""

_NOTED: Final = ("Status", "State")
"""Fields of whose value the audit log knows, too: no secret is ever sent in them."""

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_PLACE: Final = re.compile(r"[<{]\w+[>}]")
_FIELDS: Final = {_PLACE.sub("<>", path): fields for verb, path, _, fields in OPERATIONS if verb == "POST"}


def make_blueprint(reader: Reader, accounts: AccountStore, removal: AccountRemoval) -> Blueprint:
    """All routes."""
    blueprint = Blueprint("admin", __name__)
    blueprint.before_request(_check_form)
    _add_accounts(blueprint, reader, accounts, removal)
    _add_rules(blueprint, accounts)
    _add_trunks(blueprint, Trunking(accounts))
    _add_reads(blueprint, reader)
    document = orjson.dumps(build_document())

    @blueprint.get("/openapi.json")
    def describe() -> Response:
        return Response(document, mimetype="application/json")

    return blueprint


def _check_form() -> None:
    """Refuse what would have no effect: a body that is no form, a field that the operation does not have. Keep for the
    audit log which fields there are."""
    if request.method != "POST" or request.url_rule is None:
        return
    if request.mimetype not in _FORMS and (request.mimetype or request.content_length):
        raise BadParameter(f"Content-Type: takes {_FORMS[0]}")
    fields = _FIELDS[_PLACE.sub("<>", request.url_rule.rule)]
    g.fields = [
        f"{name}={request.form[name][:32]}" if name in _NOTED else name for name in fields if name in request.form
    ]
    for name in request.form:
        if name not in fields:
            raise BadParameter(f"{name[:64]}: is no field of this; takes {', '.join(fields)}")


def _add_accounts(blueprint: Blueprint, reader: Reader, accounts: AccountStore, removal: AccountRemoval) -> None:
    """Accounts and their keys."""
    credentials, shown = Credentials(accounts), serialize_account

    @blueprint.get("/v1/Accounts")
    def list_accounts() -> Response:
        takings = {row.account_sid: asdict(row) for row in reader.accounts()}
        known = accounts.list_accounts()
        return _json({"accounts": [{**shown(one), "now": takings.get(one.account_sid)} for one in known]})

    @blueprint.post("/v1/Accounts")
    def create_account() -> Response:
        name = request.form.get("FriendlyName", "")[:64]
        account = Account(mint_sid("AC"), secrets.token_hex(16), "active", name)
        accounts.save_account(account)
        return _json({**shown(account), "auth_token": account.auth_token}, 201)

    @blueprint.get("/v1/Accounts/<sid>")
    def fetch_account(sid: str) -> Response:
        return _json(shown(credentials.load_account(sid)))

    @blueprint.post("/v1/Accounts/<sid>")
    def update_account(sid: str) -> Response:
        def change(account: Account) -> Account:
            status = request.form.get("Status", account.status)
            if status not in ("active", "suspended"):
                raise BadParameter("Status: takes active and suspended")
            return replace(
                account, status=status, friendly_name=request.form.get("FriendlyName", account.friendly_name)[:64]
            )

        return _json(shown(credentials.change_account(sid, change)))

    @blueprint.delete("/v1/Accounts/<sid>")
    def delete_account(sid: str) -> Response:
        credentials.load_account(sid)
        removal.delete(sid)
        accounts.forget(sid)
        return Response(status=204)

    @blueprint.get("/v1/Accounts/<sid>/Keys")
    def list_keys(sid: str) -> Response:
        return _json({"keys": [serialize_key(key) for key in credentials.list_keys(sid)]})

    @blueprint.post("/v1/Accounts/<sid>/Keys")
    def create_key(sid: str) -> Response:
        key, secret = credentials.create_key(sid, request.form.get("FriendlyName", "")[:64])
        return _json({**serialize_key(key), "secret": secret}, 201)

    @blueprint.delete("/v1/Accounts/<sid>/Keys/<key_sid>")
    def revoke_key(sid: str, key_sid: str) -> Response:
        credentials.revoke_key(sid, key_sid)
        return Response(status=204)


def _add_rules(blueprint: Blueprint, accounts: AccountStore) -> None:
    """What accounts may take, and whom they may call."""
    credentials = Credentials(accounts)

    @blueprint.get("/v1/Accounts/<sid>/Limits")
    def fetch_limits(sid: str) -> Response:
        return _json(asdict(credentials.load_account(sid).limits))

    @blueprint.post("/v1/Accounts/<sid>/Limits")
    def change_limits(sid: str) -> Response:
        credentials.load_account(sid)
        accounts.save_limits(sid, _parse_limits(request.form))
        return _json(asdict(accounts.load_limits(sid)))

    @blueprint.get("/v1/Accounts/<sid>/Policy")
    def fetch_policy(sid: str) -> Response:
        credentials.load_account(sid)
        return _json(asdict(accounts.load_policy(sid)))

    @blueprint.post("/v1/Accounts/<sid>/Policy")
    def change_policy(sid: str) -> Response:
        credentials.load_account(sid)
        accounts.save_policy(sid, _parse_policy(request.form))
        return _json(asdict(accounts.load_policy(sid)))


def _add_trunks(blueprint: Blueprint, trunking: Trunking) -> None:
    """The gateways of an account's own."""

    def shown(trunk: Trunk) -> dict[str, Any]:
        gateways = list(map(str, trunk.gateways))
        return {"trunk_sid": trunk.trunk_sid, "friendly_name": trunk.friendly_name, "gateways": gateways}

    @blueprint.get("/v1/Accounts/<sid>/Trunks")
    def list_trunks(sid: str) -> Response:
        return _json({"trunks": list(map(shown, trunking.list_trunks(sid)))})

    @blueprint.post("/v1/Accounts/<sid>/Trunks")
    def create_trunk(sid: str) -> Response:
        name = request.form.get("FriendlyName", "")
        return _json(shown(trunking.create_trunk(sid, request.form.getlist("Gateway"), name)), 201)

    @blueprint.post("/v1/Accounts/<sid>/Trunks/<trunk_sid>")
    def update_trunk(sid: str, trunk_sid: str) -> Response:
        name = request.form.get("FriendlyName")
        gateways = request.form.getlist("Gateway")
        return _json(shown(trunking.update_trunk(sid, trunk_sid, gateways, name)))

    @blueprint.delete("/v1/Accounts/<sid>/Trunks/<trunk_sid>")
    def delete_trunk(sid: str, trunk_sid: str) -> Response:
        trunking.delete_trunk(sid, trunk_sid)
        return Response(status=204)


def _add_reads(blueprint: Blueprint, reader: Reader) -> None:
    """Nodes, and conferences of all accounts."""

    @blueprint.post("/v1/Nodes/<name>")
    def change_node(name: str) -> Response:
        row = next((row for row in reader.registry.list_nodes() if row.name == name), None)
        state = request.form.get("State", "")
        if row is None:
            raise NotFound("The node was not found")
        if state not in ("active", "cordoned"):
            raise BadParameter("State: takes active and cordoned")
        reader.registry.save(replace(row, state=cast(State, state)))
        return _json({"name": name, "state": state})

    @blueprint.get("/v1/Nodes")
    def list_nodes() -> Response:
        return _json({"nodes": [asdict(node) for node in reader.nodes(reader.overview.conferences())]})

    @blueprint.get("/v1/Conferences")
    def list_conferences() -> Response:
        return _json({"conferences": [asdict(row) for row in reader.overview.conferences()]})

    @blueprint.get("/v1/Conferences/<sid>")
    def fetch_conference(sid: str) -> Response:
        conference = reader.history.load_conference(sid)
        if conference is None:
            raise NotFound(f"The conference {sid[:40]} was not found")
        people = reader.history.list_people(conference)
        moments = [asdict(moment) for moment in timeline(conference, people)]
        return _json({**conference_row(conference), "calls": list(map(person_row, people)), "timeline": moments})


def _parse_limits(form: Mapping[str, str]) -> dict[str, int | None]:
    changed: dict[str, int | None] = {}
    for name, text in form.items():
        try:
            changed[name] = parse_limit(text)
        except ValueError as error:
            raise BadParameter(f"{name}: {error}") from error
    return changed


def _parse_policy(form: Mapping[str, str]) -> dict[str, list[str]]:
    changed: dict[str, list[str]] = {}
    for name, text in form.items():
        try:
            changed[name] = parse_numbers(text)
        except ValueError as error:
            raise BadParameter(f"{name}: {error}") from error
    return changed


def build_document() -> dict[str, Any]:
    """The operators' API in OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for verb, path, summary, form in OPERATIONS:
        in_path = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
        parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path]
        body = {"type": "object", "properties": {name: {"type": "string"} for name in form}}
        content = {"application/x-www-form-urlencoded": {"schema": body}}
        operation: dict[str, Any] = {"summary": summary, "parameters": parameters}
        operation |= {"requestBody": {"content": content}} if form else {}
        operation["responses"] = {"default": {"description": "JSON; an error has code and message"}}
        paths.setdefault(path, {})[verb.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Conference orchestrator: operators", "version": version("conference-orchestrator")},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status=status, mimetype="application/json")
