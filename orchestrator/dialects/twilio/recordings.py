"""Recordings in and out: what requests take, what answers and callbacks say (wire-contract sections 5 and 8.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from orchestrator.callbacks.recordings import RecordingCallback
from orchestrator.dialects.base import Answer, Asked, Form, Page, Parameters
from orchestrator.dialects.twilio import parameters as p
from orchestrator.dialects.twilio.schemas import CallbackRow, callback_settings, given
from orchestrator.dialects.twilio.serializers import API_VERSION, as_json, rfc2822, serialize_page
from orchestrator.domain.conference import RecordingSettings
from orchestrator.domain.recording import (
    DELETED,
    UNFINISHED,
    Recording,
)
from orchestrator.errors import BadParameter
from orchestrator.recordings.service import UpdateRecording

START: Final[Mapping[str, p.Parser]] = {
    "RecordingChannels": p.word("mono", "dual"),
    "RecordingTrack": p.word("inbound", "outbound", "both"),
    "Trim": p.word("trim-silence", "do-not-trim"),
}
START_CALLBACKS: Final = CallbackRow(
    "RecordingStatusCallback",
    "callbacks",
    ("started", "in-progress", "paused", "resumed", "stopped", "completed", "failed", "absent"),
    ("completed",),
)
UPDATE: Final[Mapping[str, p.Parser]] = {
    "Status": p.word("paused", "in-progress", "stopped"),
    "PauseBehavior": p.word("skip", "silence"),
}
FILTERS: Final = ("DateCreated", "DateCreated<", "DateCreated>")
OF_ACCOUNT: Final = ("CallSid", "ConferenceSid", "IncludeSoftDeleted")


def parse_start(form: Form) -> RecordingSettings:
    """Read a request to record a call. Nothing is trimmed unless it says so. A conference has one channel."""
    values = {name: parser(name, found) for name, parser in START.items() if (found := given(form, name))}
    return RecordingSettings(
        channels=2 if values.get("RecordingChannels") == "dual" else 1,
        track=values.get("RecordingTrack", "both"),
        trims=values.get("Trim") == "trim-silence",
        callbacks=callback_settings(START_CALLBACKS, form),
    )


def parse_update(form: Form) -> UpdateRecording:
    """Read a request to pause, resume or stop a recording."""
    if not given(form, "Status"):
        raise BadParameter("Status: is required")
    values = {name: parser(name, found) for name, parser in UPDATE.items() if (found := given(form, name))}
    return UpdateRecording(values["Status"], values.get("PauseBehavior", "silence") == "silence")


@dataclass(frozen=True, slots=True)
class RecordingFilter:
    """Which recordings of a list are wanted; None: any. Moments are those of creation, `until` is the first one
    behind."""

    since: datetime | None = None
    until: datetime | None = None
    call_sid: str | None = None
    conference_sid: str | None = None
    with_deleted: bool = False

    def matches(self, recording: Recording) -> bool:
        """True if the recording is wanted."""
        return (
            (self.since is None or recording.created_at >= self.since)
            and (self.until is None or recording.created_at < self.until)
            and self.call_sid in (None, recording.call_sid)
            and self.conference_sid in (None, recording.conference_sid)
            and (self.with_deleted or recording.status is not DELETED)
        )


def parse_filters(asked: Asked, arguments: Any, *, of_account: bool) -> tuple[RecordingFilter, list[tuple[str, str]]]:
    """Read the filter, and its parts as given, for the page's links."""
    found: list[tuple[str, str]] = []

    def take(name: str) -> str:
        value = str(next(filter(None, arguments.getlist(name)), ""))
        if value:
            found.append((name, value))
        return value

    on, before, after = (_span(take(name)) for name in FILTERS)
    call, conference, deleted = (take(name) if of_account else "" for name in OF_ACCOUNT)
    since = [span[0] for span in (on, after) if span]
    until = [span[1] for span in (on, before) if span]
    wanted = RecordingFilter(
        max(since, default=None),
        min(until, default=None),
        asked.dialect.read_sid("CA", call) or None,
        asked.dialect.read_sid("CF", conference) or None,
        bool(deleted) and p.boolean("IncludeSoftDeleted", [deleted]),
    )
    return wanted, found


def _span(text: str) -> tuple[datetime, datetime] | None:
    """A day in UTC, or a second, from its beginning to the next one's."""
    if not text:
        return None
    try:
        if len(text) == len("2026-11-28"):
            day = date.fromisoformat(text)
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            return start, start + timedelta(days=1)
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment, moment + timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise BadParameter("DateCreated: has to be a day, YYYY-MM-DD, or a moment, in UTC") from None


def serialize_recording(asked: Asked, recording: Recording, where: str, base: str) -> dict[str, Any]:
    """Serialize a recording, as one of its account's, of a call's or of a conference's: `where` is the path's word for
    it."""
    write = asked.dialect.write_sid
    sid, account_sid = recording.recording_sid, recording.account_sid
    parents = {"Recordings": (), "Calls": ("Calls", recording.call_sid or "")}
    parent = parents.get(where, ("Conferences", recording.conference_sid))
    body: dict[str, Any] = {
        "sid": write(sid),
        "account_sid": write(account_sid),
        "call_sid": write(recording.call_sid) if recording.call_sid else None,
        "conference_sid": write(recording.conference_sid),
        "status": str(recording.status),
        "source": str(recording.source),
        "channels": recording.channels,
        "start_time": rfc2822(recording.started_at) if recording.started_at else None,
        "duration": None if recording.status in UNFINISHED else str(round((recording.duration_ms or 0) / 1000)),
        "date_created": rfc2822(recording.created_at),
        "date_updated": rfc2822(recording.updated_at),
        "price": None,
        "price_unit": None,
        "error_code": recording.error_code,
        "encryption_details": None,
        "api_version": API_VERSION,
        "uri": asked.uri(account_sid, *parent, "Recordings", sid),
    }
    if where == "Calls":
        body["track"] = recording.track
    if where == "Recordings":
        body["media_url"] = asked.dialect.recording_url(base, recording)
        body["subresource_uris"] = {}
    return body


def render_recording(asked: Asked, recording: Recording, where: str, base: str) -> Answer:
    """A recording."""
    return as_json(serialize_recording(asked, recording, where, base))


def render_recordings(asked: Asked, page: Page[Recording], where: str, base: str) -> Answer:
    """A page of recordings."""
    rows = [serialize_recording(asked, row, where, base) for row in page.rows]
    return as_json(serialize_page("recordings", page, rows))


def serialize_recording_callback(callback: RecordingCallback, url: str) -> Parameters:
    """Serialize what a client is told; `url`: where the sound is, or will be."""
    recording = callback.recording
    parameters = [
        ("AccountSid", recording.account_sid),
        ("RecordingSid", recording.recording_sid),
        ("RecordingUrl", url),
        ("RecordingStatus", callback.row.status),
        ("RecordingDuration", str(round((recording.duration_ms or 0) / 1000))),
        ("RecordingChannels", str(recording.channels)),
        ("RecordingStartTime", rfc2822(recording.started_at or recording.created_at)),
        ("RecordingSource", str(recording.source)),
        ("ErrorCode", str(recording.error_code or 0)),
    ]
    if recording.call_sid is None:
        return [*parameters, ("ConferenceSid", recording.conference_sid)]
    return [*parameters, ("CallSid", recording.call_sid), ("RecordingTrack", recording.track)]
