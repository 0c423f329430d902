"""Filters of the conference list."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from orchestrator.dialects.twilio.filters import parse_conference_filters
from orchestrator.domain.conference import Conference, ConferenceStatus
from orchestrator.errors import BadParameter
from orchestrator.store.conference_list import ConferenceFilter, Days
from tests.unit.examples import a_conference

EVENING = datetime(2026, 2, 3, 23, 59, 59, tzinfo=UTC)


def matches(conference: Conference, *pairs: tuple[str, str]) -> bool:
    wanted = parse_conference_filters(MultiDict(pairs))[0]
    return wanted.matches(conference.status, conference.friendly_name, conference.created_at, conference.updated_at)


@pytest.mark.parametrize("status", ConferenceStatus)
def test_status_is_one_of_three(status: ConferenceStatus) -> None:
    """In any case."""
    conference = a_conference(status=status)

    assert matches(conference, ("Status", status.value.upper()))
    assert sum(matches(conference, ("Status", other)) for other in ConferenceStatus) == 1


def test_an_empty_filter_is_as_if_it_were_not_there() -> None:
    """Alone, and beside one that is not."""
    conference = a_conference(status=ConferenceStatus.COMPLETED)

    assert matches(conference, ("Status", ""), ("FriendlyName", ""), ("DateCreated", ""), ("DateUpdated>", ""))
    assert not matches(conference, ("Status", ""), ("Status", "in-progress"))


def test_the_name_is_exact() -> None:
    """Neither a part of it nor another case."""
    conference = a_conference(friendly_name="Weekly")

    assert matches(conference, ("FriendlyName", "Weekly"))
    assert not matches(conference, ("FriendlyName", "weekly"))
    assert not matches(conference, ("FriendlyName", "Week"))


@pytest.mark.parametrize("name", ["DateCreated", "DateUpdated"])
@pytest.mark.parametrize(("sign", "days"), [("", {0}), (">", {-1, 0}), ("<", {0, 1})])
def test_a_date_is_that_day_on_or_after_on_or_before(name: str, sign: str, days: set[int]) -> None:
    """`DateCreated>` is the name of the parameter, and means on or after."""
    conference = a_conference(**{"created_at" if name == "DateCreated" else "updated_at": EVENING})
    given_days = {day: (EVENING.date() + timedelta(days=day)).isoformat() for day in (-1, 0, 1)}

    assert {day for day, text in given_days.items() if matches(conference, (name + sign, text))} == days


def test_a_day_is_a_day_in_utc() -> None:
    """Wherever the server stands."""
    late = EVENING.astimezone(timezone(timedelta(hours=5)))

    assert matches(a_conference(created_at=late), ("DateCreated", "2026-02-03"))


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
)
def test_both_ends_of_a_range_hold(made: date, after: date, before: date) -> None:
    """All filters have to match."""
    conference = a_conference(created_at=datetime(made.year, made.month, made.day, 12, tzinfo=UTC))
    pairs = ("DateCreated>", after.isoformat()), ("DateCreated<", before.isoformat())

    assert matches(conference, *pairs) is (after <= made <= before)


@pytest.mark.parametrize("name", ["DateCreated", "DateCreated>", "DateUpdated<"])
@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-2-3", "2026-02-03T00:00:00Z", "20260203", "x", "2026-02-03\n", "\u0662026-02-03"]
)
def test_what_is_no_day_is_refused(name: str, text: str) -> None:
    """A date-time as well, as Twilio does since 2019."""
    with pytest.raises(BadParameter, match=f"^{name.rstrip('<>')}:") as caught:
        matches(a_conference(), (name, text))

    assert caught.value.code == 20001


def test_an_unknown_status_is_refused() -> None:
    """`complete` is a common mistake."""
    with pytest.raises(BadParameter, match=r"^Status:"):
        matches(a_conference(), ("Status", "complete"))


def test_the_filters_that_were_given_go_into_the_links() -> None:
    """As they were; an empty one and an unknown one are none."""
    pairs = [("Status", "init"), ("DateCreated>", "2026-01-01"), ("FriendlyName", ""), ("Other", "x")]

    wanted, given_filters = parse_conference_filters(MultiDict(pairs))

    assert sorted(given_filters) == [("DateCreated>", "2026-01-01"), ("Status", "init")]
    assert wanted == ConferenceFilter(status="init", created=Days(first=date(2026, 1, 1)))
