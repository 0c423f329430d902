"""kill -9 of every part, in the middle of a conference: true within 5 s of the return, one leave for every join."""

from __future__ import annotations

import time
from collections import Counter

import pytest
import requests
from twilio.rest.api.v2010.account.conference.participant import ParticipantInstance

from orchestrator.sids import channel_uuid_of
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack

BACK_WITHIN_SECONDS = 5.0


def _meeting(stack: Stack, name: str, people: int = 3) -> tuple[str, list[ParticipantInstance]]:
    participants = stack.client().conferences(name).participants
    settings = stack.call_settings()
    created = [participants.create(to=FarEnd.ANSWERS, label=f"p{i}", **settings) for i in range(people)]
    conference_sid = created[0].conference_sid
    stack.receiver.await_kind(conference_sid, "participant-join", people)
    return conference_sid, created


def _assert_whole_and_in_order(stack: Stack, conference_sid: str, created: list[ParticipantInstance]) -> None:
    """No gap, no duplicate event, each join before its leave, exactly one leave each, the end last; calls complete."""
    received = stack.receiver.of(conference_sid)
    numbers = [int(r.parameters["SequenceNumber"]) for r in received]
    assert numbers == list(range(1, len(numbers) + 1))
    assert received[-1].kind == "conference-end"
    for kind in ("participant-join", "participant-leave"):
        who = Counter(r.parameters["CallSid"] for r in received if r.kind == kind)
        assert who == Counter(p.call_sid for p in created), kind
    for participant in created:
        of_call = stack.receiver.await_kind(participant.call_sid, "call completed")
        assert len(of_call) == 1
        sequence = [r.parameters["SequenceNumber"] for r in stack.receiver.of(participant.call_sid)]
        assert sequence == [str(number) for number in range(len(sequence))]
    assert all(r.is_signed for r in stack.receiver.received)


def test_the_switch_is_killed_and_comes_back(own_stack: Stack) -> None:
    """Its calls are gone; 5 s after its return every one has left and the conference has ended; new calls work."""
    stack = own_stack
    conference_sid, created = _meeting(stack, "before the crash")
    stack.switch.kill_9()
    stack.switch.hang_up_far_end()
    stack.switch.start()
    back_at = time.monotonic()
    client = stack.client()
    eventually(
        lambda: client.conferences(conference_sid).fetch().status == "completed", "it has ended", BACK_WITHIN_SECONDS
    )
    took = time.monotonic() - back_at
    stack.receiver.await_kind(conference_sid, "conference-end")

    assert took < BACK_WITHIN_SECONDS
    _assert_whole_and_in_order(stack, conference_sid, created)
    eventually(lambda: stack.orchestrator_status("check") == 0, "the service is whole again")
    again, _ = _meeting(stack, "before the crash")
    assert again != conference_sid


def test_the_switch_is_killed_while_phones_ring(own_stack: Stack) -> None:
    """A call that never was answered fails once, and does not stay for ever."""
    stack = own_stack
    settings = stack.call_settings()
    ringing = stack.client().conferences("ringing").participants.create(to=FarEnd.NEVER_ANSWERS, **settings)
    stack.receiver.await_kind(ringing.call_sid, "call ringing")
    stack.switch.kill_9()
    stack.switch.hang_up_far_end()
    stack.switch.start()
    end = stack.receiver.await_kind(ringing.conference_sid, "conference-end", seconds=BACK_WITHIN_SECONDS)

    assert len(end) == 1
    assert stack.receiver.kinds(ringing.conference_sid) == ["participant-leave", "conference-end"]


def test_the_listener_is_killed_and_much_happens_before_it_is_back(own_stack: Stack) -> None:
    """A join, a mute and two leaves that nobody saw are told when it is back, in an order that makes sense."""
    stack = own_stack
    conference_sid, created = _meeting(stack, "while you were away")
    stack.listener.kill_9()
    participants = stack.client().conferences(conference_sid).participants
    participants("p0").update(muted=True)
    missed = participants.create(to=FarEnd.ANSWERS, label="late", **stack.call_settings())
    for gone in created[1:]:
        stack.switch.api(f"uuid_kill {channel_uuid_of(gone.call_sid)}")
    eventually(lambda: '"member_count":\t2' in stack.switch.api("conference json_list"), "two are left on the switch")
    stack.listener.start()
    eventually(
        lambda: sorted(p.label for p in participants.list()) == ["late", "p0"], "true again", BACK_WITHIN_SECONDS
    )

    assert participants("p0").fetch().muted is True
    stack.receiver.await_kind(conference_sid, "participant-mute", seconds=BACK_WITHIN_SECONDS)
    stack.receiver.await_kind(conference_sid, "participant-join", 4, BACK_WITHIN_SECONDS)
    stack.client().conferences(conference_sid).update(status="completed")
    stack.receiver.await_kind(conference_sid, "conference-end")
    _assert_whole_and_in_order(stack, conference_sid, [*created, missed])


def test_a_listener_that_is_killed_again_and_again_loses_nothing(own_stack: Stack) -> None:
    """Three kills while twelve people come and go."""
    stack = own_stack
    participants = stack.client().conferences("stormy").participants
    created = []
    for number in range(12):
        number_to_call = FarEnd.ANSWERS if number % 2 else "+15550005002"
        created.append(participants.create(to=number_to_call, label=f"p{number}", **stack.call_settings()))
        if number % 4 == 1:
            stack.listener.kill_9()
        if number % 4 == 3:
            stack.listener.start()
    conference_sid = created[0].conference_sid
    client = stack.client()
    leaves = stack.receiver.await_kind(conference_sid, "participant-leave", 6, seconds=20)
    assert len(leaves) == 6
    eventually(lambda: len(participants_of(client, conference_sid)) == 6, "six are left", BACK_WITHIN_SECONDS)
    client.conferences(conference_sid).update(status="completed")
    stack.receiver.await_kind(conference_sid, "conference-end")

    received = stack.receiver.of(conference_sid)
    assert [int(r.parameters["SequenceNumber"]) for r in received] == list(range(1, len(received) + 1))
    assert Counter(r.kind for r in received)["participant-leave"] == 12


def participants_of(client: object, conference_sid: str) -> list[ParticipantInstance]:
    return list(client.conferences(conference_sid).participants.list())  # type: ignore[attr-defined]  # twilio's Client


def test_workers_are_killed_while_they_deliver(own_stack: Stack) -> None:
    """Every callback arrives, in order; one that was on its way when its worker died may come twice, same token."""
    stack = own_stack
    conference_sid, created = _meeting(stack, "workers die", people=6)
    for worker in stack.workers:
        worker.kill_9()
    stack.client().conferences(conference_sid).update(status="completed")
    for worker in stack.workers:
        worker.start()
    stack.receiver.await_kind(conference_sid, "conference-end", seconds=60)

    _assert_whole_and_in_order(stack, conference_sid, created)


def test_redis_is_killed_and_comes_back(own_stack: Stack) -> None:
    """While it is away the API says so within 2 s; what the switch did meanwhile is told when it is back."""
    stack = own_stack
    conference_sid, created = _meeting(stack, "no memory")
    stack.redis.kill_9()
    asked_at = time.monotonic()
    answer = requests.get(
        f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences/{conference_sid}.json",
        auth=(stack.account_sid, stack.auth_token),
        timeout=10,
    )
    assert (answer.status_code, answer.json()["code"]) == (503, 20503)
    assert time.monotonic() - asked_at < 2.0
    stack.switch.api(f"uuid_kill {channel_uuid_of(created[0].call_sid)}")
    stack.redis.start()
    client = stack.client()

    def others_are_left() -> bool:
        try:
            return len(client.conferences(conference_sid).participants.list()) == 2
        except Exception as error:  # the store may not be back yet
            raise AssertionError(str(error)) from error

    eventually(others_are_left, "true again", BACK_WITHIN_SECONDS)
    stack.client().conferences(conference_sid).update(status="completed")
    stack.receiver.await_kind(conference_sid, "conference-end", seconds=30)
    _assert_whole_and_in_order(stack, conference_sid, created)


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_without_the_switch_the_api_answers_503_within_two_seconds(own_stack: Stack, how: str) -> None:
    """Killed or frozen: a clear error, never a hang; and it works again when the switch does."""
    stack = own_stack
    conference_sid, created = _meeting(stack, "away")
    if how == "killed":
        stack.switch.kill_9()
    else:
        stack.switch.pause()
    base = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences"
    auth = (stack.account_sid, stack.auth_token)
    requests_to_make = [
        ("POST", f"{base}/new/Participants.json", {"From": "+15550009999", "To": FarEnd.ANSWERS}),
        ("POST", f"{base}/{conference_sid}/Participants/p0.json", {"Muted": "true"}),
        ("DELETE", f"{base}/{conference_sid}/Participants/p1.json", {}),
        ("POST", f"{base}/{conference_sid}.json", {"Status": "completed"}),
    ]
    for method, url, form in requests_to_make:
        asked_at = time.monotonic()
        answer = requests.request(method, url, data=form, auth=auth, timeout=10)
        took = time.monotonic() - asked_at
        assert (answer.status_code, answer.json()["code"]) == (503, 20503), (method, url, answer.text)
        assert took < 2.0, (method, url, took)

    if how == "frozen":
        stack.switch.resume()
    else:
        stack.switch.hang_up_far_end()
        stack.switch.start()
    client = stack.client()
    eventually(lambda: stack.orchestrator_status("check") == 0, "the service is whole again", 15)
    if how == "frozen":
        client.conferences(conference_sid).update(status="completed")
    stack.receiver.await_kind(conference_sid, "conference-end")
    _assert_whole_and_in_order(stack, conference_sid, created)


def test_every_process_stops_cleanly_when_told_to(own_stack: Stack) -> None:
    """SIGTERM in the middle of a conference: exit status 0, no traceback; started again, the conference goes on."""
    stack = own_stack
    conference_sid, created = _meeting(stack, "maintenance")
    processes = (stack.api, stack.listener, *stack.workers)
    statuses = {process.name: process.stop() for process in processes}
    logs = {process.name: process.log() for process in processes}
    for process in processes:
        process.start()
    stack.await_ready()
    stack.client().conferences(conference_sid).update(status="completed")
    stack.receiver.await_kind(conference_sid, "conference-end")

    assert set(statuses.values()) == {0}, statuses
    assert not [name for name, log in logs.items() if "Traceback" in log]
    _assert_whole_and_in_order(stack, conference_sid, created)
