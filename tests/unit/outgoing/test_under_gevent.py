"""The pool and the resolver in a process that gevent has patched, with a thousand requests at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import socket
import gevent, gevent.pool, gevent.pywsgi, gevent.server
from orchestrator.outgoing.networks import parse_networks
from orchestrator.outgoing.pool import OutgoingPool
from orchestrator.outgoing.resolver import Resolver
from tests.unit.outgoing.dns_server import DnsServer

accepted = []
class Server(gevent.pywsgi.WSGIServer):
    def do_handle(self, connection, *arguments):
        accepted.append(1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each answer waits 40 ms for an ACK
        super().do_handle(connection, *arguments)

def answer(environ, start_response):
    gevent.sleep(0)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

web = Server(("127.0.0.1", 0), answer, log=None)
web.start()
names = DnsServer(lambda name, kind: gevent.sleep(0.05) or ([f"{name}. 60 A 127.0.0.1"] if kind == "A" else []))
turns = [0]
def count():
    while True:
        turns[0] += 1
        gevent.sleep(0.001)
gevent.spawn(count)
pool = OutgoingPool(Resolver(dns_client=names.client).resolve, parse_networks("127.0.0.0/8"), maxsize=MAXSIZE)
Resolver(dns_client=names.client).resolve("alone.test")
others_ran = turns[0] > 10
def request(number):
    return pool.request("GET", f"http://a.test:{web.server_port}/{number}", timeout=30).data
group = gevent.pool.Group()
answers = group.map(request, range(1000))
again = len(accepted)
group.map(request, range(1000))
print(answers.count(b"ok"), again, len(accepted) == again, names.questions().count("a.test"), others_ran)
"""


@pytest.mark.parametrize("maxsize", [1, 50])
def test_a_thousand_greenlets_share_connections_and_one_lookup(maxsize: int) -> None:
    """Under gevent's patches: at most maxsize connections, which the next thousand use again; one question to DNS for
    all of them, and other greenlets run while it waits."""
    command = [sys.executable, "-c", UNDER_GEVENT.replace("MAXSIZE", str(maxsize))]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=root)

    answered, accepted, reused, questions, others_ran = done.stdout.split() or pytest.fail(done.stderr[-2000:])
    assert (answered, reused, questions, others_ran) == ("1000", "True", "1", "True")
    assert 1 <= int(accepted) <= maxsize
