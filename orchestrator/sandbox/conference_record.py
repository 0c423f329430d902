"""`record`, `norecord`, `pause`, `resume`, `chkrecord` and `recording` of a conference (conference_record.c).

That a file cannot be opened is no error of the command: the event says so. `norecord` counts what has been stopped by
the time that it answers, which is nothing.
"""

from __future__ import annotations

import gevent

from orchestrator.sandbox.clock import FRAME_SECONDS
from orchestrator.sandbox.conference import Conference, truth
from orchestrator.sandbox.recording import RATE, CannotRecord, Recording


def record(conference: Conference, words: list[str]) -> str | None:
    """Start to record into a file. A second word, a canvas, is not simulated: there is no video."""
    if not words:
        return None
    if len(words) > 1:
        return "-ERR Invalid canvas\n"
    new = Recording(words[0], lambda: (conference.tones(),))
    for recording in conference.listed_recordings:
        if recording.name == new.name:
            return f"-ERR file [{recording.path}] is already being used for recording.\n"
    conference.recordings.insert(0, new)
    conference.listed_recordings.insert(0, new)
    conference.node.spawn(_run, conference, new)
    return f"+OK Record file {new.path}\n"


def norecord(conference: Conference, words: list[str]) -> str | None:
    """Stop to record into a file, or into all."""
    if not words:
        return None
    everything = words[0].lower() == "all"
    stopped = [one for one in conference.recordings if one.is_open and (everything or one.path == words[0])]
    for one in stopped:
        one.stopped.set()
    found = "".join(f"Stopped recording file {one.path}\n" for one in stopped)
    if not stopped and not everything:
        found = f"-ERR non-existant recording '{words[0]}'\n"
    return f"{found}+OK Stopped recording 0 files\n"


def pause(conference: Conference, words: list[str]) -> str | None:
    """Leave out what is said from now on."""
    return _pause(conference, words, paused=True)


def resume(conference: Conference, words: list[str]) -> str | None:
    """Go on after a pause."""
    return _pause(conference, words, paused=False)


def check(conference: Conference, words: list[str]) -> str:
    """Say which files are recorded."""
    lines = "".join(f"+OK Record file {one.path}\n" for one in conference.listed_recordings)
    return lines or "-ERR Conference is not being recorded.\n"


def recording(conference: Conference, words: list[str]) -> str | None:
    """Run the one of the above that the first word names; without a known first word, record."""
    if len(words) == 1 and words[0].lower() in ("stop", "check"):
        words = [*words, "all"]
    if len(words) < 2:
        return record(conference, words)
    run = {"start": record, "stop": norecord, "check": check, "pause": pause, "resume": resume}.get(words[0].lower())
    return None if run is None else run(conference, words[1:])


def _pause(conference: Conference, words: list[str], *, paused: bool) -> str | None:
    if not words:
        return None
    reply = f"+OK {'Pause' if paused else 'Resume'} recording file {words[0]}\n"
    found = [one for one in conference.recordings if one.is_open and one.path == words[0]]
    if not found:
        return f"{reply}-ERR non-existant recording '{words[0]}'\n"
    for one in found:
        one.pause(paused)
    action = "pause-recording" if paused else "resume-recording"
    conference.fire(action, extra={"Path": words[0], "Other-Recordings": truth(bool(conference.recordings))})
    return reply


def _run(conference: Conference, recording: Recording) -> None:
    """conference_record_thread_run: until it is stopped, or nobody is left."""
    started = {"Path": recording.path}
    try:
        recording.open()
    except CannotRecord:
        conference.fire("start-recording", extra=started | {"Error": "File could not be opened for recording"})
        _end(conference, recording, {})
        return
    with conference.readers:
        conference.fire("start-recording", extra=started)
        recording.write_while(lambda: not recording.stopped.is_set() and bool(conference.members))
        gevent.sleep(FRAME_SECONDS)
        recording.close()
        _end(conference, recording, {"Record-File-Size": str(recording.bytes_written)})


def _end(conference: Conference, recording: Recording, size: dict[str, str]) -> None:
    """Take a recording that ends off the list, together with all that are newer: the real one sets the list's head
    so."""
    conference.recordings.remove(recording)
    if recording in conference.listed_recordings:
        del conference.listed_recordings[: conference.listed_recordings.index(recording) + 1]
    conference.fire(
        "stop-recording",
        extra={
            "Path": recording.path,
            "Other-Recordings": truth(bool(conference.recordings)),
            "Samples-Out": str(recording.samples),
            "Samplerate": str(RATE),
            "Milliseconds-Elapsed": str(recording.samples * 1000 // RATE),
        }
        | size,
    )
