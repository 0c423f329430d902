"""One commit: state, sequence numbers and callbacks together, and only on the version they were computed from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
import redis

from orchestrator.domain.conference import ConferenceStatus, Participant, ParticipantStatus
from orchestrator.sids import mint_sid
from orchestrator.store import commits as commits_module
from orchestrator.store import keys
from orchestrator.store.commits import Change, CommitStore, Versioned
from orchestrator.store.conferences import ConferenceStore
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
    return Change(known, known.conference, {made.call_sid: (before, replace(before, **values))})


def test_a_change_from_an_older_version_is_refused_and_changes_nothing(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """None, and Redis is byte for byte as before: state, live list, labels, TTLs and outbox."""
    made = create(store, label="host")
    sid = made.conference_sid
    change = _change(commits, made, status=ParticipantStatus.FAILED, ended_at=datetime.now(UTC))
    change.after = replace(change.after, status=ConferenceStatus.COMPLETED, live_count=0, sequence_number=9)
    change.outbox["conference"] = [b"{}"]
    store.request_removal(ACCOUNT, sid, made.call_sid)
    before = {key: (client.dump(key), client.ttl(key)) for key in client.scan_iter()}

    assert commits.commit([change]) == [None]
    assert {key: (client.dump(key), client.ttl(key)) for key in client.scan_iter()} == before


def test_of_two_commits_from_one_version_one_counts(store: ConferenceStore, commits: CommitStore) -> None:
    """Twenty at once: nineteen are refused, and the outbox holds one entry."""
    made = create(store)
    known, _ = _load(commits, made)
    barrier = Barrier(20)

    def committer(number: int) -> bool:
        change = Change(known, replace(known.conference, sequence_number=100 + number))
        change.outbox["conference"] = [str(number).encode()]
        barrier.wait()
        return commits.commit([change])[0] is not None

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(committer, range(20)))

    winner = outcomes.index(True)
    assert outcomes.count(True) == 1
    assert _load(commits, made)[0].conference.sequence_number == 100 + winner


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
        for number in range(2, 102):
            known, _ = _load(commits, made)
            change = Change(known, replace(known.conference, sequence_number=number))
            change.outbox["conference"] = [b"x"]
            commits.commit([change])
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
    for lanes in ({"conference": [b"1", b"2"], made.call_sid: [b"3"]}, {"conference": [b"4"]}):
        change = _change(commits, made)
        change.outbox.update(lanes)
        answers += commits.commit([change])

    assert [set(answer.lanes) for answer in answers if answer] == [{"conference", made.call_sid}, set()]
    assert client.smembers(keys.lanes(sid)) == {"conference", made.call_sid}
    assert client.lrange(keys.outbox(sid, "conference"), 0, -1) == ["1", "2", "4"]


def test_a_full_lane_drops_its_oldest_and_counts_them(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest say what is true now; how many were lost is told to the listener and to the operators' counter."""
    monkeypatch.setattr(commits_module, "OUTBOX_DEPTH", 5)
    made = create(store)
    change = _change(commits, made)
    change.outbox["conference"] = [str(number).encode() for number in range(4)]
    commits.commit([change])
    change = _change(commits, made)
    change.outbox["conference"] = [str(number).encode() for number in range(4, 8)]
    (committed,) = commits.commit([change])

    assert committed is not None
    assert committed.dropped == 3
    assert committed.lanes == ()
    assert client.lrange(keys.outbox(made.conference_sid, "conference"), 0, -1) == ["3", "4", "5", "6", "7"]
    assert client.hgetall(keys.DROPPED) == {"depth": "3"}


def test_a_new_lane_that_is_too_full_at_once_is_woken_all_the_same(
    store: ConferenceStore, commits: CommitStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both parts of the answer together."""
    monkeypatch.setattr(commits_module, "OUTBOX_DEPTH", 2)
    change = _change(commits, create(store))
    change.outbox["conference"] = [b"1", b"2", b"3"]
    (committed,) = commits.commit([change])

    assert committed is not None
    assert (committed.lanes, committed.dropped) == (("conference",), 1)


def test_entries_of_any_text_arrive_unchanged(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """JSON inside JSON, through Lua."""
    wild = ['{"a":"ü🎧\\u0000\\ud83c\\udfa7"}', '"\\\\\\""', "}]\n\r%00'"]
    made = create(store)
    change = _change(commits, made)
    change.outbox["conference"] = [text.encode() for text in wild]
    commits.commit([change])

    assert client.lrange(keys.outbox(made.conference_sid, "conference"), 0, -1) == wild


def test_a_large_batch_fits_one_commit(store: ConferenceStore, commits: CommitStore, client: redis.Redis) -> None:
    """Lua's `unpack` has a limit; two thousand callbacks of one lane are below it."""
    made = create(store)
    change = _change(commits, made)
    change.outbox["conference"] = [b"x" * 500] * 2000
    commits.commit([change])

    assert client.llen(keys.outbox(made.conference_sid, "conference")) == 2000


def test_who_has_left_leaves_the_live_list_and_the_label(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """And the record gets its lifetime when the call has ended."""
    made = create(store, label="host")
    sid = made.conference_sid
    change = _change(commits, made, status=ParticipantStatus.COMPLETE, ended_at=datetime.now(UTC))
    commits.commit([change])

    assert commits.list_live_calls(sid) == []
    assert not client.exists(keys.labels(sid))
    assert 0 < client.ttl(keys.participant(sid, made.call_sid)) <= keys.RETENTION_SECONDS
    assert client.ttl(keys.conference(sid)) == -1


def test_a_completed_conference_gets_its_lifetime_and_gives_its_name_back(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis
) -> None:
    """Nothing of it stays for ever."""
    made = create(store)
    known, _ = _load(commits, made)
    commits.commit([Change(known, replace(known.conference, status=ConferenceStatus.COMPLETED))])

    assert 0 < client.ttl(keys.conference(made.conference_sid)) <= keys.RETENTION_SECONDS
    assert client.hgetall(keys.account_names(ACCOUNT)) == {}


def test_live_participants_of_a_node_are_those_of_its_open_conferences(
    store: ConferenceStore, commits: CommitStore
) -> None:
    """What a snapshot is compared with: not those of other nodes, not completed conferences."""
    here = create(store, "here")
    over = create(store, "over")
    known, _ = _load(commits, over)
    commits.commit([Change(known, replace(known.conference, status=ConferenceStatus.COMPLETED))])

    assert {sid: [p.call_sid for p in group] for sid, group in commits.list_live(NODE).items()} == {
        here.conference_sid: [here.call_sid]
    }
    assert commits.list_live("fs2") == {}


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
