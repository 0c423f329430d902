"""Two nodes: one is emptied, one dies and does not come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.conftest import make_switch
from tests.harness.freeswitch import FarEnd
from tests.harness.stack import RealSwitch, Stack

LOST_SECONDS = 3.0 + 5.0
"""Until a node that refuses connections counts as lost, and until then its names are free."""


@pytest.fixture
def two_nodes(switch_name: str, tmp_path: Path) -> Iterator[Stack]:
    """A service with two nodes, whose calls go to the same phones."""
    switch, other = (make_switch(switch_name, tmp_path / name) for name in ("switch", "other"))
    if isinstance(switch, RealSwitch) and isinstance(other, RealSwitch):
        other.far_end = switch.far_end
    running = Stack(switch, tmp_path, other=other)
    with running:
        yield running


def call(stack: Stack, name: str, **parameters: Any) -> str:
    """Somebody joins a conference; returns its SID."""
    wanted = stack.call_settings(**parameters)
    created = stack.client().conferences(name).participants.create(to=FarEnd.ANSWERS, **wanted)
    return str(created.conference_sid)


def nodes_of(stack: Stack) -> dict[str, str]:
    """The node of each open conference, by name."""
    rows = map(json.loads, stack.orchestrator("conferences", "list", "--json").splitlines())
    return {row["friendly_name"]: row["node"] for row in rows if row["status"] != "completed"}


@pytest.mark.timeout(240)
def test_nodes_are_emptied_and_lost(two_nodes: Stack) -> None:
    """A cordoned node gets no conference, and people are still added to those that it has; a node that dies loses its
    conferences, whose names are free for others on the node that is left."""
    stack = two_nodes
    assert "fs1 is empty" in stack.orchestrator("nodes", "drain", "fs1")
    sids = {name: call(stack, name) for name in ("a", "b")}
    assert nodes_of(stack) == {"a": "fs2", "b": "fs2"}
    stack.orchestrator("nodes", "uncordon", "fs1")
    assert stack.orchestrator_status("nodes", "drain", "fs2", "--seconds", "0") == 1, "it has conferences"
    sids |= {name: call(stack, name) for name in ("c", "d")}
    assert nodes_of(stack) == {"a": "fs2", "b": "fs2", "c": "fs1", "d": "fs1"}
    assert call(stack, "a") == sids["a"]
    stack.receiver.await_kind(sids["a"], "participant-join", 2)
    stack.orchestrator("nodes", "uncordon", "fs2")
    for name in ("b", "c", "d"):
        stack.receiver.await_kind(sids[name], "participant-join")

    stack.switch.kill_9()  # its phones stay up: they are the other node's, too
    for name in ("c", "d"):
        stack.receiver.await_kind(sids[name], "conference-end", seconds=LOST_SECONDS)
        assert stack.receiver.kinds(sids[name]) == ["participant-join", "participant-leave", "conference-end"]
    assert call(stack, "c") != sids["c"]
    assert nodes_of(stack) == {"a": "fs2", "b": "fs2", "c": "fs2"}
    assert "participant-leave" not in stack.receiver.kinds(sids["a"]) + stack.receiver.kinds(sids["b"])
    assert stack.orchestrator_status("nodes", "remove", "fs1") == 0


@pytest.mark.timeout(120)
def test_a_conference_is_mixed_where_its_region_is(two_nodes: Stack) -> None:
    """Whichever node has less to do; people are added to it there. A region that nobody has mapped is refused."""
    stack = two_nodes
    for number, (region, group) in enumerate((("us1", "east"), ("ie1", "west"))):
        address = f"fs{number + 1}=127.0.0.1:{stack.switches[number].esl_port}"
        stack.orchestrator("nodes", "add", address, "--group", group)
        stack.orchestrator("nodes", "region", region, "--group", group)
    names = ("a", "b", "c")
    sids = [call(stack, name, region="ie1") for name in names]
    assert nodes_of(stack) == dict.fromkeys(names, "fs2")
    assert call(stack, "a", region="ie1") == sids[0]
    stack.receiver.await_kind(sids[0], "participant-join", 2)
    with pytest.raises(TwilioRestException) as caught:
        call(stack, "d", region="au1")
    assert (caught.value.status, "Region" in caught.value.msg) == (400, True)
