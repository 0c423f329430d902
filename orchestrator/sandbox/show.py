"""`show channels` (show_function and show_as_json_callback of mod_commands.c)."""

from __future__ import annotations

import re
import time

import orjson

from orchestrator.sandbox.node import Node
from orchestrator.sandbox.session import Session

_USAGE = (
    "-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]"
    "|calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say"
    "|interfaces|interface_types|tasks|limits|status\n"
)
_SHOWN = "channels"
_SEARCHED = ("uuid", "name", "cid_name", "cid_num", "presence_data")


def show(node: Node, argument: str) -> str:
    """`show channels [count|like <text>] [as json]`: an empty JSON list has no `rows`."""
    words = argument.split(" ")
    if words[0] != _SHOWN:
        return node.refuse(f"show {words[0]}") if words[0] in re.findall(r"\w+", _USAGE) else _USAGE
    rows = [_row(session) for session in node.sessions.values()]
    if words[1:2] == ["like"] and len(words) > 2:
        rows = [row for row in rows if any(words[2] in row[column] for column in _SEARCHED)]
    counting = words[1:2] == ["count"]
    if words[-2:-1] == ["as"] and words[-1] != "json":
        return f"-ERR Cannot find format {words[-1]}\n"
    if words[-2:] == ["as", "json"]:
        if counting:
            return orjson.dumps({"row_count": len(rows), "rows": []}).decode()
        return orjson.dumps({"row_count": len(rows), "rows": rows}).decode() if rows else '{"row_count": 0}\n'
    if counting or not rows:
        return f"\n{len(rows)} total.\n"
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return "\n".join(lines) + f"\n\n{len(rows)} total.\n"


def _row(session: Session) -> dict[str, str]:
    """One row of the core database's `channels` table (switch_core_sqldb.c)."""
    channel = session.channel
    profile = channel.profile
    created = channel.created_at // 1_000_000
    application, data = channel.current_application
    codec = ("PCMU", "8000", "64000") if channel.answered.is_set() or channel.early_media.is_set() else ("", "", "")
    return {
        "uuid": channel.channel_uuid,
        "direction": channel.direction,
        "created": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(created)),
        "created_epoch": str(created),
        "name": channel.name,
        "state": channel.state,
        "cid_name": profile.caller_name,
        "cid_num": profile.caller_number,
        "ip_addr": "",
        "dest": profile.destination,
        "application": application,
        "application_data": data,
        "dialplan": profile.dialplan,
        "context": "default",
        "read_codec": codec[0],
        "read_rate": codec[1],
        "read_bit_rate": codec[2],
        "write_codec": codec[0],
        "write_rate": codec[1],
        "write_bit_rate": codec[2],
        "secure": "",
        "hostname": "sandbox",
        "presence_id": channel.variables.get("presence_id", ""),
        "presence_data": "",
        "accountcode": "",
        "callstate": channel.call_state,
        "callee_name": profile.callee_name,
        "callee_num": profile.callee_number,
        "callee_direction": "RECV" if "channel_cid_flipped" in channel.variables else "",
        "call_uuid": channel.channel_uuid,
        "sent_callee_name": "",
        "sent_callee_num": "",
        "initial_cid_name": channel.variables.get("origination_caller_id_name", ""),
        "initial_cid_num": channel.variables.get("origination_caller_id_number", "0000000000"),
        "initial_ip_addr": "",
        "initial_dest": profile.destination,
        "initial_dialplan": "",
        "initial_context": "default",
    }
