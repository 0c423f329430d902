"""What a dialect is: one value that says how requests are read and how everything that goes out is said.

A dialect is a folder, and a row of DIALECTS. `Dialects` finds the one that a request is in, by its path alone, and the
one in which a callback's or a document's URL was given, by the name that was kept with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

from orchestrator.callbacks.plan import Callback
from orchestrator.callbacks.recordings import RecordingCallback
from orchestrator.domain.commands import CreateParticipant, UpdateParticipant
from orchestrator.domain.conference import Conference, Participant, RecordingSettings
from orchestrator.domain.recording import (
    Recording,
)
from orchestrator.errors import ApiError
from orchestrator.recordings.service import UpdateRecording
from orchestrator.store.accounts import Account, token_id

Item = TypeVar("Item")
Parameters = Sequence[tuple[str, str]]
Representation = Literal["json", "xml"]
Operation = Literal[
    "fetch_account",
    "list_conferences",
    "fetch_conference",
    "update_conference",
    "list_participants",
    "create_participant",
    "fetch_participant",
    "update_participant",
    "remove_participant",
    "list_calls",
    "fetch_call",
    "update_call",
    "list_recordings",
    "fetch_recording",
    "delete_recording",
    "list_call_recordings",
    "start_call_recording",
    "fetch_call_recording",
    "update_call_recording",
    "delete_call_recording",
    "list_conference_recordings",
    "start_conference_recording",
    "fetch_conference_recording",
    "update_conference_recording",
    "delete_conference_recording",
]

EVERY_OPERATION: Final[frozenset[Operation]] = frozenset(Operation.__args__)  # type: ignore[attr-defined]

SIGNED_WITH: Final = "X-Orchestrator-Signed-With"

SUFFIXES: Final = ("", ".json", ".xml", ".csv")
"""What may stand behind a path; which of them it offers is up to the dialect."""

_ACCOUNT: Final = re.compile(r"/Accounts/([^/]*)(?:/|$)")


class Form(Protocol):
    """A request's parameters: werkzeug's MultiDict."""

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        ...

    def getlist(self, key: str) -> list[str]:
        """Return all values of a parameter, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets. `mimetype` '' goes with an empty body."""

    body: bytes
    mimetype: str
    status: int = 200
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ConferenceUpdate:
    """An update request of a conference; `announce_url` None: no announcement."""

    ends: bool
    announce_url: str | None
    announce_method: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Rows of a list, and links to it and to other pages: paths with their queries. `total` None: not counted."""

    rows: Sequence[Item]
    number: int
    size: int
    start: int
    end: int
    uri: str
    first_uri: str
    next_uri: str | None
    previous_uri: str | None
    last_uri: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request's verb and path say: the dialect, the account, and how the answer is to be represented.

    `account_sid` is what the dialect reads in the path, the text itself if that is no SID. `representation` None: the
    path asks for one that the dialect does not offer.
    """

    method: str
    dialect: Dialect
    prefix: str
    account_sid: str
    suffix: str
    representation: Representation | None

    def unsuffixed(self, segment: str) -> str:
        """Return the path's last segment without its one suffix."""
        return segment.removesuffix(self.suffix)

    def uri(self, account_sid: str, *segments: str) -> str:
        """Return the path of one of the account's resources, as this dialect says it in answers."""
        write = self.dialect.write_sid
        parts = (self.dialect.link_prefix or self.prefix, "Accounts", write(account_sid), *map(write, segments))
        return "/".join(parts) + self.dialect.link_suffix(self)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one API speaks. `name` is kept with what was given in it, so it never changes.

    Several dialects may share a prefix: `owns` says by the account whether a path is this one's, `representations`
    which suffixes it offers; None refuses one by name. `link_prefix` '' repeats the request's own. `read_sid` takes the
    kind (AC, CF, CA) and a text, and leaves a text that is no SID as it is; `write_sid` leaves alone what is none.
    """

    name: str
    prefixes: tuple[str, ...]
    representations: Mapping[str, Representation | Literal["accept"] | None]
    owns: Callable[[str, str], bool]
    operations: frozenset[Operation]
    link_prefix: str
    link_suffix: Callable[[Asked], str]
    read_sid: Callable[[str, str], str]
    write_sid: Callable[[str], str]
    parse_create: Callable[[Form], CreateParticipant]
    parse_update: Callable[[Form], UpdateParticipant]
    parse_conference_update: Callable[[Form], ConferenceUpdate]
    render_account: Callable[[Asked, Account], Answer]
    render_conference: Callable[[Asked, Conference], Answer]
    render_conferences: Callable[[Asked, Page[Conference]], Answer]
    render_participant: Callable[[Asked, Participant, int | None], Answer]
    render_participants: Callable[[Asked, Page[Participant]], Answer]
    render_call: Callable[[Asked, Participant], Answer]
    render_calls: Callable[[Asked, Page[Participant]], Answer]
    render_error: Callable[[Asked, ApiError], Answer]
    serialize_callback: Callable[[Callback], Parameters]
    serialize_fetch: Callable[[Conference, Participant | None], Parameters]
    parse_recording_start: Callable[[Form], RecordingSettings]
    parse_recording_update: Callable[[Form], UpdateRecording]
    render_recording: Callable[[Asked, Recording, str, str], Answer]
    """(request, recording, the path's word for whose it is, base of absolute URLs)"""
    render_recordings: Callable[[Asked, Page[Recording], str, str], Answer]
    serialize_recording_callback: Callable[[RecordingCallback, str], Parameters]
    """(callback, where the sound is)"""
    sign: Callable[[str, str, Parameters], Mapping[str, str]]
    """(AuthToken, URL, POST parameters) -> the headers by which a receiver knows that the request is ours."""

    def recording_url(self, base: str, recording: Recording) -> str:
        """Return the absolute URL of a recording's sound, without an end."""
        accounts = f"{base}{self.prefixes[0]}/Accounts/{self.write_sid(recording.account_sid)}"
        return f"{accounts}/Recordings/{self.write_sid(recording.recording_sid)}"


class Dialects:
    """The dialects that are spoken here, in the order in which they are asked whether a path is theirs."""

    def __init__(self, *dialects: Dialect, default: Dialect) -> None:
        self._dialects = dialects
        self._default = default
        self._by_name = {dialect.name: dialect for dialect in dialects}
        self._by_prefix = [(f"{prefix}/", prefix, dialect) for dialect in dialects for prefix in dialect.prefixes]

    def __iter__(self) -> Any:
        return iter(self._dialects)

    @property
    def prefixes(self) -> list[str]:
        """Return every prefix, once."""
        return list(dict.fromkeys(prefix for dialect in self._dialects for prefix in dialect.prefixes))

    def named(self, name: str) -> Dialect:
        """Return the dialect of that name; the default for one that is not spoken here any more."""
        return self._by_name.get(name, self._default)

    def asked(self, method: str, path: str, accept: str) -> Asked:
        """Read what a path asks for, and in which dialect. A path of no dialect is answered in the default one's
        words."""
        match = _ACCOUNT.search(path)
        account = match[1] if match else ""
        for beginning, prefix, dialect in self._by_prefix:
            if path.startswith(beginning):
                suffix = _suffix(dialect, path)
                if suffix in dialect.representations and dialect.owns(prefix, account):
                    return _asked(method, dialect, prefix, account, suffix, accept)
        return _asked(method, self._default, "", account, "", accept)

    def serialize_callback(self, callback: Callback) -> Parameters:
        """Serialize a callback's parameters, in the dialect in which its URL was given."""
        return self.named(callback.settings.dialect).serialize_callback(callback)

    def serialize_recording_callback(self, callback: RecordingCallback, base: str) -> Parameters:
        """Serialize a recording callback's parameters, in the dialect in which its URL was given; `base`: of absolute
        URLs."""
        dialect = self.named(callback.settings.dialect)
        return dialect.serialize_recording_callback(callback, dialect.recording_url(base, callback.recording))

    def serialize_fetch(self, name: str, conference: Conference, participant: Participant | None) -> Parameters:
        """Serialize the parameters of a request for a document, in the dialect in which its URL was given."""
        return self.named(name).serialize_fetch(conference, participant)

    def sign(self, name: str, auth_token: str, url: str, parameters: Parameters) -> Mapping[str, str]:
        """Return the headers that sign a request to a URL that was given in this dialect, and say with which token:
        while tokens are rotated there are two."""
        return {**self.named(name).sign(auth_token, url, parameters), SIGNED_WITH: token_id(auth_token)}


def _suffix(dialect: Dialect, path: str) -> str:
    for suffix in dialect.representations:
        if suffix and path.endswith(suffix):
            return suffix
    return ""


def _asked(method: str, dialect: Dialect, prefix: str, account: str, suffix: str, accept: str) -> Asked:
    wanted = dialect.representations.get(suffix, "json")
    if wanted == "accept":
        wanted = "json" if "json" in accept.lower() else "xml"
    sid = dialect.read_sid("AC", account.removesuffix(suffix) if suffix else account)
    return Asked(method, dialect, prefix, sid, suffix, wanted)
