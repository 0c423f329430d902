"""A primary, its replica, and a Sentinel that makes the replica the primary when the first is gone. Real servers."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import redis

from orchestrator.children import die_with_parent, free_port
from orchestrator.embedded_redis import EmbeddedRedis, find_redis_server
from tests.harness.polling import eventually

SERVICE = "orchestrator"
DOWN_MS = 1_500
"""How long a primary has to be silent. Operators take seconds; a test has less time. Not less than the second in which
a Sentinel asks once: it would give a primary up that it has just made, for the one before, whose data are older."""


class Guarded:
    """`url` is that of the Sentinel. With two replicas or more a primary takes writes while one of them follows it, as
    docs/redis.md has it; the only one is not missed."""

    def __init__(self, directory: Path, replicas: int = 1) -> None:
        self._directory = directory
        ports = [free_port() for _ in range(1 + replicas)]
        self._servers = {port: EmbeddedRedis(directory / str(port), port) for port in ports}
        self._sentinel: subprocess.Popen[bytes] | None = None
        self.sentinel_port = free_port()
        self.url = ""

    @property
    def server_ports(self) -> list[int]:
        return list(self._servers)

    def start(self) -> str:
        first, *others = self._servers
        for port in self._servers:
            self.bring_back(port)
        for port in others:
            redis.Redis(port=port).replicaof("127.0.0.1", str(first))
        eventually(self.is_settled, "the replicas follow")
        (self._directory / "sentinel.conf").write_text(
            f"port {self.sentinel_port}\nbind 127.0.0.1\ndir {self._directory}\n"
            f"logfile {self._directory / 'sentinel.log'}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {first} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_MS}\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )
        self.start_sentinel()
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel_port}/{SERVICE}/0"
        return self.url

    def start_sentinel(self) -> None:
        """Start it, or start it again: it writes into its configuration what it knows."""
        assert self._sentinel is None, "the Sentinel is running"
        self._sentinel = subprocess.Popen(
            [find_redis_server(), str(self._directory / "sentinel.conf"), "--sentinel"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        asked = redis.Redis(port=self.sentinel_port, decode_responses=True)

        def knows_all() -> bool:
            try:
                found = asked.execute_command("SENTINEL", "REPLICAS", SERVICE)  # type: ignore[no-untyped-call]
            except redis.RedisError:
                return False
            return len(found) == len(self._servers) - 1

        eventually(knows_all, "the Sentinel knows all", 20)

    def primary_port(self) -> int | None:
        """That of the server that takes writes now."""
        for port in self._servers:
            try:
                if redis.Redis(port=port, decode_responses=True).info("replication")["role"] == "master":
                    return port
            except redis.RedisError:
                pass
        return None

    def replica_port(self) -> int:
        """That of another."""
        primary = self.primary_port()
        return next(port for port in self._servers if port != primary)

    def kill_replica(self) -> int:
        """End it as a crash would; returns its port."""
        port = self.replica_port()
        self._servers[port].kill_9()
        return port

    def kill_sentinel(self) -> None:
        if self._sentinel is not None:
            self._sentinel.kill()
            self._sentinel.wait()
            self._sentinel = None

    def kill_9(self) -> int:
        """End the primary as a crash would; returns its port."""
        port = self.primary_port()
        assert port is not None
        self._servers[port].kill_9()
        return port

    def freeze(self) -> int:
        """Stop the primary where it stands; returns its process id, for SIGCONT."""
        return _freeze(self.primary_port() or 0)

    def freeze_replica(self) -> int:
        """The same of a replica."""
        return _freeze(self.replica_port())

    def freeze_sentinel(self) -> int:
        """The same of the Sentinel. After 2 s it would look on for 30 s before it did anything (its TILT mode)."""
        assert self._sentinel is not None, "the Sentinel is not running"
        os.kill(self._sentinel.pid, signal.SIGSTOP)
        return self._sentinel.pid

    def is_settled(self) -> bool:
        """Whether one is the primary and the others follow it."""
        try:
            infos = [redis.Redis(port=port, decode_responses=True).info("replication") for port in self._servers]
        except redis.RedisError:
            return False
        links = [info.get("master_link_status") for info in infos if info["role"] == "slave"]
        return links == ["up"] * (len(self._servers) - 1)

    def named_port(self) -> int:
        """That of the server that the Sentinel calls the primary."""
        asked: Any = redis.Redis(port=self.sentinel_port, decode_responses=True)
        return int(asked.sentinel_master(SERVICE)["port"])

    def bring_back(self, port: int) -> None:
        """Start it again; the Sentinel makes it a replica."""
        self._servers[port].start()
        if len(self._servers) > 2:
            redis.Redis(port=port).config_set("min-replicas-to-write", 1, "min-replicas-max-lag", 2)

    def stop(self) -> None:
        self.kill_sentinel()
        for server in self._servers.values():
            server.stop()


def _freeze(port: int) -> int:
    pid = int(redis.Redis(port=port, decode_responses=True).info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    return pid
