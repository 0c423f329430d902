"""What is being played in a lane, and what comes next: values and pure steps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal, get_args

import orjson

from orchestrator.domain.conference import STOCK, TWILIO
from orchestrator.domain.hearing import Sound
from orchestrator.media.program import Clip, Program, Source
from orchestrator.twiml.verbs import Verb

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
    """A document on its way through the switch.

    `verbs` None: the document is still to be loaded. `clip` is the verb at `index`, rendered, of which so many `plays`
    are over; None: still to be rendered. `next_clip` is the verb behind it, if that is ready already. A verb that
    cannot be played is taken out; `failure` is why the first one was (Twilio's code and a sentence). `played_ms` is
    what was heard of the document.

    `then_url` is where it leads ('' nowhere), `documents` how many it has led through. `is_stock`: the stock music
    instead. `is_over`: silence from now on. `was_cut`: what is played was cut short once and is heard again.
    `asked_url` is what the client named, `hold_number` tells one hold from the next, `id` an announcement from all
    others. A document that plays next to nothing is not loaded again before `not_before_ms`. `dialect`: of `asked_url`.
    `request_id`: the client's request that it is due to, as far as that is known.
    """

    asked_url: str
    hold_number: int
    url: str
    method: str
    verbs: tuple[Verb, ...] | None = None
    base: str = ""
    then_url: str = ""
    then_method: str = "POST"
    index: int = 0
    clip: Clip | None = None
    next_clip: Clip | None = None
    plays: int = 0
    played_ms: int = 0
    failure: tuple[int, str] | None = None
    documents: int = 0
    is_stock: bool = False
    is_over: bool = False
    was_cut: bool = False
    id: str = ""
    not_before_ms: int = 0
    dialect: str = TWILIO
    request_id: str = ""

    @classmethod
    def of(cls, url: str, method: str, hold_number: int = 0, dialect: str = TWILIO) -> Track:
        """Return the track of a document that is still to be loaded; stock music and silence are none."""
        if url in (STOCK, ""):
            return cls(url, hold_number, url, method, verbs=(), is_stock=url == STOCK, is_over=not url)
        return cls(url, hold_number, url, method, dialect=dialect)

    @property
    def needs_loading(self) -> bool:
        """True until its document is known."""
        return self.verbs is None

    @property
    def wanted(self) -> Verb | None:
        """The verb to be rendered now: the one at hand, or the one behind what is played, if it will ever be."""
        if self.clip is None:
            return self._verb(self.index)
        if self.next_clip is None and self.clip.loops:
            return self._verb(self.index + 1)
        return None

    @property
    def is_at_end(self) -> bool:
        """True if nothing of its document is left to be played."""
        return self.clip is None and self.verbs is not None and self.index >= len(self.verbs)

    def _verb(self, index: int) -> Verb | None:
        return self.verbs[index] if self.verbs is not None and index < len(self.verbs) else None

    def loaded(self, program: Program) -> Track:
        """Return the track with what its document says."""
        then = program.then
        return replace(
            self,
            verbs=program.verbs,
            base=program.base,
            clip=program.clip,
            then_url=then.url if then else "",
            then_method=then.method if then else "POST",
            documents=self.documents + 1,
        )

    def rendered(self, verb: Verb, clip: Clip) -> Track:
        """Return the track with the clip of a verb that was wanted; one that lasts no time is left out."""
        if verb != self.wanted:
            return self
        if not clip.duration_ms:
            return self._without_wanted()
        return replace(self, clip=clip) if self.clip is None else replace(self, next_clip=clip)

    def passed_over(self, verb: Verb, failure: tuple[int, str]) -> Track:
        """Return the track without a wanted verb, which cannot be rendered."""
        return replace(self._without_wanted(), failure=self.failure or failure) if verb == self.wanted else self

    def refused(self, failure: tuple[int, str]) -> Track:
        """Return the track without the clip at hand, which the switch does not play."""
        return replace(self._next(), failure=self.failure or failure)

    def _without_wanted(self) -> Track:
        verbs, at = self.verbs or (), self.index + (self.clip is not None)
        return replace(self, verbs=verbs[:at] + verbs[at + 1 :])

    def _next(self) -> Track:
        return replace(self, index=self.index + 1, clip=self.next_clip, next_clip=None, plays=0, was_cut=False)

    def advanced(self) -> Track:
        """Return the track after one clip was played once. Nothing comes after one that was to be played until it is
        stopped."""
        if self.clip is None:
            return self
        heard = replace(self, played_ms=self.played_ms + self.clip.duration_ms)
        if self.plays + 1 < (self.clip.loops or MOST_PLAYS):
            return replace(heard, plays=self.plays + 1, was_cut=False)
        if self.clip.loops:
            return heard._next()
        return replace(heard, clip=None, index=len(self.verbs or ()), then_url="")

    def clip_gone(self) -> Track:
        """Return the track with a clip to be rendered again, or loaded if it is the document itself: it had to make
        room for others."""
        return replace(self, clip=None, plays=0) if self.verbs else replace(self, verbs=None, clip=None, plays=0)

    def next_document(self, not_before_ms: int) -> Track:
        """Return the track of the document to which this one leads, still to be loaded."""
        return Track(
            self.asked_url,
            self.hold_number,
            self.then_url,
            self.then_method,
            documents=self.documents,
            id=self.id,
            not_before_ms=not_before_ms,
            dialect=self.dialect,
            request_id=self.request_id,
        )

    def source(self, parameters: tuple[tuple[str, str], ...], account_sid: str) -> Source:
        """Return the address and the parameters by which the document is asked for."""
        return Source(self.url, "GET" if self.method == "GET" else "POST", parameters, account_sid, self.dialect)


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
        """Write the state as JSON; '' if there is nothing."""
        return "" if self == State() else orjson.dumps(asdict(self)).decode()

    @classmethod
    def parse(cls, text: str) -> State:
        """Read the state from its JSON."""
        if not text:
            return cls()
        raw = orjson.loads(text)
        playing = raw["playing"]
        return cls(
            _track(raw["background"]), _track(raw["announcement"]), Playing(**playing) if playing is not None else None
        )

    def finished(self, now_ms: int) -> State:
        """Return the state after what was played has come to its end. A participant who comes back from hold, or has
        waited, has all sounds stopped, an announcement with them: that is heard again, once."""
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

    @property
    def is_endless(self) -> bool:
        """True if stock music is played."""
        return self.playing is not None and self.playing.ends_ms is None

    def has_background(self, wanted: Sound | None) -> bool:
        """True if the background is this one."""
        current = self.background and (self.background.asked_url, self.background.hold_number)
        return current == (wanted and (wanted.url, wanted.hold_number))

    def track(self, kind: Kind) -> Track | None:
        """The background or the announcement."""
        return self.background if kind == "background" else self.announcement

    def with_track(self, kind: Kind, track: Track | None) -> State:
        """Return the state with another background or announcement."""
        return replace(self, background=track) if kind == "background" else replace(self, announcement=track)


def _track(raw: dict[str, Any] | None) -> Track | None:
    if raw is None:
        return None
    verbs, failure = raw.pop("verbs"), raw.pop("failure")
    return Track(
        **{name: value for name, value in raw.items() if name not in ("clip", "next_clip")},
        verbs=None if verbs is None else tuple(_verb(verb) for verb in verbs),
        clip=raw["clip"] and Clip(**raw["clip"]),
        next_clip=raw["next_clip"] and Clip(**raw["next_clip"]),
        failure=None if failure is None else (failure[0], failure[1]),
    )


_VERBS: Final = {frozenset(field.name for field in fields(kind)): kind for kind in get_args(Verb)}
"""By their fields: no two verbs have the same."""


def _verb(raw: dict[str, Any]) -> Verb:
    verb: Verb = _VERBS[frozenset(raw)](**raw)
    return verb
