"""Puts the parts of recording together, once for each process."""

from __future__ import annotations

from orchestrator.domain.recording import Recording
from orchestrator.freeswitch.nodes import Nodes
from orchestrator.recordings.look import Looks, file_name
from orchestrator.recordings.process import Job
from orchestrator.recordings.recorder import Recorder
from orchestrator.recordings.storage import Place
from orchestrator.recordings.worker import Processor, Watch
from orchestrator.store.commits import CommitStore


def build_watch(recorder: Recorder, commits: CommitStore, nodes: Nodes, place: Place, keep_days: int) -> Watch:
    """Build what looks after recordings in a worker."""

    def make_job(recording: Recording, pieces: list[tuple[str, int, bool]]) -> Job:
        track = "" if recording.is_of_conference else recording.track
        shape = (recording.channels, track, recording.trims)
        kept = (place.bucket, place.endpoint, place.key)
        return Job(file_name(recording, ""), tuple(pieces), *shape, recorder.directory, *kept)

    recorder.make_directory()
    return Watch(Looks(recorder, commits, nodes, place.open(), Processor().process, make_job, keep_days))
