"""Playing, without sound."""

from __future__ import annotations

import wave
from pathlib import Path

from tests.unit.sandbox.client import Client

_SHORT_TONE = "tone_stream://%(10,0,440)"
_ENDLESS_TONE = "tone_stream://%(10,0,440);loops=-1"


def test_to_all_and_to_one(client: Client) -> None:
    """play-file and play-file-done; with a member, their -member forms. The tone says how long."""
    _, member_id = client.join("+15550001000", "CFx")

    assert client.api(f"conference CFx play {_SHORT_TONE}") == f"+OK (play) Playing file {_SHORT_TONE}\n"
    assert client.event("play-file")["File"] == _SHORT_TONE
    client.event("play-file-done")
    reply = client.api(f"conference CFx play {_SHORT_TONE} {member_id}")
    assert reply == f"+OK (play) Playing file {_SHORT_TONE} to member {member_id}\n"
    assert client.event("play-file-member-done")["Member-ID"] == member_id


def test_files_must_be_there(client: Client, tmp_path: Path) -> None:
    """An error, and for the whole conference a play-file event with an Error header; a WAV lasts as long as it is."""
    _, member_id = client.join("+15550001000", "CFx")
    file = tmp_path / "short.wav"
    with wave.open(str(file), "wb") as opened:
        opened.setparams((1, 2, 8000, 0, "NONE", ""))
        opened.writeframes(bytes(160))

    assert client.api("conference CFx play /no/such.wav") == "-ERR (play) File: /no/such.wav not found.\n"
    assert client.event("play-file")["Error"]
    assert client.api(f"conference CFx play /no/such.wav {member_id}").startswith("-ERR (play) File: ")
    assert client.api(f"conference CFx play {file} 99").startswith("-ERR Member: 99 not found.\n")
    assert client.api(f"conference CFx play {file}").startswith("+OK ")
    client.event("play-file-done")


def test_stop_and_unhold_end_what_plays(client: Client) -> None:
    """A looped tone ends when it is told to."""
    _, member_id = client.join("+15550001000", "CFx")
    client.api(f"conference CFx play {_ENDLESS_TONE}")

    assert client.api("conference CFx stop all") == "+OK Stopped 1 files.\n"
    assert client.event("play-file-done")["File"] == _ENDLESS_TONE
    assert client.api("conference CFx stop") == "+OK Stopped 0 files.\n"
    client.api(f"conference CFx hold {member_id} {_ENDLESS_TONE}")
    client.api(f"conference CFx unhold {member_id}")
    client.event("play-file-member-done")
    assert client.api("conference CFx stop nonsense").startswith("stop <[current|all|async|last]>")
    assert client.api("conference CFx stop all 99") == "-ERR Member: 99 not found.\n"
