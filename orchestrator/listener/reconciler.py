"""Legs on a node that must not be there: nobody could remove them, and nobody looks whom they hear."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from orchestrator.domain.conference import Participant
from orchestrator.freeswitch.commands import KillChannel, SwitchCommand
from orchestrator.freeswitch.snapshot import Snapshot, is_outside
from orchestrator.sids import channel_uuid_of
from orchestrator.store.commits import CommitStore

log = structlog.get_logger("listener")


def strays_of(store: CommitStore, snapshot: Snapshot, known: Iterable[Participant]) -> list[SwitchCommand]:
    """End what the node holds of these kinds: legs of which no record speaks, or says that they have ended; members of
    our conferences who are nobody's participants; calls of ours that are up and in no conference. Other channels of
    the node are none of our business. `known`: participants of open conferences."""
    known = list(known)
    held = {*snapshot.channels, *snapshot.members} - {participant.call_sid for participant in known}
    placed = store.load_conference_sids(sorted(held))
    _, loaded = store.load([(sid, call) for call, sid in placed.items()], ())
    uninvited = {call: snapshot.members[call].conference_sid for call in snapshot.members.keys() & held - placed.keys()}
    ended = {call: sid for call, sid in placed.items() if call not in loaded or loaded[call].ended_at is not None}
    live = (one for one in (*known, *loaded.values()) if one.ended_at is None)
    return [
        *(end_stray(sid, call) for call, sid in (ended | uninvited).items()),
        *(_end_outside(one) for one in live if is_outside(snapshot, one)),
    ]


def end_stray(conference_sid: str, call_sid: str) -> SwitchCommand:
    """End a leg that has no record, and say so."""
    log.error("stray_leg_ended", conference_sid=conference_sid, call_sid=call_sid)
    return KillChannel(channel_uuid_of(call_sid))


def _end_outside(participant: Participant) -> SwitchCommand:
    log.error("call_outside_ended", conference_sid=participant.conference_sid, call_sid=participant.call_sid)
    return KillChannel(participant.switch.channel_uuid)
