"""Orders of calls that wait: what comes out is what went in, and the database learns nothing of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.dialling.queued_call import QueuedCall, Seal, Unreadable
from orchestrator.freeswitch.dial_string import NOWHERE, Originate, Routes, destination_of
from tests.unit.examples import a_create, a_participant

ROUTES = Routes("sofia/gateway/carrier/{number}", "sofia/internal/{address}", "user/{name}", frozenset({"number"}))
SECRET = "hunter2hunter2"


@pytest.mark.parametrize("to", ["+15550001000", "sip:bob@h.example;user=phone?a=b", "client:bob?x=1"])
def test_a_call_is_dialled_later_as_it_would_have_been(to: str) -> None:
    """The same dial string, credentials, headers and looked-up server included."""
    command = a_create(
        to=to, sip_auth_username="bob", sip_auth_password=SECRET, time_limit_seconds=9, early_media=False
    )
    destination = replace(destination_of(to, ROUTES), server="sip:192.0.2.1:5060;transport=udp")
    seal = Seal("password")
    text = seal.seal(QueuedCall(command, destination))
    opened = seal.open(text)

    before, after = (
        Originate(queued_call.command, a_participant(), queued_call.destination, started=True).render()
        for queued_call in (QueuedCall(command, destination), opened)
    )
    assert before == after
    assert (SECRET in before) is to.startswith("sip:")
    assert not any(word in text for word in (SECRET, "bob", "555"))


def test_where_a_name_led_nowhere_it_still_does() -> None:
    """Nobody looks it up again."""
    destination = replace(destination_of("sip:a@b.example", ROUTES), dialled=NOWHERE)
    opened = Seal("p").open(Seal("p").seal(QueuedCall(a_create(to="sip:a@b.example"), destination)))

    assert opened.destination.dialled == NOWHERE


@pytest.mark.parametrize(
    "text", ["", "x", "gAAAA", Seal("another").seal(QueuedCall(a_create(), destination_of("+15550001000", ROUTES)))]
)
def test_what_was_sealed_under_another_password_is_not_read(text: str) -> None:
    """And nothing else is."""
    with pytest.raises(Unreadable):
        Seal("password").open(text)
