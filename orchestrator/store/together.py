"""Sends together what several greenlets have for Redis at the same moment: one round trip for all of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
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
            self._waiting.append(call)
            with self._turn:
                while not call.is_done:
                    self._send([self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE))])
        else:
            self._send([call])
        if call.error is not None:
            raise call.error
        answers = call.answers or []
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _send(self, calls: list[_Call]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        ends = []
        try:
            for call in calls:
                call.put(pipe)
                ends.append(len(pipe))
            answers = pipe.execute(raise_on_error=False)
        except BaseException as error:  # Redis is away, also for those whose turn has not come; or we were killed
            lost = error if isinstance(error, redis.RedisError) else redis.ConnectionError(f"not sent: {error!r}")
            while self._waiting:
                calls.append(self._waiting.popleft())
            for call in calls:
                call.error = lost
            raise
        start = 0
        for call, end in zip(calls, ends, strict=True):
            call.answers = answers[start:end]
            start = end
