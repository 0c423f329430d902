"""FreeSWITCH's hangup causes as Twilio's final call statuses.

Causes: https://developer.signalwire.com/freeswitch/FreeSWITCH-Explained/Troubleshooting-Debugging/Hangup-Cause-Code-Table_3964945/
Statuses: https://www.twilio.com/docs/voice/api/call-resource#call-status-values
"""

from __future__ import annotations

from orchestrator.domain.conference import CallStatus, Participant

_UNANSWERED = {
    "USER_BUSY": CallStatus.BUSY,
    "NO_ANSWER": CallStatus.NO_ANSWER,
    "NO_USER_RESPONSE": CallStatus.NO_ANSWER,
    "ALLOTTED_TIMEOUT": CallStatus.NO_ANSWER,
    "PROGRESS_TIMEOUT": CallStatus.NO_ANSWER,
    # Nobody but us clears a call normally before it was answered: it was removed, or its conference has ended.
    "NORMAL_CLEARING": CallStatus.CANCELED,
    "ORIGINATOR_CANCEL": CallStatus.CANCELED,
}


def final_call_status(participant: Participant) -> CallStatus:
    """The final CallStatus of a participant whose call has ended or is ending.

    An answered call is `completed` whatever ended it; one that a client removed before the answer is `canceled`.
    """
    if participant.answered_at is not None:
        return CallStatus.COMPLETED
    if participant.removal_requested:
        return CallStatus.CANCELED
    return _UNANSWERED.get(participant.hangup_cause or "", CallStatus.FAILED)
