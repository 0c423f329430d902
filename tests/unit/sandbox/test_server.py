"""The sandbox as a whole, and what can be broken about it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import gevent
import pytest
from gevent import socket

from orchestrator.sandbox.server import Sandbox, SandboxNotStarted
from tests.unit.sandbox.client import Client, label


def test_it_starts_empty_and_may_be_started_again_on_its_port(sandbox: Sandbox) -> None:
    """A restart forgets everything and has a new Core-UUID; clients are told of the shutdown."""
    client = Client(sandbox.port)
    client.subscribe()
    channel_uuid, _ = client.join("+15550001000", "CFx")
    core_uuid, port = client.api("global_getvar core_uuid"), sandbox.port

    sandbox.stop()
    client.until(lambda: client.closed)
    assert client.messages[-1][1] == "The system is being shut down.\n"
    sandbox.start()

    again = Client(port)
    assert again.api("global_getvar core_uuid") != core_uuid
    assert again.api(f"uuid_exists {channel_uuid}") == "false"
    client.close()
    again.close()


def test_there_is_no_node_before_the_start() -> None:
    """Nothing can be asked of it."""
    with pytest.raises(SandboxNotStarted):
        _ = Sandbox("127.0.0.1", 0, "x").node


def test_serve_forever_ends_with_stop() -> None:
    """It returns when somebody else stops it."""
    sandbox = Sandbox("127.0.0.1", 0, "ClueCon")
    serving = gevent.spawn(sandbox.serve_forever)
    gevent.sleep(0)
    client = Client(sandbox.port)

    sandbox.stop()

    serving.join(5)
    assert serving.successful()
    client.close()


def test_dropped_clients_find_their_calls_again(sandbox: Sandbox, client: Client) -> None:
    """The connection goes without a word, the calls stay; what happened meanwhile is not told again."""
    channel_uuid, _ = client.join("+15550001000", "CFx")

    sandbox.drop_clients()
    client.until(lambda: client.closed)

    back = Client(sandbox.port)
    back.subscribe()
    assert back.api(f"uuid_exists {channel_uuid}") == "true"
    assert "add-member" not in back.labels()
    back.close()


def test_a_frozen_sandbox_answers_nothing_until_it_is_thawed(sandbox: Sandbox, client: Client) -> None:
    """Connections stay open and are accepted, as with a stopped process."""
    sandbox.freeze()
    client.send("api status")
    late = socket.create_connection(("127.0.0.1", sandbox.port))
    late.settimeout(0.05)

    with pytest.raises(TimeoutError):
        late.recv(1)
    assert "api/response" not in [headers["Content-Type"] for headers, _ in client.messages]
    sandbox.thaw()

    assert client.reply()[1].startswith("UP ")
    late.close()


def test_a_killed_sandbox_forgets_everything(sandbox: Sandbox, client: Client) -> None:
    """Cut connections, no disconnect notice, no hangup events, a new Core-UUID."""
    client.join("+15550001000", "CFx")
    core_uuid = sandbox.node.core_uuid

    sandbox.kill()
    client.until(lambda: client.closed)

    assert "text/disconnect-notice" not in [headers["Content-Type"] for headers, _ in client.messages]
    assert "CHANNEL_HANGUP" not in client.labels()
    back = Client(sandbox.port)
    assert back.api("global_getvar core_uuid") != core_uuid
    assert back.api("conference json_list") == "[]"
    back.close()


def test_partial_writes_lose_nothing(sandbox: Sandbox, client: Client) -> None:
    """Whatever the size of the pieces, clients have to put them together."""
    sandbox.faults.write_piece_bytes = 7

    client.join("+15550001000", "CFx")

    assert client.api("echo é-and-more") == "é-and-more"


def test_delayed_events_keep_their_order(sandbox: Sandbox, client: Client) -> None:
    """And come that much later than they were fired."""
    sandbox.faults.event_delay_seconds = 0.1

    channel_uuid, _ = client.join("+15550001000", "CFx")

    added = client.event("add-member", channel_uuid)
    assert time.time() - int(added["Event-Date-Timestamp"]) / 1_000_000 >= 0.1
    sequences = [int(event["Event-Sequence"]) for event in client.events]
    assert sequences == sorted(sequences)


def test_a_job_may_tell_its_result_after_the_call_is_over(sandbox: Sandbox, client: Client) -> None:
    """BACKGROUND_JOB comes at no fixed place among the call's events."""
    sandbox.faults.background_job_delay_seconds = 0.1

    client.originate("+15550003000")

    client.event("BACKGROUND_JOB")
    order = [label(event) for event in client.events]
    assert order.index("BACKGROUND_JOB") > order.index("CHANNEL_DESTROY")


def test_run_sandbox_is_a_process_that_stops_on_sigterm() -> None:
    """It serves until then, and ends with status 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = f"from orchestrator.sandbox.server import run_sandbox; run_sandbox('127.0.0.1', {port}, 'ClueCon')"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        client = _connect_when_ready(port)
        assert client.api("status").startswith("UP ")
        os.kill(process.pid, signal.SIGTERM)
        client.until(lambda: client.closed)
        client.close()
    finally:
        output, _ = process.communicate(timeout=10)

    assert process.returncode == 0
    assert b"sandbox_stopped" in output


def _connect_when_ready(port: int) -> Client:
    deadline = time.monotonic() + 10
    while True:
        try:
            return Client(port)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            gevent.sleep(0.05)
