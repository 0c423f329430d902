"""What the switch has to do because a state has changed: pure.

`transitions.apply` asks for it; listener/effects.py says how it is done. Each effect follows from a change of one
participant, beside whom it is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from orchestrator.domain.conference import Coach, Conference, ConferenceStatus, Participant
from orchestrator.domain.hearing import background_of


@dataclass(frozen=True, slots=True)
class EndOthers:
    """End every other call that is in the conference or on the way to it."""


@dataclass(frozen=True, slots=True)
class EndCall:
    """End the participant's call: it was removed before it had a channel, or came to a conference that ends."""


@dataclass(frozen=True, slots=True)
class UpdateMember:
    """Tell the switch what was asked for before it could do it, or what it has lost; None: nothing of the kind."""

    muted: bool | None = None
    hold: bool | None = None
    end_conference_on_exit: bool | None = None


@dataclass(frozen=True, slots=True)
class UpdateHearing:
    """Tell the switch whether the participant hears the conference: that may have changed."""


@dataclass(frozen=True, slots=True)
class StartConference:
    """Let everybody who is not on hold hear the conference: waiting is over."""


@dataclass(frozen=True, slots=True)
class UpdateCoaching:
    """Take the participant out of the mix, or back into it: they begin or cease to coach, or come as a coach."""


@dataclass(frozen=True, slots=True)
class UpdateWhispers:
    """Begin and end whispers: who whispers to whom may have changed. `former` were the coaches before."""

    former: tuple[Coach, ...]


@dataclass(frozen=True, slots=True)
class Beep:
    """Beep: somebody has come or gone."""

    moment: Literal["enter", "exit"]


@dataclass(frozen=True, slots=True)
class RefreshSound:
    """Play the participant what is to be heard in place of the conference: that has changed."""


@dataclass(frozen=True, slots=True)
class RecordCall:
    """Record the participant's call, which has been answered."""


@dataclass(frozen=True, slots=True)
class RecordConference:
    """Record the conference, which has started."""


@dataclass(frozen=True, slots=True)
class EndConferenceRecordings:
    """End what listens to the conference for a recording: it would keep it alive."""


Effect = (
    EndOthers
    | EndCall
    | UpdateMember
    | UpdateHearing
    | StartConference
    | UpdateCoaching
    | UpdateWhispers
    | Beep
    | RefreshSound
    | RecordCall
    | RecordConference
    | EndConferenceRecordings
)


def effects_of(
    conference: Conference, participant: Participant, after: Conference, new: Participant
) -> tuple[Effect, ...]:
    """Return what a client has asked for and the switch could not do yet, and what follows for the others, in order."""
    people = _of_people(conference, participant, after, new)
    return (*people, *_of_recordings(conference, participant, after, new))


def _of_recordings(
    conference: Conference, participant: Participant, after: Conference, new: Participant
) -> Iterator[Effect]:
    if new.recording is not None and new.answered_at is not None and participant.answered_at is None:
        yield RecordCall()
    starts = after.status is ConferenceStatus.IN_PROGRESS and not conference.has_started
    if starts and after.recording is not None and not after.is_ending:
        yield RecordConference()
    is_over = after.status is ConferenceStatus.COMPLETED
    if is_over and conference.status is ConferenceStatus.IN_PROGRESS:
        yield EndConferenceRecordings()


def _of_people(
    conference: Conference, participant: Participant, after: Conference, new: Participant
) -> tuple[Effect, ...]:
    if after.is_ending and not conference.is_ending and after.live_count > 0:
        return (EndOthers(), *_of_an_end(conference, participant, new))
    if new.is_live and after.is_ending and new != participant:
        return (EndCall(),)
    if after.is_ending:
        return tuple(_of_an_end(conference, participant, new))
    of_others = (*_of_the_room(conference, after), *_of_coaching(conference, participant, after, new))
    if new.is_live and new.removal_requested and new != participant:
        return (EndCall(), *of_others)  # by coming they may have begun the conference
    return (
        *_of_membership(participant, new),
        *of_others,
        *_of_comings_and_goings(after, participant, new),
        *_of_sound(conference, participant, after, new),
    )


def _of_an_end(conference: Conference, participant: Participant, new: Participant) -> Iterator[Effect]:
    """Have the sound of whoever leaves while the conference ends looked at: nobody would look at it any more."""
    if participant.is_present and not new.is_present and (participant.hold_as_asked or not conference.has_started):
        yield RefreshSound()


def _comes(participant: Participant, new: Participant) -> bool:
    """Return whether the leg has become a member, or another one."""
    return new.switch.member_id is not None and new.switch.member_id != participant.switch.member_id


def _of_coaching(
    conference: Conference, participant: Participant, after: Conference, new: Participant
) -> Iterator[Effect]:
    """Leave the mix first, then whisper. Whoever neither coaches nor is coached changes nothing about either."""
    if new.is_live and (new.coaching is not participant.coaching or (new.coaching and _comes(participant, new))):
        yield UpdateCoaching()
    if not conference.coaches and not after.coaches:
        return
    concerned = {
        sid for coach in (*conference.coaches, *after.coaches) for sid in (coach.call_sid, coach.coached_call_sid)
    }
    starts = after.has_started and not conference.has_started
    is_news = _as_whispering(new) != _as_whispering(participant) or after.coaches != conference.coaches
    if starts or (new.call_sid in concerned and is_news):
        yield UpdateWhispers(conference.coaches)


def _as_whispering(participant: Participant) -> tuple[bool, bool, bool]:
    """Return what a whisper of theirs, and to them, depends on; whom they coach is in their conference's coaches."""
    return participant.is_present, participant.muted, participant.hold


def _of_membership(participant: Participant, new: Participant) -> Iterator[Effect]:
    is_new = (new.is_present and not participant.is_present) or _comes(participant, new)
    if is_new or new.hold is not participant.hold:
        yield from outstanding_updates(new)


def _of_the_room(conference: Conference, after: Conference) -> Iterator[Effect]:
    if after.status is ConferenceStatus.IN_PROGRESS and conference.status is ConferenceStatus.INIT:
        yield StartConference()


def _of_comings_and_goings(after: Conference, participant: Participant, new: Participant) -> Iterator[Effect]:
    """Beep for whoever comes or goes; not before the start, nor for somebody alone."""
    if after.status is not ConferenceStatus.IN_PROGRESS:
        return
    if new.is_present and not participant.is_present and new.beep_on_enter:
        yield Beep("enter")
    if participant.is_present and not new.is_present and new.beep_on_exit and after.present_count:
        yield Beep("exit")


def _of_sound(
    conference: Conference, participant: Participant, after: Conference, new: Participant
) -> Iterator[Effect]:
    if _comes(participant, new) or (new.switch.member_id is not None and new.hold is not participant.hold):
        yield UpdateHearing()
    if background_of(conference, participant) != background_of(after, new):
        yield RefreshSound()


def outstanding_updates(participant: Participant) -> tuple[UpdateMember, ...]:
    """Return what was asked for before the switch could do it, or what it has lost."""
    muted = participant.muted_wanted if participant.muted_wanted is not participant.muted else None
    hold = participant.hold_wanted if participant.hold_wanted is not participant.hold else None
    if participant.switch.member_id is None:
        muted = hold = None
    if participant.coaching:  # a fact by being asked for: the switch cannot tell whether a coach is muted
        muted = None
    end_on_exit = None
    if participant.is_present and participant.exit_hook_changed:
        end_on_exit = participant.end_conference_on_exit
    if muted is None and hold is None and end_on_exit is None:
        return ()
    return (UpdateMember(muted=muted, hold=hold, end_conference_on_exit=end_on_exit),)
