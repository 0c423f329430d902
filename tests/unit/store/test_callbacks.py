"""The memory of callbacks: found by what one knows of them, by their account only, and sent again when asked for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
import redis

from orchestrator.callbacks.entry import Entry
from orchestrator.errors import NotFound
from orchestrator.services import callback_log as callback_log_module
from orchestrator.services.callback_log import CallbackLog, Replayed
from orchestrator.store import callbacks as callbacks_module
from orchestrator.store import keys
from orchestrator.store.callbacks import Attempt, CallbackFilter, CallbackStore, KeptCallback
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import Lane
from orchestrator.store.outbox import OutboxStore, State, Tried
from orchestrator.store.receivers import ReceiverStore
from tests.unit.callbacks.web import an_entry
from tests.unit.outbox import put_entries, waiting
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT, create

NOW = int(time.time())


class Shelf:
    """Callbacks in lanes, as listener and worker leave them."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.store = CallbackStore(client)
        self.outbox = OutboxStore(client)
        self.made = create(ConferenceStore(client))
        self.lane = Lane(self.made.conference_sid, keys.CONFERENCE_LANE)

    def put(self, token: str, lane: Lane | None = None, **values: Any) -> Entry:
        lane = lane or self.lane
        settings = {"conference_sid": lane.sid, "call_sid": self.made.call_sid, "planned_at": float(NOW)}
        entry = an_entry(**{"url": "http://h/", "token": token, **settings, **values})
        put_entries(self.client, lane, [entry])
        return entry

    def settle(self, state: State, reason: str = "", lane: Lane | None = None) -> str:
        """The lane's head is delivered or dead."""
        lane = lane or self.lane
        head = self.outbox.load_head(lane, "worker", NOW * 1000)
        entry = Entry.load(head.entry)
        attempt = Attempt(head.attempts + 1, NOW * 1000, entry.url, 404 if reason else 200, 5, "", "what it said")
        tried = Tried(head.token, ((attempt.number, orjson.dumps(attempt).decode()),))
        if state == "dead":
            self.store.save_dead(entry.account_sid, lane.sid, head.token, reason, int(entry.planned_at * 1000))
        self.outbox.commit_head(lane, "worker", tried, state, reason)
        self.outbox.release(lane, "worker", None)
        return head.token

    def found(self, account_sid: str = ACCOUNT, **wanted: Any) -> list[str]:
        """As a caller asks: the index first, then what it does not know."""
        asked = CallbackFilter(**wanted)
        return [c.token for c in self.store.list_callbacks(account_sid, asked) if c is not None and asked.matches(c)]


@pytest.fixture
def shelf(client: redis.Redis) -> Shelf:
    return Shelf(client)


# ------------------------------------------------------------ one callback


def test_a_callback_is_kept_as_it_was_planned_with_its_attempts(shelf: Shelf) -> None:
    """Everything that an operator asks for when a client says that nothing came."""
    entry = shelf.put("1")
    shelf.settle("dead", "http-404")
    kept = shelf.store.load_callback(ACCOUNT, shelf.lane.sid, "1")

    assert (kept.token, kept.account_sid, kept.call_sid, kept.kind) == ("1", ACCOUNT, entry.call_sid, entry.kind)
    assert (kept.url, kept.method, kept.parameters, kept.lane) == (
        entry.url, entry.method, entry.parameters, "conference",
    )  # fmt: skip
    assert (kept.state, kept.reason, kept.planned_ms) == ("dead", "http-404", NOW * 1000)
    assert kept.attempts == (Attempt(1, NOW * 1000, entry.url, 404, 5, "", "what it said"),)
    assert kept.callback_id == f"{shelf.lane.sid}.1"


def test_attempts_are_in_order_also_beyond_the_ninth(shelf: Shelf) -> None:
    """By number, not by text; the first ten and the last twenty of them."""
    shelf.put("1")
    for number in range(1, 43):
        shelf.outbox.load_head(shelf.lane, "worker", NOW * 1000)
        attempt = orjson.dumps(Attempt(number, NOW, "http://h/", 500, 1, "", "")).decode()
        shelf.outbox.save_retry(shelf.lane, "worker", Tried("1", ((number, attempt),)), NOW * 1000)
    kept = shelf.store.load_callback(ACCOUNT, shelf.lane.sid, "1")

    assert [attempt.number for attempt in kept.attempts] == [*range(1, 11), *range(23, 43)]
    assert kept.attempts_made == 42


def test_a_foreign_account_s_callback_does_not_exist(shelf: Shelf) -> None:
    """Neither by its id nor in any list, whatever is asked for."""
    shelf.put("1")
    shelf.settle("dead", "http-404")
    for account_sid, sid, token in (
        (OTHER_ACCOUNT, shelf.lane.sid, "1"),
        (ACCOUNT, shelf.lane.sid, "2"),
        (ACCOUNT, "CF" + "9" * 32, "1"),
    ):
        with pytest.raises(NotFound):
            shelf.store.load_callback(account_sid, sid, token)

    assert shelf.found(OTHER_ACCOUNT, conference_sid=shelf.lane.sid) == []
    assert shelf.found(OTHER_ACCOUNT, call_sid=shelf.made.call_sid) == []
    assert shelf.found(OTHER_ACCOUNT, state="dead") == shelf.found(OTHER_ACCOUNT) == []


# ------------------------------------------------------------ lists


def test_callbacks_are_found_by_what_one_knows_of_them(shelf: Shelf) -> None:
    """By conference, call, kind, state, and any of these together."""
    other = Lane(create(ConferenceStore(shelf.client), "other").conference_sid, keys.CONFERENCE_LANE)
    shelf.put("1", planned_at=NOW + 1.0, kind="participant-leave")
    shelf.put("2", planned_at=NOW + 2.0)
    shelf.put("3", planned_at=NOW + 3.0, call_sid="CA" + "7" * 32)
    shelf.put("4", lane=other, planned_at=NOW + 4.0)
    shelf.settle("dead", "http-404")
    shelf.settle("delivered")
    shelf.settle("dead", "http-410", other)
    sid = shelf.lane.sid

    assert shelf.found() == ["4", "3", "2", "1"], "newest first"
    assert shelf.found(conference_sid=sid) == ["3", "2", "1"]
    assert shelf.found(call_sid="CA" + "7" * 32) == ["3"]
    assert shelf.found(kind="participant-leave") == ["1"]
    assert shelf.found(state="dead") == ["4", "1"]
    assert shelf.found(state="delivered") == ["2"]
    assert shelf.found(state="waiting") == ["3"]
    assert shelf.found(state="dead", conference_sid=sid) == ["1"]
    assert shelf.found(state="dead", kind="participant-join", call_sid=shelf.made.call_sid) == ["4"]
    assert shelf.found(conference_sid="CF" + "9" * 32) == []


@pytest.mark.parametrize("by_conference", [True, False])
def test_callbacks_are_found_by_time(shelf: Shelf, by_conference: bool) -> None:
    """The moment of the event; both ends belong to it."""
    for number in range(1, 6):
        shelf.put(str(number), planned_at=NOW + float(number))
    where = {"conference_sid": shelf.lane.sid} if by_conference else {}
    two, four = (NOW + 2) * 1000, (NOW + 4) * 1000

    assert shelf.found(**where, after_ms=two, before_ms=four) == ["4", "3", "2"]
    assert shelf.found(**where, after_ms=four) == ["5", "4"]
    assert shelf.found(**where, before_ms=two) == ["2", "1"]
    assert shelf.found(**where, after_ms=four + 1, before_ms=two) == []


def test_lists_are_read_in_chunks(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost or doubled between them; who stops early has read no more than a chunk too much."""
    monkeypatch.setattr(callbacks_module, "_ROWS_PER_READ", 5)

    def reads() -> int:
        return int(shelf.client.info("commandstats")["cmdstat_hgetall"]["calls"])

    tokens = [f"{number:02}" for number in range(23)]
    for number, token in enumerate(tokens):
        shelf.put(token, planned_at=NOW + float(number))
    assert shelf.found() == tokens[::-1]
    before = reads()
    first = next(iter(shelf.store.list_callbacks(ACCOUNT, CallbackFilter())))
    assert first is not None
    assert first.token == "22"

    assert reads() - before == 5


def test_what_has_expired_is_skipped(shelf: Shelf) -> None:
    """An index may name what is gone; a caller that bounds its work still sees that there was a row."""
    shelf.put("1")
    shelf.put("2")
    shelf.client.delete(keys.callback(shelf.lane.sid, "1"))

    assert [row and row.token for row in shelf.store.list_callbacks(ACCOUNT, CallbackFilter())] == ["2", None]
    assert shelf.found() == shelf.found(conference_sid=shelf.lane.sid) == ["2"]


def test_dead_letters_are_counted_and_their_list_ends(shelf: Shelf) -> None:
    """By reason; those older than the retention leave the account's list with the next one."""
    shelf.client.zadd(keys.account_dead(ACCOUNT), {"CF.old": (NOW - keys.RETENTION_SECONDS - 60) * 1000})
    for token, reason in (("1", "age"), ("2", "http-404"), ("3", "age")):
        shelf.put(token)
        shelf.settle("dead", reason)

    assert shelf.client.hgetall(keys.DROPPED) == {"age": "2", "http-404": "1"}
    assert shelf.client.zcard(keys.account_dead(ACCOUNT)) == 3


# ------------------------------------------------------------ replay


def _replay(shelf: Shelf, token: str) -> bool:
    kept = shelf.store.load_callback(ACCOUNT, shelf.lane.sid, token)
    return shelf.store.save_replay(kept, NOW * 1000 + 5_000)


@pytest.mark.parametrize(("state", "reason"), [("dead", "http-404"), ("delivered", "")])
def test_a_replayed_callback_goes_to_the_end_of_its_lane_under_its_token(
    shelf: Shelf, state: State, reason: str
) -> None:
    """The receiver sees the same idempotency token; nothing overtakes; its history goes on and its age begins anew."""
    shelf.put("1")
    shelf.settle(state, reason)
    shelf.put("2")
    assert _replay(shelf, "1")
    kept = shelf.store.load_callback(ACCOUNT, shelf.lane.sid, "1")

    assert waiting(shelf.client, shelf.lane) == ["2", "1"]
    assert (kept.state, kept.reason, kept.replays, kept.attempts_made) == ("waiting", "", 1, 1)
    assert shelf.client.ttl(keys.callback(shelf.lane.sid, "1")) == -1, "its lane owns it again"
    assert shelf.found(state="dead") == []
    shelf.settle("delivered")
    head = shelf.outbox.load_head(shelf.lane, "worker", NOW * 1000)
    assert (head.token, head.attempts, head.since_ms) == ("1", 1, NOW * 1000 + 5_000)


def test_what_waits_is_not_replayed_twice(shelf: Shelf) -> None:
    """Neither one that was never finished, nor one whose replay has not been tried yet, also by two at once."""
    shelf.put("1")
    assert not _replay(shelf, "1")
    shelf.settle("dead", "age")
    stale = shelf.store.load_callback(ACCOUNT, shelf.lane.sid, "1")
    assert [shelf.store.save_replay(stale, NOW * 1000) for _ in range(3)] == [True, False, False]

    assert waiting(shelf.client, shelf.lane) == ["1"]
    assert shelf.store.load_callback(ACCOUNT, shelf.lane.sid, "1").replays == 1


def test_a_replay_is_found_without_a_wake_up(shelf: Shelf) -> None:
    """It comes due at once, and its conference is open again, though it ended long ago."""
    shelf.put("1")
    shelf.settle("dead", "age")
    shelf.client.zrem(keys.OPEN_CONFERENCES, shelf.lane.sid)
    shelf.client.zrem(keys.lanes_due("callbacks"), str(shelf.lane))
    _replay(shelf, "1")

    assert shelf.outbox.list_due(NOW * 1000 + 5_000, 10) == [shelf.lane]
    assert shelf.client.zscore(keys.OPEN_CONFERENCES, shelf.lane.sid) is not None


def test_what_has_expired_meanwhile_is_not_replayed(shelf: Shelf) -> None:
    """No lane gets a token of nothing."""
    shelf.put("1")
    shelf.settle("dead", "age")
    kept = shelf.store.load_callback(ACCOUNT, shelf.lane.sid, "1")
    shelf.client.delete(keys.callback(shelf.lane.sid, "1"))

    assert not shelf.store.save_replay(kept, NOW * 1000)
    assert waiting(shelf.client, shelf.lane) == []


def test_a_replay_of_many_in_two_portions_keeps_their_order(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, whatever their tokens; the answer says that there are more."""
    monkeypatch.setattr(callback_log_module, "MOST_REPLAYED", 3)
    monkeypatch.setattr(callbacks_module, "_ROWS_PER_READ", 2)
    history = CallbackLog(shelf.store, ReceiverStore(shelf.client))
    for number, token in enumerate("eadcb"):
        shelf.put(token, planned_at=NOW - 10.0 + number)
        shelf.settle("dead", "age")

    replayed = history.replay_all(ACCOUNT, CallbackFilter())
    assert replayed == Replayed(3, int((NOW - 7.0) * 1000))
    assert waiting(shelf.client, shelf.lane) == list("ead")
    assert history.replay_all(ACCOUNT, CallbackFilter(conference_sid=shelf.lane.sid)) == Replayed(2, None)
    assert waiting(shelf.client, shelf.lane) == list("eadcb")
    assert history.replay_all(ACCOUNT, CallbackFilter()) == Replayed(0, None)


def test_lanes_of_a_receiver_are_due_at_once_when_it_is_resumed(shelf: Shelf) -> None:
    """Those of the account that wait for it; another receiver's keep their moment."""
    other = Lane(shelf.lane.sid, shelf.made.call_sid)
    shelf.put("1", url="https://user:secret@App.Example:8443/cb#rc=1")
    shelf.put("2", lane=other, url="https://other.example/")
    for lane, token in ((shelf.lane, "1"), (other, "2")):
        shelf.outbox.load_head(lane, "worker", NOW * 1000)
        shelf.outbox.save_retry(lane, "worker", Tried(token), (NOW + 3_000) * 1000)
    shelf.store.save_due_now(ACCOUNT, "app.example:8443")
    shelf.store.save_due_now(OTHER_ACCOUNT, "other.example")
    now_ms = int(time.time() * 1000)

    assert shelf.outbox.list_due(now_ms, 10) == [shelf.lane]
    assert shelf.outbox.load_head(shelf.lane, "worker", now_ms).verdict == "ok"
    assert shelf.outbox.load_head(other, "worker", now_ms).verdict == "wait"


def test_a_filter_that_asks_for_nothing_matches_everything(shelf: Shelf) -> None:
    """And a foreign field alone is enough not to match."""
    shelf.put("1")
    (kept,) = shelf.store.list_callbacks(ACCOUNT, CallbackFilter())

    assert kept is not None
    assert CallbackFilter().matches(kept)
    whole = CallbackFilter(kept.conference_sid, kept.call_sid, kept.kind, kept.state)
    assert whole.matches(kept)
    for other in (
        replace(whole, conference_sid="x"),
        replace(whole, call_sid="x"),
        replace(whole, kind="x"),
        replace(whole, state="x"),
    ):
        assert not other.matches(kept)


def test_a_bulk_replay_that_finds_little_ends(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks at so many rows and says from where the next one goes on; it sends as many as it is granted."""
    monkeypatch.setattr(callback_log_module, "MOST_SCANNED", 3)
    history = CallbackLog(shelf.store, ReceiverStore(shelf.client))
    for number in range(6):
        shelf.put(str(number), planned_at=NOW - 10.0 + number)
        shelf.settle("dead", "age")
    looked_at: list[object] = []

    def counted(rows: Iterable[KeptCallback | None]) -> Iterator[KeptCallback | None]:
        for row in rows:
            looked_at.append(row)
            yield row

    found_none = history.replay_all(ACCOUNT, CallbackFilter(kind="conference-end"), counted)
    assert found_none == Replayed(0, int((NOW - 7.0) * 1000))
    assert len(looked_at) == 4
    granted_two = history.replay_all(ACCOUNT, CallbackFilter(), counted, lambda _: 2)
    assert granted_two == Replayed(2, int((NOW - 8.0) * 1000))
    assert waiting(shelf.client, shelf.lane) == ["0", "1"]
