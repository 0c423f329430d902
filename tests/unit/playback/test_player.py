"""What is heard when, with a real Redis; only the switch and the loader are stand-ins."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
import redis
from structlog.testing import capture_logs

from orchestrator import logs
from orchestrator.domain.conference import STOCK
from orchestrator.domain.events import MemberRemoved
from orchestrator.media.errors import MediaError
from orchestrator.media.program import Clip, Program, Source
from orchestrator.playback import player as player_module
from orchestrator.playback.player import NOT_PLAYABLE, STOCK_AFTER_SECONDS
from orchestrator.playback.state import LATE_MS, MOST_DOCUMENTS, SHORT_ROUND_MS, State
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.lanes import LEASE_MS, Lane
from orchestrator.twiml.verbs import Play
from tests.unit.fake_esl import settled
from tests.unit.listener.test_committer import NOW
from tests.unit.playback.theatre import AWAY, REFUSED, STOCK_MUSIC, Theatre

URL = "https://app.example/wait"
SAY = "https://app.example/say"
BROKEN = MediaError(11200, "the server said 404")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same order of things, sooner."""
    monkeypatch.setattr(player_module, "STOCK_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(player_module, "POLL_SECONDS", 0.02)


@pytest.fixture
def theatre(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Theatre:
    made = Theatre(client)
    monkeypatch.setattr(player_module, "now_ms", made.now_ms)
    return made


@pytest.fixture
def begun(theatre: Theatre) -> Iterator[list[gevent.Greenlet[..., Any]]]:
    """Looks that a test has begun; none outlives it."""
    looks: list[gevent.Greenlet[..., Any]] = []
    yield looks
    gevent.killall(looks)


def test_the_real_patience() -> None:
    """How long somebody may hear nothing while a document is loading."""
    assert STOCK_AFTER_SECONDS == 1.0


# ---------------------------------------------------------------- waiting and hold


def test_who_waits_hears_stock_music_until_the_start(theatre: Theatre) -> None:
    """One endless play; looking again changes nothing."""
    for _ in range(3):
        theatre.look()
    assert theatre.switch.played == [STOCK_MUSIC]
    theatre.start()

    assert theatre.switch.played == [STOCK_MUSIC]
    assert State.parse(theatre.sounds.load(theatre.lane).state) == State()


def test_an_empty_url_is_silence(theatre: Theatre) -> None:
    """Nothing is fetched, nothing is played."""
    theatre.wait_with("")
    theatre.look()

    assert (theatre.switch.commands, theatre.loader.asked) == ([], [])


def test_a_slow_document_gives_way_to_stock_music_until_it_has_come(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """Nothing for a moment, then stock, then the document from its beginning."""
    clip = theatre.clip()
    theatre.wait_with(URL)
    begun.append(theatre.begin_look())
    settled(lambda: theatre.loader.asked, "it is loading")
    assert theatre.switch.played == []
    theatre.hears(STOCK_MUSIC)
    theatre.loader.comes(URL, theatre.loader.program(clip))
    theatre.hears(clip)

    assert len(theatre.loader.asked) == 1
    assert theatre.switch.played == [STOCK_MUSIC, theatre.file_of(clip)]


def test_a_document_is_asked_for_in_the_participant_s_name(theatre: Theatre) -> None:
    """With the client's method, signed for its account."""
    theatre.world.modify(theatre.one, wait_url=URL, wait_method="GET")
    theatre.loader.known[URL] = theatre.loader.program(theatre.clip())
    theatre.look()
    (source,) = theatre.loader.asked

    assert (source.url, source.method, source.account_sid) == (URL, "GET", theatre.one.account_sid)
    assert dict(source.parameters)["CallSid"] == theatre.one.call_sid


def test_a_broken_document_is_stock_music_and_is_logged(theatre: Theatre) -> None:
    """With its code, where an operator finds it; for as long as that hold lasts it is not asked for again."""
    theatre.start()
    theatre.hold(URL)
    theatre.loader.known[URL] = BROKEN
    with capture_logs() as logs:
        for _ in range(3):
            theatre.look()
    failed = [row for row in logs if row["event"] == "sound_failed"]

    assert theatre.switch.played == [STOCK_MUSIC]
    assert [(row["code"], row["log_level"]) for row in failed] == [(11200, "error")]
    assert len(theatre.loader.asked) == 1


def test_a_document_that_fails_slowly_leaves_the_stock_music_on(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """It is heard without end, before and after."""
    theatre.wait_with(URL)
    begun.append(theatre.begin_look())
    theatre.hears(STOCK_MUSIC)
    theatre.loader.comes(URL, BROKEN)
    gevent.joinall(begun, timeout=5)

    theatre.hears(STOCK_MUSIC)


def test_a_finite_document_ends_in_silence(theatre: Theatre) -> None:
    """The held person is still on hold: nothing of the conference, and nothing else either."""
    first, second = theatre.clip(), theatre.clip(loops=2)
    theatre.start()
    theatre.hold(URL)
    theatre.loader.known[URL] = theatre.loader.program(first, Clip(None, 1000), second)
    theatre.look()
    heard = []
    while (file := theatre.switch.heard()) is not None:
        heard.append(file)
        theatre.ends()
    theatre.look()

    assert heard == [
        theatre.file_of(first), "silence_stream://1000", theatre.file_of(second), theatre.file_of(second),
    ]  # fmt: skip
    assert len(theatre.loader.asked) == 1
    assert theatre.due_in_ms(0) is None, "nothing to wait for"


def test_the_next_hold_begins_its_music_anew(theatre: Theatre) -> None:
    """And asks for it anew: it may be another document by now."""
    clip = theatre.clip()
    theatre.start()
    theatre.loader.known[URL] = theatre.loader.program(clip)
    for _ in range(2):
        theatre.hold(URL)
        theatre.look()
        theatre.unhold()
        theatre.look()

    assert theatre.switch.played == [theatre.file_of(clip)] * 2
    assert len(theatre.loader.asked) == 2


def test_another_wait_url_replaces_what_is_heard(theatre: Theatre) -> None:
    """At once, in place of it and not behind it."""
    clip = theatre.clip()
    theatre.loader.known[URL] = theatre.loader.program(clip)
    theatre.look()
    theatre.wait_with(URL)
    theatre.look()

    theatre.hears(clip)


def test_who_returns_from_hold_while_it_loads_is_played_nothing(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """The load is given up; whatever would have come of it."""
    theatre.start()
    theatre.hold(URL)
    begun.append(theatre.begin_look())
    settled(lambda: theatre.loader.asked, "it is loading")
    theatre.unhold()
    theatre.look()  # the wake-up of it finds the lane leased
    theatre.loader.comes(URL, theatre.loader.program(theatre.clip()))
    gevent.joinall(begun, timeout=5)

    assert begun[0].ready()
    assert theatre.switch.heard() is None
    assert State.parse(theatre.sounds.load(theatre.lane).state) == State()


# ---------------------------------------------------------------- loops of documents


def test_a_background_goes_round_for_as_long_as_somebody_waits(theatre: Theatre) -> None:
    """<Redirect> to itself; each round is fetched anew."""
    clip = theatre.clip(5_000)
    theatre.loader.known[URL] = theatre.loader.program(clip, then=Source(URL, "POST", (), theatre.one.account_sid))
    theatre.wait_with(URL)
    theatre.look()
    for _ in range(MOST_DOCUMENTS + 5):
        theatre.ends()

    assert theatre.switch.heard() == theatre.file_of(clip)
    assert len(theatre.loader.asked) == MOST_DOCUMENTS + 6


def test_a_short_round_is_not_fetched_all_the_time(theatre: Theatre) -> None:
    """Something that plays for less than a second and leads to itself: the next round is a second away."""
    clip = theatre.clip(SHORT_ROUND_MS - 1)
    theatre.loader.known[URL] = theatre.loader.program(clip, then=Source(URL, "POST", (), theatre.one.account_sid))
    theatre.wait_with(URL)
    theatre.look()
    theatre.ends()
    due = theatre.due_in_ms(theatre.now_ms())

    assert len(theatre.loader.asked) == 1
    assert due is not None
    assert SHORT_ROUND_MS - 500 <= due <= SHORT_ROUND_MS
    theatre.look()
    assert len(theatre.loader.asked) == 1, "a look for another reason is not sooner"
    theatre.ahead_ms += SHORT_ROUND_MS
    theatre.look()
    assert len(theatre.loader.asked) == 2


def test_an_announcement_leads_on_to_so_many_documents_only(theatre: Theatre) -> None:
    """Then it has ended, and says so."""
    clip = theatre.clip(5_000)
    theatre.loader.known[SAY] = theatre.loader.program(clip, then=Source(SAY, "POST", (), theatre.one.account_sid))
    theatre.start()
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    theatre.look()
    while theatre.switch.heard() is not None:
        theatre.ends()

    assert len(theatre.loader.asked) == MOST_DOCUMENTS
    assert theatre.outcomes() == [("AnnouncementEnded", SAY)]


# ---------------------------------------------------------------- announcements


def test_an_announcement_is_played_once_and_told_to_have_ended(theatre: Theatre) -> None:
    """Then the conference is heard alone again."""
    clip = theatre.clip()
    theatre.loader.known[SAY] = theatre.loader.program(clip)
    theatre.start()
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    theatre.look()
    assert (theatre.switch.heard(), theatre.outcomes()) == (theatre.file_of(clip), [])
    theatre.ends()
    theatre.look()

    assert theatre.switch.heard() is None
    assert theatre.outcomes() == [("AnnouncementEnded", SAY)]
    assert theatre.told[0][0].name != "conference"


def test_an_announcement_that_was_cut_is_heard_again_once(theatre: Theatre) -> None:
    """Whoever returns from hold, or has waited, has all sounds stopped; cut once more, it is taken for ended."""
    clip = theatre.clip(5_000)
    theatre.loader.known[SAY] = theatre.loader.program(clip)
    theatre.start()
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    theatre.look()
    theatre.look(theatre.switch.end())
    assert (theatre.switch.heard(), theatre.outcomes()) == (theatre.file_of(clip), [])
    theatre.look(theatre.switch.end())

    assert (theatre.switch.heard(), theatre.outcomes()) == (None, [("AnnouncementEnded", SAY)])


def test_announcements_are_played_one_after_the_other(theatre: Theatre) -> None:
    """In the order in which they were asked for; one that fails does not hold up the next."""
    clips = {f"{SAY}{number}": theatre.clip() for number in (1, 3)}
    theatre.loader.known |= {url: theatre.loader.program(clip) for url, clip in clips.items()} | {f"{SAY}2": BROKEN}
    theatre.start()
    for number in (1, 2, 3):
        theatre.sounds.add_announcement(theatre.lane, f"{SAY}{number}", "POST")
    theatre.look()
    theatre.ends()
    theatre.hears(clips[f"{SAY}3"])
    theatre.ends()

    assert theatre.outcomes() == [
        ("AnnouncementEnded", f"{SAY}1"), ("AnnouncementFailed", f"{SAY}2"), ("AnnouncementEnded", f"{SAY}3"),
    ]  # fmt: skip
    assert "11200" in theatre.told[1][1].reason  # type: ignore[union-attr]  # one that failed


def test_an_announcement_takes_the_place_of_hold_music_which_then_goes_on(theatre: Theatre) -> None:
    """The clip that it broke off, in the document that is loaded already."""
    music, second, say = theatre.clip(), theatre.clip(), theatre.clip()
    theatre.loader.known |= {URL: theatre.loader.program(music, second), SAY: theatre.loader.program(say)}
    theatre.start()
    theatre.hold(URL)
    theatre.look()
    theatre.ends()
    theatre.hears(second)
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    theatre.look()
    theatre.hears(say)
    theatre.look(theatre.switch.ended[-1][0])  # that the music was stopped is no end of the announcement
    theatre.hears(say)
    theatre.ends()

    theatre.hears(second)
    assert [source.url for source in theatre.loader.asked] == [URL, SAY]
    assert theatre.outcomes() == [("AnnouncementEnded", SAY)]


def test_while_an_announcement_loads_the_music_goes_on(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """It is broken off when the announcement has come, not before."""
    say = theatre.clip()
    theatre.look()
    theatre.hears(STOCK_MUSIC)
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    begun.append(theatre.begin_look())
    settled(lambda: theatre.loader.asked, "it is loading")
    theatre.hears(STOCK_MUSIC)
    theatre.loader.comes(SAY, theatre.loader.program(say))

    theatre.hears(say)


def test_while_an_announcement_loads_the_next_clip_of_the_music_is_played(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """A slow announcement (up to a minute) must not be a minute of silence on hold."""
    music, second = theatre.clip(), theatre.clip()
    theatre.loader.known[URL] = theatre.loader.program(music, second)
    theatre.start()
    theatre.hold(URL)
    theatre.look()
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    begun.append(theatre.begin_look())
    settled(lambda: len(theatre.loader.asked) == 2, "it is loading")
    theatre.look(theatre.switch.end())  # noted; whoever has the lane has to look

    assert settled(theatre.switch.heard, "something is heard", 1)


def test_an_announcement_does_not_wait_for_a_slow_hold_url(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """Whoever is on hold with a URL that hangs hears stock music, and the announcement."""
    say = theatre.clip()
    theatre.loader.known[SAY] = theatre.loader.program(say)
    theatre.start()
    theatre.hold(URL)
    begun.append(theatre.begin_look())
    theatre.hears(STOCK_MUSIC)
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    theatre.look()

    assert settled(lambda: theatre.switch.heard() == theatre.file_of(say), "the announcement is heard", 1)


def test_an_announcement_to_all_is_everybody_s(theatre: Theatre) -> None:
    """In a lane of its own, beside what single participants hear."""
    say = theatre.clip()
    theatre.loader.known[SAY] = theatre.loader.program(say)
    theatre.start()
    lane = Lane(theatre.one.conference_sid, "conference")
    theatre.sounds.add_announcement(lane, SAY, "POST")
    theatre.look(lane=lane)
    assert theatre.switch.heard("all") == theatre.file_of(say)
    theatre.ends("all", lane)

    assert theatre.outcomes() == [("AnnouncementEnded", SAY)]
    assert theatre.told[0][0] == lane
    assert "CallSid" not in dict(theatre.loader.asked[0].parameters)


def test_what_nobody_is_there_to_hear_has_failed(theatre: Theatre) -> None:
    """One that plays and those that wait; each is told, and nothing is left behind."""
    theatre.loader.known[f"{SAY}1"] = theatre.loader.program(theatre.clip())
    theatre.start()
    for number in (1, 2, 3):
        theatre.sounds.add_announcement(theatre.lane, f"{SAY}{number}", "POST")
    theatre.look()
    theatre.world.apply(theatre.one, MemberRemoved(NOW))
    for _ in range(3):
        theatre.look()

    assert theatre.outcomes() == [("AnnouncementFailed", f"{SAY}{number}") for number in (1, 2, 3)]
    assert list(theatre.client.scan_iter("playback*")) == []


# ---------------------------------------------------------------- what goes wrong


def test_an_end_of_another_play_is_none(theatre: Theatre) -> None:
    """Late news of what was stopped long ago."""
    first, second = theatre.clip(), theatre.clip()
    theatre.loader.known[URL] = theatre.loader.program(first, second)
    theatre.wait_with(URL)
    theatre.look()
    theatre.look("0123456789abcdef")

    assert theatre.switch.played == [theatre.file_of(first)]


def test_an_end_that_nobody_saw_is_made_up_for(theatre: Theatre) -> None:
    """The listener was away: so long after its time a sweep finds the lane, and the next clip is played."""
    first, second = theatre.clip(5_000), theatre.clip()
    theatre.loader.known[URL] = theatre.loader.program(first, second)
    theatre.wait_with(URL)
    before_ms = int(time.time() * 1000)
    theatre.look()
    due = theatre.due_in_ms(before_ms)
    assert due is not None
    assert 5_000 + LATE_MS <= due <= 6_000 + LATE_MS
    theatre.switch.queues.clear()
    theatre.ahead_ms = due + 1
    theatre.look()

    theatre.hears(second)


def test_a_worker_that_dies_while_stock_fills_in_is_made_up_for(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """Whoever takes over knows that the stock music plays, and stops it when the document has come."""
    clip = theatre.clip()
    theatre.wait_with(URL)
    begun.append(theatre.begin_look())
    theatre.hears(STOCK_MUSIC)
    now_ms = int(time.time() * 1000)
    begun[0].kill()
    due = theatre.due_in_ms(now_ms)
    assert due is not None, "a sweep finds it"
    assert due <= LEASE_MS + 3_000
    theatre.client.delete(keys.lane_lease("playback", theatre.lane.sid, theatre.lane.name))
    theatre.loader.known[URL] = theatre.loader.program(clip)
    theatre.engine = theatre.new_engine()
    theatre.look()

    theatre.hears(clip)


def test_a_clip_that_had_to_make_room_is_rendered_again(theatre: Theatre) -> None:
    """The verb, not the document: what came before it is not heard twice."""
    first, gone, clip = theatre.clip(), Clip("0" * 32, 5_000), theatre.clip()
    theatre.loader.known[URL] = theatre.loader.program(first, gone)
    theatre.wait_with(URL)
    theatre.look()
    (url,) = (url for url, known in theatre.loader.known.items() if known == gone)
    theatre.loader.known[url] = clip
    theatre.ends()

    theatre.hears(clip)
    assert theatre.loader.rendered.count(url) == 2
    assert len(theatre.loader.asked) == 1


def test_a_document_that_is_audio_and_had_to_make_room_is_loaded_again(theatre: Theatre) -> None:
    """It has no verb to be rendered."""
    clip = theatre.clip()
    theatre.wait_with(URL)
    programs = iter([Program(clip=Clip("0" * 32, 5_000)), Program(clip=clip)])
    theatre.loader.load_program = lambda source: next(programs)  # type: ignore[method-assign]
    theatre.look()

    theatre.hears(clip)


# ---------------------------------------------------------------- long documents


def test_the_first_verb_is_heard_while_the_next_is_still_fetched(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """However many there are: one is fetched ahead, no more, and it is played as soon as the first one ends."""
    clips = [theatre.clip(60_000) for _ in range(3)]
    verbs = tuple(Play(f"song-{number}") for number in range(15))
    theatre.loader.known |= {URL: Program(verbs), "song-0": clips[0], "song-2": clips[2]}
    theatre.wait_with(URL)
    begun.append(theatre.begin_look())
    theatre.hears(clips[0])
    settled(lambda: theatre.loader.rendered == ["song-0", "song-1"], "the next is fetched")
    theatre.loader.comes("song-1", clips[1])
    gevent.joinall(begun, timeout=5)
    assert (begun[0].ready(), theatre.loader.rendered) == (True, ["song-0", "song-1"])
    theatre.loader.comes("song-3", theatre.clip())
    theatre.ends()

    theatre.hears(clips[1])
    assert theatre.loader.rendered == ["song-0", "song-1", "song-2"]


def test_a_clip_that_ends_before_the_next_has_come_is_followed_by_stock_music(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """After a moment of silence, which begins where the clip ends; and then by the next."""
    first, second = theatre.clip(), theatre.clip()
    theatre.loader.known |= {URL: Program((Play("one"), Play("two"))), "one": first}
    theatre.wait_with(URL)
    begun.append(theatre.begin_look())
    theatre.hears(first)
    settled(lambda: theatre.loader.rendered == ["one", "two"], "the next is fetched")
    gevent.sleep(0.2)  # longer than silence may last here
    theatre.hears(first)
    theatre.ends()  # noted: the lane is leased
    theatre.hears(STOCK_MUSIC)
    theatre.loader.comes("two", second)

    theatre.hears(second)


@pytest.mark.parametrize("broken", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2)])
def test_what_cannot_be_played_is_passed_over(theatre: Theatre, broken: tuple[int, ...]) -> None:
    """And logged, each with its code; the announcement has ended as any other."""
    verbs = [theatre.loader.play(BROKEN if number in broken else theatre.clip()) for number in range(3)]
    theatre.loader.known[SAY] = Program(tuple(verbs))
    theatre.start()
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    heard = []
    with capture_logs() as logs:
        theatre.look()
        while (file := theatre.switch.heard()) is not None:
            heard.append(file)
            theatre.ends()

    assert len(heard) == 3 - len(broken)
    assert [row["code"] for row in logs if row["event"] == "verb_passed_over"] == [11200] * len(broken)
    assert theatre.outcomes() == [("AnnouncementEnded", SAY)]


@pytest.mark.parametrize("then", [None, Source(URL, "POST", (), "AC")])
def test_a_document_of_which_nothing_can_be_played_has_failed(theatre: Theatre, then: Source | None) -> None:
    """With the first reason, also if it leads to itself: it is not asked for again and again."""
    broken = [theatre.loader.play(BROKEN), theatre.loader.play(MediaError(13420, "no audio"))]
    theatre.loader.known |= {URL: Program(tuple(broken), then=then), SAY: Program(tuple(broken))}
    theatre.wait_with(URL)
    with capture_logs() as logs:
        theatre.look()
    theatre.hears(STOCK_MUSIC)
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    theatre.look()

    assert [row["code"] for row in logs if row["event"] == "sound_failed"] == [11200]
    assert len(theatre.loader.asked) == 2
    assert [(kind, event.reason) for (kind, _), (_, event) in zip(theatre.outcomes(), theatre.told, strict=True)] == [  # type: ignore[union-attr]  # one that failed
        ("AnnouncementFailed", "11200: the server said 404")
    ]


def test_a_document_of_which_nothing_can_be_played_leads_on_to_another(theatre: Theatre) -> None:
    """Verbs run in order, and <Redirect> is one; in an announcement, too."""
    clip = theatre.clip()
    theatre.loader.known |= {
        URL: Program((theatre.loader.play(BROKEN),), then=Source(SAY, "POST", (), theatre.one.account_sid)),
        SAY: theatre.loader.program(clip),
    }
    theatre.wait_with(URL)
    theatre.look()
    theatre.ahead_ms += SHORT_ROUND_MS
    theatre.look()
    theatre.hears(clip)
    theatre.sounds.add_announcement(theatre.lane, URL, "POST")
    theatre.look()
    theatre.ahead_ms += SHORT_ROUND_MS
    theatre.look()
    theatre.ends()

    assert theatre.outcomes() == [("AnnouncementEnded", URL)]


def test_a_document_without_a_sound_is_silence_even_where_stock_filled_in(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """An empty <Response> that took long: the music ends when it has come."""
    theatre.wait_with(URL)
    begun.append(theatre.begin_look())
    theatre.hears(STOCK_MUSIC)
    theatre.loader.comes(URL, Program())

    theatre.hears(None)


def test_a_worker_that_dies_while_the_next_is_fetched_leaves_what_plays(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """It is written down before: whoever takes over does not play it a second time."""
    first, second = theatre.clip(), theatre.clip()
    theatre.loader.known |= {URL: Program((Play("one"), Play("two"))), "one": first}
    theatre.wait_with(URL)
    begun.append(theatre.begin_look())
    settled(lambda: theatre.loader.rendered == ["one", "two"], "the next is fetched")
    begun[0].kill()
    theatre.client.delete(keys.lane_lease("playback", theatre.lane.sid, theatre.lane.name))
    theatre.loader.known["two"] = second
    theatre.engine = theatre.new_engine()
    theatre.look()
    assert theatre.switch.played == [theatre.file_of(first)]
    theatre.ends()

    theatre.hears(second)


def test_what_plays_until_it_is_stopped_has_nothing_behind_it(theatre: Theatre) -> None:
    """So that is not fetched."""
    theatre.loader.known |= {URL: Program((Play("one", 0), Play("two"))), "one": theatre.clip()}
    theatre.wait_with(URL)
    theatre.look()

    assert theatre.loader.rendered == ["one"]


def test_a_clip_that_the_switch_does_not_take_is_a_failure(theatre: Theatre) -> None:
    """Stock music for a background, a reason for an announcement."""
    theatre.loader.known |= {URL: theatre.loader.program(theatre.clip()), SAY: theatre.loader.program(theatre.clip())}
    theatre.wait_with(URL)
    theatre.switch.refuse = lambda text: REFUSED if text.startswith("http_get") else None
    theatre.look()
    theatre.hears(STOCK_MUSIC)
    theatre.sounds.add_announcement(theatre.lane, SAY, "POST")
    theatre.look()

    assert theatre.outcomes() == [("AnnouncementFailed", SAY)]
    assert str(NOT_PLAYABLE) in theatre.told[0][1].reason  # type: ignore[union-attr]  # one that failed
    theatre.hears(STOCK_MUSIC)


def test_stock_music_that_the_switch_does_not_take_is_tried_again_later(theatre: Theatre) -> None:
    """A slip in STOCK_MUSIC must not keep a worker busy: one try, and another when a sweep comes by."""
    theatre.switch.refuse = lambda text: REFUSED if " play " in text else None
    theatre.look()
    tries = [text for text in theatre.switch.commands if " play " in text]

    assert len(tries) == 1
    assert theatre.due_in_ms(int(time.time() * 1000)) is not None


def test_a_switch_that_is_away_is_tried_again(theatre: Theatre) -> None:
    """Soon, by the sweep; nothing is lost."""
    theatre.switch.refuse = lambda _: AWAY
    now_ms = int(time.time() * 1000)
    theatre.look()
    due = theatre.due_in_ms(now_ms)
    assert due is not None
    assert due <= 3_000
    theatre.switch.refuse = lambda _: None
    theatre.look()

    theatre.hears(STOCK_MUSIC)


def test_a_switch_that_is_away_when_the_document_has_come_still_plays_it_in_the_end(
    theatre: Theatre, begun: list[gevent.Greenlet[..., Any]]
) -> None:
    """Stock music has filled in and could not be stopped: it has to be, or it is heard for ever."""
    clip = theatre.clip()
    theatre.wait_with(URL)
    begun.append(theatre.begin_look())
    theatre.hears(STOCK_MUSIC)
    theatre.switch.refuse = lambda text: AWAY if " stop " in text else None
    theatre.loader.known[URL] = theatre.loader.program(clip)
    theatre.loader.comes(URL, theatre.loader.program(clip))
    gevent.joinall(begun, timeout=5)
    theatre.switch.refuse = lambda _: None
    theatre.look()

    assert theatre.switch.heard() == theatre.file_of(clip)


def test_a_hold_that_ends_while_its_music_is_begun_leaves_none_behind(theatre: Theatre) -> None:
    """`unhold` stopped nothing yet when it came: whoever plays looks once more, and stops it itself."""
    theatre.start()
    theatre.hold(STOCK)

    def unholds(text: str) -> None:
        if " play " in text:
            theatre.unhold()

    theatre.switch.refuse = unholds
    theatre.look()

    assert theatre.switch.heard() is None
    assert State.parse(theatre.sounds.load(theatre.lane).state) == State()


def test_a_job_looks_at_every_lane_that_it_names(theatre: Theatre) -> None:
    """And at what has ended in it."""
    first, second = theatre.clip(), theatre.clip()
    theatre.loader.known[URL] = theatre.loader.program(first, second)
    theatre.wait_with(URL)
    theatre.engine.run_all([str(theatre.lane), f"{theatre.lane.sid}:conference"])
    theatre.engine.run_all([f"{theatre.lane}:{theatre.switch.end()}"])

    theatre.hears(second)


def test_a_lane_that_another_works_on_is_left_to_it(theatre: Theatre) -> None:
    """It looks again when it is done."""
    theatre.sounds.take(theatre.lane, "another", 0)
    theatre.look()

    assert theatre.switch.commands == []
    assert not theatre.sounds.release(theatre.lane, "another", None)


def test_an_announcement_whose_wake_up_is_lost_while_the_lane_is_worked_on_is_played(theatre: Theatre) -> None:
    """It comes when the worker has read what waits, and nobody says so: a sweep finds it."""
    theatre.start()
    load, calls = theatre.sounds.load, list[int]()

    def load_before(lane: Lane) -> Any:
        found = load(lane)
        if not calls:
            calls.append(1)
            theatre.sounds.add_announcement(lane, SAY, "POST")
        return found

    theatre.sounds.load = load_before  # type: ignore[method-assign]
    theatre.look()

    assert theatre.sounds.list_due(int(time.time() * 1000) + LEASE_MS, 10) == [theatre.lane]


def test_each_sound_is_played_in_the_name_of_the_request_that_asked_for_it(theatre: Theatre) -> None:
    """Not in that of whoever wakes the lane; what waits while nobody is there any more, too."""
    asked = [mint_sid("RQ") for _ in range(4)]
    theatre.start()
    theatre.loader.known |= dict.fromkeys((URL, *(f"{SAY}{number}" for number in range(3))), BROKEN)
    with logs.bound(request_id=asked[3]):
        theatre.hold(URL)
        theatre.look()
    for number in range(2):
        with logs.bound(request_id=asked[number]):
            theatre.sounds.add_announcement(theatre.lane, f"{SAY}{number}", "POST")
    with logs.bound(request_id=mint_sid("RQ")), capture_logs(processors=[logs.add_names]) as lines:
        theatre.look()
    with logs.bound(request_id=asked[2]):
        theatre.sounds.add_announcement(theatre.lane, f"{SAY}2", "POST")
    theatre.world.apply(theatre.one, MemberRemoved(NOW))
    theatre.look()

    assert [line["request_id"] for line in lines if line["event"] == "sound_failed"] == asked[:2]
    assert theatre.told_for == asked[:3]
    assert State.parse(theatre.sounds.load(theatre.lane).state) == State()
