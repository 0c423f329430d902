"""`originate` and its outcomes; every order of events here was seen on the real one."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client

_CALL_EVENTS = {
    "CHANNEL_CREATE",
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_ANSWER",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "add-member",
}


def test_a_phone_that_answers_at_once_does_not_ring(client: Client) -> None:
    """CHANNEL_CREATE, CHANNEL_ANSWER, then the conference; the job says +OK and the uuid that we chose."""
    channel_uuid, _ = client.join("+15550001000", "CFx")

    assert client.labels(channel_uuid, _CALL_EVENTS) == ["CHANNEL_CREATE", "CHANNEL_ANSWER", "add-member"]
    assert client.job() == f"+OK {channel_uuid}\n"


def test_a_phone_that_rings_first(client: Client) -> None:
    """CHANNEL_PROGRESS stands between."""
    channel_uuid, _ = client.join("+15550002000", "CFx")

    assert client.labels(channel_uuid, _CALL_EVENTS) == [
        "CHANNEL_CREATE",
        "CHANNEL_PROGRESS",
        "CHANNEL_ANSWER",
        "add-member",
    ]
    assert client.event("add-member")["Channel-Call-State"] == "ACTIVE"


@pytest.mark.parametrize(
    ("number", "cause", "status", "q850"),
    [
        ("+15550003000", "USER_BUSY", "486", "17"),
        ("+15550006000", "UNALLOCATED_NUMBER", "404", "1"),
        ("+15550009000", "CALL_REJECTED", "603", "21"),
    ],
)
def test_refusals_carry_the_cause_and_the_sip_status(
    client: Client, number: str, cause: str, status: str, q850: str
) -> None:
    """In CHANNEL_HANGUP, in CHANNEL_HANGUP_COMPLETE and in the job."""
    channel_uuid = client.originate(number)

    ended = client.event("CHANNEL_HANGUP_COMPLETE", channel_uuid)
    assert client.event("CHANNEL_HANGUP", channel_uuid)["variable_sip_term_status"] == status
    assert (ended["Hangup-Cause"], ended["variable_sip_term_status"]) == (cause, status)
    assert (ended["variable_hangup_cause_q850"], ended["variable_sip_hangup_disposition"]) == (q850, "recv_refuse")
    assert client.job() == f"-ERR {cause}\n"


def test_not_answered_in_time(client: Client) -> None:
    """NO_ANSWER without a SIP status, and at the beginning of a second of the clock."""
    channel_uuid = client.originate("+15550004000", variables="originate_timeout=1")

    ended = client.event("CHANNEL_HANGUP_COMPLETE", channel_uuid)
    assert ended["Hangup-Cause"] == "NO_ANSWER"
    assert int(ended["variable_end_epoch"]) - int(ended["variable_start_epoch"]) == 1
    assert "variable_sip_term_status" not in ended
    assert client.job() == "-ERR NO_ANSWER\n"


def test_early_media_counts_as_an_answer_unless_it_is_ignored(client: Client) -> None:
    """The call joins with its early media; with ignore_early_media it joins when it is answered."""
    eager, _ = client.join("+15550007001", "CFx")
    patient, _ = client.join("+15550007000", "CFx", "ignore_early_media=true")

    assert client.labels(eager, _CALL_EVENTS)[:3] == ["CHANNEL_CREATE", "CHANNEL_PROGRESS_MEDIA", "add-member"]
    assert client.event("add-member", eager)["Answer-State"] == "early"
    assert client.labels(patient, _CALL_EVENTS)[1:] == ["CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "add-member"]
    client.event("CHANNEL_ANSWER", eager)


def test_uuid_kill_while_it_rings(client: Client) -> None:
    """NORMAL_CLEARING, or the cause that was given, and a CANCEL."""
    channel_uuid = client.originate("+15550004000")
    client.event("CHANNEL_PROGRESS", channel_uuid)

    assert client.api(f"uuid_kill {channel_uuid} originator_cancel") == "+OK\n"

    ended = client.event("CHANNEL_HANGUP_COMPLETE", channel_uuid)
    assert ended["Hangup-Cause"] == "ORIGINATOR_CANCEL"
    assert ended["variable_sip_hangup_disposition"] == "send_cancel"
    assert client.job() == "-ERR ORIGINATOR_CANCEL\n"


def test_a_kill_sent_right_behind_the_originate_finds_the_channel(client: Client) -> None:
    """bgapi waits until its thread runs: on one connection the kill is never too early."""
    client.send("bgapi originate {origination_uuid=u1}sofia/internal/+15550001000@phones &park()\n\napi uuid_kill u1")

    client.reply()
    assert client.reply()[1] == "+OK\n"
    client.event("CHANNEL_HANGUP_COMPLETE", "u1")
    assert client.labels("u1", _CALL_EVENTS) == ["CHANNEL_CREATE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE"]


def test_a_job_that_starts_late_is_missed_by_the_kill(sandbox: Sandbox, client: Client) -> None:
    """On a loaded node the kill comes before the channel, and the call lives on; a knob makes it so."""
    sandbox.faults.background_job_start_delay_seconds = 0.1
    channel_uuid = client.originate("+15550001000")

    assert client.api(f"uuid_kill {channel_uuid}") == "-ERR No such channel!\n"

    client.event("CHANNEL_ANSWER", channel_uuid)


@pytest.mark.parametrize(
    ("dial_string", "reply"),
    [
        ("sofia/internal/+15550001000@phones,sofia/internal/+15550001001@phones", "-ERR DESTINATION_OUT_OF_ORDER\n"),
        ("sofia/internal/+15550003000@phones|sofia/internal/+15550001001@phones", "-ERR DESTINATION_OUT_OF_ORDER\n"),
        ("{a=b:_:c}sofia/internal/+15550001000@phones", "-ERR DESTINATION_OUT_OF_ORDER\n"),
        ("{a=b", "-ERR DESTINATION_OUT_OF_ORDER\n"),
        ("sofia/nosuch/+15550001000@phones", "-ERR INVALID_PROFILE\n"),
        ("sofia/internal/", "-ERR USER_NOT_REGISTERED\n"),
        ("user/nobody", "-ERR SUBSCRIBER_ABSENT\n"),
        ("nosuch/1", "-ERR CHAN_NOT_IMPLEMENTED\n"),
    ],
)
def test_what_cannot_be_dialled_makes_no_channel(client: Client, dial_string: str, reply: str) -> None:
    """Only the reply tells; and where the real one would dial a second leg the sandbox refuses."""
    assert client.api(f"originate {dial_string} &park()") == reply
    assert "CHANNEL_CREATE" not in client.labels()


def test_usage(client: Client) -> None:
    """Too few words or too many."""
    assert client.api("originate sofia/internal/1@phones").startswith("-USAGE: <call url> <exten>")
    assert client.api("originate 1 2 3 4 5 6 7 8").startswith("-USAGE: ")


def test_a_uuid_can_be_used_once(client: Client) -> None:
    """The first is left alone; the second one is not refused, it has a UUID of its own (seen on the real one)."""
    channel_uuid = client.originate("+15550001000")
    client.event("CHANNEL_ANSWER", channel_uuid)

    second = client.api(f"originate {{origination_uuid={channel_uuid}}}sofia/internal/+15550001000@phones &park()")

    assert second.startswith("+OK ")
    assert channel_uuid not in second
    assert client.api(f"uuid_exists {channel_uuid}") == "true"


def test_variables_and_caller_id(client: Client) -> None:
    """They are on the channel and in its events; one that would be expanded is dropped."""
    given = r"a=x\,y,b=${c},origination_caller_id_number=+1555,origination_caller_id_name=Al\sB"
    channel_uuid = client.originate("+15550001000", variables=given)

    created = client.event("CHANNEL_CREATE", channel_uuid)
    assert created["variable_a"] == "x,y"
    assert "variable_b" not in created
    assert (created["Caller-Caller-ID-Number"], created["Caller-Caller-ID-Name"]) == ("+1555", "Al B")
    assert created["Channel-Name"] == "sofia/internal/%2B15550001000@phones"
    assert created["Call-Direction"] == "outbound"


def test_a_gateway_dials_too(client: Client) -> None:
    """sofia/gateway/<name>/<number>: every gateway is there."""
    assert client.api("originate sofia/gateway/carrier/+15550001000 &park()").startswith("+OK ")
