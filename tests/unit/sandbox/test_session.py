"""What a channel runs, and what runs when it ends."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.session import Application, parse_inline
from tests.unit.sandbox.client import Client


@pytest.mark.parametrize(
    ("extension", "applications"),
    [
        ("conference:CFx@p", [Application("conference", "CFx@p")]),
        ("set:a=b,park", [Application("set", "a=b"), Application("park", "")]),
        ("m:^:set:a=1,2^park:", [Application("set", "a=1,2"), Application("park", "")]),
    ],
)
def test_the_inline_dialplan(extension: str, applications: list[Application]) -> None:
    """`app:data` between commas, or between what `m:X:` names."""
    assert parse_inline(extension) == applications


def test_execute_on_answer_runs_before_api_on_answer(client: Client) -> None:
    """Every variable whose name begins so runs; sched_del of the second takes the first's timer away."""
    variables = (
        r"origination_uuid=u1,execute_on_answer=sched_hangup\s+1\sALLOTTED_TIMEOUT,"
        r"execute_on_answer_2=set\sapi_hangup_hook=status,api_on_answer=sched_del\su1"
    )
    client.originate("+15550001000", "&park()", variables)

    client.event("CHANNEL_PARK", "u1")
    schedules = [name for name in client.labels() if name.endswith("_SCHEDULE")]
    assert schedules == ["ADD_SCHEDULE", "DEL_SCHEDULE"]
    assert client.api("uuid_getvar u1 api_hangup_hook") == "status"


def test_hooks_on_early_media_run_once(client: Client) -> None:
    """api_on_pre_answer and api_on_media run with the first media, and not again with the answer."""
    variables = r"api_on_media=echo\smedia,api_on_pre_answer=echo\searly,api_on_answer=echo\sanswer"
    client.originate("+15550007000", "&park()", variables)

    client.event("CHANNEL_ANSWER")
    client.until(lambda: "answer" in [event.get("API-Command-Argument") for event in client.events])
    arguments = [event.get("API-Command-Argument") for event in client.events if event.get("API-Command") == "echo"]
    assert arguments == ["early", "media", "answer"]


def test_hangup_and_sleep(client: Client) -> None:
    """The applications run one after the other; `hangup` names its cause."""
    channel_uuid = client.originate("+15550001000", "sleep:10,answer,hangup:USER_BUSY inline")

    assert client.event("CHANNEL_HANGUP_COMPLETE", channel_uuid)["Hangup-Cause"] == "USER_BUSY"
    executed = [event["Application"] for event in client.events if event["Event-Name"] == "CHANNEL_EXECUTE"]
    assert executed == ["sleep", "answer", "hangup"]


@pytest.mark.parametrize("duration", ["soon", "-2000", "0.9", ""])
def test_no_time_is_slept_for_what_begins_with_no_number(client: Client, duration: str) -> None:
    """As by the real one, which takes atoi's word; the next application comes."""
    channel_uuid = client.originate("+15550001000", f"sleep:{duration},answer,hangup:USER_BUSY inline")

    assert client.event("CHANNEL_HANGUP_COMPLETE", channel_uuid)["Hangup-Cause"] == "USER_BUSY"
