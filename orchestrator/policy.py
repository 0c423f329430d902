"""Whom an account may call, and as whom: its operator's rules for phone numbers, pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)
MOST_LISTED: Final = 1_000

Verdict = Literal["allowed", "not-allowed", "refused"]


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """Digits, without a plus sign; where nothing is listed, everything is allowed."""

    allowed_prefixes: tuple[str, ...] = ()
    refused_prefixes: tuple[str, ...] = ()
    caller_ids: tuple[str, ...] = ()

    def judge(self, number: str) -> Verdict:
        """Whether a number may be called: the longest prefix decides, of two that are equal the one that refuses."""
        refused = _longest(self.refused_prefixes, number)
        allowed = _longest(self.allowed_prefixes, number)
        if refused is not None and (allowed is None or refused >= allowed):
            return "refused"
        return "allowed" if allowed is not None or not self.allowed_prefixes else "not-allowed"

    def may_show(self, number: str) -> bool:
        """Whether a number may be shown to whoever is called."""
        return not self.caller_ids or digits_of(number) in self.caller_ids


def parse_numbers(text: str) -> list[str]:
    """Read numbers or their beginnings as an operator lists them, `+1,+4420`; `any`, `none`: no list. Raises
    ValueError."""
    listed = [] if text in ("any", "none") else [digits_of(part.strip()) for part in text.split(",")]
    if not all(map(PREFIX.fullmatch, listed)) or len(listed) > MOST_LISTED:
        raise ValueError(f"has to be at most {MOST_LISTED} numbers such as +1 or +4420, or `any` or `none`")
    return listed


def digits_of(number: str) -> str:
    """Return a number as a policy lists it."""
    return number.removeprefix("+")


def _longest(prefixes: tuple[str, ...], number: str) -> int | None:
    """The length of the longest prefix that a number has."""
    return max((len(prefix) for prefix in prefixes if digits_of(number).startswith(prefix)), default=None)
