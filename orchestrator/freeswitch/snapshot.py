"""What a node holds now -> the domain events that we have missed. Missed events are events: there is no second path.

FreeSWITCH replays nothing to a client that was away. So after every (re)connect, and now and then for ghosts, what
`show channels` and `conference json_list` say is compared with what the store believes about the node's calls.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import gevent
import orjson

from orchestrator.domain.conference import Participant, ParticipantStatus
from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    DialFailed,
    Event,
    Happened,
    MemberAdded,
    MemberRemoved,
    ParticipantHeld,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from orchestrator.freeswitch.client import EventSocket, NodeRefuses, NodeUnavailable
from orchestrator.freeswitch.commands import ListChannels, ListConference, ListConferences
from orchestrator.freeswitch.whisper import ListWhispers, is_whisper, pair_of
from orchestrator.sids import call_sid_of, is_recorder, is_sid

DIAL_GRACE: Final = timedelta(seconds=2)
"""A call that was dialled this short a time ago may have no channel yet: its originate is on the way. The next snapshot
tells."""

OUTSIDE_GRACE: Final = timedelta(seconds=10)
"""From its answer to its conference a leg needs milliseconds, on a switch with too much to do some seconds."""

UP: Final = frozenset({"ACTIVE", "HELD", "UNHELD"})
"""FreeSWITCH's callstates of an answered leg."""

LOST_CAUSE: Final = "RECOVERY_ON_TIMER_EXPIRE"
"""The cause we give a call whose end nobody saw: FreeSWITCH's own word for a leg that fell silent."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a conference on the node. While it is on hold FreeSWITCH calls every member mute and deaf."""

    conference_sid: str
    member_id: int
    muted: bool
    deaf: bool
    hold: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All channels of a node (CallSid -> FreeSWITCH's callstate), all members of our conferences, and what is no call:
    all `whispers` (channel UUID -> CallSid of the coach), and the `recorders` in our conferences (channel UUID ->
    ConferenceSid). With a `conference_sid`: only who is in that one."""

    taken_at: datetime
    channels: dict[str, str] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    whispers: dict[str, str] = field(default_factory=dict)
    recorders: dict[str, str] = field(default_factory=dict)
    conference_sid: str | None = None


SNAPSHOT_SECONDS: Final = 10.0
"""A node with thousands of channels takes its time for them."""

KNOCK_SECONDS: Final = 1.0
"""How often it has to let somebody in meanwhile. One that hangs, and keeps its socket, is away 1.5 s later."""


@dataclass(frozen=True, slots=True)
class RawSnapshot:
    """The node's own words, as they came between two events."""

    taken_at: datetime
    channels: str
    conferences: str
    conference_sid: str | None = None


def take_snapshot(connection: EventSocket, put: Callable[[RawSnapshot], None]) -> None:
    """Ask the node what it holds. `put` is called by the socket's reader, so the snapshot takes its place among the
    events, and none that was sent after it is undone by it. Raises NodeUnavailable, CommandRefused."""
    taken_at = datetime.now(UTC)
    with _knocking(connection):
        channels = connection.api(ListChannels().render(), SNAPSHOT_SECONDS)
        connection.api(
            ListConferences().render(), SNAPSHOT_SECONDS, lambda text: put(RawSnapshot(taken_at, channels, text))
        )


def look_at(connection: EventSocket, conference_sid: str, put: Callable[[RawSnapshot], None]) -> None:
    """Take a snapshot of one conference, and only of who hears whom in it. Raises NodeUnavailable, CommandRefused."""
    taken_at = datetime.now(UTC)
    with _knocking(connection):
        channels = connection.api(ListWhispers().render(), SNAPSHOT_SECONDS)
        connection.api(
            ListConference(conference_sid).render(),
            SNAPSHOT_SECONDS,
            lambda text: put(RawSnapshot(taken_at, channels, text, conference_sid)),
        )


@contextlib.contextmanager
def _knocking(connection: EventSocket) -> Iterator[None]:
    """While an answer is awaited, see that the node still answers others. If not, the wait ends: NodeUnavailable."""
    knocking = gevent.spawn(_knock, connection)
    try:
        yield
    finally:
        knocking.kill()


def _knock(connection: EventSocket) -> None:
    while connection.connected:
        gevent.sleep(KNOCK_SECONDS)
        another = EventSocket(connection.host, connection.port, connection.password)
        try:
            another.connect()
        except NodeRefuses:
            pass  # it answers
        except NodeUnavailable:
            connection.close("lets nobody in any more")
        finally:
            another.close()


def parse_snapshot(raw: RawSnapshot) -> Snapshot:
    """Read a snapshot. Raises ValueError, KeyError if it is not what FreeSWITCH 1.10 answers."""
    snapshot = Snapshot(raw.taken_at, conference_sid=raw.conference_sid)
    for row in orjson.loads(raw.channels).get("rows", []):
        call_sid = call_sid_of(row["uuid"])
        if is_whisper(row["name"]):
            pair = pair_of(row["name"])
            if pair is not None:
                snapshot.whispers[pair.channel_uuid] = pair.coach
        elif call_sid is not None and row.get("direction") == "outbound":
            snapshot.channels[call_sid] = row.get("callstate", "")
    for conference in _ours(raw.conferences):
        snapshot.members.update(_members_of(conference))
        uuids = (row.get("uuid", "") for row in conference.get("members", []))
        snapshot.recorders.update((one, conference["conference_name"]) for one in uuids if is_recorder(one))
    return snapshot


def parse_members(text: str) -> dict[str, Member]:
    """Read who is in our conferences, by CallSid."""
    return {call_sid: member for conference in _ours(text) for call_sid, member in _members_of(conference)}


def _ours(text: str) -> list[dict[str, Any]]:
    """Our conferences. Without any conference the answer is a sentence, not a list."""
    conferences = orjson.loads(text) if text.startswith("[") else []
    return [one for one in conferences if is_sid("CF", one.get("conference_name", ""))]


def _members_of(conference: dict[str, Any]) -> Iterator[tuple[str, Member]]:
    for row in conference.get("members", []):
        call_sid = call_sid_of(row.get("uuid", "")) if row.get("type", "caller") == "caller" else None
        if call_sid is not None:
            flags = row["flags"]
            yield (
                call_sid,
                Member(
                    conference["conference_name"],
                    int(row["id"]),
                    muted=not flags.get("can_speak", True),
                    deaf=not flags.get("can_hear", True),
                    hold=flags.get("hold", False),
                ),
            )


class Ask(Protocol):
    """What is asked of the node later than the snapshot. All methods raise NodeUnavailable."""

    def is_alive(self, channel_uuid: str) -> bool:
        """Whether the node still has the channel."""
        ...

    def is_coach(self, channel_uuid: str) -> bool:
        """Whether the channel is marked as a coach's."""
        ...

    def list_members(self, conference_sid: str) -> Mapping[str, Member]:
        """List who is in a conference: CallSid -> Member. Nobody, if it is over."""
        ...


def missed_events(snapshot: Snapshot, live: Iterable[Participant], ask: Ask) -> list[Happened]:
    """Return the events that lead from what the store believes of `live` to what the node holds.

    `show channels` reads a database that lags behind, so a channel that it does not show is asked for by its UUID.
    """
    people = list(live)
    doubtful = _doubtful_mutes(snapshot, people, ask)
    return [
        Happened(participant.call_sid, participant.conference_sid, event)
        for participant in people
        for event in _missed(snapshot, participant, doubtful, ask)
        if _is_news(participant, event)
    ]


def _is_news(participant: Participant, event: Event) -> bool:
    """Whether an event is news of one who is connected: of thousands of whom all is as it was none is read again."""
    if participant.status is not ParticipantStatus.CONNECTED:
        return True
    match event:
        case ParticipantMuted() | ParticipantUnmuted():
            return participant.muted is isinstance(event, ParticipantUnmuted)
        case ParticipantHeld() | ParticipantUnheld():
            return participant.hold is isinstance(event, ParticipantUnheld)
        case MemberAdded(member_id=member_id):
            return member_id != participant.switch.member_id
    return not isinstance(event, CallRang | CallAnswered)


def _missed(snapshot: Snapshot, participant: Participant, doubtful: Collection[str], ask: Ask) -> list[Event]:
    at = snapshot.taken_at
    callstate = snapshot.channels.get(participant.call_sid, "")
    if not callstate and participant.call_sid not in snapshot.members:
        return _absent(participant, at, ask)
    member = snapshot.members.get(participant.call_sid)
    is_member = member is not None and member.conference_sid == participant.conference_sid
    events: list[Event] = []
    if participant.switch.member_id is not None and not is_member:
        events.append(MemberRemoved(at))  # first, or an answer would make it join
    if participant.status is ParticipantStatus.QUEUED:
        events.append(CallInitiated(at))
    if callstate in ("RINGING", "EARLY"):
        events.append(CallRang(at))
    if callstate in UP:
        events.append(CallAnswered(at))
    if member is not None and is_member:
        said = participant.muted_as_asked if participant.coaching else member.muted
        muted = None if participant.call_sid in doubtful else said
        events.append(MemberAdded(at, member.member_id, muted))
        if muted is not None:
            events.append(ParticipantMuted(at) if muted else ParticipantUnmuted(at))
        events.append(ParticipantHeld(at) if member.hold else ParticipantUnheld(at))
    return events


def is_outside(snapshot: Snapshot, participant: Participant) -> bool:
    """True for a call of ours that is up and in no conference: parked, or bridged to somebody whom we do not know.
    Nobody would ever end it, and its people talk where nobody looks."""
    member = snapshot.members.get(participant.call_sid)
    if participant.answered_at is None or snapshot.channels.get(participant.call_sid) not in UP:
        return False
    if member is not None and member.conference_sid == participant.conference_sid:
        return False
    since = max(participant.answered_at, participant.left_at or participant.answered_at)
    return snapshot.taken_at - since > OUTSIDE_GRACE


def _doubtful_mutes(snapshot: Snapshot, people: Iterable[Participant], ask: Ask) -> set[str]:
    """The CallSids of those of whom the snapshot does not say whether a client has muted them; what a client wants of
    a coach is so because it is wanted.

    One who was a coach when the snapshot was taken is muted in it. Whoever ended that unmutes first and takes the mark
    away then, so one without it was none if the member is still muted afterwards. Who was left muted as a coach is put
    right by the audit.
    """
    doubtful: set[str] = set()
    unmarked: dict[str, list[str]] = {}
    for person in people:
        member = snapshot.members.get(person.call_sid)
        if member is None or person.coaching:
            continue
        if member.hold or (member.muted is not person.muted and ask.is_coach(person.switch.channel_uuid)):
            doubtful.add(person.call_sid)
        elif member.muted is not person.muted:
            unmarked.setdefault(member.conference_sid, []).append(person.call_sid)
    for conference_sid, call_sids in unmarked.items():
        by_now = ask.list_members(conference_sid)
        for call_sid in call_sids:
            member = by_now.get(call_sid)
            if member is None or member.hold or member.muted is not snapshot.members[call_sid].muted:
                doubtful.add(call_sid)
    return doubtful


def _absent(participant: Participant, at: datetime, ask: Ask) -> list[Event]:
    """What it means that the node has no channel of a call. One that waits in a queue needs none: it is not dialled."""
    if participant.is_waiting:
        return []
    dialled_at = participant.tried_at or participant.dialled_at
    is_queued = participant.status is ParticipantStatus.QUEUED
    is_young = dialled_at is None or at - dialled_at < DIAL_GRACE
    if is_young and (is_queued or participant.sealed_call):  # by another gateway it is dialled as if for the first time
        return []
    if ask.is_alive(participant.switch.channel_uuid):
        return []
    return [DialFailed(at, LOST_CAUSE) if is_queued else CallEnded(at, LOST_CAUSE)]
