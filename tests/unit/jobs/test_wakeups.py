"""Wake-ups share jobs; whatever interleaves, a lane that was woken is drained, or found by the sweep."""

from __future__ import annotations

import gevent
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

from orchestrator import logs
from orchestrator.errors import Unavailable
from orchestrator.jobs import wakeups as wakeups_module
from orchestrator.jobs.wakeups import (
    CALLBACKS,
    ITEMS_PER_JOB,
    PLAYBACK,
    WOKEN_SECONDS,
    BackgroundWaker,
    Topic,
    Wakeups,
    make_queue,
    run_ready,
    use,
)
from orchestrator.sids import mint_sid
from orchestrator.store.lanes import Lane


def lane(number: int) -> str:
    return str(Lane("CF" + "1" * 32, f"lane{number}"))


@pytest.fixture
def queue(redis_url: str) -> Queue:
    return make_queue(CALLBACKS, redis.Redis.from_url(redis_url))


@pytest.fixture
def wakeups(queue: Queue) -> Wakeups:
    return Wakeups(queue, CALLBACKS)


@pytest.fixture
def away() -> Wakeups:
    return Wakeups(make_queue(CALLBACKS, redis.Redis(port=1, retry=Retry(NoBackoff(), 0))), CALLBACKS)


def test_a_wake_up_is_data_and_leaves_no_result(wakeups: Wakeups, queue: Queue) -> None:
    """A job that says only of which kind there is something; nothing is kept of one that went well."""
    wakeups.wake([lane(1), lane(2)])
    (job,) = queue.jobs

    assert (job.func_name, job.args, job.result_ttl) == ("orchestrator.jobs.wakeups.run_ready", ["callbacks"], 0)
    assert wakeups.backlog() == 2


def test_lanes_woken_while_a_job_waits_share_it(wakeups: Wakeups, queue: Queue) -> None:
    """RQ's own work is paid once for all of them."""
    for number in range(50):
        wakeups.wake([lane(number)])

    assert len(queue.jobs) == 1
    assert wakeups.take() == [lane(number) for number in range(50)]
    assert wakeups.backlog() == 0


def test_a_lane_woken_twice_is_drained_once(wakeups: Wakeups) -> None:
    """In the order of its first wake-up."""
    wakeups.wake([lane(1), lane(2), lane(1)])
    wakeups.wake([lane(2), lane(3)])

    assert wakeups.take() == [lane(1), lane(2), lane(3)]


def test_a_lane_woken_after_a_take_gets_a_new_job(wakeups: Wakeups, queue: Queue) -> None:
    """The first job has seen the list before."""
    wakeups.wake([lane(1)])
    wakeups.take()
    wakeups.wake([lane(2)])

    assert len(queue.jobs) == 2
    assert wakeups.take() == [lane(2)]


def test_what_one_job_can_not_take_the_next_one_does(wakeups: Wakeups, queue: Queue) -> None:
    """A job takes ITEMS_PER_JOB, and has another one queued if there are more."""
    lanes = [lane(number) for number in range(2 * ITEMS_PER_JOB + 1)]
    wakeups.wake(lanes)
    found = []
    for jobs in (2, 3, 3):
        found += wakeups.take()
        assert len(queue.jobs) == jobs

    assert found == lanes


def test_a_job_that_finds_nothing_is_no_error(wakeups: Wakeups) -> None:
    """Two jobs, and the first took all."""
    assert wakeups.take() == []


def test_a_lost_job_holds_up_wake_ups_for_seconds_only(wakeups: Wakeups, queue: Queue, client: redis.Redis) -> None:
    """The mark that a job is on its way ends by itself; then the next wake-up has a new one queued, for all."""
    wakeups.wake([lane(1)])
    client.delete(queue.key)
    assert 0 < client.pttl(CALLBACKS.woken) <= WOKEN_SECONDS * 1000
    client.delete(CALLBACKS.woken)
    wakeups.wake([lane(2)])

    assert len(queue.jobs) == 1
    assert wakeups.take() == [lane(1), lane(2)]


def test_the_list_is_bounded_and_keeps_the_newest(
    wakeups: Wakeups, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker for a day: the oldest are left to the sweep, Redis does not fill up."""
    monkeypatch.setattr(wakeups_module, "MOST_READY", 10)
    for number in range(25):
        wakeups.wake([lane(number)])

    assert client.llen(CALLBACKS.ready) == 10
    assert wakeups.take() == [lane(number) for number in range(15, 25)]


def test_a_wake_up_that_can_not_be_queued_breaks_nothing(away: Wakeups) -> None:
    """RQ's Redis may be another one, and away: the sweep finds the lane later, the listener must not fall over it. Who
    has to know is told."""
    away.wake([lane(1)])
    away.wake([])
    for asks in (away.take, away.backlog):
        with pytest.raises(Unavailable):
            asks()


def test_a_job_drains_what_is_ready(wakeups: Wakeups, monkeypatch: pytest.MonkeyPatch) -> None:
    """On what the worker process has told it to use; in any other process it fails, visibly."""
    monkeypatch.setattr(wakeups_module, "_process", {})
    with pytest.raises(RuntimeError):
        run_ready("callbacks")
    drained: list[str] = []
    wakeups.wake([lane(1), lane(2)])
    use(CALLBACKS, wakeups, drained.extend)
    run_ready("callbacks")

    assert drained == [lane(1), lane(2)]


class Interleaved:
    """A connection on which somebody else does something between any two commands of a pipeline, at most once."""

    def __init__(self, plain: redis.Redis, at: int, act: object) -> None:
        self.plain, self.left, self.act = plain, at, act

    def pipeline(self, transaction: bool) -> Interleaved:
        assert not transaction
        self.answers: list[object] = []
        return self

    def _done(self, answer: object) -> None:
        self.answers.append(answer)
        self.left -= 1
        if self.left == 0:
            self.act()  # type: ignore[operator]

    def delete(self, *names: str) -> None:
        self._done(self.plain.delete(*names))

    def lpop(self, name: str, count: int) -> None:
        self._done(self.plain.lpop(name, count))

    def llen(self, name: str) -> None:
        self._done(self.plain.llen(name))

    def rpush(self, name: str, *values: str) -> None:
        self._done(self.plain.rpush(name, *values))

    def ltrim(self, name: str, start: int, end: int) -> None:
        self._done(self.plain.ltrim(name, start, end))

    def set(self, name: str, value: str, nx: bool, ex: int) -> None:
        self._done(self.plain.set(name, value, nx=nx, ex=ex))

    def execute(self) -> list[object]:
        return self.answers


@given(
    st.lists(st.sampled_from(["wake", "take", "wake in a take", "take in a wake"]), max_size=12),
    st.lists(st.integers(1, 3), min_size=12, max_size=12),
)
def test_nothing_is_lost_however_wake_and_take_interleave(
    redis_server: str, actions: list[str], moments: list[int]
) -> None:
    """Pipelines are no transactions: commands of others come in between. As long as lanes are ready, a job that has not
    begun is queued; and as many jobs as were queued take all lanes."""
    plain = redis.Redis.from_url(redis_server)
    plain.flushall()
    other = Wakeups(make_queue(CALLBACKS, plain), CALLBACKS)
    queue = other._queue
    taken: list[str] = []
    woken: list[str] = []
    begun = 0

    def wake(by: Wakeups = other) -> None:
        woken.append(lane(len(woken)))
        by.wake([woken[-1]])

    def take(by: Wakeups = other) -> None:
        nonlocal begun
        if len(queue.jobs) > begun:  # only a job takes
            begun += 1
            taken.extend(by.take())

    for action, moment in zip(actions, moments, strict=False):
        one = Wakeups(queue, CALLBACKS)
        one._redis = Interleaved(plain, moment, take if action == "take in a wake" else wake)
        if action == "wake":
            wake()
        elif action == "take":
            take()
        elif action == "wake in a take":
            take(one)
        else:
            wake(one)
    while len(queue.jobs) > begun:
        take()

    assert set(taken) == set(woken)
    assert other.backlog() == 0
    plain.close()


def test_the_listener_wakes_beside_its_own_work(wakeups: Wakeups) -> None:
    """It returns at once; lanes that are woken again meanwhile are woken once."""

    class Slow(Wakeups):
        def wake(self, lanes: object) -> None:
            calls.append(list(lanes))  # type: ignore[call-overload]
            gate.wait(5)

    calls: list[list[str]] = []
    gate = gevent.event.Event()
    waker = BackgroundWaker(Slow(wakeups._queue, CALLBACKS))
    waker.start()
    waker.wake([lane(1)])
    gevent.sleep(0)
    waker.wake([lane(2), lane(3)])
    waker.wake([lane(2)])
    gate.set()
    with gevent.Timeout(5):
        while len(calls) < 2:
            gevent.sleep(0)

    assert calls == [[lane(1)], [lane(2), lane(3)]]


TOPICS = [CALLBACKS, PLAYBACK]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_each_topic_has_jobs_of_its_own(redis_url: str, topic: Topic) -> None:
    """In a queue of its own; what RQ is told is data."""
    connection = redis.Redis.from_url(redis_url)
    queues = {each.name: make_queue(each, connection) for each in TOPICS}
    Wakeups(queues[topic.name], topic).wake(["x"])
    jobs = {name: [job.args for job in queue.jobs] for name, queue in queues.items()}

    assert jobs == {each.name: [[each.name]] if each is topic else [] for each in TOPICS}


def test_topics_do_not_take_each_other_s_work(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of one kind that has much to do keeps no lane of the other waiting."""
    monkeypatch.setattr(wakeups_module, "_process", {})
    connection = redis.Redis.from_url(redis_url)
    done: dict[str, list[str]] = {topic.name: [] for topic in TOPICS}
    for topic in TOPICS:
        wakeups = Wakeups(make_queue(topic, connection), topic)
        use(topic, wakeups, done[topic.name].extend)
        wakeups.wake([f"{topic.name}:1", f"{topic.name}:2"])
    run_ready("playback")
    assert done == {"callbacks": [], "playback": ["playback:1", "playback:2"]}
    run_ready("callbacks")

    assert done["callbacks"] == ["callbacks:1", "callbacks:2"]


def test_a_lane_and_its_ended_plays_are_different_news(redis_url: str) -> None:
    """Each play that has ended is told; the same one only once."""
    wakeups = Wakeups(make_queue(PLAYBACK, redis.Redis.from_url(redis_url)), PLAYBACK)
    wakeups.wake([lane(1), f"{lane(1)}:a", f"{lane(1)}:b", f"{lane(1)}:a"])

    assert wakeups.take() == [lane(1), f"{lane(1)}:a", f"{lane(1)}:b"]


def test_a_wake_up_carries_the_request_that_it_is_due_to(wakeups: Wakeups) -> None:
    """Whoever wakes at once or beside its own work; a lane that two requests have woken is still drained once."""
    first, second = mint_sid("RQ"), mint_sid("RQ")
    waker = BackgroundWaker(wakeups)
    with logs.bound(request_id=first):
        wakeups.wake([lane(1), lane(2)])
    with logs.bound(request_id=second):
        waker.wake([lane(1)])
    waker.start()
    with gevent.Timeout(5):
        while wakeups.backlog() < 3:
            gevent.sleep(0)

    assert wakeups.take() == [f"{lane(1)} {second}", f"{lane(2)} {first}"]
