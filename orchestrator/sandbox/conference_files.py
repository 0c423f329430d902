"""`play`, `stop` and `play_status` (conference_file.c, conference_member.c, conference_api.c), without sound.

Each answer and event was compared with the real one's. Not copied: `pause_play`, `file_seek`, text to speech.
"""

from __future__ import annotations

from orchestrator.sandbox.conference import Conference, truth
from orchestrator.sandbox.file_queue import FileQueue, Playing
from orchestrator.sandbox.member import Member
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.recorded import CONFERENCE_COMMANDS
from orchestrator.sandbox.sounds import Sound, is_path, open_sound, with_prefix
from orchestrator.sandbox.switch_strings import atoi

_SPEECH = "say:"
_UNSIGNED = 0xFFFFFFFF


def play(conference: Conference, words: list[str]) -> str | None:
    """`play <file> [async]` or `play <file> <member> [nomux]`; words behind those are ignored."""
    is_async = len(words) in (2, 3) and words[-1].lower() == "async"
    if is_async:
        words = words[:-1]
    match words:
        case [file]:
            return _play_to_all(conference, file, is_async)
        case [file, member_id, *options]:
            return _play_to_member(conference, file, member_id, nomux=options[:1] == ["nomux"])
        case _:
            return None


def play_status(conference: Conference, words: list[str]) -> str | None:
    """Position and length are always 0 for sound without a picture; parameters and scheme are left out."""
    if len(words) > 1:
        return None
    files = conference.files
    if words:
        member = find_member(conference, words[0])
        if member is None:
            return f"-ERR Member: {words[0]} not found.\nplay_status {CONFERENCE_COMMANDS['play_status']}"
        files = member.files
    return "-ERR Nothing is playing\n" if files.head is None else f"+OK 0/0 {files.head.sound.path}\n"


def stop(conference: Conference, words: list[str]) -> str | None:
    """`stop [current|all|async] [<member>]`; with a member `async` is its current one.

    `last` is in the real one's usage line, and it is the usage line that it answers with.
    """
    which = words[0].lower() if words else "all"
    if which not in ("current", "all", "async"):
        return None
    if len(words) == 2:
        member = find_member(conference, words[1])
        if member is None:
            return f"-ERR Member: {words[1]} not found.\n"
        stopped = member.files.stop(only_first=which != "all")
    elif which == "async":
        stopped = conference.async_files.stop()
    else:
        stopped = conference.files.stop(only_first=which == "current")
        stopped += conference.async_files.stop() if which == "all" else 0
    return f"+OK Stopped {stopped} files.\n"


def find_member(conference: Conference, word: str) -> Member | None:
    """conference_member_get_by_str: an id, or `variable=value` of the channel."""
    name, equals, value = word.partition("=")
    if not equals:
        return conference.member(atoi(word))
    having = (member for member in conference.members if member.channel.variables.get(name) == value)
    return next((member for member in having if conference.member(member.member_id) is member), None)


def start_member_file(conference: Conference, member: Member, file: str, *, nomux: bool) -> bool:
    """conference_member_play_file: false if it cannot be opened. The member cannot leave before that is known."""
    with member.readers:
        sound = _open(conference, file if is_path(file) else with_prefix(file))
    if sound is None:
        return False
    member.files.add(Playing(sound, alone=nomux))
    return True


def _play_to_all(conference: Conference, file: str, is_async: bool) -> str:
    """One that cannot be opened has an event that says so."""
    not_found = f"-ERR (play) File: {file} not found.\n"
    if not conference.count:
        return not_found
    path = file if is_path(file) else with_prefix(file)
    sound = _open(conference, path)
    described = {"Async": truth(is_async)}
    if sound is None:
        conference.fire("play-file", extra={"File": path} | described | {"Error": "File could not be played"})
        return not_found
    playing = Playing(sound, loops=True, is_async=is_async)
    if is_async:
        conference.async_files.replace(playing)
    else:
        conference.files.add(playing)
    headers = conference.headers() | _parameters_of_head(conference.files)
    conference.send(headers | {"Action": "play-file", "File": file} | described)
    return f"+OK (play) Playing file {file}\n"


def _play_to_member(conference: Conference, file: str, member_id: str, *, nomux: bool) -> str:
    """The number in the first error is the real one's, too: it prints an address and not the id."""
    member = find_member(conference, member_id)
    if member is None:
        return f"-ERR Member: {id(conference) & _UNSIGNED} not found.\nplay {CONFERENCE_COMMANDS['play']}"
    if not start_member_file(conference, member, file, nomux=nomux):
        return f"-ERR (play) File: {file} not found.\n"
    headers = conference.headers(member) | _parameters_of_head(member.files)
    conference.send(headers | {"Action": "play-file-member", "File": file})
    return f"+OK (play) Playing file {file} to member {member.member_id}\n"


def _parameters_of_head(files: FileQueue) -> dict[str, str]:
    """The parameters of what plays now, which need not be what was asked for; the done event has its own."""
    return {} if files.head is None else files.head.sound.parameters


def _open(conference: Conference, file: str) -> Sound | None:
    if _SPEECH in file.lower():
        raise NotSimulated("speech, which ends the real one if a member is to hear it")
    return open_sound(conference.node.http_cache, file)
