"""`orchestrator check` against nodes that lack something, before a caller finds it out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.harness.freeswitch import NODE_CONFIGURATION, FreeSwitch
from tests.harness.polling import eventually
from tests.harness.stack import Stack


def check(stack: Stack, **environment: str) -> str:
    """What it prints with other settings than the stack's."""
    command = [sys.executable, "-m", "orchestrator", "check"]
    done = subprocess.run(
        command, env=stack.environment | environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode != 0) is ("WRONG" in done.stdout)
    return done.stdout


def test_a_route_by_a_sip_profile_that_the_node_does_not_have(stack: Stack) -> None:
    """The switch would say so at the first call only."""
    found = check(stack, SIP_ROUTE="sofia/nobody/{address}")

    assert "WRONG  node fs1 has no profile nobody, which SIP_ROUTE names" in found
    assert "WRONG" not in check(stack)


def test_what_else_a_deployment_lacks(own_stack: Stack) -> None:
    """A setting that is nearly one, music that is not there, a password that is wrong, and workers that are dead."""
    found = check(own_stack, ALOWED_PRIVATE_NETWORKS="10.0.0.0/8", STOCK_MUSIC="/nonexistent.wav")

    assert "WRONG  ALOWED_PRIVATE_NETWORKS is set, and no setting: ALLOWED_PRIVATE_NETWORKS?" in found
    assert "WRONG  node fs1 has no file /nonexistent.wav, which STOCK_MUSIC names" in found
    assert "refuses FREESWITCH_PASSWORD" in check(own_stack, FREESWITCH_PASSWORD="wrong")
    for worker in own_stack.workers:
        worker.kill_9()
    eventually(lambda: "WRONG  0 worker(s)" in check(own_stack), "it is known that no worker lives", seconds=10)
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{own_stack.base_url}/readyz", timeout=5)
    assert "no worker runs" in refused.value.read().decode()
    for worker in own_stack.workers:
        worker.start()
    own_stack.await_ready()


def test_a_node_without_what_every_call_needs(stack: Stack, switch_name: str, tmp_path: Path) -> None:
    """No conference profile of ours, no such gateway, no mod_loopback: a line for each."""
    if switch_name == "sandbox":
        pytest.skip("the sandbox has all of it")
    configuration = tmp_path / "conf"
    shutil.copytree(NODE_CONFIGURATION, configuration)
    conference = configuration / "autoload_configs" / "conference.conf.xml"
    conference.write_text(conference.read_text().replace('<profile name="orchestrator">', '<profile name="default">'))
    modules = configuration / "autoload_configs" / "modules.conf.xml"
    modules.write_text(modules.read_text().replace('<load module="mod_loopback"/>', ""))
    node = FreeSwitch(tmp_path / "node")
    node.configuration = configuration
    with node:
        found = check(
            stack,
            FREESWITCH_NODES=f"fs1=127.0.0.1:{node.esl_port}",
            FREESWITCH_PASSWORD=node.password,
            OUTBOUND_ROUTE="sofia/gateway/carrier/{number}",
        )

    for line in (
        "WRONG  node fs1 has no conference profile orchestrator",
        "WRONG  node fs1 has no gateway carrier, which OUTBOUND_ROUTE names",
        "WRONG  node fs1 has not loaded mod_loopback",
    ):
        assert line in found
