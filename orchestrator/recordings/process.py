"""`python -m orchestrator.recordings.process`: jobs on standard input -> the result of each on its output, JSON lines.

A process of its own, because a worker's loop must not stand still meanwhile; it gives way to everything else. Its input
was written by our own switches. A job that is done twice leaves the same files, so one whose process was killed is
simply done again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
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
from orchestrator.recordings.storage import SCRATCH, Place, Storage
from orchestrator.recordings.wav import RATE, SAMPLE_BYTES, Pcm

SHORTEST: Final = RATE // 10
"""Frames from which on there is a recording: less than a tenth of a second is nothing."""

NICE: Final = 10

ABANDONED_SECONDS: Final = 3600.0
"""Age at which a job's scratch files count as abandoned: the worker ends a job long before (JOB_SECONDS)."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a child is to do. `name`: of what is kept, without its end; `pieces`: path, start (ms), fills a gap."""

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
        """Write the job as JSON."""
        return orjson.dumps(asdict(self))

    @classmethod
    def load(cls, data: bytes) -> Job:
        """Read a job from its JSON."""
        return cls(**orjson.loads(data))


@dataclass(frozen=True, slots=True)
class JobResult:
    """Says what came of a job; `sizes`: the end of each kept file's name, and its bytes. `error_code`: why nothing is
    kept."""

    duration_ms: int
    sizes: tuple[tuple[str, int], ...] = ()
    error_code: int | None = None


def process(job: Job, storage: Storage, scratch: Path) -> JobResult:
    """Join, trim, measure, encode and keep the pieces of a recording. Raises OSError: try again later."""
    body_path = scratch / "samples"
    with body_path.open("wb") as output:
        pieces = [Piece(Path(path), started_ms, fills_gap) for path, started_ms, fills_gap in job.pieces]
        frames = sound.join(pieces, job.channels, job.track, output)
    if frames < SHORTEST:
        return JobResult(0, error_code=TOO_SHORT)
    first, last = sound.sounding(body_path, frames, job.channels) if job.trims else (0, frames)
    if first == last:
        return JobResult(0, error_code=SILENT)
    body = Pcm(body_path, job.channels, 0, frames * job.channels * SAMPLE_BYTES)
    sizes = list(_keep(job, storage, scratch, body, (first, last), ""))
    if job.channels == 2:
        mono_path = scratch / "mono"
        with mono_path.open("wb") as output:
            for chunk in sound.mix(body.read(first, last)):
                output.write(chunk)
        mono = Pcm(mono_path, 1, 0, (last - first) * SAMPLE_BYTES)
        sizes += _keep(job, storage, scratch, mono, (0, last - first), ".mono")
    return JobResult((last - first) * 1000 // RATE, tuple(sizes))


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
        sizes.append((f"{which}.{kind}", path.stat().st_size))
        storage.put(f"{job.name}{which}.{kind}", path)
    return sizes


_open = lru_cache(maxsize=1)(Place.open)
"""Cached, as the place is the same in every job, and a bucket's client takes its time to be made."""


def do(job: Job) -> JobResult:
    """Do a job in a directory of its own, which is gone afterwards. Raises OSError: try again later."""
    kept = Path(job.directory) / "kept"
    scratch = kept / SCRATCH
    scratch.mkdir(parents=True, exist_ok=True)
    remove_abandoned(scratch)
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        return process(job, _open(Place(kept, job.bucket, job.endpoint, job.key)), Path(directory))


def remove_abandoned(scratch: Path) -> None:
    """Remove what jobs have left whose process was killed."""
    for left in scratch.iterdir():
        with contextlib.suppress(FileNotFoundError):  # done this moment
            if left.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _answer(line: bytes) -> bytes:
    try:
        return orjson.dumps(asdict(do(Job.load(line))))
    except Exception as error:  # noqa: BLE001 -- whatever it is, the worker logs it, and tries again
        return orjson.dumps({"error": f"{type(error).__name__}: {error}"[:300]})


def main() -> int:
    """Do the jobs on standard input, one after the other, until there are no more."""
    die_with_parent()
    os.nice(NICE)
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(_answer(line) + b"\n")
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
