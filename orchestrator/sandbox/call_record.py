"""The variables that a call ends with: times, durations (switch_channel_set_timestamps), and what RTP counted."""

from __future__ import annotations

import time

from orchestrator.sandbox import recorded
from orchestrator.sandbox.channel import Channel

_STAMP = "%Y-%m-%d %H:%M:%S"


def write(channel: Channel) -> None:
    """Set the variables of a call's end, on a channel that has been hung up."""
    if channel.names:
        stages = ("ended", "media_ended") if channel.has_media else ("ended",)
        names = channel.names | {"$time": time.strftime(_STAMP)}
        for stage in stages:
            channel.variables = recorded.variables(stage, names) | channel.variables
    name, number = channel.profile.caller_name, channel.profile.caller_number
    channel.variables["caller_id"] = f'"{name}" <{number}>' if name else number
    application, data = channel.current_application
    channel.variables |= {"last_app": application} if application else {}
    channel.variables |= {"last_arg": data} if data else {}
    ended_at = channel.moments["Hangup"]
    answered_at = channel.moments.get("Answered", 0)
    stamps = {
        "start": channel.created_at,
        "answer": answered_at,
        "progress": channel.moments.get("Progress", 0),
        "progress_media": channel.moments.get("Progress-Media", 0),
        "end": ended_at,
    }
    for name, moment in stamps.items():
        channel.variables |= {f"{name}_epoch": str(moment // 1_000_000), f"{name}_uepoch": str(moment)}
        if moment:
            channel.variables[f"{name}_stamp"] = time.strftime(_STAMP, time.localtime(moment // 1_000_000))
    seconds = ended_at // 1_000_000 - channel.created_at // 1_000_000
    billed = ended_at // 1_000_000 - answered_at // 1_000_000 if answered_at else 0
    channel.variables |= {
        "duration": str(seconds),
        "billsec": str(billed),
        "mduration": str((ended_at - channel.created_at) // 1000),
        "billmsec": str((ended_at - answered_at) // 1000 if answered_at else 0),
    }
