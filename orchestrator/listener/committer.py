"""The listener's engine: keeps what it last saw of each conference, applies events to it, commits what has changed.

The cache makes an event cost no read. A commit names the version it was computed from; if a client's request has
changed the conference meanwhile, the commit is refused, the state is loaded again and the same events are applied
again. Events are idempotent (late news is no news), so that is safe after any doubt, Redis' absence included.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import structlog

from orchestrator.callbacks.keep import kept
from orchestrator.callbacks.plan import Callback, announced, plan_callbacks, with_cut_off
from orchestrator.domain.commands import Command, UpdateParticipant
from orchestrator.domain.conference import Conference, Participant, without_fulfilled_wishes
from orchestrator.domain.events import CallAnswered, CallInitiated, ConferenceEnded, Event, MemberAdded
from orchestrator.domain.transitions import apply
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.client import NodeUnavailable
from orchestrator.freeswitch.commands import SwitchCommand
from orchestrator.freeswitch.events import Translated
from orchestrator.freeswitch.snapshot import Snapshot, missed_events
from orchestrator.listener.coaching import Send
from orchestrator.listener.effects import Rendered, render
from orchestrator.listener.executor import Executor
from orchestrator.listener.reconciler import end_stray, strays_of
from orchestrator.store.commits import Change, CommitStore, Committed, Versioned
from orchestrator.store.outbox import Lane

CACHED_CONFERENCES: Final = 5_000

Serialize = Callable[[Callback], Sequence[tuple[str, str]]]
Wake = Callable[[Sequence[object]], None]
Sleep = Callable[[float], object]
Answer = TypeVar("Answer")

log = structlog.get_logger("listener")


class Committer:
    """Not for two greenlets at once. A listener keeps one; API and workers make one for each fact that they write.

    What the switch has to do because of a fact is sent by whoever commits it, through `send`: nobody can forget it.
    """

    def __init__(
        self,
        store: CommitStore,
        serialize: Serialize,
        wake_callbacks: Wake,
        wake_sounds: Wake,
        sleep: Sleep,
        send: Send,
    ) -> None:
        self._store = store
        self._executor = Executor(store, send, wake_sounds, self._surely)
        self._serialize = serialize
        self._wake_callbacks = wake_callbacks
        self._sleep = sleep
        self._commits = 0
        self._conferences: OrderedDict[str, Versioned] = OrderedDict()
        self._participants: dict[str, dict[str, Participant]] = {}

    # ------------------------------------------------------------ the two ways in

    def commit_events(self, events: Sequence[Translated]) -> None:
        """Apply events in order, commit what they change, and have the switch do what follows. Waits for Redis.

        Raises NodeUnavailable, when all is committed, if the switch could not be told.
        """
        left = list(events)
        while left:
            try:
                left = self._apply_once(left)
            except Unavailable as error:
                log.error("store_unreachable", error=error.message, waiting=len(left))
                self._forget(list(self._conferences))
                self._sleep(0.2)
        self._executor.complain()

    def apply_snapshot(self, snapshot: Snapshot, node: str) -> None:
        """Apply what the node's events did not tell us, and repeat what the switch has not done yet. Raises
        NodeUnavailable."""
        if snapshot.conference_sid is not None:
            self._executor.repeat(self._surely(lambda: self._load_whole(snapshot.conference_sid)), snapshot)
            return
        unended = self._surely(lambda: self._store.list_unended(node))
        self._forget(conference.conference_sid for conference, _ in unended)
        everybody = [participant for _, group in unended for participant in group]
        commits = self._commits
        self.commit_events(missed_events(snapshot, everybody, self._executor))
        if self._commits != commits:  # what is repeated must not be what was so before them
            unended = self._surely(lambda: self._store.list_unended(node))
        self._executor.send_all(strays_of(self._store, snapshot, everybody))
        self._executor.repeat(unended, snapshot)

    def settle_coaching(self, conference: Conference) -> None:
        """Make the whispers of a conference what its state says now. Raises Unavailable."""
        if conference.coaches:
            self._executor.coaching.settle(conference.conference_sid, former=conference.coaches)

    def _load_whole(self, conference_sid: str | None) -> list[tuple[Conference, list[Participant]]]:
        sid = conference_sid or ""
        found, _ = self._store.load((), [sid])
        return [(found[sid].conference, self._store.list_live(sid))] if sid in found else []

    # ------------------------------------------------------------ one round

    def _apply_once(self, events: list[Translated]) -> list[Translated]:
        """Apply and commit; returns the events whose commit was refused."""
        placed = self._place(events)
        self._load(placed)
        changes: dict[str, Change] = {}
        commands: dict[str, list[tuple[Command, str]]] = {}
        for conference_sid, item in placed:
            try:
                self._apply_one(conference_sid, item, changes, commands)
            except Exception:
                log.exception("event_not_applied", conference_sid=conference_sid, call_sid=item.call_sid)
        strays = self._stray_legs(placed)
        refused = self._commit(list(changes.values()), commands) if changes else set()
        self._executor.send_all(strays)
        for conference_sid, found in commands.items():
            if conference_sid not in refused:
                self._executor.carry_out(conference_sid, self._render(changes[conference_sid], found))
        return [item for conference_sid, item in placed if conference_sid in refused]

    def _render(self, change: Change, commands: Iterable[tuple[Command, str]]) -> Rendered:
        """What the commands mean in the state that has just been written."""
        rendered = Rendered()
        for command, call_sid in commands:
            participant = change.participants[call_sid][1]

            def rendering(command: Command = command, participant: Participant = participant) -> Rendered:
                return render(command, change.after, participant, self._store)

            rendered += self._surely(rendering)
        return rendered

    def _stray_legs(self, placed: Iterable[tuple[str, Translated]]) -> list[SwitchCommand]:
        """Legs that come to life though no record speaks of them, or it says that they have ended: nobody could ever
        remove such a person from the conference."""
        strays: list[SwitchCommand] = []
        for conference_sid, item in placed:
            if isinstance(item.event, (CallInitiated, CallAnswered, MemberAdded)):
                participant = self._participants.get(conference_sid, {}).get(item.call_sid)
                if participant is None or participant.ended_at is not None:
                    strays.append(end_stray(conference_sid, item.call_sid))
        return strays

    def _place(self, events: Sequence[Translated]) -> list[tuple[str, Translated]]:
        """Each event with its ConferenceSid; a background job's result does not say it."""
        unknown = [item.call_sid for item in events if item.conference_sid is None]
        found = self._store.load_conference_sids(list(dict.fromkeys(unknown)))
        placed = ((item.conference_sid or found.get(item.call_sid), item) for item in events)
        return [(conference_sid, item) for conference_sid, item in placed if conference_sid]

    def _load(self, placed: Iterable[tuple[str, Translated]]) -> None:
        pairs = dict.fromkeys((sid, item.call_sid) for sid, item in placed)
        missing = [(sid, call) for sid, call in pairs if call not in self._participants.get(sid, {})]
        unseen = list(dict.fromkeys(sid for sid, _ in pairs if sid not in self._conferences))
        if not missing and not unseen:
            return
        conferences, participants = self._store.load(missing, unseen)
        self._conferences.update(conferences)
        for sid, call_sid in missing:
            if call_sid in participants:
                self._participants.setdefault(sid, {})[call_sid] = participants[call_sid]

    def _apply_one(
        self,
        conference_sid: str,
        item: Translated,
        changes: dict[str, Change],
        commands: dict[str, list[tuple[Command, str]]],
    ) -> None:
        known = self._conferences.get(conference_sid)
        participant = self._participants.get(conference_sid, {}).get(item.call_sid)
        if known is None or participant is None:
            return
        change = changes.get(conference_sid)
        conference = change.after if change else known.conference
        before, current = (change.participants.get(item.call_sid) if change else None) or (participant, participant)
        outcome = apply(conference, current, item.event)
        if outcome.conference == conference and outcome.participant == current and not outcome.events:
            return
        status = current.status
        events = self._with_owed(conference_sid, outcome.events, change)
        conference, current, callbacks = plan_callbacks(outcome.conference, outcome.participant, events)
        entries = [(callback.lane, kept(callback, self._serialize(callback))) for callback in callbacks]
        # From here on nothing can fail: a change is whole or is not there.
        if change is None:
            change = changes[conference_sid] = Change(known, conference, uuid.uuid4().hex)
        change.after = conference
        change.announced += announced(events)
        change.participants[item.call_sid] = (before, current)
        change.transitions.append((item.call_sid, type(item.event).__name__, str(status), str(current.status)))
        for lane, entry in entries:
            change.outbox.setdefault(lane, []).append(entry)
        for command in outcome.commands:
            commands.setdefault(conference_sid, []).append((command, item.call_sid))

    def _with_owed(self, conference_sid: str, events: tuple[Event, ...], change: Change | None) -> tuple[Event, ...]:
        """Before its end a conference tells that of each announcement that it cuts off."""
        if not any(isinstance(event, ConferenceEnded) for event in events):
            return events
        owed = self._surely(lambda: self._store.list_owed(conference_sid))
        return with_cut_off(events, owed, change.announced if change else ())

    def _commit(self, changes: list[Change], commands: dict[str, list[tuple[Command, str]]]) -> set[str]:
        """Write all; returns the conferences whose change was refused, and wakes the lanes of the others. Adds to
        `commands` what is wanted otherwise than the switch has just said: of two mutes that were asked for at once it
        may have heard the earlier one last."""
        refused: set[str] = set()
        lanes: list[Lane] = []
        for change, committed in zip(changes, self._surely(lambda: self._store.commit(changes)), strict=True):
            sid = change.after.conference_sid
            if committed is None:
                refused.add(sid)
                continue
            self._commits += 1
            self._remember(change)
            _log_transitions(change)
            lanes += [Lane(sid, name) for name in committed.lanes]
            _log_dropped(sid, committed)
            for call_sid, muted in committed.contested:
                commands.setdefault(sid, []).append((UpdateParticipant(muted=muted), call_sid))
        self._forget(refused)
        if lanes:
            self._wake_callbacks(lanes)
        return refused

    def _surely(self, ask: Callable[[], Answer]) -> Answer:
        """Repeat the same question until Redis answers. A commit, too: computed anew, mutes that Redis has kept would
        be told twice."""
        while True:
            try:
                return ask()
            except NodeUnavailable:
                raise
            except Unavailable as error:
                log.error("store_unreachable", error=error.message)
                self._sleep(0.2)

    # ------------------------------------------------------------ cache

    def _remember(self, change: Change) -> None:
        sid = change.after.conference_sid
        if change.after.live_count == 0:
            self._forget([sid])  # what still comes of its calls is little, and is loaded when it comes
            return
        self._conferences[sid] = Versioned(change.after, change.before.version + 1)
        self._conferences.move_to_end(sid)
        group = self._participants.setdefault(sid, {})
        for call_sid, (_, after) in change.participants.items():
            group[call_sid] = without_fulfilled_wishes(after)
            if after.ended_at is not None:
                del group[call_sid]
        while len(self._conferences) > CACHED_CONFERENCES:
            oldest, _ = self._conferences.popitem(last=False)
            self._participants.pop(oldest, None)

    def _forget(self, conference_sids: Iterable[str]) -> None:
        for sid in conference_sids:
            self._conferences.pop(sid, None)
            self._participants.pop(sid, None)


def _log_transitions(change: Change) -> None:
    for call_sid, event, was, status in change.transitions:
        log.info(
            "transition",
            conference_sid=change.after.conference_sid,
            call_sid=call_sid,
            what=event,
            was=was,
            status=status,
            cause=change.participants[call_sid][1].hangup_cause,
        )


def _log_dropped(conference_sid: str, committed: Committed) -> None:
    if committed.dropped:
        log.error("callbacks_dropped", conference_sid=conference_sid, reason="depth", count=len(committed.dropped))
