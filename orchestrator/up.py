"""`orchestrator up`: everything on one machine, in the foreground, for people who want to try it.

Starts what is missing (an embedded Redis, the sandbox switch), then the same commands that a real installation runs,
and a small receiver that shows the callbacks which arrive. Every child dies with this process, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import IO, Final

import gevent
from gevent.event import Event

from orchestrator.children import die_with_parent, free_port
from orchestrator.demo_receiver import DemoReceiver
from orchestrator.embedded_redis import EmbeddedRedis, EmbeddedRedisError
from orchestrator.errors import ApiError
from orchestrator.limits import DEFAULTS
from orchestrator.running import DATA, LOCK, RUNNING, save_running
from orchestrator.settings import Settings
from orchestrator.sids import mint_sid
from orchestrator.store.accounts import Account, AccountStore
from orchestrator.wiring.stores import build_accounts

START_SECONDS: Final = 20.0
RESTART_SECONDS: Final = 1.0
STOP_SECONDS: Final = 10.0

CALLS_PER_SECOND: Final = 1_000
"""Of the account that is made for trying out: nobody waits. An operator's accounts have Twilio's one."""

MADE_HERE: Final = "made by orchestrator up"

_WITHOUT_PROXIES: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class CannotStart(Exception):
    """Something is in the way; the text is for the person at the terminal."""


class Child:
    """One `orchestrator …` process. Its log goes to var/<name>.log; if it dies it is started again."""

    def __init__(self, name: str, arguments: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self._arguments = arguments
        self._environment = environment
        self.log_path = DATA / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator", *self._arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal reaches the whole group; only this process may act on it.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def keep_running(self, stopping: Event) -> None:
        """Watch the process until `stopping`; start it again when it dies."""
        while not stopping.wait(0.2):
            if self._process is not None and self._process.poll() is not None:
                print(f"{self.name} ended with status {self._process.returncode}, see {self.log_path}; again …")
                stopping.wait(RESTART_SECONDS)
                if not stopping.is_set():
                    self.start()

    def stop(self) -> None:
        """Ask the process to stop; end it after STOP_SECONDS."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def up(settings: Settings) -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit status."""
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, stopping.set)
    redis: EmbeddedRedis | None = None
    children: list[Child] = []
    lock: IO[str] | None = None
    try:
        _check_port(settings.bind_host, settings.bind_port)
        DATA.mkdir(exist_ok=True)
        lock = _lock(LOCK)
        environment = dict(os.environ)
        # The callbacks of people who try it go to this machine; a real installation lists its own networks, or none.
        environment.setdefault("ALLOWED_PRIVATE_NETWORKS", "127.0.0.0/8,::1/128")
        environment.setdefault("RECORDINGS_DIR", str((DATA / "recordings").resolve()))
        settings = settings.model_copy(update={"console_bind": _console_bind(settings)})
        environment["CONSOLE_BIND"] = settings.console_bind
        if "REDIS_URL" not in os.environ:
            redis = EmbeddedRedis(DATA / "redis")
            environment["REDIS_URL"] = redis.start()
        settings = settings.model_copy(update={"redis_url": environment.get("REDIS_URL", settings.redis_url)})
        account = _account(build_accounts(settings))
        receiver = DemoReceiver(account.auth_token, print, DATA / "receiver.port")
        receiver.start()
        children = _children(settings, environment)
        save_running({name: environment[name] for name in map(str.upper, Settings.model_fields) if name in environment})
        for child in children:
            child.start()
            gevent.spawn(child.keep_running, stopping)
        _await_health(settings, stopping)
        print(_welcome(settings, account, receiver.url, redis, environment["ALLOWED_PRIVATE_NETWORKS"]), flush=True)
        stopping.wait()
    except (CannotStart, EmbeddedRedisError, ApiError) as error:
        print(f"orchestrator up: {error}", file=sys.stderr)
        return 1
    finally:
        stopping.set()
        for child in reversed(children):
            child.stop()
        if redis is not None:
            redis.stop()
        if lock is not None:
            RUNNING.unlink(missing_ok=True)
            lock.close()
    print("stopped")
    return 0


def _children(settings: Settings, environment: dict[str, str]) -> list[Child]:
    children = []
    if not settings.freeswitch_nodes:
        port = free_port()
        environment["FREESWITCH_PASSWORD"] = settings.freeswitch_password or secrets.token_hex(16)
        environment["FREESWITCH_NODES"] = f"sandbox=127.0.0.1:{port}"
        environment.setdefault("OUTBOUND_ROUTE", "sofia/internal/{number}@sandbox")
        environment.setdefault("CLIENT_ROUTE", "sofia/internal/{name}@sandbox")
        children.append(Child("sandbox", ["sandbox", "--port", str(port)], environment))
    directory = environment.setdefault("DETECTION_DIR", str((DATA / "detection").resolve()))
    Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("listen", "work", "detect", "api", "console"):
        children.append(Child(name, [name], environment))
    return children


def _console_bind(settings: Settings) -> str:
    """Return where the console listens: unless it is named, another port where its usual one is taken."""
    if "CONSOLE_BIND" in os.environ:
        return settings.console_bind
    host, _, port = settings.console_bind.rpartition(":")
    try:
        _check_port(host, int(port))
    except CannotStart:
        return f"{host}:{free_port()}"
    return settings.console_bind


def _check_port(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CannotStart(f"ORCHESTRATOR_BIND {host}:{port} cannot be used: {error.strerror}") from error


def _lock(path: Path) -> IO[str]:
    """Held as long as this process lives: two of us would write one Redis file."""
    held = path.open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise CannotStart(f"another `orchestrator up` runs in this folder ({path})") from error
    return held


def _account(accounts: AccountStore) -> Account:
    """The first active account; a new one where there is none. One that was made here before there were calls per
    second gets its own now."""
    for account in accounts.list_accounts():
        if account.status == "active":
            if account.friendly_name == MADE_HERE and account.limits.calls_per_second == DEFAULTS.calls_per_second:
                accounts.save_limits(account.account_sid, {"calls_per_second": CALLS_PER_SECOND})
            return account
    account = Account(mint_sid("AC"), secrets.token_hex(16), "active", MADE_HERE)
    accounts.save_account(account)
    accounts.save_limits(account.account_sid, {"calls_per_second": CALLS_PER_SECOND})
    return account


def _await_health(settings: Settings, stopping: Event) -> None:
    deadline = time.monotonic() + START_SECONDS
    url = f"http://{settings.orchestrator_bind}/healthz"
    while not stopping.is_set():
        try:
            with _WITHOUT_PROXIES.open(url, timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise CannotStart(f"the API does not answer at {url}, see {DATA / 'api.log'}") from None
            stopping.wait(0.1)


def _welcome(settings: Settings, account: Account, receiver: str, redis: EmbeddedRedis | None, networks: str) -> str:
    base, sid, token = settings.public_url, account.account_sid, account.auth_token
    switch = (
        ", ".join(node.name for node in settings.freeswitch_nodes)
        or "SANDBOX: a simulated switch. No phone rings and nobody hears anything; set FREESWITCH_NODES for a real one"
    )
    python = Path(sys.executable)
    python = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    return textwrap.dedent(f"""
        switch       {switch}
        redis        {f"embedded, kept in {DATA / 'redis'}, at " if redis else ""}{settings.redis_url}
        base URL     {base}, described at {base}/openapi
        AccountSid   {sid}
        AuthToken    {token}
        callbacks    sent to {receiver} are shown below, with their signature checked
        networks     callbacks and fetches may go to {networks} besides the Internet (ALLOWED_PRIVATE_NETWORKS)
        logs         {DATA}/api.log, listen.log, work.log
        console      http://{settings.console_bind}/
        operators    type in this folder: {python.parent}/orchestrator check, … callbacks list --account {sid}

        Paste into another terminal, in this folder.

        # Alice is called, and waits:

        curl -u {sid}:{token} {base}/2010-04-01/Accounts/{sid}/Conferences/Standup/Participants.json \\
          -d From=+15550009999 -d To=+15550002001 -d Label=alice \\
          -d StatusCallback={receiver} -d StatusCallbackEvent='initiated ringing answered completed' \\
          -d ConferenceStatusCallback={receiver} -d ConferenceStatusCallbackEvent='start end join leave mute hold'

        # Bob is called, and the conference starts; five seconds later it ends:

        {python} - <<'END'
        import time
        from twilio.rest import Client
        client = Client("{sid}", "{token}")
        client.api.base_url = "{base}"
        bob = client.conferences("Standup").participants.create(
            from_="+15550009999", to="+15550002001", label="bob",
            status_callback="{receiver}", status_callback_event=["initiated", "ringing", "answered", "completed"],
            conference_status_callback="{receiver}",
            conference_status_callback_event=["start", "end", "join", "leave", "mute", "hold"])
        conference = client.conferences(bob.conference_sid)
        conference.participants("bob").update(muted=True)
        time.sleep(5)
        print([(person.label, person.status, person.muted) for person in conference.participants.list()])
        print(conference.update(status="completed").reason_conference_ended)
        END

        Ctrl-C stops everything.
        """)
