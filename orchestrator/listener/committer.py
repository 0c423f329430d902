"""Makes events facts: load what is known, project, commit in one step, wake who delivers, have the switch do its part.

A listener keeps one for its lease of a node; API and workers make one for each fact that they write, and need no lease
(adr/0020). What the switch has to do because of a fact is done here, whoever wrote the fact: no caller sees it, so none
can forget it.

The cache makes an event cost no read. A commit names the version it was computed from; if a client's request has
changed the conference meanwhile, the commit is refused, the state is loaded again and the same events are applied
again. Events are idempotent (late news is no news), so that is safe after any doubt, Redis' absence included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import structlog

from orchestrator import logs, metrics, tracing
from orchestrator.domain.calls import call_status, talked_seconds
from orchestrator.domain.changes import Change, Transition, Versioned, said_in, wish_of
from orchestrator.domain.conference import Conference, Participant, without_fulfilled_wishes
from orchestrator.domain.effects import UpdateMember
from orchestrator.domain.events import Happened
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.client import NodeUnavailable
from orchestrator.listener.coaching import Send
from orchestrator.listener.effects import Executor
from orchestrator.listener.overdue import Overdue
from orchestrator.listener.projector import Known, Placed, Projection, Serialize, may_end, project
from orchestrator.outgoing.addressing import shown_address
from orchestrator.recordings.recorder import Recorder
from orchestrator.store.commits import CommitStore, Committed
from orchestrator.store.lanes import Lane
from orchestrator.store.leases import Lease

CACHED_CONFERENCES: Final = 5_000
RETRY_SECONDS: Final = 0.2

Wake = Callable[[Sequence[object]], None]
Sleep = Callable[[float], object]
T = TypeVar("T")

log = structlog.get_logger("listener")


class Committer:
    """Not for two greenlets at once. `changed`: the conferences that it has changed since somebody cleared it."""

    def __init__(
        self,
        store: CommitStore,
        recorder: Recorder,
        serialize: Serialize,
        wake_callbacks: Wake,
        wake_sounds: Wake,
        sleep: Sleep,
        send: Send,
        lease: Lease | None = None,
    ) -> None:
        self.store = store
        self._lease = lease
        self.executor = Executor(store, recorder, send, wake_sounds, self.insist)
        self.changed: set[str] = set()
        self._serialize = serialize
        self._wake_callbacks = wake_callbacks
        self._sleep = sleep
        self._known = Known()
        self.overdue = Overdue()

    def commit_events(self, events: Sequence[Happened]) -> None:
        """Make events facts, in order, and have the switch do what follows. Waits for Redis.

        Raises NodeUnavailable, when all is committed, if the switch could not be told; LeaseLost.
        """
        left = list(events)
        while left:
            try:
                left = self._commit_once(left)
            except Unavailable as error:
                log.error("store_unreachable", error=error.message, waiting=len(left))
                self.forget(list(self._known.conferences))
                self._sleep(RETRY_SECONDS)
        self.executor.complain()

    def settle_coaching(self, conference: Conference) -> None:
        """Make the whispers of a conference what its state says now. Raises Unavailable."""
        if conference.coaches:
            self.executor.coaching.settle(conference.conference_sid, former=conference.coaches)

    def fence(self) -> None:
        """Close the node's conferences to whoever followed it before. Waits for Redis. Raises LeaseLost."""
        lease = self._lease
        if lease is not None:
            self.insist(lambda: self.store.fence(lease.node, lease.epoch))

    # ------------------------------------------------------------ the loop

    def _commit_once(self, events: Sequence[Happened]) -> list[Happened]:
        """Return the events whose commit was refused: somebody has changed their conference meanwhile."""
        placed = self._load(events)
        projection = project(self._known, placed, self._serialize)
        committed = self._commit(projection)
        self._wake(committed)
        self._send(projection, committed)
        return [item for sid, item in placed if sid in projection.changes and sid not in committed]

    def _load(self, events: Sequence[Happened]) -> list[Placed]:
        """Place each event in its conference, which a background job's result does not name, and read what is not in
        the cache."""
        known = self._known
        unplaced = [item.subject for item in events if item.conference_sid is None]
        found = self.store.load_conference_sids(list(dict.fromkeys(unplaced)))
        candidates = ((item.conference_sid or found.get(item.subject), item) for item in events)
        placed = [(sid, item) for sid, item in candidates if sid]
        calls = dict.fromkeys((sid, item.subject) for sid, item in placed if item.subject != sid)
        missing = [(sid, call) for sid, call in calls if known.participant(sid, call) is None]
        unseen = [sid for sid in dict.fromkeys(sid for sid, _ in placed) if sid not in known.conferences]
        if missing or unseen:
            conferences, participants = self.store.load(missing, unseen)
            known.conferences.update(conferences)
            for sid, call_sid in missing:
                if call_sid in participants:
                    known.participants.setdefault(sid, {})[call_sid] = participants[call_sid]
        known.owed = {sid: self.store.list_owed(sid) for sid in may_end(known, placed)}
        return placed

    def _commit(self, projection: Projection) -> dict[str, Committed]:
        """Write each conference's change, unless somebody has changed it since it was read; returns what is written."""
        changes = list(projection.changes.values())
        if not changes:
            return {}
        answers = self.insist(lambda: self._write(changes))
        committed: dict[str, Committed] = {}
        for change, answer in zip(changes, answers, strict=True):
            sid = change.after.conference_sid
            if answer is None:
                self.forget([sid])
                continue
            committed[sid] = answer
            self.changed.add(sid)
            self._remember(change)
            _log(change, answer)
        return committed

    def _write(self, changes: Sequence[Change]) -> list[Committed | None]:
        if self._lease is None:
            return self.store.commit(changes)
        self._lease.check()
        return self.store.commit(changes, self._lease.epoch)

    def _wake(self, committed: dict[str, Committed]) -> None:
        lanes = [Lane(sid, name) for sid, answer in committed.items() for name in answer.lanes]
        if lanes:
            self._wake_callbacks(lanes)

    def _send(self, projection: Projection, committed: dict[str, Committed]) -> None:
        """Have done what follows. Also what is wanted otherwise than the switch has just said: of two mutes that were
        asked for at once it may have heard the earlier one last."""
        self.executor.end_strays(projection.strays)
        for sid, answer in committed.items():
            contested = [
                (UpdateMember(muted=muted), call_sid, logs.request_id()) for call_sid, muted in answer.contested
            ]
            caused = [(effect, cause[0], _asked_by(cause, answer)) for effect, cause in projection.effects.get(sid, ())]
            change = projection.changes[sid]
            with logs.bound(change.after.account_sid, sid):
                self.executor.carry_out(change, [*caused, *contested])

    def insist(self, ask: Callable[[], T]) -> T:
        """Repeat the same question until Redis answers. A commit, too: computed anew, mutes that Redis has kept would
        be told twice."""
        while True:
            try:
                return ask()
            except NodeUnavailable:
                raise
            except Unavailable as error:
                log.error("store_unreachable", error=error.message)
                self._sleep(RETRY_SECONDS)

    # ------------------------------------------------------------ cache

    def forget(self, conference_sids: Iterable[str]) -> None:
        """Read these conferences again before the next event."""
        for sid in conference_sids:
            self._known.conferences.pop(sid, None)
            self._known.participants.pop(sid, None)

    def _remember(self, change: Change) -> None:
        sid, known = change.after.conference_sid, self._known
        self.overdue.note(after for _, after in change.participants.values())
        if change.after.live_count == 0:
            self.forget([sid])  # what still comes of its calls is little, and is loaded when it comes
            return
        known.conferences.pop(sid, None)  # the one that was changed last stands last
        known.conferences[sid] = Versioned(change.after, change.before.version + 1)
        group = known.participants.setdefault(sid, {})
        events = change.events()
        for call_sid, (_, after) in change.participants.items():
            group[call_sid] = without_fulfilled_wishes(after, said_in(events.get(call_sid, ())))
            if after.ended_at is not None:
                del group[call_sid]
        while len(known.conferences) > CACHED_CONFERENCES:
            self.forget([next(iter(known.conferences))])


def _log_end(call: Participant) -> None:
    """Tell the whole of a call in its last line: whom it was between, and how it ended."""
    status = call_status(call)
    metrics.CALLS_ENDED.labels(str(status)).inc()
    log.info(
        "call_ended",
        status=status,
        to=shown_address(call.to),
        cause=call.hangup_cause,
        sip_status=call.sip_status,
        seconds=talked_seconds(call),
        **{"from": shown_address(call.from_)},
    )


def _asked_by(transition: Transition, committed: Committed) -> str:
    """Return the request that asked for what has happened; '' if nobody did."""
    subject, event, *_, request_id = transition
    return request_id or committed.requests.get(wish_of(subject, event), "")


def _log(change: Change, committed: Committed) -> None:
    asked: dict[str, str] = {}
    with logs.bound(change.after.account_sid, change.after.conference_sid):
        for transition in change.transitions:
            subject, event, was, status, _ = transition
            asked[subject] = _asked_by(transition, committed)
            _, participant = change.participants.get(subject, (None, None))
            cause = None if participant is None else participant.hangup_cause
            call_sid = "" if participant is None else subject
            with logs.bound(call_sid, request_id=asked[subject]):
                tracing.mark(event, subject, logs.request_id(), status=status)
                log.info("transition", what=event, was=was, status=status, cause=cause)
        for call_sid, (before, after) in change.participants.items():
            if after.ended_at is not None and before.ended_at is None:
                with logs.bound(call_sid, request_id=asked[call_sid]):
                    _log_end(after)
        if committed.dropped:
            log.error("callbacks_dropped", reason="depth", count=len(committed.dropped))
