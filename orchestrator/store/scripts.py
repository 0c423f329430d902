"""Reads and runs the Lua files in `lua/`: each is one atomic step, and all its keys carry one hash tag (keys.py).

A conference's `version` rises with every write that changes what `transitions.apply` looks at; `conferences/commit`
refuses a change that was computed from an older version, and its caller loads and applies again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import redis

FOLDER: Final = Path(__file__).with_name("lua")
_INCLUDE: Final = re.compile(r"^-- include (\S+)\n", re.MULTILINE)
_PARAMETER: Final = re.compile(r"^-- (KEYS|ARGV)\[(\d+)(…?)\] \S", re.MULTILINE)


class Script:
    """A script by its name (`outbox/take`), called with as many keys and arguments as its head says."""

    def __init__(self, client: redis.Redis, name: str) -> None:
        self._name = name
        self._text = read_script(name)
        self._counts = {kind: count_parameters(self._text, kind) for kind in ("KEYS", "ARGV")}
        self.sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()
        self._client: Any = client

    def __call__(self, keys: Sequence[str], args: Sequence[Any] = (), client: Any = None) -> Any:
        """Run it, or have `client`, a pipeline, run it. Raises TypeError if a key or an argument is missing.

        A pipeline carries the text of what it runs first, and the hash of what it runs again; in a cluster always the
        text, for another server may run it. redis-py would ask before every pipeline whether Redis knows the script
        (redis/client.py, load_scripts): a round trip for each commit.
        """
        for kind, given in (("KEYS", keys), ("ARGV", args)):
            least, most = self._counts[kind]
            if not least <= len(given) <= most:
                raise TypeError(f"{self._name}.lua: {len(given)} {kind}")
        text, sha = ("EVAL", self._text), ("EVALSHA", self.sha)
        if client is None:
            try:
                return self._client.execute_command(*sha, len(keys), *keys, *args)
            except redis.exceptions.NoScriptError:
                return self._client.execute_command(*text, len(keys), *keys, *args)
        is_one_server = isinstance(client, redis.client.Pipeline)
        is_there = is_one_server and any(command[0][:2] == text for command in client.command_stack)
        return client.execute_command(*(sha if is_there else text), len(keys), *keys, *args)


@cache
def read_script(name: str) -> str:
    """Read a script, with what it includes in the place of the line that says so."""
    text = (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: read_script(found[1]), text)


def count_parameters(text: str, kind: str) -> tuple[int, float]:
    """Return how many keys or arguments a head names at least and at most; `[5…]` is none or more from the fifth on."""
    head = text[: text.index("\n\n")]
    numbers = [(int(number), bool(open_end)) for what, number, open_end in _PARAMETER.findall(head) if what == kind]
    if [number for number, _ in numbers] != list(range(1, len(numbers) + 1)):
        raise ValueError(f"{kind} are not numbered from 1 on: {head}")
    is_open = bool(numbers) and numbers[-1][1]
    return len(numbers) - is_open, float("inf") if is_open else len(numbers)
