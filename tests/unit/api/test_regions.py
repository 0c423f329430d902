"""Region of a create: where the conference is mixed, if an operator has mapped it."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from orchestrator.store import registry as registry_module
from orchestrator.store.accounts import AccountStore
from orchestrator.store.registry import NodeRegistry, NodeRow
from tests.unit.api.test_app import GOOD, Api, api, is_error
from tests.unit.fake_esl import settled
from tests.unit.records import ACCOUNT, NODE

__all__ = ["api"]  # a fixture


@pytest.fixture
def registry(api: Api, monkeypatch: pytest.MonkeyPatch) -> NodeRegistry:
    """The one node is of the group `eu`, where de1 leads; ie1 leads to any, au1 where there is no node."""
    monkeypatch.setattr(registry_module, "READ_SECONDS", 0.0)
    made = NodeRegistry(api.redis, [NodeRow(NODE, "127.0.0.1", api.switch.port)])
    made.save(NodeRow(NODE, "127.0.0.1", api.switch.port, "eu"))
    for region, group in (("de1", "eu"), ("ie1", ""), ("au1", "asia")):
        made.map_region(region, group)
    return made


def ask(api: Api, name: str, region: str) -> TestResponse:
    return api.request("POST", f"/Conferences/{name}/Participants.json", data={**GOOD, "Region": region})


def test_a_conference_is_made_where_its_region_leads(api: Api, registry: NodeRegistry) -> None:
    """And says its region."""
    for region in ("de1", "ie1"):
        made = ask(api, region, region).get_json()
        conference = api.request("GET", f"/Conferences/{made['conference_sid']}.json").get_json()
        assert conference["region"] == region


def test_only_the_first_participants_region_counts(api: Api, registry: NodeRegistry) -> None:
    """Who comes later with another joins the conference where it is, also where that other has no node."""
    first = ask(api, "standup", "de1").get_json()
    sids = {ask(api, "standup", region).get_json()["conference_sid"] for region in ("ie1", "au1")}

    assert sids == {first["conference_sid"]}
    shown = api.request("GET", f"/Conferences/{first['conference_sid']}.json").get_json()
    assert shown["region"] == "de1"


def test_a_region_that_nobody_has_mapped_is_refused(api: Api, registry: NodeRegistry) -> None:
    """400 with its name, before anything is dialled or kept; also of a conference that exists."""
    is_error(ask(api, "nowhere", "jp1"), 400, 20001)
    assert ask(api, "nowhere", "jp1").get_json()["message"].startswith("Region: ")
    assert api.request("GET", "/Conferences.json").get_json()["conferences"] == []
    assert api.heard == []
    ask(api, "standup", "de1")
    registry.map_region("de1", None)
    is_error(ask(api, "standup", "de1"), 400, 20001)


def test_a_region_without_a_node_is_told_as_one_that_is_away(api: Api, registry: NodeRegistry) -> None:
    is_error(ask(api, "far", "au1"), 503, 20503)


def test_a_region_does_not_lead_out_of_the_accounts_group(api: Api, registry: NodeRegistry) -> None:
    """What an operator has kept an account to counts more; a region that is anywhere leads to its group."""
    AccountStore(api.redis).save_node_group(ACCOUNT, "asia")
    settled(lambda: ask(api, "kept", "de1").status_code == 400, "the group counts", 3)
    is_error(ask(api, "kept", "de1"), 400, 20001)
    is_error(ask(api, "kept", "ie1"), 503, 20503)
