"""Events -> the next state of their conferences, the callbacks of it, and what the switch has to do: pure.

No Redis, no switch, no clock: what has to be known is loaded before (committer.py), what follows is done afterwards.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from orchestrator import logs
from orchestrator.callbacks.keep import kept
from orchestrator.callbacks.plan import Callback, announced, plan_callbacks, with_cut_off
from orchestrator.domain.changes import Change, Transition, Versioned, wish_of
from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.effects import Effect
from orchestrator.domain.events import (
    AnnouncementFailed,
    AnswererDetected,
    CallAnswered,
    CallEnded,
    CallInitiated,
    CallRang,
    DialFailed,
    Event,
    Happened,
    MemberAdded,
    MemberRemoved,
    OwedEnd,
)
from orchestrator.domain.transitions import apply, apply_to_conference

Serialize = Callable[[Callback], Sequence[tuple[str, str]]]
Placed = tuple[str, Happened]
"""An event behind the SID of the conference with which its subject is kept."""

_ENDS: Final = (CallEnded, DialFailed, MemberRemoved)
_OF_A_CREATE: Final = (CallInitiated, CallRang, CallAnswered, AnswererDetected, MemberAdded, *_ENDS)

log = structlog.get_logger("listener")


@dataclass(slots=True)
class Known:
    """State as it was loaded: conferences, their participants by CallSid, and the ends of announcements that are owed
    in conferences that may end now."""

    conferences: dict[str, Versioned] = field(default_factory=dict)
    participants: dict[str, dict[str, Participant]] = field(default_factory=dict)
    owed: dict[str, list[OwedEnd]] = field(default_factory=dict)

    def participant(self, conference_sid: str, call_sid: str) -> Participant | None:
        """The participant, if it was found."""
        return self.participants.get(conference_sid, {}).get(call_sid)


@dataclass(slots=True)
class Projection:
    """What a batch of events leads to, by ConferenceSid. `effects` stand beside what they follow from;
    `strays` are legs that nobody could ever remove: (ConferenceSid, CallSid)."""

    changes: dict[str, Change] = field(default_factory=dict)
    effects: dict[str, list[tuple[Effect, Transition]]] = field(default_factory=dict)
    strays: list[tuple[str, str]] = field(default_factory=list)


def project(known: Known, placed: Iterable[Placed], serialize: Serialize) -> Projection:
    """Apply events in order to what is known. One that cannot be applied is logged, and costs no other."""
    projection = Projection()
    for conference_sid, item in placed:
        if _is_stray(known, conference_sid, item):
            projection.strays.append((conference_sid, item.subject))
        try:
            _project_one(known, conference_sid, item, serialize, projection)
        except Exception:
            account_sid = known.conferences[conference_sid].conference.account_sid
            with logs.bound(account_sid, conference_sid, item.subject):
                log.exception("event_not_applied", what=type(item.event).__name__)
    return projection


def may_end(known: Known, placed: Iterable[Placed]) -> list[str]:
    """The conferences that these events may end: as many go as there are left."""
    going: dict[str, int] = {}
    for conference_sid, item in placed:
        if isinstance(item.event, _ENDS):
            going[conference_sid] = going.get(conference_sid, 0) + 1
    return [
        sid
        for sid, number in going.items()
        if sid in known.conferences and number >= known.conferences[sid].conference.live_count
    ]


def _is_stray(known: Known, conference_sid: str, item: Happened) -> bool:
    """True for a leg that comes to life though no record speaks of it, or says that it has ended."""
    if not isinstance(item.event, (CallInitiated, CallAnswered, MemberAdded)):
        return False
    participant = known.participant(conference_sid, item.subject)
    return participant is None or participant.ended_at is not None


def _project_one(
    known: Known, conference_sid: str, item: Happened, serialize: Serialize, projection: Projection
) -> None:
    before = known.conferences.get(conference_sid)
    if before is None:
        return
    change = projection.changes.get(conference_sid) or Change(before, before.conference, uuid.uuid4().hex)
    is_of_conference = item.subject == conference_sid
    effects = (_project_conference if is_of_conference else _project_call)(known, change, item, serialize)
    if effects is not None:
        projection.changes[conference_sid] = change
        cause = change.transitions[-1]
        projection.effects.setdefault(conference_sid, []).extend((effect, cause) for effect in effects)


def _project_conference(
    known: Known, change: Change, item: Happened, serialize: Serialize
) -> tuple[Effect, ...] | None:
    """Apply an event about the conference itself; returns what the switch has to do, or None if it is no news."""
    was = change.after
    conference, events = apply_to_conference(was, item.event)
    if conference == was and not events:
        return None
    conference, _, callbacks = plan_callbacks(conference, None, events)
    _record(change, item, logs.request_id(), (was.status, conference.status), conference, events, callbacks, serialize)
    return ()


def _project_call(known: Known, change: Change, item: Happened, serialize: Serialize) -> tuple[Effect, ...] | None:
    """Apply an event about a call; returns what the switch has to do because of it, or None if it is no news."""
    conference_sid = change.after.conference_sid
    participant = known.participant(conference_sid, item.subject)
    if participant is None:
        return None
    read, was = change.participants.get(item.subject) or (participant, participant)
    outcome = apply(change.after, was, item.event)
    if outcome.conference == change.after and outcome.participant == was and not outcome.events:
        return None
    events, to_all = with_cut_off(outcome.events, known.owed.get(conference_sid, ()), change.announced)
    conference, current, callbacks = plan_callbacks(outcome.conference, outcome.participant, events, to_all)
    request_id = logs.request_id() or _request_of(change.after, was, item.event)
    _record(change, item, request_id, (was.status, current.status), conference, events, callbacks, serialize)
    change.participants[item.subject] = (read, current)
    return outcome.effects


def _request_of(conference: Conference, participant: Participant, event: Event) -> str:
    """Return the client's request that led to an event of a call, or '', by the records. Who asked for a mute or a hold
    the commit finds. A call ends for its removal, or with its conference; one that ends for neither and has not joined
    has come to nothing of what its create asked for."""
    is_ended = participant.removal_requested or conference.is_ending or participant.joined_at is not None
    if isinstance(event, _ENDS) and is_ended:
        return participant.removal_request or conference.end_request
    return participant.create_request if isinstance(event, _OF_A_CREATE) else ""


def _announced_by(event: Event) -> str:
    """Return who asked for an announcement that is cut off; '' for every other event."""
    return event.request_id if isinstance(event, AnnouncementFailed) else ""


def _record(
    change: Change,
    item: Happened,
    request_id: str,
    statuses: tuple[str, str],
    conference: Conference,
    events: Iterable[Event],
    callbacks: Iterable[Callback],
    serialize: Serialize,
) -> None:
    """Enter what an event has led to. A change is whole or is not there: what can fail comes first."""
    name = type(item.event).__name__
    wish = wish_of(item.subject, name)
    rows = [(one.lane, kept(one, serialize(one), _announced_by(one.event) or request_id, wish)) for one in callbacks]
    was, status = statuses
    change.after = conference
    change.announced += announced(events)
    change.transitions.append((item.subject, name, str(was), str(status), request_id))
    for lane, row in rows:
        change.outbox.setdefault(lane, []).append(row)
