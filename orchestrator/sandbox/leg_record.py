"""`uuid_record` (session_record_function of mod_commands.c, switch_ivr_record_session_event of switch_ivr_async.c)."""

from __future__ import annotations

import time

from orchestrator.sandbox.node import Node
from orchestrator.sandbox.recording import FRAME_SAMPLES, RATE, SILENCE, CannotRecord, Heard, Recording
from orchestrator.sandbox.session import Session
from orchestrator.sandbox.switch_strings import parse_variable_blocks, separate_string

_USAGE = "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
_CANNOT = {
    "start": "record",
    "stop": "stop record",
    "pause": "pause recording",
    "resume": "resume recording",
    "mask": "mask recording",
    "unmask": "unmask recording",
}
# Frames that are held back before the first is written (RECORD_PRE_BUFFER_FRAMES).
_PRE_BUFFER_FRAMES = 25
_NOT_SIMULATED = ("RECORD_APPEND", "RECORD_STEREO_SWAP", "RECORD_INITIAL_TIMEOUT_MS")
_TRUE_WORDS = ("true", "yes", "on", "enable", "enabled", "active", "allow", "1")


def uuid_record(node: Node, argument: str) -> str:
    """Start, stop, pause or mask a recording of one leg."""
    words = separate_string(argument, " ", 5)
    if len(words) < 3:
        return _USAGE
    channel_uuid, action, path = words[0], words[1].lower(), words[2]
    session = node.session_there(channel_uuid)
    if session is None:
        return "-ERR Cannot locate session!\n"
    if action not in _CANNOT:
        return _USAGE
    if action == "start":
        given = (parse_variable_blocks(words[4]) or ({}, ""))[0] if len(words) > 4 else {}
        refused = [name for name in _NOT_SIMULATED if name in given or name in session.channel.variables]
        if given.get("record_sample_rate", str(RATE)) != str(RATE):
            refused = ["record_sample_rate"]
        if refused:
            return node.refuse(f"uuid_record with {refused[0]}")
        limit = words[3] if len(words) > 3 else ""
        done = start(session, path, int(limit) if limit.isdigit() else 0, given)
    elif action == "stop" and path.lower() == "all":
        done = bool(session.recordings)
        for one in tuple(session.recordings.values()):
            _stop(session, one)
    else:
        done = _change(session, action, session.recordings.get(path))
    return "+OK Success\n" if done else f"-ERR Cannot {_CANNOT[action]} session!\n"


def start(session: Session, path: str, limit_seconds: int, given: dict[str, str]) -> bool:
    """Record until told otherwise; false if there is no media yet or the file cannot be opened."""
    channel = session.channel
    if not channel.has_media or path in session.recordings:
        return channel.has_media
    settings = channel.variables | given
    heard = _heard(session, settings)
    recording = Recording(path, heard, buffered=settings.get("enable_file_write_buffering", "true") in _TRUE_WORDS)
    try:
        recording.open()
    except CannotRecord:
        channel.variables["record_completion_cause"] = "uri-failure"
        return False
    recording.given = given
    recording.shortest_seconds = int(settings.get("RECORD_MIN_SEC", "0"))
    held_back = int(settings.get("RECORD_PRE_BUFFER_FRAMES", _PRE_BUFFER_FRAMES))
    recording.shortest_samples = held_back * FRAME_SAMPLES
    session.recordings[path] = recording
    session.end_recordings = _stop_all
    channel.fire("RECORD_START", _described(recording))
    session.node.spawn(_run, session, recording, time.time() + limit_seconds if limit_seconds else float("inf"))
    return True


def _stop_all(session: Session) -> None:
    """Close the recordings of a call that has ended."""
    for one in tuple(session.recordings.values()):
        _stop(session, one)


def _run(session: Session, recording: Recording, until: float) -> None:
    recording.write_while(lambda: session.recordings.get(recording.path) is recording and time.time() < until)
    if session.recordings.get(recording.path) is recording:
        _stop(session, recording)


def _change(session: Session, action: str, recording: Recording | None) -> bool:
    if recording is None:
        return False
    match action:
        case "stop":
            _stop(session, recording)
        case "pause" | "resume":
            recording.pause(action == "pause")
        case _:
            recording.set_mask(action == "mask")
    return True


def _stop(session: Session, recording: Recording) -> None:
    """record_callback at its close: what is too short is deleted, and the event tells why it ended."""
    channel = session.channel
    del session.recordings[recording.path]
    recording.close()
    if recording.samples < recording.shortest_samples:
        cause = "empty-file"
    elif recording.samples < recording.shortest_seconds * RATE:
        cause = "input-too-short"
    else:
        cause = "success-silence" if channel.hung_up.is_set() else "success-maxtime"
    if cause in ("empty-file", "input-too-short"):
        channel.variables["RECORD_DISCARDED"] = "true"
        recording.discard()
    channel.variables |= {
        "record_file_size": str(recording.bytes_written),
        "record_samples": str(recording.samples),
        "record_seconds": str(recording.samples // RATE),
        "record_ms": str(recording.samples * 1000 // RATE),
        "record_completion_cause": cause,
    }
    channel.fire("RECORD_STOP", _described(recording) | {"Record-Completion-Cause": cause})


def _described(recording: Recording) -> dict[str, str]:
    headers = {"Record-File-Path": recording.path}
    return headers | {f"Recording-Variable-{name}": value for name, value in recording.given.items()}


def _heard(session: Session, settings: dict[str, str]) -> Heard:
    """What is read from the far end, what is written to it, both in one channel, or each in one of its own."""

    def wanted(name: str) -> bool:
        return settings.get(name, "").lower() in _TRUE_WORDS

    def both() -> tuple[frozenset[int], frozenset[int]]:
        reads = SILENCE if wanted("RECORD_WRITE_ONLY") else session.says()
        return reads, SILENCE if wanted("RECORD_READ_ONLY") else session.hears()

    if wanted("RECORD_STEREO"):
        return both
    return lambda: (frozenset().union(*both()),)
