"""Who whispers to whom, by what whoever commits a change tells the switch; events, requests and audits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import redis

from orchestrator.domain.conference import CallbackSettings, Participant
from orchestrator.domain.events import (
    MemberRemoved,
    ParticipantHeld,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
    SpeechStarted,
    SpeechStopped,
)
from orchestrator.freeswitch.client import CommandRefused, NodeUnavailable
from orchestrator.freeswitch.coach_mark import MarkCoach
from orchestrator.freeswitch.commands import ChannelExists, HangUpMembers, KillChannel, MuteMember, SwitchCommand
from orchestrator.freeswitch.whisper import SPEECH, StartWhisper, Whisper
from tests.unit.listener.test_committer import NOW, World, happened, held
from tests.unit.records import ACCOUNT


@pytest.fixture
def world(client: redis.Redis) -> World:
    return World(client)


LISTENING = CallbackSettings("http://127.0.0.1:9/conference", "POST", ("join", "mute", "speaker"))


def a_coach(world: World, of: Participant, **changes: Any) -> Participant:
    """Still to join."""
    made = world.create(**changes)
    world.modify(made, coaching=True, call_sid_to_coach=of.call_sid)
    return made


def coached(world: World) -> tuple[Participant, Participant, Participant]:
    """Anna is coached by carl; bert is there as well; somebody wants to know who talks."""
    anna, bert = world.create(conference_callbacks=LISTENING), world.create()
    world.join(anna, 1)
    world.join(bert, 2)
    carl = a_coach(world, anna)
    world.join(carl, 3)
    return anna, bert, carl


def pair(coach: Participant, coached: Participant | str) -> str:
    ear = coached if isinstance(coached, str) else coached.call_sid
    return Whisper(coach.conference_sid, coach.call_sid, ear).channel_uuid


def test_a_coach_who_joins_is_out_of_the_mix_before_the_whisper(world: World) -> None:
    """Marked, muted, and only then heard; also by those who want to know when the coach talks."""
    anna, bert = world.create(conference_callbacks=LISTENING), world.create()
    world.join(anna, 1)
    world.join(bert, 2)
    carl = a_coach(world, anna)
    sent = world.join(carl, 3)

    mark, mute = (
        sent.index(MarkCoach(carl.switch.channel_uuid, True)),
        sent.index(MuteMember(carl.conference_sid, 3, True)),
    )
    whisper = sent.index(StartWhisper(Whisper(carl.conference_sid, carl.call_sid, anna.call_sid)))
    assert mark < mute < whisper
    assert world.pairs.keys() == {pair(carl, anna), pair(carl, SPEECH)}


def test_nobody_asks_for_speech_nobody_listens_for_it(world: World) -> None:
    """It costs a pair."""
    anna, bert = world.create(), world.create()
    world.join(anna, 1)
    world.join(bert, 2)
    carl = a_coach(world, anna)
    world.join(carl, 3)

    assert world.pairs.keys() == {pair(carl, anna)}


@pytest.mark.parametrize("who", ["coach", "coached"])
def test_a_hold_ends_the_whisper_and_its_end_makes_it_again(world: World, who: str) -> None:
    """Whoever waits hears nobody, and is heard by nobody."""
    anna, _, carl = coached(world)
    held_one = carl if who == "coach" else anna
    world.apply(held_one, ParticipantHeld(NOW))
    assert pair(carl, anna) not in world.pairs
    world.apply(held_one, ParticipantUnheld(NOW))

    assert pair(carl, anna) in world.pairs


def test_a_coach_moves_is_muted_barges_in_and_leaves(world: World) -> None:
    """Each by pairs that are made and end, and by the mix when nobody is coached any more."""
    anna, bert, carl = coached(world)
    world.modify(carl, coaching=True, call_sid_to_coach=bert.call_sid)
    assert world.pairs.keys() == {pair(carl, bert), pair(carl, SPEECH)}
    world.apply(carl, ParticipantMuted(NOW))
    assert world.pairs.keys() == set()
    world.apply(carl, ParticipantUnmuted(NOW))
    assert world.pairs.keys() == {pair(carl, bert), pair(carl, SPEECH)}
    sent = world.told(lambda: world.modify(carl, coaching=False))
    assert world.pairs.keys() == set()
    assert sent[-2:] == [MuteMember(carl.conference_sid, 3, False), MarkCoach(carl.switch.channel_uuid, False)]
    world.modify(carl, coaching=True, call_sid_to_coach=anna.call_sid)
    assert pair(carl, anna) in world.pairs
    world.apply(carl, MemberRemoved(NOW))

    assert world.pairs.keys() == set()


def test_before_the_start_nobody_whispers(world: World) -> None:
    """Whoever waits must not hear; the start makes the pair."""
    waiting_guest: dict[str, Any] = {"start_conference_on_enter": False, "conference_callbacks": LISTENING}
    anna = world.create(**waiting_guest)
    world.join(anna, 1)
    carl = a_coach(world, anna, **waiting_guest)
    world.join(carl, 2)
    assert world.pairs.keys() == {pair(carl, SPEECH)}
    world.join(world.create(), 3)

    assert pair(carl, anna) in world.pairs


def test_an_audit_makes_what_is_missing_and_ends_what_nobody_wants(world: World) -> None:
    """Whoever should have done it died, or somebody else ended the pair."""
    anna, bert, carl = coached(world)
    stray = pair(carl, bert)
    world.pairs.clear()
    world.pairs[stray] = carl.call_sid
    people = (anna, bert, carl)
    world.snapshot(held(*people, members=people, muted=(carl,)))

    assert world.pairs.keys() == {pair(carl, anna), pair(carl, SPEECH)}


def test_a_look_at_one_conference_is_the_same_for_it_and_nothing_else(world: World) -> None:
    """No events are made up for others: their members are not in it."""
    anna, bert, carl = coached(world)
    other = world.create("another")
    world.join(other, 9)
    world.pairs.clear()
    people = (anna, bert, carl)
    look = held(members=people, muted=(carl,))
    world.reconcile(replace(look, conference_sid=carl.conference_sid))

    assert world.pairs.keys() == {pair(carl, anna), pair(carl, SPEECH)}
    assert world.load(other).is_present


def test_who_was_left_muted_as_a_coach_is_put_right_and_nobody_is_told(world: World) -> None:
    """The process that ended the coaching died before it had said so: the client has not asked for a mute."""
    anna, bert, carl = coached(world)
    world.modify(carl, coaching=False)
    world.marked.add(carl.switch.channel_uuid)
    people = (anna, bert, carl)
    sent = world.snapshot(held(*people, members=people, muted=(carl,)))

    assert MuteMember(carl.conference_sid, 3, False) in sent
    assert "participant-mute" not in world.kinds(carl.conference_sid)


def test_a_coach_who_barges_in_after_the_snapshot_is_muted_in_nobodys_eyes(world: World) -> None:
    """A snapshot waits behind the events before it; what it saw of a coach must not be told of somebody in the mix."""
    people = coached(world)
    carl = people[2]
    old = held(*people, members=people, muted=(carl,))
    world.modify(carl, coaching=False)
    world.snapshot(old, by_now=held(*people, members=people))

    assert world.load(carl).muted is False
    assert "participant-mute" not in world.kinds(carl.conference_sid)


def test_a_mark_that_was_left_behind_keeps_nobody_muted(world: World) -> None:
    """The process that ended the coaching of somebody muted died before it had unmarked them; then they are unmuted,
    and the switch takes them for a coach."""
    anna, bert, carl = coached(world)
    world.apply(carl, ParticipantMuted(NOW))
    world.modify(carl, coaching=False)
    world.marked.add(carl.switch.channel_uuid)
    world.store.request_muted(ACCOUNT, carl.conference_sid, carl.call_sid, False)
    people = (anna, bert, carl)
    sent = world.snapshot(held(*people, members=people, muted=(carl,)))

    assert sent[-2:] == [MuteMember(carl.conference_sid, 3, False), MarkCoach(carl.switch.channel_uuid, False)]


def test_a_coach_who_is_heard_in_the_mix_is_taken_out_of_it(world: World) -> None:
    """The other way round."""
    people = coached(world)
    carl = people[2]
    sent = world.snapshot(held(*people, members=people))

    assert sent[:2] == [MarkCoach(carl.switch.channel_uuid, True), MuteMember(carl.conference_sid, 3, True)]


def test_a_pair_whose_uuid_is_still_taken_is_made_again(world: World) -> None:
    """One that has just ended holds on to it; what was made instead ends by itself."""
    world.doubled = 3
    anna, _, carl = coached(world)

    assert pair(carl, anna) in world.pairs


def test_two_at_once_leave_what_was_committed_last(world: World) -> None:
    """One acts on a state that is no longer so: it looks again, and puts right what it did."""
    _, bert, carl = coached(world)
    late = world.new_committer()

    def meanwhile(command: SwitchCommand) -> None:
        if isinstance(command, ChannelExists):
            world.refuse = lambda _: None
            late.commit_events([happened(carl, ParticipantModified(NOW, coaching=False))])

    world.refuse = meanwhile
    world.modify(carl, coaching=True, call_sid_to_coach=bert.call_sid)

    assert world.pairs.keys() == set()
    assert [command for command in world.sent if isinstance(command, MuteMember)][-1] == MuteMember(
        carl.conference_sid, 3, False
    )


def test_the_end_of_a_coaching_that_is_overtaken_by_the_next_leaves_the_coach_out_of_the_mix(world: World) -> None:
    """Its unmute comes last to the switch: whoever sent it looks again, and finds a coach."""
    anna, _, carl = coached(world)
    late = world.new_committer()

    def meanwhile(command: SwitchCommand) -> None:
        if command == MuteMember(carl.conference_sid, 3, False):
            world.refuse = lambda _: None
            again = ParticipantModified(NOW, coaching=True, call_sid_to_coach=anna.call_sid)
            late.commit_events([happened(carl, again)])

    world.refuse = meanwhile
    sent = world.told(lambda: world.modify(carl, coaching=False))
    mark, mute = MarkCoach(carl.switch.channel_uuid, True), MuteMember(carl.conference_sid, 3, True)

    assert sent.index(MuteMember(carl.conference_sid, 3, False)) > sent.index(mute)
    assert [command for command in sent if isinstance(command, (MarkCoach, MuteMember))][-2:] == [mark, mute]
    assert pair(carl, anna) in world.pairs


def test_a_switch_that_is_away_is_said_when_all_is_committed(world: World) -> None:
    """Nobody takes it for done; and what was committed stays so."""
    one, two = world.create(end_conference_on_exit=True), world.create()
    world.join(one)
    world.join(two, 2)
    world.refuse = lambda _: NodeUnavailable("Node fs1 is away")
    with pytest.raises(NodeUnavailable):
        world.apply(one, MemberRemoved(NOW))

    assert world.load(one).left_at is not None


def test_what_the_switch_refuses_is_no_reason_to_stop(world: World) -> None:
    """It has left this moment."""
    one, two = world.create(end_conference_on_exit=True), world.create()
    world.join(one)
    world.join(two, 2)
    world.refuse = lambda command: CommandRefused("-ERR") if isinstance(command, HangUpMembers) else None

    assert world.apply(one, MemberRemoved(NOW)) == [KillChannel(two.switch.channel_uuid)]


def test_a_coach_who_is_muted_by_an_api_process_is_heard_to_talk_again(world: World) -> None:
    """The listener knows best who talks: what it keeps must not be changed behind its back."""
    _, _, carl = coached(world)
    world.apply(carl, SpeechStarted(NOW))
    for event in (ParticipantMuted(NOW), ParticipantUnmuted(NOW)):
        world.new_committer().commit_events([happened(carl, event)])
    world.apply(carl, SpeechStopped(NOW), SpeechStarted(NOW))

    kinds = [kind for kind in world.kinds(carl.conference_sid) if "speech" in kind]
    assert kinds == ["participant-speech-start", "participant-speech-stop", "participant-speech-start"]
