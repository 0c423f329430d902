"""A Redis Cluster: three primaries, a replica of each. Real servers: Debian's redis-server and redis-cli, from 7 on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import redis

from orchestrator.children import die_with_parent, free_port
from orchestrator.store.redis_urls import CLUSTER
from tests.harness.polling import eventually

REDIS_CLI = shutil.which("redis-cli")
REDIS_SERVER = shutil.which("redis-server")
SERVERS = 6
TIMEOUT_MS = 1000
"""How long a primary has to be silent. Operators take seconds; a test has less time."""


class RedisCluster:
    """`url` names all of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._servers: dict[int, subprocess.Popen[bytes]] = {}
        self.url = ""

    def start(self) -> str:
        self._servers = {port: self._start_one(port) for port in (free_port() for _ in range(SERVERS))}
        clients = [redis.Redis(port=port, decode_responses=True) for port in self._servers]
        eventually(lambda: all(map(_answers, clients)), "the servers answer")
        addresses = [f"127.0.0.1:{port}" for port in self._servers]
        made = [str(REDIS_CLI), "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"]
        subprocess.run(made, check=True, capture_output=True, timeout=60)
        eventually(lambda: all(map(_is_whole, clients)), "the cluster is whole", 30)
        self.url = f"{CLUSTER}://{','.join(addresses)}"
        return self.url

    def _start_one(self, port: int) -> subprocess.Popen[bytes]:
        directory = self._directory / str(port)
        directory.mkdir(parents=True)
        return subprocess.Popen(
            [
                str(REDIS_SERVER), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", "",
                "--appendonly", "yes", "--cluster-enabled", "yes", "--cluster-node-timeout", str(TIMEOUT_MS),
                "--cluster-port", str(free_port()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )  # fmt: skip

    def kill_9(self, key: str = "") -> None:
        """End the server that has a key, as a crash would; its replica takes over."""
        for port, process in self._servers.items():
            client = redis.Redis(port=port, decode_responses=True)
            if process.poll() is None and client.info("replication")["role"] == "master" and _has(client, key):
                process.kill()
                process.wait()
                return
        raise AssertionError(f"nobody has {key}")

    def stop(self) -> None:
        for process in self._servers.values():
            process.kill()
            process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _is_whole(client: redis.Redis) -> bool:
    """Everybody knows everybody, and each primary has a replica that follows."""
    link = client.info("replication")
    is_joined = link["connected_slaves"] == 1 if link["role"] == "master" else link["master_link_status"] == "up"
    return bool(is_joined)


def _has(client: redis.Redis, key: str) -> bool:
    try:
        client.exists(key)
    except redis.ResponseError:  # MOVED
        return False
    return True
