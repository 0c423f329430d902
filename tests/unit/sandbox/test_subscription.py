"""Which events a client gets."""

from __future__ import annotations

from orchestrator.sandbox.events import Event
from orchestrator.sandbox.subscription import Subscription

_ANSWER = Event({"Event-Name": "CHANNEL_ANSWER", "Unique-ID": "u1"})
_JOIN = Event({"Event-Subclass": "conference::maintenance", "Event-Name": "CUSTOM"})


def test_nothing_is_sent_unasked() -> None:
    """A client that has said no `event` gets none."""
    assert not Subscription().wants(_ANSWER)


def test_words_behind_custom_are_subclasses() -> None:
    """CUSTOM alone gets no subclass; names behind it are subclasses, even if they look like events."""
    subscription = Subscription()

    subscription.add(["plain", "CUSTOM", "sofia::register", "CHANNEL_ANSWER"])
    assert not subscription.wants(_JOIN)
    assert not subscription.wants(_ANSWER)

    subscription.add(["plain", "CUSTOM", "conference::maintenance"])
    assert subscription.wants(_JOIN)
