"""Pages: the envelope, and walking through it as SDKs do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.page import Page
from werkzeug.datastructures import MultiDict

from orchestrator.dialects.twilio.paging import PageRequest, make_page, page_of, parse_page, place
from orchestrator.dialects.twilio.serializers import serialize_page
from orchestrator.errors import BadParameter

PATH = "/2010-04-01/Accounts/AC1/Conferences/CF1/Participants.json"
KEYS = {
    "participants", "page", "page_size", "start", "end", "uri", "first_page_uri", "next_page_uri", "previous_page_uri",
}  # fmt: skip


def sids(count: int, prefix: str = "CA") -> list[str]:
    return [f"{prefix}{number:032x}" for number in range(count)]


def made_at(sid: str) -> datetime:
    """Rows are listed newest first: the higher its number, the older a row."""
    return datetime(2026, 1, 1, tzinfo=UTC) - timedelta(milliseconds=int(sid[2:], 16))


def page(
    rows: list[str],
    query: str,
    filters: list[tuple[str, str]] | None = None,
    present: list[str] | None = None,
) -> dict[str, Any]:
    """Answer a list request as routes.py does; `present` are the rows that are still there."""
    wanted = parse_page(MultiDict(parse_qsl(query)))
    listed = rows if present is None else present
    found = page_of(wanted, iter(listed), lambda sid: place(made_at(sid), sid), made_at)
    made = make_page(wanted, found, str, PATH, filters or [])
    return serialize_page("participants", made, [{"sid": sid} for sid in made.rows])


def rows_of(answer: dict[str, Any]) -> list[str]:
    return [row["sid"] for row in answer["participants"]]


def follow(rows: list[str], answer: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """All pages from this one on, by plain GETs of one link after the other."""
    pages = [answer]
    while (uri := pages[-1][key]) is not None:
        pages.append(page(rows, urlsplit(uri).query))
    return pages


@given(st.integers(0, 25), st.integers(1, 10), st.sampled_from(["CA", "CF"]))
def test_an_sdk_reads_every_row_once_and_finds_its_way_back(count: int, size: int, prefix: str) -> None:
    """Forward through next_page_uri, backward through previous_page_uri: the same pages."""
    rows = sids(count, prefix)

    forward = follow(rows, page(rows, f"PageSize={size}"), "next_page_uri")
    backward = follow(rows, forward[-1], "previous_page_uri")

    assert [sid for each in forward for sid in rows_of(each)] == rows
    assert [rows_of(each) for each in backward] == [rows_of(each) for each in reversed(forward)]
    assert [each["page"] for each in forward] == [*range(len(forward))]
    assert [each["page"] for each in backward] == [*range(len(forward))][::-1]
    assert len(forward) == max(1, -(-count // size))


@given(st.integers(0, 25), st.integers(1, 10), st.integers(0, 6))
def test_every_page_has_exactly_the_envelopes_keys(count: int, size: int, number: int) -> None:
    """One key more and Python SDKs raise "Page Records can not be deserialized"."""
    answer = page(sids(count), f"PageSize={size}&Page={number}")
    found = rows_of(answer)

    assert set(answer) == KEYS
    assert set(answer) - {"participants"} <= Page.META_KEYS
    assert found == sids(count)[number * size : (number + 1) * size]
    assert (answer["page"], answer["page_size"]) == (number, size)
    assert (answer["start"], answer["end"]) == ((number * size, number * size + len(found) - 1) if found else (0, 0))


def test_a_page_goes_on_where_its_token_stood_when_that_row_has_left() -> None:
    """Nobody is skipped and nobody comes twice because somebody hung up between two pages."""
    rows = sids(6)
    first = page(rows, "PageSize=2")
    without_the_anchor = [row for row in rows if row != rows_of(first)[-1]]

    second = page(rows, urlsplit(first["next_page_uri"]).query, present=without_the_anchor)

    assert rows_of(second) == rows[2:4]


def test_start_and_end_count_rows() -> None:
    """Page 1 of size 2 is rows 2 and 3; an empty list 0 and 0."""
    second, empty = page(sids(5), "PageSize=2&Page=1"), page([], "")

    assert (second["start"], second["end"]) == (2, 3)
    assert (empty["start"], empty["end"], empty["next_page_uri"], empty["previous_page_uri"]) == (0, 0, None, None)


def test_links_keep_the_filters_and_say_size_page_and_token() -> None:
    """`<` and `>` are escaped; the token is Twilio's: PA and PB, CP for a participant."""
    answer = page(sids(5), "PageSize=2&Page=1", [("DateCreated>", "2020-01-02"), ("FriendlyName", "a b&c=d")])
    kept = f"{PATH}?DateCreated%3E=2020-01-02&FriendlyName=a%20b%26c%3Dd&PageSize=2"

    assert answer["uri"] == f"{kept}&Page=1"
    assert answer["first_page_uri"] == f"{kept}&Page=0"
    assert answer["next_page_uri"] == f"{kept}&Page=2&PageToken=PACP{3:032x}"
    assert answer["previous_page_uri"] == f"{kept}&Page=0&PageToken=PBCP{2:032x}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", PageRequest(50, 0, None, None)),
        ("PageSize=5000", PageRequest(1000, 0, None, None)),
        ("PageSize=0", PageRequest(1, 0, None, None)),
        ("PageSize=7&Page=3", PageRequest(7, 3, None, None)),
        (f"Page=3&PageToken=PACP{1:032x}", PageRequest(50, 3, f"CA{1:032x}", None)),
        (f"Page=3&PageToken=PBCF{1:032x}", PageRequest(50, 3, None, f"CF{1:032x}")),
    ],
)
def test_what_a_request_asks_for(query: str, expected: PageRequest) -> None:
    """SDKs send their `limit` as PageSize: it is clamped, not refused."""
    assert parse_page(MultiDict(parse_qsl(query))) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [("PageSize", "-1"), ("PageSize", "x"), ("PageSize", "1" * 10), ("Page", "-1"), ("Page", "1.5"), ("Page", "\u0661"),
     ("PageToken", "x"), ("PageToken", "PACA" + "0" * 32), ("PageToken", "PCCF" + "0" * 32),
     ("PageToken", "PACF" + "0" * 31), ("PageToken", "PACF" + "0" * 32 + "\n")],
)  # fmt: skip
def test_what_is_no_page_is_refused_by_name(name: str, value: str) -> None:
    """20001, and the parameter that is wrong."""
    with pytest.raises(BadParameter, match=f"^{name}:") as caught:
        parse_page(MultiDict([(name, value)]))

    assert caught.value.code == 20001


def test_no_more_rows_are_read_than_the_page_needs() -> None:
    """An account may have many conferences; one row more than the page says whether there are others."""
    read: list[int] = []

    def rows() -> Any:
        for number in range(1000):
            read.append(number)
            yield f"CF{number:032x}"

    page_of(PageRequest(10, 2, None, None), rows(), lambda sid: place(made_at(sid), sid), made_at)

    assert len(read) == 31
