"""Playing files into a conference or to one member, without sound (conference_file.c, conference_api.c).

A file lasts as long as its WAV header or its tones say, for ever with `loops=-1`, and one second otherwise.
"""

from __future__ import annotations

import re
import wave
from pathlib import Path

from orchestrator.sandbox.conference import Conference, Member

PLAY_USAGE = "<file_path> [async|<member_id> [nomux]]"
_DEFAULT_SECONDS = 1.0
_TONE = re.compile(r"%\((\d+),(\d+)")


def play(conference: Conference, words: list[str]) -> str | None:
    """`play <file> [async]` or `play <file> <member> [nomux]`."""
    is_async = words[1:2] == ["async"] or words[2:3] == ["async"]
    words = [word for word in words if word != "async"]
    match words:
        case [file]:
            return _play_to_all(conference, file, is_async)
        case [file, member_id, *_]:
            return _play_to_member(conference, file, member_id)
        case _:
            return None


def _play_to_all(conference: Conference, file: str, is_async: bool) -> str:
    if not _can_be_opened(file):
        conference.fire("play-file", extra={"File": file, "Async": _truth(is_async), "Error": "File not found"})
        return f"-ERR (play) File: {file} not found.\n"
    conference.files.append(file)
    seconds = _duration_seconds(file)
    if seconds is not None:
        conference.node.spawn_later(seconds, _finish, conference, conference.files, file, None)
    conference.fire("play-file", extra={"File": file, "Async": _truth(is_async)})
    return f"+OK (play) Playing file {file}\n"


def _play_to_member(conference: Conference, file: str, member_id: str) -> str:
    member = conference.member(int(member_id) if member_id.isdigit() else 0)
    if member is None:
        return f"-ERR Member: {member_id} not found.\nplay {PLAY_USAGE}"
    if not start_member_file(conference, member, file):
        return f"-ERR (play) File: {file} not found.\n"
    conference.fire("play-file-member", member, {"File": file})
    return f"+OK (play) Playing file {file} to member {member.member_id}\n"


def start_member_file(conference: Conference, member: Member, file: str) -> bool:
    """conference_member_play_file: false if it cannot be opened."""
    if not _can_be_opened(file):
        return False
    member.files.append(file)
    seconds = _duration_seconds(file)
    if seconds is not None:
        conference.node.spawn_later(seconds, _finish, conference, member.files, file, member)
    return True


def stop(conference: Conference, words: list[str]) -> str | None:
    """`stop [current|all|async] [<member>]`."""
    which, member_id = (*words, "", "")[:2]
    if which.lower() not in ("", "current", "all", "async"):
        return None
    member = conference.member(int(member_id)) if member_id.isdigit() else None
    if member_id and member is None:
        return f"-ERR Member: {member_id} not found.\n"
    files = conference.files if member is None else member.files
    stopping = files[:1] if which == "current" else list(files)
    for file in stopping:
        _finish(conference, files, file, member)
    return f"+OK Stopped {len(stopping)} files.\n"


def stop_member_files(conference: Conference, member: Member) -> None:
    """conference_member_stop_file(FILE_STOP_ALL): the done events come a frame later, from the member's own thread."""
    for file in list(member.files):
        conference.node.spawn(_finish, conference, member.files, file, member)


def _finish(conference: Conference, files: list[str], file: str, member: Member | None) -> None:
    """conference_file_close: done, unless it was stopped before or the member has left."""
    if file not in files or (member is not None and member not in conference.members):
        return
    files.remove(file)
    conference.fire("play-file-done" if member is None else "play-file-member-done", member, {"File": file})


def _can_be_opened(file: str) -> bool:
    """Streams and URLs always can; a path must be there."""
    return "://" in file or Path(file).is_file()


def _duration_seconds(file: str) -> float | None:
    if "loops=-1" in file or file.startswith("local_stream://"):
        return None
    if file.endswith(".wav") and "://" not in file:
        with wave.open(file) as opened:
            return float(opened.getnframes() / opened.getframerate())
    if file.startswith("tone_stream://"):
        return sum(int(on_ms) + int(off_ms) for on_ms, off_ms in _TONE.findall(file)) / 1000
    return _DEFAULT_SECONDS


def _truth(value: bool) -> str:
    return "true" if value else "false"
