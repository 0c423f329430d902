"""What is played in a lane: its JSON, and the steps through a document."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.conference import STOCK
from orchestrator.domain.hearing import Sound
from orchestrator.media.program import Clip, Program, Source
from orchestrator.sounds.state import LATE_MS, MOST_PLAYS, Kind, Playing, State, Track

CLIPS = st.builds(Clip, st.one_of(st.none(), st.text(max_size=8)), st.integers(0, 10**7), st.integers(0, 1000))
URLS = st.one_of(st.sampled_from([STOCK, ""]), st.text(max_size=20))
TRACKS = st.builds(
    Track,
    URLS,
    st.integers(0, 9),
    URLS,
    st.sampled_from(["GET", "POST"]),
    clips=st.one_of(st.none(), st.lists(CLIPS, max_size=4).map(tuple)),
    then_url=URLS,
    then_method=st.sampled_from(["GET", "POST"]),
    index=st.integers(0, 4),
    plays=st.integers(0, 9),
    documents=st.integers(0, 100),
    is_stock=st.booleans(),
    is_over=st.booleans(),
    was_cut=st.booleans(),
    id=st.text("0123456789abcdef", max_size=16),
    not_before_ms=st.integers(0, 2**53),
)
PLAYING = st.builds(
    Playing,
    st.sampled_from(["background", "announcement"]),
    st.text("0123456789abcdef", min_size=16, max_size=16),
    st.one_of(st.none(), st.integers(0, 2**53)),
)
STATES = st.builds(State, st.one_of(st.none(), TRACKS), st.one_of(st.none(), TRACKS), st.one_of(st.none(), PLAYING))
SOURCE = Source("https://app.example/then", "GET", (), "AC")


def track(*clips: Clip, then: Source | None = None) -> Track:
    return Track.of("https://app.example/a", "POST").loaded(Program(clips, then))


@given(STATES)
def test_a_state_survives_its_json(state: State) -> None:
    """Whatever is in it; nothing at all is an empty text."""
    assert State.parse(state.dump()) == state
    assert (state.dump() == "") is (state == State())


@given(st.lists(st.builds(Clip, st.none(), st.just(10), st.integers(1, 4)), max_size=5))
def test_every_clip_is_played_as_often_as_it_says_and_in_order(clips: list[Clip]) -> None:
    """Then the document has come to its end, and stays there."""
    at, played = track(*clips), []
    while at.clip is not None:
        played.append(at.index)
        at = at.advanced()

    assert played == [number for number, clip in enumerate(clips) for _ in range(clip.loops)]
    assert at.advanced() == at


def test_until_stopped_is_a_thousand_times() -> None:
    """As on Twilio; somebody who waits for a week does not keep it going for ever."""
    at, count = track(Clip("a", 10, loops=0)), 0
    while at.clip is not None:
        at, count = at.advanced(), count + 1

    assert count == MOST_PLAYS == 1000


def test_a_document_leads_to_another() -> None:
    """The name that the client gave goes along; so does the number of documents."""
    first = track(Clip("a", 10), then=SOURCE)
    second = first.advanced().next_document(5)

    assert (second.url, second.method, second.asked_url) == (SOURCE.url, "GET", "https://app.example/a")
    assert second.needs_loading
    assert second.not_before_ms == 5
    assert second.loaded(Program(())).documents == 2


@pytest.mark.parametrize(
    ("url", "stock", "over", "loading"),
    [(STOCK, True, False, False), ("", False, True, False), ("https://app.example/a", False, False, True)],
)
def test_stock_music_and_silence_are_no_documents(url: str, stock: bool, over: bool, loading: bool) -> None:
    """Nothing is fetched for them."""
    of = Track.of(url, "GET")

    assert (of.is_stock, of.is_over, of.needs_loading, of.clip) == (stock, over, loading, None)


def test_a_reloaded_document_begins_anew() -> None:
    """Its clips had to make room for others."""
    again = track(Clip("a", 10, 3), Clip("b", 10)).advanced().reloaded()

    assert (again.needs_loading, again.index, again.plays) == (True, 0, 0)


@pytest.mark.parametrize("kind", ["background", "announcement"])
def test_the_end_of_what_is_played_takes_its_own_track_on(kind: Kind) -> None:
    """And the other one stays where it is."""
    clips = track(Clip("a", 10), Clip("b", 10))
    after = State(clips, clips, Playing(kind, "p", 0)).finished(2**50)

    assert after.playing is None
    assert after.with_track(kind, clips) == State(clips, clips)
    assert (after.background if kind == "background" else after.announcement) == clips.advanced()


def test_only_an_announcement_that_was_cut_stays_where_it_is_and_only_once() -> None:
    """Its file ended long before its time: all sounds of the person were stopped."""
    clips = track(Clip("a", 10_000), Clip("b", 10_000))
    cut = State(clips, clips, Playing("announcement", "p", 10_000)).finished(5_000)
    again = replace(cut, playing=Playing("announcement", "q", 20_000)).finished(15_000)
    background = State(clips, clips, Playing("background", "p", 10_000)).finished(5_000)

    assert cut.announcement is not None
    assert (cut.announcement.index, cut.playing) == (0, None)
    assert again.announcement is not None
    assert again.announcement.index == 1
    assert background.background == clips.advanced()


@pytest.mark.parametrize(
    ("playing", "ended", "now_ms", "expected"),
    [
        (None, "p", 0, False),
        (Playing("background", "p", 1000), "p", 0, True),
        (Playing("background", "p", 1000), "", 1000 + LATE_MS, False),
        (Playing("background", "p", 1000), "", 1001 + LATE_MS, True),
        (Playing("background", "p", 1000), "another", 500, False),
        (Playing("background", "p", None), "", 2**50, False),
        (Playing("background", "p", None), "p", 0, True),
    ],
)
def test_when_something_is_over(playing: Playing | None, ended: str, now_ms: int, expected: bool) -> None:
    """When the switch says so, or long after its time; endless music never by itself."""
    assert State(playing=playing).is_finished(ended, now_ms) is expected


def test_a_background_is_this_one_by_its_url_and_turn() -> None:
    """A second hold with the same music begins it anew; another URL is another sound; none is none."""
    state = State(Track.of("https://app.example/a", "GET", turn=3))

    assert state.has_background(Sound("https://app.example/a", "GET", 3))
    assert not state.has_background(Sound("https://app.example/a", "GET", 4))
    assert not state.has_background(Sound("https://app.example/b", "GET", 3))
    assert not state.has_background(None)
    assert State().has_background(None)
