"""Phones and the switch, told from outside what to do: `orchestrator sandbox press 5 CA…`."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.harness.polling import eventually
from tests.harness.stack import SandboxSwitch
from tests.unit.sandbox.client import Client


def test_a_phone_presses_keys(client: Client) -> None:
    """An event for each key, on the channel that it belongs to."""
    called = client.originate("+15550001000")
    client.event("CHANNEL_PARK", called)
    assert client.api(f"sandbox press 1# {called}") == "+OK 1\n"
    client.until(lambda: client.labels(called).count("DTMF") == 2)
    keys = [event["DTMF-Digit"] for event in client.events if event["Event-Name"] == "DTMF"]
    assert keys == ["1", "#"]


def test_a_phone_falls_silent_talks_again_and_talks_in_turns(client: Client) -> None:
    """Named by the number that was dialled; everybody hears of it as of a person."""
    client.join("+15550001000", "room")
    client.event("start-talking")
    assert client.api("sandbox quiet +15550001000") == "+OK 1\n"
    client.until(lambda: client.labels(only={"start-talking", "stop-talking"})[1:] == ["stop-talking"])
    client.api("sandbox speak +15550001000")
    client.until(lambda: client.labels(only={"start-talking", "stop-talking"})[2:] == ["start-talking"])
    client.api("sandbox turns 1 +15550001000")
    client.until(lambda: client.labels(only={"start-talking", "stop-talking"})[3:] == ["stop-talking", "start-talking"])


def test_a_phone_hangs_up(client: Client) -> None:
    """Named by its CallSid."""
    called = client.originate("+15550001000")
    client.event("CHANNEL_PARK", called)
    assert client.api(f"sandbox hang-up CA{uuid.UUID(called).hex}") == "+OK 1\n"
    assert client.event("CHANNEL_HANGUP", called)["variable_sip_term_status"] == "200"
    assert client.event("CHANNEL_HANGUP_COMPLETE", called)["variable_sip_hangup_disposition"] == "recv_bye"


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("press 5 nobody", "-ERR no such call\n"),
        ("press x nobody", "-ERR no such call\n"),
        ("dance", "-ERR what can be done: press, quiet, speak, turns, hang-up, freeze\n"),
        ("freeze", "-ERR freeze for how many seconds? '' is no number\n"),
    ],
)
def test_what_cannot_be_done_is_said(client: Client, words: str, reply: str) -> None:
    assert client.api(f"sandbox {words}") == reply


def test_keys_that_there_are_not_are_refused(client: Client) -> None:
    called = client.originate("+15550001000")
    client.event("CHANNEL_PARK", called)
    assert client.api(f"sandbox press 5x {called}").startswith("-ERR keys are 0-9")


def test_a_frozen_switch_goes_on_late(client: Client) -> None:
    """It answers the freeze, and the next command when it is over."""
    assert client.api("sandbox freeze 1") == "+OK frozen for 1 s\n"
    assert client.api("echo late") == "late"


def test_the_command_line_reaches_a_running_sandbox(tmp_path: Path) -> None:
    """With the password from the environment; what is refused is said, with status 1."""
    switch = SandboxSwitch(tmp_path)
    switch.start()
    try:
        switch.api("originate {origination_uuid=u1}sofia/internal/+15550001000@phones &park()")

        def tell(*words: str) -> tuple[int, str]:
            command = [sys.executable, "-m", "orchestrator", "sandbox", "--port", str(switch.esl_port), *words]
            environment = {"FREESWITCH_PASSWORD": switch.password}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
            return done.returncode, (done.stdout + done.stderr).strip()

        assert tell("dance") == (1, "-ERR what can be done: press, quiet, speak, turns, hang-up, freeze")
        assert tell("hang-up", "+15550001000") == (0, "+OK 1")
        eventually(lambda: switch.api("uuid_exists u1") == "false", "the call ends")
    finally:
        switch.kill_9()
