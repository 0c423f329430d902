"""One look at a lane: compares what ought to be heard with what is played, and does what is missing.

What ought to be heard follows from the conference's state, and from announcements that wait. A look is idempotent: one
too many does no harm, one that was lost is made up for by a sweep. Documents are loaded beside it: stock music fills in
for one that takes long, an announcement does not wait for somebody's slow hold music, nor the music for it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import gevent
import structlog

from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.media.errors import MediaError
from orchestrator.media.program import Program
from orchestrator.sounds.loading import Load, Loading
from orchestrator.sounds.stage import ClipGone, Stage, Stages
from orchestrator.sounds.state import KINDS, LATE_MS, MOST_DOCUMENTS, SHORT_ROUND_MS, Kind, Playing, State, Track
from orchestrator.store.outbox import Lane
from orchestrator.store.sounds import CONFERENCE_LANE, LEASE_MS, SoundStore

STEPS_AT_ONCE: Final = 200
STOCK_AFTER_SECONDS: Final = 1.0
"""How long silence may last while a document is loading; then stock music is heard until it has come."""

LOOK_SECONDS: Final = 0.2
"""How often we look, while loading, whether something has happened."""

AGAIN_MS: Final = 2_000
"""After this a sweep finds what could not be done now."""

NOT_PLAYABLE: Final = 13420
"""Ours for a clip that the switch does not take."""

FetchParameters = Callable[[Conference, Participant | None], Sequence[tuple[str, str]]]
Tell = Callable[[Lane, AnnouncementEnded | AnnouncementFailed], None]

log = structlog.get_logger("sounds")


@dataclass(frozen=True, slots=True)
class Services:
    """What a look needs. `tell` makes an announcement's end a fact."""

    store: SoundStore
    stages: Stages
    load: Load
    fetch_parameters: FetchParameters
    tell: Tell


class Turn:
    """`state` is what is to be saved, however `run` ends."""

    def __init__(self, services: Services, lane: Lane, owner: str) -> None:
        self._services = services
        self._stages = services.stages
        self._store = services.store
        self._lane = lane
        self._owner = owner
        self._loading: dict[Kind, Loading] = {}
        self._stored = self._store.load(lane)
        self.state = State.parse(self._stored.state)

    def run(self) -> int | None:
        """Returns when a sweep has to look (ms) although nothing happens, or None.

        Raises NodeUnavailable, CommandRefused, Unavailable, LeaseLost.
        """
        try:
            while True:
                due_ms = self._step_on()
                if not self._loading:
                    return due_ms
                self._wait()
        finally:
            for loading in self._loading.values():
                loading.cancel()

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
        """For a document, or for something else to happen."""
        while not self._has_news():
            gevent.wait([loading.greenlet for loading in self._loading.values()], LOOK_SECONDS, 1)
            if self._store.renew(self._lane, self._owner):
                self._stored = self._store.load(self._lane)
                break
        for kind, loading in list(self._loading.items()):
            if loading.greenlet.ready():
                stage = self._stages.find(self._lane)
                if stage is not None:
                    del self._loading[kind]
                    self._has_come(stage, kind, loading.result())

    def _has_news(self) -> bool:
        is_due = any(loading.greenlet.ready() for loading in self._loading.values())
        return is_due or self._needs_stock() or self.state.is_finished((), _now_ms())

    def _keep(self) -> None:
        """Before something that takes long on the node. Raises LeaseLost."""
        self._store.renew(self._lane, self._owner)

    # ------------------------------------------------------------ one step

    def _step(self, stage: Stage) -> bool:
        """The next thing to do; False if there is nothing."""
        if self.state.is_finished(self._stored.ended, _now_ms()):
            self.state = self.state.finished(_now_ms())
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
        loading = self._loading.pop("background", None)
        if loading is not None:
            loading.cancel()
        self._stop_background(stage)
        wanted = stage.background
        track = None if wanted is None else Track.of(wanted.url, wanted.method, wanted.turn)
        self.state = self.state.with_track("background", track)

    def _stop_background(self, stage: Stage) -> None:
        if self.state.playing is not None and self.state.playing.kind == "background":
            self._stages.stop(stage)
            self.state = replace(self.state, playing=None)

    def _play_on(self, stage: Stage, kind: Kind, track: Track) -> bool:
        if kind == "announcement":
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
            self.state = self.state.with_track(kind, track.reloaded())
            return
        except CommandRefused as error:
            log.warning("play_refused", lane=str(self._lane), error=str(error)[:200])
            if track.is_stock or "-ERR Member" in str(error):
                raise  # again in a moment: they have just left, or there is no such music
            self._failed(kind, track, MediaError(NOT_PLAYABLE, "The switch could not play it"))
            return
        after = self._stages.find(self._lane)
        if kind == "background" and after is not None and after.background != stage.background:
            self._stop_background(after)

    def _play_stock(self, stage: Stage, kind: Kind) -> None:
        """Written down before it plays: should we die, whoever looks next can stop it."""
        playing = Playing(kind, secrets.token_hex(8), None)
        self.state = replace(self.state, playing=playing)
        self._store.save(self._lane, self._owner, self.state.dump(), due_ms=_now_ms() + LEASE_MS + AGAIN_MS)
        try:
            self._stages.play_stock(stage, self._lane, playing.play_id)
        except (CommandRefused, NodeUnavailable):
            self.state = replace(self.state, playing=None)
            raise

    def _document_ended(self, stage: Stage, kind: Kind, track: Track) -> None:
        if track.then_url and (kind == "background" or track.documents < MOST_DOCUMENTS):
            not_before_ms = _now_ms() + SHORT_ROUND_MS if track.lasts_ms < SHORT_ROUND_MS else 0
            self.state = self.state.with_track(kind, track.next_document(not_before_ms))
        elif kind == "background":
            self.state = self.state.with_track(kind, replace(track, is_over=True))
        else:
            to_all = stage.participant is None
            self._services.tell(self._lane, AnnouncementEnded(datetime.now(UTC), track.asked_url, track.id, to_all))
            self.state = self.state.with_track(kind, None)

    def _failed(self, kind: Kind, track: Track, error: MediaError) -> None:
        """A background becomes stock music; an announcement is told to have failed."""
        log.error("sound_failed", lane=str(self._lane), kind=kind, code=error.code, error=error.message)
        if kind == "background":
            self.state = self.state.with_track(kind, replace(track, clips=(), is_stock=True))
        else:
            self._tell_failed(track, f"{error.code}: {error.message}")
            self.state = self.state.with_track(kind, None)

    def _tell_failed(self, track: Track, reason: str) -> None:
        to_all = self._lane.name == CONFERENCE_LANE
        failed = AnnouncementFailed(datetime.now(UTC), track.asked_url, reason, track.id, to_all)
        self._services.tell(self._lane, failed)

    def _clear(self) -> int | None:
        """Nobody is there any more: what waits to be announced has failed, one after the other."""
        for loading in self._loading.values():
            loading.cancel()
        self._loading.clear()
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
        track = replace(Track.of(waiting.url, waiting.method), id=secrets.token_hex(8))
        self.state = self.state.with_track("announcement", track)
        self._store.save(self._lane, self._owner, self.state.dump(), taken=1, due_ms=_now_ms() + AGAIN_MS)
        self._stored = self._store.load(self._lane)
        return track

    # ------------------------------------------------------------ documents

    def _is_loaded(self, stage: Stage, kind: Kind, track: Track) -> bool:
        """Begins to load it if it is not."""
        if not track.needs_loading:
            return True
        if kind not in self._loading and _now_ms() >= track.not_before_ms:
            parameters = tuple(self._services.fetch_parameters(stage.conference, stage.participant))
            source = track.source(parameters, stage.conference.account_sid)
            self._loading[kind] = Loading(self._services.load, source)
        return False

    def _has_come(self, stage: Stage, kind: Kind, result: Program | MediaError) -> None:
        """The node gets its first clip before what is heard meanwhile ends."""
        track = self.state.track(kind)
        if track is None or not track.needs_loading:
            return
        if isinstance(result, Program):
            try:
                self._stages.prepare(stage, result, self._keep)
            except CommandRefused as error:
                log.warning("play_refused", lane=str(self._lane), error=str(error)[:200])
                result = MediaError(NOT_PLAYABLE, "The switch could not fetch it")
        if kind == "background":
            self._stop_background(stage)
        if isinstance(result, MediaError):
            self._failed(kind, track, result)
        else:
            self.state = self.state.with_track(kind, track.loaded(result))

    def _fill_in(self, stage: Stage) -> bool:
        """Stock music for a background that takes long."""
        if not self._needs_stock():
            return False
        self._play_stock(stage, "background")
        return True

    def _needs_stock(self) -> bool:
        loading = self._loading.get("background")
        return loading is not None and self.state.playing is None and loading.seconds >= STOCK_AFTER_SECONDS


def _now_ms() -> int:
    return int(time.time() * 1000)
