"""What Redis itself uses, whoever else the machine works for."""

from __future__ import annotations

from typing import Any

import redis


def redis_cpu(url: str) -> float:
    """Seconds of CPU that the server has used so far."""
    client: Any = redis.Redis.from_url(url)
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
