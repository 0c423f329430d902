"""One commit: state, sequence numbers and callbacks together, and only on the version they were computed from."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
import redis

from orchestrator.domain.changes import Change, Versioned
from orchestrator.domain.conference import ConferenceStatus, Participant, ParticipantStatus
from orchestrator.sids import mint_sid
from orchestrator.store import commits as commits_module
from orchestrator.store import keys
from orchestrator.store.callback_index import WAKE_GRACE_MS
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from orchestrator.store.lanes import Lane, LeaseLost
from orchestrator.store.outbox import OutboxStore
from tests.unit.outbox import new, unique, waiting
from tests.unit.records import ACCOUNT, NODE, create


@pytest.fixture
def store(client: redis.Redis) -> ConferenceStore:
    return ConferenceStore(client)


@pytest.fixture
def commits(client: redis.Redis) -> CommitStore:
    return CommitStore(client)


def _load(commits: CommitStore, made: Participant) -> tuple[Versioned, Participant]:
    conferences, participants = commits.load([(made.conference_sid, made.call_sid)], [made.conference_sid])
    return conferences[made.conference_sid], participants[made.call_sid]


def _change(commits: CommitStore, made: Participant, **values: Any) -> Change:
    known, before = _load(commits, made)
    return Change(known, known.conference, unique(), {made.call_sid: (before, replace(before, **values))})


def test_a_change_from_an_older_version_is_refused_and_changes_nothing(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """None, and Redis is byte for byte as before: state, live list, labels, TTLs and outbox."""
    made = create(store, label="host")
    sid = made.conference_sid
    change = _change(commits, made, status=ParticipantStatus.FAILED, ended_at=datetime.now(UTC))
    change.after = replace(change.after, status=ConferenceStatus.COMPLETED, live_count=0, sequence_number=9)
    change.outbox["conference"] = [new("1")]
    store.request_removal(ACCOUNT, sid, made.call_sid)
    before = {key: (client.dump(key), client.pttl(key)) for key in client.scan_iter()}

    assert commits.commit([change]) == [None]
    after = {key: (client.dump(key), client.pttl(key)) for key in client.scan_iter()}
    assert {key: body for key, (body, _) in after.items()} == {key: body for key, (body, _) in before.items()}
    assert all(before[key][1] - 60_000 < ttl <= before[key][1] for key, (_, ttl) in after.items())


def test_of_many_commits_from_one_version_one_counts(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """Twenty at once: nineteen are refused, and the outbox holds one callback."""
    made = create(store)
    known, _ = _load(commits, made)
    barrier = Barrier(20)

    def committer(number: int) -> bool:
        change = Change(known, replace(known.conference, sequence_number=100 + number), unique())
        change.outbox["conference"] = [new(str(number))]
        barrier.wait()
        return commits.commit([change])[0] is not None

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(committer, range(20)))

    winner = outcomes.index(True)
    assert outcomes.count(True) == 1
    assert _load(commits, made)[0].conference.sequence_number == 100 + winner
    assert waiting(client, Lane(made.conference_sid, "conference")) == [str(winner)]


def test_state_and_callbacks_appear_together(store: ConferenceStore, commits: CommitStore, client: redis.Redis) -> None:
    """A reader that looks all the time never sees one of them without the other."""
    made = create(store)
    sid = made.conference_sid
    pairs: set[tuple[str, int]] = set()
    done: list[int] = []

    def reader() -> None:
        while not done:
            pipe = client.pipeline(transaction=True)
            pipe.hget(keys.conference(sid), "sequence_number")
            pipe.llen(keys.outbox(sid, "conference"))
            number, length = pipe.execute()
            pairs.add((number, length))

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reader)
        try:
            for number in range(2, 102):
                known, _ = _load(commits, made)
                change = Change(known, replace(known.conference, sequence_number=number), unique())
                change.outbox["conference"] = [new(str(number))]
                commits.commit([change])
        finally:
            done.append(1)
        reading.result()

    assert all(length == int(number) - 1 for number, length in pairs)
    assert len(pairs) > 2


def test_one_refused_conference_takes_no_other_along(store: ConferenceStore, commits: CommitStore) -> None:
    """A batch is many conferences; each stands for itself, in order."""
    made = [create(store, f"name {number}") for number in range(3)]
    changes = [_change(commits, one, status=ParticipantStatus.RINGING) for one in made]
    store.request_end(ACCOUNT, made[1].conference_sid)

    assert [committed is None for committed in commits.commit(changes)] == [False, True, False]
    assert [_load(commits, one)[1].status for one in made] == ["ringing", "queued", "ringing"]


def test_lanes_that_were_empty_are_named_once(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """Those have to be woken; a lane that held something already has its wake-up."""
    made = create(store)
    sid = made.conference_sid
    answers = []
    for lanes in ({"conference": [new("1"), new("2")], made.call_sid: [new("3")]}, {"conference": [new("4")]}):
        change = _change(commits, made)
        change.outbox.update(lanes)
        answers += commits.commit([change])

    assert [set(answer.lanes) for answer in answers if answer] == [{"conference", made.call_sid}, set()]
    assert client.smembers(keys.lanes(sid)) == {"conference", made.call_sid}
    assert waiting(client, Lane(sid, "conference")) == ["1", "2", "4"]


def test_a_callback_is_kept_with_all_that_is_known_of_it(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """Its record, its place in the conference's list and in the account's; nothing ends while it waits."""
    made = create(store)
    sid = made.conference_sid
    change = _change(commits, made)
    now_ms = int(time.time() * 1000)
    change.outbox[made.call_sid] = [new("1", now_ms, "text")]
    commits.commit([change])

    assert client.hgetall(keys.callback(sid, "1")) == {
        "entry": "text", "lane": made.call_sid, "state": "waiting", "reason": "", "attempts": "0",
        "planned_ms": str(now_ms), "since_ms": str(now_ms),
    }  # fmt: skip
    assert client.ttl(keys.callback(sid, "1")) == -1
    assert client.zrange(keys.conference_callbacks(sid), 0, -1, withscores=True) == [("1", float(now_ms))]
    assert 0 < client.ttl(keys.conference_callbacks(sid)) <= keys.RETENTION_SECONDS


def test_the_account_s_list_of_callbacks_forgets_what_is_over(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """Each write trims what is older than the retention."""
    made = create(store)
    now_ms = int(time.time() * 1000)
    client.zadd(
        keys.account_callbacks(ACCOUNT), {"CF.old": now_ms - keys.RETENTION_SECONDS * 1000 - 1, "CF.new": now_ms}
    )
    change = _change(commits, made)
    change.outbox["conference"] = [new("1", now_ms)]
    commits.commit([change])

    assert set(client.zrange(keys.account_callbacks(ACCOUNT), 0, -1)) == {"CF.new", f"{made.conference_sid}.1"}


def test_a_woken_lane_is_on_the_sweep_s_list(store: ConferenceStore, commits: CommitStore, client: redis.Redis) -> None:
    """A moment later, should its wake-up be lost; a lane that held something keeps the moment that it has."""
    made = create(store)
    lane = Lane(made.conference_sid, "conference")
    for expected in (int(time.time() * 1000), 7):
        change = _change(commits, made)
        change.outbox[lane.name] = [new(unique())]
        commits.commit([change])
        score = client.zscore(keys.lanes_due("callbacks"), str(lane))
        assert score is not None
        assert expected <= score <= expected + WAKE_GRACE_MS + 5_000
        client.zadd(keys.lanes_due("callbacks"), {str(lane): 7})

    assert client.zscore(keys.lanes_due("callbacks"), str(lane)) == 7


# ------------------------------------------------------------ a commit whose answer was lost


def test_what_comes_after_a_conference_s_end_is_found_by_the_sweep(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """It is on no list any more: should this process die before the lane is due, nobody would ever look at it."""
    made = create(store)
    over = _change(commits, made, status=ParticipantStatus.COMPLETE, ended_at=datetime.now(UTC))
    over.after = replace(over.after, status=ConferenceStatus.COMPLETED, live_count=0)
    commits.commit([over])
    outbox = OutboxStore(client)
    outbox.save_forgotten(0)
    assert client.zscore(keys.OPEN_CONFERENCES, made.conference_sid) is None, "it has nothing left to do"
    late = _change(commits, made)
    late.outbox["conference"] = [new("late")]
    (committed,) = commits.commit([late])
    client.zrem(keys.lanes_due("callbacks"), f"{made.conference_sid}:conference")

    assert committed is not None
    assert committed.lanes == ("conference",)
    assert outbox.save_forgotten(int(time.time() * 1000)) == 1


def test_a_repeated_commit_is_told_as_done_and_done_once(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """The same change by the same commit id: not a byte changes, and its lanes are named again, as nobody woke them."""
    made = create(store)
    change = _change(commits, made, status=ParticipantStatus.RINGING)
    change.outbox.update({"conference": [new("1"), new("2")], made.call_sid: [new("3")]})
    (first,) = commits.commit([change])
    before = {key: client.dump(key) for key in client.scan_iter() if key != keys.lanes_due("callbacks")}
    (again,) = commits.commit([change])

    assert first is not None
    assert again is not None
    assert set(again.lanes) == set(first.lanes) == {"conference", made.call_sid}
    assert {key: client.dump(key) for key in client.scan_iter() if key != keys.lanes_due("callbacks")} == before


def test_a_repeated_commit_is_refused_when_another_came_after_it(store: ConferenceStore, commits: CommitStore) -> None:
    """Then what it was computed from is gone, and nobody can say what it did: its caller loads again."""
    made = create(store)
    first = _change(commits, made, status=ParticipantStatus.RINGING)
    commits.commit([first])
    commits.commit([_change(commits, made, muted=True)])

    assert commits.commit([first]) == [None]


def test_a_repeated_commit_is_told_as_done_though_a_client_has_changed_the_conference(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """The API raises the version and leaves the commit id: what was done stays done, and is not computed anew."""
    made = create(store)
    change = _change(commits, made, status=ParticipantStatus.RINGING)
    change.outbox["conference"] = [new("1")]
    commits.commit([change])
    store.request_removal(ACCOUNT, made.conference_sid, made.call_sid)

    assert commits.commit([change]) != [None]
    assert waiting(client, Lane(made.conference_sid, "conference")) == ["1"]
    assert _load(commits, made)[1].removal_requested


def test_a_pipeline_of_changes_is_repeated_whole(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """The connection broke in the middle: those that were done are done once, the others now."""
    made = [create(store, f"name {number}") for number in range(4)]
    changes = [_change(commits, one, status=ParticipantStatus.RINGING) for one in made]
    for change in changes:
        change.outbox["conference"] = [new("1")]
    commits.commit(changes[:2])

    assert None not in commits.commit(changes)
    assert all(waiting(client, Lane(one.conference_sid, "conference")) == ["1"] for one in made)


def test_a_full_lane_drops_its_oldest_and_counts_them(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest say what is true now; how many were lost is told to the listener and to the operators' counter."""
    monkeypatch.setattr(commits_module, "OUTBOX_DEPTH", 5)
    made = create(store)
    sid = made.conference_sid
    change = _change(commits, made)
    change.outbox["conference"] = [new(token) for token in "0123"]
    commits.commit([change])
    change = _change(commits, made)
    change.outbox["conference"] = [new(token) for token in "4567"]
    (committed,) = commits.commit([change])

    assert committed is not None
    assert committed.dropped == (("0", 1_000_000), ("1", 1_000_000), ("2", 1_000_000))
    assert committed.lanes == ()
    assert waiting(client, Lane(sid, "conference")) == list("34567")
    assert client.hgetall(keys.DROPPED) == {"depth": "3"}
    assert set(client.zrange(keys.account_dead(ACCOUNT), 0, -1)) == {f"{sid}.{token}" for token in "012"}
    assert client.hmget(keys.callback(sid, "0"), "state", "reason") == ["dead", "depth"]
    assert client.ttl(keys.callback(sid, "0")) > 0


def test_a_new_lane_that_is_too_full_at_once_is_woken_all_the_same(
    store: ConferenceStore, commits: CommitStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both parts of the answer together."""
    monkeypatch.setattr(commits_module, "OUTBOX_DEPTH", 2)
    change = _change(commits, create(store))
    change.outbox["conference"] = [new("1"), new("2"), new("3")]
    (committed,) = commits.commit([change])

    assert committed is not None
    assert (committed.lanes, committed.dropped) == (("conference",), (("1", 1_000_000),))


def test_entries_of_any_text_arrive_unchanged(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """JSON inside JSON, through Lua."""
    wild = ['{"a":"ü🎧\\u0000\\ud83c\\udfa7"}', '"\\\\\\""', "}]\n\r%00'"]
    made = create(store)
    change = _change(commits, made)
    change.outbox["conference"] = [new(str(number), text=text) for number, text in enumerate(wild)]
    commits.commit([change])
    records = [keys.callback(made.conference_sid, str(number)) for number in range(len(wild))]

    assert [client.hget(record, "entry") for record in records] == wild


def test_a_large_batch_fits_one_commit(store: ConferenceStore, commits: CommitStore, client: redis.Redis) -> None:
    """Lua's `unpack` has a limit; two thousand callbacks of one lane are below it."""
    made = create(store)
    change = _change(commits, made)
    change.outbox["conference"] = [new(unique(), text="x" * 500) for _ in range(2000)]
    commits.commit([change])

    assert client.llen(keys.outbox(made.conference_sid, "conference")) == 2000


def test_who_has_left_gives_the_label_back_and_stays_until_the_call_has_ended(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """Until then the call is among those that a snapshot asks for; then the record gets its lifetime."""
    made = create(store, label="host")
    sid = made.conference_sid
    record = keys.participant(sid, made.call_sid)
    commits.commit([_change(commits, made, status=ParticipantStatus.COMPLETE)])
    assert not client.exists(keys.labels(sid))
    assert ([one.call_sid for one in commits.list_live(sid)], client.ttl(record)) == ([made.call_sid], -1)
    commits.commit([_change(commits, made, ended_at=datetime.now(UTC))])

    assert commits.list_live(sid) == []
    assert 0 < client.ttl(record) <= keys.RETENTION_SECONDS
    assert client.ttl(keys.conference(sid)) == -1


def test_a_label_that_somebody_else_has_by_now_is_not_taken_away(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """Who leaves gives back what is theirs."""
    made = create(store, label="host")
    client.hset(keys.labels(made.conference_sid), "host", mint_sid("CA"))
    commits.commit([_change(commits, made, status=ParticipantStatus.COMPLETE)])

    assert client.hexists(keys.labels(made.conference_sid), "host")


def test_a_completed_conference_gets_its_lifetime_and_gives_its_name_back(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """Nothing of it stays for ever."""
    made = create(store)
    known, _ = _load(commits, made)
    commits.commit([Change(known, replace(known.conference, status=ConferenceStatus.COMPLETED), unique())])

    assert 0 < client.ttl(keys.conference(made.conference_sid)) <= keys.RETENTION_SECONDS
    assert client.hgetall(keys.account_names(ACCOUNT)) == {}


def test_unended_calls_of_a_node_are_those_of_its_open_conferences(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """What a snapshot is compared with: not those of other nodes, nor calls that have ended; but those of a conference
    that is over while a call of it goes on."""
    here, over, gone = create(store, "here"), create(store, "over"), create(store, "gone")
    known, _ = _load(commits, over)
    commits.commit([Change(known, replace(known.conference, status=ConferenceStatus.COMPLETED), unique())])
    commits.commit([_change(commits, gone, status=ParticipantStatus.COMPLETE, ended_at=datetime.now(UTC))])

    found = {
        c.conference_sid: [p.call_sid for p in group]
        for c, group in commits.list_unended(NODE, commits.list_conference_sids(NODE))
    }
    assert found == {p.conference_sid: [p.call_sid] for p in (here, over)}
    assert commits.list_unended("fs2", commits.list_conference_sids("fs2")) == []


def test_calls_are_found_by_their_call_sid(store: ConferenceStore, commits: CommitStore) -> None:
    """A background job's result does not say its conference; unknown ones are left out."""
    made = create(store)
    known = commits.load_conference_sids([mint_sid("CA"), made.call_sid])

    assert known == {made.call_sid: made.conference_sid}
    assert commits.load_conference_sids([]) == {}


def test_what_does_not_exist_is_not_loaded(commits: CommitStore) -> None:
    """Neither conferences nor participants, and no error."""
    assert commits.load([(mint_sid("CF"), mint_sid("CA"))], [mint_sid("CF")]) == ({}, {})
    assert commits.commit([]) == []


def test_a_node_is_closed_to_older_listeners_without_a_look_at_other_nodes(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """However many conferences there are elsewhere; also where a create that lost the race for a name had chosen this
    node: what is another node's stays open to that node's listener."""
    here, elsewhere = create(store, "here"), [create(store, f"other{number}") for number in range(10)]
    sids = [one.conference_sid for one in elsewhere]
    for sid in sids:
        client.hset(keys.conference(sid), "node", "fs2")
    client.zrem(keys.node_conferences(NODE), *sids[1:])
    client.config_resetstat()
    commits.fence(NODE, 7)
    asked: Any = client.info("commandstats")

    assert client.hget(keys.conference(here.conference_sid), "epoch") == "7"
    assert [client.hget(keys.conference(sid), "epoch") for sid in sids] == [None] * len(sids)
    assert asked["cmdstat_hmget"]["calls"] == 2, "the one that is here, and the one that is known here"
    assert "cmdstat_hget" not in asked
    with pytest.raises(LeaseLost):
        commits.fence(NODE, 6)
