"""Conference and Participant: frozen values, changed only by `transitions.apply`.

Status words are the wire's, exactly (wire-contract sections 3.2 and 4). Mind `completed` and `complete`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator.domain.replacing import replace

STOCK: Final = "stock"
"""In place of a URL: the operator's own music. An empty URL is silence."""

TWILIO: Final = "twilio"
"""The dialect of whatever does not say in which one it was given."""


class ConferenceStatus(StrEnum):
    """`init` until two people are present and one of them starts conferences."""

    INIT = "init"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"


class ParticipantStatus(StrEnum):
    """Only ever moves forward; `complete` after having been connected, `failed` if never connected."""

    QUEUED = "queued"
    CONNECTING = "connecting"
    RINGING = "ringing"
    CONNECTED = "connected"
    COMPLETE = "complete"
    FAILED = "failed"


class EndReason(StrEnum):
    """`reason_conference_ended`, with hyphens (wire-contract section 4)."""

    VIA_API = "conference-ended-via-api"
    END_ON_EXIT_LEFT = "participant-with-end-conference-on-exit-left"
    END_ON_EXIT_KICKED = "participant-with-end-conference-on-exit-kicked"
    LAST_KICKED = "last-participant-kicked"
    LAST_LEFT = "last-participant-left"


class LeaveReason(StrEnum):
    """`ReasonParticipantLeft`, with underscores (wire-contract section 8.2)."""

    CONFERENCE_ENDED_VIA_API = "conference_ended_via_api"
    MODERATOR_ENDED_CONFERENCE = "moderator_ended_conference"
    UPDATED_VIA_API = "participant_updated_via_api"
    HUNG_UP = "participant_hung_up"
    ADD_FAILED = "participant_add_failed"


class CallStatus(StrEnum):
    """Twilio's words for a call, as in CallStatus and ParticipantCallStatus."""

    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class CallbackSettings:
    """Where a client wants to be told: an absolute URL, `GET` or `POST`, the subscribed words, and the dialect in which
    it has said so, and is told."""

    url: str
    method: str = "POST"
    events: tuple[str, ...] = ()
    dialect: str = TWILIO


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    """How something is to be recorded, and who is told of it."""

    channels: int = 1
    track: str = "both"
    trims: bool = True
    callbacks: CallbackSettings | None = None


@dataclass(frozen=True, slots=True)
class SwitchRef:
    """Where a call lives. FreeSWITCH's own nouns stop here: `node` is a name of FREESWITCH_NODES, `channel_uuid`
    the call leg, `member_id` its number in the conference (unique on the node, new at every join)."""

    node: str
    channel_uuid: str
    member_id: int | None = None


@dataclass(frozen=True, slots=True)
class Coach:
    """A member whom only one person may hear, and who that is."""

    call_sid: str
    coached_call_sid: str


@dataclass(frozen=True, slots=True)
class Conference:
    """One conference of one account, pinned to one node.

    `live_count` counts participants that are not `complete` or `failed`; `present_count` those that have joined;
    `starter_count` those of them with StartConferenceOnEnter. `sequence_number` is that of the next callback.
    `end_reason` is set as soon as it is decided, `status` becomes `completed` when the last call has ended.
    `callbacks_fixed` turns true with the first join: from then on later callback settings are ignored.
    `coaches` are those who are members now. `announced_id` names the announcement to all whose end was told last,
    `ending_label` is the label of `ending_call_sid`. `recording`: it is recorded from its start on, as the first who
    joined and asked for it before the start wants it, by `recording_request`. `end_request`: the client's request that
    ended it, or removed `ending_call_sid`.
    """

    conference_sid: str
    account_sid: str
    friendly_name: str
    node: str
    created_at: datetime
    updated_at: datetime
    status: ConferenceStatus = ConferenceStatus.INIT
    region: str | None = None
    end_reason: EndReason | None = None
    ending_call_sid: str | None = None
    live_count: int = 0
    present_count: int = 0
    starter_count: int = 0
    callbacks: CallbackSettings | None = None
    callbacks_fixed: bool = False
    sequence_number: int = 1
    coaches: tuple[Coach, ...] = ()
    announced_id: str = ""
    ending_label: str | None = None
    recording: RecordingSettings | None = None
    recording_request: str = ""
    end_request: str = ""

    @property
    def has_started(self) -> bool:
        """Whether people could hear each other from some moment on."""
        return self.status is not ConferenceStatus.INIT

    @property
    def is_ending(self) -> bool:
        """True once it is decided that this conference ends; nobody may be added any more."""
        return self.end_reason is not None or self.status is ConferenceStatus.COMPLETED


@dataclass(frozen=True, slots=True)
class Participant:
    """One call, from the request that created it until its end.

    `muted` and `hold` are what the switch said last; `muted_wanted` and `hold_wanted` what a client asked for and no
    event has confirmed yet. Who coaches is out of the mix whether muted or not: of a coach the switch does not say it.
    `wait_url` and `hold_url`: an absolute URL, STOCK, or empty for silence, with the dialect in
    which it was given; `hold_number` counts holds. `talking` is what
    the switch hears.
    `dialled_at`: when the switch was asked to make the call, first; None while it waits in a queue.
    `exit_hook_changed`: EndConferenceOnExit is, or was, another than the leg was dialled with.
    `answered_at`, `joined_at`, `left_at`, `ended_at`: aware UTC, None until it happened. `hangup_cause` is
    FreeSWITCH's word and `sip_status` the far end's SIP answer, verbatim. `call_sequence_number` is that of the
    next call-progress callback. `detection_seconds`: how long it may take to find out who has picked up, 0 if nobody
    wants to know; `answered_by` is Twilio's word for whom it was. `announced_id` names the announcement whose end was
    told last.
    `recording`: of the call, from its answer on; `conference_recording`: of the conference, from its start on.
    `gateways_left`: how many more of its trunk's gateways may be tried; `tried_left`: how many were left when it was
    dialled last, and `tried_at` when that was, noted by whoever dialled; `sealed_call`: what is needed for that,
    sealed, until it is answered or over.
    `options_json` holds the create parameters that have no field of their own.
    `create_request` and `removal_request` are the clients' requests that asked for that, the last one of a kind; those
    of a mute and a hold stand beside `muted_wanted` and `hold_wanted`, and only a commit reads them.
    """

    call_sid: str
    conference_sid: str
    account_sid: str
    switch: SwitchRef
    from_: str
    to: str
    created_at: datetime
    updated_at: datetime
    label: str | None = None
    status: ParticipantStatus = ParticipantStatus.QUEUED
    muted: bool = False
    muted_wanted: bool | None = None
    hold: bool = False
    hold_wanted: bool | None = None
    hold_url: str = STOCK
    hold_method: str = "GET"
    hold_dialect: str = TWILIO
    hold_number: int = 0
    wait_url: str = STOCK
    wait_method: str = "POST"
    wait_dialect: str = TWILIO
    talking: bool = False
    coaching: bool = False
    call_sid_to_coach: str | None = None
    beep_on_enter: bool = True
    beep_on_exit: bool = True
    start_conference_on_enter: bool = True
    end_conference_on_exit: bool = False
    exit_hook_changed: bool = False
    removal_requested: bool = False
    removal_request: str = ""
    dialled_at: datetime | None = None
    answered_at: datetime | None = None
    joined_at: datetime | None = None
    left_at: datetime | None = None
    ended_at: datetime | None = None
    hangup_cause: str | None = None
    sip_status: int | None = None
    progress_callbacks: CallbackSettings | None = None
    conference_callbacks: CallbackSettings | None = None
    detection_callbacks: CallbackSettings | None = None
    detection_seconds: int = 0
    answered_by: str | None = None
    call_sequence_number: int = 0
    announced_id: str = ""
    recording: RecordingSettings | None = None
    conference_recording: RecordingSettings | None = None
    gateways_left: int = 0
    tried_left: int = 0
    tried_at: datetime | None = None
    sealed_call: str = ""
    create_request: str = ""
    options_json: str = "{}"

    @property
    def is_waiting(self) -> bool:
        """True until the switch is asked to make the call: the first time, or by another gateway."""
        if self.sealed_call:
            return self.gateways_left < self.tried_left
        return self.dialled_at is None and self.status is ParticipantStatus.QUEUED

    @property
    def is_live(self) -> bool:
        """True while the participant is connecting to, or in, the conference."""
        return self.status not in (ParticipantStatus.COMPLETE, ParticipantStatus.FAILED)

    @property
    def is_present(self) -> bool:
        """True while the participant is in the conference."""
        return self.status is ParticipantStatus.CONNECTED

    @property
    def is_being_detected(self) -> bool:
        """True while it is still to be found out who has picked up."""
        return self.answered_at is not None and self.answered_by is None and self.detection_seconds > 0

    @property
    def muted_as_asked(self) -> bool:
        """Return the mute that a client is shown: its own last request, or what the switch says if there is none
        open."""
        return self.muted if self.muted_wanted is None else self.muted_wanted

    @property
    def hold_as_asked(self) -> bool:
        """Return the hold that a client is shown: its own last request, or what the switch says if there is none
        open."""
        return self.hold if self.hold_wanted is None else self.hold_wanted


def without_fulfilled_wishes(participant: Participant, said: frozenset[str]) -> Participant:
    """Return the participant without the wishes that the switch has fulfilled by what it has `said` just now, in the
    words of `changes.said_in`; the store's commit does the same.

    Of whoever is no member the switch has not said anything yet: it may have been told two wishes in another order.
    """
    if participant.switch.member_id is None:
        return participant
    muted, hold = participant.muted_wanted, participant.hold_wanted
    if {"added", "muted"} & said and muted is participant.muted:
        muted = None
    if {"added", "hold"} & said and hold is participant.hold:
        hold = None
    if (muted, hold) == (participant.muted_wanted, participant.hold_wanted):
        return participant
    return replace(participant, muted_wanted=muted, hold_wanted=hold)
