"""`Node`: a connection that comes back by itself, and commands that never wait for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import gevent
import pytest

from orchestrator import metrics
from orchestrator.freeswitch import nodes as nodes_module
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.commands import CoreUuid, KillChannel
from orchestrator.freeswitch.nodes import LAST_BACKOFF_SECONDS, Nodes
from tests.unit.fake_esl import PASSWORD, FakeEsl, Peer, obedient, settled
from tests.unit.patience import is_quick

Start = Callable[..., FakeEsl]
AT_ONCE_SECONDS = 0.1


@pytest.fixture
def connect() -> Iterator[Callable[..., Nodes]]:
    started: list[Nodes] = []

    def connected(*servers: FakeEsl) -> Nodes:
        addresses = [NodeAddress(f"fs{index}", "127.0.0.1", server.port) for index, server in enumerate(servers)]
        started.append(Nodes(lambda: addresses, PASSWORD))
        started[-1].start()
        return started[-1]

    yield connected
    for nodes in started:
        nodes.stop()


def _refuses_at_once(nodes: Nodes) -> None:
    def act() -> None:
        with pytest.raises(NodeUnavailable):
            nodes.get("fs0").send(CoreUuid())
        with pytest.raises(NodeUnavailable):
            nodes.get("fs0").start_job(CoreUuid(), "job")

    assert is_quick(act, AT_ONCE_SECONDS)


def test_a_node_that_goes_and_comes_back_is_connected_again(fake_esl: Start, connect: Callable[..., Nodes]) -> None:
    """Nobody has to do anything: within the longest backoff commands are answered again. Three times over."""
    server = fake_esl(obedient({"api global_getvar": "first"}))
    nodes = connect(server)
    for text in ("second", "third", "fourth"):
        server.stop()
        settled(lambda: not nodes.get("fs0").is_connected, "the loss is seen")
        _refuses_at_once(nodes)
        server.script = obedient({"api global_getvar": text})
        server.start()
        settled(lambda: nodes.get("fs0").is_connected, "it is back", LAST_BACKOFF_SECONDS + 1)

        assert nodes.get("fs0").send(CoreUuid()) == text


def test_while_a_node_is_away_commands_fail_at_once(fake_esl: Start, connect: Callable[..., Nodes]) -> None:
    """NodeUnavailable in under a tenth of a second, and it is no connected node."""
    server = fake_esl(obedient())
    server.stop()
    nodes = connect(server)

    _refuses_at_once(nodes)
    assert nodes.connected_names() == []


def test_attempts_slow_down_to_the_longest_backoff(
    fake_esl: Start, connect: Callable[..., Nodes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.1, 0.2, 0.4 … s, so that a node that is away for long is not hammered."""
    monkeypatch.setattr(nodes_module, "FIRST_BACKOFF_SECONDS", 0.02)
    monkeypatch.setattr(nodes_module, "LAST_BACKOFF_SECONDS", 0.08)
    at: list[float] = []
    nodes = connect(fake_esl(lambda peer: at.append(time.monotonic())))
    settled(lambda: len(at) >= 6, "six attempts")
    gaps = [later - earlier for earlier, later in pairwise(at)]

    assert gaps[0] < 0.06 < gaps[3]
    assert max(gaps) < 0.08 + 0.1
    assert not nodes.get("fs0").is_connected


def test_a_node_that_lets_us_in_and_drops_us_is_not_hammered(fake_esl: Start, connect: Callable[..., Nodes]) -> None:
    """An overloaded switch does that; connecting again without a pause would keep it so."""
    accepted: list[float] = []

    def script(peer: Peer) -> None:
        peer.welcome()
        accepted.append(time.monotonic())

    connect(fake_esl(script))
    settled(lambda: len(accepted) >= 4, "it connects again")

    assert accepted[3] - accepted[0] > 2 * nodes_module.FIRST_BACKOFF_SECONDS


def test_each_node_has_its_own_connection(fake_esl: Start, connect: Callable[..., Nodes]) -> None:
    """One that is away takes nothing from the other."""
    away, here = fake_esl(obedient()), fake_esl(obedient({"api global_getvar": "here"}))
    away.stop()
    nodes = connect(away, here)

    assert nodes.connected_names() == ["fs1"]
    assert nodes.get("fs1").send(CoreUuid()) == "here"
    with pytest.raises(NodeUnavailable):
        nodes.get("fs7")


def test_many_greenlets_share_a_connection(fake_esl: Start, connect: Callable[..., Nodes]) -> None:
    """Every one gets an answer, and the switch sees one client."""
    heard: list[str] = []
    server = fake_esl(obedient(heard=heard))
    node = connect(server).get("fs0")
    callers = [gevent.spawn(node.send, KillChannel(f"uuid-{number}")) for number in range(100)]
    gevent.joinall(callers, raise_error=True)

    assert sorted(heard) == sorted(f"api uuid_kill uuid-{number}" for number in range(100))
    assert len(server.peers) == 1


def test_a_refusal_is_not_an_absence(fake_esl: Start, connect: Callable[..., Nodes]) -> None:
    """-ERR is CommandRefused, and the connection stays."""
    node = connect(fake_esl(obedient({"api uuid_kill": "-ERR No such channel!\n"}))).get("fs0")

    with pytest.raises(CommandRefused):
        node.send(KillChannel("x"))
    assert node.is_connected


@pytest.mark.parametrize(("says", "outcome"), [("+OK", "ok"), ("-ERR no", "refused"), (None, "failed")])
def test_whatever_is_sent_to_a_node_is_counted(
    fake_esl: Start, connect: Callable[..., Nodes], says: str | None, outcome: str
) -> None:
    """Also what runs in the background, as calls are dialled: SwitchRefuses would not see it otherwise."""

    def counted() -> list[float]:
        labels = {"node": "fs0", "command": "KillChannel", "outcome": outcome}
        took = metrics.REGISTRY.get_sample_value("orchestrator_command_seconds_count", {"node": "fs0"})
        return [metrics.REGISTRY.get_sample_value("orchestrator_commands_total", labels) or 0.0, took or 0.0]

    server = fake_esl(obedient({"api uuid_kill": says or "", "bgapi uuid_kill": says or ""}))
    if says is None:
        server.stop()
    node = connect(server).get("fs0")
    for send in (node.send, lambda command: node.start_job(command, "job")):
        before = counted()
        with contextlib.suppress(CommandRefused, NodeUnavailable):
            send(KillChannel("x"))
        assert [now - then for now, then in zip(counted(), before, strict=True)] == [1.0, 1.0]


def test_stopping_ends_the_attempts(fake_esl: Start, connect: Callable[..., Nodes]) -> None:
    """After `stop` nobody connects again, and commands are refused."""
    server = fake_esl(obedient())
    nodes = connect(server)
    nodes.stop()

    _refuses_at_once(nodes)
    greenlet = nodes.get("fs0")._greenlet
    assert greenlet is not None
    assert greenlet.ready()


def test_nodes_come_and_go_without_a_restart(fake_esl: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is added is connected, one that is removed is not known any more; the others keep their connections."""
    monkeypatch.setattr(nodes_module, "LIST_SECONDS", 0.02)
    stays, goes, comes = (
        NodeAddress(name, "127.0.0.1", fake_esl(obedient()).port) for name in ("stays", "goes", "comes")
    )
    listed = [stays, goes]
    nodes = Nodes(lambda: listed, PASSWORD)
    nodes.start()
    before = nodes.get("stays")
    listed[1] = comes
    settled(lambda: nodes.connected_names() == ["stays", "comes"], "they have come and gone")
    with pytest.raises(NodeUnavailable):
        nodes.get("goes")
    assert nodes.get("stays") is before
    nodes.stop()
