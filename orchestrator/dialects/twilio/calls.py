"""Calls in Twilio's words (wire-contract section 6): filters, the update, and answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import orjson

from orchestrator.dialects.base import Answer, Asked, Form, Page
from orchestrator.dialects.twilio import parameters as p
from orchestrator.dialects.twilio.serializers import API_VERSION, as_json, rfc2822, serialize_page
from orchestrator.domain.calls import UNDER_WAY, call_status, queue_time_ms, talked_seconds
from orchestrator.domain.conference import CallStatus, Participant
from orchestrator.errors import BadParameter

STATUSES: Final = tuple(str(status) for status in CallStatus if status is not CallStatus.INITIATED)
SUBRESOURCES: Final = (
    "notifications", "recordings", "payments", "events", "siprec", "streams", "transcriptions",
    "user_defined_message_subscriptions", "user_defined_messages",
)  # fmt: skip
UPDATE: Final = p.word("completed", "canceled")
REDIRECTS: Final = ("Url", "Twiml")

_NORTH_AMERICAN: Final = re.compile(r"\+1([2-9]\d\d)([2-9]\d\d)(\d{4})", re.ASCII)


# ---------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class Moments:
    """A span of time, from one moment on and until another; None: no end."""

    since: datetime | None = None
    until: datetime | None = None

    def hold(self, moment: datetime | None) -> bool:
        """True if the moment is one of them; what has not happened is at none of them."""
        if self.since is None and self.until is None:
            return True
        if moment is None:
            return False
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)


@dataclass(frozen=True, slots=True)
class Calls:
    """Which calls are wanted; None: any."""

    to: str | None = None
    from_: str | None = None
    status: str | None = None
    parent_call_sid: str | None = None
    started: Moments = Moments()
    ended: Moments = Moments()

    @property
    def is_live(self) -> bool:
        """True if no call that has ended matches."""
        return self.status in tuple(map(str, UNDER_WAY))

    def matches(self, call: Participant) -> bool:
        """True if the call is wanted. No call of ours has a parent."""
        return (
            self.parent_call_sid is None
            and self.to in (None, call.to)
            and self.from_ in (None, call.from_)
            and self.status in (None, str(call_status(call)))
            and self.started.hold(call.dialled_at)
            and self.ended.hold(call.ended_at)
        )


def parse_filters(asked: Asked, arguments: Any) -> tuple[Calls, list[tuple[str, str]]]:
    """Read the filter, and its parts as given, for the page's links."""
    given: list[tuple[str, str]] = []

    def take(name: str) -> str | None:
        value = str(next(filter(None, arguments.getlist(name)), ""))
        if value:
            given.append((name, value))
        return value or None

    status, parent = take("Status"), take("ParentCallSid")
    wanted = Calls(
        to=take("To"),
        from_=take("From"),
        status=p.word(*STATUSES)("Status", [status]) if status else None,
        parent_call_sid=p.sid("CA")("ParentCallSid", [asked.dialect.read_sid("CA", parent)]) if parent else None,
        started=_moments("StartTime", take),
        ended=_moments("EndTime", take),
    )
    return wanted, given


FILTERS: Final = (
    "To", "From", "Status", "ParentCallSid", "StartTime", "StartTime<", "StartTime>", "EndTime", "EndTime<", "EndTime>",
)  # fmt: skip


def _moments(name: str, take: Callable[[str], str | None]) -> Moments:
    """`StartTime=` a day or a second, `StartTime>=` from it on, `StartTime<=` to its end."""
    spans = [_span(name + sign, take(name + sign)) for sign in ("", ">", "<")]
    since = [span[0] for span in spans[:2] if span]
    until = [span[1] for span in (spans[0], spans[2]) if span]
    return Moments(max(since, default=None), min(until, default=None))


def _span(name: str, text: str | None) -> tuple[datetime, datetime] | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        length = timedelta(days=1) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) else timedelta(seconds=1)
        first = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return first, first + length
    except (ValueError, OverflowError):
        raise BadParameter(f"{name}: has to be a day, or a moment like 2026-11-20T08:00:00Z") from None


def parse_update(form: Form) -> Literal["completed", "canceled"]:
    """Read an update of a call: it ends. There are no documents here that it could be sent to."""
    for name in REDIRECTS:
        if any(form.getlist(name)):
            raise BadParameter(f"{name}: calls of this server stay in their conference; they can only be ended")
    status = [value for value in form.getlist("Status") if value]
    if not status:
        raise BadParameter("Status: is required")
    word: Literal["completed", "canceled"] = UPDATE("Status", status)
    return word


# ---------------------------------------------------------------- answers


def serialize_call(asked: Asked, call: Participant) -> dict[str, Any]:
    """Serialize a call, every key always present. A length, a queue's too, is a text; of a call that goes on there is
    none."""
    write, path = asked.dialect.write_sid, (call.account_sid, "Calls", call.call_sid)
    options = orjson.loads(call.options_json)
    return {
        "sid": write(call.call_sid),
        "account_sid": write(call.account_sid),
        "parent_call_sid": None,
        "date_created": rfc2822(call.created_at),
        "date_updated": rfc2822(call.updated_at),
        "to": call.to,
        "to_formatted": formatted(call.to),
        "from": call.from_,
        "from_formatted": formatted(call.from_),
        "phone_number_sid": None,
        "status": str(call_status(call)),
        "start_time": rfc2822(call.dialled_at) if call.dialled_at else None,
        "end_time": rfc2822(call.ended_at) if call.ended_at else None,
        "duration": str(talked_seconds(call)) if call.ended_at else None,
        "price": None,
        "price_unit": "USD",
        "direction": "outbound-api",
        "answered_by": call.answered_by,
        "api_version": API_VERSION,
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": options.get("caller_display_name"),
        "queue_time": str(queue_time_ms(call)),
        "trunk_sid": options.get("byoc"),
        "uri": asked.uri(*path),
        "subresource_uris": {name: asked.uri(*path, _path_of(name)) for name in SUBRESOURCES},
    }


def _path_of(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def formatted(party: str) -> str:
    """`(555) 867-5310` of a number in North America; anything else as it is."""
    match = _NORTH_AMERICAN.fullmatch(party)
    return f"({match[1]}) {match[2]}-{match[3]}" if match else party


def render_call(asked: Asked, call: Participant) -> Answer:
    """A call."""
    return as_json(serialize_call(asked, call))


def render_calls(asked: Asked, page: Page[Participant]) -> Answer:
    """A page of calls."""
    return as_json(serialize_page("calls", page, [serialize_call(asked, row) for row in page.rows]))
