"""Applies HTTP's caching rules (RFC 9111); keeps not an answer's bytes, but what became of them.

A document is kept as it came (at most 64 kB), audio as the clip that it was rendered to; so the cache is small, and a
fresh or revalidated answer needs no decoding. The rules are hishel's state machine, which is pure; see docs/adr/0006.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from hishel import (
    AnyState,
    CacheMiss,
    CacheOptions,
    CouldNotBeStored,
    Entry,
    FromCache,
    Headers,
    IdleClient,
    InvalidateEntries,
    NeedRevalidation,
    NeedToBeUpdated,
    Request,
    Response,
    StoreAndUse,
)

from orchestrator.media.freshness import by_our_clock
from orchestrator.store.media import MediaStore

VARIANTS: Final = 4
"""Most variants of one URL, by Vary, that are kept: the newest."""

_OPTIONS: Final = CacheOptions(shared=False, allow_stale=False)
"""Each account has a cache of its own, like a browser's: `private` answers may be kept, too."""

Send = Callable[[dict[str, str]], "StoredResponse"]
"""Ask the server, with these headers. Raises MediaError, and then nothing is kept."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A status, headers by lower-case name, and what became of the body."""

    status: int
    headers: dict[str, str]
    result: bytes = b""


class HttpCache:
    """Keeps what answers became: one note in the store per account and URL, which holds the URL's variants."""

    def __init__(self, media: MediaStore, clock: Callable[[], float] = time.time) -> None:
        self._media = media
        self._clock = clock

    def get(self, account_sid: str, url: str, headers: dict[str, str], send: Send) -> StoredResponse:
        """Return the answer to a GET: the cache's, revalidated if it has to be, or the server's. Raises what `send`
        does."""
        digest = _digest(url)
        entries = _parse(self._media.load_note(account_sid, digest), url)
        known = list(entries)
        request = Request("GET", url, Headers(headers))
        state: AnyState = IdleClient(_OPTIONS).next(request, known)
        while not isinstance(state, (StoreAndUse, CouldNotBeStored, FromCache)):
            if isinstance(state, (CacheMiss, NeedRevalidation)):
                state = state.next(self._response(send(dict(state.request.headers))))
            elif isinstance(state, NeedToBeUpdated):
                updated = {entry.id: entry for entry in state.updating_entries}
                entries = [updated.get(entry.id, entry) for entry in entries]
                state = state.next()
            elif isinstance(state, InvalidateEntries):
                gone = set(state.entry_ids)
                entries = [entry for entry in entries if entry.id not in gone]
                state = state.next()
            else:  # IdleClient, which nothing leads back to
                raise TypeError(type(state).__name__)
        if isinstance(state, StoreAndUse):
            entries = _with(entries, Entry(uuid.uuid4(), request, state.response))
        if entries != known:
            self._media.save_note(account_sid, digest, _dump(entries))
        return _to_stored(state.entry.response if isinstance(state, FromCache) else state.response)

    def _response(self, answer: StoredResponse) -> Response:
        headers: dict[str, str | list[str]] = dict(by_our_clock(answer.headers, self._clock()))
        return Response(answer.status, Headers(headers), _Result(answer.result))

    def forget(self, account_sid: str, url: str) -> None:
        """Forget an answer whose clip is gone: the next request has to be a plain one."""
        self._media.forget_note(account_sid, _digest(url))


def _digest(url: str) -> str:
    return hashlib.sha256(f"answer\0{url}".encode()).hexdigest()


def _with(entries: list[Entry], new: Entry) -> list[Entry]:
    """Return the variants with the newest last, in place of the one that the same request would have got."""
    selecting = _selecting(new)
    kept = [entry for entry in entries if _selecting(entry) != selecting]
    return [*kept, new][-VARIANTS:]


def _selecting(entry: Entry) -> dict[str, str]:
    """Return the request's headers that Vary names; only these are kept."""
    names = [name.strip().lower() for name in entry.response.headers.get("vary", "").split(",")]
    return {name: value for name in names if (value := entry.request.headers.get(name)) is not None}


def _to_stored(response: Response) -> StoredResponse:
    return StoredResponse(response.status_code, dict(response.headers), _result(response))


class _Result:
    """What hishel carries as a body's stream and never looks at; unlike a stream it can be read again."""

    def __init__(self, result: bytes) -> None:
        self.result = result

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        raise StopIteration


def _result(response: Response) -> bytes:
    return response.stream.result if isinstance(response.stream, _Result) else b""


def _dump(entries: list[Entry]) -> bytes:
    return orjson.dumps(
        [
            {
                "selecting": _selecting(entry),
                "status": entry.response.status_code,
                "headers": dict(entry.response.headers),
                "result": _result(entry.response).decode("latin-1"),
            }
            for entry in entries
        ]
    )


def _parse(note: str | None, url: str) -> list[Entry]:
    rows: list[dict[str, Any]] = orjson.loads(note) if note is not None else []
    return [
        Entry(
            uuid.uuid4(),
            Request("GET", url, Headers(row["selecting"])),
            Response(row["status"], Headers(row["headers"]), _Result(row["result"].encode("latin-1"))),
        )
        for row in rows
    ]
