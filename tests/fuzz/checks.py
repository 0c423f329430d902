"""The checks of `make fuzz`, as tables: each returns what is wrong, in words, or nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.fuzz.model import PROPERTIES, Room
from tests.harness.receiver import Received

Complaints = Iterator[str]


@dataclass(frozen=True)
class View:
    """A conference as API and switch show it at a moment. By CallSid: `people` of the API (live ones), `members` of the
    switch, `hooks` (EndConferenceOnExit, of channels that are), `channels` that are. `hearing`: label -> labels."""

    conference: dict[str, Any]
    people: dict[str, dict[str, Any]]
    members: dict[str, dict[str, Any]]
    hooks: dict[str, bool]
    channels: frozenset[str]
    hearing: dict[str, set[str]]

    @property
    def is_over(self) -> bool:
        return bool(self.conference["status"] == "completed")

    @property
    def connected(self) -> dict[str, dict[str, Any]]:
        return {sid: person for sid, person in self.people.items() if person["status"] == "connected"}


# ---------------------------------------------------------------- API and switch agree


def same_calls(view: View) -> Complaints:
    """Who is live has a channel, and who has a channel is live."""
    for sid in view.people.keys() ^ view.channels:
        yield f"{sid}: {'no' if sid in view.people else 'a'} channel, {view.people.get(sid, {}).get('status', 'gone')}"


def same_members(view: View) -> Complaints:
    """Who is connected is a member; early media makes members of others."""
    for sid in view.connected.keys() - view.members.keys():
        yield f"{sid}: connected, and no member"
    for sid in view.members.keys() - view.people.keys():
        yield f"{sid}: a member, and gone"


def same_hold(view: View) -> Complaints:
    """Hold is the switch's flag."""
    for sid, person in view.connected.items():
        if sid in view.members and view.members[sid]["flags"]["hold"] is not person["hold"]:
            yield f"{sid}: hold is {person['hold']} by the API, and not on the switch"


def same_hearing(view: View) -> Complaints:
    """Who hears whom follows from mute, hold, coaching and the start; the switch's flags say the same."""
    started = view.conference["status"] == "in-progress"
    people = view.connected.values()
    for listener in people:
        expected = {
            speaker["label"]
            for speaker in people
            if started
            and speaker is not listener
            and not listener["hold"]
            and not speaker["muted"]
            and not speaker["hold"]
            and (not speaker["coaching"] or speaker["call_sid_to_coach"] == listener["call_sid"])
        }
        found = view.hearing.get(listener["label"], set())
        if found != expected:
            yield f"{listener['label']} hears {sorted(found)} on the switch, {sorted(expected)} by the API"


def same_hook(view: View) -> Complaints:
    """The switch ends the conference by itself, so its hook has to say what a GET says."""
    for sid, person in view.connected.items():
        if sid in view.hooks and view.hooks[sid] is not person["end_conference_on_exit"]:
            yield f"{person['label']}: EndConferenceOnExit is {not view.hooks[sid]} by the API, and not on the switch"


AGREEMENT: Final[tuple[Callable[[View], Complaints], ...]] = (
    same_calls, same_members, same_hold, same_hearing, same_hook,
)  # fmt: skip
"""True a moment after whatever was asked, and within 5 s of the return of what was killed."""


# ---------------------------------------------------------------- what was asked for is so


def as_asked(room: Room, view: View) -> Complaints:
    """Read your writes: each property is what was asked for last."""
    for sid, shown in view.people.items():
        person = room.people[sid]
        for name, (key, _) in PROPERTIES.items():
            if shown[key] not in getattr(person, name).possible:
                yield f"{person.label}: {key} is {shown[key]}, asked for was {getattr(person, name).possible}"


def nobody_thrown_out(room: Room, view: View) -> Complaints:
    """Nobody goes whom nobody has removed, and nothing ends that nobody has ended."""
    for person in room.people.values():
        if (person.call_sid in view.people) not in person.here.possible:
            yield f"{person.label} is {'still here' if person.call_sid in view.people else 'gone, and nobody did it'}"
    if view.is_over not in room.over.possible:
        yield f"the conference is {view.conference['status']} ({view.conference['reason_conference_ended']})"


def labels(room: Room, view: View) -> Complaints:
    """No two who are live have the same."""
    for label, count in Counter(person["label"] for person in view.people.values()).items():
        if count > 1:
            yield f"{count} people are called {label}"


AS_BELIEVED: Final[tuple[Callable[[Room, View], Complaints], ...]] = (as_asked, nobody_thrown_out, labels)


# ---------------------------------------------------------------- callbacks


def whole_and_in_order(room: Room, told: list[Received]) -> Complaints:
    """Numbers from 1 without a gap, each signed."""
    numbers = [int(one.parameters["SequenceNumber"]) for one in told]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"sequence numbers {numbers}"
    if not all(one.is_signed for one in told):
        yield "a signature is wrong"


def one_end(room: Room, told: list[Received]) -> Complaints:
    """Once, and nothing after it; at most one start."""
    kinds = [one.kind for one in told]
    if kinds.count("conference-end") != 1 or kinds[-1] != "conference-end" or kinds.count("conference-start") > 1:
        yield f"callbacks {kinds}"


def comings_and_goings(room: Room, told: list[Received]) -> Complaints:
    """One leave for everybody who was promised, at most one join before it, and nothing of them after it."""
    seen: dict[str, list[str]] = defaultdict(list)
    for one in told:
        if one.kind.startswith("participant-"):
            seen[one.parameters["CallSid"]].append(one.kind.removeprefix("participant-"))
    for sid in room.people.keys() | seen.keys():
        kinds = seen[sid]
        if kinds.count("leave") != 1 or kinds[-1] != "leave" or "join" in kinds[1:]:
            yield f"{sid} was told as {kinds}"


def turns(room: Room, told: list[Received]) -> Complaints:
    """Mute and unmute, hold and unhold, speech and its end take turns."""
    last: dict[tuple[str, str], str] = {}
    for one in told:
        kind = one.kind.removeprefix("participant-")
        what = kind.removeprefix("un") if kind.endswith(("mute", "hold")) else kind.rpartition("-")[0]
        if what in ("mute", "hold", "speech"):
            key = (one.parameters.get("CallSid", ""), what)
            if last.get(key) == kind:
                yield f"{key[0]}: {kind} twice in a row"
            last[key] = kind


def announcements(room: Room, told: list[Received]) -> Complaints:
    """One end or failure for each that was accepted."""
    heard = Counter(one.parameters["AnnounceUrl"] for one in told if one.kind.startswith("announcement-"))
    for asked in room.announcements:
        count = heard.pop(asked.url, 0)
        if count > 1 or (count == 0 and asked.is_certain):
            yield f"{count} times an end of {asked.url}"
    if heard:
        yield f"nobody asked for {sorted(heard)}"


CONFERENCE_CALLBACKS: Final[tuple[Callable[[Room, list[Received]], Complaints], ...]] = (
    whole_and_in_order, one_end, comings_and_goings, turns, announcements,
)  # fmt: skip


PROGRESS: Final = {"initiated": 0, "ringing": 1, "in-progress": 2}
"""What may come before the final state, in this order."""


def call_progress(sid: str, told: list[Received]) -> Complaints:
    """initiated, ringing or not, answered or not, and one final state, with numbers from 0."""
    states = [one.parameters["CallStatus"] for one in told]
    ranks = [PROGRESS.get(state, 3) for state in states]
    if ranks != sorted(set(ranks)) or ranks[:1] != [0] or ranks[-1:] != [3]:
        yield f"{sid}: {states}"
    if [int(one.parameters["SequenceNumber"]) for one in told] != list(range(len(told))):
        yield f"{sid}: sequence numbers"
    if not all(one.is_signed for one in told):
        yield f"{sid}: a signature is wrong"


def sip_response(sid: str, told: list[Received]) -> Complaints:
    """The final state has its SIP answer."""
    if "SipResponseCode" not in told[-1].parameters:
        yield f"{sid}: none with {told[-1].parameters['CallStatus']}"


CALL_CALLBACKS: Final[tuple[Callable[[str, list[Received]], Complaints], ...]] = (call_progress, sip_response)


# ---------------------------------------------------------------- recordings

FINAL: Final = ("completed", "absent", "failed")


def recording_progress(recording: dict[str, Any], told: list[Received]) -> Complaints:
    """In one of three ways, which is told once, as the last; what has begun is told before, and never again."""
    if recording["status"] not in FINAL:
        yield f"{recording['sid']} is {recording['status']}"
    statuses = [one.parameters["RecordingStatus"] for one in told]
    if [status for status in statuses if status in FINAL] != [recording["status"]] or statuses[-1] not in FINAL:
        yield f"{recording['sid']} is {recording['status']}, and was told as {statuses}"
    if statuses.count("stopped") > 1 or (recording["status"] == "completed" and statuses[0] != "in-progress"):
        yield f"{recording['sid']} was told as {statuses}"
    if not all(one.is_signed for one in told):
        yield f"{recording['sid']}: a signature is wrong"


# ---------------------------------------------------------------- nothing is left

KEPT: Final = ("conference:{SID}", "conference:{SID}:callbacks", "recordings:{SID}")
KEPT_EACH: Final = ("conference:{SID}:participant:", "conference:{SID}:recording:", "callback:{SID}:")
"""Of a conference that is over, one of a kind, and one for each (docs/redis-schema.md)."""


def left_over(sid: str, keys: list[str]) -> list[str]:
    """Keys of a conference that nobody needs any more."""
    kept, each = ([kind.replace("SID", sid) for kind in kinds] for kinds in (KEPT, KEPT_EACH))
    return [key for key in keys if key not in kept and not key.startswith(tuple(each))]
