"""The OpenAPI document: it says what the routes are, what answers consist of, and what Twilio's own description says.

`make openapi` sends 5,000 random requests, half of which follow it and half of which do not quite.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from orchestrator.api import authentication
from orchestrator.dialects.described import ACCOUNT, CONFERENCE, PARTICIPANT
from orchestrator.dialects.openapi import build_document
from orchestrator.dialects.own import description, serializers
from orchestrator.dialects.registry import DIALECTS
from orchestrator.dialects.twilio.serializers import serialize_account, serialize_conference, serialize_participant
from orchestrator.services import confirmation
from orchestrator.store import accounts as accounts_module
from orchestrator.store import keys
from orchestrator.store.callbacks import Attempt, KeptCallback
from orchestrator.store.receivers import Receiver
from tests.unit import records
from tests.unit.api.test_app import Api, basic, make_api, present, stop
from tests.unit.examples import AC, CF, a_conference, a_participant

REQUESTS: Final = int(os.environ.get("OPENAPI_REQUESTS", "100"))
DOCUMENT: Final = build_document()
TWILIO: Final = json.loads((Path(__file__).parent / "twilio_oai.json").read_text())["operations"]

NOT_OURS: Final = {
    "POST /2010-04-01/Accounts/{AccountSid}.json": "accounts are named and suspended by their operator",
}
"""What Twilio describes and we do not have, with the reason. There is no other difference."""


@pytest.fixture
def api(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(authentication, "WRONG_SECONDS", 0)
    monkeypatch.setattr(confirmation, "CONFIRM_SECONDS", 0)
    made = make_api(redis_url)
    yield made
    stop(made)


def operations() -> set[tuple[str, str]]:
    return {(verb.upper(), path) for path, item in DOCUMENT["paths"].items() for verb in item}


def test_every_route_is_described_and_every_described_route_exists(api: Api) -> None:
    """Twilio's JSON and our own."""
    found = set()
    for rule in api.web.application.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", "{}", rule.rule)
        if path.startswith("/2010-04-01/"):
            path = path if path.endswith(".json") else f"{path}.json" if path.endswith("}") else ""
        if path.startswith(("/2010-04-01/", "/v1/")):
            found |= {(verb, path) for verb in rule.methods or () if verb not in ("HEAD", "OPTIONS")}

    assert found == {(verb, re.sub(r"{\w+}", "{}", path)) for verb, path in operations()}


def test_what_is_described_is_what_is_serialized() -> None:
    """Key by key."""
    asked = DIALECTS.asked("GET", f"/2010-04-01/Accounts/{AC}.json", "")
    account = accounts_module.Account(AC, "t", "active")
    attempt = Attempt(1, 0, "u", 200, 1, "", "")
    callback = KeptCallback(CF, "t", AC, "", "k", "conference", "u", "POST", (), "waiting", "", 0, 1, 0, (attempt,))
    key = accounts_module.ApiKey("SK" + "1" * 32, "x", "", "")
    receiver = Receiver("h:1", 1, 0, 0, 0)

    for described, body in (
        (PARTICIPANT, serialize_participant(asked, a_participant())),
        (CONFERENCE, serialize_conference(asked, a_conference())),
        (ACCOUNT, serialize_account(asked, account)),
        (description.CALLBACK, serializers.serialize_callback(callback)),
        (description.ATTEMPT, serializers.serialize_attempts(callback)[0]),
        (description.RECEIVER, serializers.serialize_receiver(receiver)),
        (description.KEY, serializers.serialize_key(key)),
    ):
        assert set(described) == set(body)


@pytest.mark.parametrize("operation", [name for name in TWILIO if name not in NOT_OURS])
def test_twilio_describes_the_same(operation: str) -> None:
    """Parameters, words, what is required, the status and the properties of the answer; of 2026-04."""
    verb, path = operation.split(" ")
    theirs, ours = TWILIO[operation], DOCUMENT["paths"][path][verb.lower()]
    body = ours.get("requestBody", {}).get("content", {}).get("application/x-www-form-urlencoded", {})
    form = body.get("schema", {"properties": {}, "required": []})
    answer = ours["responses"][str(theirs["status"])]

    assert {p["name"] for p in ours["parameters"] if p["in"] == "query"} == set(theirs["query"])
    assert set(form["properties"]) == set(theirs["form"])
    assert sorted(form["required"]) == sorted(theirs["required"])
    for name, words in theirs["form"].items():
        if isinstance(words, list):
            assert sorted(form["properties"][name]["enum"]) == sorted(words), name
    if theirs["answer"]:
        reference = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert set(DOCUMENT["components"]["schemas"][reference]["properties"]) == set(theirs["answer"])


def test_what_twilio_describes_and_we_lack_is_lacking() -> None:
    """An excuse for what is there would hide a difference."""
    ours = {f"{verb} {path}" for verb, path in operations()}

    assert set(NOT_OURS) <= set(TWILIO)
    assert set(NOT_OURS) & ours == set()


def test_the_page_needs_nothing_but_us(api: Api) -> None:
    """Its files are served here, without credentials; no other host is named, whatever the request's Host says."""
    answer = api.web.get("/openapi/", headers={"Host": "evil.example"})
    files = re.findall(r'(?:src|href)="([^"]+)"', answer.text)

    assert answer.status_code == 200
    assert len(files) >= 4
    assert all(api.web.get(file).status_code == 200 for file in files)
    assert "://" not in answer.text
    assert "evil" not in answer.text
    assert api.web.get("/openapi.json").get_json() == json.loads(json.dumps(DOCUMENT))
    assert api.web.get("/openapi").status_code in (301, 308)
    assert api.web.get("/openapi", headers={"Host": "evil\x80"}).status_code in (301, 308)


def test_random_requests_get_answers_of_the_document(api: Api) -> None:
    """No status (a 500 is none), content type or body that it does not describe; of what exists and what does not."""
    made = records.create(api.store, label="host")
    api.redis.hset(keys.participant(made.conference_sid, made.call_sid), mapping=present(made))
    schema = schemathesis.openapi.from_wsgi("/openapi.json", api.web.application)
    found: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    statuses: dict[int, int] = {}

    def attempt(case: Any, is_there: bool) -> None:
        case.path_parameters["AccountSid"] = records.ACCOUNT
        if is_there:
            there = {"ConferenceSid": made.conference_sid, "CallSid": made.call_sid}
            case.path_parameters.update({name: there[name] for name in there if name in case.path_parameters})
        response = case.call(headers=basic())
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
        case.validate_response(
            response,
            checks=[
                status_code_conformance, content_type_conformance, response_schema_conformance,
            ],
        )  # fmt: skip

    rounds = 0
    while sum(statuses.values()) < REQUESTS:  # what takes no parameters has few cases
        rounds += 1
        for operation in found:
            for mode in GenerationMode:
                cases = operation.as_strategy(generation_mode=mode)
                tried = given(case=cases, is_there=st.booleans())(attempt)
                number = max(REQUESTS // (len(found) * 2), 1)
                patient = settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck))
                patient(tried)()
        assert rounds < 20
    print(sum(statuses.values()), "requests:", dict(sorted(statuses.items())))

    assert {200, 201, 404} <= set(statuses)
