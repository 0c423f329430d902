"""Playing, without sound. Replies, events and their order are those of the real one's tapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sandbox.client import Client, Headers
from tests.unit.sandbox.test_sounds import write_wav

_TONE = "tone_stream://%(60,40,440)"
_SECOND = "tone_stream://%(960,40,440)"
_ENDLESS = "tone_stream://%(60,40,440);loops=-1"
_FILES = {"play-file", "play-file-done", "play-file-member", "play-file-member-done"}


def done(client: Client) -> list[Headers]:
    """The done events so far."""
    return [event for event in client.events if str(event.get("Action")).endswith("-done")]


def wait_for_done(client: Client, count: int) -> list[Headers]:
    client.until(lambda: len(done(client)) == count)
    return done(client)


@pytest.fixture
def member_id(client: Client) -> str:
    """The only member of CFx."""
    return client.join("+15550001000", "CFx")[1]


def test_each_queue_plays_one_after_the_other(client: Client, member_id: str) -> None:
    """The conference's, the member's and the async one go on beside each other."""
    for number in (1, 2):
        client.api(f"conference CFx play {{id=c{number}}}{_TONE}")
        client.api(f"conference CFx play {{id=m{number}}}{_TONE} {member_id}")
    client.api(f"conference CFx play {{id=a}}{_TONE} async")

    ended = [event["id"] for event in wait_for_done(client, 5)]
    assert sorted(ended) == ["a", "c1", "c2", "m1", "m2"]
    assert ended.index("c1") < ended.index("c2")
    assert ended.index("m1") < ended.index("m2")


def test_parameters(client: Client, member_id: str) -> None:
    """They are headers: of the done event the file's own, of play-file those of what plays at that moment.

    `File` keeps them in front. One that is called like a header of the event does not replace Action and File.
    """
    client.api(f"conference CFx play {{id=1,x=y}}{_SECOND}")
    client.api(f"conference CFx play {{id=2,Action=z,File=z}}{_TONE} async")
    client.api(f"conference CFx play {{id=3}}{_TONE}")

    def begun() -> list[Headers]:
        return [event for event in client.events if event.get("Action") == "play-file"]

    client.until(lambda: len(begun()) == 3)
    started = begun()
    assert [(event["id"], event["x"]) for event in started] == [("1", "y")] * 3
    assert [event["File"][:6] for event in started] == ["{id=1,", "{id=2,", "{id=3}"]
    ended = {event["id"]: event for event in wait_for_done(client, 3)}
    assert set(ended) == {"1", "2", "3"}
    assert ended["2"].items() >= {"Action": "play-file-done", "Async": "true"}.items()


def test_parameters_of_a_members_file(client: Client, member_id: str) -> None:
    """In play-file-member they come behind the member's own headers, in the done event before them."""
    client.api(f"conference CFx play {{Member-ID=77}}{_TONE} {member_id}")

    assert client.event("play-file-member")["Member-ID"] == "77"
    assert wait_for_done(client, 1)[0]["Member-ID"] == member_id


def test_a_second_async_file_takes_the_place_of_the_first(client: Client, member_id: str) -> None:
    """Which is done at once, before the event that says that the second plays."""
    client.api(f"conference CFx play {{id=1}}{_ENDLESS} async")
    client.api(f"conference CFx play {{id=2}}{_ENDLESS} ASYNC")

    client.until(lambda: client.labels(only=_FILES) == ["play-file", "play-file-done", "play-file"])
    assert done(client)[0]["id"] == "1"


def test_a_member_that_leaves_while_it_is_played_to(client: Client, member_id: str) -> None:
    """Its files are done before floor-change and del-member, and the events do not say whose they were."""
    channel_uuid = client.event("add-member")["Unique-ID"]
    client.join("+15550001001", "CFx")
    client.event("floor-change")
    client.api(f"conference CFx play {{id=1}}{_ENDLESS} {member_id}")
    client.api(f"conference CFx play {{id=2}}{_ENDLESS} {member_id}")

    client.api(f"uuid_kill {channel_uuid}")
    client.event("del-member")

    only = {"play-file-member-done", "floor-change", "del-member"}
    assert client.labels(only=only)[1:] == ["play-file-member-done"] * 2 + ["floor-change", "del-member"]
    for number, event in enumerate(done(client), start=1):
        assert event["id"] == str(number)
        assert not {"Member-ID", "Unique-ID"} & set(event)
    assert done(client)[1]["samples"] == "0"


def test_a_conference_that_ends_while_it_is_played_to(client: Client) -> None:
    """When one with endconf leaves: the others are hung up, all files are done, then come del-member and destroy."""
    _, boss = client.join("+15550001000", "CFx", "conference_member_flags=endconf")
    client.join("+15550001001", "CFx")
    for number in (1, 2):
        client.api(f"conference CFx play {{id={number}}}{_ENDLESS}")
    client.api(f"conference CFx play {{id=a}}{_ENDLESS} async")

    client.api(f"conference CFx kick {boss}")
    client.event("conference-destroy")

    only = {"CHANNEL_HANGUP", "play-file-done", "del-member", "conference-destroy"}
    labels = client.labels(only=only)
    assert labels[:2] == ["del-member", "CHANNEL_HANGUP"]
    assert labels[2:] == ["CHANNEL_HANGUP", *["play-file-done"] * 3, "del-member", "conference-destroy"]
    assert [event["id"] for event in done(client)] == ["1", "2", "a"]


def test_a_wav_file_and_its_loops(client: Client, member_id: str, tmp_path: Path) -> None:
    """`loops` counts for a file that plays to all, not for one that plays to a member."""
    short = write_wav(tmp_path / "short.wav", seconds=0.1)
    client.api(f"conference CFx play {{loops=2,id=all}}{short}")
    client.api(f"conference CFx play {{loops=2,id=one}}{short} {member_id}")

    one, everybody = wait_for_done(client, 2)

    assert (one["id"], one["milliseconds"]) == ("one", "200")
    assert (everybody["id"], everybody["milliseconds"]) == ("all", "400")
