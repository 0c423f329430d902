"""The import contracts hold: what each of them forbids turns `lint-imports` red. That today's code keeps them is
`make check`'s part."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.harness.freeswitch import REPOSITORY

FORBIDDEN = {
    "layers": ("store/keys.py", "import orchestrator.freeswitch.commands"),
    "sandbox": ("wiring/stores.py", "import orchestrator.sandbox.node"),
    "callbacks": ("callbacks/plan.py", "import orchestrator.freeswitch.commands"),
    "media": ("media/load.py", "import orchestrator.domain.conference"),
    "networks": ("outgoing/networks.py", "import socket"),
    "projector": ("listener/projector.py", "import orchestrator.freeswitch.commands"),
    "decision": ("detection/decision.py", "import gevent"),
    "audio": ("listener/listener.py", "import numpy"),
    "pure": ("domain/rules.py", "import structlog"),
    "redis": ("services/participants.py", "from redis.exceptions import RedisError"),
    "cryptography": ("store/dials.py", "from cryptography.fernet import Fernet"),
    "rq": ("store/outbox.py", "from rq import Queue"),
    "greenswitch": ("listener/listener.py", "import greenswitch"),
    "opentelemetry": ("store/keys.py", "import opentelemetry.trace"),
    "prometheus": ("listener/projector.py", "import prometheus_client"),
    "flask": ("listener/listener.py", "from flask import g"),
}
"""Contract -> a file, and one line that this contract alone forbids in it."""

CONFIGURATION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
NAMES = {contract["id"]: contract["name"] for contract in CONFIGURATION["contracts"]}


def copy_of_the_package(directory: Path) -> Path:
    shutil.copy(REPOSITORY / "pyproject.toml", directory)
    package = directory / "orchestrator"
    shutil.copytree(REPOSITORY / "orchestrator", package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


def broken_contracts(directory: Path) -> set[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(
        command, cwd=directory, env={"COLUMNS": "300", "PATH": ""}, capture_output=True, text=True, check=False
    )
    lines = {line.strip() for line in done.stdout.splitlines()}
    assert any(line.startswith("Contracts: ") for line in lines), done.stdout + done.stderr
    return {contract for contract, name in NAMES.items() if f"{name} BROKEN" in lines}


def test_each_contract_breaks_when_the_import_that_it_forbids_is_added(tmp_path: Path) -> None:
    """Every contract has its forbidden line here, and all of them turn red."""
    package = copy_of_the_package(tmp_path)
    for file, line in FORBIDDEN.values():
        path = package / file
        path.write_text(path.read_text("utf-8") + f"\n{line}\n", "utf-8")
    assert broken_contracts(tmp_path) == set(FORBIDDEN) == set(NAMES)


def test_a_module_that_has_no_layer_breaks_the_contract_of_layers(tmp_path: Path) -> None:
    """A new file at the top of the package has to be given its place."""
    (copy_of_the_package(tmp_path) / "stray.py").write_text('"""Nowhere."""\n', "utf-8")
    assert broken_contracts(tmp_path) == {"layers"}
