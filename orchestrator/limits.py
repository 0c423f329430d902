"""What one account may take: the one table of quotas. docs/limits.md is drawn from it.

An operator changes them for an account with `orchestrator account limits`; whoever counts reads `Limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

LIVE: Final = 16021
"""Twilio's code for too much at once, with 429."""

RATE: Final = 20429
"""Twilio's code for too much in a time, with 429."""

MOST: Final = 1_000_000_000


def parse_limit(text: str) -> int | None:
    """Read a limit as an operator writes it; None: its default. Raises ValueError with what it has to be."""
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= MOST):
        raise ValueError(f"has to be a whole number up to {MOST:,}, or `default`")
    return int(text)


def _limit(default: int, code: int | None, bounds: str, over: str = "") -> Any:
    return field(default=default, metadata={"code": code, "bounds": bounds, "over": over})


@dataclass(frozen=True, slots=True)
class Limits:
    """The quotas of one account. 0 allows nothing."""

    live_participants: int = _limit(500, LIVE, "calls that have been created and have not ended")
    live_conferences: int = _limit(200, LIVE, "conferences that have not ended")
    dialling: int = _limit(100, LIVE, "calls that have not been answered yet")
    calls_per_second: int = _limit(
        1, None, "calls that are dialled in a second", "a create is `queued`, and its call dialled at its slot"
    )
    creates_per_second: int = _limit(30, RATE, "creates of participants, those included that are refused then")
    kept_participants: int = _limit(
        100_000,
        RATE,
        "participants created within `CALL_RETENTION_DAYS`",
        "no create until the oldest are older",
    )
    kept_parameter_bytes: int = _limit(
        256_000_000, RATE, "what their creates' parameters take in Redis, in bytes", "the same"
    )
    kept_callbacks: int = _limit(
        50_000, None, "callbacks that are remembered", "nothing is refused: the oldest finished ones are forgotten"
    )
    kept_recording_megabytes: int = _limit(
        100_000, RATE, "recordings that are kept, in megabytes", "one that a create asks for ends as `failed`"
    )
    replays_per_minute: int = _limit(
        1_000, RATE, "callbacks sent again; a bulk replay sends as many as are left and says that there are more"
    )
    requests_per_second: int = _limit(100, RATE, "requests, in each API process")
    list_rows_per_second: int = _limit(
        1_000, RATE, "rows that lists, filters and bulk replays look at, in each API process; one list at a time works"
    )

    @classmethod
    def parse(cls, stored: Mapping[str, str]) -> Limits:
        """Read the quotas of an account, from what an operator has set; the rest has its default."""
        return replace(DEFAULTS, **{row.name: int(stored[row.name]) for row in TABLE if row.name in stored})

    def without_rate(self) -> Limits:
        """Return the same limits for a create that begins anew and has been counted."""
        return replace(self, creates_per_second=MOST)


@dataclass(frozen=True, slots=True)
class Row:
    """One quota as documents and the command line see it. `code` None: nothing is refused."""

    name: str
    default: int
    code: int | None
    bounds: str
    over: str

    @property
    def option(self) -> str:
        """Return the limit's name as the command line spells it."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def answer(self) -> str:
        """Return what a client is told that is over the limit."""
        refused = f"429, code {self.code}, `Retry-After`" if self.code else ""
        return "; ".join(filter(None, (refused, self.over)))


DEFAULTS: Final = Limits()
TABLE: Final = tuple(Row(row.name, getattr(DEFAULTS, row.name), **row.metadata) for row in fields(Limits))
