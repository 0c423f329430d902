"""The operators' API as a table, and as an OpenAPI document that is drawn from it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from orchestrator.limits import TABLE
from orchestrator.services.account_operations import NODE_GROUP

POLICY: Final = ("allowed_prefixes", "refused_prefixes", "caller_ids")
TRUNK: Final = ("Gateway", "FriendlyName")

OPERATIONS: Final[tuple[tuple[str, str, str, tuple[str, ...]], ...]] = (
    ("GET", "/v1/Accounts", "List accounts with what they have now", ()),
    ("POST", "/v1/Accounts", "Make an account, with AccountSid and AuthToken if they are to be fixed; told this once",
     ("FriendlyName", "AccountSid", "AuthToken")),
    ("GET", "/v1/Accounts/{AccountSid}", "One account, without its tokens", ()),
    ("POST", "/v1/Accounts/{AccountSid}", "Suspend, resume (Status=suspended, active), rename",
     ("Status", "FriendlyName")),
    ("DELETE", "/v1/Accounts/{AccountSid}", "Delete a suspended account and all that is kept of it", ()),
    ("POST", "/v1/Accounts/{AccountSid}/AuthTokens/Rotate", "Give it a new one; the old one is refused at once", ()),
    ("POST", "/v1/Accounts/{AccountSid}/AuthTokens/Secondary", "Give it a second one, which signs nothing yet", ()),
    ("POST", "/v1/Accounts/{AccountSid}/AuthTokens/Promote", "Have the second one sign; the first is refused", ()),
    ("GET", "/v1/Accounts/{AccountSid}/Limits", "What it may take, and the group of nodes that it is kept to", ()),
    ("POST", "/v1/Accounts/{AccountSid}/Limits", "Change it: a number, or `default`; node_group empty: any node",
     (*(row.name for row in TABLE), NODE_GROUP)),
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
    ("POST", "/v1/Nodes", "Connect to a node (Node: name=host:port), or change where it is; it is active",
     ("Node", "Group")),
    ("GET", "/v1/Nodes/{NodeName}", "One node, and how many conferences it has", ()),
    ("POST", "/v1/Nodes/{NodeName}", "Cordon it, have it get new conferences again (active), or end what it has (lost)",
     ("State",)),
    ("POST", "/v1/Nodes/{NodeName}/Drain", "Cordon it; answers what is left at once: GET tells when it is empty", ()),
    ("DELETE", "/v1/Nodes/{NodeName}", "Forget it; refused while it has conferences: drain it, or call it lost", ()),
    ("GET", "/v1/Regions", "Which Regions of creates are mapped, and to which nodes", ()),
    ("POST", "/v1/Regions/{Region}", "Map one to a group of nodes; Group empty: any node", ("Group",)),
    ("DELETE", "/v1/Regions/{Region}", "Refuse creates with it again", ()),
    ("GET", "/v1/Conferences", "Conferences that are not over", ()),
    ("GET", "/v1/Conferences/{ConferenceSid}", "One, also after its end: its calls, and what happened", ()),
)  # fmt: skip
"""Verb, path, summary, and the parameters of its form."""


def build_document() -> dict[str, Any]:
    """Build the description of the operators' API in OpenAPI 3.1."""
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
