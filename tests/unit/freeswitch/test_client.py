"""Every hole of greenswitch that `EventSocket` closes, attacked by a scripted server on a real socket."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent.event import Event as Signal

from orchestrator.freeswitch import client as client_module
from orchestrator.freeswitch.client import CommandRefused, EventSocket, NodeRefuses, NodeUnavailable, parse_headers
from tests.unit.fake_esl import PASSWORD, FakeEsl, Peer, Script, answer, event, obedient, reply, settled

Start = Callable[..., FakeEsl]
DEADLINE_SECONDS = 0.2
SLACK_SECONDS = 10.0


@pytest.fixture(autouse=True)
def _short_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", DEADLINE_SECONDS)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """The body has to be done by then: a wait for ever fails here and does not hang the run."""
    with gevent.Timeout(seconds, AssertionError(f"still waiting after {seconds} s")):
        yield


@pytest.fixture
def connect(fake_esl: Start) -> Iterator[Callable[..., EventSocket]]:
    """Connects to a server that plays the script."""
    made: list[EventSocket] = []

    def connected(
        script: Script, receive_buffer: int = 0, on_event: Callable[[bytes], None] | None = None
    ) -> EventSocket:
        server = fake_esl(script, receive_buffer)
        made.append(EventSocket("127.0.0.1", server.port, PASSWORD, on_event))
        made[-1].connect()
        return made[-1]

    yield connected
    for connection in made:
        connection.close()


def _hang(peer: Peer) -> None:
    while True:
        peer.hear()


# ------------------------------------------------------------ waiting for ever


def _says(*parts: bytes) -> Script:
    def script(peer: Peer) -> None:
        for part in parts:
            peer.say(part)
        _hang(peer)

    return script


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(_says(), id="nothing"),
        pytest.param(_says(b"Content-Type: auth/request\n"), id="half a packet"),
        pytest.param(_says(b"\n" * 100), id="line breaks only"),
        pytest.param(
            _says(b"Content-Type: text/event-json\nContent-Length: 2\n\n{}"), id="an event but no auth request"
        ),
        pytest.param(_says(b"Content-Type: auth/request\n\n"), id="no answer to the password"),
        pytest.param(_says(b"Content-Type: auth/request\nContent-Length: 99\n\n"), id="a body that never comes"),
    ],
)
def test_a_server_that_does_not_let_us_in_is_given_up_in_time(fake_esl: Start, script: Script) -> None:
    """Whatever is missing, connecting ends with NodeUnavailable, and the connection is closed."""
    connection = EventSocket("127.0.0.1", fake_esl(script).port, PASSWORD)

    with _within(DEADLINE_SECONDS + SLACK_SECONDS), pytest.raises(NodeUnavailable):
        connection.connect()
    assert not connection.connected


@pytest.mark.parametrize(
    "part", [b"", b"Content-Type: api/response\n", b"Content-Type: api/response\nContent-Length: 9\n\n+OK"]
)
def test_a_reply_that_never_comes_is_not_waited_for(connect: Callable[..., EventSocket], part: bytes) -> None:
    """Nothing, half a header or half a body: NodeUnavailable at the deadline."""

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.hear()
        peer.say(part)
        _hang(peer)

    connection = connect(script)
    with _within(DEADLINE_SECONDS + SLACK_SECONDS), pytest.raises(NodeUnavailable):
        connection.api("status", seconds=DEADLINE_SECONDS)


def test_a_port_where_nobody_listens_is_unavailable(fake_esl: Start) -> None:
    """The refusal of the kernel is NodeUnavailable, at once."""
    server = fake_esl(_hang)
    server.stop()

    with _within(SLACK_SECONDS), pytest.raises(NodeUnavailable):
        EventSocket("127.0.0.1", server.port, PASSWORD).connect()


def test_the_way_of_greenswitch_to_send_is_closed(connect: Callable[..., EventSocket]) -> None:
    """`send` can wait for ever, so nobody may use it by mistake."""
    with pytest.raises(TypeError):
        connect(obedient()).send("api status")


# ------------------------------------------------------------ being turned away


def _refuse(peer: Peer, more: bytes) -> None:
    peer.say("Content-Type: auth/request\n\n")
    peer.hear()
    peer.say(reply("-ERR invalid") + more)
    _hang(peer)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda peer: None, id="closed at once"),
        pytest.param(
            lambda peer: peer.say("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"),
            id="rude-rejection",
        ),
        pytest.param(lambda peer: peer.say("Content-Type: auth/request\n\n"), id="closed after the auth request"),
        pytest.param(
            lambda peer: _refuse(peer, b""),
            id="wrong password",
        ),
        pytest.param(
            lambda peer: _refuse(peer, b"Content-Type: text/disconnect-notice\n\n"),
            id="wrong password and a notice",
        ),
    ],
)
def test_a_node_that_turns_us_away_is_unavailable_at_once(
    fake_esl: Start, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No need to wait for the deadline, and the password is in no error."""
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", 30)
    connection = EventSocket("127.0.0.1", fake_esl(script).port, PASSWORD)

    with _within(SLACK_SECONDS), pytest.raises(NodeUnavailable) as raised:
        connection.connect()
    assert PASSWORD not in str(raised.value)
    assert not connection.connected


@pytest.mark.parametrize(
    "script",
    [
        lambda peer: peer.say("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"),
        lambda peer: _refuse(peer, b""),
    ],
    ids=["by its access list", "by its password"],
)
def test_a_node_that_lets_nobody_in_is_there(fake_esl: Start, script: Script) -> None:
    """Whoever follows it must not take its calls for lost."""
    with pytest.raises(NodeRefuses):
        EventSocket("127.0.0.1", fake_esl(script).port, PASSWORD).connect()


def test_a_disconnect_notice_ends_the_connection_and_what_is_in_flight(connect: Callable[..., EventSocket]) -> None:
    """FreeSWITCH says goodbye and may leave the socket open for a while; we do not wait for that."""

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.hear()
        peer.say("Content-Type: text/disconnect-notice\nContent-Length: 4\n\nBye\n")
        _hang(peer)

    connection = connect(script)
    with _within(SLACK_SECONDS), pytest.raises(NodeUnavailable):
        connection.api("status", seconds=30)
    with _within(SLACK_SECONDS):
        connection.wait_closed()
    assert not connection.connected


# ------------------------------------------------------------ a connection that drops


def test_when_the_connection_drops_all_commands_in_flight_fail_at_once(connect: Callable[..., EventSocket]) -> None:
    """A hundred greenlets wait for replies; none of them waits for its deadline."""
    heard: list[str] = []

    def script(peer: Peer) -> None:
        peer.welcome()
        while len(heard) < 100:
            heard.append(peer.hear())

    connection = connect(script)
    callers = [gevent.spawn(connection.api, f"status {number}", 30.0) for number in range(100)]
    with _within(SLACK_SECONDS * 2):
        gevent.joinall(callers)

    assert len(heard) == 100
    assert all(isinstance(caller.exception, NodeUnavailable) for caller in callers)


def test_commands_before_the_drop_keep_their_replies(connect: Callable[..., EventSocket]) -> None:
    """What was answered was answered; only the others fail."""

    def script(peer: Peer) -> None:
        peer.welcome()
        commands = [peer.hear() for _ in range(10)]
        for command in commands[:5]:
            peer.say(answer(command))

    connection = connect(script)
    callers = [gevent.spawn(connection.api, str(number), 30.0) for number in range(10)]
    with _within(SLACK_SECONDS):
        gevent.joinall(callers)

    assert [caller.value for caller in callers[:5]] == [f"api {number}" for number in range(5)]
    assert all(isinstance(caller.exception, NodeUnavailable) for caller in callers[5:])


def test_a_closed_connection_takes_no_commands(connect: Callable[..., EventSocket]) -> None:
    """NodeUnavailable at once; and closing twice is no news."""
    closes = []
    connection = connect(obedient())
    connection._on_close = lambda: closes.append(1)
    connection.close()
    connection.close()

    with _within(SLACK_SECONDS), pytest.raises(NodeUnavailable):
        connection.api("status", seconds=30)
    assert closes == [1]


def test_a_caller_that_is_killed_while_it_writes_takes_the_connection_along(
    connect: Callable[..., EventSocket],
) -> None:
    """Half a command is on its way: whatever came behind it would be read as its other half."""
    heard: list[str] = []
    go_on = Signal()

    def script(peer: Peer) -> None:
        peer.welcome()
        go_on.wait()
        while True:
            heard.append(peer.hear())
            peer.say(answer("+OK"))

    connection = connect(script, receive_buffer=2048)
    victim = gevent.spawn(connection.command, "api " + "x" * 8_000_000, None, 30.0)
    settled(connection._writing.locked, "the command is being written")
    victim.kill()
    go_on.set()

    with _within(SLACK_SECONDS), pytest.raises(NodeUnavailable):
        connection.api("status", seconds=30)
    assert not any("status" in command for command in heard)


def test_connections_leave_no_file_behind(fake_esl: Start) -> None:
    """A node that is away for a day is tried 100,000 times."""

    def files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    server = fake_esl(lambda peer: peer.say("Content-Type: auth/request\n\n"))

    def attempt() -> None:
        with pytest.raises(NodeUnavailable):
            EventSocket("127.0.0.1", server.port, PASSWORD).connect()

    attempt()
    before = files()
    for _ in range(50):
        attempt()
    server.peers.clear()

    settled(lambda: files() <= before + 2, "the files are closed", 2)


# ------------------------------------------------------------ writing


def test_a_large_command_arrives_whole_and_unmixed_at_a_slow_reader(connect: Callable[..., EventSocket]) -> None:
    """The socket takes a few kB at a time; eight commands of 300 kB are written at once by eight greenlets."""
    heard: list[str] = []

    def script(peer: Peer) -> None:
        peer.welcome()
        while True:
            heard.append(peer.hear())
            peer.say(answer(heard[-1][4:20]))

    connection = connect(script, receive_buffer=2048)
    commands = [f"{number:015} " + str(number) * 300_000 for number in range(8)]
    callers = [gevent.spawn(connection.api, command, 20.0) for command in commands]
    with _within(20):
        gevent.joinall(callers, raise_error=True)

    assert sorted(heard) == [f"api {command}" for command in commands]
    assert [caller.value for caller in callers] == [command[:16] for command in commands]


@pytest.mark.parametrize("broken", ["status\n\napi shutdown", "status\r", "status\0", "\n"])
def test_a_line_break_in_a_command_is_refused(connect: Callable[..., EventSocket], broken: str) -> None:
    """It would end this command and begin another. Nothing is sent, and the connection stays good."""
    heard: list[str] = []
    connection = connect(obedient(heard=heard))

    with pytest.raises(ValueError, match="line break"):
        connection.api(broken)
    with pytest.raises(ValueError, match="line break"):
        connection.bgapi("status", broken)
    with pytest.raises(ValueError, match="line break"):
        connection.command("event json ALL", {broken: "x"})

    assert connection.api("status") == "+OK\n"
    assert heard == ["api status"]


def test_whether_a_command_may_be_written_is_asked_when_its_turn_has_come(
    connect: Callable[..., EventSocket],
) -> None:
    """Not before it waits for others to be written. One that may not be leaves no trace: the next has its own reply."""
    heard: list[str] = []
    connection = connect(obedient({"api after": "fine"}, heard))
    may, asked = [True], list[bool]()

    def look() -> None:
        asked.append(may[0])
        if not may[0]:
            raise NodeUnavailable("no more")

    connection._writing.acquire()
    late = gevent.spawn(connection.api, "late", may_write=look)
    gevent.sleep(0)
    assert asked == [], "it waits"
    may[0] = False
    connection._writing.release()
    late.join(timeout=5)

    assert isinstance(late.exception, NodeUnavailable)
    assert connection.api("after") == "fine"
    assert heard == ["api after"]


def test_nudges_are_never_inside_a_command(connect: Callable[..., EventSocket]) -> None:
    """`keep_awake` writes line breaks of its own, and a line break inside a command would end it."""
    heard: list[str] = []
    connection = connect(obedient(heard=heard), receive_buffer=2048)
    nudges = gevent.spawn(connection.keep_awake)
    commands = [f"{number:04}" + "y" * 200_000 for number in range(10)]
    for command in commands:
        connection.api(command, 10.0)
    connection.close()
    with _within(SLACK_SECONDS):
        nudges.join()

    assert heard == [f"api {command}" for command in commands]


# ------------------------------------------------------------ reading

_STREAM = (
    event({"Event-Name": "ONE", "text": "über\n\nContent-Length: 5"}) + answer("first\n\nreply ü") + reply("+OK second")
)


def _hear_stream(connection: EventSocket, events: list[bytes]) -> None:
    first = gevent.spawn(connection.api, "a", 5.0)
    second = gevent.spawn(connection.command, "b", None, 5.0)
    assert (first.get(), second.get()) == ("first\n\nreply ü", "+OK second")
    assert [json.loads(body)["Event-Name"] for body in events] == ["ONE"]


def test_packets_may_be_split_at_any_byte(fake_esl: Start) -> None:
    """TCP keeps no boundaries: one stream, cut in two at every place there is."""
    at = 0

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.hear()
        peer.hear()
        peer.say(_STREAM[:at])
        gevent.sleep(0)
        gevent.sleep(0)
        peer.say(_STREAM[at:])
        _hang(peer)

    server = fake_esl(script)
    for at in range(len(_STREAM) + 1):  # noqa: B007 -- the script reads it
        events: list[bytes] = []
        connection = EventSocket("127.0.0.1", server.port, PASSWORD, events.append)
        connection.connect()
        _hear_stream(connection, events)
        connection.close()


def test_packets_may_come_byte_by_byte(connect: Callable[..., EventSocket]) -> None:
    """The other extreme, the greeting included."""

    def script(peer: Peer) -> None:
        for part, commands in ((b"Content-Type: auth/request\n\n", 1), (reply("+OK accepted"), 2), (_STREAM, 0)):
            for byte in part:
                peer.say(bytes((byte,)))
                gevent.sleep(0)
            for _ in range(commands):
                peer.hear()
        _hang(peer)

    events: list[bytes] = []
    _hear_stream(connect(script, on_event=events.append), events)


@pytest.mark.parametrize(
    "length", ["99999999999999999999", str(64 * 1024 * 1024 + 1), "-1", "abc", "", "0x10", "1e3", "\N{SUPERSCRIPT TWO}"]
)
def test_a_content_length_that_is_none_ends_the_connection(connect: Callable[..., EventSocket], length: str) -> None:
    """Where the next packet begins is then unknown: everybody is told at once, nothing is allocated."""

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.hear()
        peer.say(f"Content-Type: api/response\nContent-Length: {length}\n\n+OK")
        _hang(peer)

    connection = connect(script)
    with _within(SLACK_SECONDS), pytest.raises(NodeUnavailable):
        connection.api("status", seconds=30)
    assert not connection.connected


def test_every_caller_gets_its_own_reply(connect: Callable[..., EventSocket]) -> None:
    """Two hundred commands in flight on one connection, replies in the order of the commands."""

    def script(peer: Peer) -> None:
        peer.welcome()
        while True:
            peer.say(answer(peer.hear()))

    connection = connect(script)
    callers = [gevent.spawn(connection.api, f"echo {number}", 5.0) for number in range(200)]
    gevent.joinall(callers, raise_error=True)

    assert [caller.value for caller in callers] == [f"api echo {number}" for number in range(200)]


def test_a_late_reply_is_not_the_answer_to_the_next_command(connect: Callable[..., EventSocket]) -> None:
    """The first command's reply comes after its deadline; the second one must fail rather than be told it."""
    go_on = Signal()

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.hear()
        go_on.wait()
        peer.say(answer("+OK of the first"))
        _hang(peer)

    connection = connect(script)
    with pytest.raises(NodeUnavailable):
        connection.api("first", seconds=0.05)
    go_on.set()

    with _within(SLACK_SECONDS), pytest.raises(NodeUnavailable):
        connection.api("second", seconds=5)


def test_a_reply_that_nobody_asked_for_is_dropped(connect: Callable[..., EventSocket]) -> None:
    """It must not wait for the next command."""

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.say(answer("nobody asked") + event({}))
        peer.hear()
        peer.say(answer("asked"))
        _hang(peer)

    events: list[bytes] = []
    connection = connect(script, on_event=events.append)
    settled(lambda: events, "what came before the command is read")

    assert connection.api("status") == "asked"


def test_events_between_replies_keep_their_place(connect: Callable[..., EventSocket]) -> None:
    """`on_reply` is called exactly between the events before and behind the reply: a snapshot depends on it."""

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.hear()
        packets = [event({"n": "1"}), event({"n": "2"}), answer("snapshot"), event({"n": "3"}), event({"n": "4"})]
        peer.say(b"".join(packets))
        _hang(peer)

    seen: list[str] = []
    connection = connect(script, on_event=lambda body: seen.append(json.loads(body)["n"]))
    connection.api("show", on_reply=seen.append)
    settled(lambda: len(seen) == 5, "all of it is read")

    assert seen == ["1", "2", "snapshot", "3", "4"]


def test_a_refusal_is_told_in_the_words_of_freeswitch(connect: Callable[..., EventSocket]) -> None:
    """-ERR is CommandRefused, from `api` and from `bgapi`; the connection stays good."""
    connection = connect(obedient({"api uuid_kill": "-ERR No such channel!\n", "bgapi": "-ERR no"}))

    with pytest.raises(CommandRefused, match="No such channel!"):
        connection.api("uuid_kill x")
    with pytest.raises(CommandRefused):
        connection.bgapi("originate x", "job")
    assert connection.api("status") == "+OK\n"


def test_bgapi_names_its_job(connect: Callable[..., EventSocket]) -> None:
    """The Job-UUID is ours, so its BACKGROUND_JOB event finds its call."""
    heard: list[str] = []
    connect(obedient(heard=heard)).bgapi("originate x", "some-uuid")

    assert heard == ["bgapi originate x\nJob-UUID: some-uuid"]


def test_bytes_that_are_no_utf8_end_nothing(connect: Callable[..., EventSocket]) -> None:
    """A display name may hold anything."""

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.hear()
        peer.say(b"Content-Type: api/response\nX: \xff\nContent-Length: 3\n\n\xff\xfe+")
        _hang(peer)

    assert connect(script).api("status").endswith("+")


def test_a_slow_connection_does_not_hold_up_the_loop(connect: Callable[..., EventSocket]) -> None:
    """While one greenlet waits for a reply, the others run."""

    def script(peer: Peer) -> None:
        peer.welcome()
        _hang(peer)

    connection = connect(script)
    waiting = gevent.spawn(connection.api, "status", 30.0)
    with _within(SLACK_SECONDS):
        settled(lambda: connection._commands_sent, "the command is sent")

    assert not waiting.ready()
    connection.close()


# ------------------------------------------------------------ forged headers


@pytest.mark.parametrize(
    "value",
    [
        "x%0AAction%3A%20conference-destroy%0AConference-Name%3A%20CFvictim",
        "x%250AAction%253A%2520conference-destroy",
        "x%0D%0AAction: conference-destroy",
        "x%0A%0AAction%3A conference-destroy",
        "x%00%0AAction:y",
    ],
)
def test_a_header_value_can_not_become_a_header(value: str) -> None:
    """Lines are split first and each value is decoded once: what was one value stays one value."""
    headers = parse_headers(f"Event-Name: CHANNEL_CREATE\nCaller-Destination-Number: {value}\nA: b\n".encode())

    assert set(headers) == {"Event-Name", "Caller-Destination-Number", "A"}


def test_the_first_header_of_a_name_counts() -> None:
    """What FreeSWITCH itself writes comes first; a later line of the same name replaces nothing."""
    assert parse_headers(b"Action: mute-member\nAction: conference-destroy\n") == {"Action": "mute-member"}
