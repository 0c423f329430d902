"""A primary, its replica, and a Sentinel that makes the replica the primary when the first is gone. Real servers."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import redis

from orchestrator.children import die_with_parent, free_port
from orchestrator.embedded_redis import EmbeddedRedis, find_redis_server
from tests.harness.polling import eventually

SERVICE = "orchestrator"
DOWN_MS = 500
"""How long a primary has to be silent. Operators take seconds; a test has less time."""


class Guarded:
    """`url` is that of the Sentinel."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._servers = {port: EmbeddedRedis(directory / str(port), port) for port in (free_port(), free_port())}
        self._sentinel: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> str:
        for server in self._servers.values():
            server.start()
        first, second = self._servers
        replica = redis.Redis(port=second, decode_responses=True)
        replica.replicaof("127.0.0.1", str(first))
        eventually(lambda: replica.info("replication")["master_link_status"] == "up", "the replica follows")
        own = free_port()
        configuration = self._directory / "sentinel.conf"
        configuration.write_text(
            f"port {own}\nbind 127.0.0.1\ndir {self._directory}\nlogfile {self._directory / 'sentinel.log'}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {first} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_MS}\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )
        self._sentinel = subprocess.Popen(
            [find_redis_server(), str(configuration), "--sentinel"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        asked = redis.Redis(port=own, decode_responses=True)

        def knows_both() -> bool:
            try:
                found = asked.execute_command("SENTINEL", "REPLICAS", SERVICE)  # type: ignore[no-untyped-call]
            except redis.RedisError:
                return False
            return bool(found)

        eventually(knows_both, "the Sentinel knows both")
        self.url = f"redis+sentinel://127.0.0.1:{own}/{SERVICE}/0"
        return self.url

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
        """That of the other."""
        primary = self.primary_port()
        return next(port for port in self._servers if port != primary)

    def kill_replica(self) -> None:
        self._servers[self.replica_port()].kill_9()

    def kill_9(self) -> int:
        """End the primary as a crash would; returns its port."""
        port = self.primary_port()
        assert port is not None
        self._servers[port].kill_9()
        return port

    def freeze(self) -> int:
        """Stop the primary where it stands; returns its process id, for SIGCONT."""
        pid = int(redis.Redis(port=self.primary_port() or 0, decode_responses=True).info("server")["process_id"])
        os.kill(pid, signal.SIGSTOP)
        return pid

    def is_settled(self) -> bool:
        """Whether one is the primary and the other follows it."""
        try:
            infos = [redis.Redis(port=port, decode_responses=True).info("replication") for port in self._servers]
        except redis.RedisError:
            return False
        links = [info.get("master_link_status") for info in infos if info["role"] == "slave"]
        return links == ["up"]

    def bring_back(self, port: int) -> None:
        """Start it again; the Sentinel makes it a replica."""
        self._servers[port].start()

    def stop(self) -> None:
        if self._sentinel is not None:
            self._sentinel.kill()
            self._sentinel.wait()
        for server in self._servers.values():
            server.stop()
