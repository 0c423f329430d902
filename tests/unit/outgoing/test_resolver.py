"""The resolver against a real name server, with a clock of the test's own."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import dns.rcode
import dns.resolver
import pytest

from orchestrator.outgoing.lookup import Service, parse_resolv_conf
from orchestrator.outgoing.names import Unresolvable
from orchestrator.outgoing.networks import Address
from orchestrator.outgoing.resolver import NEGATIVE_SECONDS, Resolver
from tests.unit.outgoing.conftest import Clock
from tests.unit.outgoing.dns_server import Answer, DnsServer
from tests.unit.patience import PATIENCE


def addresses(*texts: str) -> tuple[Address, ...]:
    return tuple(ip_address(text) for text in texts)


class Gate:
    """An answer that comes when the test lets it."""

    def __init__(self, answer: Answer) -> None:
        self.opened = threading.Event()
        self._answer = answer

    def __call__(self, name: str, kind: str) -> Answer:
        self.opened.wait(10)
        return self._answer if kind == "A" else []


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        os.sched_yield()


# ------------------------------------------------------------ what is found


def test_the_servers_of_a_service_the_first_to_try_in_front(resolver: Resolver, dns_server: DnsServer) -> None:
    """By priority, then weight; a service that DNS does not know, or says that there is none, has no servers."""
    zone: dict[tuple[str, str], Answer] = {
        ("_sip._udp.a.test", "SRV"): [
            "_sip._udp.a.test. 60 SRV 20 0 5060 last.a.test.",
            "_sip._udp.a.test. 60 SRV 10 1 5060 second.a.test.",
            "_sip._udp.a.test. 60 SRV 10 9 5070 First.a.test.",
        ],
        ("_sip._tcp.a.test", "SRV"): ["_sip._tcp.a.test. 60 SRV 0 0 0 ."],
        ("_sips._tcp.a.test", "TXT"): [],
    }
    dns_server.zone(zone)

    assert resolver.services("_sip._udp.a.test") == (
        Service("first.a.test", 5070),
        Service("second.a.test", 5060),
        Service("last.a.test", 5060),
    )
    assert [resolver.services(f"{name}.test") for name in ("_sip._tcp.a", "_sips._tcp.a", "_sip._udp.b")] == [
        (),
        (),
        (),
    ]


def test_a_service_that_is_not_answered_in_time(dns_server: DnsServer, tmp_path: Path) -> None:
    """Is no proof that there is none."""
    dns_server.answer = lambda name, kind: None
    waiting = Resolver(dns_client=dns_server.client, hosts_file=tmp_path / "hosts", lookup_seconds=0.1)

    with pytest.raises(Unresolvable):
        waiting.services("_sip._udp.a.test")


def test_both_families_ipv4_first(resolver: Resolver, dns_server: DnsServer) -> None:
    """All addresses of an answer, each once."""
    dns_server.zone({
        ("a.test", "A"): ["a.test. 60 A 192.0.2.1", "a.test. 60 A 192.0.2.2", "a.test. 60 A 192.0.2.1"],
        ("a.test", "AAAA"): ["a.test. 60 AAAA 2001:db8::1"],
    })  # fmt: skip

    assert resolver.resolve("A.test") == addresses("192.0.2.1", "192.0.2.2", "2001:db8::1")


def test_a_host_with_ipv6_only(resolver: Resolver, dns_server: DnsServer) -> None:
    dns_server.zone({("a.test", "AAAA"): ["a.test. 60 AAAA 2001:db8::1"]})

    assert resolver.resolve("a.test") == addresses("2001:db8::1")


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "[::1]", "::1", "fe80::1%eth0"])
def test_a_literal_is_not_asked_of_anyone(resolver: Resolver, dns_server: DnsServer, host: str) -> None:
    (address,) = resolver.resolve(host)

    assert not address.is_global
    assert dns_server.asked == []


def test_the_hosts_file_comes_first_and_is_read_again(
    resolver: Resolver, dns_server: DnsServer, hosts_file: Path, clock: Clock
) -> None:
    """As for every other program on the machine."""
    dns_server.zone({("box.test", "A"): ["box.test. 60 A 192.0.2.1"]})
    assert resolver.resolve("box.test.") == addresses("192.0.2.1")

    hosts_file.write_text("10.0.0.9 box.test\n")
    clock.now += 1
    assert resolver.resolve("BOX.test") == resolver.resolve("box.test.") == addresses("10.0.0.9")

    hosts_file.unlink()
    clock.now += 1
    assert resolver.resolve("box.test.") == addresses("192.0.2.1")


def test_localhost_is_never_asked_of_dns(resolver: Resolver, dns_server: DnsServer) -> None:
    """A name server could say anything; without a line in the hosts file it is loopback all the same."""
    assert resolver.resolve("localhost") == resolver.resolve("LOCALHOST.") == addresses("127.0.0.1")
    assert resolver.resolve("a.localhost") == addresses("127.0.0.1", "::1")
    assert dns_server.asked == []


def test_short_names_go_through_the_search_list(dns_server: DnsServer, clock: Clock, hosts_file: Path) -> None:
    """As in Kubernetes; both families are asked of the name that was found."""
    client = parse_resolv_conf(f"nameserver 127.0.0.1\nsearch one.test two.test\noptions ndots:2\n# {hosts_file}\n")
    assert client is not None
    client.port = dns_server.port
    dns_server.zone({("app.two.test", "A"): ["app.two.test. 9 A 10.0.0.1"]})

    assert Resolver(clock, dns_client=lambda: client, hosts_file=hosts_file).resolve("app") == addresses("10.0.0.1")
    assert dns_server.asked == [("app.one.test", "A"), ("app.two.test", "A"), ("app.two.test", "AAAA")]


def test_without_a_name_server_only_names_fail(clock: Clock, hosts_file: Path) -> None:
    """An empty or broken resolv.conf is no reason not to start."""
    resolver = Resolver(clock, dns_client=lambda: parse_resolv_conf("nameserver nonsense\n"), hosts_file=hosts_file)

    assert resolver.resolve("localhost") == addresses("127.0.0.1")
    with pytest.raises(Unresolvable, match="names no server"):
        resolver.resolve("a.test")


# ------------------------------------------------------------ for how long


def test_an_answer_holds_for_its_ttl(resolver: Resolver, dns_server: DnsServer, clock: Clock) -> None:
    """Not a moment longer, and nobody is asked before."""
    dns_server.zone({("a.test", "A"): ["a.test. 60 A 192.0.2.1"]})
    resolver.resolve("a.test")
    dns_server.zone({("a.test", "A"): ["a.test. 60 A 192.0.2.2"]})

    clock.now += 59.9
    assert resolver.resolve("a.test") == addresses("192.0.2.1")
    assert dns_server.questions() == ["a.test"]

    clock.now += 0.1
    assert resolver.resolve("a.test") == addresses("192.0.2.2")


@pytest.mark.parametrize(
    ("ipv4", "ipv6"),
    [
        (["a.test. 600 CNAME b.test.", "b.test. 60 A 192.0.2.1"], []),
        (["a.test. 60 CNAME b.test.", "b.test. 600 A 192.0.2.1"], []),
        (["a.test. 600 A 192.0.2.1"], ["a.test. 60 AAAA 2001:db8::1"]),
    ],
)
def test_the_shortest_ttl_counts(
    resolver: Resolver, dns_server: DnsServer, clock: Clock, ipv4: list[str], ipv6: list[str]
) -> None:
    """Of the CNAMEs as well, and of both families."""
    dns_server.zone({("a.test", "A"): ipv4, ("a.test", "AAAA"): ipv6})
    resolver.resolve("a.test")

    clock.now += 60
    resolver.resolve("a.test")
    assert dns_server.questions() == ["a.test"] * 2


def test_a_ttl_of_zero_is_for_one_use(resolver: Resolver, dns_server: DnsServer) -> None:
    dns_server.zone({("a.test", "A"): ["a.test. 0 A 192.0.2.1"]})
    resolver.resolve("a.test")
    resolver.resolve("a.test")

    assert dns_server.questions() == ["a.test"] * 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [(dns.rcode.NXDOMAIN, socket.EAI_NONAME), ([], socket.EAI_NONAME), (dns.rcode.SERVFAIL, socket.EAI_AGAIN)],
)
def test_a_failure_is_remembered_briefly(
    resolver: Resolver, dns_server: DnsServer, clock: Clock, answer: Answer, code: int
) -> None:
    """So that no request asks a dead server again at once, and a name that was just made works soon."""
    dns_server.answer = lambda name, kind: answer
    for _ in range(3):
        with pytest.raises(Unresolvable) as caught:
            resolver.resolve("a.test")
        assert caught.value.errno == code
    asked = len(dns_server.questions())
    dns_server.zone({("a.test", "A"): ["a.test. 60 A 192.0.2.1"]})

    clock.now += NEGATIVE_SECONDS
    assert resolver.resolve("a.test") == addresses("192.0.2.1")
    assert len(dns_server.questions()) == asked + 1
    assert asked == 1


def test_the_cache_is_bounded(dns_server: DnsServer, clock: Clock, hosts_file: Path) -> None:
    """The name that was not used for longest goes."""
    dns_server.answer = lambda name, kind: [f"{name}. 60 A 192.0.2.1"] if kind == "A" else []
    resolver = Resolver(clock, dns_client=dns_server.client, hosts_file=hosts_file, max_entries=2)
    for name in ("a.test", "b.test", "a.test", "c.test", "a.test", "b.test"):
        resolver.resolve(name)

    assert dns_server.questions() == ["a.test", "b.test", "c.test", "b.test"]


# ------------------------------------------------------------ many at once, and slow ones


def test_lookups_of_one_name_share_one_question(resolver: Resolver, dns_server: DnsServer) -> None:
    """Also with a TTL of zero: those who wait take the answer that they waited for."""
    gate = dns_server.answer = Gate(["a.test. 0 A 192.0.2.1"])
    with ThreadPoolExecutor(20) as threads:
        futures = [threads.submit(resolver.resolve, "a.test") for _ in range(20)]
        wait_until(lambda: dns_server.asked != [] and threads._work_queue.empty())
        # Whoever has not come to wait yet would ask for himself, so the cache's lock is taken once more by all.
        wait_until(lambda: _waiting(resolver, "a.test") == 19)
        gate.opened.set()

    assert {future.result() for future in futures} == {addresses("192.0.2.1")}
    assert dns_server.questions() == ["a.test"]


def _waiting(resolver: Resolver, name: str) -> int:
    return len(resolver._questions[name].done._cond._waiters)  # type: ignore[attr-defined]  # threading's own


class Killed(BaseException):
    """As gevent.Timeout and GreenletExit are."""


def test_those_who_wait_for_one_that_is_killed_ask_for_themselves(
    dns_server: DnsServer, clock: Clock, hosts_file: Path
) -> None:
    """A deadline of one request must not fail another."""
    dns_server.zone({("a.test", "A"): ["a.test. 60 A 192.0.2.1"]})
    killing, asked = threading.Event(), []

    def client() -> dns.resolver.Resolver:
        asked.append(1)
        if len(asked) == 1:
            killing.wait(10)
            raise Killed
        return dns_server.client()

    resolver = Resolver(clock, dns_client=client, hosts_file=hosts_file)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(resolver.resolve, "a.test")
        wait_until(lambda: asked != [])
        others = [threads.submit(resolver.resolve, "a.test") for _ in range(2)]
        wait_until(lambda: _waiting(resolver, "a.test") == 2)
        killing.set()

    assert isinstance(first.exception(), Killed)
    assert [other.result() for other in others] == [addresses("192.0.2.1")] * 2
    assert len(asked) == 2


def test_a_lookup_has_a_deadline(dns_server: DnsServer, clock: Clock, hosts_file: Path) -> None:
    """A name server that says nothing is a failure like others."""
    dns_server.answer = lambda name, kind: None
    resolver = Resolver(clock, dns_client=dns_server.client, hosts_file=hosts_file, lookup_seconds=0.2)
    started = time.monotonic()

    with pytest.raises(Unresolvable) as caught:
        resolver.resolve("a.test")
    assert caught.value.errno == socket.EAI_AGAIN
    assert 0.1 < time.monotonic() - started < PATIENCE


def test_silence_about_ipv6_does_not_cost_the_ipv4_addresses(
    dns_server: DnsServer, clock: Clock, hosts_file: Path
) -> None:
    """Name servers that drop AAAA questions exist."""
    dns_server.answer = lambda name, kind: ["a.test. 60 A 192.0.2.1"] if kind == "A" else None
    resolver = Resolver(clock, dns_client=dns_server.client, hosts_file=hosts_file, lookup_seconds=0.2)

    assert resolver.resolve("a.test") == addresses("192.0.2.1")
