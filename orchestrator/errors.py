"""Every error that a client can be told, with Twilio's code and the HTTP status.

Codes: https://www.twilio.com/docs/api/errors ; statuses that Twilio does not publish follow wire-contract
section 10. `ApiError` subclasses are raised anywhere above the domain and rendered by the dialect.
"""

from __future__ import annotations


class ApiError(Exception):
    """An answer other than success: `code` (Twilio's), `http_status`, and a message for a human."""

    code = 20500
    http_status = 500
    retry_after_seconds: int | None = None
    """When the same request may succeed, told with 429 and 503."""

    def __init__(self, message: str, *, code: int | None = None, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if retry_after_seconds is not None:
            self.retry_after_seconds = retry_after_seconds


class AuthenticationFailed(ApiError):
    """The AccountSid or AuthToken is wrong, or the path names another account."""

    code, http_status = 20003, 401


class AccountSuspended(ApiError):
    """The credentials are right and the operator has suspended the account."""

    code, http_status = 20006, 403


class TokenNeeded(ApiError):
    """An API key asks for what only the AuthToken may do."""

    code, http_status = 20403, 403


class NotFound(ApiError):
    """No such resource in this account; a foreign one is told the same way."""

    code, http_status = 20404, 404


class MethodNotAllowed(ApiError):
    """The path exists, the verb does not; or a FriendlyName stands where a SID is needed."""

    code, http_status = 20004, 405


class BadParameter(ApiError):
    """A parameter that cannot be what was sent; the message names it."""

    code, http_status = 20001, 400


class BodyTooLarge(ApiError):
    """The request body is larger than 64 kB."""

    code, http_status = 20001, 413


class RequestTooSlow(ApiError):
    """The request's body has not come in time."""

    code, http_status = 20001, 408


class ConferenceNotActive(ApiError):
    """The conference to join is completed or ending (404: it cannot be addressed any more)."""

    code, http_status = 16022, 404


class ConferenceFull(ApiError):
    """MaxParticipants is reached."""

    code, http_status = 16020, 400


class LabelInUse(ApiError):
    """Another active participant of this conference has the label."""

    code, http_status = 16026, 400


class CoachedCallMissing(ApiError):
    """CallSidToCoach is not an active participant of this conference."""

    code, http_status = 16028, 400


class CoachedCallHeld(ApiError):
    """CallSidToCoach is on hold, so nobody can coach it now."""

    code, http_status = 16027, 400


class CoachingImpossible(ApiError):
    """The switch lacks what coaching needs: for the operator to put right, `orchestrator check` says it, too."""

    code, http_status = 20503, 503


class ConferenceNotInProgress(ApiError):
    """The conference has not started, or is over: nobody could hear the announcement."""

    code, http_status = 16001, 400


class TooManyAnnouncements(ApiError):
    """As many announcements wait to be played as may wait at once."""

    code, http_status, retry_after_seconds = 20429, 429, 1


class CallNotInProgress(ApiError):
    """The call has ended, or is answered and was to be canceled."""

    code, http_status = 21220, 400


class QuotaReached(ApiError):
    """The account has as much as limits.py lets it: 16021 for what lives at once, 20429 for what a time may hold."""

    code, http_status, retry_after_seconds = 20429, 429, 1


class Conflict(ApiError):
    """The resource is in a state that the request does not fit."""

    code, http_status = 20409, 409


class SeveralRecordings(ApiError):
    """`Twilio.CURRENT` means one recording, and several are under way."""

    code, http_status = 16108, 400


class WrongRecordingState(ApiError):
    """The recording, or the call that is to be recorded, is in a state that the request does not fit."""

    code, http_status = 16114, 400


class OneChannelOnly(ApiError):
    """Two channels are asked for of a recording that has one."""

    code, http_status = 16113, 400


class RecordingUnfinished(ApiError):
    """The recording is not complete yet: it can be deleted when it is."""

    code, http_status = 20009, 409


class Unavailable(ApiError):
    """The switch or Redis is away; the same request may succeed later."""

    code, http_status, retry_after_seconds = 20503, 503, 1


class NodeFull(Unavailable):
    """The FreeSWITCH node of the conference takes no further call now."""


class StoreFull(Unavailable):
    """Redis has no memory for further calls: what is left is for those that exist."""
