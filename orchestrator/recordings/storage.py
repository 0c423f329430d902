"""Where finished recordings are kept: a directory, or a bucket of anything that speaks S3; sealed, if there is a key.

Names are ours (`AC…/RE….wav`). What is kept is whole or not there: a file is renamed when it is on the disk, a bucket
shows an object when it has all of it. Every method raises OSError for what does not work now.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from orchestrator.recordings.sealed import Unsealable, parse_key, seal, unseal

CHUNK_BYTES: Final = 1 << 16

SCRATCH: Final = ".scratch"
"""Where files are made, in the directory in which they are kept: so that they can be moved."""


class Storage(Protocol):
    """A place for files."""

    def put(self, name: str, path: Path) -> None:
        """Keep the file at `path` under a name, in place of one that has it; the file may be gone from `path` then."""
        ...

    def read(self, name: str, first: int, count: int) -> Iterator[bytes]:
        """Yield `count` bytes of a file from `first` on. FileNotFoundError if there is none, at the first of them."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where recordings are kept, as the settings say it: in `directory` without a `bucket`, not sealed without a `key`.
    Who may write to a bucket boto3 finds out by itself (AWS_ACCESS_KEY_ID …)."""

    directory: Path
    bucket: str = ""
    endpoint: str = ""
    key: str = ""

    def open(self) -> Storage:
        """Make the storage that the settings name."""
        storage: Storage = Bucket(self.bucket, self.endpoint) if self.bucket else Directory(self.directory)
        return Sealed(storage, parse_key(self.key)) if self.key else storage


class Directory:
    """Files below a directory, which is made when it is needed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, name: str, path: Path) -> None:
        """Write the file to the disk, move it to its name, and write the move to the disk, too."""
        target = self._directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_to_disk(path)
        path.replace(target)
        _write_to_disk(target.parent)

    def read(self, name: str, first: int, count: int) -> Iterator[bytes]:
        """Yield the bytes in chunks."""
        with (self._directory / name).open("rb") as file:
            file.seek(first)
            while count > 0 and (chunk := file.read(min(CHUNK_BYTES, count))):
                count -= len(chunk)
                yield chunk

    def delete(self, name: str) -> None:
        """Delete the file, and its directory when that is empty."""
        (self._directory / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (self._directory / name).parent.rmdir()


def _write_to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class Bucket:
    """Objects of a bucket."""

    def __init__(self, bucket: str, endpoint: str = "") -> None:
        import boto3
        from botocore.config import Config

        config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
        self._client: Any = boto3.client("s3", endpoint_url=endpoint or None, config=config)
        self._bucket = bucket

    def put(self, name: str, path: Path) -> None:
        """Upload the file, in parts if it is large; there is no object until all are there."""
        with _os_errors():
            self._client.upload_file(str(path), self._bucket, name)

    def read(self, name: str, first: int, count: int) -> Iterator[bytes]:
        """Yield the bytes as they come from S3."""
        with _os_errors():
            found = self._client.get_object(Bucket=self._bucket, Key=name, Range=f"bytes={first}-{first + count - 1}")
            with contextlib.closing(found["Body"]) as body:
                yield from body.iter_chunks(CHUNK_BYTES)

    def delete(self, name: str) -> None:
        """Delete the object; S3 does not mind if there is none."""
        with _os_errors():
            self._client.delete_object(Bucket=self._bucket, Key=name)


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
            raise FileNotFoundError(str(error)) from error
        raise OSError(str(error)) from error
    except (BotoCoreError, Boto3Error) as error:
        raise OSError(str(error)) from error


class Sealed:
    """A storage that encrypts everything before another storage keeps it."""

    def __init__(self, storage: Storage, key: bytes) -> None:
        self._storage = storage
        self._key = key

    def put(self, name: str, path: Path) -> None:
        """Encrypt the file into another beside it, and keep that."""
        beside = path.with_name(f"{path.name}.sealed")
        try:
            with beside.open("wb") as output, path.open("rb") as source:
                seal(self._key, source, path.stat().st_size, output)
            self._storage.put(name, beside)
        finally:
            beside.unlink(missing_ok=True)

    def read(self, name: str, first: int, count: int) -> Iterator[bytes]:
        """Decrypt only the pieces that hold these bytes."""
        try:
            yield from unseal(self._key, lambda start, size: self._storage.read(name, start, size), first, count)
        except Unsealable as error:
            raise OSError(f"{name}: {error}") from error

    def delete(self, name: str) -> None:
        """Delete the sealed file."""
        self._storage.delete(name)
