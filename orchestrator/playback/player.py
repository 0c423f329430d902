"""Compares what ought to be heard in a lane with what is played, and does what is missing.

What ought to be heard follows from the conference's state, and from announcements that wait; so working on a lane once
too often does no harm. Documents are loaded beside it, and their verbs rendered, each while the one before it is heard:
stock music fills in for what takes long, an announcement does not wait for somebody's slow hold music, nor the music
for it.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog

from orchestrator import logs
from orchestrator.clock import now_ms
from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.lanes.engine import LaneLease
from orchestrator.media.errors import MediaError
from orchestrator.media.program import Clip, Program
from orchestrator.playback.loading import Loading, Loads
from orchestrator.playback.output import Audience, ClipGone
from orchestrator.playback.parts import Parts
from orchestrator.playback.state import KINDS, LATE_MS, MOST_DOCUMENTS, SHORT_ROUND_MS, Kind, Playing, State, Track

STEPS_AT_ONCE: Final = 200
STOCK_AFTER_SECONDS: Final = 1.0
"""How long silence may last while a document is loading; then stock music is heard until it has come."""

POLL_SECONDS: Final = 0.2
"""How often it is asked, while loading, whether the lane has been woken."""

AGAIN_MS: Final = 2_000
"""After this a sweep finds what could not be done now."""

NOT_PLAYABLE: Final = 13420
"""Ours for a clip that the switch does not take."""

log = structlog.get_logger("playback")


class Player:
    """Plays in one lane for as long as it is leased. `state` is what is to be saved, however `run` ends."""

    def __init__(self, parts: Parts, lease: LaneLease) -> None:
        self._parts = parts
        self._output = parts.output
        self._store = parts.store
        self._lane = lease.lane
        self._owner = lease.owner
        self._loads = Loads(parts.loader)
        self._silent_since = time.monotonic()
        self._stored = self._store.load(lease.lane)
        self.state = State.parse(self._stored.state)

    def run(self) -> int | None:
        """Do all that can be done, and wait for what is being loaded. Returns when a sweep has to look (ms) although
        nothing happens, or None.

        Raises NodeUnavailable, CommandRefused, Unavailable, LeaseLost.
        """
        try:
            while True:
                due_ms = self._advance()
                if not self._loads:
                    return due_ms
                self._save()
                self._wait()
        finally:
            self._loads.cancel()

    def _advance(self) -> int | None:
        """Do all that can be done now."""
        for _ in range(STEPS_AT_ONCE):
            audience = self._output.find(self._lane)
            if audience is None:
                return self._clear()
            logs.bind(audience.conference.account_sid)
            if not self._step(audience):
                return self._due_ms()
        return now_ms() + AGAIN_MS

    def _due_ms(self) -> int | None:
        playing = self.state.playing
        moments = [playing.ends_ms + LATE_MS] if playing is not None and playing.ends_ms is not None else []
        tracks = (self.state.track(kind) for kind in KINDS)
        moments += [track.not_before_ms for track in tracks if track is not None and track.needs_loading]
        return min(moments) if moments else None

    def _wait(self) -> None:
        """Wait for a document or a clip, or for something else to happen."""
        while not self._has_news():
            self._loads.wait(POLL_SECONDS)
            if self._store.is_woken(self._lane, self._owner):
                self._stored = self._store.load(self._lane)
                break
        audience = self._output.find(self._lane) if self._loads.have_come else None
        if audience is not None:
            for kind, loading in self._loads.take():
                track = self.state.track(kind)
                if track is not None:
                    with logs.bound(request_id=track.request_id):
                        self._take_loaded(audience, kind, track, loading)

    def _has_news(self) -> bool:
        return self._loads.have_come or self._needs_stock() or self.state.is_finished((), now_ms())

    def _save(self) -> None:
        """What plays is written down before a wait: should we die, whoever looks next does not play it again."""
        self._store.save(self._lane, self._owner, self.state.dump())

    # ------------------------------------------------------------ one step

    def _step(self, audience: Audience) -> bool:
        """The next thing to do; False if there is nothing."""
        if self.state.is_finished(self._stored.ended, now_ms()):
            self.state = self.state.finished(now_ms())
            self._silent_since = time.monotonic()
        elif not self.state.has_background(audience.background):
            self._change_background(audience)
        elif self.state.announcement is None and self._stored.next is not None:
            self._take_next()
        else:
            for kind in KINDS:
                track = self.state.track(kind)
                if track is not None:
                    with logs.bound(request_id=track.request_id):
                        if self._is_loaded(audience, kind, track):
                            return self._play_on(audience, kind, track)
            return self._fill_in(audience)
        return True

    def _change_background(self, audience: Audience) -> None:
        self._loads.cancel("background")
        self._stop_background(audience)
        self._silent_since = time.monotonic()
        wanted = audience.background
        track = None if wanted is None else Track.of(wanted.url, wanted.method, wanted.hold_number, wanted.dialect)
        if track is not None:  # whoever has woken us wants another one
            track = replace(track, request_id=logs.request_id())
        self.state = self.state.with_track("background", track)

    def _stop_background(self, audience: Audience) -> None:
        if self.state.playing is not None and self.state.playing.kind == "background":
            self._output.stop(audience)
            self.state = replace(self.state, playing=None)

    def _play_on(self, audience: Audience, kind: Kind, track: Track) -> bool:
        if kind == "announcement" or (self.state.is_endless and not track.is_stock):
            self._stop_background(audience)
        if self.state.playing is not None or track.is_over:
            return False
        if track.is_stock or track.clip is not None:
            self._start(audience, kind, track)
        else:
            self._document_ended(audience, kind, track)
        return True

    def _start(self, audience: Audience, kind: Kind, track: Track) -> None:
        """Have it played, and look whether it is still wanted then: whoever ended it meanwhile had nothing to stop."""
        try:
            if track.clip is None:
                self._play_stock(audience, kind)
            else:
                play_id = secrets.token_hex(8)
                file = self._output.fetch(audience, track.clip)
                self._store.check(self._lane, self._owner)
                self._output.play(audience, self._lane, file, play_id)
                self.state = replace(self.state, playing=Playing(kind, play_id, now_ms() + track.clip.duration_ms))
        except ClipGone:
            self._loads.cancel(kind)
            self.state = self.state.with_track(kind, track.clip_gone())
            return
        except CommandRefused as error:
            if track.is_stock or "-ERR Member" in str(error):
                raise  # again in a moment: they have just left, or there is no such music
            log.error("play_refused", lane=str(self._lane), code=NOT_PLAYABLE, error=str(error)[:200])
            self.state = self.state.with_track(kind, track.refused((NOT_PLAYABLE, "The switch could not play it")))
            return
        after = self._output.find(self._lane)
        if kind == "background" and after is not None and after.background != audience.background:
            self._stop_background(after)

    def _play_stock(self, audience: Audience, kind: Kind) -> None:
        """Written down before it plays: should we die, whoever looks next can stop it."""
        playing = Playing(kind, secrets.token_hex(8), None)
        self.state = replace(self.state, playing=playing)
        self._save()
        try:
            self._output.play_stock(audience, self._lane, playing.play_id)
        except (CommandRefused, NodeUnavailable):
            self.state = replace(self.state, playing=None)
            raise

    def _document_ended(self, audience: Audience, kind: Kind, track: Track) -> None:
        """Go on where it leads. One of which nothing could be played, and that leads nowhere else, cannot be used."""
        leads_on = bool(track.then_url) and (kind == "background" or track.documents < MOST_DOCUMENTS)
        leads_elsewhere = leads_on and track.then_url != track.url
        if track.failure is not None and not track.played_ms and not leads_elsewhere:
            self._failed(kind, track, *track.failure)
        elif leads_on:
            not_before_ms = now_ms() + SHORT_ROUND_MS if track.played_ms < SHORT_ROUND_MS else 0
            self.state = self.state.with_track(kind, track.next_document(not_before_ms))
        elif kind == "background":
            self.state = self.state.with_track(kind, replace(track, is_over=True))
        else:
            self._parts.report_end(self._lane, AnnouncementEnded(datetime.now(UTC), track.asked_url, track.id))
            self.state = self.state.with_track(kind, None)

    def _failed(self, kind: Kind, track: Track, code: int, reason: str) -> None:
        """A background becomes stock music; an announcement is told to have failed."""
        log.error("sound_failed", lane=str(self._lane), kind=kind, code=code, error=reason)
        if kind == "background":
            self.state = self.state.with_track(kind, replace(track, verbs=(), clip=None, is_stock=True))
        else:
            self._report_failed(track, f"{code}: {reason}")
            self.state = self.state.with_track(kind, None)

    def _report_failed(self, track: Track, reason: str) -> None:
        failed = AnnouncementFailed(datetime.now(UTC), track.asked_url, reason, track.id)
        self._parts.report_end(self._lane, failed)

    def _clear(self) -> int | None:
        """Forget everything, since nobody is there: what waits to be announced has failed, one by one."""
        self._loads.cancel()
        announcement = self.state.announcement or self._take_next()
        while announcement is not None:
            with logs.bound(request_id=announcement.request_id):
                self._report_failed(announcement, "nobody is there to hear it")
            announcement = self._take_next()
        self.state = State()
        return None

    def _take_next(self) -> Track | None:
        """The next announcement that waits, from now on part of the state."""
        waiting = self._stored.next
        if waiting is None:
            return None
        track = Track.of(waiting.url, waiting.method, dialect=waiting.dialect)
        track = replace(track, id=waiting.id, request_id=waiting.request_id)
        self.state = self.state.with_track("announcement", track)
        self._store.save(self._lane, self._owner, self.state.dump(), taken=1)
        self._stored = self._store.load(self._lane)
        return track

    # ------------------------------------------------------------ documents

    def _is_loaded(self, audience: Audience, kind: Kind, track: Track) -> bool:
        """True if there is something to be played, or the end to be told. Begins to load what is missing, which may
        also be what comes next."""
        if not track.needs_loading or now_ms() >= track.not_before_ms:
            conference, ask = audience.conference, self._parts.fetch_parameters
            parameters = partial(ask, track.dialect, conference, audience.participant)
            self._loads.begin(kind, track, conference.account_sid, parameters)
        return track.clip is not None or track.is_stock or track.is_over or track.is_at_end

    def _take_loaded(self, audience: Audience, kind: Kind, track: Track, loading: Loading[Any]) -> None:
        result = loading.result()
        if loading.verb is None:
            self._take_document(audience, kind, track, result)
        elif isinstance(result, MediaError):
            log.error("verb_passed_over", lane=str(self._lane), kind=kind, code=result.code, error=result.message)
            failure = (result.code, result.message)
            self.state = self.state.with_track(kind, track.passed_over(loading.verb, failure))
        else:
            self._take_clip(audience, kind, track.rendered(loading.verb, result), result)

    def _take_document(self, audience: Audience, kind: Kind, track: Track, result: Program | MediaError) -> None:
        if not track.needs_loading:
            return
        if isinstance(result, MediaError):
            self._failed(kind, track, result.code, result.message)
        elif result.clip is not None:
            self._take_clip(audience, kind, track.loaded(result), result.clip)
        else:
            self.state = self.state.with_track(kind, track.loaded(result))

    def _take_clip(self, audience: Audience, kind: Kind, track: Track, clip: Clip) -> None:
        """The node gets it before what is heard meanwhile ends; a refusal is met again when it is to be played."""
        try:
            with contextlib.suppress(ClipGone):
                self._output.fetch(audience, clip)
        except CommandRefused as error:
            log.warning("not_prepared", lane=str(self._lane), error=str(error)[:200])
        self.state = self.state.with_track(kind, track)

    def _fill_in(self, audience: Audience) -> bool:
        """Stock music for a background that takes long."""
        if not self._needs_stock():
            return False
        self._play_stock(audience, "background")
        return True

    def _needs_stock(self) -> bool:
        begun = self._loads.begun("background")
        if begun is None or self.state.playing is not None:
            return False
        return time.monotonic() - max(begun, self._silent_since) >= STOCK_AFTER_SECONDS
