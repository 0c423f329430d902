"""What a deployment lacks is said by /readyz of every process, and by `check`, within 5 s."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import cast

import gevent
import pytest
import redis
import structlog
from structlog.testing import capture_logs

from orchestrator import check, logs, metrics
from orchestrator.check import WORDS, modules_of, music_of, redis_of
from orchestrator.embedded_redis import EmbeddedRedis
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.addresses import NodeAddress
from orchestrator.freeswitch.nodes import Node, Nodes
from orchestrator.health import Readiness
from orchestrator.health_server import answer, serve
from orchestrator.probes import build_readiness, misspelt
from orchestrator.reporter import Reporter
from orchestrator.settings import Settings
from orchestrator.store import keys
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.backlog import Backlog
from orchestrator.store.nodes import NodeStore
from orchestrator.store.processes import ProcessStore
from orchestrator.store.receivers import ReceiverStore
from tests.harness.polling import eventually
from tests.harness.stack import free_port
from tests.unit.fake_esl import PASSWORD, FakeEsl, Peer, Script, obedient, reply
from tests.unit.records import ACCOUNT
from tests.unit.test_check import Gateways
from tests.unit.test_compose import settings_of_nodes, taken


def make_readiness(client: redis.Redis, *nodes: str) -> Readiness:
    return Readiness(lambda: nodes, NodeStore(client), ProcessStore(client), lambda: None)


def test_all_that_is_missing_has_a_line(client: redis.Redis) -> None:
    """No worker, a node that nobody follows."""
    status, text = answer("/readyz", make_readiness(client, "fs1")) or ("", "")

    assert status.startswith("503")
    assert [line.split(":")[0] for line in text.splitlines()] == ["no worker runs", "node fs1 has no listener"]


def test_a_setting_that_is_missing_has_a_line(
    client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while Redis is away. A name that is nearly a setting's is for `check`: it may be another program's."""
    monkeypatch.setenv("REDIS_URI", "redis://elsewhere")
    settings = Settings(redis_url=redis_url, freeswitch_nodes=(NodeAddress("fs1", "127.0.0.1", 1),))
    missing = build_readiness(settings).problems()
    away = build_readiness(settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}"})).problems()

    assert missing[0] == away[0] == "FREESWITCH_PASSWORD is not set"
    assert "REDIS_URI" not in "".join(missing)
    assert "Redis:" in away[1]


def test_a_node_that_is_not_connected_has_its_reason(client: redis.Redis) -> None:
    """As its listener has left it, in one line."""
    Reporter(ProcessStore(client), "work").once()
    NodeStore(client).save_node("fs1", connected="0", problem="refuses\nFREESWITCH_PASSWORD")
    NodeStore(client).save_node("fs2", connected="0")

    assert make_readiness(client, "fs1", "fs2").problems() == [
        "node fs1 is not connected: refuses FREESWITCH_PASSWORD",
        "node fs2 is not connected: no reason is known",
    ]


def test_a_deployment_that_is_whole_is_ready(client: redis.Redis) -> None:
    Reporter(ProcessStore(client), "work").once()
    NodeStore(client).save_node("fs1", connected="1")

    assert answer("/readyz", make_readiness(client, "fs1")) == ("200 OK", "ready\n")
    assert answer("/healthz", make_readiness(client)) == ("200 OK", "ok\n")
    assert answer("/other", make_readiness(client)) is None


def test_redis_away_is_the_one_line() -> None:
    class Away(NodeStore):
        def load_node(self, name: str) -> dict[str, str]:
            raise Unavailable("The data store is not reachable")

    class Gone(ProcessStore):
        def count_kinds(self) -> dict[str, int]:
            raise Unavailable("The data store is not reachable")

    nobody: redis.Redis = redis.Redis()
    found = Readiness(lambda: ["fs1"], Away(nobody), Gone(nobody), lambda: "x").problems()
    assert found == ["Redis: The data store is not reachable"]


def test_a_process_that_dies_is_gone_within_five_seconds(client: redis.Redis) -> None:
    """RQ would show it for eight minutes. One that stops as it should is gone at once."""
    store = ProcessStore(client)
    reporter = Reporter(store, "work")
    reporter.once()
    (report,) = store.list_processes()

    assert store.count_kinds() == {"work": 1}
    assert "orchestrator_redis_seconds_count" in report.metrics
    assert 0 < client.pttl(keys.process(report.name)) <= 5_000
    client.delete(keys.process(report.name))  # as its end does
    assert store.count_kinds() == {}
    reporter.once()
    reporter.stop()
    assert client.zcard(keys.PROCESSES) == 0


def test_trouble_is_counted_and_kept_for_operators(capfd: pytest.CaptureFixture[str]) -> None:
    """The last lines of warning and error, not those of information."""

    def counted() -> float:
        labels = {"level": "error", "event": "it_broke"}
        return metrics.REGISTRY.get_sample_value("orchestrator_log_lines_total", labels) or 0.0

    logs.configure_logs("test", to_errors=True)
    try:
        before = counted()
        log = structlog.get_logger("test")
        log.error("it_broke", what="<b>")
        log.info("all_well")
        after = counted()
    finally:
        structlog.reset_defaults()
    said = capfd.readouterr()

    assert after - before == 1.0
    assert logs.recent_trouble()[-1][1:] == ("error", "it_broke", '{"what":"<b>"}')
    assert said.out == ""
    assert '"it_broke"' in said.err


def test_a_health_server_answers_over_http(client: redis.Redis) -> None:
    """And is alive while what is behind it is not ready."""
    server = serve("127.0.0.1:0", make_readiness(client, "fs1"))

    def ask(path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=5) as found:
                return int(found.status)
        except urllib.error.HTTPError as error:
            return error.code

    try:
        pool = gevent.get_hub().threadpool
        assert [pool.apply(ask, (path,)) for path in ("/healthz", "/readyz", "/x")] == [200, 503, 404]
    finally:
        server.stop()


@pytest.mark.parametrize(
    "name",
    [
        "ALOWED_PRIVATE_NETWORKS",
        "OUTBOUND_ROUT",
        "CALLBACK_RETRY_SECOND",
        "REDIS_URI",
        "REDIS_URI_FILE",
        "FREESWITCH_NODE",
        "OTEL_EXPORTER_OTLP_ENDPOIN",
    ],
)
def test_a_setting_that_is_nearly_one_is_wrong(name: str) -> None:
    (line,) = misspelt([name])

    assert line[0] is False
    assert name in line[1]
    assert any(field.upper() in line[1] for field in Settings.model_fields)


def test_what_is_nobodys_or_is_right_is_not() -> None:
    """Nor what freeswitch-conf, compose.yaml or a library reads."""
    ours = ["REDIS_URL", "LOG_LEVEL", "CALLBACK_GIVE_UP_SECONDS_FILE"]
    others = ["PATH", "HOME", "FREESWITCH_BIN", "REDIS_HOST", "REDIS_PORT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]

    assert list(misspelt([*ours, *others, *settings_of_nodes(), *taken()])) == []


def test_modules_and_music_that_a_node_lacks_are_named() -> None:
    """STOCK_MUSIC is a file of the node's, not of ours."""
    node = cast(Node, Gateways("false"))
    missing = [text for _, text in modules_of(node)]
    music = list(music_of(Settings(stock_music="/nonexistent.wav"), node))

    assert len(missing) == 6
    assert "node fs1 has not loaded mod_conference" in missing[0]
    assert [(fine, "/nonexistent.wav" in text) for fine, text in music] == [(False, True)]
    assert list(modules_of(cast(Node, Gateways("true")))) == []


def test_lanes_that_wait_beyond_their_time_are_known(client: redis.Redis) -> None:
    client.zadd(keys.lanes_due("callbacks"), {"CF:a": time.time() * 1000 - 90_000, "CF:b": time.time() * 1000 + 9_000})
    ((kind, number, late), *others) = Backlog(client).lanes()

    assert (kind, number, round(late / 10)) == ("callbacks", 2, 9)
    assert [row[1:] for row in others] == [(0, 0.0)] * 3


def test_a_refused_password_is_told_from_a_dead_port(fake_esl: Callable[[Script], FakeEsl]) -> None:
    """In one line; and who has been let in does not warn of a disconnection when it goes."""

    def refuse(peer: Peer) -> None:
        peer.say("Content-Type: auth/request\n\n")
        peer.hear()
        peer.say(reply("-ERR invalid"))

    closed = NodeAddress("closed", "127.0.0.1", free_port())
    refusing = NodeAddress("refusing", "127.0.0.1", fake_esl(refuse).port)
    away = Nodes(lambda: [closed, refusing], PASSWORD)
    away.start()
    said = [away.get(name).problem for name in ("closed", "refusing")]
    away.stop()
    address = NodeAddress("here", "127.0.0.1", fake_esl(obedient()).port)
    here = Nodes(lambda: [address], PASSWORD)
    with capture_logs() as lines:
        here.start()
        here.stop()

    assert "Connection refused" in said[0]
    assert "refuses FREESWITCH_PASSWORD" in said[1]
    assert [line["event"] for line in lines] == ["node_connected"]


def test_a_redis_that_forgets_is_wrong(own_redis: EmbeddedRedis) -> None:
    """One that evicts, and one without an append-only file; the reason is told in one line."""
    settings = Settings(redis_url=own_redis.start())
    client = redis.Redis.from_url(settings.redis_url)

    def said() -> str:
        return "\n".join(f"{WORDS[is_fine]} {text}" for is_fine, text in redis_of(settings))

    client.config_set("appendonly", "yes")
    eventually(lambda: "ok Redis writes an append-only file" in said(), "it does")
    client.config_set("appendonly", "no")
    client.config_set("maxmemory", "100mb")
    client.config_set("maxmemory-policy", "allkeys-lru")

    assert "WRONG Redis has appendonly no" in said()
    assert "WRONG Redis has maxmemory-policy allkeys-lru" in said()
    assert "WRONG 0 worker(s)" in said()
    client.config_set("requirepass", "secret")
    assert "Authentication" in said()


def test_dead_letters_and_paused_receivers_are_to_be_minded(client: redis.Redis, redis_url: str) -> None:
    """They are some tenant's trouble: said, and no reason to call the deployment broken."""
    AccountStore(client).save_account(Account(ACCOUNT, "a" * 32, "active"))
    client.zadd(keys.account_dead(ACCOUNT), {"CF.token": 1})
    ReceiverStore(client).save_failure(ACCOUNT, "h:80", 0, 1)
    for number in range(25):
        ReceiverStore(client).save_failure(ACCOUNT, "h:80", number, 120_000 + number)
    lines = [f"{WORDS[is_fine]} {text}" for is_fine, text in redis_of(Settings(redis_url=redis_url))]

    assert [line.split(":")[0] for line in lines if line.startswith("mind")] == [
        f"mind account {ACCOUNT} has 1 dead letter(s)",
        f"mind account {ACCOUNT}",
    ]


def test_a_health_server_listens_where_ipv6_says() -> None:
    """In brackets, as the API's and the console's do."""
    server = serve("[::1]:0", cast(Readiness, None))
    try:
        assert server.address[0] == "::1"
    finally:
        server.stop()


@pytest.mark.parametrize("connected", ["0", "1"])
def test_check_says_of_a_listener_what_readyz_says(redis_url: str, client: redis.Redis, connected: str) -> None:
    """One that lives and has no connection to its node follows nothing."""
    NodeStore(client).save_node("fs1", connected=connected, listener="host:1", problem="refused")
    is_fine, text = check.listener_of(Settings(redis_url=redis_url), "fs1")

    assert is_fine is (connected == "1")
    assert ("refused" in text) is (connected == "0")
