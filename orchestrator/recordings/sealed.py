"""Encrypts what is kept with RECORDINGS_KEY: AES-256-GCM in pieces, so that any byte can be read without the others.

A file is a head (magic, salt, length of what is in it) and pieces of 64 kB, each with a tag of 16 bytes. Each file has
a key of its own, by HKDF from the operator's key and the salt; a piece's number is its nonce, and the head is
authenticated with every piece: pieces cannot be swapped, dropped or cut off unnoticed.
"""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
PIECE_BYTES: Final = 1 << 16
TAG_BYTES: Final = 16
SEALED_PIECE: Final = PIECE_BYTES + TAG_BYTES
_MAGIC: Final = b"ORCHREC1"
_HEAD: Final = struct.Struct(">8s16sQ")
HEAD_BYTES: Final = _HEAD.size

ReadRange = Callable[[int, int], Iterator[bytes]]
"""(first byte, how many) -> those bytes of what is kept, in pieces of any size."""


class Unsealable(Exception):
    """The file was not sealed with this key, or has been changed since."""


def parse_key(text: str) -> bytes:
    """Read a key from its base64 text. Raises ValueError."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error is one
        raise ValueError("is not base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError("is not 32 bytes in base64: openssl rand -base64 32")
    return key


def seal(key: bytes, source: BinaryIO, length: int, output: BinaryIO) -> None:
    """Encrypt `length` bytes of `source`."""
    head = _HEAD.pack(_MAGIC, os.urandom(16), length)
    cipher = _cipher(key, head)
    output.write(head)
    for number in range(pieces_of(length)):
        output.write(cipher.encrypt(_nonce(number), source.read(PIECE_BYTES), head))


def pieces_of(length: int) -> int:
    """Return in how many pieces so many bytes are sealed."""
    return -(-length // PIECE_BYTES)


def unseal(key: bytes, read: ReadRange, first: int, count: int) -> Iterator[bytes]:
    """Yield `count` bytes from `first` on of what was sealed. Raises Unsealable."""
    head = b"".join(read(0, HEAD_BYTES))
    if len(head) != HEAD_BYTES or not head.startswith(_MAGIC):
        raise Unsealable("not sealed")
    length = _HEAD.unpack(head)[2]
    cipher = _cipher(key, head)
    count = min(count, length - first)
    if count <= 0:
        return
    number, last = first // PIECE_BYTES, (first + count - 1) // PIECE_BYTES
    sealed_end = min((last + 1) * SEALED_PIECE, length + pieces_of(length) * TAG_BYTES)
    start = number * SEALED_PIECE
    skip = first - number * PIECE_BYTES
    for piece in _in_pieces(read(HEAD_BYTES + start, sealed_end - start)):
        try:
            plain = cipher.decrypt(_nonce(number), piece, head)
        except InvalidTag as error:
            raise Unsealable("another key, or changed") from error
        wanted = plain[skip : skip + count]
        yield wanted
        count -= len(wanted)
        number, skip = number + 1, 0
    if count:
        raise Unsealable("cut off")


def _in_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= SEALED_PIECE:
            yield bytes(waiting[:SEALED_PIECE])
            del waiting[:SEALED_PIECE]
    if waiting:
        yield bytes(waiting)


def _cipher(key: bytes, head: bytes) -> AESGCM:
    salt = _HEAD.unpack(head)[1]
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=_MAGIC).derive(key))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
