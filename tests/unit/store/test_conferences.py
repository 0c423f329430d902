"""The API's half of the store, on a real Redis: names, limits, labels, wishes, and who may see what."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import redis

from orchestrator.domain.changes import Change
from orchestrator.domain.commands import CreateParticipant
from orchestrator.domain.conference import ConferenceStatus, EndReason, Participant, ParticipantStatus
from orchestrator.domain.hearing import Sound
from orchestrator.errors import (
    ApiError,
    CoachedCallHeld,
    CoachedCallMissing,
    ConferenceFull,
    ConferenceNotActive,
    LabelInUse,
    NotFound,
)
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.commits import CommitStore
from orchestrator.store.conferences import ConferenceStore
from tests.unit.records import ACCOUNT, EVENTS, OTHER_ACCOUNT, PROGRESS, add, create, new_conference, new_participant


@pytest.fixture
def store(client: redis.Redis) -> ConferenceStore:
    return ConferenceStore(client)


@pytest.fixture
def commits(client: redis.Redis) -> CommitStore:
    return CommitStore(client)


def _leaves(commits: CommitStore, participant: Participant, ends: bool = False) -> None:
    """What the listener writes when somebody has left."""
    sid, call_sid = participant.conference_sid, participant.call_sid
    conferences, participants = commits.load([(sid, call_sid)], [sid])
    before = participants[call_sid]
    after = replace(before, status=ParticipantStatus.COMPLETE, ended_at=datetime.now(UTC))
    conference = replace(conferences[sid].conference, live_count=conferences[sid].conference.live_count - 1)
    if ends:
        conference = replace(conference, status=ConferenceStatus.COMPLETED, end_reason=EndReason.LAST_LEFT)
    (committed,) = commits.commit([Change(conferences[sid], conference, mint_sid("CF"), {call_sid: (before, after)})])
    assert committed is not None


# ------------------------------------------------------------ names


def test_one_new_name_claimed_by_many_at_once_is_one_conference(store: ConferenceStore) -> None:
    """Twenty creators of one new FriendlyName meet in one conference, and each of them is counted."""
    barrier = Barrier(20)

    def creator(_: int) -> Participant:
        barrier.wait()
        return create(store, "new name")

    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(creator, range(20)))

    assert len({participant.conference_sid for participant in made}) == 1
    conference = store.load_conference(ACCOUNT, made[0].conference_sid)
    assert conference.live_count == 20
    assert len(store.list_participants(ACCOUNT, conference.conference_sid)) == 20
    assert [row.place[1] for row in store.list_conferences(ACCOUNT)] == [conference.conference_sid]


def test_two_accounts_never_meet_under_one_name(store: ConferenceStore) -> None:
    """A FriendlyName belongs to its account."""
    mine, theirs = create(store, "all hands"), create(store, "all hands", OTHER_ACCOUNT)

    assert mine.conference_sid != theirs.conference_sid


def test_a_name_is_free_again_when_its_conference_is_over(store: ConferenceStore, commits: CommitStore) -> None:
    """The next one of that name is a new conference; the old one stays readable."""
    first = create(store)
    _leaves(commits, first, ends=True)
    second = create(store)

    assert second.conference_sid != first.conference_sid
    assert store.load_conference(ACCOUNT, first.conference_sid).status is ConferenceStatus.COMPLETED


def test_a_name_is_free_as_soon_as_its_conference_is_ending(store: ConferenceStore) -> None:
    """After the request to end it nobody is added; a create by name makes a new conference."""
    first = create(store)
    store.request_end(ACCOUNT, first.conference_sid)

    assert create(store).conference_sid != first.conference_sid


def test_a_name_that_was_claimed_and_never_used_is_used_by_the_next_one(store: ConferenceStore) -> None:
    """Its claimant died between the two steps. Nobody waits for it."""
    claimed = store.claim_name(ACCOUNT, "weekly", mint_sid("CF"))

    assert create(store).conference_sid == claimed


def test_a_late_release_does_not_take_the_name_from_its_new_conference(
    store: ConferenceStore, commits: CommitStore
) -> None:
    """The old conference completes after a new one has taken its name over."""
    first = create(store)
    store.request_end(ACCOUNT, first.conference_sid)
    second = create(store)
    _leaves(commits, first, ends=True)

    assert create(store).conference_sid == second.conference_sid


# ------------------------------------------------------------ refusals


def _state(client: redis.Redis) -> dict[str, object]:
    return {key: client.dump(key) for key in client.scan_iter() if key != keys.OPEN_CONFERENCES}


def test_a_refused_create_changes_nothing(store: ConferenceStore, client: redis.Redis) -> None:
    """Full, label in use, nobody to coach, ended, unknown or foreign: each its own error, and Redis is as before."""
    first = create(store, label="host")
    sid = first.conference_sid
    before = _state(client)

    with pytest.raises(ConferenceFull):
        add(store, sid, max_participants=1)
    with pytest.raises(LabelInUse):
        add(store, sid, label="host")
    with pytest.raises(CoachedCallMissing):
        add(store, sid, call_sid_to_coach=mint_sid("CA"))
    with pytest.raises(NotFound):
        add(store, mint_sid("CF"))
    with pytest.raises(NotFound):
        add(store, sid, OTHER_ACCOUNT)

    assert _state(client) == before


def test_nobody_is_added_to_a_conference_that_ends_or_has_ended(store: ConferenceStore, commits: CommitStore) -> None:
    """ConferenceNotActive from the request to end it on."""
    first = create(store)
    store.request_end(ACCOUNT, first.conference_sid)
    with pytest.raises(ConferenceNotActive):
        add(store, first.conference_sid)

    _leaves(commits, first, ends=True)
    with pytest.raises(ConferenceNotActive):
        add(store, first.conference_sid)


def test_one_label_claimed_by_many_at_once_belongs_to_one(store: ConferenceStore) -> None:
    """The check and the claim are one step."""
    sid = create(store).conference_sid
    barrier = Barrier(20)

    def claimant(_: int) -> object:
        barrier.wait()
        try:
            return add(store, sid, label="host")
        except LabelInUse as error:
            return error

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(claimant, range(20)))

    assert sum(isinstance(outcome, Participant) for outcome in outcomes) == 1
    assert store.load_conference(ACCOUNT, sid).live_count == 2


def test_the_limit_holds_against_many_at_once(store: ConferenceStore) -> None:
    """MaxParticipants 5 with one inside: four of twenty get in."""
    sid = create(store).conference_sid
    barrier = Barrier(20)

    def guest(_: int) -> bool:
        barrier.wait()
        try:
            add(store, sid, max_participants=5)
        except ConferenceFull:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(guest, range(20))) == 4


def test_a_label_is_free_again_when_its_participant_has_left(store: ConferenceStore, commits: CommitStore) -> None:
    """And the leave of the first does not take it from the second."""
    create(store)
    first = create(store, label="host")
    _leaves(commits, first)
    second = create(store, label="host")

    assert store.load_participant(ACCOUNT, first.conference_sid, "host").call_sid == second.call_sid


def test_the_node_is_the_conference_s_own(store: ConferenceStore) -> None:
    """Another process chose first: the participant goes where the conference is, whatever its creator chose."""
    first = create(store)
    other = replace(new_participant(first.conference_sid), switch=replace(first.switch, node="fs2", channel_uuid="u"))
    conference = replace(new_conference(first.conference_sid, "weekly"), node="fs2")
    told = store.create_participant(CreateParticipant("+15550009999", "+15550001000"), other, conference)

    assert told.node == first.switch.node
    assert store.load_participant(ACCOUNT, first.conference_sid, other.call_sid).switch.node == first.switch.node


def test_a_create_that_is_sent_twice_counts_once(store: ConferenceStore) -> None:
    """The Redis client repeats a command whose answer was lost with the connection."""
    participant = create(store, label="host")
    sid = participant.conference_sid
    store.create_participant(CreateParticipant("+15550009999", "+15550001000", label="host"), participant, None)

    assert store.load_conference(ACCOUNT, sid).live_count == 1
    assert store.load_participant(ACCOUNT, sid, "host").call_sid == participant.call_sid


# ------------------------------------------------------------ records


def test_what_is_written_is_what_is_read(store: ConferenceStore) -> None:
    """Every field of a participant, hostile text included, comes back as it was."""
    wild = 'Ünïcode 🎧 \x00 "quotes" \\ {braces} \n%0A'
    made = create(
        store,
        name=wild,
        label=wild,
        muted=True,
        coaching=True,
        start_conference_on_enter=False,
        end_conference_on_exit=True,
        progress_callbacks=PROGRESS,
        conference_callbacks=EVENTS,
        options_json='{"beep":"onEnter"}',
    )

    assert store.load_participant(ACCOUNT, made.conference_sid, wild) == made
    assert store.load_conference(ACCOUNT, made.conference_sid).friendly_name == wild


# ------------------------------------------------------------ find


def test_a_participant_is_found_by_call_sid_and_by_label(store: ConferenceStore) -> None:
    """Both name the same one."""
    made = create(store, label="host")
    sid = made.conference_sid

    assert store.load_participant(ACCOUNT, sid, made.call_sid) == made
    assert store.load_participant(ACCOUNT, sid, "host") == made


@pytest.mark.parametrize("reference", ["guest", "", "CA" + "0" * 32, "ca" + "0" * 32, "HOST", "participant:x", "*"])
def test_who_is_not_there_is_not_found(store: ConferenceStore, reference: str) -> None:
    """Unknown SIDs and labels, and what looks like a SID and is none."""
    made = create(store, label="host")

    with pytest.raises(NotFound):
        store.load_participant(ACCOUNT, made.conference_sid, reference)


def test_a_call_sid_in_capitals_is_not_found(store: ConferenceStore) -> None:
    """SIDs are lower case."""
    made = create(store)

    with pytest.raises(NotFound):
        store.load_participant(ACCOUNT, made.conference_sid, made.call_sid.upper())


def test_a_participant_of_another_conference_is_not_found_in_this_one(store: ConferenceStore) -> None:
    """The path has to be right as a whole."""
    one, other = create(store, "one"), create(store, "other")

    with pytest.raises(NotFound):
        store.load_participant(ACCOUNT, one.conference_sid, other.call_sid)


def test_who_has_left_is_not_found(store: ConferenceStore, commits: CommitStore) -> None:
    """The API knows live participants only."""
    create(store)
    gone = create(store, label="host")
    _leaves(commits, gone)

    for reference in (gone.call_sid, "host"):
        with pytest.raises(NotFound):
            store.load_participant(ACCOUNT, gone.conference_sid, reference)
    with pytest.raises(NotFound):
        store.request_muted(ACCOUNT, gone.conference_sid, gone.call_sid, True)
    assert gone.call_sid not in {p.call_sid for p in store.list_participants(ACCOUNT, gone.conference_sid)}


Verb = Callable[[ConferenceStore, Participant], object]
VERBS: dict[str, Verb] = {
    "load_participant": lambda store, p: store.load_participant(OTHER_ACCOUNT, p.conference_sid, p.call_sid),
    "by label": lambda store, p: store.load_participant(OTHER_ACCOUNT, p.conference_sid, "host"),
    "request_muted": lambda store, p: store.request_muted(OTHER_ACCOUNT, p.conference_sid, p.call_sid, True),
    "request_removal": lambda store, p: store.request_removal(OTHER_ACCOUNT, p.conference_sid, p.call_sid),
    "request_hold": lambda store, p: store.request_hold(OTHER_ACCOUNT, p.conference_sid, p.call_sid, True, None),
    "list_participants": lambda store, p: store.list_participants(OTHER_ACCOUNT, p.conference_sid),
    "load_conference": lambda store, p: store.load_conference(OTHER_ACCOUNT, p.conference_sid),
    "request_end": lambda store, p: store.request_end(OTHER_ACCOUNT, p.conference_sid),
    "create": lambda store, p: add(store, p.conference_sid, OTHER_ACCOUNT),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_foreign_account_finds_and_changes_nothing(store: ConferenceStore, client: redis.Redis, verb: str) -> None:
    """NotFound, as if there were none, whatever is asked."""
    made = create(store, label="host")
    before = _state(client)

    with pytest.raises(NotFound):
        VERBS[verb](store, made)
    assert _state(client) == before


# ------------------------------------------------------------ lists


def test_participants_are_listed_newest_first(store: ConferenceStore) -> None:
    """By the moment of their creation."""
    start = datetime.now(UTC)
    made = [create(store, created_at=start + timedelta(seconds=number)) for number in range(5)]
    listed = store.list_participants(ACCOUNT, made[0].conference_sid)

    assert [p.call_sid for p in listed] == [p.call_sid for p in reversed(made)]


def test_a_conference_stands_in_the_list_where_its_own_creation_puts_it(
    store: ConferenceStore, client: redis.Redis
) -> None:
    """Not where that of its first participant would, a moment later: pages go on behind a conference's own date."""
    made = new_conference(mint_sid("CF"), "weekly")
    later = new_participant(made.conference_sid, created_at=made.created_at + timedelta(milliseconds=5))
    store.create_participant(CreateParticipant("+15550009999", "+15550001000"), later, made)

    score = client.zscore(keys.account_conferences(ACCOUNT), made.conference_sid)
    assert score == int(made.created_at.timestamp() * 1000)


def test_conferences_are_listed_newest_first_beyond_one_chunk(store: ConferenceStore) -> None:
    """The list is read in chunks of 200; nothing is lost or doubled between them."""
    start = datetime.now(UTC)
    made = [create(store, f"name {n}", created_at=start + timedelta(milliseconds=n)).conference_sid for n in range(405)]

    assert [row.place[1] for row in store.list_conferences(ACCOUNT)] == made[::-1]
    assert list(store.list_conferences(OTHER_ACCOUNT)) == []


def test_a_conference_that_is_about_to_be_written_stays_in_the_index(
    store: ConferenceStore, client: redis.Redis
) -> None:
    """Its create has put it there and not written it yet, while others look for what is gone."""
    half_made = mint_sid("CF")
    client.zadd(keys.account_conferences(ACCOUNT), {half_made: datetime.now(UTC).timestamp() * 1000})
    for number in range(5):
        create(store, f"other {number}")

    assert client.zscore(keys.account_conferences(ACCOUNT), half_made) is not None


def test_expired_conferences_leave_the_index(store: ConferenceStore, client: redis.Redis) -> None:
    """Every create looks at ten at random, so what is gone leaves soon, also behind many that have just begun."""
    start = datetime.now(UTC) - timedelta(days=8)
    old = [create(store, f"old {n}", created_at=start + timedelta(milliseconds=n)).conference_sid for n in range(30)]
    client.delete(*(keys.conference(sid) for sid in old))  # what their TTL does
    made = 0
    while client.zcard(keys.account_conferences(ACCOUNT)) != made:
        made += 1
        create(store, f"new {made}")

    assert made <= 60


# ------------------------------------------------------------ wishes


def _wanted(client: redis.Redis, participant: Participant) -> str | None:
    key = keys.participant(participant.conference_sid, participant.call_sid)
    return client.hget(key, "muted_wanted")  # type: ignore[return-value]  # a sync client


def test_a_wish_is_shown_until_the_switch_confirms_it(store: ConferenceStore, client: redis.Redis) -> None:
    """`muted_wanted` is what a GET shows; `muted` stays what the switch said."""
    made = create(store)
    told, before = store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, True)

    assert (before, told.muted, told.muted_wanted, told.muted_as_asked) == ("", False, True, True)
    assert store.load_participant(ACCOUNT, made.conference_sid, made.call_sid).muted_as_asked


def test_a_wish_for_what_is_so_already_is_no_wish(store: ConferenceStore, client: redis.Redis) -> None:
    """Nothing would ever confirm it."""
    made = create(store)
    store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, False)

    assert _wanted(client, made) == ""


def test_a_wish_against_an_open_one_replaces_it(store: ConferenceStore, client: redis.Redis) -> None:
    """Mute, and before it is confirmed unmute: the last word counts."""
    made = create(store)
    store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, True)
    told, before = store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, False)

    assert (before, told.muted_as_asked) == ("1", False)
    assert _wanted(client, made) == "0"


def test_a_refused_wish_is_taken_back_to_what_was_before(store: ConferenceStore, client: redis.Redis) -> None:
    """The open wish of before stands again, or none."""
    made = create(store)
    told, before = store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, True)
    store.undo_wish(told, "muted_wanted", True, before)
    assert _wanted(client, made) == ""

    store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, True)
    told, before = store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, False)
    store.undo_wish(told, "muted_wanted", False, before)
    assert _wanted(client, made) == "1"


def test_taking_back_spares_a_later_wish(store: ConferenceStore, client: redis.Redis) -> None:
    """Somebody else has asked for the opposite meanwhile."""
    made = create(store)
    told, before = store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, True)
    store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, False)
    store.undo_wish(told, "muted_wanted", True, before)

    assert _wanted(client, made) == "0"


@pytest.mark.parametrize(("said", "left"), [(True, ""), (False, "1")])
def test_a_commit_clears_the_wish_that_the_switch_has_fulfilled(
    store: ConferenceStore, commits: CommitStore, client: redis.Redis, said: bool, left: str
) -> None:
    """Only when what it says is what was wanted: news of an older command leaves the wish open."""
    made = create(store, muted=not said)
    sid = made.conference_sid
    client.hset(keys.participant(sid, made.call_sid), "muted_wanted", "1")
    conferences, participants = commits.load([(sid, made.call_sid)], [sid])
    before = participants[made.call_sid]
    known = conferences[sid]
    after = replace(before, muted=said, switch=replace(before.switch, member_id=7))
    news = (made.call_sid, "ParticipantMuted" if said else "ParticipantUnmuted", "", "", "")
    commits.commit([Change(known, known.conference, "1", {made.call_sid: (before, after)}, transitions=[news])])

    assert _wanted(client, made) == left


def _record(client: redis.Redis, participant: Participant) -> dict[str, str]:
    key = keys.participant(participant.conference_sid, participant.call_sid)
    return client.hgetall(key)  # type: ignore[return-value]  # a sync client


def _version(client: redis.Redis, participant: Participant) -> int:
    return int(str(client.hget(keys.conference(participant.conference_sid), "version")))


def test_a_hold_is_a_wish_with_a_sound(store: ConferenceStore) -> None:
    """`hold` stays what the switch said."""
    made = create(store)
    told, before = store.request_hold(ACCOUNT, made.conference_sid, made.call_sid, True, Sound("https://a/", "POST"))

    assert (before, told.hold, told.hold_wanted, told.hold_as_asked) == ("", False, True, True)
    assert (told.hold_url, told.hold_method, told.hold_number) == ("https://a/", "POST", 1)


def test_each_hold_is_a_turn_and_each_request_none(store: ConferenceStore) -> None:
    """Holding somebody who is held, or to be, is the same turn; another URL is taken all the same."""
    made = create(store)
    turns: list[tuple[int, str]] = []
    for hold in (True, True, False, False, True):
        sound = Sound(f"https://a/{len(turns)}", "GET") if hold else None
        told, _ = store.request_hold(ACCOUNT, made.conference_sid, made.call_sid, hold, sound)
        turns.append((told.hold_number, told.hold_url))

    assert turns == [(1, "https://a/0"), (1, "https://a/1"), (1, "https://a/1"), (1, "https://a/1"), (2, "https://a/4")]


def test_an_unhold_of_one_who_is_not_held_is_no_wish(store: ConferenceStore, client: redis.Redis) -> None:
    """Nothing would ever confirm it."""
    made = create(store)
    store.request_hold(ACCOUNT, made.conference_sid, made.call_sid, False, None)

    assert _record(client, made)["hold_wanted"] == ""


def test_every_hold_makes_the_listener_look_again(store: ConferenceStore, commits: CommitStore) -> None:
    """Who hears the conference is decided by whoever applies the next event."""
    made = create(store)
    sid = made.conference_sid
    for hold in (True, True, False):
        before, _ = commits.load([], [sid])
        store.request_hold(ACCOUNT, sid, made.call_sid, hold, None)

        assert commits.commit([Change(before[sid], before[sid].conference, "1")]) == [None]


@pytest.mark.parametrize("is_member", [False, True])
def test_a_mute_makes_the_listener_look_again_before_the_join_only(
    store: ConferenceStore, client: redis.Redis, is_member: bool
) -> None:
    """Afterwards the API tells the switch itself, and a busy conference is not read anew for each mute."""
    made = create(store)
    client.hset(keys.participant(made.conference_sid, made.call_sid), "member_id", "7" if is_member else "")
    before = _version(client, made)
    store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, True)

    assert _version(client, made) == before + (not is_member)


def test_each_wish_is_taken_back_by_itself(store: ConferenceStore, client: redis.Redis) -> None:
    """A hold that was refused leaves an open mute alone, and a later hold."""
    made = create(store)
    store.request_muted(ACCOUNT, made.conference_sid, made.call_sid, True)
    told, before = store.request_hold(ACCOUNT, made.conference_sid, made.call_sid, True, None)
    store.undo_wish(told, "hold_wanted", True, before)
    assert (_record(client, made)["muted_wanted"], _record(client, made)["hold_wanted"]) == ("1", "")

    told, before = store.request_hold(ACCOUNT, made.conference_sid, made.call_sid, True, None)
    store.request_hold(ACCOUNT, made.conference_sid, made.call_sid, False, None)
    store.undo_wish(told, "hold_wanted", True, before)
    assert _record(client, made)["hold_wanted"] == "0"


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"hold": "1"}, True),
        ({"hold_wanted": "1"}, True),
        ({"hold": "1", "hold_wanted": "0"}, False),
        ({"hold": "0", "hold_wanted": "1"}, True),
        ({}, False),
    ],
)
def test_who_is_on_hold_cannot_be_coached_by_a_newcomer(
    store: ConferenceStore, client: redis.Redis, fields: dict[str, str], refused: bool
) -> None:
    """16027, and nothing is written; what was asked for last counts."""
    made = create(store)
    if fields:
        client.hset(keys.participant(made.conference_sid, made.call_sid), mapping=fields)  # type: ignore[arg-type]
    before = _state(client)
    if not refused:
        assert add(store, made.conference_sid, call_sid_to_coach=made.call_sid)
        return
    with pytest.raises(CoachedCallHeld) as caught:
        add(store, made.conference_sid, call_sid_to_coach=made.call_sid)

    assert caught.value.code == 16027
    assert _state(client) == before


def test_a_hold_in_a_record_of_an_earlier_release_is_taken_back_to_none(
    store: ConferenceStore, client: redis.Redis
) -> None:
    """An upgrade in the middle of a conference: the record does not have the field."""
    made = create(store)
    client.hdel(keys.participant(made.conference_sid, made.call_sid), "hold_wanted")
    told, before = store.request_hold(ACCOUNT, made.conference_sid, made.call_sid, True, None)
    store.undo_wish(told, "hold_wanted", True, before)

    assert _record(client, made)["hold_wanted"] == ""


def test_a_wish_before_the_join_makes_the_listener_look_again(store: ConferenceStore, commits: CommitStore) -> None:
    """No command can be sent yet, so the listener has to send it at the join: a join that it has computed from what it
    read before the wish must not be committed."""
    made = create(store)
    sid = made.conference_sid
    before, _ = commits.load([], [sid])
    store.request_muted(ACCOUNT, sid, made.call_sid, True)

    assert commits.commit([Change(before[sid], before[sid].conference, "1")]) == [None]


def test_a_removal_is_recorded(store: ConferenceStore, commits: CommitStore) -> None:
    """And makes a commit that did not see it fail."""
    made = create(store)
    sid = made.conference_sid
    before, _ = commits.load([], [sid])
    assert store.request_removal(ACCOUNT, sid, made.call_sid).removal_requested

    assert commits.commit([Change(before[sid], before[sid].conference, "1")]) == [None]


def test_the_first_request_to_end_counts(store: ConferenceStore, commits: CommitStore) -> None:
    """Asking again changes nothing, and a completed conference keeps its own reason."""
    made = create(store)
    assert store.request_end(ACCOUNT, made.conference_sid).end_reason is EndReason.VIA_API
    _leaves(commits, made, ends=True)
    again = store.request_end(ACCOUNT, made.conference_sid)

    assert again.end_reason is EndReason.LAST_LEFT
    with pytest.raises(ApiError):
        store.request_end(ACCOUNT, mint_sid("CF"))
