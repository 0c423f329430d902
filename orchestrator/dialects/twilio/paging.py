"""Pages of a list: what is asked for, which rows, and the links to others (wire-contract section 7)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile, islice, takewhile
from typing import Any, TypeVar
from urllib.parse import quote

from orchestrator.dialects.base import Page
from orchestrator.errors import BadParameter
from orchestrator.store.conference_list import Place, Seen

Item = TypeVar("Item")

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
MOST_SEEN = 1000
"""Rows that one request for a page looks at, beside those that it skips."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a list request asks for. `after` and `before`: the SID of a row; at most one of them is set."""

    size: int
    page: int
    after: str | None
    before: str | None


def parse_page(arguments: Any) -> PageRequest:
    """Read which page is asked for. PageSize is clamped to 1000 (SDKs send their `limit`); PageToken wins over Page."""
    size = min(max(_whole(arguments, "PageSize", DEFAULT_PAGE_SIZE), 1), MAX_PAGE_SIZE)
    page = _whole(arguments, "Page", 0)
    token = arguments.get("PageToken", "")
    if not token:
        return PageRequest(size, page, None, None)
    match = re.fullmatch(r"P([AB])((?:CF|CP|RE)[0-9a-f]{32})", token, re.ASCII)
    if match is None:
        raise BadParameter("PageToken: is not one that this API has given out")
    sid = match[2].replace("CP", "CA", 1)
    return PageRequest(size, page, sid if match[1] == "A" else None, sid if match[1] == "B" else None)


def _whole(arguments: Any, name: str, default: int) -> int:
    text = arguments.get(name, "")
    if not text:
        return default
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) is None:
        raise BadParameter(f"{name}: has to be a whole number")
    return int(text)


def place(made_at: datetime, sid: str) -> Place:
    """Return the place of a row in the list."""
    return int(made_at.timestamp() * 1000), sid


def page_of(
    request: PageRequest,
    rows: Iterable[Item],
    place_of: Callable[[Item], Place],
    made_at: Callable[[str], datetime | None],
) -> tuple[list[Item], str | None]:
    """Return the rows of a page, and the SID behind which the next begins, if there is more. Reads no more than it has
    to.

    A PageToken names a row that may have left since; `made_at` still knows when it was created, so the page goes on
    behind its place. One that nobody knows any more counts as if there were no token.
    """
    sid = request.after or request.before
    at = made_at(sid) if sid else None
    anchor = place(at, sid) if sid and at else None
    rest: Iterator[Item]
    if anchor is None:
        rest = islice(rows, request.page * request.size, None)
    elif request.before is not None:
        before = list(deque(takewhile(lambda row: place_of(row) > anchor, rows), request.size))
        return before, place_of(before[-1])[1] if before else None
    else:
        rest = dropwhile(lambda row: place_of(row) >= anchor, rows)
    found = list(islice(rest, request.size + 1))
    has_more = len(found) > request.size
    return found[: request.size], place_of(found[request.size - 1])[1] if has_more else None


def page_of_seen(
    request: PageRequest,
    list_behind: Callable[[Place | None, bool], Iterable[Seen[Item]]],
    made_at: Callable[[str], datetime | None],
) -> tuple[list[Item], str | None]:
    """Return the matching rows of a page, and the SID behind which the next page begins, if there is more.

    A page looks at MOST_SEEN rows: a filter that matches few of many has short pages, and empty ones, that lead on.
    """
    sid = request.after or request.before
    at = made_at(sid) if sid else None
    anchor = place(at, sid) if sid and at else None
    skipped = 0 if anchor else request.page * request.size
    backwards = anchor is not None and request.before is not None
    found: list[Item] = []
    last = sid
    for number, seen in enumerate(list_behind(anchor, backwards), 1):
        if seen.row is not None:
            if len(found) == skipped + request.size:
                return found[skipped:], last
            found.append(seen.row)
            last = seen.place[1] if not backwards or len(found) == 1 else last
        if backwards and (len(found) == request.size or number == MOST_SEEN):
            break
        if number == MOST_SEEN + skipped and not backwards:
            return found[skipped:], seen.place[1]
    if backwards:
        return found[::-1], last
    return found[skipped:], None


def make_page(
    request: PageRequest,
    found: tuple[Sequence[Item], str | None],
    sid_of: Callable[[Item], str],
    path: str,
    filters: Sequence[tuple[str, str]],
    total: int | None = None,
) -> Page[Item]:
    """Make a page with its links; they keep the filters, then PageSize, Page and PageToken. `found`: its rows, and the
    SID behind which the next page begins."""
    rows, behind = found

    def link(page: int, token: str = "") -> str:
        pairs = [*filters, ("PageSize", str(request.size)), ("Page", str(page))]
        if token:
            pairs.append(("PageToken", token))
        return f"{path}?{'&'.join(f'{quote(name)}={quote(value)}' for name, value in pairs)}"

    start = request.page * request.size
    return Page(
        rows=rows,
        number=request.page,
        size=request.size,
        start=start if rows else 0,
        end=start + len(rows) - 1 if rows else 0,
        uri=link(request.page),
        first_uri=link(0),
        next_uri=link(request.page + 1, _token("PA", behind)) if behind else None,
        previous_uri=link(request.page - 1, _token("PB", sid_of(rows[0]))) if request.page > 0 and rows else None,
        last_uri=None if total is None else link(last_page(total, request.size)),
        total=total,
    )


def last_page(total: int, size: int) -> int:
    """The number of the last page; that of an empty list is 0."""
    return max(total - 1, 0) // size


def _token(prefix: str, sid: str) -> str:
    """Twilio's look: a participant's token has CP where its CallSid has CA."""
    return prefix + sid.replace("CA", "CP", 1)
