"""Read your writes, and what happens when many write at once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import requests
from twilio.base.exceptions import TwilioRestException

from orchestrator.store import keys
from tests.harness.freeswitch import FarEnd
from tests.harness.receiver import Received
from tests.harness.stack import Stack


def test_a_get_after_every_mute_shows_it(stack: Stack) -> None:
    """Fifty times, without a pause: the answer's word holds at once."""
    participants = stack.client().conferences("echo").participants
    created = participants.create(to=FarEnd.ANSWERS, **stack.call_settings())
    stack.receiver.await_kind(created.conference_sid, "participant-join")
    participant = stack.client().conferences(created.conference_sid).participants(created.call_sid)
    for number in range(50):
        muted = number % 2 == 0
        assert participant.update(muted=muted).muted is muted
        assert participant.fetch().muted is muted

    stack.receiver.await_kind(created.conference_sid, "participant-unmute", 25)
    stack.client().conferences(created.conference_sid).update(status="completed")
    received = stack.receiver.await_kind(created.conference_sid, "conference-end")
    kinds = stack.receiver.kinds(created.conference_sid)
    assert kinds[1:51] == ["participant-mute", "participant-unmute"] * 25
    assert received


def test_when_the_join_callback_arrives_a_get_shows_the_participant(stack: Stack) -> None:
    """The state is written before anybody is told of it."""
    seen: list[str] = []

    def answer(received: Received) -> int:
        if received.kind == "participant-join" and received.parameters["FriendlyName"] == "look":
            sid, call = received.parameters["ConferenceSid"], received.parameters["CallSid"]
            url = f"{stack.base_url}/2010-04-01/Accounts/{stack.account_sid}/Conferences/{sid}/Participants/{call}.json"
            seen.append(requests.get(url, auth=(stack.account_sid, stack.auth_token), timeout=5).json()["status"])
        return 200

    stack.receiver.answer = answer
    created = [
        stack.client().conferences("look").participants.create(to=FarEnd.ANSWERS, **stack.call_settings())
        for _ in range(5)
    ]
    stack.receiver.await_kind(created[0].conference_sid, "participant-join", 5)
    stack.receiver.answer = lambda _: 200

    assert seen == ["connected"] * 5
    stack.client().conferences(created[0].conference_sid).update(status="completed")


def test_a_mute_before_the_answer_holds_from_the_first_frame(stack: Stack) -> None:
    """Asked for while the phone rings: the person joins muted, and the join says so."""
    created = stack.client().conferences("early bird").participants.create(to="+15550002001", **stack.call_settings())
    stack.receiver.await_kind(created.call_sid, "call ringing")
    participant = stack.client().conferences(created.conference_sid).participants(created.call_sid)
    assert participant.update(muted=True).muted is True
    joined = stack.receiver.await_kind(created.conference_sid, "participant-join")[0]

    assert joined.parameters["Muted"] == "true"
    assert participant.fetch().muted is True
    assert '"can_speak":\tfalse' in stack.switch.api(f"conference {created.conference_sid} json_list")
    stack.client().conferences(created.conference_sid).update(status="completed")


def test_twenty_who_use_a_new_name_at_once_meet_in_one_conference(stack: Stack) -> None:
    """One ConferenceSid, twenty participants."""
    name = f"rush {uuid.uuid4().hex}"

    def create(_: int) -> str:
        return str(
            stack.client()
            .conferences(name)
            .participants.create(to=FarEnd.ANSWERS, **stack.call_settings())
            .conference_sid
        )

    with ThreadPoolExecutor(20) as pool:
        sids = set(pool.map(create, range(20)))
    (sid,) = sids
    stack.receiver.await_kind(sid, "participant-join", 20)

    assert len(stack.client().conferences(sid).participants.list()) == 20
    stack.client().conferences(sid).update(status="completed")
    stack.receiver.await_kind(sid, "participant-leave", 20)


def test_max_participants_holds_when_many_are_added_at_once(stack: Stack) -> None:
    """Five get in, the others are told 16020."""
    name = f"full {uuid.uuid4().hex}"

    def create(_: int) -> int:
        participants = stack.client().conferences(name).participants
        try:
            participants.create(to=FarEnd.ANSWERS, max_participants=5, **stack.call_settings())
        except TwilioRestException as error:
            return int(error.code)
        return 201

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(create, range(12)))

    assert sorted(outcomes) == [201] * 5 + [16020] * 7
    (conference,) = stack.client().conferences.list(friendly_name=name)
    conference.update(status="completed")


def test_a_coach_for_a_conference_that_does_not_exist_leaves_no_trace(stack: Stack) -> None:
    """400/16028, and the name is not kept: whoever tries a thousand names must not fill Redis."""
    with pytest.raises(TwilioRestException) as refused:
        stack.client().conferences("nobody here").participants.create(
            to=FarEnd.ANSWERS, from_="+15550009999", call_sid_to_coach="CA" + "1" * 32
        )
    names = redis.Redis.from_url(stack.environment["REDIS_URL"], decode_responses=True)

    assert (refused.value.status, refused.value.code) == (400, 16028)
    assert not names.hexists(keys.account_names(stack.account_sid), "nobody here")


def test_a_label_is_free_again_when_its_owner_has_left(stack: Stack) -> None:
    """16026 while in use; afterwards the same label is somebody else's."""
    participants = stack.client().conferences("labels").participants
    first = participants.create(to=FarEnd.ANSWERS, label="anna", **stack.call_settings())
    stack.receiver.await_kind(first.conference_sid, "participant-join")
    stack.client().conferences("labels").participants.create(to=FarEnd.ANSWERS, **stack.call_settings())
    with pytest.raises(TwilioRestException) as refused:
        participants.create(to=FarEnd.ANSWERS, label="anna", **stack.call_settings())
    assert (refused.value.status, refused.value.code) == (400, 16026)
    stack.client().conferences(first.conference_sid).participants("anna").delete()
    second = participants.create(to=FarEnd.ANSWERS, label="anna", **stack.call_settings())

    found = stack.client().conferences(first.conference_sid).participants("anna").fetch()
    assert found.call_sid == second.call_sid != first.call_sid
    stack.client().conferences(first.conference_sid).update(status="completed")


def test_a_completed_conference_takes_nobody_and_its_name_makes_a_new_one(stack: Stack) -> None:
    """By SID: 404/16022. By name: another conference."""
    participants = stack.client().conferences("phoenix").participants
    first = participants.create(to=FarEnd.ANSWERS, **stack.call_settings())
    stack.receiver.await_kind(first.conference_sid, "participant-join")
    stack.client().conferences(first.conference_sid).update(status="completed")
    with pytest.raises(TwilioRestException) as refused:
        stack.client().conferences(first.conference_sid).participants.create(to=FarEnd.ANSWERS, from_="+15550009999")
    assert (refused.value.status, refused.value.code) == (404, 16022)
    second = participants.create(to=FarEnd.ANSWERS, **stack.call_settings())

    assert second.conference_sid != first.conference_sid
    listed = stack.client().conferences.list(friendly_name="phoenix", status="completed")
    assert [conference.sid for conference in listed] == [first.conference_sid]
    stack.client().conferences(second.conference_sid).update(status="completed")


def test_lists_are_paged_as_the_sdk_walks_them(stack: Stack) -> None:
    """Seven participants in pages of three: each once, newest first, and back again."""
    participants = stack.client().conferences("pages").participants
    created = [participants.create(to=FarEnd.ANSWERS, **stack.call_settings()) for _ in range(7)]
    sid = created[0].conference_sid
    listed = stack.client().conferences(sid).participants
    page = listed.page(page_size=3)
    calls: list[list[str]] = []
    while True:
        calls.append([row.call_sid for row in page])
        following = page.next_page()
        if following is None:
            break
        page = following

    assert [row.call_sid for row in listed.list(page_size=3)] == [c.call_sid for c in reversed(created)]
    assert [len(rows) for rows in calls] == [3, 3, 1]
    assert [row.call_sid for row in page.previous_page()] == calls[1]
    stack.client().conferences(sid).update(status="completed")
