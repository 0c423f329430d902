"""A place where RTP arrives, and from which it is sent: PCMU, 20 ms a packet. Loopback only.

with RtpPort() as ear:
    ...
    assert ear.packets == []                       # nobody sends here
    assert level(ear.samples(), 1100) < SILENT_DBFS  # or: nobody is heard here
"""

from __future__ import annotations

import math
import secrets
import socket
import struct
import threading
import time
from array import array
from typing import Final, Self

from tests.harness.sound import FRAME, RATE

Address = tuple[str, int]

HEADER: Final = struct.Struct("!BBHII")
PCMU: Final = 0


def _expanded(code: int) -> int:
    """One byte of ITU-T G.711 mu-law as a sample."""
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -magnitude if code & 0x80 else magnitude


EXPANDED: Final = tuple(_expanded(code) for code in range(256))


def _compressed(sample: int) -> int:
    return min(range(256), key=lambda code: abs(EXPANDED[code] - sample))


def tone_frames(hz: int, dbfs: float = -10.0) -> list[bytes]:
    """A second of a tone as 50 payloads of PCMU."""
    peak = 32_767 * 10 ** (dbfs / 20)
    period = RATE // math.gcd(RATE, hz)
    once = bytes(_compressed(round(peak * math.sin(2 * math.pi * hz * at / RATE))) for at in range(period))
    second = (once * (RATE // period + 1))[:RATE]
    return [second[at : at + FRAME] for at in range(0, RATE, FRAME)]


class RtpPort:
    """One UDP port. `packets` are what came: from where, and the payload; `packet_count` also counts what is no RTP."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.host = host
        self.port = int(self._socket.getsockname()[1])
        self.packets: list[tuple[Address, bytes]] = []
        self.packet_count = 0
        self._ssrc = secrets.randbits(32)
        self._sequence = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def samples(self, since: int = 0) -> array[int]:
        """What was heard in the packets from number `since` on."""
        return array("h", (EXPANDED[code] for _, payload in self.packets[since:] for code in payload))

    def speak(self, targets: list[Address], hz: int, seconds: float) -> None:
        """Send a tone to all of these at once, as a phone sends it."""
        speak_together([(self, target, hz) for target in targets], silence=0.0, seconds=seconds)

    def send(self, target: Address, payload: bytes) -> None:
        """One packet."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        stamp = self._sequence * FRAME & 0xFFFF_FFFF
        self._socket.sendto(HEADER.pack(0x80, PCMU, self._sequence, stamp, self._ssrc) + payload, target)

    def _read(self) -> None:
        while True:
            try:
                data, source = self._socket.recvfrom(65_535)
            except OSError:
                return
            self.packet_count += 1
            if len(data) >= HEADER.size and data[0] >> 6 == 2 and data[1] & 0x7F == PCMU:
                self.packets.append((source, data[HEADER.size :]))


SILENCE: Final = bytes([0xFF]) * FRAME


def speak_together(lines: list[tuple[RtpPort, Address, int]], silence: float, seconds: float) -> None:
    """Each (from, to, hz) sends silence for so long, and then its tone; all begin with it at the same moment."""
    frames = {hz: tone_frames(hz) for _, _, hz in lines}
    silent = round(silence * RATE / FRAME)
    starts = time.monotonic()
    for number in range(silent + round(seconds * RATE / FRAME)):
        for mouth, target, hz in lines:
            mouth.send(target, SILENCE if number < silent else frames[hz][number % len(frames[hz])])
        time.sleep(max(0.0, starts + (number + 1) * FRAME / RATE - time.monotonic()))
