"""How a call that was not answered has ended, in Twilio's words: one table, by the far end's SIP response if it gave
one, else by FreeSWITCH's cause.

mod_sofia makes one cause of several responses (sofia_glue.c, sofia_glue_sip_cause_to_freeswitch), so the response is
the better news. A far end that never says anything counts as one that answers 408, after 32 s. Causes without a
response are the switch's own, or ours.
Statuses: https://www.twilio.com/docs/voice/api/call-resource#call-status-values
"""

from __future__ import annotations

from typing import Final

from orchestrator.domain.conference import CallStatus, Participant

UNANSWERED: Final[dict[int | str, CallStatus]] = {
    486: CallStatus.BUSY,
    600: CallStatus.BUSY,
    480: CallStatus.NO_ANSWER,
    487: CallStatus.NO_ANSWER,
    # Timeout, and with early media, for which the switch counts in another way.
    "NO_ANSWER": CallStatus.NO_ANSWER,
    "ALLOTTED_TIMEOUT": CallStatus.NO_ANSWER,
    "PROGRESS_TIMEOUT": CallStatus.NO_ANSWER,
    "NO_USER_RESPONSE": CallStatus.NO_ANSWER,
    "USER_BUSY": CallStatus.BUSY,
    # Nobody but us clears a call normally before it was answered: it was removed, or its conference has ended.
    "NORMAL_CLEARING": CallStatus.CANCELED,
    "ORIGINATOR_CANCEL": CallStatus.CANCELED,
}
"""What is not here has failed: 403, 404, 408, 488, 500, 503, 603, no route, no gateway …"""


UNREACHED: Final[frozenset[int | str]] = frozenset({
    408, 500, 502, 503, 504, "DESTINATION_OUT_OF_ORDER", "NETWORK_OUT_OF_ORDER", "NORMAL_TEMPORARY_FAILURE",
})  # fmt: skip
"""How a call ends that has not got to whom it is for: the next gateway of its trunk is tried. All else is the callee's
answer, which another gateway would hear again."""


def has_fallback(participant: Participant, cause: str, sip_status: int | None) -> bool:
    """Whether a call that ended like this is dialled by another gateway."""
    wanted = participant.gateways_left > 0 and participant.answered_at is None and not participant.removal_requested
    return wanted and (sip_status or cause) in UNREACHED


def final_call_status(participant: Participant) -> CallStatus:
    """Return the final CallStatus of a participant whose call has ended or is ending.

    An answered call is `completed` whatever ended it; one that a client removed before the answer is `canceled`.
    """
    if participant.answered_at is not None:
        return CallStatus.COMPLETED
    if participant.removal_requested:
        return CallStatus.CANCELED
    return UNANSWERED.get(participant.sip_status or participant.hangup_cause or "", CallStatus.FAILED)
