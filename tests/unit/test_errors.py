"""Every error's code and status, as wire-contract section 10 has them."""

from __future__ import annotations

import inspect

import pytest

from orchestrator import errors
from orchestrator.errors import ApiError, BadParameter

EXPECTED = {
    "ApiError": (20500, 500),
    "AuthenticationFailed": (20003, 401),
    "AccountSuspended": (20006, 403),
    "TokenNeeded": (20403, 403),
    "NotFound": (20404, 404),
    "MethodNotAllowed": (20004, 405),
    "BadParameter": (20001, 400),
    "BodyTooLarge": (20001, 413),
    "RequestTooSlow": (20001, 408),
    "ConferenceNotActive": (16022, 404),
    "ConferenceFull": (16020, 400),
    "LabelInUse": (16026, 400),
    "CoachedCallMissing": (16028, 400),
    "CoachedCallHeld": (16027, 400),
    "CoachingImpossible": (20503, 503),
    "ConferenceNotInProgress": (16001, 400),
    "TooManyAnnouncements": (20429, 429),
    "CallNotInProgress": (21220, 400),
    "QuotaReached": (20429, 429),
    "Conflict": (20409, 409),
    "SeveralRecordings": (16108, 400),
    "WrongRecordingState": (16114, 400),
    "OneChannelOnly": (16113, 400),
    "RecordingUnfinished": (20009, 409),
    "Unavailable": (20503, 503),
    "StoreFull": (20503, 503),
    "NodeFull": (20503, 503),
}

CLASSES: dict[str, type[ApiError]] = dict(inspect.getmembers(errors, inspect.isclass))


def test_no_error_is_missing_from_the_contract() -> None:
    """A new error class gets a row here, with the code and status that the contract gives it."""
    assert set(CLASSES) == set(EXPECTED)


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_an_error_has_its_code_and_status(name: str, expected: tuple[int, int]) -> None:
    """Clients switch on the code."""
    error = CLASSES[name]("text")

    assert isinstance(error, ApiError)
    assert (error.code, error.http_status) == expected
    assert error.message == str(error) == "text"


def test_a_code_of_its_own_changes_that_error_only() -> None:
    """`BadParameter` stands for many codes."""
    special = BadParameter("To: is required", code=21201)

    assert special.code == 21201
    assert special.http_status == 400
    assert BadParameter("x").code == 20001
