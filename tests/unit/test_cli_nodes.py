"""orchestrator nodes, as an operator types it."""

from __future__ import annotations

import json

import pytest
import redis

from orchestrator.cli import nodes as cli_nodes
from orchestrator.probes import regions_of
from orchestrator.settings import Settings
from orchestrator.store import keys
from orchestrator.store.nodes import NodeStore
from tests.unit.listener.test_committer import World
from tests.unit.records import ACCOUNT, NODE
from tests.unit.test_cli import Run, account, run

__all__ = ["account", "run"]  # fixtures


@pytest.fixture(autouse=True)
def nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREESWITCH_NODES", f"{NODE}=10.0.0.1:8021")


def listed(run: Run) -> dict[str, dict[str, object]]:
    _, out, _ = run("nodes", "list", "--json")
    return {str(row["name"]): row for row in map(json.loads, out.splitlines())}


def test_nodes_are_seen_with_what_they_have(run: Run, client: redis.Redis) -> None:
    """Also one that nobody follows."""
    World(client).create()
    NodeStore(client).save_node(NODE, connected="1", listener="host:1", sessions="7")
    assert run("nodes", "add", "fs2=fs2.example:8021", "--group", "eu")[0] == 0
    rows = listed(run)

    assert {"connected": "yes", "sessions": "7", "conferences": 1, "people": 1, "refused": 0}.items() <= rows[
        NODE
    ].items()
    assert {"address": "fs2.example:8021", "group": "eu", "connected": "nobody follows it"}.items() <= rows[
        "fs2"
    ].items()
    assert run("nodes", "list")[1].splitlines()[0].split()[:3] == ["name", "address", "group"]


def test_a_node_is_cordoned_and_uncordoned(run: Run) -> None:
    """And it is said what goes on there."""
    assert run("nodes", "cordon", NODE) == (0, f"{NODE} cordoned; 0 conference(s), 0 people", "")
    assert listed(run)[NODE]["state"] == "cordoned"
    run("nodes", "uncordon", NODE)
    assert listed(run)[NODE]["state"] == "active"


def said(done: tuple[int, str, str]) -> str:
    """The last line of a command that did what it was told."""
    assert done[0] == 0, done
    return done[1].splitlines()[-1]


def test_a_drain_waits_until_the_node_is_empty(run: Run, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is left, and how it ended."""
    monkeypatch.setattr(cli_nodes, "LOOK_SECONDS", 0.05)
    one = World(client).create()
    status, out, error = run("nodes", "drain", NODE, "--seconds", "0.1")
    assert status == 1
    assert out.splitlines()[-1] == f"{NODE}: 1 conference(s), 1 people"
    assert "stays cordoned" in error
    client.hset(keys.conference(one.conference_sid), "status", "completed")

    assert said(run("nodes", "drain", NODE)) == f"{NODE} is empty"


def test_a_node_with_conferences_is_removed_only_as_lost(
    run: Run, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then whoever follows it ends them first."""
    monkeypatch.setattr(cli_nodes, "LOST_SECONDS", 0.1)
    one = World(client).create()
    assert run("nodes", "remove", NODE)[0] == 1
    assert "does `orchestrator listen` run" in run("nodes", "remove", NODE, "--lost")[2]
    assert listed(run)[NODE]["state"] == "lost"
    client.hset(keys.conference(one.conference_sid), "status", "completed")

    assert said(run("nodes", "remove", NODE)) == f"{NODE} removed"
    assert listed(run) == {}


@pytest.mark.parametrize("words", [("cordon", NODE), ("uncordon", NODE), ("drain", NODE)], ids=lambda words: words[0])
def test_a_lost_node_is_lost_until_it_is_added_again(
    run: Run, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Or what was being ended there would go on. It is said how to have it back."""
    monkeypatch.setattr(cli_nodes, "LOST_SECONDS", 0.1)
    World(client).create()
    run("nodes", "remove", NODE, "--lost")
    status, _, said = run("nodes", *words)
    assert (status, f"nodes add {NODE}=HOST:PORT" in said) == (1, True), said
    assert listed(run)[NODE]["state"] == "lost"
    run("nodes", "add", f"{NODE}=10.0.0.1:8021")

    assert run("nodes", "uncordon", NODE)[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("add", "fs2"),
        ("add", "fs2=host:99999"),
        ("add", "fs2=host:1", "--group", "a b"),
        ("cordon", "nobody"),
        ("region", "us1", "--group", "a b"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, words: tuple[str, ...]) -> None:
    assert run("nodes", *words)[0] == 1


def test_a_region_is_mapped(run: Run) -> None:
    """To a group, to any node, to none; the nodes that creates with it get are shown."""
    run("nodes", "add", "fs2=fs2.example:8021", "--group", "eu")
    assert run("nodes", "region", "de1", "--group", "eu") == (0, "de1: the nodes of eu", "")
    assert run("nodes", "region", "us1", "--group", "") == (0, "us1: any node", "")
    rows = list(map(json.loads, run("nodes", "regions", "--json")[1].splitlines()))
    assert rows == [
        {"region": "de1", "group": "eu", "nodes": "fs2"},
        {"region": "us1", "group": "", "nodes": f"{NODE},fs2"},
    ]
    assert run("nodes", "region", "de1", "--unmap") == (0, "de1: no nodes", "")
    assert run("nodes", "regions")[1].splitlines()[1:] == [f"us1     -      {NODE},fs2"]


def test_check_names_a_region_without_a_node(run: Run) -> None:
    """Creates with it would be refused."""
    run("nodes", "region", "de1", "--group", "eu")
    run("nodes", "region", "us1", "--group", "")
    assert list(regions_of(Settings())) == [
        (False, "Region de1 goes to the nodes of the group eu: none takes new conferences"),
        (True, f"Region us1 goes to the nodes: {NODE}"),
    ]


def test_an_account_is_kept_to_a_group(run: Run, account: str) -> None:
    """Its new conferences; the limits show it."""

    def shown(*words: str) -> list[str]:
        return run("account", "limits", "--account", ACCOUNT, *words)[1].splitlines()[-1].split()[:2]

    assert shown("--nodes", "eu") == shown() == ["--nodes", "eu"]
    assert run("account", "limits", "--account", ACCOUNT, "--nodes", "e u")[0] == 1
    assert shown("--nodes", "") == ["--nodes", "any"]
