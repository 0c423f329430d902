"""Requests in: filters of callbacks, and pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.callbacks.plan import PLAN
from orchestrator.dialects.twilio import parameters as p
from orchestrator.errors import BadParameter
from orchestrator.store.callbacks import CallbackFilter

KINDS: Final = tuple(row.kind for row in PLAN.values())
_TOKEN: Final = re.compile(r"(\d{1,15})-(CF[0-9a-f]{32}\.[0-9a-f-]{36})", re.ASCII)


def parse_filter(arguments: Any) -> CallbackFilter:
    """Read the filter of callbacks: ConferenceSid, CallSid, Kind, State, After and Before (ISO 8601)."""
    state, kind = arguments.get("State", ""), arguments.get("Kind", "")
    return CallbackFilter(
        conference_sid=p.sid("CF")("ConferenceSid", [arguments.get("ConferenceSid", "")]) or "",
        call_sid=p.sid("CA")("CallSid", [arguments.get("CallSid", "")]) or "",
        kind=p.word(*KINDS)("Kind", [kind]) if kind else "",
        state=p.word("waiting", "delivered", "dead")("State", [state]) if state else "",
        after_ms=_moment("After", arguments),
        before_ms=_moment("Before", arguments),
    )


def parse_place(arguments: Any) -> tuple[int, str] | None:
    """Read PageToken: where a page begins."""
    token = arguments.get("PageToken", "")
    match = _TOKEN.fullmatch(token)
    if token and match is None:
        raise BadParameter("PageToken: is not one that this API has given out")
    return (int(match[1]), match[2]) if match else None


def parse_size(arguments: Any) -> int:
    """Read PageSize: 1 to 200, 50 if not given."""
    size = arguments.get("PageSize", "")
    return int(p.integer(1, 200)("PageSize", [size])) if size else 50


def parse_friendly_name(form: Any) -> str:
    """Read FriendlyName: at most 64 characters, or none."""
    return p.text(64)("FriendlyName", [form.get("FriendlyName", "")]) or ""


def _moment(name: str, arguments: Any) -> int | None:
    text = arguments.get(name, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"{name}: has to be a moment, like 2026-11-20T08:00:00Z") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
