"""Filters of the conference list: Status, FriendlyName, and dates by UTC day (wire-contract section 4)."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from orchestrator.dialects.twilio import parameters as p
from orchestrator.errors import BadParameter
from orchestrator.store.conference_list import ConferenceFilter, Days


def parse_conference_filters(arguments: Any) -> tuple[ConferenceFilter, list[tuple[str, str]]]:
    """Read the filter, and its parts as given, for the page's links."""
    given: list[tuple[str, str]] = []

    def take(name: str) -> str:
        value = str(next(filter(None, arguments.getlist(name)), ""))
        if value:
            given.append((name, value))
        return value

    def days(name: str) -> Days:
        on, since, until = (_day(name, take(name + sign)) for sign in ("", ">", "<"))
        first = [day for day in (on, since) if day is not None]
        last = [day for day in (on, until) if day is not None]
        return Days(max(first, default=None), min(last, default=None))

    status, name = take("Status"), take("FriendlyName")
    wanted = ConferenceFilter(
        p.word("init", "in-progress", "completed")("Status", [status]) if status else None,
        name or None,
        days("DateCreated"),
        days("DateUpdated"),
    )
    return wanted, given


def _day(name: str, text: str) -> date | None:
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) is None:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"{name}: has to be a day in UTC, YYYY-MM-DD") from None
