"""Every FreeSWITCH command, spelled out."""

from __future__ import annotations

import inspect

import pytest

from orchestrator.freeswitch import coach_mark, commands
from orchestrator.freeswitch.coach_mark import MarkCoach, MuteIfMember, ReadCoachMark, UnmuteUnlessCoach
from orchestrator.freeswitch.commands import (
    ChannelExists,
    CoreUuid,
    DeafenMember,
    FetchFile,
    FileExists,
    FindConferences,
    FindContext,
    FindLists,
    HangUpMembers,
    HoldMember,
    KillChannel,
    ListChannels,
    ListConference,
    ListConferences,
    ModuleExists,
    MuteMember,
    PlayToAll,
    PlayToMember,
    SetExitHook,
    SetJoinFlags,
    SipStatus,
    Status,
    StopMember,
    SwitchCommand,
    set_exit_hook_on_answer,
)
from tests.unit.examples import CF, UUID

SPELLED: list[tuple[SwitchCommand, str]] = [
    (MuteMember(CF, 7, True), f"conference {CF} mute 7"),
    (MuteMember(CF, 7, False), f"conference {CF} unmute 7"),
    (MuteIfMember(UUID, CF, True), f"expand uuid:{UUID} conference {CF} mute ${{variable_conference_member_id}}"),
    (MuteIfMember(UUID, CF, False), f"expand uuid:{UUID} conference {CF} unmute ${{variable_conference_member_id}}"),
    (
        UnmuteUnlessCoach(UUID, CF, 7),
        f"expand uuid:{UUID} conference {CF} "
        "${cond('${variable_presence_id}' == 'orchestrator-coach' ? mute : unmute)} 7",
    ),
    (DeafenMember(CF, 7, True), f"conference {CF} deaf 7"),
    (DeafenMember(CF, 7, False), f"conference {CF} undeaf 7"),
    (HoldMember(CF, 7, True), f"conference {CF} hold 7"),
    (HoldMember(CF, 7, False), f"conference {CF} unhold 7"),
    (MarkCoach(UUID, True), f"uuid_setvar {UUID} presence_id orchestrator-coach"),
    (MarkCoach(UUID, False), f"uuid_setvar {UUID} presence_id"),
    (ReadCoachMark(UUID), f"uuid_getvar {UUID} presence_id"),
    (SetJoinFlags(UUID, True, True), f"uuid_setvar {UUID} conference_member_flags mute|deaf"),
    (SetJoinFlags(UUID, False, True), f"uuid_setvar {UUID} conference_member_flags deaf"),
    (SetJoinFlags(UUID, False, False), f"uuid_setvar {UUID} conference_member_flags"),
    (ModuleExists("mod_loopback"), "module_exists mod_loopback"),
    (FileExists("/a.wav"), "file_exists /a.wav"),
    (ListConference(CF), f"conference {CF} json_list"),
    (PlayToMember(CF, 7, "silence_stream://500"), f"conference {CF} play silence_stream://500 7"),
    (PlayToAll(CF, "tone_stream://%(1,0,2)"), f"conference {CF} play tone_stream://%(1,0,2)"),
    (PlayToAll(CF, "tone_stream://%(1,0,2)", beside=True), f"conference {CF} play tone_stream://%(1,0,2) async"),
    (StopMember(CF, 7), f"conference {CF} stop all 7"),
    (FetchFile("http://127.0.0.1:8080/media/x.wav"), "http_get http://127.0.0.1:8080/media/x.wav"),
    (HangUpMembers(CF), f"conference {CF} hup all"),
    (KillChannel(UUID), f"uuid_kill {UUID}"),
    (ChannelExists(UUID), f"uuid_exists {UUID}"),
    (SetExitHook(UUID, CF, True, True), f"uuid_setvar {UUID} api_hangup_hook conference {CF} hup all"),
    (SetExitHook(UUID, CF, False, True), f"uuid_setvar_multi {UUID} execute_on_answer=;api_hangup_hook="),
    (
        SetExitHook(UUID, CF, True, False),
        f"uuid_setvar {UUID} execute_on_answer set api_hangup_hook=conference {CF} hup all",
    ),
    (SetExitHook(UUID, CF, False, False), f"uuid_setvar_multi {UUID} execute_on_answer=;api_hangup_hook="),
    (Status(), "status"),
    (ListChannels(), "show channels as json"),
    (ListConferences(), "conference json_list"),
    (CoreUuid(), "global_getvar core_uuid"),
    (FindContext("orchestrator"), "xml_locate dialplan context name orchestrator"),
    (FindConferences(), "xml_locate configuration configuration name conference.conf"),
    (SipStatus("gateway", "carrier"), "sofia status gateway carrier"),
    (FindLists(), "xml_locate configuration configuration name acl.conf"),
]


@pytest.mark.parametrize(("command", "text"), SPELLED)
def test_a_command_is_spelled_as_freeswitch_wants_it(command: SwitchCommand, text: str) -> None:
    """Syntax of FreeSWITCH 1.10; one line, nothing behind it."""
    assert command.render() == text


def test_no_command_is_missing_here() -> None:
    """A new command gets a line above."""
    made = {
        name
        for module in (commands, coach_mark)
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__
    }

    assert made - {"SwitchCommand"} == {type(command).__name__ for command, _ in SPELLED}


def test_the_hook_that_a_leg_is_dialled_with_is_the_one_that_is_changed_later() -> None:
    """Otherwise a change of EndConferenceOnExit before the answer would leave the old one in place."""
    changed = SetExitHook(UUID, CF, True, False).render()

    assert changed.endswith(set_exit_hook_on_answer(CF))
