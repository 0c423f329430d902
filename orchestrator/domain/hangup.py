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


def final_call_status(participant: Participant) -> CallStatus:
    """The final CallStatus of a participant whose call has ended or is ending.

    An answered call is `completed` whatever ended it; one that a client removed before the answer is `canceled`.
    """
    if participant.answered_at is not None:
        return CallStatus.COMPLETED
    if participant.removal_requested:
        return CallStatus.CANCELED
    return UNANSWERED.get(participant.sip_status or participant.hangup_cause or "", CallStatus.FAILED)
