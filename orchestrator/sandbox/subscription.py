"""Which events a client asked for: `event`, `nixevent`, `noevents` and `filter` (mod_event_socket.c)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from orchestrator.sandbox.events import CUSTOM, EVENT_NAMES, Event

_FORMATS = ("plain", "json")
_ALL = "ALL"
_NO_KEYWORDS = "-ERR no keywords supplied"


@dataclass(slots=True)
class Subscription:
    """Event names, subclasses of CUSTOM, and filters; `ALL` takes every subclass with it."""

    format: str = "plain"
    enabled: bool = False
    names: set[str] = field(default_factory=set)
    subclasses: set[str] = field(default_factory=set)
    filters: list[tuple[str, str]] = field(default_factory=list)

    def wants(self, event: Event) -> bool:
        """Whether this event goes to this client."""
        return self.enabled and self._has_subscribed(event) and self._passes_filters(event)

    def _has_subscribed(self, event: Event) -> bool:
        if _ALL in self.names:
            return True
        if event.name not in self.names:
            return False
        return event.name != CUSTOM or event.subclass is None or event.subclass in self.subclasses

    def _passes_filters(self, event: Event) -> bool:
        """A filter on a header passes events with that value; `-value` stops them; `/…/` is a regular expression."""
        if not self.filters:
            return True
        passes = False
        lowered = {name.lower(): value for name, value in event.headers.items()}
        for name, wanted in self.filters:
            value = lowered.get(name.lower())
            positive = not wanted.startswith("-")
            if value is None or (passes and positive):
                continue
            if _matches(value, wanted.lstrip("+- ")):
                if not positive:
                    return False
                passes = True
        return passes

    def add(self, words: list[str]) -> str:
        """`event [plain|json] NAME… [CUSTOM subclass…]`: every word after CUSTOM is a subclass."""
        words = [word for word in words if word]
        if words and words[0].lower() in _FORMATS:
            self.format = words.pop(0).lower()
        names, subclasses = _split_at_custom(words)
        if not names:
            return _NO_KEYWORDS
        self.names |= names
        self.subclasses |= subclasses
        self.enabled = True
        return f"+OK event listener enabled {self.format}"

    def remove(self, words: list[str]) -> str:
        """`nixevent NAME… [CUSTOM subclass…]`. CUSTOM itself stays subscribed, as it does in the real one."""
        names, subclasses = _split_at_custom([word for word in words if word])
        if not names:
            return _NO_KEYWORDS
        self.subclasses -= subclasses
        if _ALL in names:
            self.names.clear()
        elif names - {CUSTOM} and _ALL in self.names:
            self.names = set(EVENT_NAMES) - {_ALL}
        self.names -= names - {CUSTOM}
        self.enabled = True
        return "+OK events nixed"

    def clear(self) -> str:
        """`noevents`. Filters stay."""
        if not self.enabled:
            return "-ERR not listening for events"
        self.enabled = False
        self.names.clear()
        self.subclasses.clear()
        return "+OK no longer listening for events"

    def filter(self, text: str) -> str:
        """`filter [add] <header> <value>`, `filter delete <header> [<value>]`, `filter delete all`."""
        name, space, value = text.strip(" ").partition(" ")
        if not space:
            return "-ERR invalid syntax"
        if name.lower() == "delete":
            return self._delete_filter(value)
        if name.lower() == "add":
            name, _, value = value.partition(" ")
        self.filters.append((name, value))
        return f"+OK filter added. [{name}]=[{value}]"

    def _delete_filter(self, text: str) -> str:
        name, _, value = text.partition(" ")
        if name.lower() == "all":
            self.filters.clear()
        self.filters = [
            (header, wanted)
            for header, wanted in self.filters
            if header.lower() != name.lower() or (value and wanted != value)
        ]
        return f"+OK filter deleted. [{name}][{value}]"


def _split_at_custom(words: list[str]) -> tuple[set[str], set[str]]:
    """Known event names up to CUSTOM, and the subclasses after it."""
    names: set[str] = set()
    for position, word in enumerate(words):
        if word.upper() == CUSTOM:
            return names | {CUSTOM}, set(words[position + 1 :])
        if word.upper() in EVENT_NAMES:
            names.add(word.upper())
    return names, set()


def _matches(value: str, wanted: str) -> bool:
    if wanted.startswith("/") and wanted.endswith("/") and len(wanted) > 1:
        return re.search(wanted[1:-1], value) is not None
    return value.lower() == wanted.lower()
