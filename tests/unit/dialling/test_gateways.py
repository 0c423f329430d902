"""A trunk's gateways, with a real Redis and a scripted switch: each is dialled once, in order, whoever dies when."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from orchestrator.domain.calls import queue_time_ms
from orchestrator.domain.events import CallEnded, CallInitiated, Happened
from orchestrator.freeswitch.nodes import Node
from orchestrator.store.accounts import AccountStore
from orchestrator.store.dials import DialStore, Waiting
from orchestrator.store.nodes import NodeStore
from orchestrator.trunks import Gateway, Trunk
from tests.unit.dialling.test_queue import Scene, scene
from tests.unit.records import ACCOUNT, NODE

__all__ = ["scene"]  # a fixture

GATEWAYS = tuple(Gateway(f"10.0.0.{number}", 5060, priority=number) for number in range(1, 4))
TRUNK = Trunk("BY" + "0" * 32, GATEWAYS)


def create(scene: Scene) -> str:
    """A call by the trunk, of which the switch has told."""
    AccountStore(scene.api.redis).save_trunk(ACCOUNT, TRUNK)
    scene.rate(1_000)
    call_sid = str(scene.create(Byoc=TRUNK.trunk_sid)["call_sid"])
    scene.world.committer.commit_events([Happened(call_sid, sid_of(scene), CallInitiated(datetime.now(UTC)))])
    return call_sid


def sid_of(scene: Scene) -> str:
    return scene.load(scene.made[0]).conference_sid


def fail(scene: Scene) -> None:
    """The gateway that is tried answers 503."""
    ended = CallEnded(datetime.now(UTC), "NORMAL_TEMPORARY_FAILURE", 503)
    scene.world.committer.commit_events([Happened(scene.made[0], sid_of(scene), ended)])


def dialled(scene: Scene) -> list[str]:
    """Gateways in the order in which the switch was told to dial them."""
    lines = [line for line in scene.api.heard if "bgapi originate" in line]
    return [line.partition("}")[2].split()[0].partition("@")[2] for line in lines]


def test_the_next_gateway_of_a_trunk_is_dialled_by_the_workers(scene: Scene) -> None:
    """Each once, in order, though the worker that dialled notes it after the gateway has failed already."""
    call_sid = create(scene)
    before = scene.load(call_sid)
    for left in (1, 0):
        assert scene.store.head(ACCOUNT) is None
        fail(scene)
        waiting = scene.head()
        assert scene.load(call_sid).is_waiting
        scene.dialler.take(waiting)
        assert scene.load(call_sid).tried_left == left
    assert dialled(scene) == [one.address for one in GATEWAYS]
    after = scene.load(call_sid)
    assert (after.ended_at, queue_time_ms(after)) == (None, queue_time_ms(before)), "it has waited for no gateway"
    assert after.tried_at is not None
    assert after.tried_at > before.created_at
    fail(scene)

    assert scene.load(call_sid).ended_at is not None
    assert scene.store.head(ACCOUNT) is None


def test_a_gateway_that_fails_before_its_dialler_says_so_is_followed_by_the_next(scene: Scene) -> None:
    call_sid = create(scene)
    fail(scene)
    first = scene.head()
    fail(scene)
    scene.store.finish(first, datetime.now(UTC), 1)

    assert scene.load(call_sid).is_waiting
    assert scene.head().slot_ms > first.slot_ms
    scene.dialler.take(scene.head())
    assert scene.store.head(ACCOUNT) is None
    assert not scene.load(call_sid).is_waiting


# ---------------------------------------------------------------- whoever dials has died


def claim_and_die(scene: Scene) -> Waiting:
    """The first gateway has failed; a worker has claimed the call for the second. The listener has told all since."""
    fail(scene)
    head = scene.head()
    assert scene.store.claim(head)[0] == 1
    NodeStore(scene.api.redis).save_node(NODE, connected="1", queued="0", seen_at=str(int(time.time()) + 5))
    return head


def test_who_dies_before_dialling_a_gateway_is_made_up_for(scene: Scene) -> None:
    create(scene)
    scene.dialler.take(claim_and_die(scene))
    assert dialled(scene) == [one.address for one in GATEWAYS[:2]]
    fail(scene)
    scene.dialler.take(scene.head())

    assert dialled(scene) == [one.address for one in GATEWAYS]


def test_who_dies_after_dialling_a_gateway_is_not_repeated(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch has the call: it is noted as dialled. When it fails the next gateway is tried."""
    call_sid = create(scene)
    head = claim_and_die(scene)
    with monkeypatch.context() as ringing:
        ringing.setattr(Node, "send", lambda self, command, seconds=1.0: "true")
        scene.dialler.take(head)
    assert not scene.load(call_sid).is_waiting
    assert scene.store.head(ACCOUNT) is None
    fail(scene)
    scene.dialler.take(scene.head())

    assert dialled(scene) == [GATEWAYS[0].address, GATEWAYS[2].address], "the second by the one who has died"


def test_a_gateway_that_fails_while_a_claim_is_looked_at_is_followed_by_the_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch still has the channel for a moment: that is the second gateway's, and not the third's."""
    call_sid = create(scene)
    head = claim_and_die(scene)
    claim = DialStore.claim

    def claim_and_fail(self: DialStore, call: Waiting) -> tuple[int, str, int]:
        found = claim(self, call)
        fail(scene)
        return found

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(DialStore, "claim", claim_and_fail)
        meanwhile.setattr(Node, "send", lambda self, command, seconds=1.0: "true")
        scene.dialler.take(head)
    assert scene.load(call_sid).is_waiting
    scene.dialler.take(scene.head())

    assert dialled(scene) == [GATEWAYS[0].address, GATEWAYS[2].address]
