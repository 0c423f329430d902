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
from xml.etree import ElementTree

import pytest

from orchestrator.sids import write_as_uuid
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
    write = write_as_uuid if is_uuid else str
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
        "prefix": "/api/laml/2010-04-01" if is_uuid else "/2010-04-01",
    }
    seen = _run(sdk, settings)

    sid = seen.pop("sid")
    if sdk.command[1] == "life.py":
        gone = [sdk.error, 404, 20404]
        assert seen.pop("recorded") == ["paused", "in-progress", True, True, True, [200, True], True, gone]
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


# ------------------------------------------------------------ curl, as their documents have it


def _curl(stack: Stack, path: str, *options: str) -> tuple[int, str]:
    command = ["curl", "-s", "-w", "\n%{http_code}", "-u", f"{stack.account_sid}:{stack.auth_token}", *options]
    done = subprocess.run([*command, stack.base_url + path], capture_output=True, text=True, timeout=20, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def _xml(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 -- our own answer


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def _member(stack: Stack) -> tuple[str, str]:
    call = {"to": FarEnd.ANSWERS, **stack.call_settings()}
    made = stack.client().conferences(f"curl {uuid.uuid4().hex[:8]}").participants.create(label="one", **call)
    stack.receiver.await_kind(made.conference_sid, "participant-join")
    return str(made.conference_sid), str(made.call_sid)


@needs_curl
def test_twilio_s_xml_with_curl(stack: Stack, crowd: str) -> None:
    """Create, mute, list in pages, remove, errors: by the path, without a suffix."""
    sid, call_sid = _member(stack)
    base = f"/2010-04-01/Accounts/{stack.account_sid}/Conferences"
    one = f"{base}/{sid}/Participants/{call_sid}"
    assert _xml(_curl(stack, one)[1]).findtext("Participant/Muted") == "false"
    assert _xml(_curl(stack, one, "-d", "Muted=true")[1]).findtext("Participant/Muted") == "true"
    stack.receiver.await_kind(sid, "participant-mute")
    added = _curl(stack, f"{base}/{sid}/Participants", "-d", "From=+15550009999", "-d", f"To={FarEnd.ANSWERS}")
    assert (added[0], _xml(added[1]).findtext("Participant/Status")) == (201, "queued")
    assert _curl(stack, one, "-X", "DELETE") == (204, "")
    status, refused = _curl(stack, one)
    assert (status, _xml(refused).findtext("RestException/Code")) == (404, "20404")

    pages, seen, path = [], set(), f"{base}/{crowd}/Participants?PageSize=50"
    while path:
        (page,) = _xml(_curl(stack, path)[1])
        rows = [row.text for row in page.iter("CallSid")]
        pages.append(len(rows))
        seen |= set(rows)
        path = page.attrib["nextpageuri"]
    assert (pages, len(seen)) == ([50, 50, 20], CROWD)
    ended = _xml(_curl(stack, f"{base}/{sid}", "-d", "Status=completed")[1])
    assert ended.findtext("Conference/Status") == "completed"


@needs_curl
def test_restcomm_with_curl(stack: Stack, crowd: str) -> None:
    """Mute and unmute as its document has it, pages by its links, and refusals without a word."""
    sid, call_sid = _member(stack)
    base = f"/restcomm/2012-04-24/Accounts/{stack.account_sid}/Conferences"
    for mute, kind in (("true", "participant-mute"), ("false", "participant-unmute")):
        done = _curl(stack, f"{base}/{sid}/Participants/{call_sid}.json", "-X", "POST", "-d", f"Mute={mute}")
        assert (done[0], json.loads(done[1])["muted"]) == (200, mute == "true")
        stack.receiver.await_kind(sid, kind)
    assert _xml(_curl(stack, f"{base}/{sid}/Participants/{call_sid}")[1]).findtext("Call/Sid") == call_sid
    assert _curl(stack, f"{base}/{sid}/Participants/{call_sid}", "-X", "DELETE") == (405, "")
    assert _curl(stack, f"{base}/{sid}/Participants/CA{'0' * 32}.json", "-d", "Mute=true") == (406, "")

    pages, seen, path = [], set(), f"{base}/{crowd}/Participants.json?PageSize=50"
    while path != "/restcommnull":
        page = json.loads(_curl(stack, path)[1])
        pages.append(len(page["calls"]))
        seen |= {row["sid"] for row in page["calls"]}
        path = "/restcomm" + page["next_page_uri"]
    assert (pages, len(seen)) == ([50, 50, 20], CROWD)
    stack.client().conferences(sid).update(status="completed")
