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
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import orjson
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars, unbind_contextvars

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
            structlog.contextvars.merge_contextvars,
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


def bind_asker(username: str | None) -> None:
    """Have further lines of this greenlet say with which API key they are asked for; the AuthToken is not named."""
    if username and _KEY_SID.fullmatch(username):
        bind_contextvars(asked_with=username)


def start(*sids: str) -> None:
    """Have further lines of this greenlet name these requests, accounts, conferences and calls, and no others."""
    clear_contextvars()
    bind(*sids)


def bind(*sids: str) -> None:
    """Have further lines of this greenlet name these, too. What is no SID of such a thing is passed over."""
    bind_contextvars(**{_NAMES[sid[:2]]: sid for sid in sids if _SID.fullmatch(sid)})


@contextmanager
def bound(*sids: str, request_id: str | None = None) -> Iterator[None]:
    """Bind these for as long as a block lasts. `request_id` '': it is due to no request."""
    before = get_contextvars()
    if request_id == "":
        unbind_contextvars("request_id")
    bind(*sids, request_id or "")
    try:
        yield
    finally:
        clear_contextvars()
        bind_contextvars(**before)


def request_id() -> str:
    """Return the request that is being answered, or that has led to what is being done; '' if there is none."""
    return str(get_contextvars().get("request_id", ""))
