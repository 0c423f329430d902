"""Structured logs: one JSON line per thing that happened, so nothing from outside can forge a line.

Every line of a request says which request, account, conference and call it is about, and so does every line of what the
request led to: who knows one of these binds its SID, once, and whatever is logged then by the same greenlet names it. A
greenlet begins without: `gevent.spawn(contextvars.copy_context().run, …)` hands them on.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import orjson
import structlog

from orchestrator import metrics

_NAMES: Final = {
    "RQ": "request_id",
    "AC": "account_sid",
    "CF": "conference_sid",
    "CA": "call_sid",
    "RE": "recording_sid",
}
_SID: Final = re.compile(r"(RQ|AC|CF|CA|RE)[0-9a-f]{32}", re.ASCII)

_KEY_SID: Final = re.compile(r"SK[0-9a-f]{32}", re.ASCII)

_bound: Final[ContextVar[Mapping[str, str]]] = ContextVar("bound", default={})  # noqa: B039 -- never written to
"""What lines name: one mapping, replaced as a whole. structlog's own has a variable for each word, and goes through all
variables of the greenlet for each line."""

_MOST_TEXT: Final = 400
_trouble: deque[tuple[int, str, str, str]] = deque(maxlen=20)


def configure_logs(process: str, level: str = "info", *, to_errors: bool = False) -> None:
    """Send structlog's lines to standard output, those of a command whose output is its answer to standard error;
    `process` names the sender."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, format="%(name)s %(message)r")

    def name_process(_: object, __: str, line: Any) -> Any:
        line["process"] = process
        return line

    structlog.configure(
        processors=[
            add_names,
            name_process,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _note_trouble,
            structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=repr)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory((sys.stderr if to_errors else sys.stdout).buffer),
        cache_logger_on_first_use=not to_errors,
    )


def _note_trouble(_: object, level: str, line: Any) -> Any:
    """Count a line that tells of trouble, and keep it for the console. Its event is always a word of ours."""
    if level in ("warning", "error", "exception", "critical"):
        name = "error" if level == "exception" else level
        metrics.LOG_LINES.labels(name, line["event"]).inc()
        details = {key: value for key, value in line.items() if key not in ("event", "level", "timestamp", "process")}
        text = orjson.dumps(details, default=repr).decode()[:_MOST_TEXT]
        _trouble.append((int(time.time() * 1000), name, line["event"], text))
    return line


def recent_trouble() -> list[tuple[int, str, str, str]]:
    """Return the last warnings and errors of this process: when (ms), level, event, and the rest as JSON."""
    return list(_trouble)


def add_names(_: object, __: str, line: Any) -> Any:
    """Add to a line what it is about: a processor of structlog's. What the line says itself goes first."""
    return {**_bound.get(), **line}


def bind_asker(username: str | None) -> None:
    """Have further lines of this greenlet say with which API key they are asked for; the AuthToken is not named."""
    if username and _KEY_SID.fullmatch(username):
        _bound.set({**_bound.get(), "asked_with": username})


def start(*sids: str) -> None:
    """Have further lines of this greenlet name these requests, accounts, conferences and calls, and no others."""
    _bound.set(_with({}, sids))


def bind(*sids: str) -> None:
    """Have further lines of this greenlet name these, too. What is no SID of such a thing is passed over."""
    _bound.set(_with(_bound.get(), sids))


class bound:  # as a generator it takes five calls more, for every transition
    """Bind these for as long as a block lasts. `request_id` '': it is due to no request."""

    __slots__ = ("_before", "_names")

    def __init__(self, *sids: str, request_id: str | None = None) -> None:
        self._names = _with(_bound.get(), (*sids, request_id or ""))
        if request_id == "":
            self._names.pop("request_id", None)

    def __enter__(self) -> None:
        self._before = _bound.set(self._names)

    def __exit__(self, *_: object) -> None:
        _bound.reset(self._before)


def request_id() -> str:
    """Return the request that is being answered, or that has led to what is being done; '' if there is none."""
    return _bound.get().get("request_id", "")


def _with(names: Mapping[str, str], sids: tuple[str, ...]) -> dict[str, str]:
    known = dict(names)
    for sid in sids:
        if _SID.fullmatch(sid):
            known[_NAMES[sid[:2]]] = sid
    return known
