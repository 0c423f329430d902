"""A real FreeSWITCH with our configuration, and a second one that plays the phones (the far end).

    with FreeSwitch(tmp_path / "node") as node, FarEnd(tmp_path / "farend") as phones:
        node.api(f"originate sofia/internal/+15550001000@{phones.sip_host} &park")

Both listen on loopback only, on ports that are theirs alone and that they keep over a restart.
The binary is FREESWITCH_BIN, else `freeswitch` on PATH. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

REPOSITORY = Path(__file__).resolve().parents[2]
NODE_CONFIGURATION = REPOSITORY / "freeswitch-conf"
FAREND_CONFIGURATION = REPOSITORY / "tests" / "farend"

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 10.0
COMMAND_TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.05

PORT_BLOCKS = range(
    12000, 32000, 1000
)  # below the ports that the kernel hands out, so that a restart finds its own free
RTP_PORTS_PER_NODE = 980  # two for each call
_PR_SET_PDEATHSIG = 1


class FreeSwitchError(Exception):
    """FreeSWITCH did not start, or did not answer as it should."""


def find_freeswitch() -> str | None:
    """The path of the FreeSWITCH binary, or None where there is none: tests then skip."""
    return os.environ.get("FREESWITCH_BIN") or shutil.which("freeswitch")


def tone_hz(number: str) -> int:
    """The pitch that the phone with this number plays once it has answered; see tests/farend/phones.xml."""
    digits = number.removeprefix("+")
    if len(digits) == 11 and digits.isdigit() and digits.startswith(("1555000", "15550010")):
        return 1000 + 100 * int(digits[-1]) + 10 * int(digits[-2])
    return 440


class EslSocket:
    """One event socket connection with blocking calls, just enough for tests."""

    def __init__(self, port: int, password: str, timeout_seconds: float = COMMAND_TIMEOUT_SECONDS) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds)
        try:
            self._stream = self._socket.makefile("rb")
            headers, _ = self.read()
            if headers.get("Content-Type") != "auth/request":
                raise FreeSwitchError(f"no auth/request but {headers}")
            reply = self.command(f"auth {password}")
            if not reply.startswith("+OK"):
                raise FreeSwitchError(f"auth: {reply}")
        except BaseException:
            self.close()
            raise

    def read(self) -> tuple[dict[str, str], str]:
        """The next message: its headers, decoded one by one, and its body."""
        headers: dict[str, str] = {}
        while True:
            line = self._stream.readline()
            if not line:
                raise FreeSwitchError("the event socket was closed")
            if line == b"\n":
                break
            name, _, value = line.decode().rstrip("\n").partition(": ")
            headers[name] = unquote(value)
        length = int(headers.get("Content-Length", "0"))
        return headers, self._stream.read(length).decode("utf-8", "replace")

    def command(self, command: str) -> str:
        """Send one command; the Reply-Text, or the body of an api response. Not for a socket that gets events."""
        self.send(command)
        headers, body = self.read()
        return body if headers.get("Content-Type") == "api/response" else headers.get("Reply-Text", "")

    def send(self, command: str) -> None:
        self._socket.sendall(command.encode() + b"\n\n")

    def close(self) -> None:
        """Wakes whoever is in read(), too."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class FreeSwitch:
    """One FreeSWITCH process with `freeswitch-conf`. `directory` gets its log, database and run files."""

    configuration = NODE_CONFIGURATION

    def __init__(self, directory: Path, binary: str | None = None) -> None:
        found = binary or find_freeswitch()
        if found is None:
            raise FreeSwitchError("no FreeSWITCH: set FREESWITCH_BIN or put freeswitch on PATH")
        self.binary = found
        self.directory = directory
        self.password = secrets.token_hex(12)
        first, self._port_claim = _claim_ports()
        self.rtp_ports = range(first, first + RTP_PORTS_PER_NODE)
        self.esl_port = self.rtp_ports.stop
        self.sip_port = self.rtp_ports.stop + 1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def sip_host(self) -> str:
        """What goes behind the @ of a SIP address."""
        return f"127.0.0.1:{self.sip_port}"

    @property
    def log_path(self) -> Path:
        return self.directory / "log" / "freeswitch.log"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise FreeSwitchError("not running")
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """What vars.xml reads."""
        return {
            "FREESWITCH_PASSWORD": self.password,
            "FREESWITCH_ESL_PORT": str(self.esl_port),
            "FREESWITCH_SIP_ADDRESS": "127.0.0.1",
            "FREESWITCH_SIP_PORT": str(self.sip_port),
            "FREESWITCH_RTP_PORTS": f"{self.rtp_ports.start}-{self.rtp_ports.stop - 1}",
        }

    def start(self) -> None:
        """Start, and return when the event socket lets us in and the core says that it is ready."""
        if self._process is not None:
            raise FreeSwitchError("already running")
        for name in ("log", "db", "run"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FREESWITCH_")}
        with (self.directory / "stdout").open("ab") as output:
            self._process = subprocess.Popen(
                [
                    self.binary,
                    *("-nonat", "-nf", "-nc"),
                    *("-conf", str(self.configuration)),
                    *("-log", str(self.directory / "log")),
                    *("-db", str(self.directory / "db")),
                    *("-run", str(self.directory / "run")),
                ],
                env=inherited | self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
                preexec_fn=_die_with_parent,
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._ready():
            if self._process.poll() is not None:
                status, self._process = self._process.returncode, None
                raise FreeSwitchError(f"FreeSWITCH ended with {status}: {self.log_errors()}")
            if time.monotonic() > deadline:
                errors = self.log_errors()
                self.kill_9()
                raise FreeSwitchError(f"FreeSWITCH not ready after {START_TIMEOUT_SECONDS} s: {errors}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End it with SIGTERM, and if it does not end, with SIGKILL. No harm if it is not running."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_9()
        self._process = None

    def kill_9(self) -> None:
        """End it as a crash would. `start()` or `restart()` brings it back on the same ports."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT_SECONDS)
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay up and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def api(self, command: str, timeout_seconds: float = COMMAND_TIMEOUT_SECONDS) -> str:
        """The reply to one api command, on a connection of its own."""
        connection = self.connect(timeout_seconds)
        try:
            return connection.command(f"api {command}")
        finally:
            connection.close()

    def connect(self, timeout_seconds: float = COMMAND_TIMEOUT_SECONDS) -> EslSocket:
        return EslSocket(self.esl_port, self.password, timeout_seconds)

    def channel_count(self) -> int:
        """How many channels the core has now."""
        return int(self.api("show channels count").split()[0])

    def log_errors(self) -> list[str]:
        """The [ERR] and [CRIT] lines of the log since the first start."""
        if not self.log_path.exists():
            return []
        lines = self.log_path.read_text("utf-8", "replace").splitlines()
        return [line for line in lines if "[ERR]" in line or "[CRIT]" in line]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ready(self) -> bool:
        try:
            status = self.api("status", timeout_seconds=2.0)
            return "is ready" in status and "RUNNING" in self.api("sofia status", timeout_seconds=2.0)
        except (OSError, FreeSwitchError):
            return False


class FarEnd(FreeSwitch):
    """The phones. The dialled number decides what each does: +1 555 000 <kind> <nnn>, see tests/farend/phones.xml.

    tests/harness/ears.py tells what they hear; `record` records the whole of each call as well.
    """

    configuration = FAREND_CONFIGURATION

    REDIRECTS = "+15550000302"
    ANSWERS = "+15550001000"
    RINGS_THEN_ANSWERS = "+15550002000"
    BUSY = "+15550003000"
    NEVER_ANSWERS = "+15550004000"
    ANSWERS_THEN_HANGS_UP_AFTER_2_SECONDS = "+15550005002"
    UNREACHABLE = "+15550006000"
    EARLY_MEDIA_1_SECOND_THEN_ANSWERS = "+15550007001"
    EARLY_MEDIA_1_SECOND_THEN_BUSY = "+15550008001"
    DECLINES = "+15550009000"
    SILENT = "+15550010000"
    TALKS_2_SECONDS_IN_4 = "+15550010200"
    A_PERSON = "+15550011000"
    A_MACHINE_WITH_A_BEEP = "+15550011305"
    A_MACHINE_WITHOUT_A_BEEP = "+15550011300"

    def __init__(self, directory: Path, binary: str | None = None, record: bool = False) -> None:
        super().__init__(directory, binary)
        self.recordings = directory / "recordings" if record else None

    def environment(self) -> dict[str, str]:
        inherited = super().environment() | {"FREESWITCH_TRUSTED_PEERS": "127.0.0.0/8"}  # the node calls it
        inherited["FAREND_GREETINGS"] = os.environ.get("GREETINGS", str(REPOSITORY / "var" / "greetings"))
        if self.recordings is None:
            return inherited
        self.recordings.mkdir(parents=True, exist_ok=True)
        return inherited | {"FAREND_RECORDINGS": str(self.recordings)}


def _claim_ports() -> tuple[int, socket.socket]:
    """The first port of a block that no other node on this machine has. FreeSWITCH does not look whether an RTP port is
    free, so the last port of the block, which nothing uses, stays bound as long as the node lives."""
    for first in PORT_BLOCKS:
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", first + PORT_BLOCKS.step - 1))
            for port in (first + RTP_PORTS_PER_NODE, first + RTP_PORTS_PER_NODE + 1):
                _check_free(port)
        except OSError:
            claim.close()
            continue
        return first, claim
    raise FreeSwitchError("all blocks of ports are taken")


def _check_free(port: int) -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:  # as FreeSWITCH does: connections of a former node may still be in TIME_WAIT
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def _die_with_parent() -> None:
    """In the child: the kernel kills FreeSWITCH when the thread that started it goes, however it went."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
