"""Does what clients ask of recordings: start, pause, go on, stop, list, fetch, delete, and the sound itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orchestrator import logs
from orchestrator.domain.conference import ConferenceStatus, Participant, RecordingSettings
from orchestrator.domain.events import Event
from orchestrator.domain.recording import (
    ACTIVE,
    COMPLETED,
    DELETED,
    IN_PROGRESS,
    PAUSED,
    UNFINISHED,
    Recording,
    RecordingSource,
)
from orchestrator.domain.recording_events import (
    DeleteRequested,
    PauseRequested,
    ResumeRequested,
    StopRequested,
)
from orchestrator.errors import (
    ConferenceNotInProgress,
    NotFound,
    OneChannelOnly,
    QuotaReached,
    RecordingUnfinished,
    SeveralRecordings,
    Unavailable,
    WrongRecordingState,
)
from orchestrator.freeswitch.client import NodeUnavailable
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.recordings.beginning import of_call, of_conference
from orchestrator.recordings.look import file_name
from orchestrator.recordings.recorder import Recorder, Send
from orchestrator.recordings.storage import Storage
from orchestrator.sids import is_sid
from orchestrator.store.commits import CommitStore
from orchestrator.store.recordings import lane_of

CURRENT: Final = "Twilio.CURRENT"
MOST_ACTIVE: Final = 8
"""Most recordings of one call or conference at once: each costs the switch."""


@dataclass(frozen=True, slots=True)
class UpdateRecording:
    """What a client asks of a recording; `fills_gap`: silence as long as the pause stands in for it."""

    status: str
    fills_gap: bool = True


@dataclass(frozen=True, slots=True)
class Media:
    """A file of a recording that is kept. `read(first, count)` yields bytes of it; FileNotFoundError, OSError at the
    first of them."""

    etag: str
    size: int
    read: Callable[[int, int], Iterator[bytes]]


class Recordings:
    """Starts, pauses, stops, lists, fetches and deletes recordings. `account_sid` is always the authenticated account;
    `subject_sid` the call or conference in the path; `base_url` how clients reach us."""

    def __init__(self, recorder: Recorder, commits: CommitStore, nodes: Nodes, storage: Storage, base_url: str) -> None:
        self.base_url = base_url
        self._recorder = recorder
        self._store = recorder.store
        self._commits = commits
        self._nodes = nodes
        self._storage = storage

    # ------------------------------------------------------------ start

    def start_on_call(self, account_sid: str, call_sid: str, settings: RecordingSettings) -> Recording:
        """Record a call from now on. Raises NotFound, WrongRecordingState, QuotaReached, Unavailable."""
        participant = self._live_call(account_sid, call_sid)
        recording = of_call(participant, settings, RecordingSource.CALL)
        return self._start(recording)

    def start_on_conference(self, account_sid: str, conference_sid: str, settings: RecordingSettings) -> Recording:
        """Record a conference from now on. Raises NotFound, ConferenceNotInProgress, QuotaReached, Unavailable."""
        found, _ = self._commits.load((), [conference_sid])
        if conference_sid not in found or found[conference_sid].conference.account_sid != account_sid:
            raise NotFound(f"The conference {conference_sid} was not found")
        conference = found[conference_sid].conference
        if conference.status is not ConferenceStatus.IN_PROGRESS or conference.is_ending:
            raise ConferenceNotInProgress("The conference is not in progress: there is nothing to record")
        recording = of_conference(conference, settings, RecordingSource.CONFERENCE_API)
        return self._start(recording)

    def _live_call(self, account_sid: str, call_sid: str) -> Participant:
        placed = self._commits.load_conference_sids([call_sid])
        _, found = self._commits.load([(sid, call) for call, sid in placed.items()], ())
        participant = found.get(call_sid)
        if participant is None or participant.account_sid != account_sid:
            raise NotFound(f"The call {call_sid} was not found")
        if participant.answered_at is None or participant.ended_at is not None:
            raise WrongRecordingState("The call is not in progress: there is nothing to record", code=21220)
        return participant

    def _start(self, recording: Recording) -> Recording:
        account_sid = recording.account_sid
        if not self._recorder.has_room(account_sid):
            raise QuotaReached("The account's recordings take as much as they may: delete some")
        subject = recording.call_sid or recording.conference_sid
        if sum(one.status in ACTIVE for one in self._store.list_of(subject)) >= MOST_ACTIVE:
            raise QuotaReached(f"{MOST_ACTIVE} recordings of it are under way already")
        self._recorder.begin(recording, self._way_to(recording))
        known = self._store.load(recording.conference_sid, recording.recording_sid)
        if known is None:
            raise Unavailable("The recording has vanished")
        return known.recording

    def _way_to(self, recording: Recording) -> Send:
        node = self._nodes.get(recording.node)
        if not node.is_connected:
            raise NodeUnavailable(f"Node {recording.node} is away")
        return node.send

    # ------------------------------------------------------------ read

    def list(self, subject_sid: str) -> Iterable[Recording]:
        """List the recordings of an account, a call or a conference, newest first, deleted ones included."""
        return self._store.list_of(subject_sid)

    def fetch(self, account_sid: str, reference: str, subject_sid: str | None = None) -> Recording:
        """Return a recording by its SID, or `Twilio.CURRENT` of a call or conference. Raises NotFound,
        SeveralRecordings."""
        if reference == CURRENT and subject_sid is not None:
            return self._current(account_sid, subject_sid)
        known = self._store.find(reference) if is_sid("RE", reference) else None
        recording = None if known is None else known.recording
        if (
            recording is None
            or recording.account_sid != account_sid
            or recording.status is DELETED
            or (subject_sid is not None and subject_sid not in (recording.call_sid, recording.conference_sid))
        ):
            raise NotFound(f"The recording {reference} was not found")
        return recording

    def _current(self, account_sid: str, subject_sid: str) -> Recording:
        active = [
            one for one in self._store.list_of(subject_sid) if one.account_sid == account_sid and one.status in ACTIVE
        ]
        if len(active) > 1:
            raise SeveralRecordings(f"{len(active)} recordings of {subject_sid} are under way: name one")
        if not active:
            raise NotFound(f"No recording of {subject_sid} is under way")
        return active[0]

    def made_at(self, recording_sid: str) -> datetime | None:
        """Return when a recording was created."""
        return self._store.load_made_at(recording_sid)

    # ------------------------------------------------------------ change

    def update(self, account_sid: str, subject_sid: str, reference: str, update: UpdateRecording) -> Recording:
        """Pause, resume or stop a recording; one that is in that state already stays so. Raises NotFound,
        SeveralRecordings, WrongRecordingState, Unavailable."""
        recording = self.fetch(account_sid, reference, subject_sid)
        now, request_id = datetime.now(UTC), logs.request_id()
        events: dict[str, Event] = {
            PAUSED: PauseRequested(now, update.fills_gap, request_id=request_id),
            IN_PROGRESS: ResumeRequested(now, request_id=request_id),
            "stopped": StopRequested(now, request_id=request_id),
        }
        after = self._recorder.apply(lane_of(recording), events[update.status], self._way_to(recording))
        if after is None:
            raise NotFound(f"The recording {reference} was not found")
        has_stopped = after.status not in ACTIVE
        if has_stopped if update.status == "stopped" else after.status == update.status:
            return after
        raise WrongRecordingState(f"Status: a recording that is {after.status} cannot become {update.status}")

    def delete(self, account_sid: str, reference: str, subject_sid: str | None = None) -> None:
        """Delete a recording for good; its SID is known for a while. Raises NotFound, RecordingUnfinished,
        Unavailable."""
        recording = self.fetch(account_sid, reference, subject_sid)
        if recording.status in UNFINISHED:
            raise RecordingUnfinished("Cannot delete this resource before it is complete")
        event = DeleteRequested(datetime.now(UTC), request_id=logs.request_id())
        self._recorder.apply(lane_of(recording), event, self._no_way)

    @staticmethod
    def _no_way(command: object) -> str:
        raise NodeUnavailable("not for a switch")

    # ------------------------------------------------------------ the sound

    def media(self, account_sid: str, recording_sid: str, kind: str, channels: int | None = None) -> Media:
        """Return the file of a recording: `wav` or `mp3`, with so many channels. Raises NotFound, OneChannelOnly."""
        recording = self.fetch(account_sid, recording_sid)
        if recording.status is not COMPLETED:
            raise NotFound(f"The recording {recording_sid} has no media: it is {recording.status}")
        if channels == 2 and recording.channels == 1:
            raise OneChannelOnly("RequestedChannels: the recording has one channel")
        end = f".mono.{kind}" if channels == 1 and recording.channels == 2 else f".{kind}"
        sizes = dict(recording.sizes)
        if end not in sizes:
            raise NotFound(f"The recording {recording_sid} has no such media")
        name = file_name(recording, end)
        return Media(f"{recording_sid}{end}", sizes[end], lambda first, count: self._storage.read(name, first, count))
