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


def test_nixevent_takes_back() -> None:
    """One name of ALL leaves the others; a subclass goes without the others."""
    subscription = Subscription()
    subscription.add(["json", "ALL"])
    subscription.add(["json", "CUSTOM", "conference::maintenance"])

    assert subscription.remove(["CHANNEL_ANSWER"]) == "+OK events nixed"
    assert not subscription.wants(_ANSWER)
    assert subscription.wants(_JOIN)

    subscription.remove(["CUSTOM", "conference::maintenance"])
    assert not subscription.wants(_JOIN)
    assert subscription.remove([]) == "-ERR no keywords supplied"


def test_filters_pass_only_what_matches_one() -> None:
    """One match is enough, a minus stops, slashes make a regular expression; deleting the last lets all pass."""
    subscription = Subscription()
    subscription.add(["ALL"])

    assert subscription.filter("Unique-ID u2") == "+OK filter added. [Unique-ID]=[u2]"
    assert not subscription.wants(_ANSWER)
    subscription.filter("unique-id /^u/")
    assert subscription.wants(_ANSWER)
    subscription.filter("Event-Name -CHANNEL_ANSWER")
    assert not subscription.wants(_ANSWER)
    assert subscription.filter("delete Unique-ID u2") == "+OK filter deleted. [Unique-ID][u2]"
    assert subscription.filter("delete all") == "+OK filter deleted. [all][]"
    assert subscription.wants(_ANSWER)
    assert subscription.filter("alone") == "-ERR invalid syntax"
