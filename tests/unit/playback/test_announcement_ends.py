"""What becomes of an announcement is told to the client, through the same commit as an event of the switch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import redis

from orchestrator import logs
from orchestrator.domain.changes import Change
from orchestrator.domain.conference import CallbackSettings, Participant
from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed, CallEnded, MemberRemoved
from orchestrator.freeswitch.commands import SwitchCommand
from orchestrator.playback.announcement_ends import AnnouncementEnds
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.commits import CommitStore, Committed
from orchestrator.store.lanes import Lane
from orchestrator.store.playback import PlaybackStore
from tests.unit.listener.test_committer import NOW, World
from tests.unit.records import NODE

SAY = "https://app.example/say"
EVERYTHING = CallbackSettings("http://127.0.0.1:9/conference", "POST", ("leave", "end", "announcement"))
ANNOUNCEMENTS: list[AnnouncementEnded | AnnouncementFailed] = [
    AnnouncementEnded(NOW, SAY, "one"),
    AnnouncementFailed(NOW, SAY, "11200: the server said 404", "two"),
]


class Nodes:
    """One node, which is told nothing: no announcement's end leads to anything."""

    def get(self, name: str) -> Nodes:
        assert name == NODE
        return self

    def send(self, command: SwitchCommand, seconds: float = 2) -> str:
        raise AssertionError(command.render())


@pytest.fixture
def world(client: redis.Redis) -> World:
    return World(client)


@pytest.fixture
def ends(world: World) -> AnnouncementEnds:
    nodes: Any = Nodes()
    return AnnouncementEnds(CommitStore(world.client), nodes, world.new_committer)


def joined(world: World, member_id: int) -> Participant:
    made = world.create(conference_callbacks=EVERYTHING)
    world.join(made, member_id)
    return made


@pytest.mark.parametrize("event", ANNOUNCEMENTS)
def test_the_end_of_an_announcement_is_a_callback(
    world: World, ends: AnnouncementEnds, event: AnnouncementEnded | AnnouncementFailed
) -> None:
    """`announcement-end` or `announcement-fail`, with the URL and the person's CallSid."""
    one = joined(world, 1)
    for _ in range(2):
        ends.report(Lane(one.conference_sid, one.call_sid), event)
    entries = world.entries(one.conference_sid)

    assert [entry.kind for entry in entries] == [
        "announcement-end" if isinstance(event, AnnouncementEnded) else "announcement-fail"
    ]
    assert {"AnnounceUrl": SAY, "CallSid": one.call_sid}.items() <= dict(entries[0].parameters).items()


def test_an_announcement_to_all_is_told_once_and_of_nobody(world: World, ends: AnnouncementEnds) -> None:
    """It is an event of the conference."""
    one = joined(world, 1)
    joined(world, 2)
    for _ in range(2):  # a worker died before it had noted that it is told
        ends.report(Lane(one.conference_sid, "conference"), AnnouncementEnded(NOW, SAY, "one"))
    (entry,) = world.entries(one.conference_sid)

    assert (entry.kind, entry.call_sid) == ("announcement-end", "")
    assert "CallSid" not in dict(entry.parameters)


def test_who_has_left_is_still_told_of_what_was_announced_to_them(world: World, ends: AnnouncementEnds) -> None:
    """The client has asked for it; the conference goes on."""
    one = joined(world, 1)
    joined(world, 2)
    world.apply(one, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    ends.report(Lane(one.conference_sid, one.call_sid), ANNOUNCEMENTS[1])

    assert world.kinds(one.conference_sid) == ["participant-leave", "announcement-fail"]


@pytest.mark.parametrize("lane", ["conference", "participant"])
def test_nothing_is_told_after_the_conference_s_end(world: World, ends: AnnouncementEnds, lane: str) -> None:
    """`conference-end` is the last callback."""
    one = joined(world, 1)
    world.apply(one, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    told = Lane(one.conference_sid, "conference" if lane == "conference" else one.call_sid)
    ends.report(told, AnnouncementFailed(NOW, SAY, "x", "one"))
    ends.report(Lane("CF" + "0" * 32, one.call_sid), ANNOUNCEMENTS[0])

    assert world.kinds(one.conference_sid)[-1] == "conference-end"


def test_each_announcement_that_the_end_cuts_off_is_told_before_it(world: World, ends: AnnouncementEnds) -> None:
    """The client has been told 200, and is owed an answer; what was told already is not told again."""
    one = joined(world, 1)
    sounds, lanes = (
        PlaybackStore(world.client),
        [Lane(one.conference_sid, name) for name in ("conference", one.call_sid)],
    )
    asked = mint_sid("RQ")
    for lane in lanes:
        with logs.bound(request_id=asked):
            sounds.add_announcement(lane, f"{SAY}/{lane.name}", "POST")
            sounds.add_announcement(lane, f"{SAY}/{lane.name}/2", "POST")
    waiting = sounds.load(lanes[0]).next
    assert waiting is not None
    ends.report(lanes[0], AnnouncementEnded(NOW, waiting.url, waiting.id))
    world.apply(one, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    entries = world.entries(one.conference_sid)
    urls = {dict(entry.parameters)["AnnounceUrl"] for entry in entries if entry.kind == "announcement-fail"}

    assert [entry.kind for entry in entries] == [
        "announcement-end", "participant-leave", *["announcement-fail"] * 3, "conference-end",
    ]  # fmt: skip
    assert urls == {f"{SAY}/conference/2", f"{SAY}/{one.call_sid}", f"{SAY}/{one.call_sid}/2"}
    assert [entry.request_id for entry in entries][2:] == [*[asked] * 3, ""]
    assert not world.client.exists(keys.owed(one.conference_sid))
    ends.report(lanes[1], AnnouncementFailed(NOW, SAY, "nobody is there to hear it", "late"))
    assert world.kinds(one.conference_sid)[-1] == "conference-end"


def test_an_announcement_that_comes_while_the_conference_ends_is_told_or_refused(world: World) -> None:
    """The commit of the end is made again if one was accepted after it had been computed."""
    one = joined(world, 1)
    lane, sounds = Lane(one.conference_sid, "conference"), PlaybackStore(world.client)
    commit, calls = world.committer.store.commit, list[Sequence[Change]]()

    def commit_late(changes: Sequence[Change], epoch: int | None = None) -> list[Committed | None]:
        if not calls:
            sounds.add_announcement(lane, SAY, "POST")
        calls.append(changes)
        return commit(changes, epoch)

    world.committer.store.commit = commit_late  # type: ignore[method-assign]
    world.apply(one, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))

    assert world.kinds(one.conference_sid)[-2:] == ["announcement-fail", "conference-end"]
