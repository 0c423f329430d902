"""Commands are read however the network cuts them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gevent import socket

from orchestrator.sandbox.wire import Disconnected, Packet, PacketReader, api_response


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_packets_end_with_an_empty_line(pair: tuple[socket.socket, socket.socket]) -> None:
    """Several in one piece, CRLF or LF, blank lines between, and headers behind the command."""
    ours, theirs = pair
    reader = PacketReader(theirs)

    ours.sendall(b"\n\nauth x\r\n\r\nbgapi status\nJob-UUID: j1\n\n")

    assert reader.read() == Packet("auth x")
    assert reader.read() == Packet("bgapi status", {"job-uuid": "j1"})


def test_a_body_is_read_past(pair: tuple[socket.socket, socket.socket]) -> None:
    """Content-Length bytes belong to the packet before them."""
    ours, theirs = pair
    reader = PacketReader(theirs)

    ours.sendall(b"sendevent X\nContent-Length: 3\n\nabcexit\n\n")

    assert reader.read().command == "sendevent X"
    assert reader.read().command == "exit"


def test_a_client_that_leaves_is_told_apart(pair: tuple[socket.socket, socket.socket]) -> None:
    """Half a command and then nothing is a disconnect."""
    ours, theirs = pair
    ours.sendall(b"api sta")
    ours.close()

    with pytest.raises(Disconnected):
        PacketReader(theirs).read()


def test_lengths_are_bytes_and_an_empty_answer_is_spelt_out() -> None:
    """As mod_event_socket's api_exec has it."""
    assert api_response("é") == "Content-Type: api/response\nContent-Length: 2\n\né"
    assert api_response("") == "Content-Type: api/response\nContent-Length: 14\n\n-ERR no reply\n"
