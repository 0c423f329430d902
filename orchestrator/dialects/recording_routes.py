"""Recordings, once for all dialects: of the account, of a call, of a conference; and the sound itself, in ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Final

from flask import Response, g, request

from orchestrator.dialects.base import Answer, Asked, Operation
from orchestrator.dialects.twilio import paging
from orchestrator.dialects.twilio.parameters import word
from orchestrator.dialects.twilio.recordings import parse_filters
from orchestrator.dialects.twilio.schemas import given
from orchestrator.domain.conference import RecordingSettings
from orchestrator.domain.recording import (
    Recording,
)
from orchestrator.errors import NotFound, Unavailable
from orchestrator.recordings.service import CURRENT, Media, Recordings
from orchestrator.services.pacing import Pacing
from orchestrator.sids import is_sid

RECORDING_ROUTES: Final[tuple[tuple[str, str, Operation], ...]] = (
    ("GET", "/Recordings", "list_recordings"),
    ("GET", "/Recordings/<recording>", "fetch_recording"),
    ("DELETE", "/Recordings/<recording>", "delete_recording"),
    ("GET", "/Calls/<call>/Recordings", "list_call_recordings"),
    ("POST", "/Calls/<call>/Recordings", "start_call_recording"),
    ("GET", "/Calls/<call>/Recordings/<recording>", "fetch_call_recording"),
    ("POST", "/Calls/<call>/Recordings/<recording>", "update_call_recording"),
    ("DELETE", "/Calls/<call>/Recordings/<recording>", "delete_call_recording"),
    ("GET", "/Conferences/<conference>/Recordings", "list_conference_recordings"),
    ("POST", "/Conferences/<conference>/Recordings", "start_conference_recording"),
    ("GET", "/Conferences/<conference>/Recordings/<recording>", "fetch_conference_recording"),
    ("POST", "/Conferences/<conference>/Recordings/<recording>", "update_conference_recording"),
    ("DELETE", "/Conferences/<conference>/Recordings/<recording>", "delete_conference_recording"),
)

MEDIA_TYPES: Final = {"wav": "audio/x-wav", "mp3": "audio/mpeg"}
METADATA: Final = ("application/json", "application/xml", "text/xml")


class RecordingResources:
    """Answers the operations on recordings, in any dialect."""

    def __init__(self, recordings: Recordings, pacing: Pacing) -> None:
        self._recordings = recordings
        self._pacing = pacing
        self._base = recordings.base_url

    # ------------------------------------------------------------ of the account

    def list_recordings(self, asked: Asked) -> Answer:
        """List the account's recordings, of calls and of conferences, newest first."""
        return self._list(asked, asked.account_sid, (), "Recordings")

    def fetch_recording(self, asked: Asked, recording: str) -> Answer | Response:
        """Fetch a recording; or its sound, where the path ends in .wav or .mp3, or in nothing, as a `RecordingUrl`.
        That is the path of Twilio's XML, too: a client that wants that says so in `Accept`."""
        name, dot, kind = recording.rpartition(".")
        if dot and kind in MEDIA_TYPES:
            return self._send(asked, name, kind)
        if not asked.suffix and asked.representation == "xml" and _wants_sound():
            return self._send(asked, recording, "wav")
        return self._render(asked, self._recordings.fetch(asked.account_sid, _sid(asked, recording)), "Recordings")

    def delete_recording(self, asked: Asked, recording: str) -> Answer:
        """Delete a recording for good."""
        self._recordings.delete(asked.account_sid, _sid(asked, recording))
        return Answer(b"", "", 204)

    # ------------------------------------------------------------ of a call

    def list_call_recordings(self, asked: Asked, call: str) -> Answer:
        """List the recordings of a call, newest first."""
        call_sid = _call(asked, call)
        return self._list(asked, call_sid, ("Calls", call_sid), "Calls")

    def start_call_recording(self, asked: Asked, call: str) -> Answer:
        """Record a call from now on."""
        command = _start_of(asked)
        started = self._recordings.start_on_call(asked.account_sid, _call(asked, call), command)
        return replace(self._render(asked, started, "Calls"), status=201)

    def fetch_call_recording(self, asked: Asked, call: str, recording: str) -> Answer:
        """Fetch a recording of a call."""
        return self._fetch(asked, _call(asked, call), recording, "Calls")

    def update_call_recording(self, asked: Asked, call: str, recording: str) -> Answer:
        """Pause, resume or stop a recording of a call."""
        return self._update(asked, _call(asked, call), recording, "Calls")

    def delete_call_recording(self, asked: Asked, call: str, recording: str) -> Answer:
        """Delete a recording of a call for good."""
        return self._delete(asked, _call(asked, call), recording)

    # ------------------------------------------------------------ of a conference

    def list_conference_recordings(self, asked: Asked, conference: str) -> Answer:
        """List the recordings of a conference, newest first."""
        sid = _conference(asked, conference)
        return self._list(asked, sid, ("Conferences", sid), "Conferences")

    def start_conference_recording(self, asked: Asked, conference: str) -> Answer:
        """Record a conference from now on, which Twilio has no request for."""
        started = self._recordings.start_on_conference(
            asked.account_sid, _conference(asked, conference), _start_of(asked)
        )
        return replace(self._render(asked, started, "Conferences"), status=201)

    def fetch_conference_recording(self, asked: Asked, conference: str, recording: str) -> Answer:
        """Fetch a recording of a conference."""
        return self._fetch(asked, _conference(asked, conference), recording, "Conferences")

    def update_conference_recording(self, asked: Asked, conference: str, recording: str) -> Answer:
        """Pause, resume or stop a recording of a conference."""
        return self._update(asked, _conference(asked, conference), recording, "Conferences")

    def delete_conference_recording(self, asked: Asked, conference: str, recording: str) -> Answer:
        """Delete a recording of a conference for good."""
        return self._delete(asked, _conference(asked, conference), recording)

    # ------------------------------------------------------------ for all of them

    def _list(self, asked: Asked, subject_sid: str, path: tuple[str, ...], where: str) -> Answer:
        wanted = paging.parse_page(request.args)
        filters, given_ = parse_filters(asked, request.args, of_account=where == "Recordings")
        account_sid = asked.account_sid
        with self._pacing.list_rows(account_sid, g.account.limits) as counted:
            rows = counted(self._recordings.list(subject_sid))
            found = paging.page_of(
                wanted,
                (row for row in rows if row.account_sid == account_sid and filters.matches(row)),
                lambda row: paging.place(row.created_at, row.recording_sid),
                self._recordings.made_at,
            )
        uri = asked.uri(account_sid, *path, "Recordings")
        page = paging.make_page(wanted, found, lambda row: row.recording_sid, uri, given_)
        return asked.dialect.render_recordings(asked, page, where, self._base)

    def _fetch(self, asked: Asked, subject_sid: str, reference: str, where: str) -> Answer:
        found = self._recordings.fetch(asked.account_sid, _sid(asked, reference), subject_sid)
        return self._render(asked, found, where)

    def _update(self, asked: Asked, subject_sid: str, reference: str, where: str) -> Answer:
        update = asked.dialect.parse_recording_update(request.form)
        changed = self._recordings.update(asked.account_sid, subject_sid, _sid(asked, reference), update)
        return self._render(asked, changed, where)

    def _delete(self, asked: Asked, subject_sid: str, reference: str) -> Answer:
        self._recordings.delete(asked.account_sid, _sid(asked, reference), subject_sid)
        return Answer(b"", "", 204)

    def _render(self, asked: Asked, recording: Recording, where: str) -> Answer:
        return asked.dialect.render_recording(asked, recording, where, self._base)

    def _send(self, asked: Asked, reference: str, kind: str) -> Response:
        values = given(request.args, "RequestedChannels")
        channels = int(word("1", "2")("RequestedChannels", values)) if values else None
        media = self._recordings.media(asked.account_sid, _sid(asked, reference), kind, channels)
        return send_media(media, MEDIA_TYPES[kind])


def send_media(media: Media, mimetype: str) -> Response:
    """Send a file as it comes from where it is kept; of it what `Range` asks for, so that a player can seek."""
    wanted = request.range
    span = None
    if wanted is not None and request.if_range.etag in (None, media.etag) and request.if_range.date is None:
        span = wanted.range_for_length(media.size)
        if span is None and len(wanted.ranges) == 1:
            return Response(status=416, headers={"Content-Range": f"bytes */{media.size}"})
    first, last = span or (0, media.size)
    body = iter(()) if request.method == "HEAD" else _begun(media.read, first, last - first)
    response = Response(body, status=200 if span is None else 206, mimetype=mimetype)
    response.content_length = last - first
    response.accept_ranges = "bytes"
    response.set_etag(media.etag)
    response.headers["Cache-Control"] = "private, max-age=86400"
    if span is not None:
        response.headers["Content-Range"] = f"bytes {first}-{last - 1}/{media.size}"
    return response


def _begun(read: Callable[[int, int], Iterator[bytes]], first: int, count: int) -> Iterator[bytes]:
    """The first bytes are there before a status is told. Raises NotFound, Unavailable."""
    chunks = read(first, count)
    try:
        head = next(chunks, b"")
    except FileNotFoundError as error:
        raise NotFound("The recording's media is gone") from error
    except OSError as error:
        raise Unavailable("Recordings cannot be read at present") from error
    return chain((head,), chunks)


def _wants_sound() -> bool:
    """A browser says that it takes XML, too; nobody means that."""
    accepted = request.accept_mimetypes
    if "text/html" in accepted.values():
        return True
    return accepted.best_match(("audio/x-wav", "audio/wav", *METADATA), "audio/x-wav") not in METADATA


def _start_of(asked: Asked) -> RecordingSettings:
    command = asked.dialect.parse_recording_start(request.form)
    settings = command.callbacks
    return replace(command, callbacks=settings and replace(settings, dialect=asked.dialect.name))


def _sid(asked: Asked, reference: str) -> str:
    return reference if reference == CURRENT else asked.dialect.read_sid("RE", reference)


def _call(asked: Asked, segment: str) -> str:
    sid = asked.dialect.read_sid("CA", segment)
    if not is_sid("CA", sid):
        raise NotFound(f"The call {segment[:64]} was not found")
    return sid


def _conference(asked: Asked, segment: str) -> str:
    sid = asked.dialect.read_sid("CF", segment)
    if not is_sid("CF", sid):
        raise NotFound(f"The conference {segment[:64]} was not found")
    return sid
