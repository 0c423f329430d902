"""A callback as a job of its own, as most would write it."""

from __future__ import annotations

import urllib3

pool = urllib3.PoolManager()


def post(url: str, fields: dict[str, str]) -> int:
    return pool.request("POST", url, fields=fields, encode_multipart=False).status
