"""What holds in every dialect: a new one is tested by being registered. `shout`, of the tests' own, shows it.

Answers are read without knowing the dialect: JSON or XML, names without case and underscores.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import orjson
import pytest
from werkzeug.test import TestResponse

import orchestrator
from orchestrator.callbacks.plan import PLAN, Callback
from orchestrator.dialects.base import EVERY_OPERATION, SUFFIXES, Dialect, Dialects
from orchestrator.dialects.registry import DIALECTS
from orchestrator.domain.conference import Participant, ParticipantStatus, RecordingSettings
from orchestrator.domain.hearing import background_of
from orchestrator.media.program import Program as SoundProgram
from orchestrator.media.program import Source
from orchestrator.playback.state import Track
from orchestrator.recordings.beginning import of_call
from orchestrator.sids import mint_sid
from orchestrator.store import keys
from orchestrator.store.lanes import Lane
from orchestrator.store.playback import PlaybackStore
from orchestrator.store.recordings import RecordingStore
from tests.unit.api.test_app import GOOD, TOKEN, Api, basic, make_api, present, stop
from tests.unit.dialects import shout
from tests.unit.dialects.twilio.test_callbacks import EXACT, callback
from tests.unit.examples import AC, CA, CF, a_conference, a_participant
from tests.unit.records import ACCOUNT, OTHER_ACCOUNT, create

ALL = Dialects(*DIALECTS, shout.DIALECT, default=DIALECTS.named("twilio"))
FOLDER = Path(orchestrator.__file__).parent / "dialects"


class Way(NamedTuple):
    """A dialect, under one of its prefixes, with one of its suffixes."""

    dialect: Dialect
    prefix: str
    suffix: str

    def path(self, *segments: str, account: str = ACCOUNT) -> str:
        write = self.dialect.write_sid
        return "/".join((self.prefix, "Accounts", write(account), *map(write, segments))) + self.suffix


WAYS = [
    Way(dialect, prefix, suffix)
    for dialect in ALL
    for prefix in dialect.prefixes
    for suffix, representation in dialect.representations.items()
    if representation is not None
]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.dialect.name} {way.prefix}{way.suffix}")
every_dialect = pytest.mark.parametrize("dialect", list(ALL), ids=lambda dialect: dialect.name)

REQUESTS = {
    "fetch_account": ("GET", ""),
    "list_conferences": ("GET", "Conferences"),
    "fetch_conference": ("GET", "Conferences/CF"),
    "update_conference": ("POST", "Conferences/CF"),
    "list_participants": ("GET", "Conferences/CF/Participants"),
    "create_participant": ("POST", "Conferences/CF/Participants"),
    "fetch_participant": ("GET", "Conferences/CF/Participants/CA"),
    "update_participant": ("POST", "Conferences/CF/Participants/CA"),
    "remove_participant": ("DELETE", "Conferences/CF/Participants/CA"),
    "list_calls": ("GET", "Calls"),
    "fetch_call": ("GET", "Calls/CA"),
    "update_call": ("POST", "Calls/CA"),
    "list_recordings": ("GET", "Recordings"),
    "fetch_recording": ("GET", "Recordings/RE"),
    "delete_recording": ("DELETE", "Recordings/RE"),
    "list_call_recordings": ("GET", "Calls/CA/Recordings"),
    "start_call_recording": ("POST", "Calls/CA/Recordings"),
    "fetch_call_recording": ("GET", "Calls/CA/Recordings/RE"),
    "update_call_recording": ("POST", "Calls/CA/Recordings/RE"),
    "delete_call_recording": ("DELETE", "Calls/CA/Recordings/RE"),
    "list_conference_recordings": ("GET", "Conferences/CF/Recordings"),
    "start_conference_recording": ("POST", "Conferences/CF/Recordings"),
    "fetch_conference_recording": ("GET", "Conferences/CF/Recordings/RE"),
    "update_conference_recording": ("POST", "Conferences/CF/Recordings/RE"),
    "delete_conference_recording": ("DELETE", "Conferences/CF/Recordings/RE"),
}


@pytest.fixture
def api(redis_url: str) -> Iterator[Api]:
    made = make_api(redis_url, dialects=ALL)
    yield made
    stop(made)


@pytest.fixture
def one(api: Api) -> Participant:
    made = create(api.store, label="host")
    api.redis.hset(keys.participant(made.conference_sid, made.call_sid), mapping=present(made))
    return made


def ask(api: Api, way: Way, method: str, *segments: str, **options: Any) -> TestResponse:
    options.setdefault("headers", basic(way.dialect.write_sid(ACCOUNT), TOKEN))
    return api.web.open(way.path(*segments), method=method, **options)


def read(response: TestResponse) -> list[tuple[str, str]]:
    """Every name and value of an answer, however it is said."""
    body = response.get_data()
    if (response.mimetype or "").endswith("xml"):
        root = ElementTree.fromstring(body)  # noqa: S314 -- our own answer
        return [pair for node in root.iter() for pair in _of_node(node)]
    return list(_of_json(orjson.loads(body)))


def _of_node(node: ElementTree.Element) -> Iterator[tuple[str, str]]:
    yield _plain(node.tag), node.text or ""
    yield from ((_plain(name), value) for name, value in node.attrib.items())


def _of_json(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _of_json(inner, _plain(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _of_json(inner, name)
    else:
        yield name, str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


# ------------------------------------------------------------ the way in


@every_way
def test_a_path_is_read_by_its_own_dialect(way: Way) -> None:
    """None stands in another one's way."""
    for segments in ((), ("Conferences",), ("Conferences", CF), ("Conferences", CF, "Participants", CA)):
        asked = ALL.asked("GET", way.path(*segments), "")

        assert (asked.dialect.name, asked.prefix) == (way.dialect.name, way.prefix)
        assert (asked.suffix, asked.account_sid) == (way.suffix, ACCOUNT)


@every_way
def test_wrong_credentials_are_told_nothing(api: Api, way: Way) -> None:
    """401, and how to authenticate; also the right ones of another account."""
    for headers in ({}, basic(way.dialect.write_sid(ACCOUNT), "wrong"), basic(way.dialect.write_sid(OTHER_ACCOUNT))):
        response = ask(api, way, "GET", "Conferences", headers=headers)

        assert response.status_code == 401
        assert "Basic" in response.headers["WWW-Authenticate"]


@every_way
def test_what_is_not_there_is_refused(api: Api, way: Way) -> None:
    """An unknown conference and an unknown path, in the dialect's own words, and never as a crash."""
    assert ask(api, way, "GET", "Conferences", mint_sid("CF")).status_code == 404
    assert ask(api, way, "GET", "Nothing").status_code == 404
    assert ask(api, way, "PUT", "Conferences").status_code == 405


@every_way
def test_what_a_dialect_does_not_offer_is_not_done(api: Api, way: Way, one: Participant) -> None:
    """405, whoever asks; what it offers is found. The path of a recording without an end is its sound, unless one asks
    for words."""
    recording = of_call(one, RecordingSettings())
    RecordingStore(api.redis).create(recording)
    in_words = {**basic(way.dialect.write_sid(ACCOUNT), TOKEN), "Accept": "application/xml, application/json"}
    for operation in EVERY_OPERATION:
        method, path = REQUESTS[operation]
        path = path.replace("CF", one.conference_sid).replace("CA", one.call_sid).replace("RE", recording.recording_sid)
        segments = path.split("/") if path else []
        if operation not in way.dialect.operations:
            data = {**GOOD, "Status": "completed", "Muted": "true", "Mute": "true"}
            assert ask(api, way, method, *segments, data=data).status_code == 405
        elif method == "GET":
            response = ask(api, way, method, *segments, headers=in_words)
            assert response.status_code == 200
            assert way.dialect.write_sid(ACCOUNT) in response.text
    assert api.heard == []


# ------------------------------------------------------------ one world


@every_way
def test_what_was_made_elsewhere_is_seen_in_each_one_s_words(api: Api, way: Way, one: Participant) -> None:
    """SIDs as the dialect writes them, and no other ones; by SID and by label."""
    sid, write = one.conference_sid, way.dialect.write_sid
    for segments in (("Conferences", sid, "Participants", one.call_sid), ("Conferences", sid, "Participants", "host")):
        response = ask(api, way, "GET", *segments)
        found = dict(read(response))

        assert found["conferencesid"] == write(sid)
        assert found["accountsid"] == write(ACCOUNT)
        assert {found.get("callsid"), found.get("sid")} & {write(one.call_sid)}
        assert found["muted"] == "false"
        if write(sid) != sid:
            assert not any(secret in response.text for secret in (sid, one.call_sid, ACCOUNT))
    conference = dict(read(ask(api, way, "GET", "Conferences", sid)))
    assert (conference["sid"], conference["friendlyname"]) == (write(sid), "weekly")


@every_way
def test_a_mute_in_one_is_seen_in_all(api: Api, way: Way, one: Participant) -> None:
    """Under whichever name it goes."""
    path = ("Conferences", one.conference_sid, "Participants", one.call_sid)
    answer = ask(api, way, "POST", *path, data={"Muted": "true", "Mute": "true"})

    assert dict(read(answer))["muted"] == "true"
    assert all(dict(read(ask(api, other, "GET", *path)))["muted"] == "true" for other in WAYS)


@every_way
@pytest.mark.parametrize("what", ["participants", "conferences"])
def test_pages_lead_to_every_row_once(api: Api, way: Way, what: str) -> None:
    """By each page's own link to the next; and every link of a resource leads to it."""
    if what == "participants":
        made = [create(api.store) for _ in range(7)]
        segments = ["Conferences", made[0].conference_sid, "Participants"]
        sids = {way.dialect.write_sid(row.call_sid) for row in made}
    else:
        made = [create(api.store, name=f"room {number}") for number in range(7)]
        segments = ["Conferences"]
        sids = {way.dialect.write_sid(row.conference_sid) for row in made}
    path, pages, found = f"{way.path(*segments)}?PageSize=3", 0, []
    while path not in ("", "null"):
        response = api.web.get(path, headers=basic(way.dialect.write_sid(ACCOUNT), TOKEN))
        assert response.status_code == 200
        pairs = read(response)
        names = ("callsid",) if what == "participants" and "callsid" in dict(pairs) else ("sid",)
        found += [value for name, value in pairs if name in names]
        links = [value for name, value in pairs if name == "uri" and "?" not in value and value]
        assert len(links) >= len(found) - 3 * pages
        for link in links:
            assert api.web.get(_followed(way, link), headers=basic(way.dialect.write_sid(ACCOUNT))).status_code == 200
        path, pages = _followed(way, dict(pairs).get("nextpageuri", "")), pages + 1

    assert (pages, len(found), set(found)) == (3, 7, sids)


def _followed(way: Way, link: str) -> str:
    """A link as a client follows it: behind the part of the prefix that the dialect leaves to the client."""
    if not link.startswith("/"):
        return link
    return way.prefix.removesuffix(way.dialect.link_prefix or way.prefix) + link


@every_way
def test_any_name_and_label_is_well_formed(api: Api, way: Way) -> None:
    """A client's reader reads every answer that we give, whatever others have called their conference."""
    names = ["<a&b>'\"", "\0\x07\x1b[31m", "ü 🎧", "null", "]]>"]
    made = [create(api.store, name=name, label=name) for name in names]
    listed = [value for key, value in read(ask(api, way, "GET", "Conferences")) if key == "friendlyname"]

    assert {_spoken(name) for name in listed} == {_spoken(name) for name in names}
    for one in made:
        assert read(ask(api, way, "GET", "Conferences", one.conference_sid, "Participants"))


def _spoken(text: str) -> str:
    """Without what XML has no way to carry."""
    return re.sub("[\0\x07\x1b\ufffd]", "", text)


# ------------------------------------------------------------ the way out


@every_dialect
def test_every_planned_callback_has_its_parameters(dialect: Dialect) -> None:
    """With SIDs as the dialect writes them."""
    tried = set()
    for event, _ in EXACT:
        made = callback(event)
        values = [value for _, value in dialect.serialize_callback(made)]
        tried.add(made.kind)

        assert values
        assert all(isinstance(value, str) for value in values)
        assert dialect.write_sid(AC) in values
        if dialect.write_sid(AC) != AC:
            assert not {AC, CF, CA} & set(values)
    assert tried == {row.kind for row in PLAN.values()}


@every_dialect
def test_a_request_for_a_document_says_for_whom_it_is(dialect: Dialect) -> None:
    """In the same words."""
    for_all = {value for _, value in dialect.serialize_fetch(a_conference(), None)}
    for_one = {value for _, value in dialect.serialize_fetch(a_conference(), a_participant())}

    assert {dialect.write_sid(AC), dialect.write_sid(CF)} <= for_all
    assert dialect.write_sid(CA) in for_one - for_all


@every_dialect
def test_a_request_is_signed_with_the_token_over_what_is_sent(dialect: Dialect) -> None:
    """Another token, URL or parameter is another signature; the same is the same."""
    signed = [
        tuple(dialect.sign(token, url, parameters).items())
        for token, url, parameters in (
            ("a", "http://x/", [("A", "b")]),
            ("b", "http://x/", [("A", "b")]),
            ("a", "http://y/", [("A", "b")]),
            ("a", "http://x/", [("A", "c")]),
        )
    ]

    assert len(set(signed)) == 4
    assert all(signed)
    assert tuple(dialect.sign("a", "http://x/", [("A", "b")]).items()) == signed[0]


@every_way
def test_a_callback_is_said_in_the_dialect_in_which_its_url_was_given(api: Api, way: Way) -> None:
    """And signed in it; other dialects' callbacks of the same conference in theirs."""
    if "create_participant" not in way.dialect.operations:
        pytest.skip("nobody can be added in it, so no URL can be given")
    data = {**GOOD, "StatusCallback": "http://127.0.0.1:9/x", "ConferenceStatusCallback": "http://127.0.0.1:9/y"}
    created = dict(read(ask(api, way, "POST", "Conferences", "told", "Participants", data=data)))
    sid = way.dialect.read_sid("CF", created["conferencesid"])
    call_sid = way.dialect.read_sid("CA", created["callsid"])
    made = api.store.load_participant(ACCOUNT, sid, call_sid)

    for settings in (made.progress_callbacks, made.conference_callbacks):
        assert settings is not None
        assert settings.dialect == way.dialect.name
        event = callback(EXACT[0][0])
        told = Callback("x", event.kind, settings, 1, event.event, event.conference, event.subject)
        assert ALL.serialize_callback(told) == way.dialect.serialize_callback(told)
        assert ALL.sign(settings.dialect, "t", "u", []).items() >= way.dialect.sign("t", "u", []).items()


@every_way
def test_a_document_is_asked_for_in_the_dialect_in_which_its_url_was_given(
    api: Api, way: Way, one: Participant
) -> None:
    """That of holding, that of waiting and that of an announcement, each on its own."""
    sid, url = one.conference_sid, "http://127.0.0.1:9/sound"
    path = ("Conferences", sid, "Participants", one.call_sid)
    held = dict(read(ask(api, way, "POST", *path, data={"Hold": "true", "HoldUrl": url, "WaitUrl": url})))
    if held["hold"] != "true":
        pytest.skip("no URL can be given in it")
    ask(api, way, "POST", *path, data={"AnnounceUrl": url})
    api.redis.hset(keys.conference(sid), "status", "in-progress")
    ask(api, way, "POST", "Conferences", sid, data={"AnnounceUrl": url})
    asked_for = api.store.load_participant(ACCOUNT, sid, one.call_sid)
    waiting = [PlaybackStore(api.redis).load(Lane(sid, name)).next for name in (one.call_sid, "conference")]

    assert (asked_for.hold_dialect, asked_for.wait_dialect) == (way.dialect.name, way.dialect.name)
    assert [one and one.dialect for one in waiting] == [way.dialect.name, way.dialect.name]


@every_dialect
def test_a_document_s_dialect_is_kept_on_its_way_to_the_request(dialect: Dialect) -> None:
    """From what is to be heard to what is asked for, and to the next document that it leads to."""
    waiting = a_participant(status=ParticipantStatus.CONNECTED, wait_url="http://x/", wait_dialect=dialect.name)
    sound = background_of(a_conference(), waiting)
    assert sound is not None
    track = Track.of(sound.url, sound.method, sound.hold_number, sound.dialect)
    source = track.source((), AC)
    following = track.loaded(SoundProgram(then=Source("http://y/", "GET", (), AC, source.dialect))).next_document(0)

    assert (sound.dialect, source.dialect, following.source((), AC).dialect) == (dialect.name,) * 3


# ------------------------------------------------------------ the house


def test_names_and_prefixes_are_told_apart() -> None:
    """Two of one name would speak for each other; a suffix that routes do not know would never be found."""
    names = [dialect.name for dialect in ALL]

    assert len(set(names)) == len(names) >= 5
    assert all(set(dialect.representations) <= set(SUFFIXES) for dialect in ALL)


def test_every_folder_is_registered_and_has_the_same_file_names() -> None:
    """Whoever knows one finds everything in the others."""
    folders = [path.parent for path in FOLDER.glob("*/__init__.py") if path.parent.name != "own"]
    known = {path.name for path in (FOLDER / "twilio").glob("*.py")}

    assert {folder.name.replace("_", "-") for folder in folders} == {dialect.name for dialect in DIALECTS}
    for folder in folders:
        assert {path.name for path in folder.glob("*.py")} <= known
