"""The dial string: what it says, and that nothing from outside can say anything in it."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.domain.commands import NOT_SENT_YET, CreateParticipant
from orchestrator.domain.conference import CallbackSettings, Participant
from orchestrator.errors import BadParameter
from orchestrator.freeswitch.dial_string import (
    RENDERED_FIELDS,
    VARIABLES,
    Originate,
    Routes,
    destination_of,
    route_uri,
)
from orchestrator.freeswitch.sip_headers import caller_user, shown_name, sip_variables
from orchestrator.sandbox.switch_strings import parse_variable_blocks, separate_string
from tests.unit.examples import CF, UUID, a_create, a_participant

ROUTES = Routes("sofia/gateway/carrier/{number}", "sofia/internal/{address}", "user/{name}")
TEXT_FIELDS = sorted(f.name for f in fields(CreateParticipant) if str(f.type).startswith("str"))

HOSTILE = st.one_of(
    st.sampled_from([
        "${system(touch x)}", "$${x}", "a,b=c", "a|user/1", "a}user/1", "a{b=c}", "a'b", 'a"b', "a\nb", "a\r\n\r\nb",
        "%0a", "%7D", "\\n", "\\s", "\\", "a:_:user/1", "[a=b]", "<a=b>", "^^:a=b:", "\x00", "\N{OLD KEY}", "a b", "",
        " ", "sip:", "client:", "sip:a@b,user/1", "sip:${x}@b", "sip:a@b}x", "sip:[::1]:_:", "sip:[::1],user/1",
        "client:a:_:b", "client:a,b", "client:a@b?x=y", "+1555\n", "sip:a@b:5060;transport=tcp,x", "+1555 &park",
    ]),
    st.text(st.sampled_from("a1+._:,|}{$'\"\n\r%\\ []<>^;&=@?/!~*-\x00\N{OLD KEY}\u03b1"), max_size=12),
    st.builds(
        lambda prefix, text: prefix + text, st.sampled_from(["sip:", "client:", "+1555", "sip:a@"]), st.text(max_size=6)
    ),
)  # fmt: skip


JOIN = f"execute_extension:join\\sXML\\sorchestrator,conference:{CF}@orchestrator+flags{{mandatory_member_endconf}}"
RTP_VARIABLES = [
    "disable_rtp_auto_adjust", "execute_on_answer_rtp", "execute_on_audio_change",
]  # fmt: skip


def participant_of(command: CreateParticipant) -> Participant:
    """As services/new_participant.py makes it."""
    return a_participant(
        from_=command.from_,
        to=command.to,
        label=command.label,
        muted=command.muted,
        coaching=command.coaching,
        call_sid_to_coach=command.call_sid_to_coach,
        end_conference_on_exit=command.end_conference_on_exit,
    )


def render(command: CreateParticipant, started: bool = False) -> str:
    return Originate(command, participant_of(command), destination_of(command.to, ROUTES), started).render()


def taken_apart(rendered: str) -> tuple[dict[str, str], str]:
    """The variables and the destination, read as FreeSWITCH reads them: at spaces first, then the block in braces."""
    dial_string = separate_string(rendered.removeprefix("originate "), " ", 10)[0]
    found = parse_variable_blocks(dial_string)
    assert found is not None
    return found


def variables_of(rendered: str) -> dict[str, str]:
    return taken_apart(rendered)[0]


def texts_of(command: CreateParticipant) -> dict[str, str]:
    """What people have written, as it has to arrive."""
    name = shown_name(command) or caller_user(command.caller_id or command.from_)
    uri = destination_of(command.to, ROUTES).uri
    return {"origination_caller_id_name": name, **dict(sip_variables(command, uri))}


def check_shape(rendered: str, command: CreateParticipant) -> None:
    """One leg, one variable block, the variables that there have to be, their texts unchanged, and three arguments."""
    expected = [name for name, make in VARIABLES.items() if make(command, participant_of(command)) is not None]
    texts = texts_of(command)
    variables, destination = taken_apart(rendered)
    arguments = separate_string(rendered.removeprefix("originate "), " ", 10)

    assert rendered.startswith("originate {")
    assert rendered.isprintable(), "a line break"
    assert not re.search(r"\$\{|:_:", rendered), "something that FreeSWITCH gives a meaning to, wherever it stands"
    assert not re.search(r"[\"'$<>^|{}\\,]|[^!-~]", destination)
    assert "%" not in re.sub("%[0-9A-Fa-f]{2}", "", destination), "an escape of a SIP URI, or nothing"
    assert "fs_" not in re.sub("^sofia/internal/sip:[^@;]*@", "", destination), "a parameter that mod_sofia obeys"
    assert list(variables) == [*expected, "conference_member_flags", *RTP_VARIABLES, *texts]
    assert {name: variables[name] for name in texts} == texts
    assert arguments[1:] == [JOIN.replace("\\s", " "), "inline"]


@pytest.mark.parametrize("field", TEXT_FIELDS)
@given(value=HOSTILE, early_media=st.booleans(), ends=st.booleans(), muted=st.booleans())
@settings(max_examples=40)
def test_no_value_can_break_out(field: str, value: str, early_media: bool, ends: bool, muted: bool) -> None:
    """Whatever stands in any text field: it is refused, or it is one value of one variable of one leg."""
    command = a_create(early_media=early_media, end_conference_on_exit=ends, muted=muted)
    if field.startswith(("sip_auth", "caller_display", "call_reason")):
        command = replace(command, to="sip:bob@h.example", sip_auth_username="u", sip_auth_password="p")
    changed: dict[str, Any] = {field: value}
    command = replace(command, **changed)
    try:
        rendered = render(command)
    except BadParameter:
        return

    check_shape(rendered, command)


@given(HOSTILE, HOSTILE, HOSTILE)
@example("+1,origination_uuid=x", "sip:a@b", "+1")
@example("a:_:user/1", "+15550002000", "a:_:user/1")
def test_no_values_can_break_out_together(from_: str, to: str, caller_id: str) -> None:
    """All three values that reach the string, at once."""
    command = a_create(from_=from_, to=to, caller_id=caller_id)
    try:
        rendered = render(command)
    except BadParameter:
        return

    check_shape(rendered, command)


@pytest.mark.parametrize(
    "bad",
    ["a,b", "a|b", "a}b", "a{b", "${a}", "a'b", 'a"b', "a\nb", "a\n", "\na", "a%0Ab", "a\\b", "\N{OLD KEY}", "a:_:b"],
)
def test_a_caller_that_the_switch_would_read_something_into_is_refused(bad: str) -> None:
    """Also where the dialect has let it through."""
    with pytest.raises(BadParameter):
        render(a_create(caller_id=bad))


def test_the_whole_string() -> None:
    """Every variable, spelled out once."""
    command = a_create(caller_id="+15550009999", timeout_seconds=30, muted=True, end_conference_on_exit=True)

    assert render(command) == (
        f"originate {{origination_uuid={UUID},orchestrator_conference_sid={CF},"
        "origination_caller_id_number=+15550009999,"
        "originate_timeout=35,outbound_redirect_fatal=true,ignore_early_media=false,"
        f"api_on_pre_answer=sched_hangup\\s+35\\s{UUID}\\sNO_ANSWER,api_on_answer=sched_del\\s{UUID},"
        f"execute_on_answer=set\\sapi_hangup_hook=conference\\s{CF}\\shup\\sall,conference_member_flags=mute|deaf,"
        "disable_rtp_auto_adjust=true,execute_on_answer_rtp=execute_extension\\smedia\\sXML\\sorchestrator,"
        "execute_on_audio_change=execute_extension\\smoved\\sXML\\sorchestrator,"
        "origination_caller_id_name=+15550009999}"
        f"sofia/gateway/carrier/+15550002000 {JOIN} inline"
    )


@pytest.mark.parametrize(
    ("changes", "started", "flags", "mark"),
    [
        ({}, True, None, None),
        ({}, False, "deaf", None),
        ({"muted": True}, True, "mute", None),
        ({"muted": True}, False, "mute|deaf", None),
        ({"coaching": True}, True, "mute", "orchestrator-coach"),
        ({"coaching": True, "muted": True}, False, "mute|deaf", "orchestrator-coach"),
    ],
)
def test_a_leg_joins_as_it_is_to_sound(
    changes: dict[str, Any], started: bool, flags: str | None, mark: str | None
) -> None:
    """Whoever waits is deaf from the first frame, a coach out of the mix, and marked so."""
    variables = variables_of(render(a_create(**changes), started))

    assert variables.get("conference_member_flags") == flags
    assert variables.get("presence_id") == mark


def test_a_plain_call_has_no_variable_that_it_does_not_need() -> None:
    """Without early media nothing has to be hung up later; no end on exit."""
    names = set(variables_of(render(a_create(early_media=False))))

    assert names.isdisjoint({"api_on_pre_answer", "api_on_answer", "execute_on_answer"})
    assert variables_of(render(a_create(early_media=False)))["ignore_early_media"] == "true"


@given(st.integers(5, 600))
def test_the_timeout_is_twilios_plus_five(seconds: int) -> None:
    """Twilio adds a buffer of 5 s, with early media and without."""
    variables = variables_of(render(a_create(timeout_seconds=seconds)))

    assert variables["originate_timeout"] == str(seconds + 5)
    assert variables["api_on_pre_answer"].startswith(f"sched_hangup +{seconds + 5} ")


@pytest.mark.parametrize(
    ("to", "destination"),
    [
        ("+15550002000", "sofia/gateway/carrier/+15550002000"),
        ("15550002000", "sofia/gateway/carrier/15550002000"),
        ("sip:alice@example.com", "sofia/internal/sip:alice@example.com"),
        ("sip:alice@example.com?x=1&y=2", "sofia/internal/sip:alice@example.com"),
        ("sip:example.com:5080;transport=tcp", "sofia/internal/sip:example.com:5080;transport=tcp"),
        ("sip:a@[2001:db8::1]:5060", "sofia/internal/sip:a@[2001:db8::1]:5060"),
        ("sips:a@example.com", "sofia/internal/sip:a@example.com;transport=tls"),
        ("client:alice", "user/alice"),
        ("client:alice?x=1", "user/alice"),
    ],
)
def test_each_kind_of_address_has_its_route(to: str, destination: str) -> None:
    """What stands behind `?` is for the far end's app, not for the dial string."""
    assert destination_of(to, ROUTES).dialled == destination


@pytest.mark.parametrize(
    "to",
    ["", "abc", "+0123", "+", "sip:", "sip:a@", "sip:@b", "sip:a@b@c", "sip:a@b;x=", "sip:a@-b", "client:",
     "client:a@b", "app:AP1", "+1555 000", "+1" + "5" * 15, "tel:+1555", "sip:a@b:999999"],
)  # fmt: skip
def test_an_address_that_cannot_be_dialled_is_21211(to: str) -> None:
    """The error says which parameter."""
    with pytest.raises(BadParameter, match=r"^To:") as caught:
        destination_of(to, ROUTES)

    assert caught.value.code == 21211


@pytest.mark.parametrize(
    ("to", "setting"), [("+15550002000", "OUTBOUND_ROUTE"), ("client:alice", "CLIENT_ROUTE"), ("sip:a@b", "SIP_ROUTE")]
)
def test_a_kind_without_a_route_is_21214(to: str, setting: str) -> None:
    """And the operator reads which setting is missing."""
    with pytest.raises(BadParameter, match=setting) as caught:
        destination_of(to, Routes("", "", ""))

    assert caught.value.code == 21214


@pytest.mark.parametrize("kind", ["number", "sip", "client"])
def test_a_route_behind_nat_takes_rtp_from_anywhere(kind: str) -> None:
    """And only that one."""
    routes = replace(ROUTES, behind_nat=frozenset({kind}))
    tos = {"number": "+15550002000", "sip": "sip:alice@example.com", "client": "client:alice"}
    checked = {name for name, to in tos.items() if destination_of(to, routes).variables()}

    assert checked == tos.keys() - {kind}


@pytest.mark.parametrize(
    ("route", "dialled", "is_direct"),
    [
        ("sofia/internal/{address}", "sofia/internal/sip:bob@h.example;user=phone", True),
        ("sofia/gateway/sbc/{address}", "sofia/gateway/sbc/bob@h.example;user=phone", False),
        ("sofia/internal/{address};fs_path=sip:sbc", "sofia/internal/bob@h.example;user=phone;fs_path=sip:sbc", False),
    ],
)
def test_only_a_host_to_which_the_switch_itself_connects_is_looked_up(
    route: str, dialled: str, is_direct: bool
) -> None:
    """By any other route a server of the operator's is in between."""
    destination = destination_of("sip:bob@h.example;user=phone", replace(ROUTES, sip=route))

    assert (destination.dialled, destination.is_direct) == (dialled, is_direct)


def test_the_server_of_a_sip_uri_is_what_was_looked_up() -> None:
    """So that the switch asks nobody again, and a Contact leads nowhere else."""
    command = a_create(to="sip:bob@h.example")
    destination = replace(destination_of(command.to, ROUTES), server=route_uri(IPv6Address("2001:db8::1"), 5070, "tcp"))
    rendered = Originate(command, participant_of(command), destination, started=True).render()

    assert variables_of(rendered)["sip_route_uri"] == "sip:[2001:db8::1]:5070;transport=tcp"


def test_a_clients_name_is_shown_without_its_scheme() -> None:
    """`client:alice` calls as `alice`."""
    assert caller_user("client:alice") == "alice"
    assert caller_user("+15550001000") == "+15550001000"


OTHER: dict[str, Any] = {
    "time_limit_seconds": 20, "jitter_buffer_size": "large", "caller_display_name": "Bob", "call_reason": "Because",
    "sip_auth_username": "bobby", "sip_auth_password": "other",
    "from_": "+15550007777", "to": "+15550008888", "caller_id": "+15550006666", "timeout_seconds": 7,
    "early_media": False, "muted": True, "end_conference_on_exit": True, "coaching": True,
    "machine_detection": "DetectMessageEnd", "machine_detection_speech_threshold_ms": 1000,
    "machine_detection_speech_end_threshold_ms": 500, "machine_detection_silence_timeout_ms": 2000,
    "machine_detection_timeout_seconds": 3,
}  # fmt: skip


@pytest.mark.parametrize("field", sorted(RENDERED_FIELDS))
def test_a_rendered_field_changes_the_string(field: str) -> None:
    """RENDERED_FIELDS claims no more than it does."""
    command = a_create(
        to="sip:bob@h.example", sip_auth_username="bob", sip_auth_password="secret", machine_detection="Enable"
    )

    assert render(replace(command, **{field: OTHER[field]})) != render(command)


def another(value: object) -> object:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else "other"


@pytest.mark.parametrize("field", sorted({f.name for f in fields(CreateParticipant)} - RENDERED_FIELDS))
def test_any_other_field_does_not_reach_the_string(field: str) -> None:
    """A field that reaches the switch is to be named in RENDERED_FIELDS, so that NOT_SENT_YET tells the truth."""
    value = (
        CallbackSettings("https://x.example/") if field.endswith("callbacks") else another(getattr(a_create(), field))
    )

    assert render(a_create(**{field: value})) == render(a_create())


def test_what_is_rendered_is_not_called_unsent() -> None:
    """A field is in one of the two lists."""
    assert RENDERED_FIELDS.isdisjoint(NOT_SENT_YET)
