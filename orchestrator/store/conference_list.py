"""An account's conferences in order of creation, filtered: what no index finds is looked for row by row, and whoever
reads decides how many rows that may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from orchestrator.domain.conference import Conference, ConferenceStatus
from orchestrator.store import keys
from orchestrator.store.connection import redis_errors
from orchestrator.store.records import decode_conference

ROWS_PER_READ: Final = 20

Place = tuple[int, str]
"""Where a row stands: when it was created in ms, and its SID; as Redis sorts them."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Days:
    """Days in UTC, from the first to the last; None: no end."""

    first: date | None = None
    last: date | None = None

    def hold(self, moment: datetime) -> bool:
        """True if the moment is on one of them."""
        day = moment.astimezone(UTC).date()
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class ConferenceFilter:
    """Which conferences are wanted; None: any."""

    status: str | None = None
    friendly_name: str | None = None
    created: Days = Days()
    updated: Days = Days()

    def matches(self, status: str, friendly_name: str, created_at: datetime, updated_at: datetime) -> bool:
        """True if the conference passes the filter."""
        return (
            self.status in (None, status)
            and self.friendly_name in (None, friendly_name)
            and self.created.hold(created_at)
            and self.updated.hold(updated_at)
        )


@dataclass(frozen=True, slots=True)
class Seen(Generic[Row]):
    """A row that was looked at, and what it is if it is wanted."""

    place: Place
    row: Row | None


def list_rows(
    redis: Any, account_sid: str, wanted: ConferenceFilter, behind: Place | None = None, *, oldest_first: bool = False
) -> Iterator[Seen[Conference]]:
    """List rows behind a place, newest first (or oldest first); read in chunks, so a caller may stop early."""
    for chunk in _places(redis, account_sid, wanted, behind, oldest_first):
        yield from _read(redis, wanted, [place for place in chunk if is_behind(place, behind, oldest_first)])


def is_behind(place: Place, behind: Place | None, oldest_first: bool) -> bool:
    """True if a row comes behind that place, in this order."""
    return behind is None or (place > behind if oldest_first else place < behind)


def _places(
    redis: Any, account_sid: str, wanted: ConferenceFilter, behind: Place | None, oldest_first: bool
) -> Iterator[list[Place]]:
    """List candidates by an index: those that live, if only they can match; else those that were created in those
    days."""
    if wanted.status in (ConferenceStatus.INIT, ConferenceStatus.IN_PROGRESS):
        yield _live_places(redis, account_sid, oldest_first)
        return
    index, start = keys.account_conferences(account_sid), 0
    least, most = _range(wanted.created, behind, oldest_first)
    while True:
        with redis_errors():
            read = redis.zrangebyscore if oldest_first else redis.zrevrangebyscore
            bounds = (least, most) if oldest_first else (most, least)
            found = read(index, *bounds, start=start, num=ROWS_PER_READ, withscores=True)
        yield [(int(made_ms), sid) for sid, made_ms in found]
        if len(found) < ROWS_PER_READ:
            return
        start += ROWS_PER_READ


def _live_places(redis: Any, account_sid: str, oldest_first: bool) -> list[Place]:
    """List the places of those that live: as many as the account's quota allows, at most."""
    with redis_errors():
        sids = redis.zrange(keys.account_live_conferences(account_sid), 0, -1)
        made = redis.zmscore(keys.account_conferences(account_sid), sids) if sids else []
    places = [(int(made_ms), sid) for sid, made_ms in zip(sids, made, strict=True) if made_ms is not None]
    return sorted(places, reverse=not oldest_first)


def _range(created: Days, behind: Place | None, oldest_first: bool) -> tuple[float, float]:
    least, most = float("-inf"), float("inf")
    if created.first is not None:
        least = _midnight_ms(created.first)
    if created.last is not None and created.last < date.max:
        most = _midnight_ms(created.last + timedelta(days=1))
    if behind is not None:
        least, most = (max(least, behind[0]), most) if oldest_first else (least, min(most, behind[0]))
    return least, most


def _midnight_ms(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000


_FIELDS: Final = ("status", "friendly_name", "created_at", "updated_at")


def _read(redis: Any, wanted: ConferenceFilter, places: Sequence[Place]) -> Iterator[Seen[Conference]]:
    """What a filter asks for is read first, whole conferences only where it matches."""
    with redis_errors():
        pipe = redis.pipeline(transaction=False)
        for _, sid in places:
            pipe.hmget(keys.conference(sid), _FIELDS)
        rows = pipe.execute()
        pipe = redis.pipeline(transaction=False)
        matching = [
            place for place, row in zip(places, rows, strict=True) if row[0] is not None and _matches(wanted, row)
        ]
        for _, sid in matching:
            pipe.hgetall(keys.conference(sid))
        whole = dict(zip(matching, pipe.execute(), strict=True))
    for place, row in zip(places, rows, strict=True):
        if row[0] is not None:  # it may have expired
            raw = whole.get(place)
            flat = [text for pair in raw.items() for text in pair] if raw else None
            yield Seen(place, decode_conference(flat)[0] if flat else None)


def _matches(wanted: ConferenceFilter, row: Sequence[str]) -> bool:
    status, name, created_at, updated_at = row
    return wanted.matches(status, name, datetime.fromisoformat(created_at), datetime.fromisoformat(updated_at))
