"""The clients people already have, from the registries and unmodified: the whole life of a conference with each.

`make clients` installs them into var/clients, which needs npm; without it their tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.dialects.signalwire.serializers import write_sid
from tests.harness.freeswitch import REPOSITORY, FarEnd
from tests.harness.polling import eventually
from tests.harness.stack import Stack

PROGRAMS = REPOSITORY / "tests" / "clients"
INSTALLED = REPOSITORY / "var" / "clients"
CROWD = 120
RINGS_LONG = "+15550002090"


class Sdk(NamedTuple):
    """A program, its interpreter, and the words in which the SDK speaks."""

    name: str
    command: tuple[str, ...]
    directory: Path
    dialect: str
    error: str
    bad_status: int


def _python(name: str) -> str:
    return str(INSTALLED / name / "bin" / "python")


SDKS = [
    Sdk("twilio-python 9", (sys.executable, "life.py", "twilio"), PROGRAMS, "twilio", "TwilioRestException", 400),
    Sdk("twilio-python 6", (_python("py6"), "life.py", "twilio"), PROGRAMS, "twilio", "TwilioRestException", 400),
    Sdk("signalwire-python", (_python("py6"), "life.py", "signalwire"), PROGRAMS, "signalwire", "TwilioRestException",
        422),
    Sdk("twilio-node", ("node", str(PROGRAMS / "life.js"), "twilio"), INSTALLED / "node", "twilio", "RestException",
        400),
    Sdk("@signalwire/compatibility-api", ("node", str(PROGRAMS / "life.js"), "signalwire"), INSTALLED / "node",
        "signalwire", "RestException", 422),
]  # fmt: skip


@pytest.fixture(scope="session")
def crowd(stack: Stack) -> Iterator[str]:
    """A conference of 120; most phones ring."""
    client = stack.client()
    name = f"crowd {uuid.uuid4().hex[:8]}"
    made = [
        client.conferences(name).participants.create(from_="+15550009999", to=RINGS_LONG, timeout=300)
        for _ in range(CROWD)
    ]
    yield str(made[0].conference_sid)
    client.conferences(made[0].conference_sid).update(status="completed")


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_the_whole_life_of_a_conference(stack: Stack, crowd: str, sdk: Sdk) -> None:
    """Create, fetch, mute, hold, coach, list, remove, end; pages of 50; errors as the SDK's own exceptions with
    Twilio's codes; callbacks signed in the dialect."""
    program = Path(sdk.command[0])
    if not sdk.directory.exists() or (program.is_absolute() and not program.exists()) or not shutil.which(program):
        pytest.skip("the SDK is not installed: make clients")
    is_uuid = sdk.dialect == "signalwire"
    write = write_sid if is_uuid else str
    settings = {
        "base_url": stack.base_url,
        "user": write(stack.account_sid),
        "token": stack.auth_token,
        "name": uuid.uuid4().hex[:8],
        "answers": FarEnd.ANSWERS,
        "callback": stack.receiver.url(),
        "hold_url": stack.receiver.url(),
        "unknown": write("CF" + "0" * 32),
        "crowd": write(crowd),
    }
    seen = _run(sdk, settings)

    sid = seen.pop("sid")
    assert seen == {
        "created": [36 if is_uuid else 34, "in-progress" if is_uuid else "queued"],
        "date": True,
        "fetched": True,
        "muted": [True, True, False],
        "muted again": True,
        "listed muted": [True],
        "held": [True, False],
        "coaches": [True, True],
        "barges": False,
        "named": True,
        "removed": True,
        "gone": [sdk.error, 404, 20404],
        "unknown": [sdk.error, 404, 20404],
        "bad": [sdk.error, sdk.bad_status, 21211],
        "wrong token": [sdk.error, 401, 20003],
        "pages": [50, 50, 20],
        "everybody": [CROWD, CROWD],
        "limit 5000": CROWD,
        "ended": ["completed", "completed"],
    }
    header = "X-SignalWire-Signature" if is_uuid else "X-Twilio-Signature"

    def told() -> list[Any]:
        mine = [one for one in stack.receiver.received if one.parameters.get("ConferenceSid") == sid]
        return [one for one in mine if "StatusCallbackEvent" in one.parameters]  # the others ask for hold music

    eventually(lambda: any(one.kind == "conference-end" for one in told()), "the end is told")
    assert {"conference-start", "participant-join", "participant-leave"} <= {one.kind for one in told()}
    assert all(header in one.headers and one.is_signed for one in told())


def _run(sdk: Sdk, settings: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        sdk.command, cwd=sdk.directory, input=json.dumps(settings), capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found
