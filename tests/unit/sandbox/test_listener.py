"""The conversation with one client."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent import socket

from orchestrator.sandbox.listener import GOODBYE, MAX_MISSED, TOO_MANY_LOST
from orchestrator.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Closed


@pytest.fixture
def stranger(sandbox: Sandbox) -> Iterator[Client]:
    """A client that has not said its password."""
    connected = Client(sandbox.port, authenticate=False)
    yield connected
    connected.close()


def test_a_wrong_password_is_refused_and_the_connection_closed(stranger: Client) -> None:
    """-ERR invalid, then the disconnect notice, then the end."""
    assert stranger.command("auth wrong") == "-ERR invalid"
    assert stranger.reply() == (
        {"Content-Type": "text/disconnect-notice", "Content-Length": str(len(GOODBYE))},
        GOODBYE,
    )
    with pytest.raises(Closed):
        stranger.reply()


def test_before_auth_nothing_else_is_known(stranger: Client) -> None:
    """No command is obeyed, and no event is sent."""
    assert stranger.command("api status") == "-ERR command not found"
    assert stranger.command("event plain ALL") == "-ERR command not found"
    assert stranger.command("auth ClueCon") == "+OK accepted"


def test_exit_is_answered_then_the_connection_ends(client: Client) -> None:
    """+OK bye, and a disconnect notice."""
    assert client.command("exit") == "+OK bye"
    assert client.reply()[0]["Content-Type"] == "text/disconnect-notice"


def test_bgapi_is_accepted_first_and_answered_by_an_event(client: Client) -> None:
    """With the Job-UUID that the client named; the reply is the event's body."""
    client.send("bgapi global_getvar core_uuid\nJob-UUID: j1")

    headers, _ = client.reply()
    assert headers == {"Content-Type": "command/reply", "Reply-Text": "+OK Job-UUID: j1", "Job-UUID": "j1"}
    job = client.event("BACKGROUND_JOB")
    assert (job["Job-UUID"], job["Job-Command"], job["Job-Command-Arg"]) == ("j1", "global_getvar", "core_uuid")
    assert job["_body"] == job["Core-UUID"]


def test_a_reply_comes_before_the_events_that_its_command_caused(client: Client) -> None:
    """mod_event_socket sends events only between commands."""
    _, member_id = client.join("+15550001000", "CFx")
    client.messages.clear()

    client.api(f"conference CFx mute {member_id}")
    client.event("mute-member")

    kinds = [headers["Content-Type"] for headers, body in client.messages if "HEARTBEAT" not in body]
    assert kinds[0] == "api/response"


def test_api_originate_holds_the_connection_until_the_answer(client: Client) -> None:
    """No event comes through before the reply; that is why bgapi is there."""
    reply = client.api("originate sofia/internal/+15550002000@phones &park()")

    assert reply.startswith("+OK ")
    before_reply = [headers["Content-Type"] for headers, _ in client.messages]
    assert "api/response" in before_reply[: before_reply.index("text/event-json") + 2]


def test_plain_events_have_their_headers_encoded(client: Client) -> None:
    """`event plain` sends text/event-plain, whose body has URL-encoded values."""
    assert client.command("event plain CHANNEL_CREATE") == "+OK event listener enabled plain"
    client.originate("+15550004000")

    client.until(lambda: any("CHANNEL_CREATE" in body for _, body in client.messages))
    headers, body = next(message for message in client.messages if "CHANNEL_CREATE" in message[1])
    assert headers["Content-Type"] == "text/event-plain"
    assert "Caller-Destination-Number: %2B15550004000\n" in body


def test_a_client_that_reads_too_slowly_is_dropped(sandbox: Sandbox) -> None:
    """Its queue is bounded; after too many lost events the connection is shut, and the others do not notice."""
    small = Sandbox("127.0.0.1", 0, "ClueCon", event_queue_length=10)
    small.start()
    slow = socket.create_connection(("127.0.0.1", small.port))
    slow.sendall(b"auth ClueCon\n\nevent json ALL\n\n")
    slow.recv(65536)
    small.freeze()
    watcher = Client(sandbox.port)
    watcher.until(lambda: bool(small.node.sinks))

    for _ in range(10 + 1 + MAX_MISSED + 1):
        small.node.fire("HEARTBEAT", {})

    received = b""
    with gevent.Timeout(5):
        while piece := slow.recv(65536):
            received += piece
    assert TOO_MANY_LOST.encode() in received
    assert not small.node.sinks
    slow.close()
    watcher.close()
    small.thaw()
    small.stop()
