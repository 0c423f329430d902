"""Events as FreeSWITCH makes and serialises them (src/switch_event.c)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import orjson

from orchestrator.sandbox.switch_strings import url_encode

CONFERENCE_MAINTENANCE = "conference::maintenance"
CUSTOM = "CUSTOM"

# EVENT_NAMES of switch_event.c; `event` and `nixevent` ignore words that are not among them.
# fmt: off
EVENT_NAMES = frozenset({
    "CUSTOM", "CLONE", "CHANNEL_CREATE", "CHANNEL_DESTROY", "CHANNEL_STATE", "CHANNEL_CALLSTATE",
    "CHANNEL_ANSWER", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
    "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_OUTGOING", "CHANNEL_PARK", "CHANNEL_UNPARK",
    "CHANNEL_APPLICATION", "CHANNEL_ORIGINATE", "CHANNEL_UUID", "API", "LOG", "INBOUND_CHAN",
    "OUTBOUND_CHAN", "STARTUP", "SHUTDOWN", "PUBLISH", "UNPUBLISH", "TALK", "NOTALK", "SESSION_CRASH",
    "MODULE_LOAD", "MODULE_UNLOAD", "DTMF", "MESSAGE", "PRESENCE_IN", "NOTIFY_IN", "PRESENCE_OUT",
    "PRESENCE_PROBE", "MESSAGE_WAITING", "MESSAGE_QUERY", "ROSTER", "CODEC", "BACKGROUND_JOB",
    "DETECTED_SPEECH", "DETECTED_TONE", "PRIVATE_COMMAND", "HEARTBEAT", "TRAP", "ADD_SCHEDULE",
    "DEL_SCHEDULE", "EXE_SCHEDULE", "RE_SCHEDULE", "RELOADXML", "NOTIFY", "PHONE_FEATURE",
    "PHONE_FEATURE_SUBSCRIBE", "SEND_MESSAGE", "RECV_MESSAGE", "REQUEST_PARAMS", "CHANNEL_DATA",
    "GENERAL", "COMMAND", "SESSION_HEARTBEAT", "CLIENT_DISCONNECTED", "SERVER_DISCONNECTED", "SEND_INFO",
    "RECV_INFO", "RECV_RTCP_MESSAGE", "SEND_RTCP_MESSAGE", "CALL_SECURE", "NAT", "RECORD_START",
    "RECORD_STOP", "PLAYBACK_START", "PLAYBACK_STOP", "CALL_UPDATE", "FAILURE", "SOCKET_DATA",
    "MEDIA_BUG_START", "MEDIA_BUG_STOP", "CONFERENCE_DATA_QUERY", "CONFERENCE_DATA", "CALL_SETUP_REQ",
    "CALL_SETUP_RESULT", "CALL_DETAIL", "DEVICE_STATE", "TEXT", "SHUTDOWN_REQUESTED", "ALL",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its headers in order, and a body for the few that have one."""

    headers: dict[str, str]
    body: str | None = None

    @property
    def name(self) -> str:
        """Return the event's name: `CHANNEL_ANSWER`, `CUSTOM`, …."""
        return self.headers["Event-Name"]

    @property
    def subclass(self) -> str | None:
        """Return what kind of CUSTOM event it is."""
        return self.headers.get("Event-Subclass")

    def plain(self) -> str:
        """switch_event_serialize: each value URL-encoded, an empty one spelt `_undef_`, the body as it is."""
        lines = [f"{name}: {url_encode(value) or '_undef_'}\n" for name, value in self.headers.items()]
        if not self.body:
            return "".join(lines) + "\n"
        return "".join(lines) + f"Content-Length: {len(self.body.encode())}\n\n{self.body}"

    def json(self) -> str:
        """switch_event_serialize_json: values as they are, the body as `_body`, printed without blanks."""
        headers = dict(self.headers)
        if self.body is not None:
            headers |= {"Content-Length": str(len(self.body.encode())), "_body": self.body}
        try:
            return orjson.dumps(headers).decode()
        except TypeError:  # bytes that are no UTF-8, as a client may send them
            return json.dumps(headers, ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class EventStamp:
    """The headers every event of one FreeSWITCH run starts with (switch_event_prep_for_delivery)."""

    core_uuid: str
    hostname: str = "sandbox"
    sequence: int = field(default=0)

    def headers(self, name: str, subclass: str | None = None) -> dict[str, str]:
        """The next sequence number and the time, with the name."""
        self.sequence += 1
        now = time.time()
        stamped = {"Event-Subclass": subclass} if subclass else {}
        return stamped | {
            "Event-Name": name,
            "Core-UUID": self.core_uuid,
            "FreeSWITCH-Hostname": self.hostname,
            "FreeSWITCH-Switchname": self.hostname,
            "FreeSWITCH-IPv4": "127.0.0.1",
            "FreeSWITCH-IPv6": "::1",
            "Event-Date-Local": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)),
            "Event-Date-GMT": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)),
            "Event-Date-Timestamp": str(int(now * 1_000_000)),
            "Event-Sequence": str(self.sequence),
        }
