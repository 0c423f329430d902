"""Every Lua file is what its head says, and what Python calls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import redis

from orchestrator.store.scripts import FOLDER, Script, count_parameters, read_script

FILES = sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.lua"))
SHARED = [name for name in FILES if name.startswith("shared/")]
SCRIPTS = [name for name in FILES if name not in SHARED]
PYTHON = "\n".join(path.read_text() for path in Path(FOLDER.parent).glob("*.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_redis_compiles_every_script(name: str, client: redis.Redis) -> None:
    assert client.script_load(read_script(name))


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("kind", ["KEYS", "ARGV"])
def test_a_head_names_every_key_and_argument_that_the_script_reads(name: str, kind: str) -> None:
    text = read_script(name)
    used = {int(number) for number in re.findall(rf"\b{kind}\[(\d+)\]", text)}
    _, most = count_parameters(text, kind)
    assert max(used, default=0) <= most


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_head_says_what_is_done_and_what_is_returned(name: str) -> None:
    lines = (FOLDER / f"{name}.lua").read_text().partition("\n\n")[0].splitlines()
    assert all(line.startswith("-- ") for line in lines)
    assert not lines[0].startswith(("-- KEYS", "-- ARGV", "-- Returns"))
    assert any(line.startswith("-- Returns ") for line in lines)


def test_every_script_is_called_by_the_store_and_every_shared_part_is_included() -> None:
    assert set(SCRIPTS) == set(re.findall(r'Script\(client, "([^"]+)"\)', PYTHON))
    included = {
        found for name in FILES for found in re.findall(r"-- include (\S+)", (FOLDER / f"{name}.lua").read_text())
    }
    assert set(SHARED) == included


@pytest.mark.parametrize(
    ("keys", "args"), [(["a"], ["owner"]), (["a"], ["owner", 1, 2]), ([], ["owner", 1]), (["a", "b"], ["o", 1])]
)
def test_a_call_with_too_few_or_too_many_keys_or_arguments_is_a_defect(
    keys: list[str], args: list[object], client: redis.Redis
) -> None:
    with pytest.raises(TypeError):
        Script(client, "lanes/take")(keys, args)


def test_an_open_end_takes_none_or_many(client: redis.Redis) -> None:
    looked_at = Script(client, "quotas/looked_at")
    looked_at(["set"])
    looked_at(["set"], ["1", "a", "0", "b"])
    with pytest.raises(TypeError):
        looked_at([])


def test_a_head_whose_numbers_have_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="numbered"):
        count_parameters("-- Does.\n-- KEYS[1] one\n-- KEYS[3] three\n\nreturn 1", "KEYS")


def test_a_pipeline_runs_scripts_without_asking_first(client: redis.Redis) -> None:
    """Also where Redis has just been started and knows none; the text goes out once."""
    take = Script(client, "lanes/take")
    client.script_flush()
    client.config_resetstat()
    pipe: Any = client.pipeline(transaction=False)
    for owner in ("one", "two", "one"):
        take(["lease"], [owner, 1000], client=pipe)

    assert pipe.execute() == [1, 0, 1]
    stats: Any = client.info("commandstats")
    assert {name: row["calls"] for name, row in stats.items() if "eval" in name or "script" in name} == {
        "cmdstat_eval": 1,
        "cmdstat_evalsha": 2,
    }
