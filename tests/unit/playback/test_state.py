"""What is played in a lane: its JSON, and the steps through a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.conference import STOCK
from orchestrator.domain.hearing import Sound
from orchestrator.media.program import Clip, Program, Source
from orchestrator.playback.state import LATE_MS, MOST_PLAYS, Kind, Playing, State, Track
from orchestrator.twiml.verbs import Pause, Play, Say, Unplayable

CLIPS = st.builds(Clip, st.one_of(st.none(), st.text(max_size=8)), st.integers(0, 10**7), st.integers(0, 1000))
VERBS = st.one_of(
    st.builds(Play, st.none(), st.integers(0, 9), st.text(max_size=3)),
    st.builds(Play, st.text(max_size=3), st.integers(0, 9)),
    st.builds(Say, *[st.text(max_size=3)] * 3, st.integers(0, 9), st.text(max_size=3)),
    st.builds(Pause, st.integers(0, 9)),
    st.builds(Unplayable, st.integers(11100, 13999), st.text(max_size=3)),
)
URLS = st.one_of(st.sampled_from([STOCK, ""]), st.text(max_size=20))
TRACKS = st.builds(
    Track,
    URLS,
    st.integers(0, 9),
    URLS,
    st.sampled_from(["GET", "POST"]),
    verbs=st.one_of(st.none(), st.lists(VERBS, max_size=4).map(tuple)),
    base=URLS,
    then_url=URLS,
    then_method=st.sampled_from(["GET", "POST"]),
    index=st.integers(0, 4),
    clip=st.one_of(st.none(), CLIPS),
    next_clip=st.one_of(st.none(), CLIPS),
    plays=st.integers(0, 9),
    played_ms=st.integers(0, 2**53),
    failure=st.one_of(st.none(), st.tuples(st.integers(11100, 13999), st.text(max_size=9))),
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
    verbs = tuple(Play(f"{number}", clip.loops) for number, clip in enumerate(clips))
    return render(Track.of("https://app.example/a", "POST").loaded(Program(verbs, then=then)), clips)


def render(at: Track, clips: Sequence[Clip]) -> Track:
    """With everything rendered that is wanted now."""
    while isinstance(at.wanted, Play):
        at = at.rendered(at.wanted, clips[int(at.wanted.url or "")])
    return at


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
        at = render(at.advanced(), clips)

    assert played == [number for number, clip in enumerate(clips) for _ in range(clip.loops)]
    assert (at.advanced(), at.is_at_end) == (at, True)
    assert at.played_ms == 10 * len(played)


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


def test_a_clip_that_is_gone_is_wanted_again() -> None:
    """Where it is; but a document that is audio itself has to be loaded."""
    at = track(Clip("a", 10), Clip("b", 10)).advanced().clip_gone()
    audio = Track.of("https://app.example/a", "GET").loaded(Program(clip=Clip("a", 10))).clip_gone()

    assert (at.index, at.clip, at.wanted, at.needs_loading) == (1, None, Play("1"), False)
    assert (audio.clip, audio.needs_loading) == (None, True)


def test_what_cannot_be_rendered_is_taken_out_and_the_first_reason_kept() -> None:
    """The one at hand, or the one behind it; of what is not wanted any more nothing follows."""
    verbs = (Play("0"), Play("1"), Play("2"), Pause(0), Play("4"))
    at = Track.of("https://app.example/a", "POST").loaded(Program(verbs)).passed_over(verbs[0], (11200, "no"))
    at = at.rendered(verbs[1], Clip("b", 10)).passed_over(verbs[2], (13420, "none")).passed_over(verbs[2], (1, ""))
    at = at.rendered(verbs[3], Clip(None, 0))

    assert (at.verbs, at.wanted, at.failure) == ((verbs[1], verbs[4]), verbs[4], (11200, "no"))
    assert at.rendered(verbs[0], Clip("x", 10)) == at


def test_nothing_comes_after_what_is_played_until_it_is_stopped() -> None:
    """Nor does the document lead anywhere then."""
    at = track(Clip("a", 10, loops=0), Clip("b", 10), then=SOURCE)
    for _ in range(MOST_PLAYS):
        at = at.advanced()

    assert (at.is_at_end, at.then_url) == (True, "")


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
    state = State(Track.of("https://app.example/a", "GET", hold_number=3))

    assert state.has_background(Sound("https://app.example/a", "GET", 3))
    assert not state.has_background(Sound("https://app.example/a", "GET", 4))
    assert not state.has_background(Sound("https://app.example/b", "GET", 3))
    assert not state.has_background(None)
    assert State().has_background(None)
