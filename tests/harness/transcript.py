"""Plays a conversation with a switch over its event socket, and writes down what the switch says and does.

A transcript (tests/transcripts/*.txt) is its own script. Its lines:

    # …                 a comment; the first one says what the conversation shows
    > command           sent over the event socket; the reply follows, each line behind two blanks
    ~ seconds           nothing is sent for so long
      $A add-member     an event of channel A (`$room`: of the conference, `$job`: a BACKGROUND_JOB), in order for each
          Name: value   a header that it has and the event before it, of the same subject, had not, or had otherwise
          - Name        a header that it lacks
          …             under a line `% headers all`: of every header; else of those that are not the channel's

In commands and in what comes back `$A` to `$D` are channels, `$room` and `$other` conferences, `$member_A` is the id
of a member, `$phones` the far end's host, `$dir` a directory, `$host` the machine. What is otherwise in every run
is `<n>`, `<time>`, `<uuid>`.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.freeswitch import EslSocket, FreeSwitchError

Event = dict[str, Any]

REPLAY_DEADLINE_SECONDS = 6.0
"""How long a replay waits for what was recorded."""
QUIET_SECONDS = 1.2
"""A recording goes on when nothing has come for so long: speech that ends is noticed after 0.8 s."""
LATE_SECONDS = 0.05
OBSERVED_SECONDS = 600.0
"""No conversation goes on for so long without an event."""
EVENTS = (
    "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE "
    "CHANNEL_DESTROY CHANNEL_PARK BACKGROUND_JOB RECORD_START RECORD_STOP DTMF PLAYBACK_START PLAYBACK_STOP "
    "ADD_SCHEDULE DEL_SCHEDULE CUSTOM conference::maintenance"
)
LETTERS = "ABCD"
_STAMP = re.compile(r"Core-UUID|FreeSWITCH-.*|Event-(?!Name|Subclass).*|Job-UUID|Application-UUID|Content-Length")
_TOLD_VARIABLES = (
    "sip_term_|hangup_cause|sip_hangup_|proto_specific|sip_invite_failure|endpoint_disposition|record_completion"
)
_OF_THE_CHANNEL = re.compile(
    r"(Channel|Caller|Other(?!-Recordings))[-_].*|Call-Direction|Presence-Call-Direction|Unique-ID|Answer-State"
    rf"|variable_(?!{_TOLD_VARIABLES}).*"
)
_SINCE = re.compile(r".*(-Time|epoch|Last-Hold|Samples-Out|Milliseconds-Elapsed)")
"""0 is not yet, or nothing."""
_COUNTED = re.compile(
    r".*(_time|Runtime|Task-ID|usec|duration|msec|[a-z]sec|_ms|_samples|_seconds|_port|session_id|_ssrc|rtp_audio_.*|Accum"
    r"|Current-Energy|File-Size|last_talking|sip_cseq|samples|seconds)"
)
_WORDS_BEFORE_MEMBER = (
    "mute ",
    "deaf ",
    "hold ",
    "hup ",
    "kicked ",
    " to ",
    " member ",
    " id ",
    "IN ",
    "OUT ",
    "Member '",
)
_BEFORE_MEMBER = f"(?:{'|'.join(f'(?<={before})' for before in _WORDS_BEFORE_MEMBER)})"
"""A bare number in a reply is a member's id where it follows one of these, or begins a line of a list."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CHANCE = (
    (re.compile(r"\b1\d{9}(?:\d{6})?\b"), "<n>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "<time>"),
    (re.compile(r"(?<=127\.0\.0\.1:)\d+"), "<n>"),
    (re.compile(r"(?<=IN IP4 )[\d.]+"), "<address>"),
    (re.compile(r"(?<=m=audio )\d+"), "<n>"),
    (re.compile(r"(?<=rport=)\d+"), "<n>"),
    (re.compile(r"(?<=tag=)\w+"), "<n>"),
    (re.compile(r"(?<=branch=)\w+"), "<n>"),
)


@dataclass(slots=True)
class Step:
    """One line of the script, and what was written down under it."""

    line: str
    seen: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Conversation:
    """A transcript taken apart."""

    head: list[str]
    steps: list[Step]

    @classmethod
    def read(cls, text: str) -> Conversation:
        """Take a transcript apart."""
        head: list[str] = []
        steps: list[Step] = []
        for line in text.splitlines():
            if line.startswith((">", "~")):
                steps.append(Step(line))
            elif steps:
                steps[-1].seen.append(line)
            else:
                head.append(line)
        return cls(head, steps)

    @property
    def all_headers(self) -> bool:
        return "% headers all" in self.head

    def text(self) -> str:
        lines = [*self.head]
        for step in self.steps:
            lines += [step.line, *step.seen]
        return "\n".join(lines) + "\n"


class Player:
    """Plays one conversation on one switch."""

    def __init__(self, port: int, password: str, phones: str, directory: Path) -> None:
        self._commands = EslSocket(port, password)
        self._observer = EslSocket(port, password, OBSERVED_SECONDS)
        if not self._observer.command(f"event json {EVENTS}").startswith("+OK"):
            raise FreeSwitchError("cannot subscribe")
        self._names = {f"${letter}": str(uuid.uuid4()) for letter in LETTERS}
        self._names |= {"$room": f"room-{uuid.uuid4().hex}", "$other": f"other-{uuid.uuid4().hex}"}
        self._names |= {"$phones": phones, "$dir": str(directory)}
        self._names["$sounds"] = self._commands.command("api global_getvar sounds_dir")
        self._host = self._commands.command("api hostname")
        self._strangers: list[str] = []
        self._former: dict[str, dict[str, str]] = {}
        self._events: list[Event] = []
        self._arrived = threading.Condition()
        threading.Thread(target=self._observe, daemon=True).start()

    def close(self) -> None:
        """End every call of the conversation, and both connections."""
        self._observer.close()
        self._commands.command("api hupall")
        deadline = time.monotonic() + REPLAY_DEADLINE_SECONDS
        while not self._commands.command("api show channels count").strip().startswith("0"):
            if time.monotonic() > deadline:
                raise FreeSwitchError("calls that do not end")
            time.sleep(LATE_SECONDS)
        self._commands.close()

    def play(self, conversation: Conversation, *, record: bool) -> Conversation:
        """The same script with what this switch does. A recording waits for silence, a replay for what was recorded."""
        steps = []
        for step in conversation.steps:
            lines = [line for line in step.seen if line.startswith("#")]
            reply = self._say(step.line)
            events = self._await_quiet() if record else self._await(_labels(step.seen))
            steps.append(Step(step.line, [*reply, *self._written(events, conversation.all_headers), *lines]))
        return Conversation(conversation.head, steps)

    def _say(self, line: str) -> list[str]:
        kind, _, text = line.partition(" ")
        if kind == "~":
            time.sleep(float(text))
            return []
        for name in sorted(self._names, key=len, reverse=True):
            text = text.replace(name, self._names[name])
        reply = self._commands.command(text).rstrip("\n")
        if reply.startswith(("[{", "{")):
            reply = json.dumps(self._normal_json("", json.loads(reply)), indent=2, ensure_ascii=False)
        else:
            reply = "\n".join(self._normal("", line) for line in reply.split("\n"))
        return [f"  {line}".rstrip() for line in reply.split("\n")]

    def _normal_json(self, name: str, value: Any) -> Any:
        match value:
            case dict():
                return {key: self._normal_json(key, inner) for key, inner in sorted(value.items())}
            case list():
                return [self._normal_json(name, inner) for inner in value]
            case bool():
                return value
            case _:
                return self._normal(name, str(value))

    # --- events ------------------------------------------------------------------------------------------------------

    def _observe(self) -> None:
        try:
            while True:
                _, body = self._observer.read()
                with self._arrived:
                    self._events.append(json.loads(body))
                    self._arrived.notify()
        except (OSError, ValueError, FreeSwitchError):
            return

    def _await_quiet(self) -> list[Event]:
        with self._arrived:
            while self._arrived.wait(QUIET_SECONDS):
                pass
            return self._taken()

    def _await(self, expected: Counter[str]) -> list[Event]:
        deadline = time.monotonic() + REPLAY_DEADLINE_SECONDS
        with self._arrived:
            while expected - Counter(f"{self._subject(event)} {_label(event)}" for event in self._events):
                if not self._arrived.wait(deadline - time.monotonic()):
                    break
            self._arrived.wait(LATE_SECONDS)
            return self._taken()

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _subject(self, event: Event) -> str:
        if event["Event-Name"] == "BACKGROUND_JOB":
            return "$job"
        if event["Event-Name"].endswith("SCHEDULE"):
            return "$task"
        found = event.get("Unique-ID") or event.get("Conference-Name", "?")
        for name, value in self._names.items():
            if value == found:
                return name
        if found not in self._strangers:
            self._strangers.append(found)
        return f"<{self._strangers.index(found) + 1}>"

    def _written(self, events: list[Event], all_headers: bool) -> list[str]:
        """The events of a step, those of one subject after those of another: the order among subjects is chance."""
        lines: list[str] = []
        by_subject: dict[str, list[Event]] = {}
        for event in events:
            by_subject.setdefault(self._subject(event), []).append(event)
            if "Member-ID" in event and f"$member_{self._subject(event)[1:]}" not in self._names:
                self._names[f"$member_{self._subject(event)[1:]}"] = event["Member-ID"]
        for subject in sorted(by_subject):
            for event in by_subject[subject]:
                lines.append(f"  {subject} {_label(event)}")
                lines += self._headers(subject, event, all_headers)
        return lines

    def _headers(self, subject: str, event: Event, all_headers: bool) -> list[str]:
        """What is otherwise than in the event before, of the same subject and kind."""
        headers = {
            name: self._normal(name, str(value))
            for name, value in event.items()
            if not _STAMP.fullmatch(name) and (all_headers or not _OF_THE_CHANNEL.fullmatch(name))
        }
        kind = f"{subject} {event['Event-Name']}" if event["Event-Name"] == "CUSTOM" else subject
        former = self._former.get(kind, {})
        self._former[kind] = headers
        changed = [f"      {name}: {headers[name]}" for name in sorted(headers) if headers[name] != former.get(name)]
        gone = [f"      - {name}" for name in sorted(former) if name not in headers]
        return [line.rstrip() for line in changed + gone if not line.startswith("      Event-Name:")]

    def _normal(self, name: str, value: str) -> str:
        """Without what differs from run to run."""
        for known in sorted(self._names, key=lambda known: len(self._names[known]), reverse=True):
            if known.startswith("$member"):
                number = self._names[known]
                if name == "":
                    value = re.sub(rf"{_BEFORE_MEMBER}{number}\b|^{number}(?=;)", known, value)
                elif value == number and (name == "id" or "member_id" in name or name.endswith("-ID")):
                    value = known
            else:
                value = value.replace(self._names[known], known)
        value = re.sub(rf"(?<=,){re.escape(self._host)}(?=,)|^{re.escape(self._host)}$", "$host", value)
        value = _UUID.sub("<uuid>", value)
        is_number = re.fullmatch(r"-?[\d.]+", value) is not None
        if is_number and (_COUNTED.fullmatch(name) or (_SINCE.fullmatch(name) and value != "0")):
            return "<n>"
        if name.endswith("_tag"):
            return "<n>"
        for pattern, replacement in _CHANCE:
            value = pattern.sub(replacement, value)
        return value.replace("\r\n", "\\r\\n").replace("\n", "\\n")


def _label(event: Event) -> str:
    return str(event.get("Action") or event["Event-Name"])


def _labels(seen: list[str]) -> Counter[str]:
    """The events that were written down, as `subject label`."""
    return Counter(line.strip() for line in seen if re.match(r"  (\$\w+|<\d+>) \S+$", line))
