"""What becomes of an announcement is told to the client, through the same commit as an event of the switch."""

from __future__ import annotations

import pytest
import redis

from orchestrator.domain.conference import CallbackSettings, Participant
from orchestrator.domain.events import AnnouncementEnded, AnnouncementFailed, CallEnded, MemberRemoved
from orchestrator.sounds.outcome import Outcomes
from orchestrator.store.commits import CommitStore
from orchestrator.store.outbox import Lane
from tests.unit.test_applier import NOW, World

SAY = "https://app.example/say"
EVERYTHING = CallbackSettings("http://127.0.0.1:9/conference", "POST", ("leave", "end", "announcement"))
ANNOUNCEMENTS: list[AnnouncementEnded | AnnouncementFailed] = [
    AnnouncementEnded(NOW, SAY, "one"),
    AnnouncementFailed(NOW, SAY, "11200: the server said 404", "two"),
]


@pytest.fixture
def world(client: redis.Redis) -> World:
    return World(client)


@pytest.fixture
def outcomes(world: World) -> Outcomes:
    return Outcomes(CommitStore(world.client), world.new_applier)


def joined(world: World, member_id: int) -> Participant:
    made = world.create(conference_callbacks=EVERYTHING)
    world.join(made, member_id)
    return made


@pytest.mark.parametrize("event", ANNOUNCEMENTS)
def test_the_end_of_an_announcement_is_a_callback(
    world: World, outcomes: Outcomes, event: AnnouncementEnded | AnnouncementFailed
) -> None:
    """`announcement-end` or `announcement-fail`, with the URL and the person's CallSid."""
    one = joined(world, 1)
    for _ in range(2):
        outcomes.tell(Lane(one.conference_sid, one.call_sid), event)
    entries = world.entries(one.conference_sid)

    assert [entry.kind for entry in entries] == [
        "announcement-end" if isinstance(event, AnnouncementEnded) else "announcement-fail"
    ]
    assert {"AnnounceUrl": SAY, "CallSid": one.call_sid}.items() <= dict(entries[0].parameters).items()


def test_an_announcement_to_all_is_told_once_and_of_nobody(world: World, outcomes: Outcomes) -> None:
    """Though it is applied through one of them."""
    one = joined(world, 1)
    joined(world, 2)
    for _ in range(2):  # a worker died before it had noted that it is told
        outcomes.tell(Lane(one.conference_sid, "conference"), AnnouncementEnded(NOW, SAY, "one", to_all=True))
    (entry,) = world.entries(one.conference_sid)

    assert (entry.kind, entry.call_sid) == ("announcement-end", "")
    assert "CallSid" not in dict(entry.parameters)


def test_who_has_left_is_still_told_of_what_was_announced_to_them(world: World, outcomes: Outcomes) -> None:
    """The client has asked for it; the conference goes on."""
    one = joined(world, 1)
    joined(world, 2)
    world.apply(one, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    outcomes.tell(Lane(one.conference_sid, one.call_sid), ANNOUNCEMENTS[1])

    assert world.kinds(one.conference_sid) == ["participant-leave", "announcement-fail"]


@pytest.mark.parametrize("lane", ["conference", "participant"])
def test_nothing_is_told_after_the_conference_s_end(world: World, outcomes: Outcomes, lane: str) -> None:
    """`conference-end` is the last callback."""
    one = joined(world, 1)
    world.apply(one, MemberRemoved(NOW), CallEnded(NOW, "NORMAL_CLEARING"))
    told = Lane(one.conference_sid, "conference" if lane == "conference" else one.call_sid)
    outcomes.tell(told, AnnouncementFailed(NOW, SAY, "x", "one", to_all=lane == "conference"))
    outcomes.tell(Lane("CF" + "0" * 32, one.call_sid), ANNOUNCEMENTS[0])

    assert world.kinds(one.conference_sid)[-1] == "conference-end"
