"""One look at a lane: compares what ought to be heard with what is played, and does what is missing.

What ought to be heard follows from the conference's state, and from announcements that wait. A look is idempotent: one
too many does no harm, one that was lost is made up for by a sweep. Documents are loaded beside it, and their verbs
rendered, each while the one before it is heard: stock music fills in for what takes long, an announcement does not wait
for somebody's slow hold music, nor the music for it.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog

from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.media.errors import MediaError
from orchestrator.media.program import Clip, Program
from orchestrator.sounds.loading import Loading, Loads
from orchestrator.sounds.services import Services
from orchestrator.sounds.stage import ClipGone, Stage
from orchestrator.sounds.state import KINDS, LATE_MS, MOST_DOCUMENTS, SHORT_ROUND_MS, Kind, Playing, State, Track
from orchestrator.store.outbox import Lane
from orchestrator.store.sounds import LEASE_MS

STEPS_AT_ONCE: Final = 200
STOCK_AFTER_SECONDS: Final = 1.0
"""How long silence may last while a document is loading; then stock music is heard until it has come."""

LOOK_SECONDS: Final = 0.2
"""How often we look, while loading, whether something has happened."""

AGAIN_MS: Final = 2_000
"""After this a sweep finds what could not be done now."""

NOT_PLAYABLE: Final = 13420
"""Ours for a clip that the switch does not take."""

log = structlog.get_logger("sounds")


class Look:
    """`state` is what is to be saved, however `run` ends."""

    def __init__(self, services: Services, lane: Lane, owner: str) -> None:
        self._services = services
        self._stages = services.stages
        self._store = services.store
        self._lane = lane
        self._owner = owner
        self._loads = Loads(services.loader)
        self._silent_since = time.monotonic()
        self._stored = self._store.load(lane)
        self.state = State.parse(self._stored.state)

    def run(self) -> int | None:
        """Returns when a sweep has to look (ms) although nothing happens, or None.

        Raises NodeUnavailable, CommandRefused, Unavailable, LeaseLost.
        """
        try:
            while True:
                due_ms = self._step_on()
                if not self._loads:
                    return due_ms
                self._save()
                self._wait()
        finally:
            self._loads.cancel()

    def _step_on(self) -> int | None:
        """All that can be done now."""
        for _ in range(STEPS_AT_ONCE):
            stage = self._stages.find(self._lane)
            if stage is None:
                return self._clear()
            if not self._step(stage):
                return self._due_ms()
        return _now_ms() + AGAIN_MS

    def _due_ms(self) -> int | None:
        playing = self.state.playing
        moments = [playing.ends_ms + LATE_MS] if playing is not None and playing.ends_ms is not None else []
        tracks = (self.state.track(kind) for kind in KINDS)
        moments += [track.not_before_ms for track in tracks if track is not None and track.needs_loading]
        return min(moments) if moments else None

    def _wait(self) -> None:
        """For a document or a clip, or for something else to happen."""
        while not self._has_news():
            self._loads.wait(LOOK_SECONDS)
            if self._store.renew(self._lane, self._owner):
                self._stored = self._store.load(self._lane)
                break
        stage = self._stages.find(self._lane) if self._loads.have_come else None
        if stage is not None:
            for kind, loading in self._loads.take():
                self._has_come(stage, kind, loading)

    def _has_news(self) -> bool:
        return self._loads.have_come or self._needs_stock() or self.state.is_finished((), _now_ms())

    def _save(self) -> None:
        """What plays is written down before a wait: should we die, whoever looks next does not play it again."""
        self._store.save(self._lane, self._owner, self.state.dump(), due_ms=_now_ms() + LEASE_MS + AGAIN_MS)

    def _keep(self) -> None:
        """Before something that takes long on the node. Raises LeaseLost."""
        self._store.renew(self._lane, self._owner)

    # ------------------------------------------------------------ one step

    def _step(self, stage: Stage) -> bool:
        """The next thing to do; False if there is nothing."""
        if self.state.is_finished(self._stored.ended, _now_ms()):
            self.state = self.state.finished(_now_ms())
            self._silent_since = time.monotonic()
        elif not self.state.has_background(stage.background):
            self._change_background(stage)
        elif self.state.announcement is None and self._stored.next is not None:
            self._take_next()
        else:
            for kind in KINDS:
                track = self.state.track(kind)
                if track is not None and self._is_loaded(stage, kind, track):
                    return self._play_on(stage, kind, track)
            return self._fill_in(stage)
        return True

    def _change_background(self, stage: Stage) -> None:
        self._loads.cancel("background")
        self._stop_background(stage)
        self._silent_since = time.monotonic()
        wanted = stage.background
        track = None if wanted is None else Track.of(wanted.url, wanted.method, wanted.turn, wanted.dialect)
        self.state = self.state.with_track("background", track)

    def _stop_background(self, stage: Stage) -> None:
        if self.state.playing is not None and self.state.playing.kind == "background":
            self._stages.stop(stage)
            self.state = replace(self.state, playing=None)

    def _play_on(self, stage: Stage, kind: Kind, track: Track) -> bool:
        if kind == "announcement" or (self.state.is_endless and not track.is_stock):
            self._stop_background(stage)
        if self.state.playing is not None or track.is_over:
            return False
        if track.is_stock or track.clip is not None:
            self._start(stage, kind, track)
        else:
            self._document_ended(stage, kind, track)
        return True

    def _start(self, stage: Stage, kind: Kind, track: Track) -> None:
        """Have it played, and look whether it is still wanted then: whoever ended it meanwhile had nothing to stop."""
        try:
            if track.clip is None:
                self._play_stock(stage, kind)
            else:
                play_id = secrets.token_hex(8)
                self._stages.play(stage, self._lane, track.clip, play_id, self._keep)
                self.state = replace(self.state, playing=Playing(kind, play_id, _now_ms() + track.clip.duration_ms))
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
        after = self._stages.find(self._lane)
        if kind == "background" and after is not None and after.background != stage.background:
            self._stop_background(after)

    def _play_stock(self, stage: Stage, kind: Kind) -> None:
        """Written down before it plays: should we die, whoever looks next can stop it."""
        playing = Playing(kind, secrets.token_hex(8), None)
        self.state = replace(self.state, playing=playing)
        self._save()
        try:
            self._stages.play_stock(stage, self._lane, playing.play_id)
        except (CommandRefused, NodeUnavailable):
            self.state = replace(self.state, playing=None)
            raise

    def _document_ended(self, stage: Stage, kind: Kind, track: Track) -> None:
        """One of which nothing could be played cannot be used at all."""
        if track.failure is not None and not track.played_ms:
            self._failed(kind, track, *track.failure)
        elif track.then_url and (kind == "background" or track.documents < MOST_DOCUMENTS):
            not_before_ms = _now_ms() + SHORT_ROUND_MS if track.played_ms < SHORT_ROUND_MS else 0
            self.state = self.state.with_track(kind, track.next_document(not_before_ms))
        elif kind == "background":
            self.state = self.state.with_track(kind, replace(track, is_over=True))
        else:
            self._services.tell(self._lane, AnnouncementEnded(datetime.now(UTC), track.asked_url, track.id))
            self.state = self.state.with_track(kind, None)

    def _failed(self, kind: Kind, track: Track, code: int, reason: str) -> None:
        """A background becomes stock music; an announcement is told to have failed."""
        log.error("sound_failed", lane=str(self._lane), kind=kind, code=code, error=reason)
        if kind == "background":
            self.state = self.state.with_track(kind, replace(track, verbs=(), clip=None, is_stock=True))
        else:
            self._tell_failed(track, f"{code}: {reason}")
            self.state = self.state.with_track(kind, None)

    def _tell_failed(self, track: Track, reason: str) -> None:
        failed = AnnouncementFailed(datetime.now(UTC), track.asked_url, reason, track.id)
        self._services.tell(self._lane, failed)

    def _clear(self) -> int | None:
        """Nobody is there any more: what waits to be announced has failed, one after the other."""
        self._loads.cancel()
        announcement = self.state.announcement or self._take_next()
        while announcement is not None:
            self._tell_failed(announcement, "nobody is there to hear it")
            announcement = self._take_next()
        self.state = State()
        return None

    def _take_next(self) -> Track | None:
        """The next announcement that waits, from now on part of the state."""
        waiting = self._stored.next
        if waiting is None:
            return None
        track = replace(Track.of(waiting.url, waiting.method, dialect=waiting.dialect), id=waiting.id)
        self.state = self.state.with_track("announcement", track)
        self._store.save(self._lane, self._owner, self.state.dump(), taken=1, due_ms=_now_ms() + AGAIN_MS)
        self._stored = self._store.load(self._lane)
        return track

    # ------------------------------------------------------------ documents

    def _is_loaded(self, stage: Stage, kind: Kind, track: Track) -> bool:
        """True if there is something to be played, or the end to be told. Begins to load what is missing, which may
        also be what comes next."""
        if not track.needs_loading or _now_ms() >= track.not_before_ms:
            conference, ask = stage.conference, self._services.fetch_parameters
            parameters = partial(ask, track.dialect, conference, stage.participant)
            self._loads.begin(kind, track, conference.account_sid, parameters)
        return track.clip is not None or track.is_stock or track.is_over or track.is_at_end

    def _has_come(self, stage: Stage, kind: Kind, loading: Loading[Any]) -> None:
        track = self.state.track(kind)
        if track is None:
            return
        result = loading.result()
        if loading.verb is None:
            self._document_has_come(stage, kind, track, result)
        elif isinstance(result, MediaError):
            log.error("verb_passed_over", lane=str(self._lane), kind=kind, code=result.code, error=result.message)
            failure = (result.code, result.message)
            self.state = self.state.with_track(kind, track.passed_over(loading.verb, failure))
        else:
            self._clip_has_come(stage, kind, track.rendered(loading.verb, result), result)

    def _document_has_come(self, stage: Stage, kind: Kind, track: Track, result: Program | MediaError) -> None:
        if not track.needs_loading:
            return
        if isinstance(result, MediaError):
            self._failed(kind, track, result.code, result.message)
        elif result.clip is not None:
            self._clip_has_come(stage, kind, track.loaded(result), result.clip)
        else:
            self.state = self.state.with_track(kind, track.loaded(result))

    def _clip_has_come(self, stage: Stage, kind: Kind, track: Track, clip: Clip) -> None:
        """The node gets it before what is heard meanwhile ends; a refusal is met again when it is to be played."""
        try:
            self._stages.prepare(stage, clip, self._keep)
        except CommandRefused as error:
            log.warning("not_prepared", lane=str(self._lane), error=str(error)[:200])
        self.state = self.state.with_track(kind, track)

    def _fill_in(self, stage: Stage) -> bool:
        """Stock music for a background that takes long."""
        if not self._needs_stock():
            return False
        self._play_stock(stage, "background")
        return True

    def _needs_stock(self) -> bool:
        begun = self._loads.begun("background")
        if begun is None or self.state.playing is not None:
            return False
        return time.monotonic() - max(begun, self._silent_since) >= STOCK_AFTER_SECONDS


def _now_ms() -> int:
    return int(time.time() * 1000)
