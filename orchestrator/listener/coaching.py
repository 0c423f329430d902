"""Makes the switch do what the state says of who coaches whom: coaches leave the mix, each who is heard whispers.

Whoever commits a change has it done, an API process as well as the node's listener, so two may be at it at once. Each
acts, then looks again, until the state is the one that it acted on: whoever acted on an older one finds the newer one.
Whoever dies in between leaves the rest to an audit (reconciler.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

import gevent
import structlog

from orchestrator import logs
from orchestrator.domain.conference import Coach, Conference, Participant
from orchestrator.domain.hearing import hears_conference, is_listened_for, is_mixed, whispers
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.coach_mark import MarkCoach, MuteIfMember
from orchestrator.freeswitch.commands import ChannelExists, KillChannel, MuteMember, SetJoinFlags, SwitchCommand
from orchestrator.freeswitch.whisper import SPEECH, StartWhisper, Whisper
from orchestrator.store.commits import CommitStore

MOST_ROUNDS: Final = 5
"""Somebody changes the same thing all the time; they look again, too, and the last one wins."""

FRAME_SECONDS: Final = 0.02
MOST_TRIES: Final = 10

Send = Callable[[SwitchCommand], str]
"""A command -> what the switch says. Raises CommandRefused, NodeUnavailable."""

log = structlog.get_logger("coaching")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the switch has to do: pairs that have to be there, and commands, each behind whom it is for (CallSid)."""

    whispers: frozenset[Whisper]
    commands: tuple[tuple[str, SwitchCommand], ...]


class Coaching:
    """For one node."""

    def __init__(self, store: CommitStore, send: Send) -> None:
        self._store = store
        self._send = send

    def settle(self, conference_sid: str, calls: Collection[str] = (), former: Iterable[Coach] = ()) -> None:
        """Make the pairs of a conference what its state says; and have those of `calls` left out of its mix, or not.

        The pairs of `former` coaches end unless they are still wanted.
        Raises Unavailable; NodeUnavailable is one.
        """
        doubtful = {pair.channel_uuid: pair.coach for coach in former for pair in _pairs_of(conference_sid, coach)}
        done: Wanted | None = None
        concerned = set(calls)
        for _ in range(MOST_ROUNDS):
            wanted = self._wanted(conference_sid, calls, concerned)
            if wanted == done:
                return
            kept = {pair.channel_uuid: pair.coach for pair in wanted.whispers}
            for channel_uuid in sorted(doubtful.keys() - kept.keys()):
                self._try(doubtful[channel_uuid], KillChannel(channel_uuid))  # most often there is none
            for call_sid, command in wanted.commands:
                self._try(call_sid, command)
            for pair in sorted(wanted.whispers, key=lambda pair: pair.channel_uuid):
                self._make(pair)
            doubtful |= kept
            done = wanted

    def _wanted(self, conference_sid: str, calls: Collection[str], concerned: set[str]) -> Wanted:
        """What the state wants now. `concerned`: of whom it is known that they have to be looked at; all are added."""
        conferences, people = self._store.load([(conference_sid, sid) for sid in sorted(concerned)], [conference_sid])
        if conference_sid not in conferences:
            return Wanted(frozenset(), ())
        conference = conferences[conference_sid].conference
        others = {sid for coach in conference.coaches for sid in (coach.call_sid, coach.coached_call_sid)} - concerned
        if others:
            people |= self._store.load([(conference_sid, sid) for sid in sorted(others)], ())[1]
            concerned |= others
        commands = [
            (sid, command) for sid in sorted(calls) if sid in people for command in _mixing(conference, people[sid])
        ]
        return Wanted(whispers_of(conference, people.values()), tuple(commands))

    def _make(self, pair: Whisper) -> None:
        """Begin a whisper. One that ended a moment ago holds on to its UUID for a frame or two: we try again."""
        for _ in range(MOST_TRIES):
            if self._send(ChannelExists(pair.channel_uuid)).strip() == "true":
                return
            answer = self._try(pair.coach, StartWhisper(pair))
            if answer is None or pair.channel_uuid in answer:
                return
            gevent.sleep(FRAME_SECONDS)
        with logs.bound(pair.conference_sid, pair.coach):
            log.warning("whisper_not_made")

    def _try(self, call_sid: str, command: SwitchCommand) -> str | None:
        try:
            return self._send(command)
        except CommandRefused as error:  # they have left this moment, or are not there yet; an audit looks again
            with logs.bound(call_sid):
                log.debug("coaching_refused", order=repr(command)[:200], error=str(error)[:200])
            return None


def whispers_of(conference: Conference, people: Iterable[Participant]) -> frozenset[Whisper]:
    """Return the pairs that there have to be. `people`: at least the coaches and those whom they coach."""
    sid, known = conference.conference_sid, {person.call_sid: person for person in people}
    if conference.is_ending:
        return frozenset()
    coaches = [
        (known[one.call_sid], known.get(one.coached_call_sid)) for one in conference.coaches if one.call_sid in known
    ]
    heard = (
        Whisper(sid, coach.call_sid, coached.call_sid)
        for coach, coached in coaches
        if coached is not None and whispers(conference, coached, coach)
    )
    listened_for = (Whisper(sid, coach.call_sid, SPEECH) for coach, _ in coaches if is_listened_for(conference, coach))
    return frozenset((*heard, *listened_for))


def _pairs_of(conference_sid: str, coach: Coach) -> list[Whisper]:
    """Return all pairs that a coach may have."""
    return [Whisper(conference_sid, coach.call_sid, ear) for ear in (coach.coached_call_sid, SPEECH)]


def _mixing(conference: Conference, person: Participant) -> tuple[SwitchCommand, ...]:
    """Return the commands that leave a person out of the mix, or let them in. A coach is marked before being muted and
    unmuted before being unmarked: no event takes a coach's mute for a client's."""
    channel, member_id, muted = person.switch.channel_uuid, person.switch.member_id, not is_mixed(person)
    mark, sid = MarkCoach(channel, person.coaching), conference.conference_sid
    if not person.is_live:
        return ()
    if member_id is None:
        flags = SetJoinFlags(channel, muted, not hears_conference(conference, person))
        return mark, flags, MuteIfMember(channel, sid, muted)
    mute = MuteMember(sid, member_id, muted)
    return (mark, mute) if person.coaching else (mute, mark)
