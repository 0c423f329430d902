"""`python -m orchestrator.recordings.process`: a job (JSON) on standard input -> what came of it (JSON) on its output.

A process of its own, because a worker's loop must not stand still meanwhile; it gives way to everything else. What it
reads our own switches have written. Done twice it leaves what it leaves done once, so a killed one is begun again.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from orchestrator.children import die_with_parent
from orchestrator.domain.recording import (
    SILENT,
    TOO_SHORT,
)
from orchestrator.recordings import sound
from orchestrator.recordings.sound import Piece
from orchestrator.recordings.storage import Place, Storage
from orchestrator.recordings.wav import RATE, SAMPLE_BYTES, Pcm

SHORTEST: Final = RATE // 10
"""Less than a tenth of a second is nothing."""

NICE: Final = 10
NOT_NOW: Final = 3


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done. `name`: of what is kept, without its end; `pieces`: path, start (ms), fills a gap."""

    name: str
    pieces: tuple[tuple[str, int, bool], ...]
    channels: int
    track: str
    trims: bool
    directory: str
    bucket: str = ""
    endpoint: str = ""
    key: str = ""

    def dump(self) -> bytes:
        """As JSON."""
        return orjson.dumps(asdict(self))

    @classmethod
    def load(cls, data: bytes) -> Job:
        """From its JSON."""
        return cls(**orjson.loads(data))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; `sizes`: the end of each kept file's name, and its bytes. `error_code`: why nothing is kept."""

    duration_ms: int
    sizes: tuple[tuple[str, int], ...] = ()
    error_code: int | None = None


def process(job: Job, storage: Storage, scratch: Path) -> Outcome:
    """Join, trim, measure, encode and keep. Raises OSError: try again later."""
    body_path = scratch / "samples"
    with body_path.open("wb") as output:
        pieces = [Piece(Path(path), started_ms, fills_gap) for path, started_ms, fills_gap in job.pieces]
        frames = sound.join(pieces, job.channels, job.track, output)
    if frames < SHORTEST:
        return Outcome(0, error_code=TOO_SHORT)
    first, last = sound.sounding(body_path, frames, job.channels) if job.trims else (0, frames)
    if first == last:
        return Outcome(0, error_code=SILENT)
    body = Pcm(body_path, job.channels, 0, frames * job.channels * SAMPLE_BYTES)
    sizes = list(_keep(job, storage, scratch, body, (first, last), ""))
    if job.channels == 2:
        mono_path = scratch / "mono"
        with mono_path.open("wb") as output:
            for chunk in sound.mix(body.read(first, last)):
                output.write(chunk)
        mono = Pcm(mono_path, 1, 0, (last - first) * SAMPLE_BYTES)
        sizes += _keep(job, storage, scratch, mono, (0, last - first), ".mono")
    return Outcome((last - first) * 1000 // RATE, tuple(sizes))


def _keep(
    job: Job, storage: Storage, scratch: Path, body: Pcm, kept: tuple[int, int], which: str
) -> list[tuple[str, int]]:
    first, last = kept
    sizes = []
    path = scratch / "kept"
    for kind in ("wav", "mp3"):
        with path.open("wb") as output:
            if kind == "wav":
                sound.write_wav(body, first, last, output)
            else:
                sound.write_mp3(body.read(first, last), body.channels, output)
        storage.put(f"{job.name}{which}.{kind}", path)
        sizes.append((f"{which}.{kind}", path.stat().st_size))
    return sizes


def main() -> int:
    """The exit status: 0, or NOT_NOW with the reason on standard error."""
    die_with_parent()
    os.nice(NICE)
    job = Job.load(sys.stdin.buffer.read())
    place = Place(Path(job.directory) / "kept", job.bucket, job.endpoint, job.key)
    scratch = Path(job.directory) / "scratch"
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as directory:
            outcome = process(job, place.open(), Path(directory))
    except OSError as error:
        sys.stderr.write(str(error)[:300])
        return NOT_NOW
    sys.stdout.buffer.write(orjson.dumps(asdict(outcome)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
