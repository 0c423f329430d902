"""What one tenant may take: each quota refused with its code, and a full switch said before a call is asked for.

On the code of before every create got 201, and the switch dialled none of what was over its own limit.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import secrets
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from orchestrator.services.pacing import REFUSAL_SECONDS
from orchestrator.sids import channel_uuid_of
from orchestrator.store import keys
from tests.bench import neighbours
from tests.harness.freeswitch import FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Process, Stack


class Tenant:
    """An account of the test's own, with limits of its own."""

    def __init__(self, stack: Stack, **limits: int) -> None:
        self.stack = stack
        self.sid, self.token = "AC" + secrets.token_hex(16), secrets.token_hex(16)
        stack.add_account(self.sid, self.token)
        if limits:
            stack.set_limits(self.sid, **limits)
        self.base = f"{stack.base_url}/2010-04-01/Accounts/{self.sid}"
        self.made: list[dict[str, Any]] = []

    def request(self, method: str, path: str, form: dict[str, str] | None = None) -> requests.Response:
        return requests.request(method, f"{self.base}{path}", data=form, auth=(self.sid, self.token), timeout=10)

    def create(self, name: str = "room", to: str = FarEnd.NEVER_ANSWERS, **more: str) -> requests.Response:
        form = {"From": "+15550009999", "To": to, "Timeout": "60", **more}
        answer = self.request("POST", f"/Conferences/{name}/Participants.json", form)
        if answer.status_code == 201:
            self.made.append(answer.json())
        return answer

    def end(self) -> None:
        for sid in {row["conference_sid"] for row in self.made}:
            eventually(
                lambda sid=sid: (  # type: ignore[misc]  # the loop's own
                    self.request("POST", f"/Conferences/{sid}.json", {"Status": "completed"}).status_code == 200
                ),
                "the conference has been ended",
            )


def _refused(answer: requests.Response) -> tuple[int, int]:
    assert int(answer.headers["Retry-After"]) >= 1, answer.text
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("live_participants", 16021),
        ("live_conferences", 16021),
        ("dialling", 16021),
        ("creates_per_second", 20429),
        ("kept_participants", 20429),
        ("kept_parameter_bytes", 20429),
    ],
)
def test_over_a_quota_a_create_is_refused_and_nobody_is_called(stack: Stack, limit: str, code: int) -> None:
    """429 with the quota's code and Retry-After; the switch has as many channels as there were 201s, and another
    account is not refused for it."""
    tenant = Tenant(stack, **{limit: 4_000 if limit == "kept_parameter_bytes" else 3})
    try:
        answers = []
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda number: tenant.create(f"room {number}"), range(16)))
        found = Counter(answer.status_code for answer in answers)
        assert set(found) == {201, 429}, found
        assert {_refused(answer) for answer in answers if answer.status_code == 429} == {(429, code)}
        if limit != "kept_parameter_bytes":
            assert found[201] in ((3,) if limit != "creates_per_second" else range(3, 12)), found
        for row in tenant.made:
            assert _is_dialled(stack, row["call_sid"]), row
        other = Tenant(stack)
        assert other.create().status_code == 201
        other.end()
    finally:
        tenant.end()


def _is_dialled(stack: Stack, call_sid: str) -> bool:
    command = f"uuid_exists {channel_uuid_of(call_sid)}"
    return bool(eventually(lambda: stack.switch.api(command).strip() == "true", f"{call_sid} is dialled", 5))


def test_whatever_ends_makes_room(stack: Stack) -> None:
    """A call that has ended, however it did, is counted no longer: the tenant can go on for ever."""
    tenant = Tenant(stack, live_participants=2, live_conferences=1, dialling=2)
    for to in (FarEnd.BUSY, FarEnd.ANSWERS, FarEnd.BUSY, FarEnd.ANSWERS):
        eventually(lambda to=to: tenant.create(to=to).status_code == 201, "there is room again", 10)  # type: ignore[misc]
    tenant.end()
    eventually(lambda: tenant.create("another").status_code == 201, "there is room for another conference", 10)
    tenant.end()


def test_an_operator_changes_a_limit(stack: Stack) -> None:
    """It counts within a second or two, up and down, without anything being restarted."""
    tenant = Tenant(stack, dialling=0)
    assert _refused(tenant.create()) == (429, 16021)
    stack.orchestrator("account", "limits", "--account", tenant.sid, "--dialling", "default")
    eventually(lambda: tenant.create().status_code == 201, "the new limit counts", 5)
    assert "100" in stack.orchestrator("account", "limits", "--account", tenant.sid)
    tenant.end()


def test_what_a_killed_process_leaves_is_not_counted_for_ever(own_stack: Stack) -> None:
    """kill -9 of API and listener in the middle of creates and ends: afterwards the tenant gets all of its quota."""
    tenant = Tenant(own_stack, live_participants=6, live_conferences=6, dialling=6, creates_per_second=1_000)

    def create(number: int) -> None:
        with contextlib.suppress(requests.RequestException):  # killed meanwhile: nobody knows what has become of it
            tenant.create(f"room {number}", to=(FarEnd.BUSY, FarEnd.NEVER_ANSWERS)[number % 2])

    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(create, number) for number in range(60)]
        time.sleep(0.15)  # the moment of the crash, not a wait for anything
        own_stack.api.kill_9()
        own_stack.listener.kill_9()
        for done in work:
            done.result()
    own_stack.api.start()
    own_stack.listener.start()
    own_stack.await_ready()
    tenant.made = [
        {"conference_sid": row["sid"]}
        for row in tenant.request("GET", "/Conferences.json?PageSize=100").json()["conferences"]
    ]
    tenant.end()
    tenant.made.clear()
    for number in range(6):
        name = f"again {number}"
        eventually(lambda name=name: tenant.create(name).status_code == 201, "the whole quota is there", 40)  # type: ignore[misc]
    assert _refused(tenant.create("too many")) == (429, 16021)


@pytest.mark.parametrize("limit", ["max_sessions 20", "sps 8"])
def test_a_switch_that_takes_no_more_says_so_before_201(own_stack: Stack, limit: str) -> None:
    """503 with Retry-After; every create that was told 201 has a channel, also when they come all at once, in two
    accounts; and when there is room again creates go on."""
    own_stack.switch.api(f"fsctl {limit}")
    tenants = [Tenant(own_stack, creates_per_second=1_000), Tenant(own_stack, creates_per_second=1_000)]
    own_stack.api.kill_9()  # it reads the switch's limits twice a second, and as it starts
    own_stack.api.start()
    own_stack.await_ready()

    def create(number: int) -> requests.Response:
        return tenants[number % 2].create(f"crowd {number}")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(create, range(60)))
    assert {answer.status_code for answer in answers} == {201, 503}
    assert {_refused(answer) for answer in answers if answer.status_code == 503} == {(503, 20503)}
    for tenant in tenants:
        for row in tenant.made:
            assert _is_dialled(own_stack, row["call_sid"])
        tenant.end()
        eventually(lambda tenant=tenant: tenant.create("later").status_code == 201, "there is room", 10)  # type: ignore[misc]


def test_a_refused_create_leaves_no_name(stack: Stack) -> None:
    """Names of conferences that were never made are not kept: they would grow without a bound."""
    tenant = Tenant(stack, live_participants=0)
    for _ in range(5):
        assert _refused(tenant.create(f"name {uuid.uuid4().hex}")) == (429, 16021)

    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as client:
        assert client.hlen(keys.account_names(tenant.sid)) == 0


def test_a_tenant_that_takes_all_it_can_beside_one_that_works(own_stack: Stack) -> None:
    """The one that works gets every create, every read and every callback; the other one's quotas hold, and whoever it
    was told 201 for is called. How fast: tests/bench/neighbours.py."""
    greedy = Tenant(own_stack, dialling=30, list_rows_per_second=20)
    process = Process(
        "greedy",
        [],
        own_stack.environment | neighbours.environment(own_stack, greedy.sid, greedy.token),
        own_stack.directory,
    )
    process.command = [sys.executable, str(Path(neighbours.__file__).with_name("greedy.py"))]
    process.start()
    try:
        eventually(lambda: len(_members(own_stack, keys.account_dialling(greedy.sid))) >= 30, "it has all it may", 30)
        refused_at = time.monotonic() + 2 * REFUSAL_SECONDS  # by then it has asked for more, and been told no
        for number in itertools.count():
            if number >= 10 and time.monotonic() > refused_at:
                break
            made = (
                own_stack.client()
                .conferences(f"works {number}")
                .participants.create(to=FarEnd.ANSWERS, **own_stack.call_settings())
            )
            assert own_stack.client().conferences(made.conference_sid).fetch().sid == made.conference_sid
            own_stack.receiver.await_kind(made.conference_sid, "participant-join", 1, 20)
            assert own_stack.client().conferences(made.conference_sid).update(status="completed").status == "completed"
    finally:
        process.stop()
    got: dict[str, int] = json.loads(process.log().splitlines()[-1])
    assert {"create: 429 16021", "a filter that matches nothing: 429 20429"} <= set(got), got
    assert got["create: 201"] == 30, got
    own_stack.set_limits(greedy.sid, list_rows_per_second=1_000_000)

    def called() -> bool:
        eventually(lambda: greedy.request("GET", ".json").status_code == 200, "it may ask again", 20)
        live = 0
        for sid in _members(own_stack, keys.account_live_conferences(greedy.sid)):
            live += len(_rows(greedy, f"/Conferences/{sid}/Participants.json?PageSize=1000"))
        return live == got["create: 201"]

    assert eventually(called, "whoever it was told 201 for is being called", 30)


def _members(stack: Stack, key: str) -> list[str]:
    with redis.Redis.from_url(stack.environment["REDIS_URL"], decode_responses=True) as client:
        return list(client.zrange(key, 0, -1))


def _rows(tenant: Tenant, path: str) -> list[dict[str, Any]]:
    answer = eventually(
        lambda: found if (found := tenant.request("GET", path)).status_code == 200 else None, "it may look", 20
    )
    assert answer is not None
    return [row for row in answer.json()["participants"] if row["status"] in ("queued", "connecting", "ringing")]
