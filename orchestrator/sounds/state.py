"""What is being played in a lane, and what comes next: values and pure steps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import orjson

from orchestrator.domain.conference import STOCK
from orchestrator.domain.hearing import Sound
from orchestrator.media.program import Clip, Program, Source

Kind = Literal["background", "announcement"]
KINDS: Final[tuple[Kind, ...]] = ("announcement", "background")
"""What goes first, first."""

LATE_MS: Final = 3_000
"""Beyond its length a clip is taken for ended although nobody said so: the listener may have been away."""

CUT_MS: Final = 1_500
"""What ends sooner than this before its length was stopped; the clocks of two workers may differ by as much."""

MOST_PLAYS: Final = 1_000
"""What "until stopped" means at most, as on Twilio (wire-contract section 9.1)."""

MOST_DOCUMENTS: Final = 100
"""That an announcement may lead on to; a background's may go round for as long as somebody waits."""

SHORT_ROUND_MS: Final = 1_000
"""A document that plays less than this and leads on to another is not left sooner: it would be fetched all the time."""


@dataclass(frozen=True, slots=True)
class Track:
    """A document on its way through the switch. `clips` None: still to be loaded. `index` and `plays` say where it is;
    `then_url` where it leads ('' nowhere), `documents` how many it has led through. `is_stock`: the stock music
    instead. `is_over`: silence from now on. `was_cut`: what is played was cut short once and is heard again.
    `asked_url` is what the client named, `turn` tells one hold from the next, `id` an announcement from all others.
    A document that plays next to nothing is not loaded again before `not_before_ms`.
    """

    asked_url: str
    turn: int
    url: str
    method: str
    clips: tuple[Clip, ...] | None = None
    then_url: str = ""
    then_method: str = "POST"
    index: int = 0
    plays: int = 0
    documents: int = 0
    is_stock: bool = False
    is_over: bool = False
    was_cut: bool = False
    id: str = ""
    not_before_ms: int = 0

    @classmethod
    def of(cls, url: str, method: str, turn: int = 0) -> Track:
        """A document that is still to be loaded; stock music and silence are none."""
        if url in (STOCK, ""):
            return cls(url, turn, url, method, clips=(), is_stock=url == STOCK, is_over=not url)
        return cls(url, turn, url, method)

    @property
    def needs_loading(self) -> bool:
        """True until its document is known."""
        return self.clips is None

    def loaded(self, program: Program) -> Track:
        """With what its document says."""
        then = program.then
        return replace(
            self,
            clips=program.clips,
            then_url=then.url if then else "",
            then_method=then.method if then else "POST",
            documents=self.documents + 1,
        )

    def advanced(self) -> Track:
        """After one clip was played once."""
        if self.clips is None or self.index >= len(self.clips):
            return self
        loops = self.clips[self.index].loops or MOST_PLAYS
        if self.plays + 1 < loops:
            return replace(self, plays=self.plays + 1, was_cut=False)
        return replace(self, index=self.index + 1, plays=0, was_cut=False)

    def reloaded(self) -> Track:
        """From its document's beginning, still to be loaded."""
        return replace(self, clips=None, index=0, plays=0)

    def next_document(self, not_before_ms: int) -> Track:
        """Where it leads, still to be loaded."""
        return Track(
            self.asked_url,
            self.turn,
            self.then_url,
            self.then_method,
            documents=self.documents,
            id=self.id,
            not_before_ms=not_before_ms,
        )

    def source(self, parameters: tuple[tuple[str, str], ...], account_sid: str) -> Source:
        """How its document is asked for."""
        return Source(self.url, "GET" if self.method == "GET" else "POST", parameters, account_sid)

    @property
    def clip(self) -> Clip | None:
        """What is to be played now; None: the document has come to its end, or is not loaded."""
        return self.clips[self.index] if self.clips is not None and self.index < len(self.clips) else None

    @property
    def lasts_ms(self) -> int:
        """How long one round of the document plays at least."""
        return sum(clip.duration_ms for clip in self.clips or ())


@dataclass(frozen=True, slots=True)
class Playing:
    """What the switch plays now; `ends_ms` None: until it is stopped."""

    kind: Kind
    play_id: str
    ends_ms: int | None


@dataclass(frozen=True, slots=True)
class State:
    """A lane: the sound in place of the conference, an announcement over it, and which of them is heard."""

    background: Track | None = None
    announcement: Track | None = None
    playing: Playing | None = None

    def dump(self) -> str:
        """As JSON; '' if there is nothing."""
        return "" if self == State() else orjson.dumps(asdict(self)).decode()

    @classmethod
    def parse(cls, text: str) -> State:
        """From its JSON."""
        if not text:
            return cls()
        raw = orjson.loads(text)
        playing = raw["playing"]
        return cls(
            _track(raw["background"]), _track(raw["announcement"]), Playing(**playing) if playing is not None else None
        )

    def finished(self, now_ms: int) -> State:
        """After what was played has come to its end. Whoever comes back from hold, or has waited, has all sounds
        stopped, an announcement with them: that is heard again, once."""
        playing = self.playing
        if playing is None:
            return self
        track = self.track(playing.kind)
        is_cut = playing.ends_ms is not None and now_ms < playing.ends_ms - CUT_MS
        if track is not None and playing.kind == "announcement" and is_cut and not track.was_cut:
            return replace(self.with_track(playing.kind, replace(track, was_cut=True)), playing=None)
        return replace(self.with_track(playing.kind, track and track.advanced()), playing=None)

    def is_finished(self, ended: Collection[str], now_ms: int) -> bool:
        """True if what was played is over: `ended` has it, or its time has long passed and nobody has said so."""
        if self.playing is None:
            return False
        ends_ms = self.playing.ends_ms
        return self.playing.play_id in ended or (ends_ms is not None and now_ms > ends_ms + LATE_MS)

    def has_background(self, wanted: Sound | None) -> bool:
        """True if the background is this one."""
        current = self.background and (self.background.asked_url, self.background.turn)
        return current == (wanted and (wanted.url, wanted.turn))

    def track(self, kind: Kind) -> Track | None:
        """The background or the announcement."""
        return self.background if kind == "background" else self.announcement

    def with_track(self, kind: Kind, track: Track | None) -> State:
        """With another background or announcement."""
        return replace(self, background=track) if kind == "background" else replace(self, announcement=track)


def _track(raw: dict[str, Any] | None) -> Track | None:
    if raw is None:
        return None
    clips = raw.pop("clips")
    return Track(**raw, clips=None if clips is None else tuple(Clip(**clip) for clip in clips))
