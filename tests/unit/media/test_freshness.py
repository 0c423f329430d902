"""An answer's age is what its server and the caches in between say, by our clock."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from orchestrator.media.freshness import by_our_clock

NOW = 1_700_000_000


def at(seconds: int) -> str:
    return formatdate(NOW + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "date", "expires"),
    [
        ({}, 0, None),
        ({"date": at(-30)}, -30, None),
        ({"date": at(+500)}, 0, None),
        ({"date": "yesterday"}, 0, None),
        ({"age": "40"}, -40, None),
        ({"age": "40", "date": at(-30)}, -40, None),
        ({"age": "30", "date": at(-40)}, -40, None),
        ({"age": "-1"}, 0, None),
        ({"age": "40, 50"}, -40, None),
        ({"date": at(-30), "expires": at(30)}, -30, 30),
        ({"date": at(+500), "expires": at(560)}, 0, 60),
        ({"expires": at(60)}, 0, 60),
    ],
)
def test_date_is_when_it_was_made_by_our_clock(headers: dict[str, str], date: int, expires: int | None) -> None:
    """The older of what Date and Age say; a server whose clock is fast changes nothing; Expires keeps its distance."""
    timed = by_our_clock(headers, NOW)

    assert timed == {"date": at(date)} | ({} if expires is None else {"expires": at(expires)})


def test_what_cannot_be_read_stays_as_it_is() -> None:
    """Expires: 0 is what servers say for at once."""
    assert by_our_clock({"date": at(0), "expires": "0", "etag": "x"}, NOW) == {
        "date": at(0),
        "expires": "0",
        "etag": "x",
    }
