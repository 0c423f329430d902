"""Who ends a conference, and what the others are told."""

from __future__ import annotations

import pytest
from twilio.rest.api.v2010.account.conference.participant import ParticipantInstance

from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack


def _meeting(stack: Stack, name: str, **of_the_first: object) -> tuple[str, list[ParticipantInstance]]:
    participants = stack.client().conferences(name).participants
    settings = stack.call_settings()
    created = [participants.create(to=FarEnd.ANSWERS, **settings, **of_the_first)]
    created += [participants.create(to=FarEnd.ANSWERS, **settings) for _ in range(2)]
    conference_sid = created[0].conference_sid
    stack.receiver.await_kind(conference_sid, "participant-join", 3)
    return conference_sid, created


def _end(stack: Stack, conference_sid: str) -> dict[str, str]:
    return stack.receiver.await_kind(conference_sid, "conference-end")[0].parameters


def test_the_last_to_leave_ends_it(stack: Stack) -> None:
    """`last-participant-left`, and who that was."""
    conference = stack.client().conferences("the last one")
    participant = conference.participants.create(to="+15550005001", **stack.call_settings())
    end = _end(stack, participant.conference_sid)

    assert end["ReasonConferenceEnded"] == "last-participant-left"
    assert end["CallSidEndingConference"] == participant.call_sid
    assert stack.receiver.kinds(participant.conference_sid) == [
        "participant-join", "participant-leave", "conference-end",
    ]  # fmt: skip


def test_removing_the_last_one_ends_it(stack: Stack) -> None:
    """`last-participant-kicked`."""
    conference = stack.client().conferences("the last one, removed")
    participant = conference.participants.create(to=FarEnd.ANSWERS, **stack.call_settings())
    stack.receiver.await_kind(participant.conference_sid, "participant-join")
    stack.client().conferences(participant.conference_sid).participants(participant.call_sid).delete()

    assert _end(stack, participant.conference_sid)["ReasonConferenceEnded"] == "last-participant-kicked"


@pytest.mark.parametrize("how", ["removed", "hangs up"])
def test_one_with_end_conference_on_exit_takes_the_others_along(stack: Stack, how: str) -> None:
    """The others leave because the moderator ended it; the conference names the moderator."""
    conference_sid, created = _meeting(stack, f"moderated {how}", end_conference_on_exit=True)
    moderator = created[0].call_sid
    if how == "removed":
        stack.client().conferences(conference_sid).participants(moderator).delete()
    else:
        stack.switch.api(f"uuid_kill {channel_uuid_of(moderator)}")
    end = _end(stack, conference_sid)
    leaves = [r for r in stack.receiver.of(conference_sid) if r.kind == "participant-leave"]

    ended = "kicked" if how == "removed" else "left"
    assert end["ReasonConferenceEnded"] == f"participant-with-end-conference-on-exit-{ended}"
    assert end["CallSidEndingConference"] == moderator
    assert leaves[0].parameters["CallSid"] == moderator
    assert {r.parameters["ReasonParticipantLeft"] for r in leaves[1:]} == {"moderator_ended_conference"}
    assert len(leaves) == 3


@pytest.mark.parametrize("last_word", [True, False])
def test_end_conference_on_exit_can_change_during_the_call(stack: Stack, last_word: bool) -> None:
    """The last request counts when the person leaves, whatever was asked at the start."""
    conference_sid, created = _meeting(stack, f"second thoughts {last_word}", end_conference_on_exit=not last_word)
    participants = stack.client().conferences(conference_sid).participants
    changed = participants(created[0].call_sid).update(end_conference_on_exit=last_word)
    assert changed.end_conference_on_exit is last_word
    stack.switch.api(f"uuid_kill {channel_uuid_of(created[0].call_sid)}")
    stack.receiver.await_kind(conference_sid, "participant-leave", 3 if last_word else 1)

    if last_word:
        assert _end(stack, conference_sid)["ReasonConferenceEnded"] == "participant-with-end-conference-on-exit-left"
    else:
        assert stack.client().conferences(conference_sid).fetch().status == "in-progress"
        assert len(participants.list()) == 2
        stack.client().conferences(conference_sid).update(status="completed")


def test_end_conference_on_exit_holds_while_the_listener_is_dead(own_stack: Stack) -> None:
    """The switch ends the conference by itself; the listener, when it is back, tells it."""
    stack = own_stack
    conference_sid, created = _meeting(stack, "nobody listens", end_conference_on_exit=True)
    stack.listener.kill_9()
    stack.switch.api(f"uuid_kill {channel_uuid_of(created[0].call_sid)}")
    eventually(lambda: "CF" not in stack.switch.api("conference json_list"), "the switch has ended it", seconds=2)
    stack.listener.start()

    stack.receiver.await_kind(conference_sid, "conference-end", seconds=10)
    assert stack.receiver.kinds(conference_sid).count("participant-leave") == 3


def test_end_conference_on_exit_can_be_taken_back_before_we_have_heard_of_the_answer(own_stack: Stack) -> None:
    """The listener is dead, the call is up: whoever leaves then ends nothing."""
    stack = own_stack
    conference_sid, _ = _meeting(stack, "taken back")
    participants = stack.client().conferences(conference_sid).participants
    stack.listener.kill_9()
    created = participants.create(to=FarEnd.ANSWERS, end_conference_on_exit=True, **stack.call_settings())
    channel_uuid = channel_uuid_of(created.call_sid)
    eventually(lambda: channel_uuid in stack.switch.api(f"conference {conference_sid} json_list"), "it has joined")
    assert not participants(created.call_sid).update(end_conference_on_exit=False).end_conference_on_exit
    stack.switch.api(f"uuid_kill {channel_uuid}")
    eventually(lambda: stack.switch.api(f"uuid_exists {channel_uuid}") == "false", "its call has ended")
    stack.listener.start()
    stack.receiver.await_kind(created.call_sid, "call failed")  # nobody has seen it answered

    assert stack.client().conferences(conference_sid).fetch().status == "in-progress"
    assert len(participants.list()) == 3


def test_completing_a_conference_ends_calls_that_still_ring(stack: Stack) -> None:
    """Nobody who answers later finds a conference that is over."""
    conference_sid, _ = _meeting(stack, "too late")
    late = stack.client().conferences("too late").participants.create(to="+15550002002", **stack.call_settings())
    stack.receiver.await_kind(late.call_sid, "call ringing")
    ended = stack.client().conferences(conference_sid).update(status="completed")

    assert ended.status == "completed"
    stack.receiver.await_kind(late.call_sid, "call canceled")
    assert stack.receiver.kinds(conference_sid).count("participant-join") == 3
