"""What several have for Redis at the same moment: who goes with whom, who gets which answer, and who is told what if
Redis is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import gevent
import pytest
import redis
from gevent.lock import Semaphore

from orchestrator.store.together import AT_ONCE, Together
from tests.harness.polling import eventually


class Gate:
    """Holds up the first round trip until it is opened, and counts the calls of each."""

    def __init__(self, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.trips: list[int] = []
        self.fail: Callable[[], None] = lambda: None
        make = client.pipeline

        def pipeline(**options: Any) -> Any:
            pipe: Any = make(**options)
            execute = pipe.execute

            def held(**given: Any) -> Any:
                self.trips.append(len(pipe))
                self.opened.wait(10)
                self.fail()
                return execute(**given)

            pipe.execute = held
            return pipe

        monkeypatch.setattr(client, "pipeline", pipeline)


@pytest.fixture
def gate(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(client, monkeypatch)


def all_at_once(gate: Gate, together: Together, puts: list[Callable[[Any], object]]) -> list[Future[list[Any]]]:
    """The first is under way while the others come, in order."""
    executor = ThreadPoolExecutor(len(puts))
    futures = []
    for number, put in enumerate(puts):
        futures.append(executor.submit(together.run, put))
        eventually(lambda: gate.trips and len(together._waiting) == number, "it has come")  # noqa: B023 -- at once
    gate.opened.set()
    executor.shutdown()
    return futures


def test_what_comes_meanwhile_goes_together_and_each_gets_its_own_answers(client: redis.Redis, gate: Gate) -> None:
    """One alone, then as many as may go together, then the rest."""

    def put(number: int) -> Callable[[Any], object]:
        def write(pipe: Any) -> None:
            for _ in range(number % 3):
                pipe.echo(f"{number}")

        return write

    futures = all_at_once(gate, Together(client), [put(number) for number in range(AT_ONCE + 5)])

    assert [future.result() for future in futures] == [[f"{n}"] * (n % 3) for n in range(AT_ONCE + 5)]
    assert len(gate.trips) == 3


def test_an_error_is_that_of_whose_command_it_was(client: redis.Redis, gate: Gate) -> None:
    client.set("text", "x")
    wrong = lambda pipe: pipe.get("text").lpush("text", "y")  # noqa: E731
    first, second, third = all_at_once(gate, Together(client), [wrong, lambda pipe: pipe.get("text"), wrong])

    assert second.result() == ["x"]
    for future in (first, third):
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            future.result()


def test_if_redis_is_away_everybody_is_told(client: redis.Redis, gate: Gate) -> None:
    """Also whose turn has not come: a thousand would wait for a thousand deadlines. Those who come later try anew."""

    def fail() -> None:
        gate.fail = lambda: None
        raise redis.ConnectionError("away")

    gate.fail = fail
    together = Together(client)
    for future in all_at_once(gate, together, [lambda pipe: pipe.ping()] * (AT_ONCE + 5)):
        with pytest.raises(redis.ConnectionError):
            future.result()
    assert gate.trips == [1]
    assert together.run(lambda pipe: pipe.ping()) == [True]


class Killed(BaseException):
    pass


def test_if_who_sends_is_killed_the_others_go_on(client: redis.Redis, gate: Gate) -> None:
    def fail() -> None:
        gate.fail = lambda: None
        raise Killed

    gate.fail = fail
    first, *others = all_at_once(gate, Together(client), [lambda pipe: pipe.ping()] * 5)

    with pytest.raises(Killed):
        first.result()
    assert [future.result() for future in others] == [[True]] * 4


def test_a_call_that_cannot_be_put_costs_no_other(client: redis.Redis, gate: Gate) -> None:
    """What it has put before it failed is not sent."""

    def broken(pipe: Any) -> None:
        pipe.set("half", "x")
        raise TypeError("an argument is missing")

    ping = lambda pipe: pipe.ping()  # noqa: E731
    first, second, third, fourth = all_at_once(gate, Together(client), [ping, broken, ping, broken])

    assert [first.result(), third.result()] == [[True]] * 2
    for future in (second, fourth):
        with pytest.raises(TypeError):
            future.result()
    assert client.exists("half") == 0


def test_what_was_wanted_by_somebody_who_was_killed_is_not_done_later(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while another's round trip is under way."""
    together = Together(client)
    monkeypatch.setattr(together, "_turn", Semaphore())  # as where gevent has patched the standard library
    together._turn.acquire()
    waiting = gevent.spawn(together.run, lambda pipe: pipe.set("late", "x"))
    gevent.sleep(0)
    waiting.kill()
    together._turn.release()

    assert together.run(lambda pipe: pipe.ping()) == [True]
    assert client.exists("late") == 0
