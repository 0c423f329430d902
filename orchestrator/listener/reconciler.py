"""Compares what a node holds with what is known of it: missed events become facts, what was lost is done again.

Legs on a node that must not be there are ended: nobody could remove them, and nobody looks whom they hear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime
from typing import Final

import structlog

from orchestrator import logs
from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.effects import outstanding_updates
from orchestrator.domain.events import CallEnded, Happened
from orchestrator.domain.hearing import background_of, hears_conference, is_mixed
from orchestrator.freeswitch.client import CommandRefused
from orchestrator.freeswitch.coach_mark import COACH_MARK, ReadCoachMark
from orchestrator.freeswitch.commands import ChannelExists, KillChannel, ListConference, StopMember
from orchestrator.freeswitch.snapshot import LOST_CAUSE, Member, Snapshot, is_outside, missed_events, parse_members
from orchestrator.listener.coaching import Send, whispers_of
from orchestrator.listener.committer import Committer
from orchestrator.listener.effects import Rendered, Store, hearing_of, recordings_due, render

Group = tuple[Conference, list[Participant]]

CONFERENCES_AT_ONCE: Final = 100
"""Conferences that are compared in one go: other events wait for so long. An audit of 2,000 conferences of five people
takes more than a second."""

log = structlog.get_logger("listener")


class Reconciler:
    """Reconciles one node, beside its listener's committer."""

    def __init__(self, committer: Committer, send: Send) -> None:
        self._committer = committer
        self._store = committer.store
        self._executor = committer.executor
        self._recordings = committer.executor.recorder.store
        self._send = send

    def reconcile(self, snapshot: Snapshot, node: str) -> Iterator[None]:
        """Make what the node's events did not tell us facts, and repeat what the switch has not done yet; yields after
        each few conferences. The caller may commit events then: of the conferences that they change this snapshot says
        nothing any more.

        Raises NodeUnavailable.
        """
        if snapshot.conference_sid is not None:
            self._repeat(self._load_group(snapshot.conference_sid), snapshot)
            self._executor.complain()
            return
        sids = self._committer.insist(lambda: self._store.list_conference_sids(node))
        changed: set[str] = set()
        known: set[str] = set()
        for start in range(0, len(sids), CONFERENCES_AT_ONCE):
            some = [sid for sid in sids[start : start + CONFERENCES_AT_ONCE] if sid not in changed]
            known |= self._reconcile_some(snapshot, node, some)
            self._committer.changed.clear()
            yield
            changed |= self._committer.changed
        self._end_strays(snapshot, known, changed)
        self._executor.complain()

    def _reconcile_some(self, snapshot: Snapshot, node: str, conference_sids: list[str]) -> set[str]:
        """Reconcile these conferences; returns the CallSids of their calls that had not ended."""

        def load() -> list[Group]:
            return self._store.list_unended(node, conference_sids)

        insist = self._committer.insist
        unended = insist(load)
        self._committer.forget(conference_sids)
        everybody = [participant for _, group in unended for participant in group]
        self._committer.overdue.note(everybody)
        self._committer.changed.clear()
        self._committer.commit_events(missed_events(snapshot, everybody, self))
        if self._committer.changed:  # repeat what is wanted after these events, not before
            unended = insist(load)
        self._end_outside(snapshot, everybody)
        self._repeat(unended, snapshot)
        waiting = [one for _, group in unended for one in group if one.is_waiting and one.sealed_call]
        insist(lambda: self._store.queue_again(waiting))
        return {participant.call_sid for participant in everybody}

    def lose_node(self, at: datetime, node: str) -> None:
        """End every call that the node had, or was to dial, as the node is gone. Raises NodeUnavailable, for it is
        told, too."""
        sids = self._committer.insist(lambda: self._store.list_conference_sids(node))
        unended = self._committer.insist(lambda: self._store.list_unended(node, sids))
        everybody = [participant for _, group in unended for participant in group]
        self._committer.forget(sids)
        if everybody:
            log.error("node_lost", node=node, conferences=len(unended), calls=len(everybody))
        waiting = [one for one in everybody if one.is_waiting]
        self._committer.commit_events(
            [Happened(one.call_sid, one.conference_sid, CallEnded(at, LOST_CAUSE)) for one in waiting]
            + missed_events(Snapshot(at), everybody, Nothing())
        )

    def _load_group(self, conference_sid: str) -> list[Group]:
        found, _ = self._committer.insist(lambda: self._store.load((), [conference_sid]))
        if conference_sid not in found:
            return []
        return [
            (found[conference_sid].conference, self._committer.insist(lambda: self._store.list_live(conference_sid)))
        ]

    def _end_strays(self, snapshot: Snapshot, known: Set[str], changed: Set[str]) -> None:
        """End legs that must not be on the node: those of which no record speaks, or says that they have ended; members
        of our conferences who are nobody's participants; whispers to nobody's coach; recorders of nothing. Other
        channels of the node are none of our business. `known`: participants of open conferences; `changed`: conferences
        that have changed since the snapshot."""
        held = {*snapshot.channels, *snapshot.members} - known
        coaches = {*snapshot.whispers.values()} - known
        placed = self._store.load_conference_sids(sorted(held | coaches))
        passed_over = {call for call, sid in placed.items() if sid in changed}
        held -= passed_over
        coaches -= passed_over
        _, loaded = self._store.load([(placed[call], call) for call in held & placed.keys()], ())
        members = snapshot.members.keys() & held - placed.keys()
        uninvited = {call: snapshot.members[call].conference_sid for call in members}
        ended = {
            call: placed[call]
            for call in held & placed.keys()
            if call not in loaded or loaded[call].ended_at is not None
        }
        self._executor.end_strays((sid, call) for call, sid in (ended | uninvited).items())
        self._end_outside(snapshot, loaded.values())
        pairs = [channel_uuid for channel_uuid, coach in snapshot.whispers.items() if coach in coaches]
        self._end_legs([*pairs, *self._recordings.list_needless(snapshot.recorders)])

    def _end_outside(self, snapshot: Snapshot, calls: Iterable[Participant]) -> None:
        """End calls of ours that are up and in no conference."""
        for one in calls:
            if one.ended_at is None and is_outside(snapshot, one):
                with logs.bound(one.account_sid, one.conference_sid, one.call_sid):
                    log.error("call_outside_ended")
                    self._executor.send_all([KillChannel(one.switch.channel_uuid)])

    def _end_legs(self, channel_uuids: Iterable[str]) -> None:
        """End legs that nobody wants."""
        self._executor.send_all(KillChannel(channel_uuid) for channel_uuid in channel_uuids)

    def _repeat(self, unended: Iterable[Group], snapshot: Snapshot) -> None:
        """Do what the switch has not done yet, or has lost. Whisper pairs of these people that no conference wants are
        ended. One that is wanted and is not in the snapshot may be missing, or not shown yet: the executor, which
        settles pairs, asks the switch."""
        wanted_of_all: set[str] = set()
        people: set[str] = set()
        for conference, group in unended:
            people.update(person.call_sid for person in group)
            wanted = {pair.channel_uuid for pair in whispers_of(conference, group)}
            wanted_of_all |= wanted
            rendered = lost_effects(conference, group, snapshot.members, self._store)
            if wanted - snapshot.whispers.keys():
                rendered += Rendered(former=())
            if snapshot.conference_sid is None:
                rendered += recordings_due(conference, group)
            with logs.bound(conference.account_sid, conference.conference_sid):
                self._executor.do(conference.conference_sid, rendered)
        self._end_legs(
            channel_uuid
            for channel_uuid, coach in snapshot.whispers.items()
            if channel_uuid not in wanted_of_all and coach in people
        )

    # ------------------------------------------------------------ what a snapshot asks

    def is_alive(self, channel_uuid: str) -> bool:
        """Return whether the node has such a channel. Raises NodeUnavailable."""
        return self._send(ChannelExists(channel_uuid)).strip() == "true"

    def is_coach(self, channel_uuid: str) -> bool:
        """Return whether the channel's mute is ours. Raises NodeUnavailable."""
        try:
            return self._send(ReadCoachMark(channel_uuid)).strip() == COACH_MARK
        except CommandRefused:  # gone this moment
            return False

    def list_members(self, conference_sid: str) -> Mapping[str, Member]:
        """Return who is in a conference by now; nobody if it is over. Raises NodeUnavailable."""
        try:
            return parse_members(self._send(ListConference(conference_sid)))
        except CommandRefused:
            return {}


class Nothing:
    """Answers for a node that is lost: it holds nothing."""

    def is_alive(self, channel_uuid: str) -> bool:
        """Return False: no channel is left."""
        return False

    def is_coach(self, channel_uuid: str) -> bool:
        """Return False: no channel is left."""
        return False

    def list_members(self, conference_sid: str) -> Mapping[str, Member]:
        """Return nobody."""
        return {}


def lost_effects(
    conference: Conference, live: Iterable[Participant], members: Mapping[str, Member], store: Store
) -> Rendered:
    """Return what the switch has not done yet, or has lost, by what it says of its members: CallSid -> Member."""
    rendered = Rendered()
    for participant in live:
        if participant.removal_requested or conference.is_ending:
            rendered += Rendered((KillChannel(participant.switch.channel_uuid),))
            continue
        member = members.get(participant.call_sid)
        if member is not None and member.member_id == participant.switch.member_id:
            rendered += _lost_by(conference, participant, member, store)
    return rendered


def _lost_by(conference: Conference, participant: Participant, member: Member, store: Store) -> Rendered:
    rendered = Rendered()
    for wish in outstanding_updates(participant):
        rendered += render(wish, conference, participant, store)
    hears = hears_conference(conference, participant)
    if member.hold or member.deaf is hears:  # a member on hold is called deaf whether it is or not
        rendered += Rendered(tuple(hearing_of(conference, participant)))
        if hears and not member.hold:  # it has heard something else until now
            rendered += Rendered((StopMember(conference.conference_sid, member.member_id),), (participant.call_sid,))
    if background_of(conference, participant) is not None:
        rendered += Rendered(sounds=(participant.call_sid,))
    is_repeated = participant.muted_wanted is True and not participant.coaching  # above; unmuted, a mark has to go, too
    if not member.hold and not is_repeated and member.muted is is_mixed(participant):
        rendered += Rendered(mixing=(participant.call_sid,))
    return rendered
