"""What people hear while parts of the service are dead, and once they are back: an operator at three in the morning.

All tests of a switch break the same service, one after the other; `room` repairs it. It looks after itself more often
than one as shipped. Where the moment of a death matters, a part is rigged to kill itself there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import redis
from requests.exceptions import ConnectionError as NoAnswer
from twilio.base.exceptions import TwilioRestException

from tests.conftest import make_switch
from tests.harness.freeswitch import EslSocket, FreeSwitchError
from tests.harness.polling import eventually
from tests.harness.rigged import HurriedStack, await_death, repair, rig
from tests.harness.room import Person, Room
from tests.harness.stack import Stack
from tests.harness.web import Answer, Web

DIES_WHEN_THE_START_IS_WRITTEN = """
import orchestrator.listener.effects
from orchestrator.domain.effects import StartConference
render = orchestrator.listener.effects.render
orchestrator.listener.effects.render = lambda effect, *rest: (
    die() if isinstance(effect, StartConference) else render(effect, *rest)
)
"""

DIES_WHEN_THE_COACHING_IS_WRITTEN = """
from orchestrator.listener.coaching import Coaching
assert Coaching.settle
Coaching.settle = die
"""

DIES_BEFORE_THE_COACHING_IS_WRITTEN = """
from orchestrator.listener.committer import Committer
assert Committer.commit_events
Committer.commit_events = die
"""

DIES_WHEN_AN_ANNOUNCEMENTS_END_IS_WRITTEN = """
import orchestrator.playback.announcement_ends
tell = orchestrator.playback.announcement_ends.Outcomes.tell
orchestrator.playback.announcement_ends.Outcomes.tell = lambda *arguments: (tell(*arguments), die())
"""


@pytest.fixture(scope="module")
def stack(switch_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service to be broken again and again."""
    directory = tmp_path_factory.mktemp(f"crashes-{switch_name}")
    running = HurriedStack(make_switch(switch_name, directory / "switch"), directory, workers=2)
    with running:
        yield running


@pytest.fixture
def room(stack: Stack) -> Iterator[Room]:
    """A conference; afterwards every part runs again, without an accident built in."""
    made = Room(stack)
    yield made
    repair(stack)
    if made.conference_sid:
        made.end()


def kill_workers(stack: Stack) -> None:
    for worker in stack.workers:
        worker.kill_9()


def start_workers(stack: Stack) -> None:
    for worker in stack.workers:
        worker.start()


def looping(web: Web) -> str:
    """A document that plays `file` for as long as somebody is there to have it played on."""
    return web.put("/loop.xml", f'<Response><Play loop="0">{web.put_tone(2600, 1)}</Play></Response>')


def await_quiet(room: Room) -> None:
    """Until nobody hears the last of the music that they waited with: it could be taken for that of a hold."""
    eventually(lambda: not any(room.is_played_to(label) for label in room.people), "the waiting music has ended")


def dial(room: Room, label: str, digit: int, **settings: Any) -> Person:
    """As room.add, without a listener that could tell that they have joined."""
    number = f"+1555000100{digit}"
    settings = {"to": number, "label": label, "beep": "false", **settings}
    made = room.client.conferences(room.name).participants.create(**room.stack.call_settings(**settings))
    room.conference_sid = made.conference_sid
    eventually(lambda: made.call_sid in room.members(), f"{label} is a member")
    room.people[label] = Person(label, number, made.call_sid)
    return room.people[label]


def sounds_left(stack: Stack, conference_sid: str) -> list[str]:
    """What Redis keeps of the sounds of a conference."""
    client: Any = redis.Redis.from_url(stack.environment["REDIS_URL"], decode_responses=True)
    due = [lane for lane in client.zrange("sounds:due", 0, -1) if lane.startswith(conference_sid)]
    left = due + sorted(client.scan_iter(f"sound:{{{conference_sid}}}:*"))
    client.close()
    return left


def assert_told_in_order(room: Room) -> None:
    told = room.stack.receiver.of(room.conference_sid)
    assert [int(one.parameters["SequenceNumber"]) for one in told] == list(range(1, len(told) + 1))
    assert all(one.is_signed for one in told)


# ---------------------------------------------------------------- workers


def test_hold_works_without_workers_and_its_sound_goes_on_with_them(room: Room, web: Web) -> None:
    """A held person whose document nobody can go on with hears silence, never the conference; stock music goes on.
    Hold and its end are done at once; what is to be heard on a hold that began meanwhile comes with the workers."""
    for digit, label in enumerate(("anna", "bert", "carl", "dora"), 1):
        room.add(label, digit)
    await_quiet(room)
    url = looping(web)
    room.update("anna", hold=True, hold_url=url)
    room.update("carl", hold=True)
    room.expect("held, before the workers die", anna="file", bert="dora", carl="music", dora="bert")
    kill_workers(room.stack)
    eventually(lambda: not room.is_played_to("anna"), "the clip has ended")
    room.expect("held, all workers dead", anna="", bert="dora", carl="music", dora="bert")

    room.update("anna", hold=False)
    room.update("carl", hold=False)
    everybody = {"anna", "bert", "carl", "dora"}
    assert room.matrix() == {label: everybody - {label} for label in everybody}
    eventually(lambda: not room.is_played_to("carl"), "the music stops", 0.5)
    room.expect("back from hold, all workers dead", anna="bert carl dora", carl="anna bert dora")

    room.update("anna", hold=True, hold_url=url)
    room.update("carl", hold=True)
    assert room.matrix() == {"anna": set(), "bert": {"dora"}, "carl": set(), "dora": {"bert"}}
    room.expect("held while all workers are dead", anna="", bert="dora", carl="", dora="bert")
    start_workers(room.stack)
    eventually(lambda: room.is_played_to("anna") and room.is_played_to("carl"), "both hear something", 20)
    room.expect("held, the workers are back", anna="file", bert="dora", carl="music", dora="bert")


def test_stock_music_and_announcements_survive_their_worker(room: Room, web: Web) -> None:
    """Workers die while stock music covers a slow URL, and while an announcement is played: others load the document,
    the music is gone, and the announcement's end is told, once."""
    room.add("anna", 1)
    room.add("bert", 2)
    await_quiet(room)
    body = f'<Response><Play loop="0">{web.put_tone(2600, 1)}</Play></Response>'.encode()
    asked = web.count

    def slow_at_first() -> Answer:
        if asked("/slow.xml") == 1:
            eventually(lambda: asked("/slow.xml") > 1, "somebody else asks", 60)
        return 200, "text/xml", body

    web.pages["/slow.xml"] = slow_at_first
    room.update("anna", hold=True, hold_url=web.url("/slow.xml"))
    room.expect("held, the URL is slow, before its worker dies", anna="music", bert="")
    room.update("bert", announce_url=web.put_tone(2800, 2), announce_method="GET")
    eventually(lambda: room.is_played_to("bert"), "the announcement is played")
    kill_workers(room.stack)
    room.expect("held, the URL is slow, its worker is dead", anna="music")
    start_workers(room.stack)
    eventually(lambda: web.count("/2600-1.wav"), "the document is loaded", 25)
    room.expect("held, the URL was slow, its worker was replaced", anna="file", bert="")
    room.await_event("announcement-end")
    room.update("anna", hold=False)
    room.expect("back from that hold", anna="bert", bert="anna")

    assert room.stack.receiver.kinds(room.conference_sid).count("announcement-end") == 1
    assert_told_in_order(room)


def test_an_announcements_end_is_told_once_although_the_worker_died_right_then(room: Room, web: Web) -> None:
    """The end is written, and the worker dies before it has noted so."""
    room.add("anna", 1)
    room.add("bert", 2)
    await_quiet(room)
    first, second = room.stack.workers
    second.kill_9()
    rig(first, DIES_WHEN_AN_ANNOUNCEMENTS_END_IS_WRITTEN)
    room.update("anna", announce_url=web.put_tone(2600, 0.3), announce_method="GET")
    await_death(first)
    second.start()
    room.await_event("announcement-end")
    eventually(lambda: not sounds_left(room.stack, room.conference_sid), "nothing is left to be played", 25)
    room.update("anna", hold=True)  # behind what may be told twice
    room.await_event("participant-hold")

    assert room.stack.receiver.kinds(room.conference_sid).count("announcement-end") == 1


# ---------------------------------------------------------------- the listener


def test_mute_hold_and_announcements_work_without_a_listener(room: Room, web: Web) -> None:
    """The API and the workers do without it; what happened is told when it is back, and what came and went is not."""
    for digit, label in enumerate(("anna", "bert", "carl"), 1):
        room.add(label, digit)
    await_quiet(room)
    room.stack.listener.kill_9()
    room.update("carl", muted=True)
    room.update("anna", hold=True)
    room.update("bert", hold=True)
    assert room.matrix() == {"anna": set(), "bert": set(), "carl": set()}
    room.expect("held and muted without a listener", anna="music", bert="music", carl="")
    room.update("anna", hold=False)
    assert room.matrix() == {"anna": set(), "bert": set(), "carl": {"anna"}}
    url = web.put_tone(2600, 0.5)
    room.update("carl", announce_url=url, announce_method="GET")
    eventually(lambda: room.is_played_to("carl"), "the announcement is played")
    room.expect("unheld without a listener", anna="", bert="music")
    assert room.conference.participants("bert").fetch().hold is True

    room.stack.listener.start()
    assert room.await_event("participant-mute")["ParticipantLabel"] == "carl"
    assert room.await_event("participant-hold")["ParticipantLabel"] == "bert"
    assert room.await_event("announcement-end")["AnnounceUrl"] == url
    room.expect("the listener is back", anna="", bert="music", carl="anna")
    room.update("bert", hold=False)
    room.await_event("participant-unhold")
    counts = Counter(room.stack.receiver.kinds(room.conference_sid))
    assert (counts["participant-hold"], counts["participant-unhold"], counts["announcement-end"]) == (1, 1, 1)
    assert_told_in_order(room)


def test_a_second_person_comes_while_the_listener_is_away(room: Room) -> None:
    """Who waits goes on waiting, with music; when the listener is back the conference starts, and the music ends."""
    room.add("anna", 1)
    room.expect("alone, before the listener dies", anna="music")
    room.stack.listener.kill_9()
    dial(room, "bert", 2)
    room.expect("joined without a listener: nobody hears anybody", anna="music", bert="")
    room.stack.listener.start()
    room.expect("started by a listener that was away", anna="bert", bert="anna")
    room.await_event("conference-start")
    room.end()
    room.await_event("conference-end")

    counts = Counter(room.stack.receiver.kinds(room.conference_sid))
    assert (counts["conference-start"], counts["participant-join"]) == (1, 2)
    assert_told_in_order(room)


def test_the_waiting_music_ends_although_the_listener_died_at_the_start(room: Room) -> None:
    """The start is written, and the listener dies before it has told the switch: the next one does."""
    rig(room.stack.listener, DIES_WHEN_THE_START_IS_WRITTEN)
    room.stack.await_ready()
    room.add("anna", 1)
    eventually(lambda: room.is_played_to("anna"), "anna hears music")
    dial(room, "bert", 2)
    await_death(room.stack.listener)
    assert room.conference.fetch().status == "in-progress"
    repair(room.stack)
    eventually(lambda: room.matrix() == {"anna": {"bert"}, "bert": {"anna"}}, "they hear each other")
    eventually(lambda: not room.is_played_to("anna"), "the music has ended", 5)


# ---------------------------------------------------------------- Redis, the switch, the API


def coached(room: Room, web: Web) -> None:
    """Anna is coached by carl, bert is on hold with a document, dora is there."""
    anna = room.add("anna", 1)
    room.add("bert", 2)
    room.add("carl", 3, coaching=True, call_sid_to_coach=anna.call_sid)
    room.add("dora", 4)
    await_quiet(room)
    room.update("bert", hold=True, hold_url=looping(web))


def test_redis_dies_in_the_middle_of_hold_and_coaching(room: Room, web: Web) -> None:
    """Nobody hears what they must not while it is away; requests are refused; when it is back everything goes on."""
    coached(room, web)
    now = {"anna": "carl dora", "bert": "file", "carl": "anna dora", "dora": "anna"}
    room.expect("coached and held, before Redis dies", **now)
    room.stack.redis.kill_9()
    with pytest.raises(TwilioRestException) as caught:
        room.update("bert", hold=False)
    assert (caught.value.status, caught.value.code) == (503, 20503)
    eventually(lambda: not room.is_played_to("bert"), "the clip has ended")
    room.expect("coached and held, without Redis", **now | {"bert": ""})
    room.stack.redis.start()
    eventually(lambda: room.is_played_to("bert"), "bert hears something again", 25)
    room.expect("coached and held, Redis is back", **now)
    room.update("bert", hold=False)
    room.expect("back from hold, Redis is back", anna="bert carl dora", bert="anna dora", dora="anna bert")
    room.update("carl", call_sid_to_coach=room.people["bert"].call_sid)
    room.expect("moved to another, Redis is back", anna="bert dora", bert="anna carl dora", dora="anna bert")
    room.end()
    room.await_event("conference-end")

    assert_told_in_order(room)


def test_the_switch_dies_while_people_are_held_coached_and_announced_to(room: Room, web: Web) -> None:
    """Everybody has left and the conference has ended; nothing is told after that, and nothing is left to be played."""
    coached(room, web)
    url = web.put_tone(2800, 1.5)
    for _ in range(3):
        room.update("anna", announce_url=url, announce_method="GET")
        room.conference.update(announce_url=url, announce_method="GET")
    eventually(lambda: "+OK" in room._api("play_status"), "all are announced to")
    stack = room.stack
    stack.switch.kill_9()
    stack.switch.hang_up_far_end()
    stack.switch.start()
    stack.receiver.await_kind(room.conference_sid, "conference-end", seconds=10)
    left = stack.receiver.await_kind(room.conference_sid, "participant-leave", 4)
    eventually(lambda: not sounds_left(stack, room.conference_sid), "no sound is left", 20)

    assert len(left) == 4
    assert stack.receiver.kinds(room.conference_sid)[-1] == "conference-end"
    assert_told_in_order(room)
    stack.await_ready()


def test_the_api_dies_in_the_middle_of_a_coaching_update(room: Room) -> None:
    """Nothing has changed, or all of it: state and switch say the same, and the client can repeat it."""
    anna = room.add("anna", 1)
    room.add("bert", 2)
    room.add("carl", 3)
    stack = room.stack
    for patch, is_written in ((DIES_BEFORE_THE_COACHING_IS_WRITTEN, False), (DIES_WHEN_THE_COACHING_IS_WRITTEN, True)):
        rig(stack.api, patch)
        stack.await_ready()
        with pytest.raises(NoAnswer):
            room.update("carl", coaching=True, call_sid_to_coach=anna.call_sid)
        await_death(stack.api)
        repair(stack)

        assert room.conference.participants("carl").fetch().coaching is is_written
        when = "after" if is_written else "before"
        heard = "anna" if is_written else "anna carl"
        room.expect(f"the API died {when} it wrote", anna="bert carl", bert=heard, carl="anna bert")
    room.update("carl", coaching=True, call_sid_to_coach=anna.call_sid)
    room.expect("the API died after it wrote; repeated", anna="bert carl", bert="anna", carl="anna bert")

    assert room.await_event("participant-modify")["Coaching"] == "true"
    assert stack.receiver.kinds(room.conference_sid).count("participant-modify") == 1


# ---------------------------------------------------------------- behind our back


def test_what_is_changed_behind_our_back_is_put_right(room: Room, web: Web) -> None:
    """Somebody ends a whisper, lets a waiting person hear, stops music, ends a hold: by the switch's own console."""
    coached(room, web)
    now = {"anna": "carl dora", "bert": "file", "carl": "anna dora", "dora": "anna"}
    room.expect("before somebody meddles", **now)
    ids = {label: room.members()[person.call_sid]["id"] for label, person in room.people.items()}
    for channel_uuid in room.pairs():
        room.stack.switch.api(f"uuid_kill {channel_uuid}")
    room.expect("after the whispers were ended", **now)
    room._api(f"stop all {ids['bert']}")
    room.expect("after hold music was stopped", **now)
    room._api(f"unhold {ids['bert']}")
    assert room.await_event("participant-unhold")["ParticipantLabel"] == "bert"
    room.expect("after a hold was ended", anna="bert carl dora", bert="anna dora", dora="anna bert")

    waiting = Room(room.stack)
    waiting.add("emil", 5, start_conference_on_enter=False)
    waiting.add("fred", 6, start_conference_on_enter=False)
    member = waiting.members()[waiting.people["emil"].call_sid]["id"]
    waiting._api(f"undeaf {member}")
    waiting.expect("after one who waits was let hear", emil="music", fred="music")
    waiting.end()


def test_a_held_person_who_is_let_hear_behind_our_back_is_deafened_again(room: Room) -> None:
    """`undeaf` of somebody on hold: the next audit makes them deaf. Only the command can tell, and on a real switch
    sound: while a member is on hold the switch calls it deaf whether it is or not."""
    room.add("anna", 1)
    room.add("bert", 2)
    await_quiet(room)
    room.update("anna", hold=True)
    room.expect("on hold, before somebody meddles", anna="music", bert="")
    member = room.members()[room.people["anna"].call_sid]["id"]
    with deafened(room) as members:
        room._api(f"undeaf {member}")
        eventually(lambda: member in members, "anna is deafened", 4)
    heard = room._listen(("anna",))

    assert not heard or heard["anna"]["bert"] < -40


@contextmanager
def deafened(room: Room) -> Iterator[list[int]]:
    """The members of this conference that the switch deafens meanwhile."""
    members: list[int] = []
    connection = EslSocket(room.stack.switch.esl_port, room.stack.switch.password)
    connection.command("event json CUSTOM conference::maintenance")

    def read() -> None:
        with suppress(OSError, ValueError, FreeSwitchError):
            while True:
                event = json.loads(connection.read()[1] or "{}")
                if event.get("Action") == "deaf-member" and event.get("Conference-Name") == room.conference_sid:
                    members.append(int(event["Member-ID"]))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(read)
        try:
            yield members
        finally:
            connection.close()
