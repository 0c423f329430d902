"""The running service as `make fuzz` sees it: a tenant's requests, the operator's look at switch and Redis, and what is
broken right now."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import redis
import requests

from tests.harness.freeswitch import EslSocket, FreeSwitchError
from tests.harness.receiver import Received
from tests.harness.stack import Stack
from tests.harness.web import Web

PROMISED_SECONDS: Final = 5.0
"""State is true within so long of the return of whatever was killed."""

REFUSED_AT_FIRST: Final = 0.02
"""How many of all callbacks are refused when they come for the first time."""


class Finding(Exception):
    """Something that must not be."""


@dataclass(frozen=True)
class Answer:
    """`status` 0: no answer came, because the API was killed. `body`: the resource, or the error."""

    status: int
    body: dict[str, Any]
    began: float

    @property
    def code(self) -> int:
        """The error's, 0 if it is none."""
        return int(self.body.get("code", 0)) if self.status >= 400 else 0

    @property
    def is_done(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_doubtful(self) -> bool:
        """It may have been done, or may still be."""
        return self.status in (0, 503)


@dataclass
class World:
    """Used by many threads."""

    stack: Stack
    web: Web
    kills: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    requests: int = 0
    scenes: int = 0
    checks: int = 0
    recordings: int = 0
    switch_deaths: int = 0
    broken: int = 0
    mended_at: float = 0.0

    def __post_init__(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._callbacks: dict[str, list[Received]] = defaultdict(list)
        self._seen: set[str] = set()
        self._chance = random.Random(1)  # noqa: S311 - chance, not secrets
        self.stack.receiver.answer = self._take_callback

    # ------------------------------------------------------------ the tenant

    def ask(self, method: str, path: str, form: dict[str, str] | None = None, of: str = "Conferences") -> Answer:
        """One request below …/Conferences, or another collection, once."""
        began = time.monotonic()
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.auth = (self.stack.account_sid, self.stack.auth_token)
        with self._lock:
            self.requests += 1
        url = f"{self.stack.base_url}/2010-04-01/Accounts/{self.stack.account_sid}/{of}{path}"
        try:
            answer = session.request(method, url, data=form, timeout=10)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return Answer(0, {}, began)
        return Answer(answer.status_code, answer.json() if answer.content else {}, began)

    def read(self, path: str, of: str = "Conferences") -> dict[str, Any] | None:
        """A GET, repeated while the service is away; None for 404."""
        for _ in self.waiting(f"GET {path} is answered"):
            answer = self.ask("GET", path, of=of)
            if answer.is_done:
                return answer.body
            if answer.status == 404:
                return None
            if not answer.is_doubtful:
                raise Finding(f"GET {path} is answered with {answer.status}: {answer.body}")
            self.check(self.is_excused(answer.began), f"GET {path} is answered with 503 though nothing is broken")
        raise AssertionError("not reached")

    # ------------------------------------------------------------ time

    @contextmanager
    def breaking(self, what: str) -> Iterator[None]:
        """Something is away until the block's end."""
        with self._lock:
            self.kills[what] += 1
            self.broken += 1
        try:
            yield
        finally:
            with self._lock:
                self.broken -= 1
                self.mended_at = time.monotonic()

    def is_excused(self, began: float) -> bool:
        """Something was away, or had just come back, when a request began."""
        return self.broken > 0 or began < self.mended_at + PROMISED_SECONDS

    def waiting(self, what: str, seconds: float = PROMISED_SECONDS) -> Iterator[None]:
        """Once for every try, for so many seconds; what is excused does not count."""
        began = time.monotonic()
        last, counted, pause = began, 0.0, 0.01
        while counted < seconds - (PROMISED_SECONDS if self.mended_at > began else 0) or self.is_excused(last):
            yield
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
            now = time.monotonic()
            counted += 0 if self.is_excused(now) else now - last
            last = now
        raise Finding(f"not within {seconds} s: {what}")

    def check(self, holds: bool, rule: str) -> None:
        """Count one check."""
        self.checks += 1
        if not holds:
            raise Finding(rule)

    # ------------------------------------------------------------ the receiver

    def _take_callback(self, received: Received) -> int:
        token = received.headers["I-Twilio-Idempotency-Token"]
        is_call = "CallbackSource" in received.parameters
        recording = received.parameters.get("RecordingSid")
        sid = recording or received.parameters["CallSid" if is_call else "ConferenceSid"]
        with self._lock:
            if token in self._seen:
                return 200
            if self._chance.random() < REFUSED_AT_FIRST:
                return 500
            self._seen.add(token)
            self._callbacks[sid].append(received)
        return 200

    def callbacks(self, sid: str) -> list[Received]:
        """What has come for a conference, a call's progress or a recording, each once, in the order of arrival."""
        with self._lock:
            return list(self._callbacks.get(sid, ()))

    def forget(self, *sids: str) -> None:
        """Callbacks that have been checked."""
        with self._lock:
            for sid in sids:
                self._seen -= {one.headers["I-Twilio-Idempotency-Token"] for one in self._callbacks.pop(sid, ())}
            self.stack.receiver.received.clear()

    # ------------------------------------------------------------ the operator

    def switch(self, command: str) -> str | None:
        """The switch's answer to a command; None while it is away."""
        connection: EslSocket | None = getattr(self._local, "switch", None)
        try:
            if connection is None:
                connection = self._local.switch = EslSocket(self.stack.switch.esl_port, self.stack.switch.password)
            return connection.command(f"api {command}")
        except (OSError, FreeSwitchError):
            if connection is not None:
                connection.close()
            self._local.switch = None
            return None

    def keys(self, sid: str) -> list[str]:
        """All keys in Redis that name the conference; none while it is away."""
        client = redis.Redis.from_url(self.stack.environment["REDIS_URL"], decode_responses=True)
        try:
            return [str(key) for key in client.scan_iter(f"*{sid}*", count=5000)]
        except redis.RedisError:
            return []
        finally:
            client.close()

    def indexes_with(
        self, sid: str, names: tuple[str, ...] = ("lanes:callbacks:due", "lanes:playback:due", "lanes:recordings:due")
    ) -> list[str]:
        """Those of the service's indexes that still name the conference."""
        client = redis.Redis.from_url(self.stack.environment["REDIS_URL"], decode_responses=True)
        try:
            found = [name for name in names if any(sid in member for member in client.zrange(name, 0, -1))]
            if sid in client.hvals(f"account:{{{self.stack.account_sid}}}:names"):
                found.append("names")
        except redis.RedisError:
            return ["Redis is away"]
        finally:
            client.close()
        return found
