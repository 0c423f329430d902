"""The console as an operator's browser and Prometheus meet it: what is shown, who is let in, what is done and noted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
import redis
import structlog
from flask.testing import FlaskClient

from orchestrator.console import security
from orchestrator.console.app import create_console
from orchestrator.console.live import Live, LivePages, TooManyViewers
from orchestrator.console.run import build_parts
from orchestrator.domain.events import CallAnswered, CallEnded, MemberAdded, MemberRemoved
from orchestrator.domain.recording import RecordingSource, RecordingStatus
from orchestrator.outgoing.networks import parse_networks
from orchestrator.reporter import Reporter
from orchestrator.services.all_services import Services
from orchestrator.settings import Settings
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import Lane
from orchestrator.store.nodes import NodeStore
from orchestrator.store.outbox import Tried
from orchestrator.store.overview import LivePerson, Overview
from orchestrator.store.processes import ProcessStore
from orchestrator.store.receivers import ReceiverStore
from orchestrator.store.recordings import RecordingStore
from orchestrator.wiring.nodes import build_nodes
from orchestrator.wiring.services import build_services
from tests.unit.domain.test_recording import at, begun
from tests.unit.fake_esl import PASSWORD, FakeEsl, obedient
from tests.unit.listener.test_committer import NOW, World
from tests.unit.records import ACCOUNT, EVENTS, create
from tests.unit.store.test_callbacks import Shelf

EVIL = "<script>alert(1)</script>"
TOKEN = "t" * 24
BROWSER = {"Accept": "text/html"}
OURS = {**BROWSER, "Origin": "http://localhost"}


@dataclass
class Console:
    web: FlaskClient
    client: redis.Redis
    heard: list[str]

    def page(self, path: str, status: int = 200) -> str:
        answer = self.web.get(path, headers=BROWSER)
        assert answer.status_code == status, answer.text
        return answer.text


def make_console(
    redis_url: str,
    client: redis.Redis,
    token: str = "",
    proxies: str = "",
    recordings_dir: str = "/no/such/recordings",
) -> Console:
    heard: list[str] = []
    switch = FakeEsl(obedient(heard=heard))
    switch.start()
    settings = Settings(
        redis_url=redis_url,
        freeswitch_nodes=f"fs1=127.0.0.1:{switch.port}",
        freeswitch_password=PASSWORD,
        console_token=token,
        recordings_dir=recordings_dir,
    )
    nodes = build_nodes(settings)
    nodes.start()
    parts = build_parts(settings, build_services(settings, nodes))
    AccountStore(client).save_account(Account(ACCOUNT, "a" * 32, "active", EVIL))
    return Console(create_console(parts, token, parse_networks(proxies)).test_client(), client, heard)


@pytest.fixture
def console(redis_url: str, client: redis.Redis) -> Console:
    return make_console(redis_url, client)


@pytest.fixture
def live(client: redis.Redis) -> tuple[World, str, str]:
    """Somebody in a conference: the world, ConferenceSid, CallSid."""
    world = World(client)
    person = create(ConferenceStore(client), name=EVIL, label=EVIL, conference_callbacks=EVENTS)
    client.zadd(keys.account_kept(ACCOUNT), {f"{person.call_sid}:100": int(person.created_at.timestamp() * 1000)})
    world.apply(person, CallAnswered(NOW), MemberAdded(NOW, 1))
    return world, person.conference_sid, person.call_sid


# ------------------------------------------------------------ what is shown


def test_the_live_page_shows_all_that_lives(
    console: Console, live: tuple[World, str, str], client: redis.Redis
) -> None:
    """Nodes, processes, lanes, accounts, conferences with their people; whatever comes from outside stays text."""
    NodeStore(client).save_node("fs1", connected="1", listener="host:1", queued="3")
    Reporter(ProcessStore(client), "work").once()
    page = console.page("/")

    assert EVIL not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    assert f"/conferences/{live[1]}" in page
    assert "1 conferences, 1 people" in page
    assert "host:1" in page
    assert "work 1" in page
    assert ACCOUNT in page


def test_the_live_page_shows_the_recordings_that_run(console: Console, client: redis.Redis) -> None:
    """The newest first, of which conference or call, and since when; none that is over."""
    store, call_sid = RecordingStore(client), mint_sid("CA")
    first, second, over = (begun() for _ in range(3))
    store.create(replace(first, call_sid=call_sid))
    store.create(replace(second, created_at=at(60), status=RecordingStatus.PAUSED))
    store.create(replace(over, created_at=at(61), status=RecordingStatus.COMPLETED))
    page = console.page("/")

    assert page.index(second.recording_sid) < page.index(first.recording_sid)
    assert over.recording_sid not in page
    assert call_sid in page
    assert second.conference_sid in page
    assert "2026-11-28 20:00:00" in page
    assert "</code></a> paused, of conference" in page


def test_the_live_page_counts_the_lanes_that_wait_for_another_try(console: Console, client: redis.Redis) -> None:
    """In a moment or in minutes; beside all that wait, of which some have not been tried yet."""
    shelf, now_ms = Shelf(client), int(time.time() * 1000)
    for number, due_ms in enumerate((now_ms + 500, now_ms + 300_000, None)):
        lane = Lane(shelf.lane.sid, mint_sid("CA"))
        shelf.put(str(number), lane)
        if due_ms is not None:
            head = shelf.outbox.load_head(lane, "worker", now_ms)
            shelf.outbox.save_retry(lane, "worker", Tried(head.token), due_ms)

    assert '<th scope="row">callbacks</th><td class="n">3</td><td class="n">2</td>' in console.page("/")


def test_the_live_page_shows_receivers_that_fail_before_they_are_paused(console: Console, client: redis.Redis) -> None:
    """With how often, so that an operator knows before callbacks are held back; there is nothing to resume yet."""
    store = ReceiverStore(client)
    for _ in range(2):
        store.save_failure(ACCOUNT, "h:80", 0, 1)
    page = console.page("/")

    assert "h:80</span> failed 2 times" in page
    assert "/ask/resume" not in page


def test_the_live_page_says_how_busy_a_node_is_or_why_it_is_away(console: Console, client: redis.Redis) -> None:
    """And when its listener said so; the reason stays text."""
    nodes, reason = NodeStore(client), f"refused {EVIL}"
    assert '<td class="bad">nobody</td>' in console.page("/")
    nodes.save_node("fs1", connected="0", listener="host:1", seen_at="1764440001", problem=reason, away_seconds="12.3")
    page = console.page("/")
    assert "host:1 does not reach it for 12 s: refused &lt;script&gt;" in page
    assert "18:13:21" in page
    nodes.save_node("fs1", connected="1", listener="host:1", idle_percent="97")
    page = console.page("/")
    assert "97 %" in page
    assert "refused" not in page


def test_a_conference_has_a_page_also_after_its_end(console: Console, live: tuple[World, str, str]) -> None:
    """Its calls, what happened when, its callbacks; found by any of its names."""
    _, sid, call_sid = live
    assert "End the conference" in console.page(f"/conferences/{sid}")
    found = console.web.get(f"/search?q={call_sid}", headers=BROWSER)
    page = console.page(f"/conferences/{sid}")

    assert found.headers["Location"] == f"/conferences/{sid}"
    assert EVIL not in page
    assert "participant-join" in page
    assert "answered" in page
    assert console.page("/conferences/CF" + "0" * 32, 404)
    assert "0 for" in console.page("/search?q=nobody")


def test_a_room_that_is_open_is_found_however_many_are_newer(console: Console, client: redis.Redis) -> None:
    """By its name, and by the label of somebody in it; once it is over, no more than two hundred are looked through."""
    person = create(ConferenceStore(client), name="the long one", label="alice")
    sid, since_ms = person.conference_sid, int(person.created_at.timestamp() * 1000)
    row = cast(dict[Any, Any], client.hgetall(keys.conference(sid)))
    pipe = client.pipeline()
    for number in range(1, 211):
        other, call_sid = mint_sid("CF"), mint_sid("CA")
        pipe.hset(keys.conference(other), mapping=row | {"conference_sid": other, "friendly_name": "short"})
        pipe.zadd(keys.account_conferences(ACCOUNT), {other: since_ms + number})
        pipe.zadd(keys.account_kept(ACCOUNT), {f"{call_sid}:100": since_ms + number})
    pipe.execute()

    def found(name: str) -> str | None:
        return console.web.get("/search", query_string={"q": name}, headers=BROWSER).headers.get("Location")

    assert [found("the long one"), found("alice")] == [f"/conferences/{sid}"] * 2
    client.hdel(keys.account_names(ACCOUNT), "the long one")
    client.hdel(keys.labels(sid), "alice")
    assert [found("the long one"), found("alice")] == [None, None]


def test_recordings_that_were_asked_for_later_are_on_the_page_and_can_be_heard(
    redis_url: str, client: redis.Redis, live: tuple[World, str, str], tmp_path: Path
) -> None:
    """Those of the conference and of each of its calls, the newest first; of other calls none."""
    _, sid, call_sid = live
    console = make_console(redis_url, client, recordings_dir=str(tmp_path))
    store, (of_call, of_room, of_others) = RecordingStore(client), (replace(begun(), conference_sid=sid) for _ in "abc")
    kept = replace(of_call, call_sid=call_sid, account_sid=ACCOUNT, status=RecordingStatus.COMPLETED)
    store.create(replace(kept, source=RecordingSource.CALL, sizes=((".wav", 4),)))
    store.create(replace(of_room, created_at=at(1)))
    store.create(replace(of_others, conference_sid=mint_sid("CF"), call_sid=mint_sid("CA")))
    place = tmp_path / "kept" / ACCOUNT
    place.mkdir(parents=True)
    (place / f"{kept.recording_sid}.wav").write_bytes(b"RIFF")

    page = console.page(f"/conferences/{sid}")
    assert page.index(of_room.recording_sid) < page.index(kept.recording_sid)
    assert of_others.recording_sid not in page
    assert f'href="/recordings/{kept.recording_sid}.wav"' in page
    heard = console.web.get(f"/recordings/{kept.recording_sid}.wav")
    assert (heard.status_code, heard.mimetype, heard.data) == (200, "audio/wav", b"RIFF")


def test_no_page_shows_a_sip_password(console: Console, client: redis.Redis) -> None:
    """Nor the headers of its own that a SIP URI asks for; as in the log."""
    person = create(ConferenceStore(client), label=None)
    client.zadd(keys.account_kept(ACCOUNT), {f"{person.call_sid}:100": int(person.created_at.timestamp() * 1000)})
    World(client).apply(person, CallAnswered(NOW), MemberAdded(NOW, 1))
    sid = person.conference_sid
    row: dict[Any, Any] = {"to": "sip:bob:hunter2@example.com?X-Key=hunter2", "from_": "sips:a:hunter2@b.c"}
    assert client.hset(keys.participant(sid, person.call_sid), mapping=row) == 0

    for path in ("/", f"/conferences/{sid}", f"/v1/Conferences/{sid}"):
        page = console.page(path)
        assert "sip:bob@example.com" in page, path
        assert "hunter2" not in page, path
    for name in ("sip:bob@example.com", "sip:bob:hunter2@example.com?X-Key=hunter2"):
        assert console.web.get("/search", query_string={"q": name}, headers=BROWSER).status_code == 303


def test_scripts_and_styles_come_from_here_and_from_nowhere_else(console: Console) -> None:
    answer = console.web.get("/", headers=BROWSER)
    policy = answer.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "same-origin"  # or the Origin of our own forms would be null
    assert "style=" not in answer.text
    assert "onclick" not in answer.text
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    for name in ("htmx.min.js", "sse.min.js", "console.css", "icon.svg"):
        assert f"/static/{name}" in answer.text
        assert console.web.get(f"/static/{name}").status_code == 200


# ------------------------------------------------------------ who is let in


def test_without_a_token_it_answers_to_loopback_only(console: Console) -> None:
    """A name that a stranger has led here is refused (DNS rebinding)."""
    assert console.web.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert console.web.get("/", headers={"Host": "127.0.0.1:8081"}).status_code == 200
    assert console.web.get("/", headers={"Host": "[::1]:8081"}).status_code == 200


def test_a_token_is_asked_for_and_a_session_follows(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "WRONG_SECONDS", 0.01)
    console = make_console(redis_url, client, TOKEN)
    web = console.web

    assert web.get("/", headers=BROWSER).headers["Location"] == "/login"
    assert [web.get(path).status_code for path in ("/metrics", "/v1/Accounts", "/events")] == [401] * 3
    assert [web.get(path).status_code for path in ("/healthz", "/static/console.css", "/login")] == [200] * 3
    assert web.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert web.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert web.post("/login", data={"token": "wrong"}, headers=OURS).status_code == 401
    admitted = web.post("/login", data={"token": TOKEN}, headers=OURS)
    cookie = admitted.headers["Set-Cookie"]
    assert admitted.headers["Location"] == "/"
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert "Secure" not in cookie
    by_tls = web.post("/login", data={"token": TOKEN}, headers={**OURS, "X-Forwarded-Proto": "https"})
    assert "Secure" in by_tls.headers["Set-Cookie"]
    assert web.get("/", headers=BROWSER).status_code == 200
    web.set_cookie(security.COOKIE, f"{int(time.time()) + 9999999}.{'0' * 64}")
    assert web.get("/", headers=BROWSER).status_code == 303


def test_what_the_door_refused_is_not_in_the_audit_log(redis_url: str, client: redis.Redis) -> None:
    """It keeps a thousand deeds: a stranger's knocking must not push out what operators did."""
    web = make_console(redis_url, client, TOKEN).web
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    path = f"/v1/Accounts/{ACCOUNT}"
    assert web.post(path, data={"FriendlyName": "ours"}, headers=bearer).status_code == 200
    assert web.post(path, data={"Status": "asleep"}, headers=bearer).status_code == 400
    assert web.post(path).status_code == 401
    assert web.delete(path, headers={**bearer, "Origin": "https://evil.example"}).status_code == 403

    page = web.get("/audit", headers={**bearer, **BROWSER}).text
    assert [page.count(f"<td>{status}</td>") for status in (200, 400, 401, 403)] == [1, 1, 0, 0]


def test_the_audit_log_tells_changes_by_the_api_apart(console: Console) -> None:
    """Which fields were sent, and what Status and State are to be; of no other field its value, which may be secret."""
    path, target = f"/v1/Accounts/{ACCOUNT}", f"<code>/v1/Accounts/{ACCOUNT}"
    for given in ({"Status": "suspended"}, {"Status": "active", "FriendlyName": "hunter2"}, {"Status": EVIL}):
        console.web.post(path, data=given)
    console.web.post("/v1/Nodes/fs1", data={"State": "cordoned"})
    page = console.page("/audit")

    assert f"{target} Status=suspended</code>" in page
    assert f"{target} Status=active FriendlyName</code>" in page
    assert "<code>/v1/Nodes/fs1 State=cordoned</code>" in page
    assert "hunter2" not in page
    assert EVIL not in page


def test_a_wrong_bearer_token_costs_time_and_leaves_a_line(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a wrong login does; an address that goes on has one line, which a next one counts on from."""
    monkeypatch.setattr(security, "WRONG_SECONDS", 0.05)
    web = make_console(redis_url, client, TOKEN).web
    began = time.monotonic()
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            assert web.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert web.post("/login", data={"token": "wrong"}, headers=OURS).status_code == 401
        assert web.get("/metrics").status_code == 401  # asks, and guesses nothing

    assert time.monotonic() - began >= 4 * 0.05
    refused = [line for line in lines if line["event"] == "console_token_refused"]
    assert [(line["address"], line["before"]) for line in refused] == [("127.0.0.1", 0)]


def test_the_audit_log_names_who_stands_behind_the_operators_proxy(redis_url: str, client: redis.Redis) -> None:
    """TRUSTED_PROXIES are believed, as the API believes them; nobody else may say who he is."""
    path, forwarded = f"/v1/Accounts/{ACCOUNT}", {"X-Forwarded-For": "198.51.100.7"}
    for networks in ("", "127.0.0.0/8"):
        web = make_console(redis_url, client, proxies=networks).web
        assert web.post(path, data={"FriendlyName": "ours"}, headers=forwarded).status_code == 200

    page = web.get("/audit", headers=BROWSER).text
    assert [page.count(f"<td>{address}</td>") for address in ("127.0.0.1", "198.51.100.7")] == [1, 1]


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_sites_page_changes_nothing(console: Console, headers: dict[str, str]) -> None:
    answer = console.web.post("/do/suspend", data={"account": ACCOUNT}, headers=headers)

    assert answer.status_code == 403
    assert console.client.hget(keys.account(ACCOUNT), "status") == "active"


def test_a_token_is_needed_beyond_loopback() -> None:
    with pytest.raises(ValueError, match="CONSOLE_TOKEN"):
        Settings(console_bind="0.0.0.0:8081")
    with pytest.raises(ValueError, match="CONSOLE_TOKEN"):
        Settings(console_token="short")
    assert Settings(console_bind="0.0.0.0:8081", console_token=TOKEN)


# ------------------------------------------------------------ what is done


def test_each_action_asks_first_is_done_and_is_noted(
    console: Console, live: tuple[World, str, str], client: redis.Redis
) -> None:
    """By a page with a question, which works without scripts; with a line in the audit log."""
    _, _, call_sid = live
    question = console.page(f"/ask/mute?call={call_sid}&back=/conferences/x")
    assert f"Mute {call_sid}?" in question
    assert console.heard == []
    done = console.web.post("/do/mute", data={"call": call_sid, "back": "//evil.example"}, headers=OURS)

    assert done.headers["Location"] == "/"
    assert any(" mute " in line or "muted" in line for line in console.heard), console.heard
    assert "muted" in console.page("/audit")
    client.hset(keys.account(ACCOUNT), "status", "active")
    for action, status in (("suspend", "suspended"), ("admit", "active")):
        assert console.web.post(f"/do/{action}", data={"account": ACCOUNT}, headers=OURS).status_code == 303
        assert client.hget(keys.account(ACCOUNT), "status") == status
    for action, state in (("cordon", "cordoned"), ("uncordon", "active")):
        assert console.web.post(f"/do/{action}", data={"node": "fs1"}, headers=OURS).status_code == 303
        assert console.web.get("/v1/Nodes").get_json()["nodes"][0]["state"] == state
    assert console.page("/audit").count("<td>127.0.0.1</td>") == 5
    assert console.web.post("/do/cordon", data={"node": "nobody"}, headers=OURS).status_code == 404


def test_what_fails_is_said_and_noted(console: Console) -> None:
    answer = console.web.post("/do/remove", data={"call": mint_sid("CA")}, headers=OURS)

    assert answer.status_code == 404
    assert "was not found" in answer.text
    assert "failed: The call was not found" in console.page("/audit")
    assert console.web.post("/do/remove", data={}, headers=OURS).status_code == 400
    assert console.web.post("/do/nothing", data={}, headers=OURS).status_code == 404


def test_dead_letters_and_paused_receivers_are_shown_and_put_right(console: Console, client: redis.Redis) -> None:
    shelf = Shelf(client)
    shelf.put("11111111-1111-1111-1111-111111111111")
    shelf.settle("dead", "http-404")
    store = ReceiverStore(client)
    store.save_failure(ACCOUNT, "h:80", 0, 1)
    for number in range(25):
        store.save_failure(ACCOUNT, "h:80", number, 120_000 + number)
    page = console.page("/")

    assert f"/ask/replay?account={ACCOUNT}" in page
    assert "host=h%3A80" in page or "host=h:80" in page
    assert console.web.post("/do/replay", data={"account": ACCOUNT}, headers=OURS).status_code == 303
    assert console.web.post("/do/resume", data={"account": ACCOUNT, "host": "h:80"}, headers=OURS).status_code == 303
    assert client.zcard(keys.account_dead(ACCOUNT)) == 0
    assert store.list_receivers(ACCOUNT) == []
    assert "1 replayed" in console.page("/audit")


@pytest.mark.parametrize(
    ("path", "given"),
    [("/do/suspend", {"account": ACCOUNT}), (f"/v1/Accounts/{ACCOUNT}", {"Status": "suspended"})],
    ids=["page", "api"],
)
def test_suspending_puts_nothing_back(console: Console, client: redis.Redis, path: str, given: dict[str, str]) -> None:
    """Neither a token that was rotated, nor an account that was deleted, in the second before."""
    console.web.get(f"/v1/Accounts/{ACCOUNT}")  # which the console now believes for a second
    client.hset(keys.account(ACCOUNT), "auth_token", "rotated")
    assert console.web.post(path, data=given, headers=OURS).status_code in (200, 303)
    assert client.hmget(keys.account(ACCOUNT), "auth_token", "status") == ["rotated", "suspended"]

    console.web.get(f"/v1/Accounts/{ACCOUNT}")
    client.delete(keys.account(ACCOUNT))
    assert console.web.post(path, data=given, headers=OURS).status_code == 404
    assert not client.exists(keys.account(ACCOUNT))


# ------------------------------------------------------------ programs


def test_metrics_of_all_processes_and_of_what_is_there(
    console: Console, live: tuple[World, str, str], client: redis.Redis
) -> None:
    """Every process under its own name; no label names a tenant."""
    Reporter(ProcessStore(client), "work").once()
    NodeStore(client).save_node("fs1", connected="1", queued="2")
    text = console.web.get("/metrics").text

    for line in (
        'orchestrator_processes{kind="work"} 1.0',
        'orchestrator_processes{kind="api"} 0.0',
        'orchestrator_node_up{node="fs1"} 1.0',
        'orchestrator_node_queued{node="fs1"} 2.0',
        "orchestrator_participants 1.0",
        "orchestrator_redis_appends",
        'orchestrator_redis_seconds_count{instance="',
        'kind="work"',
    ):
        assert line in text, line
    assert "AC1111" not in text
    assert EVIL not in text


def test_the_operators_api_makes_changes_and_deletes_accounts(console: Console) -> None:
    """What the command line does, by the same code."""
    web = console.web
    made = web.post("/v1/Accounts", data={"FriendlyName": "new"}).get_json()
    sid = made["account_sid"]
    path = f"/v1/Accounts/{sid}"

    assert len(made["auth_token"]) == 32
    assert {row["account_sid"] for row in web.get("/v1/Accounts").get_json()["accounts"]} == {ACCOUNT, sid}
    assert "auth_token" not in web.get(path).get_json()
    assert web.post(f"{path}/Limits", data={"live_participants": "7"}).get_json()["live_participants"] == 7
    assert web.post(f"{path}/Limits", data={"live_participants": "x"}).status_code == 400
    assert web.post(f"{path}/Limits", data={"nonsense": "1"}).status_code == 400
    assert web.post(f"{path}/Policy", data={"allowed_prefixes": "+1,+44"}).get_json()["allowed_prefixes"] == ["1", "44"]
    assert web.get(f"{path}/Policy").get_json()["refused_prefixes"] == []
    assert web.post(f"{path}/Policy", data={"caller_ids": "nobody"}).status_code == 400
    assert web.post("/v1/Nodes/fs1", data={"State": "cordoned"}).get_json()["state"] == "cordoned"
    assert web.post("/v1/Nodes/fs1", data={"State": "asleep"}).status_code == 400
    assert web.post("/v1/Nodes/fs2", data={"State": "active"}).status_code == 404
    key = web.post(f"{path}/Keys", data={"FriendlyName": "ci"}).get_json()
    assert [row["sid"] for row in web.get(f"{path}/Keys").get_json()["keys"]] == [key["sid"]]
    assert web.delete(f"{path}/Keys/{key['sid']}").status_code == 204
    trunk = web.post(f"{path}/Trunks", data={"Gateway": ["10.0.0.1:5060", "10.0.0.2:5060,1"]}).get_json()
    trunk_path = f"{path}/Trunks/{trunk['trunk_sid']}"
    assert web.post(trunk_path, data={"FriendlyName": "ours"}).get_json()["gateways"] == trunk["gateways"]
    assert [row["friendly_name"] for row in web.get(f"{path}/Trunks").get_json()["trunks"]] == ["ours"]
    assert web.post(f"{path}/Trunks", data={"Gateway": "nowhere"}).status_code == 400
    assert web.post(trunk_path, data={"FriendlyName": "n" * 65}).status_code == 400
    assert (web.delete(trunk_path).status_code, web.delete(trunk_path).status_code) == (204, 404)
    assert web.delete(path).status_code == 409
    assert web.post(path, data={"Status": "asleep"}).status_code == 400
    assert web.post(path, data={"Status": "suspended"}).get_json()["status"] == "suspended"
    assert web.delete(path).status_code == 204
    assert web.get(path).status_code == 404
    assert "DELETE" in console.page("/audit")


def test_the_operators_api_exchanges_tokens(console: Console, client: redis.Redis) -> None:
    """At once, or one after the other; each is told once, and nowhere else."""
    tokens = f"/v1/Accounts/{ACCOUNT}/AuthTokens"

    def known() -> list[str | None]:
        return cast("list[str | None]", client.hmget(keys.account(ACCOUNT), "auth_token", "secondary_token"))

    assert console.web.post(f"{tokens}/Promote").status_code == 409
    rotated = console.web.post(f"{tokens}/Rotate").get_json()["auth_token"]
    assert known()[0] == rotated != "a" * 32
    second = console.web.post(f"{tokens}/Secondary")
    assert (second.status_code, "auth_token" in second.get_json()) == (201, False)
    assert known() == [rotated, second.get_json()["secondary_auth_token"]]
    assert console.web.post(f"{tokens}/Promote").get_json()["auth_token"] == known()[0] != rotated
    assert console.web.post(f"/v1/Accounts/AC{'0' * 32}/AuthTokens/Rotate").status_code == 404
    assert rotated not in console.page("/audit")


def test_the_operators_api_makes_an_account_with_a_sid_and_token_of_ones_own(console: Console) -> None:
    """Once; with another token it is refused, as is what clients could not use. The audit log has no token."""
    sid, token = mint_sid("AC"), "b" * 32

    def make(**given: str) -> tuple[int, str]:
        answer = console.web.post("/v1/Accounts", data=given)
        return answer.status_code, answer.get_json().get("auth_token") or answer.get_json()["message"].split(":")[0]

    assert make(AccountSid=sid, AuthToken=token) == make(AccountSid=sid, AuthToken=token) == (201, token)
    assert make(AccountSid=sid, AuthToken="c" * 32)[0] == make(AccountSid=sid)[0] == 409
    assert make(AccountSid="AC1") == (400, "AccountSid")
    assert make(AuthToken="short") == (400, "AuthToken")
    assert make(FriendlyName="n" * 65) == make(FriendlyName="\x1b[2J") == (400, "FriendlyName")
    assert token not in console.page("/audit")


def test_the_operators_api_keeps_an_account_to_a_group_of_nodes(console: Console) -> None:
    """Where its limits are; what is wrong is named, and nothing is changed then."""
    path = f"/v1/Accounts/{ACCOUNT}/Limits"
    assert console.web.post(path, data={"node_group": "eu"}).get_json()["node_group"] == "eu"
    wrong = console.web.post(path, data={"node_group": "e u", "dialling": "7"})
    assert (wrong.status_code, wrong.get_json()["message"].split(":")[0]) == (400, "node_group")
    assert {"node_group": "eu", "dialling": 100}.items() <= console.web.get(path).get_json().items()
    assert console.web.post(path, data={"node_group": ""}).get_json()["node_group"] == ""


def test_the_operators_api_adds_drains_and_removes_nodes(
    console: Console, live: tuple[World, str, str], client: redis.Redis
) -> None:
    """A drain is begun, and what is left is told; a node with conferences is removed after they are ended as lost."""
    web = console.web
    added = web.post("/v1/Nodes", data={"Node": "fs2=fs2.example:8021", "Group": "eu"})
    assert added.status_code == 201
    assert {"address": "fs2.example:8021", "group": "eu", "state": "active"}.items() <= added.get_json().items()
    for given, name in (({"Node": "fs3"}, "Node"), ({"Node": "fs3=h:1", "Group": "e u"}, "Group")):
        wrong = web.post("/v1/Nodes", data=given)
        assert (wrong.status_code, wrong.get_json()["message"].split(":")[0]) == (400, name)
    drained = web.post("/v1/Nodes/fs1/Drain")
    assert drained.status_code == 202
    assert {"state": "cordoned", "conferences": 1, "people": 1}.items() <= drained.get_json().items()
    assert web.delete("/v1/Nodes/fs1").status_code == 409
    assert web.post("/v1/Nodes/fs1", data={"State": "lost"}).get_json()["state"] == "lost"
    for refused in (web.post("/v1/Nodes/fs1", data={"State": "active"}), web.post("/v1/Nodes/fs1/Drain")):
        assert (refused.status_code, "POST /v1/Nodes" in refused.get_json()["message"]) == (409, True)
    assert web.post("/do/uncordon", data={"node": "fs1"}, headers=OURS).status_code == 409
    assert web.get("/v1/Nodes/fs1").get_json()["state"] == "lost"
    client.hset(keys.conference(live[1]), "status", "completed")

    assert web.delete("/v1/Nodes/fs1").status_code == 204
    assert web.get("/v1/Nodes/fs1").status_code == web.delete("/v1/Nodes/fs1").status_code == 404
    assert [node["name"] for node in web.get("/v1/Nodes").get_json()["nodes"]] == ["fs2"]


def test_the_operators_api_maps_regions(console: Console) -> None:
    """To a group of nodes, to any, to none; what is no Region or no group is named."""
    web = console.web
    web.post("/v1/Nodes", data={"Node": "fs2=fs2.example:8021", "Group": "eu"})
    assert web.post("/v1/Regions/de1", data={"Group": "eu"}).get_json() == {"region": "de1", "group": "eu"}
    assert web.post("/v1/Regions/us1", data={"Group": ""}).status_code == 200
    for region, given, name in (
        ("xx1", {"Group": ""}, "Region"),
        ("de1", {}, "Group"),
        ("de1", {"Group": "e u"}, "Group"),
    ):
        wrong = web.post(f"/v1/Regions/{region}", data=given)
        assert (wrong.status_code, wrong.get_json()["message"].split(":")[0]) == (400, name)
    assert web.delete("/v1/Regions/us1").status_code == 204

    assert web.get("/v1/Regions").get_json() == {"regions": [{"region": "de1", "group": "eu", "nodes": ["fs2"]}]}


def test_what_the_operators_api_does_not_take_is_refused_by_name(console: Console) -> None:
    """Not answered with 200 and passed over: a misspelt field, or a body that is no form."""
    path = f"/v1/Accounts/{ACCOUNT}"
    misspelt = console.web.post(path, data={"status": "suspended"})
    as_json = console.web.post(path, json={"Status": "suspended"})

    assert misspelt.status_code == as_json.status_code == 400
    assert "status" in misspelt.get_json()["message"]
    assert "Content-Type" in as_json.get_json()["message"]
    assert console.web.post("/v1/Accounts", data={"Name": "x"}).status_code == 400
    assert console.client.hget(keys.account(ACCOUNT), "status") == "active"


def test_the_operators_api_is_described(console: Console) -> None:
    """Every route of it, and no other."""
    document = console.web.get("/openapi.json").get_json()
    described = {
        (verb.upper(), path.replace("{AccountSid}", "<sid>").replace("{ConferenceSid}", "<sid>"))
        for path, verbs in document["paths"].items()
        for verb in verbs
    }
    served = {
        (verb, rule.rule)
        for rule in console.web.application.url_map.iter_rules()
        for verb in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/v1/")
    }

    names = {"{KeySid}": "<key_sid>", "{TrunkSid}": "<trunk_sid>", "{NodeName}": "<name>", "{Region}": "<region>"}
    written = {
        (verb, reduce(lambda text, name: text.replace(name, names[name]), names, path)) for verb, path in described
    }
    assert written == served


# ------------------------------------------------------------ as it happens


def _events(live: Live) -> Iterator[str]:
    return (text for text in live.watch() if text.startswith("event:"))


def test_what_changes_is_sent_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read once for all who watch; what has not changed is not sent again; nobody watches: nothing is read."""
    monkeypatch.setattr("orchestrator.console.live.INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr("orchestrator.console.live.KEEP_SECONDS", 5.0)
    shown, reads = {"a": "1", "b": "1\n2"}, [0]

    def render() -> dict[str, str]:
        reads[0] += 1
        return dict(shown)

    page = Live(render)
    first, second = _events(page), _events(page)
    with gevent.Timeout(10):
        assert next(first) == "event: a\ndata: 1\n\nevent: b\ndata: 1\ndata: 2\n\n"
        assert next(second) == "event: a\ndata: 1\n\nevent: b\ndata: 1\ndata: 2\n\n"
        shown["a"] = "2"
        assert next(first) == next(second) == "event: a\ndata: 2\n\n"
    assert reads[0] > 1
    first.close()  # type: ignore[attr-defined]  # a generator
    second.close()  # type: ignore[attr-defined]
    gevent.sleep(0.05)
    before = reads[0]
    gevent.sleep(0.05)
    assert reads[0] <= before + 1


def test_a_conference_that_ends_stays_on_its_page(console: Console, live: tuple[World, str, str]) -> None:
    world, sid, call_sid = live
    person = ConferenceStore(console.client).load_participant(ACCOUNT, sid, call_sid)
    assert "1 conferences, 1 people" in console.page("/")
    world.apply(person, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    page = console.page(f"/conferences/{sid}")

    assert "completed" in page
    assert "End the conference" not in page
    assert "0 conferences" in console.page("/")


def test_a_page_that_could_not_be_read_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever went wrong: the log has it, and who watches sees what comes next."""
    monkeypatch.setattr("orchestrator.console.live.INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr("orchestrator.console.live.KEEP_SECONDS", 0.1)
    answers: list[dict[str, str] | Exception] = [{"a": "1"}, KeyError("x"), {"a": "2"}]

    def render() -> dict[str, str]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    events = _events(Live(render))
    with gevent.Timeout(10), structlog.testing.capture_logs() as lines:
        assert [next(events), next(events)] == ["event: a\ndata: 1\n\n", "event: a\ndata: 2\n\n"]
    assert "console_page_crashed" in [line["event"] for line in lines]


def test_what_changes_while_a_browser_is_sent_to_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow one has it with the next event, not with the one after the next change."""
    monkeypatch.setattr("orchestrator.console.live.INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr("orchestrator.console.live.KEEP_SECONDS", 0.1)
    shown, read = {"a": "1"}, []

    def render() -> dict[str, str]:
        read.append(dict(shown))
        return dict(shown)

    stream = Live(render).watch()
    with gevent.Timeout(5):
        while next(stream) != ": here\n\n" or not read:
            pass
        shown["a"] = "2"
        while {"a": "2"} not in read[:-1]:  # it has been read, and told, before the browser has taken the last one
            gevent.sleep(0.01)
        while (event := next(stream)) == ": here\n\n":
            pass
    assert event == "event: a\ndata: 2\n\n"


def test_two_who_read_at_once_do_not_disturb_each_other(redis_url: str, live: tuple[World, str, str]) -> None:
    """The live page and its events are read by different greenlets."""
    reader = build_parts(Settings(redis_url=redis_url), cast(Services, None)).reader
    conferences = reader.overview.conferences()
    people = reader.people_of(conferences)
    read, other = reader.overview.people, replace(conferences[0], conference_sid="CF" + "0" * 32, version="1")

    def meanwhile(sids: Sequence[str]) -> dict[str, list[LivePerson]]:
        reader.overview = cast(Overview, SimpleNamespace(people=read))
        reader.people_of([])
        return read(sids)

    reader.overview = cast(Overview, SimpleNamespace(people=meanwhile))
    assert reader.people_of([*conferences, other]) == {**people, other.conference_sid: []}


def test_a_conference_is_read_once_for_all_who_watch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at a time; one that nobody watches any more makes room."""
    monkeypatch.setattr("orchestrator.console.live.INTERVAL_SECONDS", 5.0)
    monkeypatch.setattr("orchestrator.console.live.MOST_PAGES", 2)
    reads: list[str] = []

    def render(sid: str) -> dict[str, str]:
        reads.append(sid)
        return {"conference": sid}

    pages = LivePages(render)
    with gevent.Timeout(10):
        viewers = []
        for sid in ("a", "a", "b"):
            viewers.append(pages.watch(sid))
            next(viewers[-1])
        gevent.sleep(0.02)
        assert sorted(reads) == ["a", "b"]
        with pytest.raises(TooManyViewers):
            pages.watch("c")
        viewers[2].close()  # type: ignore[attr-defined]  # a generator
        assert next(pages.watch("c")).startswith("retry")
    for viewer in viewers:
        viewer.close()  # type: ignore[attr-defined]
