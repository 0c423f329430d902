"""Calls that wait, with a real Redis and a scripted switch: in order, at the rate, each once, whoever dies when."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from structlog.testing import capture_logs

from orchestrator import logs
from orchestrator.dialling import dialler as dialler_module
from orchestrator.dialling.dialler import Dialler, NotNow
from orchestrator.dialling.queue import DialQueue
from orchestrator.dialling.queued_call import Seal
from orchestrator.dialling.sessions import Sessions
from orchestrator.domain.conference import Participant
from orchestrator.errors import NodeFull
from orchestrator.freeswitch.client import NodeUnavailable
from orchestrator.freeswitch.nodes import Node
from orchestrator.lanes.engine import LaneLease
from orchestrator.sids import channel_uuid_of, mint_sid
from orchestrator.store import keys
from orchestrator.store.accounts import AccountStore
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.dials import LANE, DialStore, Waiting
from orchestrator.store.lanes import Lane
from orchestrator.store.nodes import NodeStore
from orchestrator.store.quotas import QuotaStore
from tests.unit.api.test_app import BASE, Api, basic, make_api, stop
from tests.unit.fake_esl import PASSWORD
from tests.unit.listener.test_committer import World
from tests.unit.records import ACCOUNT, NODE

PARTICIPANTS = f"{BASE}/Conferences/weekly/Participants.json"


@dataclass
class Scene:
    api: Api
    world: World
    store: DialStore
    dialler: Dialler
    queue: DialQueue
    made: list[str] = field(default_factory=list)

    def rate(self, per_second: int) -> None:
        AccountStore(self.api.redis).save_limits(ACCOUNT, {"calls_per_second": per_second})

    def create(self, name: str = "weekly", **form: str) -> dict[str, Any]:
        data = {"From": "+15550009999", "To": "+15550001000", "StatusCallback": "http://127.0.0.1:9/x", **form}
        response = self.api.web.post(PARTICIPANTS.replace("weekly", name), data=data, headers=basic())
        assert response.status_code == 201, response.text
        body: dict[str, Any] = response.get_json()
        self.made.append(body["call_sid"])
        return body

    def dialled(self) -> list[str]:
        """CallSids in the order in which the switch was told to dial them."""
        found = [line.partition("origination_uuid=")[2][:36] for line in self.api.heard if "bgapi originate" in line]
        by_uuid = {channel_uuid_of(sid): sid for sid in self.made}
        return [by_uuid[uuid] for uuid in found]

    def work(self) -> int | None:
        lane = Lane(ACCOUNT, LANE)
        assert self.store.take(lane, "me", int(time.time() * 1000)) is not None
        return self.queue.work(LaneLease(lane, "me"), None)

    def head(self) -> Waiting:
        head = self.store.head(ACCOUNT)
        assert head is not None
        return head

    def send_to(self, call_sid: str, node: str) -> None:
        """Have a call and its conference be of a node, which may be away."""
        client: Any = self.api.redis
        sid = self.load(call_sid).conference_sid
        client.hset(keys.conference(sid), "node", node)
        client.hset(keys.participant(sid, call_sid), "node", node)

    def hurry(self) -> None:
        """Have the slots of all that wait come now, in their order, and a hundred more a second."""
        client: Any = self.api.redis
        for member in client.zrange(keys.account_dials(ACCOUNT), 0, -1):
            client.zincrby(keys.account_dials(ACCOUNT), -10_000, member)
        self.rate(100)
        self.queue._accounts.forget(ACCOUNT)

    def load(self, call_sid: str) -> Participant:
        sid = CommitStore(self.api.redis).load_conference_sids([call_sid])[call_sid]
        return CommitStore(self.api.redis).load([(sid, call_sid)], ())[1][call_sid]


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    api = make_api(redis_url)
    client = api.redis
    world, store = World(client), DialStore(client)
    sessions = Sessions(api.nodes, QuotaStore(client))
    accounts, told, seal = AccountStore(client), NodeStore(client), Seal(PASSWORD)
    dialler = Dialler(store, accounts, CommitStore(client), told, api.nodes, sessions, seal, world.new_committer)
    made = Scene(api, world, store, dialler, DialQueue(store, accounts, dialler))
    made.rate(5)
    yield made
    stop(api)


def test_creates_over_the_rate_are_queued_and_dialled_in_order(scene: Scene) -> None:
    """201 at once, `queued`, with the time until their slot; each is dialled then, give or take little."""
    started = time.time()
    answers = [scene.create() for _ in range(6)]
    scene.work()
    first = scene.dialled()
    at = {sid: scene.load(sid).dialled_at for sid in scene.made}
    promised = {one["call_sid"]: int(one["queue_time"]) / 1000 for one in answers}
    created = {sid: scene.load(sid).created_at for sid in scene.made}

    assert [one["status"] for one in answers] == ["queued"] * 6
    assert first == scene.made
    assert promised[scene.made[0]] == 0
    assert time.time() - started >= 0.2
    for sid in scene.made:
        assert at[sid] is not None
        assert abs((at[sid] - created[sid]).total_seconds() - promised[sid]) < 1  # type: ignore[operator]


def test_nothing_of_a_queued_call_is_known_to_the_switch_or_readable(scene: Scene) -> None:
    """Until its slot; and what is kept of it then is gone when it is dialled."""
    scene.rate(1)
    scene.create()
    body = scene.create(To="sip:a@8.8.8.8", SipAuthUsername="bob", SipAuthPassword="hunter2hunter2")
    client: Any = scene.api.redis
    kept = str(client.hgetall(keys.account_queued_calls(ACCOUNT)))
    assert scene.dialled() == scene.made[:1]
    scene.work()

    assert "hunter2" not in kept
    assert "bob" not in kept
    assert scene.dialled() == scene.made
    assert any("sip_auth_password=hunter2hunter2" in line for line in scene.api.heard)
    assert client.keys("account:*dials*") == []
    assert scene.load(body["call_sid"]).dialled_at is not None


def test_a_queued_call_is_canceled_by_a_delete(scene: Scene) -> None:
    """204 when it is over, `canceled`; it is never dialled, and those behind it are."""
    scene.rate(1)
    for _ in range(3):
        scene.create()
    victim = scene.load(scene.made[1])
    path = f"{BASE}/Conferences/{victim.conference_sid}/Participants/{victim.call_sid}.json"
    assert scene.api.web.delete(path, headers=basic()).status_code == 204
    call = scene.api.web.get(f"{BASE}/Calls/{victim.call_sid}.json", headers=basic()).get_json()
    while scene.work() is not None:
        pass

    assert (call["status"], call["start_time"]) == ("canceled", None)
    assert scene.dialled() == [scene.made[0], scene.made[2]]


def test_who_waits_for_a_conference_that_ends_is_not_dialled(scene: Scene) -> None:
    """Also by Status=completed of a call; and the conference is over."""
    scene.rate(1)
    for _ in range(3):
        scene.create()
    sid = scene.load(scene.made[0]).conference_sid
    ended = scene.api.web.post(f"{BASE}/Calls/{scene.made[2]}.json", data={"Status": "canceled"}, headers=basic())
    scene.api.store.request_end(ACCOUNT, sid)
    assert scene.work() is None

    assert ended.get_json()["status"] == "canceled"
    assert scene.load(scene.made[1]).ended_at is not None
    assert scene.dialled() == scene.made[:1]


@pytest.mark.parametrize("by", ["participant", "call"])
def test_a_queued_call_is_canceled_whether_its_node_is_there_or_not(scene: Scene, by: str) -> None:
    """No switch knows of it: it is over at once, its callback is told, and its conference's name is free."""
    scene.rate(1)
    scene.create()
    body = scene.create("monthly")
    scene.send_to(body["call_sid"], "away")
    if by == "call":
        path, data = f"{BASE}/Calls/{body['call_sid']}.json", {"Status": "canceled"}
        answered = scene.api.web.post(path, data=data, headers=basic()).status_code
    else:
        path = f"{BASE}/Conferences/{body['conference_sid']}/Participants/{body['call_sid']}.json"
        answered = scene.api.web.delete(path, headers=basic()).status_code
    scene.work()

    assert answered == (200 if by == "call" else 204)
    assert scene.load(body["call_sid"]).ended_at is not None
    assert scene.api.store.find_name(ACCOUNT, "monthly") is None
    assert scene.world.kinds(body["conference_sid"], body["call_sid"])[-1:] == ["completed"]
    assert scene.store.head(ACCOUNT) is None


def test_an_away_node_keeps_no_call_of_another_waiting(scene: Scene) -> None:
    """Its calls are passed over, and dialled when it is back; the others are dialled in order meanwhile."""
    scene.rate(1)
    first, away, *others = [scene.create(name)["call_sid"] for name in ("weekly", "monthly", "weekly", "weekly")]
    scene.send_to(away, "away")
    scene.hurry()
    due_ms = scene.work()
    assert scene.dialled() == [first, *others]
    assert due_ms is not None
    assert due_ms > time.time() * 1000 - 1_000

    scene.send_to(away, NODE)
    assert scene.work() is None
    assert scene.dialled() == [first, *others, away]


def test_a_full_node_is_one_that_is_passed_over(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works on the queue is told which node it is."""
    scene.rate(1)
    scene.create()
    scene.create()

    def is_full(self: Sessions, participant: Participant) -> None:
        raise NodeFull("full")

    monkeypatch.setattr(Sessions, "reserve", is_full)
    with pytest.raises(NotNow) as refused:
        scene.dialler.take(scene.head())

    assert refused.value.node == NODE
    assert scene.store.head(ACCOUNT, {NODE}) is None
    assert scene.store.head(ACCOUNT, {"another"}) == scene.head()


def test_an_account_whose_rate_is_taken_away_is_looked_at_later(scene: Scene) -> None:
    """Not at once, which would keep a worker busy for as long as there are calls that wait."""
    scene.rate(1)
    scene.create()
    scene.create()
    scene.hurry()
    scene.rate(0)
    begun = time.time()
    due_ms = scene.work()

    assert due_ms is not None
    assert due_ms > begun * 1000 + 1_000
    assert scene.dialled() == scene.made[:1]


@pytest.mark.parametrize("how", ["suspended", "refused"])
def test_what_the_operator_forbids_meanwhile_is_not_dialled(scene: Scene, how: str) -> None:
    """Calls of an account that is suspended, or may not call like this any more: they fail, and clients are told."""
    scene.rate(1)
    scene.create()
    late = [scene.create("monthly")["call_sid"] for _ in range(2)]
    scene.hurry()
    accounts = scene.queue._accounts
    if how == "suspended":
        account = accounts.load_account(ACCOUNT)
        assert account is not None
        accounts.save_account(replace(account, status="suspended"))
    else:
        accounts.save_policy(ACCOUNT, {"refused_prefixes": ["1555"]})
    while scene.work() is not None:
        pass

    assert scene.dialled() == scene.made[:1]
    assert [scene.load(sid).hangup_cause for sid in late] == ["OUTGOING_CALL_BARRED"] * 2
    assert scene.store.head(ACCOUNT) is None
    assert scene.api.store.find_name(ACCOUNT, "monthly") is None


def test_a_mute_and_a_start_while_it_waits_are_how_it_joins(scene: Scene) -> None:
    """From the first frame on: nobody could tell the switch of a call that has no channel."""
    scene.rate(1)
    scene.create()
    body = scene.create()
    path = f"{BASE}/Conferences/{body['conference_sid']}/Participants/{body['call_sid']}.json"
    scene.api.web.post(path, data={"Muted": "true"}, headers=basic())
    client: Any = scene.api.redis
    client.hset(keys.conference(body["conference_sid"]), "status", "in-progress")
    scene.work()
    (line,) = [line for line in scene.api.heard if channel_uuid_of(body["call_sid"]) in line and "originate" in line]

    assert "conference_member_flags=mute," in line


def test_a_claim_of_somebody_who_died_is_dialled_once(scene: Scene) -> None:
    """Died before dialling: it is dialled when the listener has had time to tell of it. After dialling: it is not."""
    scene.rate(1)
    scene.create()
    scene.create()
    scene.create()
    assert scene.store.claim(scene.head())[0] == 1
    with pytest.raises(NotNow):
        scene.dialler.take(scene.head())
    told = NodeStore(scene.api.redis)
    told.save_node(NODE, connected="1", queued="3", seen_at=str(int(time.time()) + 5))
    with pytest.raises(NotNow):
        scene.dialler.take(scene.head())
    assert scene.dialled() == scene.made[:1]
    told.save_node(NODE, connected="1", queued="0", seen_at=str(int(time.time()) + 5))
    scene.dialler.take(scene.head())
    assert scene.dialled() == scene.made[:2]

    last = scene.head()
    assert scene.store.claim(last)[0] == 1
    client: Any = scene.api.redis
    client.hset(keys.participant(last.conference_sid, last.call_sid), "status", "connecting")
    scene.dialler.take(last)
    assert scene.dialled() == scene.made[:2]
    assert scene.store.head(ACCOUNT) is None
    assert scene.load(last.call_sid).dialled_at is not None


def test_a_claim_is_judged_by_one_clock(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis': that of a worker's host may be an hour ahead of the listener's."""
    scene.rate(1)
    scene.create()
    scene.create()
    scene.store.claim(scene.head())
    monkeypatch.setattr(dialler_module, "time", SimpleNamespace(time=lambda: time.time() + 3_600))
    with pytest.raises(NotNow):
        scene.dialler.take(scene.head())
    told = NodeStore(scene.api.redis)
    told.save_node(NODE, connected="1", queued="0", seen_at=str(told.now() + 5))
    scene.dialler.take(scene.head())

    assert scene.dialled() == scene.made


def test_a_create_that_is_refused_costs_no_turn(scene: Scene) -> None:
    """Also one that would have been dialled at once: the next is."""
    scene.rate(1)
    scene.create(Label="host")
    client: Any = scene.api.redis
    client.hset(keys.account_tallies(ACCOUNT), "dials_free_at", "0")
    form = {"From": "+15550009999", "To": "+15550001000", "Label": "host"}
    refused = scene.api.web.post(PARTICIPANTS, data=form, headers=basic())

    assert (refused.status_code, refused.get_json()["code"]) == (400, 16026)
    assert scene.create()["queue_time"] == "0"


def test_a_call_whose_dialling_was_not_confirmed_is_asked_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection broke: perhaps it is dialled. It is, says the switch: then nobody dials it again."""
    scene.rate(1)
    scene.create()
    scene.create()

    def breaks(self: Node, command: object, job_uuid: str) -> None:
        raise NodeUnavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(Node, "start_job", breaks)
        with pytest.raises(NotNow):
            scene.dialler.take(scene.head())
    NodeStore(scene.api.redis).save_node(NODE, connected="1", queued="0", seen_at=str(int(time.time()) + 5))
    monkeypatch.setattr(Node, "send", lambda self, command, seconds=1.0: "true")
    scene.dialler.take(scene.head())

    assert scene.dialled() == scene.made[:1]
    assert scene.store.head(ACCOUNT) is None


def test_who_finds_the_name_taken_has_cost_no_turn(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two first creates of a name at once: the calls are a second apart, not two."""
    scene.rate(1)
    scene.create()
    claim, waits = ConferenceStore.claim_name, list[int]()

    def claim_late(self: ConferenceStore, account_sid: str, name: str, candidate: str) -> str:
        if not waits:
            waits.append(0)
            waits[0] = int(gevent.spawn(scene.create, "monthly").get()["queue_time"])
        return claim(self, account_sid, name, candidate)

    monkeypatch.setattr(ConferenceStore, "claim_name", claim_late)
    waits.append(int(scene.create("monthly")["queue_time"]))

    assert 500 < waits[0] <= 1_000
    assert 1_500 < waits[1] <= 2_000


def test_an_account_is_never_dialled_for_at_more_than_twice_its_rate(scene: Scene) -> None:
    """Whoever is behind makes up for it, whichever worker goes on: the pace is kept in Redis."""
    scene.rate(20)
    for _ in range(8):
        scene.create()
    client: Any = scene.api.redis
    for member in client.zrange(keys.account_dials(ACCOUNT), 0, -1):
        client.zincrby(keys.account_dials(ACCOUNT), -600, member)
    scene.work()
    at = [scene.load(sid).dialled_at for sid in scene.made[1:]]
    apart = [(later - earlier).total_seconds() for earlier, later in pairwise(at) if earlier and later]

    assert len(apart) == 6
    assert min(apart) >= 0.02


def test_an_account_without_calls_is_refused(scene: Scene) -> None:
    """A rate of 0: 429, and nothing is left of it."""
    scene.rate(0)
    response = scene.api.web.post(PARTICIPANTS, data={"From": "+15550009999", "To": "+15550001000"}, headers=basic())

    assert (response.status_code, response.get_json()["code"]) == (429, 20429)
    assert scene.api.store.find_name(ACCOUNT, "weekly") is None


def test_a_call_that_nobody_has_made_is_dropped(scene: Scene) -> None:
    """Its create died between its slot and its record."""
    scene.store.reserve(ACCOUNT, "CF" + "0" * 32, "CA" + "0" * 32, "x", 1)
    scene.store.reserve(ACCOUNT, "CF" + "0" * 32, "CA" + "1" * 32, "x", 1)
    head = scene.head()
    with pytest.raises(NotNow):
        scene.dialler.take(head)
    client: Any = scene.api.redis
    client.zincrby(keys.account_dials(ACCOUNT), -9_000, head.member)
    scene.dialler.take(scene.head())

    assert scene.store.head(ACCOUNT) is None


def test_whom_the_account_may_not_call_nobody_dials(scene: Scene) -> None:
    """400 before anything is written or dialled; others are called."""
    AccountStore(scene.api.redis).save_policy(ACCOUNT, {"refused_prefixes": ["1900"], "caller_ids": ["15550009999"]})
    data = {"From": "+15550009999", "To": "+19005550000"}
    called = scene.api.web.post(PARTICIPANTS, data=data, headers=basic())
    shown = scene.api.web.post(
        PARTICIPANTS, data={**data, "To": "+15550001000", "CallerId": "+15550008888"}, headers=basic()
    )

    assert [(one.status_code, one.get_json()["code"]) for one in (called, shown)] == [(400, 21216), (400, 21210)]
    assert (scene.dialled(), scene.api.store.find_name(ACCOUNT, "weekly")) == ([], None)
    assert scene.create()["status"] == "queued"
    assert scene.dialled() == scene.made


def test_each_call_is_dialled_or_ended_in_the_name_of_its_own_request(scene: Scene) -> None:
    """Not in that of the request that has woken the queue; its lines and its callbacks say so."""
    scene.rate(1)
    for _ in range(4):
        scene.create()
    _, *dialled, removed = map(scene.load, scene.made)
    woke, removal = mint_sid("RQ"), mint_sid("RQ")
    with logs.bound(request_id=removal):
        scene.api.store.request_removal(ACCOUNT, removed.conference_sid, removed.call_sid)
    scene.hurry()
    with logs.bound(request_id=woke), capture_logs(processors=[logs.add_names]) as lines:
        while scene.work() is not None:
            pass
        assert logs.request_id() == woke
    said = [line for line in lines if line["event"] == "waiting_call_dialled"]
    (told,) = scene.world.entries(removed.conference_sid, removed.call_sid)

    assert len({woke, "", *(one.create_request for one in dialled)}) == 4
    assert [(line["account_sid"], line["call_sid"], line["request_id"]) for line in said] == [
        (ACCOUNT, one.call_sid, one.create_request) for one in dialled
    ]
    assert (told.kind, told.request_id) == ("completed", removal)
