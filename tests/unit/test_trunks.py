"""Gateways of a trunk: their order, whether they answer, and when the next one is tried."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from dataclasses import replace

import pytest

from orchestrator.domain.conference import Participant, ParticipantStatus
from orchestrator.domain.events import CallEnded, DialFailed, Event
from orchestrator.domain.transitions import apply
from orchestrator.sip_ping import problem_of
from orchestrator.trunks import Gateway, Trunk, dump, load
from tests.unit.examples import a_conference, a_participant, at

TRUNK = Trunk("BY" + "0" * 32, (Gateway("c", 5060, "tcp", 1), Gateway("a", 5060, weight=9), Gateway("b", 5060)), "two")


def test_lower_priorities_come_first_and_weights_share_the_calls() -> None:
    """Nine in ten begin with the gateway of weight 9; the one of a higher priority is always last."""
    orders = ["".join(one.host for one in TRUNK.in_order()) for _ in range(4_000)]

    assert set(orders) == {"abc", "bac"}
    assert 0.87 < Counter(orders)["abc"] / len(orders) < 0.93


def test_a_trunk_is_read_as_it_was_written() -> None:
    assert load(TRUNK.trunk_sid, dump(TRUNK)) == TRUNK


def _calling(**more: object) -> Participant:
    return a_participant(
        status=ParticipantStatus.CONNECTING, gateways_left=1, tried_left=1, sealed_call="sealed", dialled_at=at(0),
        **{"answered_at": None, "joined_at": None, **more},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "goes_on"),
    [
        (CallEnded(at(1), "NORMAL_TEMPORARY_FAILURE", 503), True),
        (CallEnded(at(1), "RECOVERY_ON_TIMER_EXPIRE", 408), True),
        (CallEnded(at(1), "NETWORK_OUT_OF_ORDER"), True),
        (CallEnded(at(1), "USER_BUSY", 486), False),
        (CallEnded(at(1), "NO_ANSWER"), False),
        (CallEnded(at(1), "NORMAL_TEMPORARY_FAILURE", 603), False),
        (CallEnded(at(1), "RECOVERY_ON_TIMER_EXPIRE"), False),  # nobody saw its end
    ],
)
def test_what_has_not_reached_the_callee_goes_on_by_the_next_gateway(event: Event, goes_on: bool) -> None:
    """Nobody is told; the call waits, with one gateway less. With none left, it has ended as the last one said."""
    conference, participant = a_conference(live_count=1), _calling()
    outcome = apply(conference, participant, event)
    assert outcome.participant.is_waiting is goes_on
    assert (outcome.events == ()) is goes_on
    last = apply(conference, replace(participant, gateways_left=0, tried_left=0), event)

    assert last.participant.ended_at == at(1)
    assert last.participant.sealed_call == ""


@pytest.mark.parametrize("more", [{"answered_at": at(0.5)}, {"removal_requested": True}])
def test_whom_a_gateway_has_reached_or_nobody_wants_is_dialled_by_no_other(more: dict[str, object]) -> None:
    outcome = apply(a_conference(live_count=1), _calling(**more), CallEnded(at(1), "X", 503))

    assert outcome.participant.ended_at == at(1)


def test_a_gateway_without_a_channel_is_followed_by_the_next() -> None:
    """The switch could not make it: that is all that will be heard."""
    queued = replace(_calling(), status=ParticipantStatus.QUEUED)
    outcome = apply(a_conference(live_count=1), queued, DialFailed(at(1), "DESTINATION_OUT_OF_ORDER"))

    assert outcome.participant.is_waiting


def test_a_gateway_answers_options_or_is_said_not_to() -> None:
    """Over UDP any response in SIP; over TCP a connection."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone, socket.socket() as server:
        phone.bind(("127.0.0.1", 0))
        server.bind(("127.0.0.1", 0))
        server.listen()
        heard: list[bytes] = []

        def answer() -> None:
            request, source = phone.recvfrom(4096)
            heard.append(request)
            phone.sendto(b"SIP/2.0 403 Forbidden\r\n\r\n", source)

        thread = threading.Thread(target=answer)
        thread.start()
        assert problem_of(Gateway("127.0.0.1", phone.getsockname()[1])) is None
        thread.join()
        assert problem_of(Gateway("127.0.0.1", server.getsockname()[1], "tcp")) is None
        port = server.getsockname()[1]

    assert heard[0].startswith(b"OPTIONS sip:127.0.0.1:")
    assert problem_of(Gateway("127.0.0.1", port, "tcp")) is not None
    assert problem_of(Gateway("127.0.0.1", port)) is not None
