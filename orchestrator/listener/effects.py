"""Does what follows from a fact: an effect -> what is sent to the switch, whose sounds and whose coaching change.

Of who hears the conference the listener has the last word: what the API has told the switch of a member
(services/updates.py) it says again when the switch tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

import structlog

from orchestrator import logs
from orchestrator.domain.changes import Change
from orchestrator.domain.conference import Coach, Conference, Participant
from orchestrator.domain.effects import (
    Beep,
    Effect,
    EndCall,
    EndConferenceRecordings,
    EndOthers,
    RecordCall,
    RecordConference,
    RefreshSound,
    StartConference,
    UpdateCoaching,
    UpdateHearing,
    UpdateMember,
    UpdateWhispers,
)
from orchestrator.domain.hearing import background_of, hears_conference, is_mixed
from orchestrator.domain.recording import (
    Recording,
)
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.coach_mark import muting_of
from orchestrator.freeswitch.commands import (
    DeafenMember,
    HangUpMembers,
    HoldMember,
    KillChannel,
    PlayToAll,
    SetExitHook,
    SetJoinFlags,
    StopMember,
    SwitchCommand,
)
from orchestrator.freeswitch.files import BEEPS
from orchestrator.listener.coaching import Coaching, Send
from orchestrator.recordings.beginning import of_call, of_conference
from orchestrator.recordings.recorder import Recorder
from orchestrator.sids import channel_uuid_of
from orchestrator.store.commits import CommitStore
from orchestrator.store.lanes import Lane

T = TypeVar("T")

log = structlog.get_logger("listener")


class Insist(Protocol):
    """Asks Redis until it answers."""

    def __call__(self, ask: Callable[[], T], /) -> T:
        """What `ask` returns."""
        ...


class Store(Protocol):
    """What is asked of the store. Raises Unavailable."""

    def list_live(self, conference_sid: str) -> list[Participant]:
        """The participants whose calls have not ended."""
        ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """`commands` in order; `sounds`: CallSids whose background sound may have changed; `mixing`: of those who begin or
    cease to coach; `former`: who coached before, if who whispers to whom may have changed; `recordings` begin,
    unless they have; `ends_recordings`: those of the conference, which is over."""

    commands: tuple[SwitchCommand, ...] = ()
    sounds: tuple[str, ...] = ()
    mixing: tuple[str, ...] = ()
    former: tuple[Coach, ...] | None = None
    recordings: tuple[Recording, ...] = ()
    ends_recordings: bool = False

    @property
    def is_about_coaching(self) -> bool:
        """Whether somebody's coaching has to be looked at."""
        return bool(self.mixing) or self.former is not None

    def __add__(self, other: Rendered) -> Rendered:
        """First these, then the others."""
        former = None if self.former is None and other.former is None else (*(self.former or ()), *(other.former or ()))
        return Rendered(
            self.commands + other.commands,
            self.sounds + other.sounds,
            self.mixing + other.mixing,
            former,
            self.recordings + other.recordings,
            self.ends_recordings or other.ends_recordings,
        )


def render(  # noqa: PLR0911 -- one for each effect
    effect: Effect, conference: Conference, participant: Participant, store: Store
) -> Rendered:
    """Return what has to be done on the switch for an effect that follows from a change of `participant`.

    Raises Unavailable.
    """
    sid, call_sid = conference.conference_sid, participant.call_sid
    match effect:
        case EndOthers():
            return _end_others(conference, participant, store)
        case EndCall():
            return Rendered((KillChannel(participant.switch.channel_uuid),))
        case UpdateMember():
            return Rendered(tuple(_updates(effect, participant)))
        case UpdateHearing():
            return Rendered(tuple(hearing_of(conference, participant)))
        case StartConference():
            return _start(conference, store)
        case UpdateCoaching():
            return Rendered(mixing=(call_sid,))
        case UpdateWhispers(former=former):
            return Rendered(former=former)
        case Beep(moment=moment):
            return Rendered((PlayToAll(sid, BEEPS[moment], beside=True),))
        case RefreshSound():
            return Rendered(sounds=(call_sid,))
        case RecordCall():
            return Rendered(recordings=tuple(_call_recordings([participant])))
        case RecordConference():
            return Rendered(recordings=tuple(_conference_recordings(conference)))
        case EndConferenceRecordings():
            return Rendered(ends_recordings=True)


def _call_recordings(participants: Iterable[Participant]) -> Iterator[Recording]:
    for one in participants:
        if one.recording is not None and one.answered_at is not None:
            yield of_call(one, one.recording)


def _conference_recordings(conference: Conference) -> Iterator[Recording]:
    if conference.recording is not None and conference.has_started and not conference.is_ending:
        yield of_conference(conference, conference.recording)


def recordings_due(conference: Conference, live: Iterable[Participant]) -> Rendered:
    """Return those that have begun by now, unless something was lost."""
    return Rendered(recordings=(*_call_recordings(live), *_conference_recordings(conference)))


def _end_others(conference: Conference, participant: Participant, store: Store) -> Rendered:
    """Members first, in one go; legs that still ring are no members."""
    others = (other for other in store.list_live(conference.conference_sid) if other.call_sid != participant.call_sid)
    kills = (KillChannel(other.switch.channel_uuid) for other in others)
    return Rendered((HangUpMembers(conference.conference_sid), *kills))


def _updates(update: UpdateMember, participant: Participant) -> Iterator[SwitchCommand]:
    sid, switch = participant.conference_sid, participant.switch
    # A coach stays out of the mix, whatever becomes of their own mute.
    if update.muted is not None and switch.member_id is not None and not participant.coaching:
        yield muting_of(participant, switch.member_id, update.muted)
    if update.hold is not None and switch.member_id is not None:
        yield HoldMember(sid, switch.member_id, update.hold)
    if update.end_conference_on_exit is not None:
        yield SetExitHook(switch.channel_uuid, sid, update.end_conference_on_exit, answered=True)


def hearing_of(conference: Conference, participant: Participant) -> Iterator[SwitchCommand]:
    """Return the commands that let a member hear the conference, or nothing of it; whoever comes later comes so."""
    member_id, deaf = participant.switch.member_id, not hears_conference(conference, participant)
    if member_id is not None:
        yield DeafenMember(conference.conference_sid, member_id, deaf)
    else:
        yield SetJoinFlags(participant.switch.channel_uuid, not is_mixed(participant), deaf)


def _start(conference: Conference, store: Store) -> Rendered:
    """The music of those who waited ends, before they hear the others. Those on hold go on being so."""
    commands, sounds = list[SwitchCommand](), list[str]()
    for other in store.list_live(conference.conference_sid):
        if background_of(conference, other) is not None:
            continue
        if other.switch.member_id is not None:
            sounds.append(other.call_sid)
            commands.append(StopMember(conference.conference_sid, other.switch.member_id))
        commands += hearing_of(conference, other)
    return Rendered(tuple(commands), tuple(sounds))


class Executor:
    """Has the switch of one node do what follows from a fact. What could not be done is found by the next audit
    (reconciler.py); `complain` says so when the rest is done."""

    def __init__(
        self,
        store: CommitStore,
        recorder: Recorder,
        send: Send,
        wake_sounds: Callable[[Sequence[object]], None],
        insist: Insist,
    ) -> None:
        self._store = store
        self.recorder = recorder
        self._send = send
        self._wake_sounds = wake_sounds
        self._insist = insist
        self._away: NodeUnavailable | None = None
        self.coaching = Coaching(store, send)

    def carry_out(self, change: Change, effects: Iterable[tuple[Effect, str, str]]) -> None:
        """Do what follows from a change, in the state that has just been written. Each effect stands beside the
        CallSid of whom it follows from, and the request that asked for that, or ''."""
        sid, rendered, lanes = change.after.conference_sid, Rendered(), dict[str, dict[Lane, None]]()
        for effect, call_sid, request_id in effects:
            participant = change.participants[call_sid][1]
            with logs.bound(call_sid, request_id=request_id):
                rendering = self._insist(partial(render, effect, change.after, participant, self._store))
                self.send_all(rendering.commands)
            lanes.setdefault(request_id, {}).update(dict.fromkeys(Lane(sid, one) for one in rendering.sounds))
            rendered += replace(rendering, commands=(), sounds=())
        for request_id, some in lanes.items():
            with logs.bound(request_id=request_id):
                self._wake_sounds(list(some))
        self.do(sid, rendered)

    def do(self, conference_sid: str, rendered: Rendered) -> None:
        """Send commands first, then settle who whispers to whom, by the state that there is by then."""
        self.send_all(rendered.commands)
        if rendered.sounds:
            self._wake_sounds([Lane(conference_sid, call_sid) for call_sid in dict.fromkeys(rendered.sounds)])
        if rendered.is_about_coaching:
            try:
                self._insist(lambda: self.coaching.settle(conference_sid, rendered.mixing, rendered.former or ()))
            except NodeUnavailable as error:
                self._away = error
                log.info("coaching_not_settled", error=error.message)
        for recording in rendered.recordings:
            self._insist(partial(self.recorder.begin, recording, self._send))
        if rendered.ends_recordings:
            self._insist(partial(self.recorder.end_conference, conference_sid, self._send))

    def send_all(self, commands: Iterable[SwitchCommand]) -> None:
        """Send one after the other, whatever becomes of each."""
        for command in commands:
            try:
                self._send(command)
            except CommandRefused as error:
                log.info("command_refused", command=repr(command)[:200], error=str(error).strip()[:200])
            except NodeUnavailable as error:
                self._away = error
                log.info("command_not_sent", command=repr(command)[:200], error=error.message)

    def end_strays(self, strays: Iterable[tuple[str, str]]) -> None:
        """End legs that have no record, (ConferenceSid, CallSid), and say so."""
        for conference_sid, call_sid in strays:
            with logs.bound(conference_sid, call_sid):
                log.error("stray_leg_ended")
                self.send_all([KillChannel(channel_uuid_of(call_sid))])

    def complain(self) -> None:
        """Raise NodeUnavailable if the switch was away meanwhile."""
        away, self._away = self._away, None
        if away is not None:
            raise away
