"""Who picked up, by what was heard when: Twilio's rules by examples, and what holds of any sounds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.detection.decision import (
    CERTAIN_BEEP_MS,
    TICK_MS,
    AnsweredBy,
    Heard,
    Kind,
    Segment,
    Tuning,
    Verdict,
    hear,
)

START, END = Tuning(), Tuning(to_message_end=True)
SPEECH, SILENCE, TONE = Kind


def speech(ms: int) -> Segment:
    return Segment(SPEECH, ms)


def silence(ms: int) -> Segment:
    return Segment(SILENCE, ms)


def tone(hz: int, ms: int) -> Segment:
    return Segment(TONE, ms, hz)


def judged(*segments: Segment, tuning: Tuning = START) -> Verdict | None:
    heard = Heard()
    for segment in segments:
        outcome = hear(heard, segment, tuning)
        if isinstance(outcome, Verdict):
            return outcome
        heard = outcome
    return None


def said(*segments: Segment, tuning: Tuning = START) -> tuple[str, int] | None:
    verdict = judged(*segments, tuning=tuning)
    return None if verdict is None else (str(verdict.answered_by), verdict.at_ms)


# ------------------------------------------------------------ people and machines


@pytest.mark.parametrize("tuning", [Tuning(), END])
def test_a_short_utterance_and_then_silence_is_a_human(tuning: Tuning) -> None:
    """As soon as SpeechEndThreshold has passed, whatever the mode."""
    assert said(silence(500), speech(800), silence(5000), tuning=tuning) == ("human", 2500)


def test_a_long_utterance_is_a_machine() -> None:
    """As soon as SpeechThreshold is reached, without waiting for its end."""
    assert said(silence(500), speech(9000)) == ("machine_start", 2900)


def test_pauses_are_not_speech() -> None:
    """A person who hesitates twice says no more than one who does not."""
    hesitating = (speech(700), silence(1000), speech(700), silence(1000), speech(700))

    assert said(*hesitating, silence(2000)) == ("human", 4500)


def test_a_hello_before_a_pause_is_not_counted() -> None:
    """Who says hello, waits, and then introduces themselves is a person; who goes on without a pause is not."""
    rest = (speech(2200), silence(2000))

    assert said(speech(600), silence(300), *rest) == ("human", 4000)
    assert said(speech(620), silence(300), *rest) == ("machine_start", 2700)
    assert said(speech(600), silence(280), *rest) == ("machine_start", 2680)
    assert said(speech(600), silence(300), speech(2400)) == ("machine_start", 3300)


def test_who_is_late_is_decided_on_after_a_third_of_the_silence() -> None:
    """From SpeechThreshold and SpeechEndThreshold and 400 ms after the answer on: 4 s by default."""
    assert said(silence(2600), speech(800), silence(5000)) == ("human", 4000)
    assert said(silence(3000), speech(800), silence(5000)) == ("human", 4200)
    assert said(silence(3000), speech(800), silence(380), speech(1700)) == ("machine_start", 5780)
    patient = replace(Tuning(), speech_end_threshold_ms=2000)
    assert said(silence(3000), speech(800), silence(5000), tuning=patient) == ("human", 4800)


def test_who_has_said_nearly_enough_when_it_becomes_late_is_a_machine() -> None:
    """85 % of SpeechThreshold, at that moment; who has said less is heard on."""
    assert said(silence(1940), speech(5000)) == ("machine_start", 4000)
    assert said(silence(1980), speech(5000)) == ("machine_start", 4380)
    assert said(silence(1200), speech(2200), silence(5000)) == ("human", 4000)


def test_the_end_of_a_machines_message_is_its_beeps_end() -> None:
    """With DetectMessageEnd; a moment after it, in which nobody goes on to speak."""
    assert said(speech(6000), silence(300), tone(1000, 500), silence(500), tuning=END) == ("machine_end_beep", 6960)


def test_without_a_beep_it_is_silence() -> None:
    """Of SpeechEndThreshold."""
    assert said(speech(6000), silence(3000), tuning=END) == ("machine_end_silence", 7200)


@pytest.mark.parametrize("more", [speech(30_000), tone(440, 30_000)])
def test_a_message_without_an_end_is_over_at_the_timeout(more: Segment) -> None:
    """Neither a beep nor silence: machine_end_other, and never later than the timeout."""
    found = said(speech(6000), more, tuning=END)

    assert found is not None
    assert found[0] == "machine_end_other"
    assert found[1] <= END.timeout_ms


def test_a_beep_after_few_words_makes_a_machine_of_them() -> None:
    """A greeting of one second."""
    greeting = (speech(1000), silence(400), tone(850, 300), silence(3000))

    assert said(*greeting) == ("machine_start", 1860)
    assert said(*greeting, tuning=END) == ("machine_end_beep", 1860)


def test_a_vowel_is_no_beep() -> None:
    """A tone that is speech before and after it, as deep as a voice, or as short as the end of a word."""
    assert said(speech(400), tone(500, 140), silence(2000)) == ("human", 1740)
    assert said(speech(400), tone(500, 160), silence(2000)) == ("machine_start", 720)
    assert said(speech(400), tone(500, 200), speech(400), silence(2000)) == ("human", 2200)
    assert said(speech(400), tone(200, 300), silence(2000)) == ("human", 1900)


def test_a_beep_alone_is_a_machine() -> None:
    """A machine whose owner has recorded nothing."""
    assert said(silence(500), tone(1000, 400), silence(3000)) == ("machine_start", 1300)


# ------------------------------------------------------------ neither


def test_silence_is_unknown() -> None:
    """After SilenceTimeout, and a click of the line is silence."""
    assert said(silence(1000), speech(60), silence(9000)) == ("unknown", 5000)


@pytest.mark.parametrize(
    "ring", [(tone(425, 1000), silence(4000)), (Segment(TONE, 2000), silence(4000)), (tone(400, 400), silence(200))]
)
def test_ring_back_is_nobody(ring: tuple[Segment, ...]) -> None:
    """Of any country; whoever speaks then is as they are."""
    assert said(*ring * 50) == ("unknown", 30_000)
    verdict = judged(*ring * 2, speech(600), silence(2000))
    assert verdict is not None
    assert verdict.answered_by is AnsweredBy.HUMAN


@pytest.mark.parametrize("tuning", [Tuning(), END])
@pytest.mark.parametrize("hz", [2100, 2085, 2120])
def test_a_fax_that_answers(hz: int, tuning: Tuning) -> None:
    """2100 Hz for a second (ITU-T V.25); a beep of that pitch is shorter."""
    assert said(silence(800), tone(hz, 3000), tuning=tuning) == ("fax", 1800)
    assert said(speech(3000), silence(300), tone(hz, 400), silence(500), tuning=END) == ("machine_end_beep", 3860)


def test_a_fax_that_calls() -> None:
    """1100 Hz for half a second, twice (ITU-T T.30); the first alone could be anything."""
    assert said(tone(1100, 500), silence(3000), tone(1100, 500), silence(3000)) == ("fax", 4020)


# ------------------------------------------------------------ the parameters


def test_each_parameter_decides_when() -> None:
    """The four of the wire contract, each by itself."""
    talk = (silence(2000), speech(4000), silence(9000))

    assert said(*talk, tuning=replace(Tuning(), speech_threshold_ms=1000)) == ("machine_start", 3000)
    assert said(*talk, tuning=replace(Tuning(), speech_threshold_ms=6000)) == ("human", 7200)
    slow = replace(Tuning(), speech_threshold_ms=6000, speech_end_threshold_ms=5000)
    assert said(*talk, tuning=slow) == ("human", 11_000)
    assert said(*talk, tuning=replace(Tuning(), silence_timeout_ms=2000)) == ("unknown", 2000)
    assert said(*talk, tuning=replace(Tuning(), timeout_ms=3000)) == ("unknown", 3000)


# ------------------------------------------------------------ whatever is heard

TUNINGS = st.builds(
    Tuning,
    to_message_end=st.booleans(),
    timeout_ms=st.integers(3, 59).map(lambda seconds: 1000 * seconds),
    speech_threshold_ms=st.integers(1000, 6000),
    speech_end_threshold_ms=st.integers(500, 5000),
    silence_timeout_ms=st.integers(2000, 10_000),
)
SEGMENTS = st.lists(
    st.builds(
        Segment,
        st.sampled_from(Kind),
        st.integers(1, 200).map(lambda ticks: ticks * TICK_MS),
        st.sampled_from((0, 250, 425, 1000, 1100, 2100)),
    ).map(lambda one: one if one.kind is TONE else replace(one, hz=0)),
    max_size=40,
)
MODES = {
    False: {"human", "machine_start", "fax", "unknown"},
    True: {"human", "machine_end_beep", "machine_end_silence", "machine_end_other", "fax", "unknown"},
}


@given(SEGMENTS, TUNINGS)
def test_there_is_an_answer_by_the_timeout_and_it_is_of_the_mode(segments: list[Segment], tuning: Tuning) -> None:
    """Whatever is heard: not later, not earlier than it is heard, and only Twilio's words for this mode."""
    verdict = judged(*segments, silence(60_000), tuning=tuning)

    assert verdict is not None
    assert verdict.at_ms <= tuning.timeout_ms + TICK_MS
    assert str(verdict.answered_by) in MODES[tuning.to_message_end]


@given(SEGMENTS, TUNINGS)
def test_how_sounds_are_cut_makes_no_difference(segments: list[Segment], tuning: Tuning) -> None:
    """A sound that goes on is the same in one segment and in many: audio comes in pieces of any length."""
    pieces = [replace(one, ms=TICK_MS) for one in segments for _ in range(one.ms // TICK_MS)]

    assert judged(*pieces, tuning=tuning) == judged(*segments, tuning=tuning)


@given(SEGMENTS, TUNINGS)
def test_both_modes_agree_on_whether_it_is_a_machine_a_human_or_a_fax(segments: list[Segment], tuning: Tuning) -> None:
    """DetectMessageEnd only says a machine's end as well: who is a human in one is a human in the other."""
    start = judged(*segments, silence(60_000), tuning=replace(tuning, to_message_end=False))
    end = judged(*segments, silence(60_000), tuning=replace(tuning, to_message_end=True))

    assert start is not None
    assert end is not None
    if start.answered_by is not AnsweredBy.MACHINE_START:
        assert end == start
    else:
        assert str(end.answered_by).startswith("machine_end") or end.answered_by is AnsweredBy.FAX
        assert end.at_ms >= start.at_ms


def test_a_beep_that_is_spoken_into_was_a_machine_all_the_same() -> None:
    """It had sounded for long enough to be certain; that somebody speaks into it makes no human of it."""
    heard = (speech(400), tone(1000, CERTAIN_BEEP_MS), speech(200), silence(60_000))

    assert judged(*heard, tuning=Tuning()) == Verdict(AnsweredBy.MACHINE_START, 400 + CERTAIN_BEEP_MS)
    end = judged(*heard, tuning=Tuning(to_message_end=True))
    assert end is not None
    assert str(end.answered_by).startswith("machine_end")


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_more_speech_never_makes_a_human_of_a_machine(shorter: int, more: int) -> None:
    """The threshold is one."""
    words = {
        ticks: judged(speech(ticks * TICK_MS), silence(60_000), tuning=Tuning()) for ticks in (shorter, shorter + more)
    }
    machine = [verdict is not None and verdict.answered_by is AnsweredBy.MACHINE_START for verdict in words.values()]

    assert machine == sorted(machine)
