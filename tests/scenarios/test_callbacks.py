"""Callbacks are remembered, retried, given up, replayed; one slow or dead receiver holds up its own lane only."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.receiver import Received, Receiver
from tests.harness.stack import Stack


def _own_api(stack: Stack, path: str, method: str = "GET", **parameters: str) -> Any:
    answer = requests.request(
        method,
        f"{stack.base_url}/v1/Accounts/{stack.account_sid}/{path}",
        params=parameters if method == "GET" else None,
        data=None if method == "GET" else parameters,
        auth=(stack.account_sid, stack.auth_token),
        timeout=10,
    )
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


def _short_conference(stack: Stack, **settings: Any) -> str:
    name = f"callbacks {uuid.uuid4().hex}"
    created = (
        stack.client().conferences(name).participants.create(to=FarEnd.ANSWERS, **{**stack.call_settings(), **settings})
    )

    def is_connected() -> bool:
        participants = stack.client().conferences(created.conference_sid).participants
        return bool(participants(created.call_sid).fetch().status == "connected")

    eventually(is_connected, "connected")
    stack.client().conferences(created.conference_sid).update(status="completed")
    return str(created.conference_sid)


def test_a_receiver_that_fails_gets_everything_when_it_is_back(stack: Stack) -> None:
    """500 three times, then 200: every callback in order, each with one token over its attempts, all remembered."""
    receiver = Receiver(stack.auth_token)
    failures: list[Received] = []

    def answer(received: Received) -> int:
        if len(failures) < 3:
            failures.append(received)
            return 500
        return 200

    receiver.answer = answer
    receiver.start()
    sid = _short_conference(stack, conference_status_callback=receiver.url())
    receiver.await_kind(sid, "conference-end", seconds=30)
    receiver.stop()
    kept = _own_api(stack, "Callbacks", ConferenceSid=sid, Kind="participant-join")["callbacks"][0]
    detail = _own_api(stack, f"Callbacks/{kept['id']}")

    assert receiver.kinds(sid) == ["participant-join", "participant-leave", "conference-end"]
    assert {r.headers["I-Twilio-Idempotency-Token"] for r in failures} == {kept["token"]}
    assert (kept["state"], kept["attempts_made"]) == ("delivered", 4)
    assert [attempt["status"] for attempt in detail["attempts"]] == [500, 500, 500, 200]


def test_a_dead_letter_is_kept_counted_and_replayed_in_order(stack: Stack) -> None:
    """410 is the receiver's last word; when it has changed its mind, one request sends all of a conference again."""
    receiver = Receiver(stack.auth_token)
    receiver.answer = lambda _: 410
    receiver.start()
    sid = _short_conference(stack, conference_status_callback=receiver.url())

    def dead() -> Any:
        rows = _own_api(stack, "Callbacks", ConferenceSid=sid, State="dead")["callbacks"]
        assert len(rows) == 3, rows
        return rows

    rows = eventually(dead, "three dead letters")
    assert {row["reason"] for row in rows} == {"http-410"}
    receiver.answer = lambda _: 200
    receiver.received.clear()
    listed = stack.orchestrator("callbacks", "list", "--account", stack.account_sid, "--state", "dead")
    assert rows[0]["id"] in listed
    assert _own_api(stack, "Callbacks/Replay", "POST", ConferenceSid=sid) == {
        "replayed": 3,
        "more": False,
        "next_after": None,
    }
    receiver.await_kind(sid, "conference-end")
    receiver.stop()

    assert receiver.kinds(sid) == ["participant-join", "participant-leave", "conference-end"]
    assert {row["token"] for row in rows} == {r.headers["I-Twilio-Idempotency-Token"] for r in receiver.of(sid)}
    # By kind: the call's own progress callbacks belong to the conference as well, and were never dead.
    delivered = eventually(
        lambda: _own_api(stack, "Callbacks", ConferenceSid=sid, State="delivered", Kind="conference-end")["callbacks"],
        "delivered by the replay",
    )
    assert [row["replays"] for row in delivered] == [1]


def test_one_delivered_callback_can_be_sent_again(stack: Stack) -> None:
    """By its id, over HTTP or on the command line; the token stays the same."""
    sid = _short_conference(stack)
    stack.receiver.await_kind(sid, "conference-end")
    row = eventually(
        lambda: _own_api(stack, "Callbacks", ConferenceSid=sid, Kind="conference-end", State="delivered")["callbacks"],
        "remembered",
    )[0]
    before = len(stack.receiver.received)
    stack.orchestrator("callbacks", "replay", "--account", stack.account_sid, row["id"])
    eventually(lambda: len(stack.receiver.received) > before, "sent again")

    assert stack.receiver.received[-1].headers["I-Twilio-Idempotency-Token"] == row["token"]
    assert row["token"] in stack.orchestrator("callbacks", "show", "--account", stack.account_sid, row["id"])


def test_another_account_sees_no_callback(stack: Stack) -> None:
    """Neither in its list, nor by id, nor by replay."""
    sid = _short_conference(stack)
    row = eventually(lambda: _own_api(stack, "Callbacks", ConferenceSid=sid)["callbacks"], "remembered")[0]
    foreign = ("AC" + "d7" * 16, "foreign" * 5)
    stack.add_account(foreign[0], foreign[1])
    base = f"{stack.base_url}/v1/Accounts/{foreign[0]}/Callbacks"
    listed = requests.get(base, params={"ConferenceSid": sid}, auth=foreign, timeout=5).json()

    assert listed == {"callbacks": [], "next_page_uri": None}
    assert requests.get(f"{base}/{row['id']}", auth=foreign, timeout=5).status_code == 404
    assert requests.post(f"{base}/{row['id']}/Replay", auth=foreign, timeout=5).status_code == 404
    replayed = requests.post(f"{base}/Replay", data={"ConferenceSid": sid}, auth=foreign, timeout=5)
    assert replayed.json() == {"replayed": 0, "more": False, "next_after": None}


def test_a_callback_never_goes_to_an_address_that_is_not_allowed(stack: Stack) -> None:
    """A private address that the operator has not listed: a dead letter, and not one packet."""
    sid = _short_conference(stack, conference_status_callback="http://169.254.169.254/latest/meta-data")

    def refused() -> Any:
        rows = _own_api(stack, "Callbacks", ConferenceSid=sid, State="dead")["callbacks"]
        assert len(rows) == 3, rows
        return rows

    assert {row["reason"] for row in eventually(refused, "refused")} == {"address-refused"}


def test_a_receiver_that_takes_its_time_holds_up_nobody_else(stack: Stack) -> None:
    """Thirty conferences of one receiver that sleeps; another one's callbacks come at once."""
    slow = Receiver(stack.auth_token)

    def sleep(_: Received) -> int:
        time.sleep(3)
        return 200

    slow.answer = sleep
    slow.start()
    settings = {"conference_status_callback": slow.url(), "status_callback": slow.url()}

    def create(_: int) -> None:
        stack.client().conferences(f"slow {uuid.uuid4().hex}").participants.create(
            to=FarEnd.ANSWERS, **{**stack.call_settings(), **settings}
        )

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(create, range(30)))
    started = time.monotonic()
    sid = _short_conference(stack)
    stack.receiver.await_kind(sid, "conference-end")
    took = time.monotonic() - started
    slow.stop()

    assert took < 2.0
    for conference in stack.client().conferences.list(status="init"):
        conference.update(status="completed")
