"""The whole service as processes of its own: Redis, a switch, the API, a listener, workers, and a receiver."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, Self

from twilio.rest import Client

from orchestrator.embedded_redis import EmbeddedRedis
from orchestrator.errors import Unavailable
from orchestrator.limits import MOST, TABLE
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.store.connection import connect
from orchestrator.store.nodes import NodeStore
from orchestrator.store.processes import ProcessStore
from tests.harness.freeswitch import REPOSITORY, EslSocket, FarEnd, FreeSwitch, FreeSwitchError
from tests.harness.polling import eventually
from tests.harness.receiver import Receiver
from tests.harness.redis_cluster import RedisCluster
from tests.harness.sentinel import Guarded

_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One `orchestrator …` command."""

    def __init__(self, name: str, arguments: list[str], environment: dict[str, str], directory: Path) -> None:
        self.name = name
        self.command = [sys.executable, "-m", "orchestrator", *arguments]
        self.environment = environment
        self.log_path = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self._process is None, f"{self.name} is running"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill_9(self) -> None:
        """End it, and what it started, as a crash of the machine would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it where it stands, as a machine that swaps or is moved does."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM; returns the exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_9()
            return -9
        self._process = None
        return status

    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""


class Switch(Protocol):
    """What a stack needs of a switch, real or simulated."""

    name: str
    esl_port: int
    password: str
    outbound_route: str
    sip_domain: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill_9(self) -> None: ...
    def api(self, command: str) -> str: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def hang_up_far_end(self) -> None: ...
    def log_errors(self) -> list[str]: ...


class SandboxSwitch:
    """Our simulated FreeSWITCH, as a process."""

    name = "sandbox"
    outbound_route = "sofia/internal/{number}@sandbox"
    sip_domain = "127.0.0.1"

    def __init__(self, directory: Path) -> None:
        self.esl_port = free_port()
        self.password = secrets.token_hex(12)
        self._environment = dict(os.environ)
        self._process = Process("sandbox", ["sandbox", "--port", str(self.esl_port)], self._environment, directory)

    def start(self) -> None:
        self._environment["FREESWITCH_PASSWORD"] = self.password
        self._process.start()

        def is_ready() -> bool:
            try:
                return "UP" in self.api("status")
            except (OSError, FreeSwitchError):
                return False

        eventually(is_ready, "the sandbox answers")

    def stop(self) -> None:
        self._process.stop()

    def kill_9(self) -> None:
        self._process.kill_9()

    def api(self, command: str) -> str:
        connection = EslSocket(self.esl_port, self.password)
        try:
            return connection.command(f"api {command}")
        finally:
            connection.close()

    def pause(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def hang_up_far_end(self) -> None:
        """The simulated phones live and die with the switch."""

    def log_errors(self) -> list[str]:
        return [line for line in self._process.log().splitlines() if '"error"' in line or "Traceback" in line]


class RealSwitch(FreeSwitch):
    """A FreeSWITCH with freeswitch-conf, and a second one whose dialplan plays the phones."""

    name = "freeswitch"

    def __init__(self, directory: Path, record: bool = False) -> None:
        super().__init__(directory / "node")
        self.far_end = FarEnd(directory / "farend", record=record)
        self.outbound_route = "sofia/internal/{number}@" + self.far_end.sip_host
        self.sip_domain = self.far_end.sip_host

    def start(self) -> None:
        if self.far_end._process is None:
            self.far_end.start()
        super().start()

    def stop(self) -> None:
        """FreeSWITCH takes 4 s to go by itself; nothing that it keeps outlives a test."""
        self.kill_9()
        self.far_end.kill_9()

    def hang_up_far_end(self) -> None:
        """A killed node sends no BYE: its phones would talk to its old ports for ever."""
        self.far_end.api("hupall")


def _pids(process_names: Iterable[str]) -> set[str]:
    """Of `host:pid:random`; of one that has none, itself."""
    return {(name.split(":")[1:] or [name])[0] for name in process_names}


class Stack:
    """A running service. `client` is the unmodified Twilio SDK, pointed at it."""

    def __init__(
        self, switch: Switch, directory: Path, workers: int = 1, listeners: int = 1, other: Switch | None = None
    ) -> None:
        """`other`: a second node, fs2."""
        self.switch = switch
        self.switches = [switch] if other is None else [switch, other]
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.redis: EmbeddedRedis | Guarded | RedisCluster = EmbeddedRedis(directory / "redis", free_port())
        self.queue_redis: EmbeddedRedis | None = None
        self.account_sid = "AC" + secrets.token_hex(16)
        self.auth_token = secrets.token_hex(16)
        self.receiver = Receiver(self.auth_token)
        self.bind = f"127.0.0.1:{free_port()}"
        self._workers = workers
        self._listeners = listeners

    @property
    def base_url(self) -> str:
        return f"http://{self.bind}"

    def __enter__(self) -> Self:
        """Start it; whoever leaves the block stops it."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FREESWITCH_", "REDIS_", "TWILIO_", "ORCHESTRATOR_", "RECORDINGS_"))
        } | {
            "REDIS_URL": self.redis.start(),
            "QUEUE_REDIS_URL": self.queue_redis.start() if self.queue_redis is not None else "",
            "ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8",
            "FREESWITCH_NODES": ",".join(
                f"fs{number}=127.0.0.1:{switch.esl_port}" for number, switch in enumerate(self.switches, 1)
            ),
            "FREESWITCH_PASSWORD": self.switch.password,
            "ORCHESTRATOR_BIND": self.bind,
            "RECORDINGS_DIR": str(self.directory / "recordings"),
            "OUTBOUND_ROUTE": self.switch.outbound_route,
            "DETECTION_DIR": str(self.directory / "detection"),
            "CLIENT_ROUTE": self.switch.outbound_route.replace("{number}", "{name}"),
        }
        for switch in self.switches:
            switch.password = self.switch.password
            switch.start()
        self.receiver.start()
        self._save_account(self.account_sid, self.auth_token)
        self.set_limits(self.account_sid, **dict.fromkeys((row.name for row in TABLE), MOST))
        self.api = self._process("api")
        self.listener = self._process("listen")
        others = [self._process("listen", f"listen{number}") for number in range(1, self._listeners)]
        self.listeners = [self.listener, *others]
        (self.directory / "detection").mkdir(mode=0o700, exist_ok=True)
        self.detector = self._process("detect")
        self.workers = [self._process("work", f"work{number}") for number in range(self._workers)]
        for process in self._processes():
            process.start()
        self.await_ready()

    def _process(self, command: str, name: str | None = None) -> Process:
        return Process(name or command, [command], self.environment, self.directory)

    def add_listener(self) -> Process:
        """Another one, which takes its share of the nodes."""
        added = self._process("listen", f"listen{len(self.listeners)}")
        self.listeners.append(added)
        added.start()
        return added

    def await_ready(self) -> None:
        """Until the API is ready and each process that runs has said so. It starts no command: that takes as long."""
        client = connect(self.environment["REDIS_URL"])
        reports, nodes = ProcessStore(client), NodeStore(client)
        names = [f"fs{number}" for number in range(1, len(self.switches) + 1)]

        def is_ready() -> bool:
            try:
                with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=1):
                    pass
                reported = [report.name for report in reports.list_processes()]
                followers = [nodes.load_node(name).get("listener", "") for name in names]
                if self.detector.is_running:
                    followers += [nodes.load_detector(name).get("detector", "") for name in names]
            except (OSError, Unavailable):
                return False
            behind = (*self.listeners, self.detector, *self.workers)
            running = {str(process.pid) for process in behind if process.is_running}
            return _pids(followers) <= running <= _pids(reported)

        eventually(is_ready, "the service is ready", seconds=30)

    def _processes(self) -> list[Process]:
        return [self.api, *self.listeners, self.detector, *self.workers]

    def orchestrator(self, *arguments: str) -> str:
        """Run an `orchestrator` command to its end; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout

    def add_account(self, sid: str, token: str) -> None:
        """Another account; its calls do not wait, unless a test says so."""
        self._save_account(sid, token)
        self.set_limits(sid, calls_per_second=1_000_000)

    def set_limits(self, account_sid: str, **limits: int) -> None:
        """What an account may take; that of the stack has no limit that a test could meet unless it says so."""
        AccountStore(connect(self.environment["REDIS_URL"])).save_limits(account_sid, limits)

    def _save_account(self, sid: str, token: str) -> None:
        AccountStore(connect(self.environment["REDIS_URL"])).save_account(Account(sid, token, "active"))

    def orchestrator_status(self, *arguments: str) -> int:
        command = [sys.executable, "-m", "orchestrator", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, timeout=30, check=False).returncode

    def stop(self) -> None:
        for process in self._processes():
            process.kill_9()
        self.receiver.stop()
        for switch in self.switches:
            switch.stop()
        self.redis.stop()
        if self.queue_redis is not None:
            self.queue_redis.stop()

    def client(self, sid: str | None = None, token: str | None = None) -> Client:
        client = Client(sid or self.account_sid, token or self.auth_token)
        client.api.base_url = self.base_url
        return client

    def call_settings(self, **more: Any) -> dict[str, Any]:
        """Arguments of `participants.create` that subscribe to everything."""
        return {
            "from_": "+15550009999",
            "status_callback": self.receiver.url(),
            "status_callback_event": ["initiated", "ringing", "answered", "completed"],
            "conference_status_callback": self.receiver.url(),
            "conference_status_callback_event": ["start", "end", "join", "leave", "mute"],
            **more,
        }
