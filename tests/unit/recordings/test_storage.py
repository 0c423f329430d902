"""What is kept can be read from any byte on, in a directory and in a bucket, sealed or not; whole or not at all."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from orchestrator.recordings.sealed import PIECE_BYTES, SEALED_PIECE, parse_key
from orchestrator.recordings.storage import Bucket, Directory, Place, Storage

KEY = base64.b64encode(bytes(range(32))).decode()
SIZES = (1, 1000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 77)
NAME = "AC" + "1" * 32 + "/RE" + "2" * 32 + ".wav"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 server, and whoever may write to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    credentials = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    before = {name: os.environ.get(name) for name in credentials}
    os.environ.update(credentials)
    url = f"http://{host}:{port}"
    Bucket("calls", url)._client.create_bucket(Bucket="calls")
    yield url
    server.stop()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(params=["directory", "directory, sealed", "bucket", "bucket, sealed"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, s3: str) -> Storage:
    words = request.param
    bucket = ("calls", s3) if "bucket" in words else ("", "")
    return Place(tmp_path / "kept", *bucket, key=KEY if "sealed" in words else "").open()


@pytest.mark.parametrize("size", SIZES)
def test_any_range_is_what_was_put(storage: Storage, tmp_path: Path, size: int) -> None:
    """From the first byte, across pieces, the last one alone, and more than there is."""
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    storage.put(NAME, path)

    for first, count in ((0, size), (0, 1), (size - 1, 1), (size // 2, size), (size // 3, size // 2 + 1)):
        found = b"".join(storage.read(NAME, first, count))
        assert found == data[first : first + count], (first, count)


def test_what_is_not_there_is_said_at_the_first_byte(storage: Storage) -> None:
    """So that an answer can still be a 404."""
    with pytest.raises(FileNotFoundError):
        next(storage.read(NAME.replace("2", "3"), 0, 10))


def test_a_second_put_replaces_and_a_delete_forgets(storage: Storage, tmp_path: Path) -> None:
    """A worker that was killed does its work again; deleting twice does no harm."""
    path = tmp_path / "file"
    for text in (b"first", b"second one"):
        path.write_bytes(text)
        storage.put(NAME, path)
    assert b"".join(storage.read(NAME, 0, 10)) == b"second one"

    storage.delete(NAME)
    storage.delete(NAME)

    with pytest.raises(FileNotFoundError):
        next(storage.read(NAME, 0, 10))


def test_a_put_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """A disk that is full in the middle of it: no half file, no remains."""
    directory, path = Directory(tmp_path / "kept"), tmp_path / "file"
    path.write_bytes(b"whole")
    directory.put(NAME, path)

    with pytest.raises(FileNotFoundError):
        directory.put(NAME, tmp_path / "no such file")

    assert [found.name for found in (tmp_path / "kept").rglob("*") if found.is_file()] == [NAME.split("/")[1]]
    assert b"".join(directory.read(NAME, 0, 99)) == b"whole"


def kept_file(tmp_path: Path, size: int) -> tuple[Storage, Path]:
    storage = Place(tmp_path / "kept", key=KEY).open()
    (tmp_path / "file").write_bytes(b"speech! " * (size // 8))
    storage.put(NAME, tmp_path / "file")
    return storage, tmp_path / "kept" / NAME


def test_what_is_sealed_is_not_readable(tmp_path: Path) -> None:
    """Neither as it lies there, nor with another key."""
    _, path = kept_file(tmp_path, 80_000)
    other = Place(tmp_path / "kept", key=base64.b64encode(bytes(32)).decode()).open()

    assert b"speech!" not in path.read_bytes()
    with pytest.raises(OSError, match="another key"):
        list(other.read(NAME, 0, 10))


@pytest.mark.parametrize("harm", ["flipped", "cut off", "swapped"])
def test_what_was_changed_is_not_read(tmp_path: Path, harm: str) -> None:
    """A flipped bit, a missing end, pieces in another order."""
    storage, path = kept_file(tmp_path, 3 * PIECE_BYTES)
    sealed = bytearray(path.read_bytes())
    head = len(sealed) - 3 * SEALED_PIECE
    if harm == "flipped":
        sealed[-5] ^= 1
    elif harm == "cut off":
        del sealed[-SEALED_PIECE:]
    else:
        one, two = (slice(head + n * SEALED_PIECE, head + (n + 1) * SEALED_PIECE) for n in (0, 1))
        sealed[one], sealed[two] = sealed[two], sealed[one]
    path.write_bytes(sealed)

    with pytest.raises(OSError, match=r"changed|cut off"):
        list(storage.read(NAME, 0, 3 * PIECE_BYTES))


@pytest.mark.parametrize("text", ["short", base64.b64encode(b"too short").decode(), "ä" * 44])
def test_a_key_that_is_none_is_refused(text: str) -> None:
    """When the process starts, not when the first recording is to be kept."""
    with pytest.raises(ValueError, match="base64"):
        parse_key(text)
