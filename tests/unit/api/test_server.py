"""What of an answer is sent together."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from orchestrator.api.connections import Connection
from orchestrator.api.server import _Answering

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


class Wire:
    """A connection whose far end keeps packets apart."""

    def __init__(self) -> None:
        self.ours, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.far.setblocking(False)
        self.answering = _Answering(self.ours, Connection("127.0.0.1", self.ours.close, is_bounded=True))

    def packets(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.far.recv(65_536))
            except BlockingIOError:
                return found


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.ours.close()
    made.far.close()


def test_head_and_body_are_one_packet(wire: Wire) -> None:
    wire.answering.sendall(HEAD)
    wire.answering.sendall(b"body")
    assert wire.packets() == [HEAD + b"body"]


def test_what_follows_goes_out_as_it_comes(wire: Wire) -> None:
    """Also what looks like another head."""
    for data in (HEAD, b"bo", b"dy", HEAD):
        wire.answering.sendall(data)
    wire.answering.send_head()
    assert wire.packets() == [HEAD + b"bo", b"dy", HEAD]


def test_a_head_without_a_body_is_sent_at_the_end(wire: Wire) -> None:
    wire.answering.sendall(HEAD)
    assert wire.packets() == []
    wire.answering.send_head()
    wire.answering.send_head()
    assert wire.packets() == [HEAD]


def test_the_next_answer_of_a_connection_is_one_packet_too(wire: Wire) -> None:
    for _ in range(2):
        wire.answering.sendall(HEAD)
        wire.answering.sendall(b"body")
    assert wire.packets() == [HEAD + b"body"] * 2
