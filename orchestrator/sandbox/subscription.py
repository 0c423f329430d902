"""Which events a client asked for: `event` and `noevents` (mod_event_socket.c)."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.sandbox.events import CUSTOM, EVENT_NAMES, Event

_FORMATS = ("plain", "json")
_ALL = "ALL"
_NO_KEYWORDS = "-ERR no keywords supplied"


@dataclass(slots=True)
class Subscription:
    """Event names and subclasses of CUSTOM; `ALL` takes every subclass with it."""

    format: str = "plain"
    enabled: bool = False
    names: set[str] = field(default_factory=set)
    subclasses: set[str] = field(default_factory=set)

    def wants(self, event: Event) -> bool:
        """Whether this event goes to this client."""
        return self.enabled and self._has_subscribed(event)

    def _has_subscribed(self, event: Event) -> bool:
        if _ALL in self.names:
            return True
        if event.name not in self.names:
            return False
        return event.name != CUSTOM or event.subclass is None or event.subclass in self.subclasses

    def add(self, words: list[str]) -> str:
        """`event [plain|json] NAME… [CUSTOM subclass…]`: every word after CUSTOM is a subclass.

        The format is the first word or none: behind a second blank the real one takes it for the name of an event.
        """
        if words and words[0].lower() in _FORMATS:
            self.format = words.pop(0).lower()
        names, subclasses = _split_at_custom(words)
        if not names:
            return _NO_KEYWORDS
        self.names |= names
        self.subclasses |= subclasses
        self.enabled = True
        return f"+OK event listener enabled {self.format}"

    def clear(self) -> str:
        """`noevents`."""
        if not self.enabled:
            return "-ERR not listening for events"
        self.enabled = False
        self.names.clear()
        self.subclasses.clear()
        return "+OK no longer listening for events"


def _split_at_custom(words: list[str]) -> tuple[set[str], set[str]]:
    """Known event names up to CUSTOM, and the subclasses after it."""
    names: set[str] = set()
    for position, word in enumerate(words):
        if word.upper() == CUSTOM:
            return names | {CUSTOM}, set(words[position + 1 :])
        if word.upper() in EVENT_NAMES:
            names.add(word.upper())
    return names, set()
