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


def test_inline_applications_run_in_order_with_their_variables_expanded(client: Client) -> None:
    """The form that the orchestrator sends: a hook from a variable, then the conference."""
    application = "'set:api_hangup_hook=${exit_hook},conference:CFx@orchestrator' inline"
    with_hook = client.originate("+15550001000", application, r"exit_hook=conference\sCFx\shup\sall")
    without = client.originate("+15550001001", application)
    client.event("add-member", with_hook)
    client.event("add-member", without)

    assert client.api(f"uuid_getvar {with_hook} api_hangup_hook") == "conference CFx hup all"
    assert client.api(f"uuid_getvar {without} api_hangup_hook") == "_undef_"


def test_the_hangup_hook_runs_between_del_member_and_hangup_complete(client: Client) -> None:
    """So whoever hangs up takes the others with it; set at any time, it counts."""
    leaver, _ = client.join("+15550001000", "CFx")
    other, _ = client.join("+15550001001", "CFx")
    client.api(f"uuid_setvar {leaver} api_hangup_hook conference CFx hup all")

    client.api(f"uuid_kill {leaver}")

    client.event("conference-destroy")
    client.event("CHANNEL_HANGUP_COMPLETE", other)
    order = ["CHANNEL_HANGUP", "del-member", "hup-member", "CHANNEL_HANGUP_COMPLETE"]
    first_leave = [name for name in client.labels() if name in order][:4]
    assert first_leave == order
    assert client.labels(other, set(order)) == ["hup-member", "del-member", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE"]


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


def test_the_phone_hangs_up(client: Client) -> None:
    """CHANNEL_HANGUP comes at once, del-member after it; the BYE counts as status 200."""
    channel_uuid, _ = client.join("+15550005001", "CFx")

    ended = client.event("CHANNEL_HANGUP_COMPLETE", channel_uuid)
    assert client.labels(channel_uuid, {"CHANNEL_HANGUP", "del-member"}) == ["CHANNEL_HANGUP", "del-member"]
    assert (ended["Hangup-Cause"], ended["variable_sip_term_status"]) == ("NORMAL_CLEARING", "200")
    assert ended["variable_sip_hangup_disposition"] == "recv_bye"
    assert int(ended["Caller-Channel-Answered-Time"]) > 0
    assert ended["variable_billsec"].isdigit()


def test_an_application_that_is_not_there_ends_the_call(client: Client) -> None:
    """DESTINATION_OUT_OF_ORDER, as FreeSWITCH says for an invalid application."""
    channel_uuid = client.originate("+15550001000", "&nonsense()")

    assert client.event("CHANNEL_HANGUP", channel_uuid)["Hangup-Cause"] == "DESTINATION_OUT_OF_ORDER"


def test_there_is_no_xml_dialplan(client: Client) -> None:
    """An extension of another dialplan than inline is not found."""
    channel_uuid = client.originate("+15550001000", "1000 XML default")

    assert client.event("CHANNEL_HANGUP", channel_uuid)["Hangup-Cause"] == "NO_ROUTE_DESTINATION"


def test_hangup_and_sleep(client: Client) -> None:
    """The applications run one after the other; `hangup` names its cause."""
    channel_uuid = client.originate("+15550001000", "sleep:10,answer,hangup:USER_BUSY inline")

    assert client.event("CHANNEL_HANGUP_COMPLETE", channel_uuid)["Hangup-Cause"] == "USER_BUSY"
    executed = [event["Application"] for event in client.events if event["Event-Name"] == "CHANNEL_EXECUTE"]
    assert executed == ["sleep", "answer", "hangup"]
