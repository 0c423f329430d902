"""A server that sends faster than its answer is read does not get the process for itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.outgoing.flood import flooding, watch

READ = """
from ipaddress import ip_address
import ssl
from orchestrator.outgoing.networks import parse_networks
from orchestrator.outgoing.pool import OutgoingPool
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
loopback = ip_address("127.0.0.1")
pool = OutgoingPool(lambda host: [loopback], parse_networks("127.0.0.1"), ssl_context=context)
with gevent.Timeout(0.5, False):
    answer = pool.request("GET", url, timeout=5, preload_content=False, decode_content=False)
    while answer.read(65536):
        pass
"""


@pytest.mark.parametrize("kind", ["continue", "chunks"])
def test_others_run_while_a_flood_is_read(kind: str) -> None:
    """Under gevent, where a read waits only if nothing has come: a deadline ends it, and nobody stands still."""
    with flooding(kind) as port:
        assert watch(READ, f"http://127.0.0.1:{port}/") == ["True", "True", "True"]


def test_others_run_while_a_flood_is_read_by_tls(tmp_path: Path) -> None:
    """Likewise."""
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -subj /CN=a -days 2"
    subprocess.run(["openssl", *made.split()], cwd=tmp_path, check=True, capture_output=True)  # noqa: S607  # openssl from PATH
    with flooding("chunks", tmp_path / "cert", tmp_path / "key") as port:
        assert watch(READ, f"https://127.0.0.1:{port}/") == ["True", "True", "True"]
