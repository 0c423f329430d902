"""Who picked up, decided from what is heard from the answer on: timed segments in, one verdict out. Pure.

Twilio's rules (docs/wire-contract.md, section 12.1): a short utterance and then silence is a human, a long one a
machine; a hello before a pause does not count. And three more, of tones: speech that ends in a beep is a machine's, a
lone high beep is one as well, and 2100 Hz, or 1100 Hz again and again, is a fax (ITU-T T.30, 4). Where nobody speaks it
is `unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

TICK_MS: Final = 20
"""Segments are made of whole ticks: a packet of RTP."""

CLICK_MS: Final = 140
"""Speech that is shorter is a click of the line, and counts as silence."""

HELLO_MS: Final = 600
HELLO_PAUSE_MS: Final = 300
"""Who says so little, and then nothing for so long, has said hello: what comes then is counted from there."""

SLOW_START_MS: Final = 400
"""How long beyond SpeechThreshold and SpeechEndThreshold it may take to decide before the caller has waited too
long."""

LATE_END: Final = 3
LATE_WORDS: Final = 0.85
"""From then on a third of the silence is enough; at that moment, so much of the words."""

BEEP_MS: Final = range(160, 2520)
"""What is shorter may be the end of a word."""

BEEP_HZ: Final = 320
"""Below it a voice's own fundamental may pass for a tone."""

CERTAIN_BEEP_MS: Final = 400
"""No vowel is held so evenly for so long."""

AFTER_BEEP_MS: Final = 160
"""So long nobody goes on to speak: then it was no vowel."""

LONE_BEEP_HZ: Final = 650
"""Below it are the tones of call progress (ITU-T E.180), which nobody has to have spoken before."""

AFTER_LONE_BEEP_MS: Final = 400

FAX_ANSWERS_HZ: Final = 2100
FAX_ANSWERS_MS: Final = 1000
FAX_CALLS_HZ: Final = 1100
FAX_CALLS_MS: Final = range(380, 740)
OFF_HZ: Final = 40


class Kind(StrEnum):
    """What a segment is. Noise that nobody speaks in is silence."""

    SPEECH = "speech"
    SILENCE = "silence"
    TONE = "tone"


class AnsweredBy(StrEnum):
    """Twilio's words."""

    HUMAN = "human"
    MACHINE_START = "machine_start"
    MACHINE_END_BEEP = "machine_end_beep"
    MACHINE_END_SILENCE = "machine_end_silence"
    MACHINE_END_OTHER = "machine_end_other"
    FAX = "fax"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Segment:
    """The same sound for `ms`, a multiple of TICK_MS; `hz` of a tone that is a single one."""

    kind: Kind
    ms: int
    hz: int = 0


@dataclass(frozen=True, slots=True)
class Tuning:
    """MachineDetection and its four parameters, with their defaults; `to_message_end`: DetectMessageEnd."""

    to_message_end: bool = False
    timeout_ms: int = 30_000
    speech_threshold_ms: int = 2400
    speech_end_threshold_ms: int = 1200
    silence_timeout_ms: int = 5000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who it was, and after how much audio that was clear."""

    answered_by: AnsweredBy
    at_ms: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What is kept of the past. `run_ms`: how long the present sound has lasted; `quiet_ms`: how long there has been
    neither speech nor tone. `spoken_ms` is how much was said, without the
    pauses: who hesitates says no more; `hello_ms` of it was a hello. `tone_ms` and `tone_hz` are of the
    tone that ended last, `tones` counts those since somebody spoke; of what
    `is_machine` nothing that comes makes a human."""

    at_ms: int = 0
    kind: Kind = Kind.SILENCE
    hz: int = 0
    run_ms: int = 0
    quiet_ms: int = 0
    spoken_ms: int = 0
    hello_ms: int = 0
    tone_ms: int = 0
    tone_hz: int = 0
    tones: int = 0
    fax_calls: int = 0
    is_machine: bool = False


def hear(heard: Heard, segment: Segment, tuning: Tuning) -> Heard | Verdict:
    """Return what is known after a segment, or the verdict. One segment and several with the same sound lead to the
    same."""
    for _ in range(segment.ms // TICK_MS):
        if heard.run_ms and (heard.kind, heard.hz) != (segment.kind, segment.hz):
            heard = _ended(heard)
        heard = _went_on(heard, segment)
        if not heard.is_machine and _is_machine(heard, tuning):
            heard = replace(heard, is_machine=True)
        answered_by = _decided(heard, tuning)
        if answered_by is not None:
            return Verdict(answered_by, heard.at_ms)
    return heard


def _ended(heard: Heard) -> Heard:
    """Note that the present sound has given way to another."""
    if heard.kind is Kind.TONE:
        calls = _is_about(heard.hz, FAX_CALLS_HZ) and heard.run_ms in FAX_CALLS_MS
        return replace(
            heard,
            run_ms=0,
            tone_ms=heard.run_ms,
            tone_hz=heard.hz,
            tones=heard.tones + 1,
            fax_calls=heard.fax_calls + calls,
        )
    return replace(heard, run_ms=0)


def _went_on(heard: Heard, segment: Segment) -> Heard:
    """Note one tick more of this sound."""
    run_ms = heard.run_ms + TICK_MS
    quiet_ms, spoken_ms, tones, fax_calls = heard.quiet_ms + TICK_MS, heard.spoken_ms, heard.tones, heard.fax_calls
    if segment.kind is Kind.TONE:
        quiet_ms = 0
    elif segment.kind is Kind.SPEECH and run_ms >= CLICK_MS:
        spoken_ms += CLICK_MS if run_ms == CLICK_MS else TICK_MS
        quiet_ms = tones = fax_calls = 0
    is_hello = segment.kind is Kind.SILENCE and quiet_ms >= HELLO_PAUSE_MS and spoken_ms <= HELLO_MS
    return replace(
        heard,
        at_ms=heard.at_ms + TICK_MS,
        kind=segment.kind,
        hz=segment.hz,
        run_ms=run_ms,
        quiet_ms=quiet_ms,
        spoken_ms=spoken_ms,
        hello_ms=spoken_ms if is_hello else heard.hello_ms,
        tones=tones,
        fax_calls=fax_calls,
    )


def _decided(heard: Heard, tuning: Tuning) -> AnsweredBy | None:
    if _is_fax(heard):
        return AnsweredBy.FAX
    if heard.is_machine:
        return _end_of_message(heard, tuning) if tuning.to_message_end else AnsweredBy.MACHINE_START
    if heard.spoken_ms and heard.kind is Kind.SILENCE and heard.quiet_ms >= _end_ms(heard, tuning):
        return AnsweredBy.HUMAN
    is_silent = not heard.spoken_ms and heard.quiet_ms >= tuning.silence_timeout_ms
    return AnsweredBy.UNKNOWN if is_silent or heard.at_ms >= tuning.timeout_ms else None


def _late_ms(heard: Heard, tuning: Tuning) -> int:
    """Return for how long whoever called has waited too long; below 0: not yet."""
    return heard.at_ms - (tuning.speech_threshold_ms + tuning.speech_end_threshold_ms + SLOW_START_MS)


def _end_ms(heard: Heard, tuning: Tuning) -> int:
    """Return how much silence ends what a person says."""
    return tuning.speech_end_threshold_ms // (LATE_END if _late_ms(heard, tuning) >= 0 else 1)


def _is_machine(heard: Heard, tuning: Tuning) -> bool:
    words_ms = heard.spoken_ms - heard.hello_ms
    is_due = 0 <= _late_ms(heard, tuning) < TICK_MS and heard.quiet_ms < _end_ms(heard, tuning)
    is_long = words_ms >= tuning.speech_threshold_ms * (LATE_WORDS if is_due else 1)
    return is_long or _is_beep_over(heard) or _is_certain_beep(heard)


def _end_of_message(heard: Heard, tuning: Tuning) -> AnsweredBy | None:
    """Return how a machine's message has ended: by a beep, by silence, or otherwise; None: it goes on."""
    if _is_beep_over(heard):
        return AnsweredBy.MACHINE_END_BEEP
    if heard.quiet_ms >= tuning.speech_end_threshold_ms:
        return AnsweredBy.MACHINE_END_SILENCE
    is_endless = heard.kind is Kind.TONE and heard.run_ms >= BEEP_MS.stop
    return AnsweredBy.MACHINE_END_OTHER if is_endless or heard.at_ms >= tuning.timeout_ms else None


def _is_certain_beep(heard: Heard) -> bool:
    """Return whether a beep after speech is certain while it still sounds."""
    is_tone = heard.kind is Kind.TONE and heard.hz >= BEEP_HZ
    return is_tone and heard.spoken_ms > 0 and heard.run_ms >= CERTAIN_BEEP_MS


def _is_beep_over(heard: Heard) -> bool:
    if heard.kind is Kind.TONE or heard.tones == 0 or heard.tone_ms not in BEEP_MS:
        return False
    if heard.spoken_ms:
        return heard.tone_hz >= BEEP_HZ and heard.quiet_ms >= AFTER_BEEP_MS
    is_fax = _is_about(heard.tone_hz, FAX_ANSWERS_HZ) or heard.fax_calls > 0
    is_lone = heard.tones == 1 and heard.tone_hz >= LONE_BEEP_HZ and not is_fax
    return is_lone and heard.quiet_ms >= AFTER_LONE_BEEP_MS


def _is_fax(heard: Heard) -> bool:
    answers = heard.kind is Kind.TONE and _is_about(heard.hz, FAX_ANSWERS_HZ) and heard.run_ms >= FAX_ANSWERS_MS
    return answers or heard.fax_calls > 1


def _is_about(hz: int, wanted: int) -> bool:
    return abs(hz - wanted) <= OFF_HZ
