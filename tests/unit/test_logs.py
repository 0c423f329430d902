"""What a line of the log is about: bound once, named by all that is logged then, and by nobody else."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator

import gevent
import pytest

from orchestrator import logs
from orchestrator.sids import mint_sid

REQUEST, ACCOUNT, CONFERENCE, CALL, RECORDING = (prefix + "0a" * 16 for prefix in ("RQ", "AC", "CF", "CA", "RE"))
ALL = {
    "request_id": REQUEST,
    "account_sid": ACCOUNT,
    "conference_sid": CONFERENCE,
    "call_sid": CALL,
    "recording_sid": RECORDING,
}


@pytest.fixture(autouse=True)
def _nothing_else() -> Iterator[None]:
    logs.start()
    yield
    logs.start()


def test_each_sid_is_named_by_its_kind() -> None:
    logs.bind(CALL, REQUEST)
    logs.bind(ACCOUNT, CONFERENCE, RECORDING)

    assert logs.add_names(None, "", {}) == ALL


@pytest.mark.parametrize("text", ["", "conference", CALL + "0", CALL[:-1] + "\n", "XX" + "0" * 32, CALL.upper()])
def test_what_is_no_sid_is_passed_over(text: str) -> None:
    """A label may look like anything."""
    logs.bind(text)

    assert logs.add_names(None, "", {}) == {}


def test_the_next_request_of_a_connection_begins_anew() -> None:
    """It is the same greenlet's."""
    logs.start(REQUEST, CALL)
    logs.start(other := mint_sid("RQ"))

    assert logs.add_names(None, "", {}) == {"request_id": other}


def test_what_is_bound_for_a_block_ends_with_it() -> None:
    """Also that it is due to no request."""
    logs.bind(REQUEST, CALL)
    with logs.bound(CONFERENCE, mint_sid("CA"), request_id=""):
        assert logs.add_names(None, "", {}).keys() == {"conference_sid", "call_sid"}
        assert logs.request_id() == ""

    assert logs.add_names(None, "", {}) == {"request_id": REQUEST, "call_sid": CALL}


def test_a_greenlet_names_nothing_unless_it_is_told_to() -> None:
    logs.bind(REQUEST)
    plain = gevent.spawn(logs.request_id)
    told = gevent.spawn(contextvars.copy_context().run, logs.request_id)

    assert (plain.get(timeout=5), told.get(timeout=5)) == ("", REQUEST)
