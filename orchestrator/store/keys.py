"""Every Redis key: its builder, type, lifetime and owner. docs/redis-schema.md is generated from KEYS.

All keys of one conference carry the hash tag ``{CF…}``, those of one account ``{AC…}``, so that each Lua script
stays inside one slot of a Redis Cluster. SIDs, node names and lane names are checked before they get here;
text from outside (labels, friendly names) is only ever a hash field or a value, never part of a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RETENTION_SECONDS: Final = 7 * 24 * 3600
"""How long a completed conference stays readable, and a call unless CALL_RETENTION_DAYS says otherwise."""

NODE_SECONDS: Final = 5
"""A node of which no listener has said anything for this long is shown as unknown. One that lives says it each second,
or, while the node does not answer, after each try."""

DETECTOR_SECONDS: Final = 15
"""The same of a detector."""

PROCESS_SECONDS: Final = 5
"""A process that has said nothing for this long is gone."""


@dataclass(frozen=True, slots=True)
class Key:
    """One row of the schema; `lifetime` names the owner that ends the key."""

    pattern: str
    type: str
    holds: str
    lifetime: str


KEYS: Final[tuple[Key, ...]] = (
    Key("accounts", "set", "every AccountSid", "for ever; one member per account"),
    Key("account:{AC}", "hash",
        "auth_token, secondary_token, status, friendly_name, created_at, updated_at; limit:… and key:SK… of its own",
        "until the operator deletes it"),
    Key("account:{AC}:live", "zset", "ConferenceSid.CallSid of calls that have not ended, by when they were looked at",
        "member removed by the commit of the call's end, or by a later create"),
    Key("account:{AC}:live:conferences", "zset", "ConferenceSid of conferences that have not ended, likewise",
        "member removed by the commit of its end, or by a later create"),
    Key("account:{AC}:live:dialling", "zset", "ConferenceSid.CallSid of calls that are not answered, likewise",
        "member removed by the commit of the answer or of the end, or by a later create"),
    Key("account:{AC}:kept", "zset", "CallSid:bytes of the calls that are kept, by their creation (ms)",
        "CALL_RETENTION_DAYS after the last create; each create trims what is older"),
    Key("account:{AC}:tallies", "hash", "kept_bytes; and rates: when each is full again (ms)", "7 days after the last"),
    Key("account:{AC}:conferences", "zset", "ConferenceSid by created_at (ms)",
        "each create trims members whose conference has expired"),
    Key("account:{AC}:names", "hash", "FriendlyName -> ConferenceSid of the active conference",
        "field removed when the conference completes; a stale one by the sweep or the next create"),
    Key("conferences:open", "zset", "ConferenceSid of every conference that is active or has callbacks waiting, by ms",
        "member removed by the sweep when both have ended"),
    Key("conference:{CF}", "hash", "the Conference record and its `version`", "7 days after it has completed"),
    Key("conference:{CF}:participants", "zset", "CallSid of participants whose call has not ended, by created_at (ms)",
        "member removed when the call has ended; empty zsets vanish"),
    Key("conference:{CF}:labels", "hash", "label -> CallSid of live participants",
        "field removed when the participant has left"),
    Key("conference:{CF}:owed", "hash", "id of an announcement that was accepted -> whom it is for, and its URL (JSON)",
        "field removed when its end is told; all are told when the conference ends"),
    Key("conference:{CF}:participant:CA", "hash", "the Participant record",
        "CALL_RETENTION_DAYS after the call has ended"),
    Key("conference:{CF}:lanes", "set", "lanes whose outbox is not empty", "member removed by the drain"),
    Key("conference:{CF}:callbacks", "zset", "tokens of the conference's callbacks by the moment of their event (ms)",
        "7 days after the last one"),
    Key("callback:{CF}:token", "hash", "one callback: entry (JSON), lane, state, reason, attempts, attempt:1 …",
        "while it waits its lane owns it; 7 days after it was delivered or given up"),
    Key("outbox:{CF}:lane", "list", "tokens of one lane's callbacks in order; lane: `conference` or a CallSid",
        "emptied by the drain; at most 10,000"),
    Key("outbox:{CF}:lane:retry", "string", "when the callback at the lane's head is due again (ms)",
        "with that callback, or a day later"),
    Key("account:{AC}:callbacks", "zset", "ConferenceSid.token of the account's callbacks by the moment of their event",
        "7 days after the last one; each write trims what is older"),
    Key("account:{AC}:dead", "zset", "the same of those that were given up", "as above; a replay takes its own off"),
    Key("account:{AC}:receivers", "hash", "host:port -> failures and pause of a receiver that fails (JSON)",
        "field removed by the receiver's next success; 7 days after the last failure"),
    Key("lanes:KIND:due", "zset", "for each kind of lane: SID:lane by when a sweep has to look at it (ms)",
        "member removed by the sweep when the lane is empty, or by its worker when there is nothing to wait for"),
    Key("lane:{SID}:KIND:lane", "string", "who works on the lane; `again` behind it: somebody has come meanwhile",
        "5 s, renewed while its worker lives"),
    Key("call:{CA}", "string", "ConferenceSid of the call", "7 days and CALL_RETENTION_DAYS after it was created"),
    Key("conference:{CF}:recording:RE", "hash", "the Recording record and its `version`",
        "40 days after it was deleted"),
    Key("recording:{RE}", "string", "ConferenceSid of the recording", "as long as the recording"),
    Key("recordings:{SID}", "zset", "ConferenceSid.RecordingSid of an account, call or conference, by creation (ms)",
         "member removed by the first list after the recording is gone"),
    Key("account:{AC}:recordings:bytes", "hash", "RecordingSid, or `all` -> bytes that are kept",
        "field removed when the recording is deleted"),
    Key("node:{name}", "hash",
        "what the listener last saw: connected, problem, core_uuid, listener, queued, dropped, sessions, most_sessions",
        "5 s after the listener's last word"),
    Key("node:{name}:lease", "hash", "who follows the node, in which epoch, and until when (ms; 0: given back)",
        "when the node is removed"),
    Key("listeners", "zset", "listener processes by when (ms) they count as dead", "2 s after the last one has died"),
    Key("commits:refused", "hash", "node -> commits of listeners whose lease was another's by then",
        "for ever; one field per node"),
    Key("node:{name}:dialled", "zset", "CallSid of calls that the node is about to have, by their creation (ms)",
        "5 s after the last one"),
    Key("node:{name}:detector", "hash", "the detector that listens to the node's calls: detector, calls",
        "15 s after its last sign of life"),
    Key("node:{name}:looks", "zset", "conferences whose coaching the listener looks at again, by when (s)",
        "member removed when it does, 1.5 to 2.5 s after a change; a minute after the last"),
    Key("processes", "zset", "host:pid of every process, by its last sign of life (ms)",
        "member removed when it stops, or a day after its death"),
    Key("process:{host:pid}", "hash",
        "what a process says of itself: kind, started_ms, seen_ms, metrics (Prometheus' text), trouble (JSON)",
        "when it stops; 5 s after its last sign of life"),
    Key("operators:audit", "list", "what operators did by the console (JSON), the newest first",
        "for ever; at most 1,000"),
    Key("playback:{CF}:lane", "hash", "what is played to a CallSid, or to all (`conference`): state (JSON), ended",
        "removed when there is nothing to play; a day after it was last written"),
    Key("playback:{CF}:lane:announcements", "list", "announcements that wait (JSON)",
        "emptied as they are played; at most 20"),
    Key("callbacks:dropped", "hash", "reason -> number of callbacks given up", "for ever; one field per reason"),
    Key("media:{media}:clip:ID", "string", "a WAV file that switches fetch by its random ID",
        "a day after it was last used, or sooner to make room"),
    Key("media:{media}:note:AC:HASH", "string", "what became of a fetch or a rendering of the account's (JSON)",
        "a day after it was written, or sooner to make room"),
    Key("media:{media}:ends", "zset", "clip:ID and note:AC:HASH by when they end (ms)",
        "member removed with what it names, by the next write after its end"),
    Key("media:{media}:account:AC", "zset", "the same of one account", "as above; empty zsets vanish"),
    Key("media:{media}:owners", "hash", "the same -> bytes and AccountSid", "as above"),
    Key("media:{media}:bytes", "hash", "AccountSid, or `all` -> bytes kept", "field removed when it is 0"),
    Key("media:{media}:dropped", "hash", "account or all -> number dropped to make room", "for ever; two fields"),
)  # fmt: skip

ACCOUNTS: Final = "accounts"
AUDIT: Final = "operators:audit"
PROCESSES: Final = "processes"
OPEN_CONFERENCES: Final = "conferences:open"
DROPPED: Final = "callbacks:dropped"
LISTENERS: Final = "listeners"
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


def node_lease(name: str) -> str:
    return f"node:{{{name}}}:lease"


def node_dialled(name: str) -> str:
    return f"node:{{{name}}}:dialled"


def node_detector(name: str) -> str:
    return f"node:{{{name}}}:detector"


def process(name: str) -> str:
    return f"process:{{{name}}}"


def media_clip(media_id: str) -> str:
    return f"{MEDIA}clip:{media_id}"


def media_note(account_sid: str, digest: str) -> str:
    return f"{MEDIA}note:{account_sid}:{digest}"


def media_account(account_sid: str) -> str:
    return f"{MEDIA}account:{account_sid}"


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
