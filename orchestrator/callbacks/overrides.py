"""Reads Twilio's connection overrides from the fragment of a callback's URL. Pure.

`https://app.example/cb#ct=2000&rt=5000&tt=8000&rc=3&rp=5xx,ct` : never sent, never signed.
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

Failure = Literal["4xx", "5xx", "ct", "rt"]
"""What kind of failure an attempt was: an answer of that class, no connection, or no answer in time."""

_EVERY_FAILURE: Final[frozenset[Failure]] = frozenset(("4xx", "5xx", "ct", "rt"))
_BY_NAME: Final[dict[str, Failure]] = {name: name for name in _EVERY_FAILURE}


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a URL's fragment overrides. Times in ms. `retries` follow at once, for the failures in `retried`, while
    `total_ms` lasts."""

    connect_ms: int = 5_000
    read_ms: int = 15_000
    total_ms: int = 15_000
    retries: int = 1
    retried: frozenset[Failure] = frozenset(("ct",))


@lru_cache(maxsize=4096)
def parse_overrides(url: str) -> Overrides:
    """Read the overrides of a URL. Numbers are clamped to Twilio's ranges; what cannot be read is as if not given."""
    given = dict(parse_qsl(urlsplit(url).fragment))
    plain = Overrides()
    return Overrides(
        connect_ms=_clamped(given.get("ct"), 100, 10_000, plain.connect_ms),
        read_ms=_clamped(given.get("rt"), 100, 15_000, plain.read_ms),
        total_ms=_clamped(given.get("tt"), 100, 15_000, plain.total_ms),
        retries=_clamped(given.get("rc"), 0, 5, plain.retries),
        retried=_policy(given.get("rp")),
    )


def _clamped(text: str | None, least: int, most: int, default: int) -> int:
    if text is None or not (text.isascii() and text.isdecimal()):
        return default
    return min(max(int(text[:9]), least), most)


def _policy(text: str | None) -> frozenset[Failure]:
    words = [word.strip().lower() for word in (text or "").split(",") if word.strip()]
    if "all" in words:
        return _EVERY_FAILURE
    known = frozenset(_BY_NAME[word] for word in words if word in _BY_NAME)
    return known or Overrides().retried
