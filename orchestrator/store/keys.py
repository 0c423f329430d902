"""Every Redis key: its builder. What it holds, and who ends it, is a row of schema.py.

All keys of one conference carry the hash tag ``{CF…}``, those of one account ``{AC…}``, so that each Lua script
stays inside one slot of a Redis Cluster. SIDs, node names and lane names are checked before they get here;
text from outside (labels, friendly names) is only ever a hash field or a value, never part of a key.
"""

from __future__ import annotations

from typing import Final

RETENTION_SECONDS: Final = 7 * 24 * 3600
"""How long what is over stays readable, unless RETENTION_DAYS or, of a call, CALL_RETENTION_DAYS says otherwise."""

NODE_SECONDS: Final = 5
"""A node of which no listener has said anything for this long is shown as unknown. One that lives says it each second,
or, while the node does not answer, after each try."""

DETECTOR_SECONDS: Final = 15
"""The same of a detector."""

PROCESS_SECONDS: Final = 5
"""A process that has said nothing for this long is gone."""

ACCOUNTS: Final = "accounts"
AUDIT: Final = "operators:audit"
PROCESSES: Final = "processes"
OPEN_CONFERENCES: Final = "conferences:open"
DROPPED: Final = "callbacks:dropped"
LISTENERS: Final = "listeners"
CUT_OFF: Final = "listeners:cut_off"
NODES: Final = "nodes"
REGIONS: Final = "regions"
COMMITS_REFUSED: Final = "commits:refused"
CONFERENCE_LANE: Final = "conference"
MEDIA: Final = "media:{media}:"
"""All media share a slot of a Redis Cluster: their total is bounded, and only one slot can count it exactly."""

MEDIA_ENDS: Final = f"{MEDIA}ends"
MEDIA_OWNERS: Final = f"{MEDIA}owners"
MEDIA_BYTES: Final = f"{MEDIA}bytes"
MEDIA_DROPPED: Final = f"{MEDIA}dropped"


def account(account_sid: str) -> str:
    return f"account:{{{account_sid}}}"


def account_conferences(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:conferences"


def account_live(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:live"


def account_live_conferences(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:live:conferences"


def account_dialling(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:live:dialling"


def account_kept(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:kept"


def account_tallies(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:tallies"


def account_dials(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:dials"


def account_queued_calls(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:dials:orders"


def account_names(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:names"


def conference(conference_sid: str) -> str:
    return f"conference:{{{conference_sid}}}"


def live_participants(conference_sid: str) -> str:
    return f"conference:{{{conference_sid}}}:participants"


def labels(conference_sid: str) -> str:
    return f"conference:{{{conference_sid}}}:labels"


def owed(conference_sid: str) -> str:
    return f"conference:{{{conference_sid}}}:owed"


def participant(conference_sid: str, call_sid: str) -> str:
    return f"conference:{{{conference_sid}}}:participant:{call_sid}"


def account_callbacks(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:callbacks"


def account_dead(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:dead"


def account_receivers(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:receivers"


def conference_callbacks(conference_sid: str) -> str:
    return f"conference:{{{conference_sid}}}:callbacks"


def callback(conference_sid: str, token: str) -> str:
    return f"callback:{{{conference_sid}}}:{token}"


def lanes(conference_sid: str) -> str:
    return f"conference:{{{conference_sid}}}:lanes"


def outbox(conference_sid: str, lane: str) -> str:
    return f"outbox:{{{conference_sid}}}:{lane}"


def retry(conference_sid: str, lane: str) -> str:
    return f"outbox:{{{conference_sid}}}:{lane}:retry"


def call(call_sid: str) -> str:
    return f"call:{{{call_sid}}}"


def node(name: str) -> str:
    return f"node:{{{name}}}"


def node_conferences(name: str) -> str:
    return f"node:{{{name}}}:conferences"


def node_lease(name: str) -> str:
    return f"node:{{{name}}}:lease"


def node_dialled(name: str) -> str:
    return f"node:{{{name}}}:dialled"


def node_waiting(name: str) -> str:
    return f"node:{{{name}}}:waiting"


def node_detector(name: str) -> str:
    return f"node:{{{name}}}:detector"


def process(name: str) -> str:
    return f"process:{{{name}}}"


def media_clip(media_id: str) -> str:
    return f"{MEDIA}clip:{media_id}"


def media_note(account_sid: str, digest: str) -> str:
    return f"{MEDIA}note:{account_sid}:{digest}"


def looks(node_name: str) -> str:
    return f"node:{{{node_name}}}:looks"


def playback(conference_sid: str, lane: str) -> str:
    return f"playback:{{{conference_sid}}}:{lane}"


def announcements(conference_sid: str, lane: str) -> str:
    return f"playback:{{{conference_sid}}}:{lane}:announcements"


def lanes_due(kind: str) -> str:
    return f"lanes:{kind}:due"


def lane_lease(kind: str, sid: str, lane: str) -> str:
    return f"lane:{{{sid}}}:{kind}:{lane}"


def recording(conference_sid: str, recording_sid: str) -> str:
    return f"conference:{{{conference_sid}}}:recording:{recording_sid}"


def recordings_of(subject_sid: str) -> str:
    return f"recordings:{{{subject_sid}}}"


def recording_index(recording_sid: str) -> str:
    return f"recording:{{{recording_sid}}}"


def account_recording_bytes(account_sid: str) -> str:
    return f"account:{{{account_sid}}}:recordings:bytes"
