"""Structured logs: one JSON line per thing that happened, so nothing from outside can forge a line.

Every line of a request says which request, account, conference and call it is about, and so does every line of what the
request led to: who knows one of these binds its SID, once, and whatever is logged then by the same greenlet names it. A
greenlet begins without: `gevent.spawn(contextvars.copy_context().run, …)` hands them on.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import orjson
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars, unbind_contextvars

_NAMES: Final = {"RQ": "request_id", "AC": "account_sid", "CF": "conference_sid", "CA": "call_sid"}
_SID: Final = re.compile(r"(RQ|AC|CF|CA)[0-9a-f]{32}", re.ASCII)


def configure_logs(process: str, level: str = "info") -> None:
    """Send structlog's and the libraries' lines to standard output; `process` names the sender."""
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
            structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=repr)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )


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
    """The request that is being answered, or that has led to what is being done; '' if there is none."""
    return str(get_contextvars().get("request_id", ""))
