"""A tenant who means harm: by URLs, documents, audio, servers, SIDs that are not theirs, and sheer number.

Everything that this service says to its switch goes through a tap: nothing of a tenant's may ever be in it.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import redis
from twilio.base.exceptions import TwilioRestException

from tests.conftest import make_switch
from tests.harness.hostile_web import Server, drip, endless_gzip, fifty_megabytes, gzip_bomb, head, redirect_to, saying
from tests.harness.polling import eventually
from tests.harness.room import Room
from tests.harness.stack import Process, Stack, Switch
from tests.harness.web import Web, tone

MARKS: Final = ("evil", "passwd", "say:", "{x=", "$", "sandman", "http://[", "169.254", "\r", "%0")
"""In what the tests below send; in no command of ours."""


# ---------------------------------------------------------------- tools


@dataclass
class Tap:
    """A way to the switch that keeps all that is said on it."""

    upstream: int
    said: list[bytes] = field(default_factory=list)

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    @property
    def commands(self) -> list[str]:
        return [text for text in b"".join(self.said).decode("utf-8", "replace").split("\n\n") if text]

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                return
            for source, target, keep in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pass_on, args=(source, target, keep), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if keep:
                    self.said.append(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            source.close()


class TappedStack(Stack):
    """A service whose processes reach their switch through a tap."""

    def __init__(self, switch: Switch, directory: Any) -> None:
        super().__init__(switch, directory)
        self.tap = Tap(switch.esl_port)
        self.tap.start()

    def _process(self, command: str, name: str | None = None) -> Process:
        self.environment["FREESWITCH_NODES"] = f"fs1=127.0.0.1:{self.tap.port}"
        return super()._process(command, name)

    def assert_nothing_said(self) -> None:
        """No mark of an attack is in any command, and no command is of a kind that we do not use."""
        for command in self.tap.commands:
            assert not [mark for mark in MARKS if mark in unstocked(command)], command[:300]


def unstocked(command: str) -> str:
    """Without what is ours in a play command, and without the dial strings of the harness's own calls."""
    return "" if "originate " in command else command.replace("{orchestrator_play=", "")


@pytest.fixture(scope="module")
def stack(switch_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TappedStack]:
    """A service with a tap."""
    directory = tmp_path_factory.mktemp(f"attacks-{switch_name}")
    running = TappedStack(make_switch(switch_name, directory / "switch"), directory)
    with running:
        yield running
        running.tap.stop()


@pytest.fixture
def two(room: Room) -> Iterator[Room]:
    """Anna, who is attacked with, and bert; afterwards the switch has heard nothing of it, and both can talk."""
    tapped = room.stack
    assert isinstance(tapped, TappedStack)
    errors = set(tapped.switch.log_errors())
    room.add("anna", 1)
    room.add("bert", 2)
    yield room
    eventually(lambda: room.matrix() == {"anna": {"bert"}, "bert": {"anna"}}, "they hear each other")
    tapped.assert_nothing_said()
    new = set(tapped.switch.log_errors()) - errors
    assert not [line for line in new if any(mark in line for mark in MARKS)], new


def refused(room: Room, url: str, **more: Any) -> str:
    """Announce it to anna; returns the code with which that failed."""
    before = room.stack.receiver.kinds(room.conference_sid).count("announcement-fail")
    room.update("anna", announce_url=url, **more)
    told = room.await_event("announcement-fail", before + 1)
    assert told["AnnounceUrl"] == url
    return told["ReasonAnnouncementFailed"].partition(":")[0]


# ---------------------------------------------------------------- URLs as such

HOSTILE_URLS: Final = (
    "http://127.0.0.1:{port}/ evil.wav",
    "http://127.0.0.1:{port}/evil.wav\n\napi global_setvar evil=1\n\n",
    "http://127.0.0.1:{port}/evil.wav\r\nX: y",
    "http://127.0.0.1:{port}/evil.wav\x00",
    "file:///etc/passwd",
    "tone_stream://%(1000,0,440)#evil",
    "say:evil",
    "{{x=y}}http://127.0.0.1:{port}/evil.wav",
    "local_stream://sandman",
    "http_cache://http://127.0.0.1:{port}/evil.wav",
    "/etc/passwd",
    "http://",
    "http:evil",
    "http://[evil",
    "http://127.0.0.1:0/evil",
    "http://127.0.0.1:99999/evil",
    "javascript:evil()",
    "http://127.0.0.1:{port}/" + "evil" * 2000,
    "http://127.0.0.1:{port}/évil.wav",
)
CARRIED_URLS: Final = (
    "http://127.0.0.1:{port}/evil.wav%0A%0Aapi%20global_setvar%20evil=1",
    "http://127.0.0.1:{port}/${{global_setvar(evil=1)}}.wav",
    "http://127.0.0.1:{port}/$1evil'|\"{{x=y}}[a=b].wav",
    "http://127.0.0.1:{port}/../../etc/passwd",
    "http://say:evil@127.0.0.1:{port}/evil.wav",
    "http://127.0.0.1:{port}/evil.wav?" + "e" * 3500,
)


def test_urls_that_are_none_are_refused_everywhere(two: Room, web: Web) -> None:
    """As HoldUrl, AnnounceUrl (to one, to all) and WaitUrl (at creation, by update): 21205, and nothing is done."""
    participant = two.conference.participants("anna")
    asks: dict[str, Callable[[str], Any]] = {
        "HoldUrl": lambda url: participant.update(hold=True, hold_url=url),
        "AnnounceUrl": lambda url: participant.update(announce_url=url),
        "WaitUrl": lambda url: participant.update(wait_url=url),
        "AnnounceUrl of all": lambda url: two.conference.update(announce_url=url),
        "WaitUrl at creation": lambda url: two.add("carl", 3, wait_url=url),
    }
    for template in HOSTILE_URLS:
        url = template.format(port=web.port)
        for name, ask in asks.items():
            with pytest.raises(TwilioRestException) as caught:
                ask(url)
            assert (caught.value.status, caught.value.code) == (400, 21205), (name, url[:80])

    assert not web.asked


def test_urls_that_are_strange_stay_urls(two: Room, web: Web) -> None:
    """Braces, dollars, escapes: asked for from the server and not understood by anybody else. Stock music is heard."""
    for template in CARRIED_URLS:
        url = template.format(port=web.port)
        asked = len(web.asked)
        two.update("anna", hold=True, hold_url=url, hold_method="POST")
        eventually(lambda asked=asked: len(web.asked) > asked, f"{url[:80]} is fetched")  # type: ignore[misc]
        eventually(lambda: two.is_played_to("anna"), "stock music is played")
        two.update("anna", hold=False)

    assert two.stack.switch.api("global_getvar evil").strip() != "1"


# ---------------------------------------------------------------- where they lead


def test_addresses_that_are_not_listed_are_refused(two: Room) -> None:
    """Loopback by other names, link-local, private: 11210, and nobody is connected to. 127.0.0.0/8 alone is listed."""
    bait, other_bait = Server("::1"), Server("0.0.0.0")  # noqa: S104 -- to see whether we connect to it
    urls = (
        f"http://[::1]:{bait.port}/",
        f"http://0.0.0.0:{other_bait.port}/",
        f"http://[::]:{bait.port}/",
        f"http://[::ffff:0:0]:{other_bait.port}/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://172.16.0.1/",
        "http://0x0a000001/",
        "http://167772161/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://[2002:a00:1::]/",
        "http://100.64.0.1/",
    )
    codes = {}
    for url in urls:
        codes[url] = refused(two, url)
    bait.close()
    other_bait.close()

    assert set(codes.values()) == {"11210"}, codes
    assert (bait.connections, other_bait.connections) == (0, 0)


def test_redirects_lead_to_no_file_and_no_private_address(two: Room) -> None:
    """What a server redirects to is checked like what a tenant sends; a <Redirect> and a <Play> in a document too."""
    bait = Server("::1")
    targets = {
        f"http://[::1]:{bait.port}/evil": "11210",
        "http://169.254.169.254/latest/meta-data": "11210",
        "file:///etc/passwd": "11216",
        "ftp://127.0.0.1/evil": "11216",
        "say:evil": "11216",
        "http://:80/": "11216",
        "tone_stream://%(1000,0,440)": "11215",  # no scheme has a "_": a path on the same server
    }
    found = {}
    for target in targets:
        server = Server(answer=redirect_to(target))
        found[target] = refused(two, server.url, announce_method="GET")
        server.close()
    bait.close()

    assert found == targets
    assert bait.connections == 0


# ---------------------------------------------------------------- documents

EVIL: Final = "${global_setvar(evil=1)}"
DOCUMENTS: Final = {
    "a local file by an entity": (
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response><Say>&x;</Say></Response>',
        "12100",
    ),
    "an external subset": ('<!DOCTYPE r SYSTEM "http://127.0.0.1:1/evil.dtd"><Response/>', "12100"),
    "an entity that nobody declared": ("<Response><Say>&evil;</Say></Response>", "12100"),
    "10,000 verbs": (f"<Response>{'<Pause/>' * 10_000}</Response>", "11750"),
    "7,000 verbs": (f"<Response>{'<Pause/>' * 7_000}</Response>", "12100"),
    "201 verbs": (f"<Response>{'<Pause/>' * 201}</Response>", "12100"),
    "deep nesting": (f"<Response>{'<Say>' * 5000}x{'</Say>' * 5000}</Response>", "12100"),
    "an attribute of 60 kB": (f'<Response><Play loop="{"9" * 60_000}">evil.wav</Play></Response>', "11217"),
    "UTF-7": ('<?xml version="1.0" encoding="utf-7"?><Response/>', "12100"),
    "a null byte": ("<Response><Say>evil\x00</Say></Response>", "12100"),
    "a file to play": ("<Response><Play>file:///etc/passwd</Play></Response>", "11100"),
    # No scheme has a "_": these are paths on the same server, which knows none of them.
    "a tone to play": ("<Response><Play>tone_stream://%(1000,0,440)</Play></Response>", "11217"),
    "say: to play": ("<Response><Play>say:evil</Play></Response>", "11100"),
    "a local stream to play": ("<Response><Play>local_stream://sandman</Play></Response>", "11217"),
    "parameters before a URL": ("<Response><Play>{x=evil}http://127.0.0.1:1/evil.wav</Play></Response>", "11217"),
    "a variable to play": (f"<Response><Play>{EVIL}</Play></Response>", "11217"),
    "a path to play": ("<Response><Play>../../../../etc/passwd</Play></Response>", "11217"),
    "a private address to play": ("<Response><Play>http://[::1]:1/evil.wav</Play></Response>", "11210"),
    "a file to go on with": ("<Response><Redirect>file:///etc/passwd</Redirect></Response>", "11100"),
    "digits that are none": (f'<Response><Play digits="{EVIL}"/></Response>', "13430"),
}

VOICES: Final = {
    "a voice that is none": f'<Response><Say voice="{EVIL}">evil</Say></Response>',
    "a language that is none": '<Response><Say language="../../../etc/passwd">evil</Say></Response>',
    "an option for a voice": '<Response><Say voice="-f /etc/passwd">evil</Say></Response>',
}


def test_hostile_documents_are_refused(two: Room, web: Web) -> None:
    """Each with its code, and nothing of it comes near the switch, a file, or a program."""
    found = {}
    for number, (name, (body, _)) in enumerate(DOCUMENTS.items()):
        found[name] = refused(two, web.put(f"/{number}.xml", body))

    assert found == {name: code for name, (_, code) in DOCUMENTS.items()}
    assert two.stack.switch.api("global_getvar evil").strip() != "1"


def test_a_voice_that_nobody_has_is_the_usual_one(two: Room, web: Web) -> None:
    """Twilio warns of it. What stands there instead of a voice reaches no command line."""
    for number, (name, body) in enumerate(VOICES.items(), 1):
        two.update("anna", announce_url=web.put(f"/voice{number}.xml", body))
        two.await_event("announcement-end", number)
        assert two.stack.switch.api("global_getvar evil").strip() != "1", name


def test_text_is_spoken_and_not_obeyed(two: Room, web: Web) -> None:
    """Variables, quotes, options and commands in a <Say> are words."""
    text = f"{EVIL} 'evil' \"; touch /tmp/evil --stdout $(touch /tmp/evil) `evil`"
    url = web.put("/say.xml", f"<Response><Say>{text}</Say></Response>")
    two.update("anna", announce_url=url)
    eventually(lambda: two.is_played_to("anna"), "it is spoken")
    two.update("anna", hold=True)  # it need not be heard to its end
    two.update("anna", hold=False)

    assert two.stack.switch.api("global_getvar evil").strip() != "1"


# ---------------------------------------------------------------- servers and audio


def test_hostile_servers_cost_little_and_are_told(two: Room) -> None:
    """Garbage, 50 MB with and without a length, a drip, gzip bombs, nothing at all: each ends soon, with its code."""
    garbage = bytes(range(256)) * 400
    lying = tone(2600, 1)[:4] + b"\xff\xff\xff\xff" + tone(2600, 1)[8:40] + b"\xff\xff\xff\xff" + b"\x00" * 10
    fmt_bomb = tone(2600, 1)[:22] + b"\xff\xff\xff\xff\xff\x7f" + tone(2600, 1)[28:]
    cases: dict[str, tuple[Callable[[socket.socket], object], str, str]] = {
        "a garbage WAV": (saying(head(), b"RIFF", garbage), "", "12300"),
        "a garbage MP3": (saying(head("audio/mpeg"), b"ID3", garbage), "", "12300"),
        "a WAV without a sample": (saying(head(), tone(2600, 1)[:44]), "", "12300"),
        "65,535 channels": (saying(head(), fmt_bomb), "", "12300"),
        "50 MB": (lambda near: fifty_megabytes(near, "Content-Length: 52428844"), "", "11750"),
        "50 MB without a length": (fifty_megabytes, "", "11750"),
        "a gzip bomb": (gzip_bomb, "", "11750"),
        "endless gzip": (endless_gzip, "", "11750"),
        "gzip that is none": (saying(head("audio/wav", "Content-Encoding: gzip"), garbage), "", "12300"),
        "a drip": (drip, "#tt=700", "11203"),
        "silence": (lambda near: near.recv(1), "#tt=300", "11203"),
        "an empty answer": (saying(head("audio/wav", "Content-Length: 0")), "", "11770"),
        "endless headers": (saying(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 9999), "", "11205"),
        "no HTTP": (saying(b"SSH-2.0-evil\r\n"), "", "11205"),
        "a sudden end": (saying(head("audio/wav", "Content-Length: 999"), b"RIFF"), "", "11205"),
    }
    worker = two.stack.workers[0].pid
    before = peak_megabytes(worker)
    found = {}
    for name, (answer, overrides, _) in cases.items():
        server = Server(answer=answer)
        found[name] = refused(two, server.url + overrides, announce_method="GET")
        server.close()
    played_as_long_as_it_is = Server(answer=saying(head(), lying))
    two.update("anna", announce_url=played_as_long_as_it_is.url, announce_method="GET")
    eventually(
        lambda: {"announcement-end", "announcement-fail"} & set(two.stack.receiver.kinds(two.conference_sid)[-1:]),
        "a WAV that lies about its length ends",
    )
    played_as_long_as_it_is.close()

    assert found == {name: code for name, (_, _, code) in cases.items()}
    assert peak_megabytes(worker) - before < 64, "the worker has grown"


def peak_megabytes(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))


# ---------------------------------------------------------------- other tenants, guesses, crowds


def test_another_tenants_people_and_conferences_are_not_there(two: Room, web: Web) -> None:
    """A foreign CallSid cannot be coached (16028); a foreign conference cannot be announced to, changed or read."""
    sid, token = "AC" + "1" * 32, "f" * 32
    two.stack.add_account(sid, token)
    theirs = two.stack.client(sid, token)
    stranger = theirs.conferences("theirs").participants.create(from_="+15550009999", to="+15550001003", label="eve")
    with pytest.raises(TwilioRestException) as caught:
        two.update("anna", coaching=True, call_sid_to_coach=stranger.call_sid)
    assert (caught.value.status, caught.value.code) == (400, 16028)
    with pytest.raises(TwilioRestException) as caught:
        two.add("carl", 3, coaching=True, call_sid_to_coach=stranger.call_sid)
    assert (caught.value.status, caught.value.code) == (400, 16028)
    ours = theirs.conferences(two.conference_sid)
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: ours.update(announce_url=web.put_tone(2600, 1)),
        lambda: ours.update(status="completed"),
        ours.fetch,
        lambda: ours.participants("anna").update(hold=True),
        lambda: ours.participants(two.people["anna"].call_sid).update(announce_url=web.put_tone(2600, 1)),
        lambda: ours.participants("anna").update(wait_url=web.put_tone(2600, 1)),
        lambda: ours.participants.create(from_="+15550009999", to="+15550001004"),
    )
    for attempt in attempts:
        with pytest.raises(TwilioRestException) as caught:
            attempt()
        assert (caught.value.status, caught.value.code) == (404, 20404)
    theirs.conferences(stranger.conference_sid).update(status="completed")

    assert not web.asked


def test_audio_cannot_be_guessed(two: Room, web: Web) -> None:
    """/media answers 404 to whatever is not exactly an id that it gave out, and leads nowhere else; without an id there
    is nothing that anybody may see without credentials (401)."""
    two.update("anna", announce_url=web.put_tone(2600, 0.3), announce_method="GET")
    two.await_event("announcement-end")
    paths = (
        f"/media/{'0' * 32}.wav",
        "/media/*.wav",
        "/media/.wav",
        "/media/",
        "/media",
        "/media/..%2f..%2f..%2fetc%2fpasswd.wav",
        "/media/../../../etc/passwd",
        "/media/%2e%2e/healthz",
        "/media/%00.wav",
        "/media/%0d%0aX:%20y.wav",
        "/media/{media}:ends.wav",
        f"/media/{two.stack.account_sid}.wav",
        "/media/" + "a" * 4000 + ".wav",
        "/media/%ff%fe.wav",
    )
    server = urlsplit(two.stack.base_url)
    for path in paths:
        for method in ("GET", "HEAD"):
            connection = http.client.HTTPConnection(server.hostname or "", server.port, timeout=5)
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            assert answer.status in (400, 401, 404), (method, path, answer.status, body[:100])
            assert b"root:" not in body
            assert "X" not in answer.headers


def test_a_crowd_of_announcements_is_bounded(two: Room, web: Web) -> None:
    """200 at once to one person: about 20 are taken, in order, the others are told 429 with 20429."""
    url = web.put_tone(2600, 0.1)

    def announce(_: int) -> tuple[int, int | None]:
        try:
            two.stack.client().conferences(two.conference_sid).participants("anna").update(
                announce_url=url, announce_method="GET"
            )
        except TwilioRestException as error:
            return error.status, error.code
        return 200, None

    with ThreadPoolExecutor(16) as pool:
        answers = Counter(pool.map(announce, range(200)))
    taken = answers.pop((200, None))

    assert set(answers) == {(429, 20429)}, answers
    assert 20 <= taken <= 60
    two.stack.receiver.await_kind(two.conference_sid, "announcement-end", taken, seconds=30)
    told = two.stack.receiver.of(two.conference_sid)
    assert [int(one.parameters["SequenceNumber"]) for one in told] == list(range(1, len(told) + 1))


def test_a_flood_of_holds_ends_as_asked_last(two: Room) -> None:
    """100 alternations by four clients at once: the switch does what the API says, and then what is asked last."""
    participants = two.conference.participants

    def alternate(first: int) -> None:
        client = two.stack.client()
        for turn in range(25):
            client.conferences(two.conference_sid).participants("anna").update(hold=(first + turn) % 2 == 0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(alternate, range(4)))

    def agree() -> bool:
        anna = two.members()[two.people["anna"].call_sid]
        return bool(anna["flags"].get("hold", False) is participants("anna").fetch().hold)

    eventually(agree, "the switch does what the API says", 20)
    two.update("anna", hold=True)
    two.expect("after a flood of holds: held", anna="music", bert="")
    two.update("anna", hold=False)
    two.expect("after a flood of holds: back", anna="bert", bert="anna")

    def holds_told() -> list[str]:
        return [kind for kind in two.stack.receiver.kinds(two.conference_sid) if "hold" in kind]

    eventually(lambda: holds_told()[-1] == "participant-unhold", "it is told")
    holds = holds_told()
    assert holds == ["participant-hold", "participant-unhold"] * (len(holds) // 2)


def test_without_a_list_no_private_address_is_connected_to(room: Room) -> None:
    """ALLOWED_PRIVATE_NETWORKS empty, as shipped: 127.0.0.1 by any of its names is refused with 11210, unasked."""
    silent = {"status_callback": "", "conference_status_callback": ""}
    room.add("anna", 1, **silent)
    room.add("bert", 2, **silent)
    client: Any = redis.Redis.from_url(room.stack.environment["REDIS_URL"])
    eventually(lambda: not list(client.scan_iter("sound:*:lease")), "the worker has nothing to do: it leaves no lease")
    client.close()
    bait = Server()
    (worker,) = room.stack.workers
    listed = room.stack.environment["ALLOWED_PRIVATE_NETWORKS"]
    hosts = ("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::ffff:127.0.0.1]")
    worker.kill_9()
    room.stack.environment["ALLOWED_PRIVATE_NETWORKS"] = ""
    logged = len(worker.log())
    worker.start()
    try:
        for host in hosts:
            room.update("anna", announce_url=f"http://{host}:{bait.port}/evil", announce_method="GET")
        eventually(lambda: worker.log()[logged:].count('"code":11210') >= 2 * len(hosts), "all are refused", 30)
    finally:
        worker.kill_9()
        room.stack.environment["ALLOWED_PRIVATE_NETWORKS"] = listed
        worker.start()
        bait.close()

    assert bait.connections == 0
    assert room.matrix() == {"anna": {"bert"}, "bert": {"anna"}}
