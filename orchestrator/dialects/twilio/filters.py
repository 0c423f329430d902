"""Filters of the conference list: Status, FriendlyName, and dates by UTC day (wire-contract section 4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from orchestrator.dialects.twilio import parameters as p
from orchestrator.domain.conference import Conference
from orchestrator.errors import BadParameter

Test = Callable[[Conference], bool]

_COMPARISONS: Final[dict[str, Callable[[date, date], bool]]] = {
    "": lambda day, limit: day == limit,
    ">": lambda day, limit: day >= limit,
    "<": lambda day, limit: day <= limit,
}
_DATES: Final[dict[str, Callable[[Conference], datetime]]] = {
    "DateCreated": lambda conference: conference.created_at,
    "DateUpdated": lambda conference: conference.updated_at,
}


def parse_conference_filters(arguments: Any) -> tuple[Test, list[tuple[str, str]]]:
    """A test for one conference, and the filters as given, for the page's links."""
    tests: list[Test] = []
    given: list[tuple[str, str]] = []

    def take(name: str) -> str:
        value = str(arguments.get(name, ""))
        if value:
            given.append((name, value))
        return value

    if status := take("Status"):
        wanted = p.word("init", "in-progress", "completed")("Status", [status])
        tests.append(lambda conference: conference.status == wanted)
    if name := take("FriendlyName"):
        tests.append(lambda conference: conference.friendly_name == name)
    for field, moment_of in _DATES.items():
        for sign, compare in _COMPARISONS.items():
            if text := take(field + sign):
                tests.append(_day_test(moment_of, compare, _day(field, text)))
    return lambda conference: all(test(conference) for test in tests), given


def _day_test(moment_of: Callable[[Conference], datetime], compare: Callable[[date, date], bool], limit: date) -> Test:
    return lambda conference: compare(moment_of(conference).astimezone(UTC).date(), limit)


def _day(name: str, text: str) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) is None:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"{name}: has to be a day in UTC, YYYY-MM-DD") from None
