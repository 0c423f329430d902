"""A domain command -> what the listener sends to the switch, and whose sounds have to be looked at.

The listener is the only one who relates members and admits them, in the order of the commits; so no two writers can
leave a conference in a state that neither of them wanted. Of who hears it has the last word: what the API has told the
switch of an admitted member (updates.py) it says again when the switch tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from orchestrator.domain.commands import (
    AdmitParticipant,
    Beep,
    Command,
    EndConference,
    RefreshSound,
    RelateCoaches,
    RemoveParticipant,
    StartConference,
    UpdateHearing,
    UpdateParticipant,
)
from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.consequences import outstanding_updates
from orchestrator.domain.hearing import background_of, hears_coach, hears_conference
from orchestrator.freeswitch.commands import (
    DeafenMember,
    HangUpMembers,
    HoldMember,
    KillChannel,
    MuteMember,
    PlayToAll,
    SetExitHook,
    StopMember,
)
from orchestrator.freeswitch.files import BEEPS
from orchestrator.freeswitch.relations import Order, Pair, SetRelations, Together, keep_apart
from orchestrator.freeswitch.snapshot import Member


class Store(Protocol):
    """What is asked of the store. Both raise Unavailable."""

    def list_live(self, conference_sid: str) -> list[Participant]:
        """The participants whose calls have not ended."""
        ...

    def list_members(self, conference_sid: str) -> list[tuple[str, int]]:
        """CallSid and member id of those of them who are members: a fraction of the work."""
        ...


@dataclass(frozen=True, slots=True)
class Orders:
    """`commands` in order; `sounds`: CallSids whose background sound may have changed."""

    commands: tuple[Order, ...] = ()
    sounds: tuple[str, ...] = ()


def expand(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    """What `command`, which follows from a change of `participant`, means. Raises Unavailable."""
    return _EXPANSIONS[type(command)](command, conference, participant, store)


def _end_conference(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    """Members first, in one go; legs that still ring are no members."""
    others = (other for other in store.list_live(conference.conference_sid) if other.call_sid != participant.call_sid)
    kills = (KillChannel(other.switch.channel_uuid) for other in others)
    return Orders((HangUpMembers(conference.conference_sid), *kills))


def _remove(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    return Orders((KillChannel(participant.switch.channel_uuid),))


def _update(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    update, switch, orders = cast(UpdateParticipant, command), participant.switch, list[Order]()
    if update.muted is not None and switch.member_id is not None:
        orders.append(MuteMember(conference.conference_sid, switch.member_id, update.muted))
    if update.hold is not None and switch.member_id is not None:
        orders.append(HoldMember(conference.conference_sid, switch.member_id, update.hold))
    if update.end_conference_on_exit is not None:
        end = update.end_conference_on_exit
        orders.append(SetExitHook(switch.channel_uuid, conference.conference_sid, end, answered=True))
    return Orders(tuple(orders))


def _relate(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    return Orders((relations_of(conference, store.list_members(conference.conference_sid)),))


def relations_of(conference: Conference, members: Sequence[tuple[str, int]]) -> SetRelations:
    """Everybody but the coached is kept from hearing a coach. `members`: CallSid and member id."""
    pairs = {
        Pair(member_id, coach.member_id): hears_coach(call_sid, coach)
        for coach in conference.coaches
        for call_sid, member_id in members
        if member_id != coach.member_id
    }
    return SetRelations(
        conference.conference_sid,
        apart=frozenset(pair for pair, hears in pairs.items() if not hears),
        together=frozenset(pair for pair, hears in pairs.items() if hears),
        speakers=frozenset(coach.member_id for coach in conference.coaches),
    )


def _admit(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    """First whom the newcomer may not hear, and who may not hear it; only if the switch has done that may it speak, and
    what the switch says of that lets it hear (UpdateHearing). Only a coach costs more in a larger conference."""
    member_id = participant.switch.member_id
    if member_id is None:
        return Orders()
    apart = tuple(
        coach.member_id
        for coach in conference.coaches
        if coach.call_sid != participant.call_sid and not hears_coach(participant.call_sid, coach)
    )
    sid = conference.conference_sid
    first: list[Order] = [*keep_apart(sid, (member_id,), apart)]
    if participant.coaching:
        first.append(relations_of(conference, store.list_members(sid)))
    return Orders((Together((*first, MuteMember(sid, member_id, participant.muted_as_asked))),))


def _hearing(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    return Orders(tuple(hearing_of(conference, participant)))


def hearing_of(conference: Conference, participant: Participant) -> Iterable[Order]:
    """Let an admitted member hear the conference, or nothing of it."""
    if participant.switch.member_id is not None and participant.admitted:
        deaf = not hears_conference(conference, participant)
        yield DeafenMember(conference.conference_sid, participant.switch.member_id, deaf)


def _start(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    """The music of those who waited ends, before they hear the others. Those on hold go on being so."""
    commands, sounds = list[Order](), list[str]()
    for other in store.list_live(conference.conference_sid):
        if other.switch.member_id is None or background_of(conference, other) is not None:
            continue
        sounds.append(other.call_sid)
        commands += [StopMember(conference.conference_sid, other.switch.member_id), *hearing_of(conference, other)]
    return Orders(tuple(commands), tuple(sounds))


def _beep(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    beep = BEEPS[cast(Beep, command).moment]
    return Orders((PlayToAll(conference.conference_sid, beep, beside=True),))


def _sound(command: Command, conference: Conference, participant: Participant, store: Store) -> Orders:
    return Orders(sounds=(participant.call_sid,))


def repeat(conference: Conference, live: Iterable[Participant], members: Mapping[str, Member], store: Store) -> Orders:
    """What the switch has not done yet, or has lost, by what it says of its members: CallSid -> Member."""
    live = list(live)
    commands, sounds = list[Order](), list[str]()
    if conference.has_relations:
        ids = ((one.call_sid, one.switch.member_id) for one in live)
        commands.append(
            relations_of(conference, [(call, member_id) for call, member_id in ids if member_id is not None])
        )
    for participant in live:
        if participant.removal_requested or conference.is_ending:
            commands.append(KillChannel(participant.switch.channel_uuid))
            continue
        member = members.get(participant.call_sid)
        if member is None or member.member_id != participant.switch.member_id:
            continue
        wishes: list[Command] = [*outstanding_updates(participant)] if participant.admitted else [AdmitParticipant()]
        hears = hears_conference(conference, participant)
        # A member on hold is called deaf whether it is or not.
        if participant.admitted and (member.hold or member.deaf is hears):
            wishes.append(UpdateHearing())
            if hears and not member.hold:  # it has heard something else until now
                commands.append(StopMember(conference.conference_sid, member.member_id))
                sounds.append(participant.call_sid)
        for wish in wishes:
            commands += expand(wish, conference, participant, store).commands
        if background_of(conference, participant) is not None:
            sounds.append(participant.call_sid)
    return Orders(tuple(commands), tuple(sounds))


_EXPANSIONS: Final[dict[type[Command], Callable[[Command, Conference, Participant, Store], Orders]]] = {
    EndConference: _end_conference,
    RemoveParticipant: _remove,
    UpdateParticipant: _update,
    RelateCoaches: _relate,
    AdmitParticipant: _admit,
    UpdateHearing: _hearing,
    StartConference: _start,
    Beep: _beep,
    RefreshSound: _sound,
}
"""One row per command that `consequences_of` can give."""
