"""How long a tone_stream:// lasts (teletone_run of libteletone_generate.c). No sound is made.

The parser is copied with its oddities, seen on the real one: a parameter without a `;` behind it (`…;l=2` at the end)
has its digits played as touch tones, and a bracket that is not closed those of its first number.
"""

from __future__ import annotations

import re

RATE = 8000
_DIGITS = frozenset("0123456789*#ABCD")
_BLANKS = " \r\n"
_MAX_TONES = 6
_NUMBER = re.compile(r"\s*[+-]?\d+")
_FRACTION = re.compile(r"\s*[+-]?\d*\.?\d+")


class _SyntaxError(Exception):
    """The rest of this pass is not played."""


def atoi(text: str) -> int:
    """C's atoi: the number that the text begins with, else 0."""
    found = _NUMBER.match(text)
    return int(found.group()) if found else 0


def tone_samples(specification: str) -> int:
    """The length in samples at 8000 Hz. `L=n` in it plays the whole n times; `;loops=n` is not part of it."""
    session = _Session()
    while True:
        session.play_once(specification)
        session.repeats -= 1
        if session.repeats <= 0:
            return session.samples


class _Session:
    """teletone_generation_session_t."""

    def __init__(self) -> None:
        """The defaults of teletone_init_session."""
        self.rate = RATE
        self.duration = 2000
        self.wait = 500
        self.loops = 0
        self.repeats = 0
        self.samples = 0
        self._repeats_are_set = False

    def play_once(self, specification: str) -> None:
        """One pass over the whole; a `;` ends a part."""
        *parts, last = specification.split(";")
        try:
            for part in parts:
                self._play_part(part.lstrip(_BLANKS))
            while self._play_part(last := last.lstrip(_BLANKS)):
                last = last[1:]
        except _SyntaxError:
            return

    def _play_part(self, part: str) -> bool:
        """Whether it was a parameter: of the last part, everything but the first letter is then played as well."""
        if part[1:2] != "=":
            self._play_tones(part)
            return False
        self._set(part[0], atoi(part[2:]))
        return True

    def _set(self, name: str, value: int) -> None:
        match name:
            case "r":
                self.rate = value
            case "d":
                self.duration = self._samples_of(value)
            case "w":
                self.wait = self._samples_of(value)
            case "l":
                self.loops = value
            case "L" if value > 0 and not self._repeats_are_set:
                self.repeats, self._repeats_are_set = value, True

    def _play_tones(self, part: str) -> None:
        position = 0
        while position < len(part):
            if part[position] in _BLANKS:
                position += 1
                continue
            duration, wait, sounds = self.duration, self.wait, part[position] in _DIGITS
            after = position + 1
            if part[after : after + 1] == "(":
                inside, closed, rest = part[after + 1 :].partition(")")
                fields = inside.split(",")[: _MAX_TONES + 2]
                duration, wait, sounds = self._timed(part[position], fields, sounds)
                if closed:
                    after = len(part) - len(rest)
                else:
                    part = part[: after + 1] + fields[0]
            if sounds:
                self._generate(duration + wait)
            position = after

    def _timed(self, letter: str, fields: list[str], is_digit: bool) -> tuple[int, int, bool]:
        """`%(on,off,hz…)` or `5(on,off)`: how many samples of sound, of silence, and whether there is a tone at all."""
        if letter == "%" and len(fields) > 2:
            frequency = _FRACTION.match(fields[2])
            sounds = frequency is not None and float(frequency.group()) != 0
        elif letter != "%" and len(fields) == 2:
            sounds = is_digit
        else:
            raise _SyntaxError
        return self._samples_of(atoi(fields[0])), self._samples_of(atoi(fields[1])), sounds

    def _generate(self, samples: int) -> None:
        """Once, or as often as `l=` said, which is then used up. The real one never ends with a negative `l`."""
        self.samples += samples * max(1, self.loops)
        self.loops = 0

    def _samples_of(self, milliseconds: int) -> int:
        return max(0, milliseconds) * (self.rate // 1000)
