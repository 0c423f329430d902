"""The command line as operators want it: whole lists, pipes, no secret on the screen, things found by anything."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import runpy
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from itertools import chain
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import redis
from structlog.testing import capture_logs

from orchestrator import up
from orchestrator.cli import follow
from orchestrator.cli.printing import plain
from orchestrator.domain.events import (
    CallAnswered,
    CallEnded,
    MemberAdded,
    MemberRemoved,
    ParticipantMuted,
    ParticipantUnmuted,
)
from orchestrator.domain.recording import RecordingStatus
from orchestrator.errors import Unavailable
from orchestrator.reporter import Reporter
from orchestrator.settings import Settings
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.account_removal import AccountRemoval
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import Lane
from orchestrator.store.nodes import NodeStore
from orchestrator.store.processes import ProcessStore
from orchestrator.store.receivers import ReceiverStore
from orchestrator.store.recordings import RecordingStore
from orchestrator.store.schema import KEYS
from tests.harness.freeswitch import REPOSITORY
from tests.unit.callbacks.web import an_entry
from tests.unit.domain.test_recording import begun
from tests.unit.listener.test_committer import World
from tests.unit.outbox import new, put_entries
from tests.unit.records import ACCOUNT, EVENTS, OTHER_ACCOUNT, create
from tests.unit.store.test_callbacks import Shelf
from tests.unit.test_cli import TOKEN, Run, account, run

__all__ = ["account", "run"]

QUESTIONS = runpy.run_path(str(REPOSITORY / "docs" / "generate.py"))["QUESTIONS"]
LABEL = "=anna\x1b[2J"


@pytest.fixture
def ended(client: redis.Redis) -> tuple[str, str]:
    """ConferenceSid and CallSid of somebody who was there for a while."""
    world = World(client)
    person = create(ConferenceStore(client), label=LABEL, conference_callbacks=EVENTS)
    client.zadd(keys.account_kept(ACCOUNT), {f"{person.call_sid}:100": int(person.created_at.timestamp() * 1000)})
    now = datetime.now(UTC)
    world.apply(person, CallAnswered(now), MemberAdded(now, 1))
    world.apply(person, MemberRemoved(now), CallEnded(now, "NORMAL_CLEARING"))
    return person.conference_sid, person.call_sid


def test_suspending_shows_no_token(run: Run, account: str) -> None:
    assert run("account", "suspend", account) == (0, f"{account} suspended", "")
    assert run("account", "resume", account) == (0, f"{account} active", "")


def test_all_callbacks_are_listed_with_moment_and_url(run: Run, account: str, client: redis.Redis) -> None:
    """Beyond a page, in the order of time; as lines of JSON for programs."""
    shelf = Shelf(client)
    for number in range(230):
        shelf.put(f"{number:08d}-1111-1111-1111-111111111111")
    status, out, err = run("callbacks", "list", "--account", account)
    rows = [json.loads(line) for line in run("callbacks", "list", "--account", account, "--json")[1].splitlines()]

    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 231
    assert "http://h/" in out
    assert rows[0]["date_created"][:4] in out
    assert len({row["id"] for row in rows}) == 230
    assert len(run("callbacks", "list", "--account", account, "--limit", "3")[1].splitlines()) == 4


def test_a_reader_that_goes_away_is_no_error(redis_url: str, account: str, client: redis.Redis) -> None:
    """`… | head -1`: no traceback, and exit status 0."""
    shelf = Shelf(client)
    for number in range(300):
        shelf.put(f"{number:08d}-1111-1111-1111-111111111111")
    command = [sys.executable, "-m", "orchestrator", "callbacks", "list", "--account", account, "--json"]
    environment = {**os.environ, "REDIS_URL": redis_url}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    assert process.stderr.read() == b""
    assert process.wait(30) == 0


def test_what_is_replayed_is_json_whatever_is_logged(run: Run, account: str, client: redis.Redis) -> None:
    shelf = Shelf(client)
    token = "11111111-1111-1111-1111-111111111111"
    shelf.put(token)
    shelf.settle("dead", "http-404")
    status, out, err = run("callbacks", "replay", "--account", account, f"{shelf.lane.sid}.{token}")

    assert (status, json.loads(out)["state"]) == (0, "waiting")
    assert json.loads(err)["event"] == "callback_replayed"


def test_an_account_is_deleted_with_all_that_is_kept_of_it(
    run: Run, account: str, client: redis.Redis, ended: tuple[str, str]
) -> None:
    """When it is suspended and nothing of it lives; what others have stays."""
    AccountStore(client).save_account(Account(OTHER_ACCOUNT, TOKEN, "active"))
    create(ConferenceStore(client), account_sid=OTHER_ACCOUNT)
    others = {key for key in client.scan_iter() if not {account, *ended} & set(_sids(key))}
    refused = run("account", "delete", account, "--yes")
    run("account", "suspend", account)
    for row in KEYS:
        if row.pattern.startswith("account:{AC}:"):
            client.set(row.pattern.replace("{AC}", "{" + account + "}"), "what a later release adds", nx=True)
    client.delete(keys.account_live(account), keys.account_recording_bytes(account))
    client.zadd(keys.account_live(account), {"CF.CA": 1})
    live = run("account", "delete", account, "--yes")
    client.delete(keys.account_live(account))
    status, out, _ = run("account", "delete", account, "--yes")

    assert (refused[0], "suspend it first" in refused[2]) == (1, True)
    assert (live[0], "live calls" in live[2]) == (1, True)
    assert (status, out.startswith(f"{account} deleted")) == (0, True)
    left = set(client.scan_iter())
    assert {key for key in left if {account, *ended} & set(_sids(key))} == set()
    assert others <= left | {keys.OPEN_CONFERENCES}
    assert client.smembers(keys.ACCOUNTS) == {OTHER_ACCOUNT}
    assert run("account", "delete", account, "--yes")[0] == 1


def test_nothing_is_left_of_an_accounts_recordings(
    run: Run, account: str, client: redis.Redis, ended: tuple[str, str]
) -> None:
    """A call's, a conference's, that of a call and a conference that are not kept any more; nor of what was played."""
    store, (conference_sid, call_sid) = RecordingStore(client), ended
    gone = mint_sid("CF"), mint_sid("CA")
    named = {account, conference_sid, call_sid, *gone}
    for of_conference, of_call in ((conference_sid, call_sid), (conference_sid, None), gone):
        made = replace(begun(), account_sid=account, conference_sid=of_conference, call_sid=of_call)
        store.create(made)
        found = store.load(of_conference, made.recording_sid)
        assert found is not None
        told = new(made.recording_sid, int(datetime.now(UTC).timestamp() * 1000))
        assert store.commit(found, replace(made, status=RecordingStatus.DELETED), [told])
        named.add(made.recording_sid)
    for lane in (call_sid, keys.CONFERENCE_LANE):
        client.hset(keys.playback(conference_sid, lane), "state", "{}")
        client.rpush(keys.announcements(conference_sid, lane), "{}")
    client.delete(keys.account_live(account))
    run("account", "suspend", account)

    assert run("account", "delete", account, "--yes")[0] == 0
    assert {key for key in client.scan_iter() if named & set(_sids(key))} == set()


def _sids(key: object) -> list[str]:
    return [part.strip("{}") for part in str(key).replace(".", ":").split(":")]


def test_nothing_is_deleted_by_accident(run: Run, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run("account", "suspend", account)
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))

    assert run("account", "delete", account)[0] == 1
    assert account in run("account", "list")[1]


@pytest.mark.parametrize("of", ["sid", "call", "name", "label", "number"])
def test_a_conference_is_found_by_whatever_one_knows_of_it(
    run: Run, account: str, ended: tuple[str, str], of: str
) -> None:
    """Also after its end: who was in it, when each came and went, and why."""
    conference_sid, call_sid = ended
    names = {
        "sid": conference_sid,
        "call": call_sid,
        "name": "weekly",
        "label": LABEL,
        "number": "+15550001000",
    }
    shown = json.loads(run("conferences", "show", names[of], "--json")[1])

    assert (shown["conference_sid"], shown["status"]) == (conference_sid, "completed")
    assert [call["call_sid"] for call in shown["calls"]] == [call_sid]
    what = [moment["what"] for moment in shown["timeline"]]
    assert what[0] == "conference created"
    assert {"answered", "joined", "left", "ended: completed", "conference ended"} <= set(what)
    assert "NORMAL_CLEARING" in run("follow", names[of])[1]


def test_who_follows_a_conference_is_told_each_thing_once(
    client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also a mute, which nobody subscribed to; and what happened before something that was told already."""
    world, now = World(client), datetime.now(UTC)
    AccountStore(client).save_account(Account(ACCOUNT, TOKEN, "active"))
    one, two = (create(ConferenceStore(client), label=label) for label in ("anna", "bert"))
    for person in (one, two):
        made_ms = int(person.created_at.timestamp() * 1000)
        client.zadd(keys.account_kept(ACCOUNT), {f"{person.call_sid}:100": made_ms})
    with capture_logs():
        world.join(two)
    capsys.readouterr()
    meanwhile: Iterator[Callable[[], object]] = iter(
        [
            lambda: world.apply(two, ParticipantMuted(now)),
            lambda: world.apply(one, CallAnswered(two.created_at)),
            lambda: world.apply(two, ParticipantUnmuted(now)),
            lambda: [world.apply(person, CallEnded(now, "NORMAL_CLEARING")) for person in (one, two)],
        ]
    )
    monkeypatch.setattr(follow, "time", SimpleNamespace(sleep=lambda _: next(meanwhile)()))
    with capture_logs():
        assert follow.run(Settings(redis_url=redis_url), Namespace(name=one.conference_sid)) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line.split("  ")[1:3] for line in lines]

    assert len(set(lines)) == len(lines)
    assert [what for what, call in told if call == two.call_sid and "muted" in what] == ["muted", "unmuted"]
    assert ["answered", one.call_sid] in told
    assert next(meanwhile, None) is None


def test_nobody_writes_to_the_terminal(run: Run, account: str, ended: tuple[str, str]) -> None:
    """A label with a control sequence is shown, not obeyed."""
    assert "\x1b" not in run("conferences", "show", ended[0])[1]
    assert plain("a\x1b[2J\n") == "a\\x1b[2J\\n"
    assert plain(None) == "-"


def test_calls_are_exported_before_they_go(run: Run, account: str, ended: tuple[str, str]) -> None:
    """As lines of JSON and as CSV, which no spreadsheet takes for formulas."""
    out = run("calls", "export", "--account", account)[1]
    record = json.loads(out)
    (row,) = csv.DictReader(io.StringIO(run("calls", "export", "--account", account, "--format", "csv")[1]))

    assert (record["call_sid"], record["cause"], record["status"]) == (ended[1], "NORMAL_CLEARING", "completed")
    assert (row["call_sid"], row["label"][:6], row["from"]) == (ended[1], "'=anna", "+15550009999")
    assert run("calls", "export", "--account", account, "--after", "2999-01-01")[1] == ""
    assert run("calls", "list", "--account", account, "--after", "yesterday")[0] == 1
    assert json.loads(run("calls", "show", ended[1])[1])["to"] == "+15550001000"


def test_no_command_shows_a_sip_password(run: Run, account: str, ended: tuple[str, str], client: redis.Redis) -> None:
    """Nor an export, which leaves the machine."""
    conference_sid, call_sid = ended
    row: dict[Any, Any] = {"to": "sip:bob:hunter2@example.com?X-Key=hunter2", "from_": "sips:a:hunter2@b.c"}
    assert client.hset(keys.participant(conference_sid, call_sid), mapping=row) == 0
    for words in (
        ("calls", "list", "--account", account, "--json"),
        ("calls", "export", "--account", account),
        ("calls", "export", "--account", account, "--format", "csv"),
        ("calls", "show", call_sid),
        ("conferences", "show", conference_sid),
        ("conferences", "show", conference_sid, "--json"),
    ):
        out = run(*words)[1]
        assert "sip:bob@example.com" in out, words
        assert "hunter2" not in out, words


def test_what_is_not_known_is_said(run: Run, account: str) -> None:
    for words in (("conferences", "show", "nobody"), ("follow", "CF" + "0" * 32), ("calls", "show", mint_sid("CA"))):
        assert run(*words)[0] == 1


def test_open_conferences_are_listed(run: Run, account: str, client: redis.Redis) -> None:
    create(ConferenceStore(client), label="anna")
    heading, row = run("conferences", "list")[1].splitlines()

    assert heading.split()[:3] == ["conference_sid", "account_sid", "friendly_name"]
    assert row.split()[1:3] == [account, "weekly"]
    assert run("conferences", "list", "--account", account)[1].splitlines()[1] == row


def test_redis_answers_the_questions_of_the_night(run: Run, account: str, client: redis.Redis) -> None:
    """Each line of docs/redis-schema.md, typed as it stands, has the answer below it, but for SIDs and numbers."""
    person, now = create(ConferenceStore(client), label="anna"), datetime.now(UTC)
    with capture_logs():
        World(client).apply(person, CallAnswered(now), MemberAdded(now, 1))
    token = "11111111-1111-1111-1111-111111111111"
    put_entries(client, Lane(person.conference_sid, "conference"), [an_entry(url="http://h/", token=token)])
    ReceiverStore(client).save_failure(account, "app.example:443", 0, 1)
    reporter = Reporter(ProcessStore(client), "work")
    reporter.once()
    (process,) = ProcessStore(client).list_processes()
    NodeStore(client).save_node("fs1", connected="1", listener=process.name)
    client.zadd(keys.account_dead(account), {"CF.token": 1})
    names = {"CF…": person.conference_sid, "AC…": account, "CA…": person.call_sid, "TOKEN": token}
    assert len(QUESTIONS) == 6
    redis_cli: Any = client.execute_command
    for text in QUESTIONS.values():
        for said in text.split("redis-cli ")[1:]:
            line, *answer = said.splitlines()
            typed = reduce(lambda text, name: text.replace(name, names[name]), names, line)
            shown = [
                _shape(row, names | {"host:71:3fa9": process.name}) for row in _as_shown(redis_cli(*typed.split()))
            ]
            assert shown == [_shape(row, {}) for row in answer], typed


def _as_shown(answer: object) -> list[str]:
    """What redis-cli shows at a terminal."""
    if isinstance(answer, int):
        return [f"(integer) {answer}"]
    return [f"{number}) {cell}" for number, cell in enumerate(_cells(answer), 1)]


def _cells(answer: Any) -> Iterator[str]:
    if isinstance(answer, dict | list | tuple):
        for one in chain.from_iterable(answer.items()) if isinstance(answer, dict) else answer:
            yield from _cells(one)
    elif answer is None:
        yield "(nil)"
    else:
        yield json.dumps(f"{answer:.0f}" if isinstance(answer, float) else answer, ensure_ascii=False)


def _shape(row: str, names: dict[str, str]) -> str:
    return re.sub(r"\d+", "9", reduce(lambda text, name: text.replace(names[name], name), names, row))


@pytest.mark.parametrize("dying", ["srem", "unlink"])
def test_a_deletion_that_died_is_repeated(account: str, client: redis.Redis, dying: str) -> None:
    """Wherever it died: the account is the last to go, or nobody could ask again."""
    client.hset(keys.account(account), "status", "suspended")
    dies = MagicMock(wraps=client)
    getattr(dies, dying).side_effect = redis.ConnectionError
    with pytest.raises(Unavailable):
        AccountRemoval(dies).delete(account)
    AccountRemoval(client).delete(account)

    assert not client.sismember(keys.ACCOUNTS, account)
    assert not client.exists(keys.account(account))


def test_the_account_for_trying_out_is_not_kept_waiting(client: redis.Redis) -> None:
    """Also one that an earlier version made; an operator's own limit is left alone."""
    accounts = AccountStore(client)
    accounts.save_account(Account(ACCOUNT, TOKEN, "active", up.MADE_HERE))
    up._account(accounts)
    assert accounts.load_limits(ACCOUNT).calls_per_second == up.CALLS_PER_SECOND
    accounts.save_limits(ACCOUNT, {"calls_per_second": 7})
    up._account(accounts)
    assert accounts.load_limits(ACCOUNT).calls_per_second == 7
