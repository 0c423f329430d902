"""Sends together what several greenlets have for Redis at the same moment: one round trip for all of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import redis

AT_ONCE: Final = 25
"""Calls that are sent together at most: a thousand in one go would keep everybody else waiting."""

Put = Callable[[Any], object]
"""Puts the commands of one call on a pipeline."""


class _Call:
    """What somebody wants of Redis, and what came of it."""

    __slots__ = ("answers", "error", "put")

    def __init__(self, put: Put) -> None:
        self.put = put
        self.answers: list[Any] | None = None
        self.error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.answers is not None or self.error is not None


class Together:
    """Runs calls, each some commands. One round trip is under way at a time, and what comes meanwhile goes with the
    next; on an idle system a call goes alone and at once. In a cluster every call does: one server that is away must
    not hold up the others. It is for what ends work: what begins it would fill the queue in which the ends wait."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._is_one_server = isinstance(client, redis.Redis)
        self._turn = threading.Lock()
        self._waiting: deque[_Call] = deque()

    def run(self, put: Put) -> list[Any]:
        """Run the commands that `put` puts on a pipeline; returns their answers. Raises what redis-py raises: its own
        error if Redis refuses one of them, whatever becomes of other calls."""
        call = _Call(put)
        if self._is_one_server:
            self._wait_and_send(call)
        else:
            self._send([call])
        if call.error is not None:
            raise call.error
        answers = call.answers or []
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _wait_and_send(self, call: _Call) -> None:
        self._waiting.append(call)
        try:
            with self._turn:
                while not call.is_done:
                    self._send([self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE))])
        except BaseException:  # whoever waited has been killed: nobody is to do it later
            with suppress(ValueError):
                self._waiting.remove(call)
            raise

    def _send(self, calls: list[_Call]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        ends = [self._put(call, pipe) for call in calls]
        try:
            answers = pipe.execute(raise_on_error=False)
        except redis.RedisError as error:  # it is away, also for those whose turn has not come
            while self._waiting:
                calls.append(self._waiting.popleft())
            _fail(calls, error)
            return
        except BaseException as error:  # we were killed; who waits goes on
            _fail(calls, redis.ConnectionError(f"broken off: {error!r}"))
            raise
        start = 0
        for call, end in zip(calls, ends, strict=True):
            call.answers = answers[start:end]
            start = end

    @staticmethod
    def _put(call: _Call, pipe: Any) -> int:
        """Put a call's commands on the pipeline, or none if that fails; returns how many there are now."""
        before = len(pipe)
        try:
            call.put(pipe)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is raised to whom it belongs
            call.error = error
            del pipe.command_stack[before:]
        return len(pipe)


def _fail(calls: Iterable[_Call], error: Exception) -> None:
    for call in calls:
        call.error = call.error or error
