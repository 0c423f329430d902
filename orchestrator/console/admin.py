"""Serves the operators' API, under /v1 on the console: accounts, what they may take, their keys, nodes. The same code
as the command line's; described in `description.py`."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any, Final

import orjson
from flask import Blueprint, Response, g, request

from orchestrator.console.description import OPERATIONS, build_document
from orchestrator.console.reader import Reader
from orchestrator.console.views import conference_row, person_row
from orchestrator.dialects.own.serializers import serialize_account, serialize_key
from orchestrator.errors import BadParameter, NotFound
from orchestrator.services.account_operations import AccountOperations, check_name
from orchestrator.services.credentials import Credentials
from orchestrator.services.node_operations import NodeOperations
from orchestrator.services.trunking import Trunking
from orchestrator.store.history import timeline
from orchestrator.trunks import Trunk

_NOTED: Final = ("Status", "State")
"""Fields whose value the audit log has, too: no secret is ever sent in them."""

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_PLACE: Final = re.compile(r"[<{]\w+[>}]")
_FIELDS: Final = {_PLACE.sub("<>", path): fields for verb, path, _, fields in OPERATIONS if verb == "POST"}


def make_blueprint(reader: Reader, accounts: AccountOperations, nodes: NodeOperations) -> Blueprint:
    """Make all routes of the operators' API."""
    blueprint = Blueprint("admin", __name__)
    blueprint.before_request(_check_form)
    credentials = Credentials(reader.account_store)
    _add_accounts(blueprint, reader, accounts, credentials)
    _add_credentials(blueprint, credentials)
    _add_rules(blueprint, accounts)
    _add_trunks(blueprint, Trunking(reader.account_store))
    _add_nodes(blueprint, reader, nodes)
    _add_regions(blueprint, nodes)
    _add_conferences(blueprint, reader)
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
            raise BadParameter(f"{name[:64]}: is no field of this; takes {', '.join(fields) or 'none'}")


def _add_accounts(blueprint: Blueprint, reader: Reader, accounts: AccountOperations, credentials: Credentials) -> None:
    """Add the routes about accounts themselves."""
    shown = serialize_account

    @blueprint.get("/v1/Accounts")
    def list_accounts() -> Response:
        takings = {row.account_sid: asdict(row) for row in reader.accounts()}
        known = reader.account_store.list_accounts()
        return _json({"accounts": [{**shown(one), "now": takings.get(one.account_sid)} for one in known]})

    @blueprint.post("/v1/Accounts")
    def create_account() -> Response:
        form = request.form
        account = accounts.create_account(form.get("FriendlyName", ""), form.get("AccountSid"), form.get("AuthToken"))
        return _json({**shown(account), "auth_token": account.auth_token}, 201)

    @blueprint.get("/v1/Accounts/<sid>")
    def fetch_account(sid: str) -> Response:
        return _json(shown(credentials.load_account(sid)))

    @blueprint.post("/v1/Accounts/<sid>")
    def update_account(sid: str) -> Response:
        return _json(shown(accounts.update_account(sid, request.form.get("Status"), request.form.get("FriendlyName"))))

    @blueprint.delete("/v1/Accounts/<sid>")
    def delete_account(sid: str) -> Response:
        accounts.delete_account(sid)
        return Response(status=204)


def _add_credentials(blueprint: Blueprint, credentials: Credentials) -> None:
    """Add the routes about accounts' tokens and keys."""

    @blueprint.post("/v1/Accounts/<sid>/AuthTokens/Rotate")
    def rotate_token(sid: str) -> Response:
        account = credentials.rotate_token(sid)
        return _json({**serialize_account(account), "auth_token": account.auth_token})

    @blueprint.post("/v1/Accounts/<sid>/AuthTokens/Secondary")
    def create_secondary_token(sid: str) -> Response:
        account = credentials.create_secondary_token(sid)
        return _json({**serialize_account(account), "secondary_auth_token": account.secondary_token}, 201)

    @blueprint.post("/v1/Accounts/<sid>/AuthTokens/Promote")
    def promote_token(sid: str) -> Response:
        account = credentials.promote_token(sid)
        return _json({**serialize_account(account), "auth_token": account.auth_token})

    @blueprint.get("/v1/Accounts/<sid>/Keys")
    def list_keys(sid: str) -> Response:
        return _json({"keys": [serialize_key(key) for key in credentials.list_keys(sid)]})

    @blueprint.post("/v1/Accounts/<sid>/Keys")
    def create_key(sid: str) -> Response:
        key, secret = credentials.create_key(sid, check_name(request.form.get("FriendlyName", "")))
        return _json({**serialize_key(key), "secret": secret}, 201)

    @blueprint.delete("/v1/Accounts/<sid>/Keys/<key_sid>")
    def revoke_key(sid: str, key_sid: str) -> Response:
        credentials.revoke_key(sid, key_sid)
        return Response(status=204)


def _add_rules(blueprint: Blueprint, accounts: AccountOperations) -> None:
    """Add the routes about what accounts may take, and whom they may call."""

    @blueprint.get("/v1/Accounts/<sid>/Limits")
    def fetch_limits(sid: str) -> Response:
        return _json(accounts.load_limits(sid))

    @blueprint.post("/v1/Accounts/<sid>/Limits")
    def change_limits(sid: str) -> Response:
        return _json(accounts.change_limits(sid, request.form))

    @blueprint.get("/v1/Accounts/<sid>/Policy")
    def fetch_policy(sid: str) -> Response:
        return _json(asdict(accounts.load_policy(sid)))

    @blueprint.post("/v1/Accounts/<sid>/Policy")
    def change_policy(sid: str) -> Response:
        return _json(asdict(accounts.change_policy(sid, request.form)))


def _add_trunks(blueprint: Blueprint, trunking: Trunking) -> None:
    """Add the routes about an account's own gateways."""

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


def _add_nodes(blueprint: Blueprint, reader: Reader, nodes: NodeOperations) -> None:
    """Add the routes about nodes."""

    def seen() -> dict[str, dict[str, Any]]:
        return {node.name: asdict(node) for node in reader.nodes(reader.overview.conferences())}

    def answer(name: str, status: int = 200) -> Response:
        nodes.load_node(name)
        return _json(seen()[name], status)

    @blueprint.get("/v1/Nodes")
    def list_nodes() -> Response:
        return _json({"nodes": list(seen().values())})

    @blueprint.post("/v1/Nodes")
    def add_node() -> Response:
        row = nodes.add_node(request.form.get("Node", ""), request.form.get("Group", ""))
        return answer(row.name, 201)

    @blueprint.get("/v1/Nodes/<name>")
    def fetch_node(name: str) -> Response:
        return answer(name)

    @blueprint.post("/v1/Nodes/<name>")
    def change_node(name: str) -> Response:
        nodes.set_state(name, request.form.get("State", ""))
        return answer(name)

    @blueprint.post("/v1/Nodes/<name>/Drain")
    def drain_node(name: str) -> Response:
        nodes.set_state(name, "cordoned")
        return answer(name, 202)

    @blueprint.delete("/v1/Nodes/<name>")
    def remove_node(name: str) -> Response:
        nodes.remove_node(name)
        return Response(status=204)


def _add_regions(blueprint: Blueprint, nodes: NodeOperations) -> None:
    """Add the routes about where conferences of a Region go."""

    @blueprint.get("/v1/Regions")
    def list_regions() -> Response:
        return _json({"regions": list(map(asdict, nodes.list_regions()))})

    @blueprint.post("/v1/Regions/<region>")
    def map_region(region: str) -> Response:
        if "Group" not in request.form:
            raise BadParameter("Group: has to be there; empty: any node")
        nodes.map_region(region, request.form["Group"])
        return _json({"region": region, "group": request.form["Group"]})

    @blueprint.delete("/v1/Regions/<region>")
    def unmap_region(region: str) -> Response:
        nodes.map_region(region, None)
        return Response(status=204)


def _add_conferences(blueprint: Blueprint, reader: Reader) -> None:
    """Add the routes about conferences of all accounts."""

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


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status=status, mimetype="application/json")
