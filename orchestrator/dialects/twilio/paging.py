"""Twilio's page envelope: exactly these keys, or SDKs fail (wire-contract section 7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import quote

from orchestrator.errors import BadParameter

Item = TypeVar("Item")

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a list request asks for. `after` and `before`: the SID of a row; at most one of them is set."""

    size: int
    page: int
    after: str | None
    before: str | None


def parse_page(arguments: Any) -> PageRequest:
    """PageSize is clamped to 1000 (SDKs send their `limit`); PageToken wins over Page."""
    size = min(max(_whole(arguments, "PageSize", DEFAULT_PAGE_SIZE), 1), MAX_PAGE_SIZE)
    page = _whole(arguments, "Page", 0)
    token = arguments.get("PageToken", "")
    if not token:
        return PageRequest(size, page, None, None)
    match = re.fullmatch(r"P([AB])((?:CF|CP)[0-9a-f]{32})", token, re.ASCII)
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


def page_of(request: PageRequest, rows: Iterable[Item], sid_of: Callable[[Item], str]) -> tuple[list[Item], bool]:
    """The rows of a page, and whether there are more behind it. Reads no more rows than it has to."""
    if request.before is not None:
        earlier: list[Item] = []
        for row in rows:
            if sid_of(row) == request.before:
                break
            earlier.append(row)
            if len(earlier) > request.size:
                earlier.pop(0)
        return earlier, True
    iterator = iter(rows)
    if request.after is not None:
        for row in iterator:
            if sid_of(row) == request.after:
                break
    else:
        list(islice(iterator, request.page * request.size))
    found = list(islice(iterator, request.size + 1))
    return found[: request.size], len(found) > request.size


def envelope(
    key: str,
    request: PageRequest,
    found: tuple[Sequence[Item], bool],
    serialize: Callable[[Item], dict[str, Any]],
    sid_of: Callable[[Item], str],
    path: str,
    filters: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """One page as JSON; links keep the filters, then PageSize, Page and PageToken."""
    rows, has_more = found

    def link(page: int, token: str = "") -> str:
        pairs = [*filters, ("PageSize", str(request.size)), ("Page", str(page))]
        if token:
            pairs.append(("PageToken", token))
        return f"{path}?{'&'.join(f'{quote(name)}={quote(value)}' for name, value in pairs)}"

    start = request.page * request.size
    following = link(request.page + 1, _token("PA", sid_of(rows[-1]))) if has_more and rows else None
    previous = link(request.page - 1, _token("PB", sid_of(rows[0]))) if request.page > 0 and rows else None
    return {
        key: [serialize(row) for row in rows],
        "page": request.page,
        "page_size": request.size,
        "start": start if rows else 0,
        "end": start + len(rows) - 1 if rows else 0,
        "uri": link(request.page),
        "first_page_uri": link(0),
        "next_page_uri": following,
        "previous_page_uri": previous,
    }


def _token(prefix: str, sid: str) -> str:
    """Twilio's look: a participant's token has CP where its CallSid has CA."""
    return prefix + sid.replace("CA", "CP", 1)
