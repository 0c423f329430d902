"""What a node holds now -> the domain events that we have missed. Missed events are events: there is no second path.

FreeSWITCH replays nothing to a client that was away. So after every (re)connect, and now and then for ghosts, what
`show channels` and `conference json_list` say is compared with what the store believes about the node's calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from orchestrator.domain.conference import Participant, ParticipantStatus
from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    DialFailed,
    Event,
    MemberAdded,
    MemberRemoved,
    ParticipantHeld,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from orchestrator.freeswitch.client import EventSocket
from orchestrator.freeswitch.commands import ListChannels, ListConferences
from orchestrator.freeswitch.events import Translated
from orchestrator.sids import call_sid_of, is_sid

DIAL_GRACE: Final = timedelta(seconds=2)
"""A queued participant this young may have no channel yet: its originate is on the way. The next snapshot tells."""

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
    """All channels of a node (CallSid -> FreeSWITCH's callstate) and all members of our conferences."""

    taken_at: datetime
    channels: dict[str, str] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)


SNAPSHOT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class RawSnapshot:
    """The node's own words, as they came between two events."""

    taken_at: datetime
    channels: str
    conferences: str


def take_snapshot(connection: EventSocket, put: Callable[[RawSnapshot], None]) -> None:
    """Ask the node what it holds. `put` is called by the socket's reader, so the snapshot takes its place among the
    events, and none that was sent after it is undone by it. Raises NodeUnavailable, CommandRefused."""
    taken_at = datetime.now(UTC)
    channels = connection.api(ListChannels().render(), SNAPSHOT_SECONDS)
    connection.api(
        ListConferences().render(), SNAPSHOT_SECONDS, lambda text: put(RawSnapshot(taken_at, channels, text))
    )


def parse_snapshot(raw: RawSnapshot) -> Snapshot:
    """Read a snapshot. Raises ValueError, KeyError if it is not what FreeSWITCH 1.10 answers."""
    snapshot = Snapshot(raw.taken_at)
    for row in orjson.loads(raw.channels).get("rows", []):
        call_sid = call_sid_of(row["uuid"])
        if call_sid is not None and row.get("direction") == "outbound":
            snapshot.channels[call_sid] = row.get("callstate", "")
    for conference in _conferences(raw.conferences):
        if is_sid("CF", conference.get("conference_name", "")):
            _read_members(snapshot, conference)
    return snapshot


def _conferences(text: str) -> list[dict[str, Any]]:
    """Without any conference the answer is a sentence, not a list."""
    return list(orjson.loads(text)) if text.startswith("[") else []


def _read_members(snapshot: Snapshot, conference: dict[str, Any]) -> None:
    for row in conference.get("members", []):
        call_sid = call_sid_of(row.get("uuid", "")) if row.get("type", "caller") == "caller" else None
        if call_sid is not None:
            flags = row["flags"]
            snapshot.members[call_sid] = Member(
                conference["conference_name"],
                int(row["id"]),
                muted=not flags.get("can_speak", True),
                deaf=not flags.get("can_hear", True),
                hold=flags.get("hold", False),
            )


IsAlive = Callable[[str], bool]
"""channel UUID -> whether the node still has it; raises NodeUnavailable."""


def missed_events(snapshot: Snapshot, live: Iterable[Participant], is_alive: IsAlive) -> list[Translated]:
    """The events that lead from what the store believes of `live` to what the node holds.

    `show channels` reads a database that lags behind, so a channel that it does not show is asked for by its UUID.
    """
    return [
        Translated(participant.call_sid, participant.conference_sid, event)
        for participant in live
        for event in _missed(snapshot, participant, is_alive)
    ]


def _missed(snapshot: Snapshot, participant: Participant, is_alive: IsAlive) -> list[Event]:
    at = snapshot.taken_at
    callstate = snapshot.channels.get(participant.call_sid, "")
    if not callstate and participant.call_sid not in snapshot.members:
        return _absent(participant, at, is_alive)
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
        events.append(MemberAdded(at, member.member_id))
        is_same = member.member_id == participant.switch.member_id
        if participant.admitted and is_same and not member.hold:  # else muted by nobody: so everybody joins
            events.append(ParticipantMuted(at) if member.muted else ParticipantUnmuted(at))
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


def _absent(participant: Participant, at: datetime, is_alive: IsAlive) -> list[Event]:
    is_queued = participant.status is ParticipantStatus.QUEUED
    too_young = is_queued and at - participant.created_at < DIAL_GRACE
    if too_young or is_alive(participant.switch.channel_uuid):
        return []
    return [DialFailed(at, LOST_CAUSE) if is_queued else CallEnded(at, LOST_CAUSE)]
