"""Requests in: every parameter good and bad, and what goes with what."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from orchestrator.dialects.twilio.schemas import (
    CREATE,
    CREATE_CALLBACKS,
    UPDATE,
    list_warnings,
    parse_conference_name,
    parse_conference_update,
    parse_create,
    parse_flags,
    parse_update,
)
from orchestrator.domain.commands import CreateParticipant, UpdateParticipant
from orchestrator.domain.conference import CallbackSettings
from orchestrator.errors import BadParameter
from tests.unit.examples import COACHED

URL = "https://app.example/x"

GOOD: dict[str, list[tuple[str, Any]]] = {
    "From": [("+15550001111", "+15550001111")],
    "To": [("+15550002222", "+15550002222"), ("sip:a@b", "sip:a@b"), ("client:a", "client:a")],
    "Label": [("customer", "customer"), ("", None)],
    "Timeout": [("5", 5), ("600", 600)],
    "TimeLimit": [("1", 1), ("86400", 86400)],
    "Muted": [("true", True), ("False", False)],
    "Beep": [("true", "true"), ("True", "true"), ("false", "false"), ("onenter", "onEnter"), ("onExit", "onExit")],
    "StartConferenceOnEnter": [("false", False)],
    "EndConferenceOnExit": [("True", True)],
    "EarlyMedia": [("false", False)],
    "MaxParticipants": [("2", 2), ("250", 250)],
    "Coaching": [("false", False)],
    "CallSidToCoach": [(COACHED, COACHED), ("", None)],
    "WaitUrl": [(URL, URL), ("", "")],
    "WaitMethod": [("GET", "GET"), ("post", "POST")],
    "Region": [(region, region) for region in ("us1", "us2", "ie1", "de1", "sg1", "br1", "au1", "jp1")],
    "JitterBufferSize": [(size, size) for size in ("off", "small", "medium", "large")],
    "CallerId": [("+15550003333", "+15550003333")],
    "CallerDisplayName": [("J\u00fcrgen, M.", "J\u00fcrgen, M."), ("x" * 255, "x" * 255)],
    "CallReason": [('a "reason", 5 %', 'a "reason", 5 %')],
    "CallToken": [("%7B%7D", "%7B%7D")],
    "Byoc": [("BY" + "0" * 32, "BY" + "0" * 32)],
    "SipAuthUsername": [("u@x", "u@x"), ("x" * 159, "x" * 159)],
    "SipAuthPassword": [("p,w {d} '%41'", "p,w {d} '%41'"), ("x" * 159, "x" * 159)],
    "ClientNotificationUrl": [(URL, URL)],
    "Record": [("true", True)],
    "RecordingChannels": [("mono", "mono"), ("Dual", "dual")],
    "RecordingTrack": [("inbound", "inbound"), ("outbound", "outbound"), ("both", "both")],
    "Trim": [("trim-silence", "trim-silence"), ("do-not-trim", "do-not-trim")],
    "ConferenceRecord": [
        ("True", "record-from-start"), ("record-from-start", "record-from-start"), ("false", "do-not-record"),
        ("do-not-record", "do-not-record"),
    ],
    "ConferenceTrim": [("trim-silence", "trim-silence"), ("do-not-trim", "do-not-trim")],
    "MachineDetection": [("enable", "Enable"), ("DetectMessageEnd", "DetectMessageEnd")],
    "MachineDetectionTimeout": [("3", 3), ("59", 59)],
    "MachineDetectionSpeechThreshold": [("1000", 1000), ("6000", 6000)],
    "MachineDetectionSpeechEndThreshold": [("500", 500), ("5000", 5000)],
    "MachineDetectionSilenceTimeout": [("2000", 2000), ("10000", 10000)],
}  # fmt: skip

BAD: dict[str, tuple[int, list[str]]] = {
    "From": (21212, ["a,b", "sip:a@b"]),
    "To": (21211, ["nobody", "sip:", "+1,+2"]),
    "Label": (16024, ["x" * 129, "a/b", COACHED]),
    "Timeout": (21208, ["4", "601", "x", " "]),
    "TimeLimit": (20001, ["0", "86401", "x"]),
    "Muted": (20001, ["yes", " "]),
    "Beep": (20001, ["enter"]),
    "StartConferenceOnEnter": (20001, ["1"]),
    "EndConferenceOnExit": (20001, ["1"]),
    "EarlyMedia": (20001, ["1"]),
    "MaxParticipants": (20001, ["1", "251", "x"]),
    "Coaching": (20001, ["1"]),
    "CallSidToCoach": (20001, ["customer", "CF" + "0" * 32]),
    "WaitUrl": (21205, ["x", "ftp://a/"]),
    "WaitMethod": (21209, ["PUT"]),
    "Region": (20001, ["mars"]),
    "JitterBufferSize": (20001, ["huge"]),
    "CallerId": (21212, ["a,b"]),
    "CallerDisplayName": (20001, ["a", "x" * 256, 'a"b', "a%22b", "a\nb", "<sip:x@y>"]),
    "CallReason": (20001, ["x" * 1025, "a\nb", "${x}"]),
    "CallToken": (20001, ["x" * 8193]),
    "Byoc": (21300, ["BY1", "x"]),
    "SipAuthUsername": (21222, ["a:b", 'a"b', "a\nb", " a"]),
    "SipAuthPassword": (21224, ["a:b", "a}b", "{{", "${x}", "a\x00b", "a "]),
    "ClientNotificationUrl": (21205, ["x"]),
    "Record": (20001, ["1"]),
    "RecordingChannels": (20001, ["stereo"]),
    "RecordingTrack": (20001, ["all"]),
    "Trim": (20001, ["true"]),
    "ConferenceRecord": (20001, ["yes"]),
    "ConferenceTrim": (20001, ["true"]),
    "MachineDetection": (21234, ["true"]),
    "MachineDetectionTimeout": (21234, ["2", "60"]),
    "MachineDetectionSpeechThreshold": (21234, ["999", "6001"]),
    "MachineDetectionSpeechEndThreshold": (21234, ["499", "5001"]),
    "MachineDetectionSilenceTimeout": (21234, ["1999", "10001"]),
}

CALLBACKS = {
    "StatusCallback": (
        "progress_callbacks", ("initiated", "ringing", "answered", "completed"), ("completed",),
    ),
    "ConferenceStatusCallback": (
        "conference_callbacks",
        ("start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"),
        ("start", "end"),
    ),
    "RecordingStatusCallback": (
        "recording_callbacks",
        ("started", "in-progress", "paused", "resumed", "stopped", "completed", "failed", "absent"),
        ("completed",),
    ),
    "ConferenceRecordingStatusCallback": (
        "conference_recording_callbacks", ("in-progress", "completed", "failed", "absent"), ("completed",),
    ),
    "AmdStatusCallback": ("amd_callbacks", (), ("detection",)),
}  # fmt: skip


def create(*pairs: tuple[str, str]) -> CreateParticipant:
    given = dict.fromkeys(name for name, _ in pairs)
    plain = [("From", "+15550001000"), ("To", "+15550002000")]
    return parse_create(MultiDict([pair for pair in plain if pair[0] not in given] + list(pairs)))


def refused(code: int, name: str, *pairs: tuple[str, str]) -> None:
    with pytest.raises(BadParameter, match=f"^{name}:") as caught:
        create(*pairs)

    assert (caught.value.code, caught.value.http_status) == (code, 400)


def test_every_parameter_is_tried_here() -> None:
    """A new row of CREATE gets a good and a bad value above; a new kind of callback a row in CALLBACKS."""
    assert set(CREATE) == set(GOOD) == set(BAD)
    assert {row.url: (row.field, row.words, row.default) for row in CREATE_CALLBACKS} == CALLBACKS


@pytest.mark.parametrize(("name", "text", "value"), [(n, t, v) for n, rows in GOOD.items() for t, v in rows])
def test_a_good_value_reaches_its_field(name: str, text: str, value: Any) -> None:
    """And no other field, except where one parameter implies another."""
    command, plain = create((name, text)), create()
    field = CREATE[name][0]
    implied = {"coaching"} if name == "CallSidToCoach" else set()
    changed = {f.name for f in fields(CreateParticipant) if getattr(command, f.name) != getattr(plain, f.name)}

    assert getattr(command, field) == value
    assert changed <= {field} | implied


@pytest.mark.parametrize(
    ("name", "code", "text"), [(name, code, text) for name, (code, texts) in BAD.items() for text in texts]
)
def test_a_bad_value_is_refused_by_name_and_with_twilios_code(name: str, code: int, text: str) -> None:
    """Wire-contract sections 3.3 and 10."""
    refused(code, name, (name, text))


def test_credentials_that_the_switch_would_cut_off_are_refused() -> None:
    """Of a password that is cut off nobody would ever be told; together they have 160 characters."""
    refused(21221, "SipAuthUsername", ("SipAuthUsername", "x" * 161))
    refused(21223, "SipAuthPassword", ("SipAuthPassword", "x" * 161))
    refused(21223, "SipAuthPassword", ("SipAuthUsername", "x" * 80), ("SipAuthPassword", "x" * 81))


@pytest.mark.parametrize(("name", "row"), CALLBACKS.items())
def test_a_callback_is_made_of_three_parameters(name: str, row: tuple[str, tuple[str, ...], tuple[str, ...]]) -> None:
    """URL, method, and a list of words in any form; without them Twilio's defaults."""
    field, words, default = row
    plain = create((name, URL))
    full = create((name, URL), (f"{name}Method", "get"), *((f"{name}Event", word) for word in words))
    joined = create((name, URL), (f"{name}Event", " ".join(reversed(words))))
    bracketed = create((name, URL), *((f"{name}Event[]", word) for word in words))
    numbered = create((name, URL), *((f"{name}Event[{7 * number}]", word) for number, word in enumerate(words)))
    empty = create((name, URL), (f"{name}Event", ""), (f"{name}Method", ""))

    assert getattr(plain, field) == CallbackSettings(URL, "POST", default)
    assert getattr(full, field) == CallbackSettings(URL, "GET", words or default)
    for others in (joined, bracketed, numbered):
        assert getattr(others, field) == CallbackSettings(URL, "POST", words or default)
    assert empty == plain
    if words:
        refused(21626, f"{name}Event", (name, URL), (f"{name}Event", f"{words[0]} participant-join"))
        refused(21626, f"{name}Event", (name, URL), (f"{name}Event[]", "participant-join"))


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_without_a_url_is_none(name: str) -> None:
    """But its method is checked all the same."""
    field = CALLBACKS[name][0]

    assert getattr(create((name, "")), field) is None
    assert getattr(create((f"{name}Method", "GET")), field) is None
    refused(21205, name, (name, "nowhere"))
    refused(21209, f"{name}Method", (name, URL), (f"{name}Method", "PUT"))


@pytest.mark.parametrize(("name", "code"), [("To", 21201), ("From", 21213)])
def test_to_and_from_are_required(name: str, code: int) -> None:
    """Absent and empty are the same; required comes before formats."""
    pairs = [("To", "+15550002000"), ("From", "+15550001000"), ("Timeout", "x")]
    without = MultiDict([pair for pair in pairs if pair[0] != name])

    with pytest.raises(BadParameter, match=f"^{name}: is required") as caught:
        parse_create(without)

    assert caught.value.code == code
    refused(code, name, (name, ""))


@pytest.mark.parametrize("name", sorted(set(CREATE) - {"To", "From", "WaitUrl"}))
def test_an_empty_parameter_of_a_create_is_none(name: str) -> None:
    """As in an update: only an empty WaitUrl means something."""
    assert create((name, "")) == create()
    assert create((name, ""), (name, GOOD[name][0][0])) == create((name, GOOD[name][0][0]), (name, ""))
    assert create(("WaitUrl", "")).wait_url == ""


def test_an_unknown_parameter_is_ignored() -> None:
    """As Twilio does; newer SDKs send more than the contract knows."""
    assert create(("EmergencyName", "x"), ("muted", "true")) == create()


@pytest.mark.parametrize(
    ("pairs", "warnings"),
    [
        ((), []),
        ((("MachineDetection", "Enable"),), [(21262, "AmdStatusCallback")]),
        ((("MachineDetection", "Enable"), ("AmdStatusCallback", "")), [(21262, "AmdStatusCallback")]),
        ((("MachineDetection", "Enable"), ("AmdStatusCallback", "https://a.example/")), []),
        ((("AmdStatusCallback", "https://a.example/"),), []),
        ((("AsyncAmd", "true"),), [(21263, "AsyncAmd")]),
        (
            (("AsyncAmdStatusCallback", "https://a.example/"), ("AsyncAmdStatusCallbackMethod", "GET")),
            [(21263, "AsyncAmdStatusCallback"), (21263, "AsyncAmdStatusCallbackMethod")],
        ),
    ],
)
def test_what_twilio_warns_of_is_no_error(pairs: tuple[tuple[str, str], ...], warnings: list[tuple[int, str]]) -> None:
    """The create is what it would be without, and each warning names its parameter."""
    found = list_warnings(MultiDict(pairs))

    assert [(code, text.partition(":")[0]) for code, text in found] == warnings
    assert create(*pairs) == create(*(pair for pair in pairs if not pair[0].startswith("Async")))


@pytest.mark.parametrize("name", ["From", "CallerId"])
def test_a_phone_is_called_by_a_phone_number(name: str) -> None:
    """A client or a SIP address may be called by anybody."""
    refused(21212, name, (name, "client:alice"), ("To", "+15550002000"))

    assert create((name, "client:alice"), ("To", "client:bob"))
    assert create((name, "alice"), ("To", "sip:a@b"))


def test_coaching_needs_somebody_to_coach() -> None:
    """A CallSid alone implies it, unless the client says no."""
    refused(20001, "CallSidToCoach", ("Coaching", "true"))

    assert create(("CallSidToCoach", COACHED)).coaching is True
    no_coach = create(("CallSidToCoach", COACHED), ("Coaching", "false"))
    assert (no_coach.coaching, no_coach.call_sid_to_coach) == (False, None)


# ---------------------------------------------------------------- updates, filters, names


@pytest.mark.parametrize(
    ("pairs", "muted", "ends"),
    [
        ([], None, None),
        ([("Muted", "true")], True, None),
        ([("Muted", "False")], False, None),
        ([("Muted", "whatever")], False, None),
        ([("EndConferenceOnExit", "True")], None, True),
        ([("Muted", "false"), ("EndConferenceOnExit", "false"), ("Beep", "False")], False, False),
    ],
)
def test_an_update_leaves_alone_what_it_does_not_name(
    pairs: list[tuple[str, str]], muted: bool | None, ends: bool | None
) -> None:
    """Any text but `true` unmutes (wire-contract section 3.4)."""
    update = parse_update(MultiDict(pairs))

    assert (update.muted, update.end_conference_on_exit) == (muted, ends)


def test_an_update_with_a_bad_boolean_is_refused() -> None:
    """Only Muted is lenient."""
    with pytest.raises(BadParameter, match=r"^EndConferenceOnExit:"):
        parse_update(MultiDict([("EndConferenceOnExit", "x")]))


UPDATE_GOOD: dict[str, list[tuple[str, Any]]] = {
    "Muted": [("true", True), ("x", False)],
    "Hold": [("true", True), ("False", False)],
    "HoldUrl": [(URL, URL)],
    "HoldMethod": [("get", "GET"), ("POST", "POST")],
    "AnnounceUrl": [(URL, URL)],
    "AnnounceMethod": [("GET", "GET")],
    "WaitUrl": [(URL, URL), ("", "")],
    "WaitMethod": [("GET", "GET")],
    "BeepOnExit": [("false", False)],
    "EndConferenceOnExit": [("true", True)],
    "Coaching": [("true", True), ("false", False)],
    "CallSidToCoach": [(COACHED, COACHED)],
}
UPDATE_BAD: dict[str, tuple[int, list[str]]] = {
    "Hold": (20001, ["x", "1"]),
    "HoldUrl": (21205, ["x", "ftp://a/", "file:///etc/passwd", "http://", "//a/b"]),
    "HoldMethod": (21209, ["PUT"]),
    "AnnounceUrl": (21205, ["x", "local_stream://moh"]),
    "AnnounceMethod": (21209, ["HEAD"]),
    "WaitUrl": (21205, ["x", "tone_stream://%(1,1,1)"]),
    "WaitMethod": (21209, ["PUT"]),
    "BeepOnExit": (20001, ["onExit"]),
    "EndConferenceOnExit": (20001, ["x"]),
    "Coaching": (20001, ["1"]),
    "CallSidToCoach": (20001, ["customer", "CF" + "0" * 32]),
}


def test_every_update_parameter_is_tried_here() -> None:
    """A new row of UPDATE gets good values above, and bad ones unless anything goes."""
    assert set(UPDATE) == set(UPDATE_GOOD) == {*UPDATE_BAD, "Muted"}


@pytest.mark.parametrize(("name", "text", "value"), [(n, t, v) for n, rows in UPDATE_GOOD.items() for t, v in rows])
def test_a_good_update_reaches_its_field_and_no_other(name: str, text: str, value: Any) -> None:
    """All others stay as they are."""
    field = UPDATE[name][0]

    assert parse_update(MultiDict([(name, text)])) == replace(UpdateParticipant(), **{field: value})


@pytest.mark.parametrize(
    ("name", "code", "text"), [(name, code, text) for name, (code, texts) in UPDATE_BAD.items() for text in texts]
)
def test_a_bad_update_is_refused_by_name_and_with_twilios_code(name: str, code: int, text: str) -> None:
    """URLs are http or https and nothing that a switch would play by itself."""
    with pytest.raises(BadParameter, match=f"^{name}:") as caught:
        parse_update(MultiDict([(name, text)]))

    assert caught.value.code == code


@pytest.mark.parametrize("name", sorted(set(UPDATE_GOOD) - {"WaitUrl"}))
def test_an_empty_parameter_is_none(name: str) -> None:
    """SDKs send `CallSidToCoach=`; only an empty WaitUrl means something: silence."""
    assert parse_update(MultiDict([(name, "")])) == UpdateParticipant()
    assert parse_update(MultiDict([("WaitUrl", "")])).wait_url == ""


def test_the_end_of_coaching_names_nobody() -> None:
    """SDKs send both."""
    update = parse_update(MultiDict([("Coaching", "false"), ("CallSidToCoach", COACHED)]))

    assert (update.coaching, update.call_sid_to_coach) == (False, None)


def test_a_hold_and_an_announcement_do_not_go_together() -> None:
    """16099; an unhold and an announcement do, and so does an empty one."""
    both = [("Hold", "true"), ("AnnounceUrl", URL)]
    with pytest.raises(BadParameter, match=r"^AnnounceUrl:") as caught:
        parse_update(MultiDict(both))

    assert (caught.value.code, caught.value.http_status) == (16099, 400)
    assert parse_update(MultiDict([("Hold", "false"), ("AnnounceUrl", URL)])).announce_url == URL
    assert parse_update(MultiDict([("Hold", "true"), ("AnnounceUrl", "")])).hold is True


def test_an_update_has_twilios_defaults() -> None:
    """AnnounceMethod is POST; HoldMethod and WaitMethod are left to what they go with."""
    assert parse_update(MultiDict([("AnnounceUrl", URL)])).announce_method == "POST"
    assert parse_conference_update(MultiDict([("AnnounceUrl", URL)])).announce_method == "POST"


def test_a_conference_is_announced_to() -> None:
    """Its URL and method are checked as any; an empty one is none."""
    found = parse_conference_update(MultiDict([("AnnounceUrl", URL), ("AnnounceMethod", "get")]))

    assert (found.announce_url, found.announce_method, found.ends) == (URL, "GET", False)
    assert parse_conference_update(MultiDict([("AnnounceUrl", ""), ("AnnounceMethod", "")])).announce_url is None
    for name, text, code in (("AnnounceUrl", "x", 21205), ("AnnounceMethod", "PUT", 21209)):
        with pytest.raises(BadParameter, match=f"^{name}:") as caught:
            parse_conference_update(MultiDict([("AnnounceUrl", URL), (name, text)][name == "AnnounceUrl" :]))
        assert caught.value.code == code


def test_a_conference_can_only_be_completed() -> None:
    """`complete` is a common mistake; no parameter at all changes nothing."""
    assert parse_conference_update(MultiDict([("Status", "Completed")])).ends is True
    assert parse_conference_update(MultiDict()).ends is False
    assert parse_conference_update(MultiDict([("Status", "")])).ends is False
    for pairs in ([("Status", "complete")], [("Status", "in-progress")]):
        with pytest.raises(BadParameter, match=f"^{pairs[0][0]}:"):
            parse_conference_update(MultiDict(pairs))


def test_flags_are_those_that_were_given() -> None:
    """An empty one is none; a bad one is refused."""
    names = ("Muted", "Hold", "Coaching")

    assert parse_flags(MultiDict([("Muted", "True"), ("Hold", "false"), ("Coaching", "")]), names) == {
        "Muted": True,
        "Hold": False,
    }
    with pytest.raises(BadParameter, match=r"^Hold:"):
        parse_flags(MultiDict([("Hold", "x")]), names)


def test_a_conferences_name_has_1_to_128_characters() -> None:
    """Without the spaces around it."""
    assert parse_conference_name(" weekly sync ") == "weekly sync"
    assert parse_conference_name("\N{OLD KEY}" * 128)
    for name in ("", "  ", "x" * 129):
        with pytest.raises(BadParameter, match=r"^FriendlyName:"):
            parse_conference_name(name)
