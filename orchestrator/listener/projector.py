"""Events -> the next state of their conferences, the callbacks of it, and what the switch has to do: pure.

No Redis, no switch, no clock: what has to be known is loaded before (committer.py), what follows is done afterwards.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from orchestrator.callbacks.keep import kept
from orchestrator.callbacks.plan import Callback, announced, cut_off, plan_callbacks
from orchestrator.domain.changes import Change, NewCallback, Versioned
from orchestrator.domain.conference import Participant
from orchestrator.domain.effects import Effect
from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    CallInitiated,
    ConferenceEnded,
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
    """What a batch of events leads to, by ConferenceSid. `effects` stand beside the CallSid of whom they follow from;
    `strays` are legs that nobody could ever remove: (ConferenceSid, CallSid)."""

    changes: dict[str, Change] = field(default_factory=dict)
    effects: dict[str, list[tuple[Effect, str]]] = field(default_factory=dict)
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
            log.exception("event_not_applied", conference_sid=conference_sid, subject=item.subject)
    return projection


def may_end(known: Known, placed: Iterable[Placed]) -> list[str]:
    """The conferences that these events may end: as many go as there are left."""
    going: dict[str, int] = {}
    for conference_sid, item in placed:
        if isinstance(item.event, (CallEnded, DialFailed, MemberRemoved)):
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
    if item.subject == conference_sid:
        is_news = _change_conference(change, item.event, serialize)
        effects: tuple[Effect, ...] = ()
    else:
        participant = known.participant(conference_sid, item.subject)
        if participant is None:
            return
        owed = known.owed.get(conference_sid, ())
        is_news, effects = _change_call(change, participant, item.event, owed, serialize)
    if is_news:
        projection.changes[conference_sid] = change
        projection.effects.setdefault(conference_sid, []).extend((effect, item.subject) for effect in effects)


def _change_conference(change: Change, event: Event, serialize: Serialize) -> bool:
    """Apply an event about the conference itself; returns whether it is news."""
    was = change.after
    conference, events = apply_to_conference(was, event)
    if conference == was and not events:
        return False
    conference, _, callbacks = plan_callbacks(conference, None, events)
    rows = _rows(callbacks, serialize)
    # From here on nothing can fail: a change is whole or is not there.
    change.after = conference
    _note(change, conference.conference_sid, event, (str(was.status), str(conference.status)), events, rows)
    return True


def _change_call(
    change: Change, participant: Participant, event: Event, owed: Iterable[OwedEnd], serialize: Serialize
) -> tuple[bool, tuple[Effect, ...]]:
    """Apply an event about a call; returns whether it is news, and what the switch has to do because of it."""
    call_sid = participant.call_sid
    read, was = change.participants.get(call_sid) or (participant, participant)
    outcome = apply(change.after, was, event)
    if outcome.conference == change.after and outcome.participant == was and not outcome.events:
        return False, ()
    events, to_all = _with_cut_off(outcome.events, owed, change.announced)
    conference, current, callbacks = plan_callbacks(outcome.conference, outcome.participant, events, to_all)
    rows = _rows(callbacks, serialize)
    # From here on nothing can fail: a change is whole or is not there.
    change.after = conference
    change.participants[call_sid] = (read, current)
    _note(change, call_sid, event, (str(was.status), str(current.status)), events, rows)
    return True, outcome.effects


def _with_cut_off(
    events: Sequence[Event], owed: Iterable[OwedEnd], told: Sequence[str]
) -> tuple[Sequence[Event], Sequence[Event]]:
    """Before its end a conference tells that of each announcement that it cuts off. Returns also those to all."""
    if not events or not isinstance(events[-1], ConferenceEnded):
        return events, ()
    *before, end = events
    ends, to_all = cut_off(end.at, owed, told)
    return (*before, *ends, end), to_all


def _rows(callbacks: Iterable[Callback], serialize: Serialize) -> list[tuple[str, NewCallback]]:
    return [(callback.lane, kept(callback, serialize(callback))) for callback in callbacks]


def _note(
    change: Change,
    subject: str,
    event: Event,
    statuses: tuple[str, str],
    events: Iterable[Event],
    rows: Iterable[tuple[str, NewCallback]],
) -> None:
    change.announced += announced(events)
    change.transitions.append((subject, type(event).__name__, *statuses))
    for lane, row in rows:
        change.outbox.setdefault(lane, []).append(row)
