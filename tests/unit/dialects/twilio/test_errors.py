"""Errors as Twilio's JSON."""

from __future__ import annotations

import json

import pytest

from orchestrator.dialects.registry import DIALECTS
from orchestrator.dialects.twilio.errors import error_body, render_error
from orchestrator.errors import ApiError, AuthenticationFailed, BadParameter, NotFound, Unavailable


def test_an_error_has_exactly_twilios_keys() -> None:
    """With `type` and `title` as well, SDKs would raise another class (wire-contract section 10)."""
    assert error_body(BadParameter("To: is required", code=21201)) == {
        "code": 21201,
        "message": "To: is required",
        "more_info": "https://www.twilio.com/docs/errors/21201",
        "status": 400,
    }


def test_bad_credentials_are_told_as_twilio_tells_them() -> None:
    """The reason is in `detail` (wire-contract section 1)."""
    assert error_body(AuthenticationFailed("Your AccountSid or AuthToken was incorrect.")) == {
        "code": 20003,
        "detail": "Your AccountSid or AuthToken was incorrect.",
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (AuthenticationFailed("x"), {"WWW-Authenticate": 'Basic realm="Twilio API"'}),
        (Unavailable("x"), {"Retry-After": "1"}),
        (NotFound("x"), {}),
    ],
)
def test_the_answer_says_what_to_do_next(error: ApiError, headers: dict[str, str]) -> None:
    """How to authenticate, when to come back; nothing for the others."""
    answer = render_error(DIALECTS.asked("GET", "/2010-04-01/Accounts/x.json", ""), error)

    assert answer.status == error.http_status
    assert answer.mimetype == "application/json"
    assert answer.headers == headers
    assert json.loads(answer.body) == error_body(error)
