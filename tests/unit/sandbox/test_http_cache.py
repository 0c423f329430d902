"""Files that come over HTTP, and the commands for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent.pywsgi import WSGIServer

from orchestrator.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client
from tests.unit.sandbox.test_sounds import write_wav

_HANG_SECONDS = 30.0
_DEADLINE_SECONDS = 0.4


class WebServer:
    """Serves a tenth of a second of silence under any name; some names stand for trouble."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[str] = []
        self.agents: set[str] = set()
        self.server = WSGIServer(("127.0.0.1", 0), self.answer, log=None, error_log=None)
        self.server.start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{name}"

    def answer(self, environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
        name = environ["PATH_INFO"][1:]
        self.asked.append(name)
        self.agents.add(environ["HTTP_USER_AGENT"])
        if name.startswith("hang"):
            gevent.sleep(_HANG_SECONDS)
        if name.startswith("slow"):
            gevent.sleep(_DEADLINE_SECONDS / 2)
        if name.startswith("404"):
            start_response("404 Not Found", [])
            return [b"no"]
        if name.startswith("redirect"):
            start_response("302 Found", [("Location", "/x.wav")])
            return []
        if name.startswith("circle"):
            start_response("302 Found", [("Location", "/circle.wav")])
            return []
        age = [("Cache-Control", "max-age=0")] if name.startswith("old") else []
        start_response("200 OK", [("Content-Type", "audio/x-wav"), *age])
        return [b"not a sound"] if name.startswith("bad") else [self.content]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    server = WebServer(write_wav(tmp_path / "x.wav", seconds=0.1).read_bytes())
    yield server
    server.server.stop(timeout=0)


@pytest.fixture
def member_id(client: Client, sandbox: Sandbox) -> str:
    """The only member of CFx, on a node that does not wait for long."""
    sandbox.node.http_cache.download_timeout_seconds = _DEADLINE_SECONDS
    return client.join("+15550001000", "CFx")[1]


def test_a_file_is_fetched_once_and_lasts_as_long_as_its_header_says(
    client: Client, member_id: str, web: WebServer
) -> None:
    """What was played is counted once, other than of local files."""
    file = f"http_cache://{web.url('x.wav?a=b')}"

    assert client.api(f"conference CFx play {file}") == f"+OK (play) Playing file {file}\n"
    assert client.api(f"conference CFx play {file} {member_id}").startswith("+OK ")
    assert client.api("conference CFx play_status") == f"+OK 0/0 {web.url('x.wav?a=b')}\n"

    client.event("play-file-member-done")
    assert client.event("play-file-done").items() >= {"File": file, "milliseconds": "100", "samples": "800"}.items()
    assert web.asked == ["x.wav"]
    assert web.agents == {"freeswitch-http-cache/1.0"}


@pytest.mark.parametrize(
    ("name", "asked_in_all"),
    [("404.wav", 2), ("bad.wav", 1), ("no-ending", 1), ("x.mp3", 1), ("circle.wav", 22), ("hang.wav", 2)],
)
def test_what_cannot_be_had(client: Client, member_id: str, web: WebServer, name: str, asked_in_all: int) -> None:
    """An error, and an event for a whole conference. What came is kept even if it is no sound; the ending decides.

    A server that does not answer is waited for until the deadline.
    """
    file = f"http_cache://{web.url(name)}"

    assert client.api(f"conference CFx play {file}") == f"-ERR (play) File: {file} not found.\n"
    assert client.api(f"conference CFx play {file} {member_id}") == f"-ERR (play) File: {file} not found.\n"

    assert client.event("play-file").items() >= {"File": file, "Error": "File could not be played"}.items()
    assert "play-file-member" not in client.labels()
    assert len(web.asked) == asked_in_all


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x.wav", "ftp://127.0.0.1/x.wav", "", "nowhere.invalid"])
def test_nobody_there(client: Client, member_id: str, url: str) -> None:
    """The same answer."""
    assert client.api(f"conference CFx play http_cache://{url}").startswith("-ERR (play) File: ")


def test_redirects_are_followed_and_old_files_fetched_again(client: Client, member_id: str, web: WebServer) -> None:
    """max-age=0 is old at once."""
    for name in ("redirect.wav", "redirect.wav", "old.wav", "old.wav"):
        assert client.api(f"conference CFx play http_cache://{web.url(name)}").startswith("+OK ")

    assert web.asked == ["redirect.wav", "x.wav", "old.wav", "old.wav"]


def test_only_the_connection_that_asked_waits(client: Client, member_id: str, web: WebServer, sandbox: Sandbox) -> None:
    """The member whom the file is for can be kicked, but leaves only when the command is over."""
    other = Client(sandbox.port)
    other.subscribe()
    client.send(f"api conference CFx play http_cache://{web.url('hang.wav')} {member_id}")
    other.until(lambda: bool(web.asked))

    assert other.api(f"conference CFx mute {member_id}") == f"+OK mute {member_id}\n"
    assert other.api(f"conference CFx kick {member_id}") == f"+OK kicked {member_id}\n"
    gevent.sleep(_DEADLINE_SECONDS / 4)
    assert other.labels(only={"kick-member", "del-member"}) == ["kick-member"]
    assert client.reply()[1].startswith("-ERR (play) File: ")
    other.event("del-member")
    other.close()


def test_a_conference_is_not_destroyed_while_a_file_for_it_is_fetched(
    client: Client, member_id: str, web: WebServer, sandbox: Sandbox
) -> None:
    """Its members leave as usual; the failed file's event comes before conference-destroy."""
    other = Client(sandbox.port)
    other.subscribe()
    client.send(f"api conference CFx play http_cache://{web.url('hang.wav')}")
    other.until(lambda: bool(web.asked))
    other.api("conference CFx hup all")

    other.event("conference-destroy")

    only = {"del-member", "play-file", "conference-destroy"}
    assert other.labels(only=only) == ["del-member", "play-file", "conference-destroy"]
    other.close()


def test_two_who_want_the_same(client: Client, member_id: str, web: WebServer, sandbox: Sandbox) -> None:
    """The second waits for the first one's answer."""
    other = Client(sandbox.port)
    client.send(f"api http_get {web.url('slow.wav')}")
    other.send(f"api http_get {web.url('slow.wav')}")

    assert client.reply()[1] == other.reply()[1]
    assert web.asked == ["slow.wav"]
    other.close()


def test_the_files_go_with_the_run(client: Client, member_id: str, web: WebServer, sandbox: Sandbox) -> None:
    """After a restart nothing is left on the disk."""
    path = Path(client.api(f"http_get {web.url('x.wav')}"))

    sandbox.kill()

    assert not path.parent.exists()
