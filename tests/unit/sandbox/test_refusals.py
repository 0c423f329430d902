"""What the real switch does and the sandbox does not is refused aloud: the client reads it, and so does the log."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.unit.sandbox.client import Client

PHONE = "sofia/internal/+15550001000@phones"


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("api uuid_broadcast u1 /tmp/x.wav", "uuid_broadcast"),
        ("api show calls", "show calls"),
        ("api show registrations", None),
        ("api conference xml_list", "conference xml_list"),
        ("api fsctl pause", "fsctl pause"),
        ("api sofia profile internal restart", "sofia profile internal restart"),
        (f"api originate {{leg_timeout=3}}{PHONE} &park()", "leg_timeout"),
        (f"api originate {PHONE},{PHONE} &park()", "several legs"),
        (f"api originate {PHONE}|{PHONE} &park()", "several legs"),
        (f"api originate {PHONE}:_:{PHONE} &park()", "several legs"),
        ("api originate group/all &park()", "originate group/"),
        ("api originate pickup/all &park()", "originate pickup/"),
        ("api originate error/5 &park()", "the hangup cause 5"),
        ("api originate loopback/1000 &park()", "loopback/1000"),
        ("api originate loopback/1000/default &park()", "loopback/1000/default"),
        ("api originate loopback/app=park &park()", "loopback/app=park"),
        ("api originate loopback/answer,park/default/inline &park()", "several legs"),
        ("api hupall 5", "the hangup cause 5"),
        ("api unload mod_sofia", "unload mod_sofia"),
        ("api unload -f mod_loopback", "unload with an option"),
        ("api expand md5 one", "md5"),
        ("api expand echo ${md5(one)}", "expand ${md5(one)}"),
        ("api expand echo ${variable_one:1}", "expand ${variable_one:1}"),
        ("api expand echo $${hostname}", "expand $${hostname}"),
        ("api expand echo ${base_dir}", "global_getvar base_dir"),
        ("api expand echo ${cond('${base_dir}' == '' ? yes : no)}", "global_getvar base_dir"),
        ("api expand echo \\${hostname}", "expand \\${hostname}"),
        ("api global_getvar", "global_getvar of all"),
        ("api global_getvar local_ip_v4", "global_getvar local_ip_v4"),
        ("api xml_locate root", "xml_locate root"),
        ("api xml_locate dialplan", "xml_locate dialplan"),
        ("api xml_locate dialplan context name public", "xml_locate dialplan context name public"),
        (
            "api xml_locate configuration configuration name sofia.conf",
            "xml_locate configuration configuration name sofia.conf",
        ),
        (
            "api xml_locate configuration configuration description SIP",
            "xml_locate configuration configuration description SIP",
        ),
        ("event xml ALL", "event xml"),
        ("event XML ALL", "event xml"),
        ("filter Unique-ID u1", "filter Unique-ID u1"),
        ("nixevent ALL", "nixevent ALL"),
        ("api http_prefetch http://example.com/x.wav", "http_prefetch"),
        ("sendevent NOTIFY", "sendevent NOTIFY"),
        ("log 7", "log 7"),
    ],
)
def test_what_is_not_simulated_says_so(client: Client, command: str, what: str | None) -> None:
    """As `-ERR not simulated: …`, and as a line in the log; what there is nowhere gets the real one's answer."""
    with capture_logs() as lines:
        reply = client.command(command).strip()
    if what is None:
        assert reply.startswith("-USAGE")
        assert lines == []
    else:
        assert reply == f"-ERR not simulated: {what}"
        assert [(line["event"], line["what"]) for line in lines] == [("sandbox_does_not_simulate", what)]


def test_subcommands_of_a_conference_and_applications_do_too(client: Client) -> None:
    client.join("+15550001000", "room")
    assert client.api("conference room relate 1 2 nospeak") == "-ERR not simulated: conference relate\n"
    assert client.api("conference room list pretty") == "-ERR not simulated: conference list pretty\n"
    for target in ("all", "last"):
        kicked = client.api(f"conference room kick {target} /tmp/bye.wav")
        assert kicked == "-ERR not simulated: conference kick with a sound\n"
    speech = "speech, which ends the real one if a member is to hear it"
    assert client.api("conference room play say:hello") == f"-ERR not simulated: {speech}\n"
    with capture_logs() as lines:
        called = client.originate("+15550001000", "&playback(/tmp/x.wav)")
        assert client.event("CHANNEL_HANGUP", called)["Hangup-Cause"] == "DESTINATION_OUT_OF_ORDER"
    assert {"event": "sandbox_does_not_simulate", "what": "playback", "log_level": "error"} in lines


def test_a_recording_with_settings_that_are_not_copied_is_refused(client: Client) -> None:
    called = client.originate("+15550001000")
    client.event("CHANNEL_ANSWER", called)
    command = f"uuid_record {called} start /tmp/never.wav 0 {{RECORD_APPEND=true}}"
    assert client.api(command) == "-ERR not simulated: uuid_record with RECORD_APPEND\n"


@pytest.mark.parametrize("option", ["-bleg", "-both"])
def test_the_other_leg_of_a_call_is_not_sent_elsewhere(client: Client, option: str) -> None:
    """No leg is bridged to another; what is named like an option is no extension."""
    called = client.originate("+15550001000")
    client.event("CHANNEL_ANSWER", called)
    assert client.api(f"uuid_transfer {called} {option} park inline") == f"-ERR not simulated: uuid_transfer {option}\n"
    assert "CHANNEL_HANGUP" not in client.labels()


def test_calls_are_not_chosen_by_what_no_channel_here_has(client: Client) -> None:
    """Fields of the caller's profile, and global variables, which the real one takes for variables of every channel."""
    called = client.originate("+15550001000")
    client.event("CHANNEL_ANSWER", called)
    for name in ("network_addr", "local_ip_v4"):
        assert client.api(f"hupall USER_BUSY {name} 127.0.0.1") == f"-ERR not simulated: {name} of a channel\n"
    assert "CHANNEL_HANGUP" not in client.labels()


@pytest.mark.parametrize("extension", ["media", "moved", "join"])
def test_three_extensions_have_nothing_to_do(client: Client, extension: str) -> None:
    """Those of freeswitch-conf that every leg asks about its RTP: the call goes on."""
    called = client.originate("+15550001000", f"execute_extension:'{extension} XML orchestrator',park: inline")
    client.event("CHANNEL_PARK", called)


@pytest.mark.parametrize("extension", ["media", "media XML public", "other XML orchestrator"])
def test_other_extensions_are_refused(client: Client, extension: str) -> None:
    """As an application is that is not simulated."""
    with capture_logs() as lines:
        called = client.originate("+15550001000", f"'&execute_extension({extension})'")
        assert client.event("CHANNEL_HANGUP", called)["Hangup-Cause"] == "DESTINATION_OUT_OF_ORDER"
    what = f"execute_extension {extension}"
    assert {"event": "sandbox_does_not_simulate", "what": what, "log_level": "error"} in lines
