"""The listener's engine: keeps what it last saw of each conference, applies events to it, commits what has changed.

The cache makes an event cost no read. A commit names the version it was computed from; if a client's request has
changed the conference meanwhile, the commit is refused, the state is loaded again and the same events are applied
again. Events are idempotent (late news is no news), so that is safe after any doubt, Redis' absence included.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, cast

import structlog

from orchestrator.callbacks.entry import Entry
from orchestrator.callbacks.plan import Callback, plan_callbacks
from orchestrator.domain.commands import Command, EndConference, RemoveParticipant, UpdateParticipant
from orchestrator.domain.conference import Participant
from orchestrator.domain.events import CallAnswered, CallInitiated, MemberAdded
from orchestrator.domain.transitions import apply, outstanding_updates
from orchestrator.errors import Unavailable
from orchestrator.freeswitch.commands import HangUpMembers, KillChannel, MuteMember, SetExitHook, SwitchCommand
from orchestrator.freeswitch.events import Translated
from orchestrator.freeswitch.snapshot import IsAlive, Snapshot, missed_events
from orchestrator.sids import channel_uuid_of
from orchestrator.store.commits import Change, CommitStore, Committed, NewCallback, Versioned
from orchestrator.store.outbox import Lane

CACHED_CONFERENCES: Final = 5_000

Serialize = Callable[[Callback], Sequence[tuple[str, str]]]
Wake = Callable[[Sequence[Lane]], None]
Sleep = Callable[[float], object]

log = structlog.get_logger("listener")


class Applier:
    """One per listener. Not for two greenlets at once."""

    def __init__(self, store: CommitStore, serialize: Serialize, wake: Wake, sleep: Sleep) -> None:
        self._store = store
        self._serialize = serialize
        self._wake = wake
        self._sleep = sleep
        self._conferences: OrderedDict[str, Versioned] = OrderedDict()
        self._participants: dict[str, dict[str, Participant]] = {}

    # ------------------------------------------------------------ the two ways in

    def apply_events(self, events: Sequence[Translated]) -> list[SwitchCommand]:
        """Apply events in order and commit what they change; returns what the switch has to do. Waits for Redis."""
        orders: list[SwitchCommand] = []
        left = list(events)
        while left:
            try:
                left = self._apply_once(left, orders)
            except Unavailable as error:
                log.error("store_unreachable", error=error.message, waiting=len(left))
                self._forget(list(self._conferences))
                self._sleep(0.2)
        return orders

    def apply_snapshot(self, snapshot: Snapshot, node: str, is_alive: IsAlive) -> list[SwitchCommand]:
        """Apply what the node's events did not tell us, and repeat what the switch has not done yet."""
        while True:
            try:
                unended = self._store.list_unended(node)
                break
            except Unavailable as error:
                log.error("store_unreachable", error=error.message)
                self._sleep(0.2)
        self._forget(conference.conference_sid for conference, _ in unended)
        everybody = [participant for _, group in unended for participant in group]
        orders = self.apply_events(missed_events(snapshot, everybody, is_alive))
        for conference, group in unended:
            for participant in group:
                if participant.removal_requested or conference.is_ending:
                    orders.append(KillChannel(participant.switch.channel_uuid))
                elif participant.is_present:
                    orders += self._update_orders(participant, outstanding_updates(participant))
        return orders + self._strays_of(snapshot, everybody)

    # ------------------------------------------------------------ one round

    def _apply_once(self, events: list[Translated], orders: list[SwitchCommand]) -> list[Translated]:
        """Apply and commit; returns the events whose commit was refused."""
        placed = self._place(events)
        self._load(placed)
        changes: dict[str, Change] = {}
        commands: dict[str, list[tuple[Command, Participant]]] = {}
        for conference_sid, item in placed:
            try:
                self._apply_one(conference_sid, item, changes, commands)
            except Exception:
                log.exception("event_not_applied", conference_sid=conference_sid, call_sid=item.call_sid)
        orders += self._stray_legs(placed)
        refused = self._commit(list(changes.values())) if changes else set()
        for conference_sid, found in commands.items():
            if conference_sid not in refused:
                orders += [order for command, participant in found for order in self._orders(command, participant)]
        return [item for conference_sid, item in placed if conference_sid in refused]

    def _stray_legs(self, placed: Iterable[tuple[str, Translated]]) -> list[SwitchCommand]:
        """Legs that come to life though no record speaks of them, or it says that they have ended: nobody could ever
        remove such a person from the conference."""
        orders: list[SwitchCommand] = []
        for conference_sid, item in placed:
            if isinstance(item.event, (CallInitiated, CallAnswered, MemberAdded)):
                participant = self._participants.get(conference_sid, {}).get(item.call_sid)
                if participant is None or participant.ended_at is not None:
                    orders.append(_end_stray(conference_sid, item.call_sid))
        return orders

    def _strays_of(self, snapshot: Snapshot, known: Iterable[Participant]) -> list[SwitchCommand]:
        """The same for legs that the node holds now."""
        held = {*snapshot.channels, *snapshot.members} - {participant.call_sid for participant in known}
        placed = self._store.load_conference_sids(sorted(held))
        _, participants = self._store.load([(sid, call) for call, sid in placed.items()], ())
        return [
            _end_stray(sid, call)
            for call, sid in placed.items()
            if call not in participants or participants[call].ended_at is not None
        ]

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
        commands: dict[str, list[tuple[Command, Participant]]],
    ) -> None:
        known = self._conferences.get(conference_sid)
        participant = self._participants.get(conference_sid, {}).get(item.call_sid)
        if known is None or participant is None:
            return
        change = changes.get(conference_sid)
        conference = change.after if change else known.conference
        before, current = (change.participants.get(item.call_sid) if change else None) or (participant, participant)
        outcome = apply(conference, current, item.event)
        if outcome.conference == conference and outcome.participant == current:
            return
        status = current.status
        conference, current, callbacks = plan_callbacks(outcome.conference, outcome.participant, outcome.events)
        entries = [(callback.lane, self._entry(callback)) for callback in callbacks]
        # From here on nothing can fail: a change is whole or is not there.
        if change is None:
            change = changes[conference_sid] = Change(known, conference, uuid.uuid4().hex)
        change.after = conference
        change.participants[item.call_sid] = (before, current)
        change.transitions.append((item.call_sid, type(item.event).__name__, str(status), str(current.status)))
        for lane, entry in entries:
            change.outbox.setdefault(lane, []).append(entry)
        for command in outcome.commands:
            commands.setdefault(conference_sid, []).append((command, current))

    def _commit(self, changes: list[Change]) -> set[str]:
        """Write all; returns the conferences whose change was refused, and wakes the lanes of the others."""
        refused: set[str] = set()
        lanes: list[Lane] = []
        for change, committed in zip(changes, self._commit_for_certain(changes), strict=True):
            sid = change.after.conference_sid
            if committed is None:
                refused.add(sid)
                continue
            self._remember(change)
            _log_transitions(change)
            lanes += [Lane(sid, name) for name in committed.lanes]
            _log_dropped(sid, committed)
        self._forget(refused)
        if lanes:
            self._wake(lanes)
        return refused

    def _commit_for_certain(self, changes: list[Change]) -> list[Committed | None]:
        """Repeat the same commit until Redis answers: computed anew, mutes that it has kept would be told twice."""
        while True:
            try:
                return self._store.commit(changes)
            except Unavailable as error:
                log.error("store_unreachable", error=error.message, changes=len(changes))
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
            # As COMMIT does: a wish that the switch has fulfilled is none any more.
            group[call_sid] = replace(after, muted_wanted=None) if after.muted_wanted is after.muted else after
            if after.ended_at is not None:
                del group[call_sid]
        while len(self._conferences) > CACHED_CONFERENCES:
            oldest, _ = self._conferences.popitem(last=False)
            self._participants.pop(oldest, None)

    def _forget(self, conference_sids: Iterable[str]) -> None:
        for sid in conference_sids:
            self._conferences.pop(sid, None)
            self._participants.pop(sid, None)

    # ------------------------------------------------------------ what follows

    def _entry(self, callback: Callback) -> NewCallback:
        token = str(uuid.uuid4())
        entry = Entry(
            token=token,
            account_sid=callback.conference.account_sid,
            conference_sid=callback.conference.conference_sid,
            call_sid=callback.participant.call_sid,
            kind=callback.kind,
            url=callback.settings.url,
            method=callback.settings.method,
            parameters=tuple(self._serialize(callback)),
            planned_at=callback.event.at.timestamp(),
        )
        return NewCallback(token, int(entry.planned_at * 1000), entry.dump())

    def _orders(self, command: Command, participant: Participant) -> list[SwitchCommand]:
        if isinstance(command, RemoveParticipant):
            return [KillChannel(participant.switch.channel_uuid)]
        if isinstance(command, EndConference):
            try:
                calls = self._store.list_live_calls(command.conference_sid)
            except Unavailable as error:  # the next snapshot repeats it
                log.error("store_unreachable", error=error.message)
                calls = []
            return [
                HangUpMembers(command.conference_sid),
                *(KillChannel(channel_uuid_of(call)) for call in calls if call != participant.call_sid),
            ]
        return self._update_orders(participant, (cast(UpdateParticipant, command),))

    @staticmethod
    def _update_orders(participant: Participant, commands: Iterable[UpdateParticipant]) -> list[SwitchCommand]:
        orders: list[SwitchCommand] = []
        for command in commands:
            switch = participant.switch
            if command.muted is not None and switch.member_id is not None:
                orders.append(MuteMember(participant.conference_sid, switch.member_id, command.muted))
            if command.end_conference_on_exit is not None:
                hook = command.end_conference_on_exit
                orders.append(SetExitHook(switch.channel_uuid, participant.conference_sid, hook, answered=True))
        return orders


def _end_stray(conference_sid: str, call_sid: str) -> SwitchCommand:
    log.error("stray_leg_ended", conference_sid=conference_sid, call_sid=call_sid)
    return KillChannel(channel_uuid_of(call_sid))


def _log_transitions(change: Change) -> None:
    for call_sid, event, was, status in change.transitions:
        log.info(
            "transition",
            conference_sid=change.after.conference_sid,
            call_sid=call_sid,
            what=event,
            was=was,
            status=status,
        )


def _log_dropped(conference_sid: str, committed: Committed) -> None:
    if committed.dropped:
        log.error("callbacks_dropped", conference_sid=conference_sid, reason="depth", count=len(committed.dropped))
