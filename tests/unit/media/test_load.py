"""A document's address becomes clips in the store, in the document's order."""

from __future__ import annotations

import io
import wave
from ipaddress import ip_address
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator

from orchestrator.media.errors import MediaError
from orchestrator.media.load import MAX_SILENT_DOCUMENTS
from orchestrator.media.program import Clip, Source
from orchestrator.outgoing.networks import Address, parse_networks
from orchestrator.outgoing.pool import OutgoingPool
from orchestrator.twiml.verbs import Play, Unplayable
from tests.unit.callbacks.web import TOKEN, Answer, Asked, Web
from tests.unit.media.conftest import ONE, PARAMETERS, TWO, Played, Stage, make_stage
from tests.unit.media.test_decode import MP3, a_wav
from tests.unit.outbox import loopback_pool

AUDIO = Answer(headers={"Content-Type": "audio/mpeg"}, body=MP3)


def twiml(inside: str, **headers: str) -> Answer:
    return Answer(
        headers={"Content-Type": "text/xml; charset=utf-8", **headers}, body=f"<Response>{inside}</Response>".encode()
    )


def serve(web: Web, **pages: Answer) -> None:
    """A page for each path; the others are audio."""
    web.answer = lambda asked: pages.get(asked.path.partition("?")[0].strip("/"), AUDIO)


def durations(program: Played) -> list[tuple[bool, int, int]]:
    return [(clip.media_id is not None, clip.duration_ms, clip.loops) for clip in program.clips]


def test_audio_is_a_program_of_one_clip(stage: Stage, web: Web) -> None:
    """Played once; what switches fetch is ours: 8 kHz, mono, 16 bits."""
    serve(web)
    (clip,) = stage.load(web.url("/a.mp3")).clips
    wav = stage.media.load(clip.media_id or "")
    assert wav is not None
    with wave.open(io.BytesIO(wav)) as file:
        shape = file.getframerate(), file.getnchannels(), file.getsampwidth()

    assert (clip.duration_ms, clip.loops, shape) == (500, 1, (8000, 1, 2))


def test_a_document_is_its_verbs_in_order(stage: Stage, web: Web) -> None:
    """Audio, digits, silence and speech, each with its loops; then the document that it redirects to."""
    serve(
        web,
        doc=twiml(
            '<Play loop="3">a.mp3</Play><Pause length="2"/><Play digits="1w"/><Say>Hi</Say><Redirect>n</Redirect>'
        ),
    )
    program = stage.load(web.url("/doc"), "POST", PARAMETERS)

    assert durations(program)[:3] == [(True, 500, 3), (False, 2000, 1), (True, 700, 1)]
    assert 200 < program.clips[3].duration_ms < 2000
    assert program.then == Source(web.url("/n"), "POST", PARAMETERS, ONE)


def test_nothing_comes_after_a_redirect(stage: Stage, web: Web) -> None:
    """So it is not fetched either."""
    serve(web, doc=twiml("<Pause/><Redirect>x</Redirect><Play>b.mp3</Play>"))

    assert durations(stage.load(web.url("/doc"))) == [(False, 1000, 1)]
    assert [asked.path for asked in web.asked] == ["/doc"]


def test_what_a_document_is_warned_of_is_logged(stage: Stage, web: Web) -> None:
    """With Twilio's code, where a tenant's operator looks; the rest is played."""
    serve(web, doc=twiml('<Pause length=""/><Play loop="-1">a.mp3</Play><Redirect method="PUT">n</Redirect>'))
    with capture_logs() as logs:
        program = stage.load(web.url("/doc?secret=1"))

    assert durations(program) == [(False, 1000, 1), (True, 500, 1)]
    assert program.then == Source(web.url("/n"), "POST", (), ONE)
    assert [(row["code"], row["url"]) for row in logs if row["event"] == "twiml_warning"] == [
        (code, web.url("/doc")) for code in (13910, 13410, 13710)
    ]


def test_a_redirect_to_nowhere_comes_after_what_is_before_it(stage: Stage, web: Web) -> None:
    """11100, when its turn has come."""
    serve(web, doc=twiml("<Play>a.mp3</Play><Redirect>http://[::1</Redirect>"))
    program = stage.loader.load_program(Source(web.url("/doc"), "GET", (), ONE))

    assert program.verbs == (Play("a.mp3"), Unplayable(11100, "The URL is not valid"))


def test_an_empty_document_is_silence(stage: Stage, web: Web) -> None:
    """Nothing to play and nothing to go on with; what is said without a word is nothing, too."""
    serve(web, one=twiml(""), two=twiml("<Say> </Say>"))

    assert stage.load(web.url("/one")) == stage.load(web.url("/two")) == Played()


def test_plain_text_is_spoken(stage: Stage, web: Web) -> None:
    """wire-contract section 9.1."""
    serve(web, doc=Answer(headers={"Content-Type": "text/plain"}, body="Please wait für uns.".encode()))
    (clip,) = stage.load(web.url("/doc")).clips

    assert 500 < clip.duration_ms < 5000


@pytest.mark.parametrize(
    "kind",
    ["application/octet-stream", "audio/x-wav", "audio/vnd.wave", "AUDIO/WAV; x=y", "", "application/wav", "video/mpeg",
     "application/force-download", "wav", "image/png"],
)  # fmt: skip
def test_wav_goes_by_many_names(stage: Stage, web: Web, kind: str) -> None:
    """Among them none at all."""
    web.answer = lambda asked: Answer(headers={"Content-Type": kind}, body=a_wav())

    assert durations(stage.load(web.url())) == [(True, 500, 1)]


@pytest.mark.parametrize("kind", ["text/plain", "text/html; charset=utf-8", "text/xml"])
def test_a_play_names_audio_and_nothing_else(stage: Stage, web: Web, kind: str) -> None:
    """So the types of writing are no types there: many servers call what they do not know `text/plain`."""
    serve(web, doc=twiml("<Play>song</Play>"), song=Answer(headers={"Content-Type": kind}, body=a_wav()))

    assert durations(stage.load(web.url("/doc"))) == [(True, 500, 1)]


def test_bare_ulaw_is_8_khz(stage: Stage, web: Web) -> None:
    """One byte is one sample."""
    web.answer = lambda asked: Answer(headers={"Content-Type": "audio/ulaw"}, body=b"\xff" * 4000)

    assert durations(stage.load(web.url())) == [(True, 500, 1)]


def test_a_host_may_be_written_in_any_letters(client: redis.Redis, web: Web) -> None:
    """It is asked for by its name in ASCII (RFC 5891)."""
    asked: list[str] = []

    def resolve(host: str) -> list[Address]:
        asked.append(host)
        return [ip_address("127.0.0.1")]

    stage = make_stage(client, OutgoingPool(resolve, parse_networks("127.0.0.1")))
    serve(web, doc=twiml(f"<Play>http://b\u00fccher.test:{web.port}/song</Play>"), song=AUDIO)
    stage.load(web.url("/doc"))

    assert asked[-1] == "xn--bcher-kva.test"


# ------------------------------------------------------------ what is sent


def test_a_post_is_signed_and_carries_its_parameters(stage: Stage, web: Web) -> None:
    """As callbacks do; Twilio's own validator agrees."""
    serve(web, doc=twiml(""))
    stage.load(web.url("/doc?a=1#rt=2000", "me:pw@"), "POST", PARAMETERS)
    (asked,) = web.asked

    assert (asked.method, asked.path, asked.form) == ("POST", "/doc?a=1", dict(PARAMETERS))
    assert asked.headers["Authorization"] == "Basic bWU6cHc="
    validator = RequestValidator(TOKEN)
    assert validator.validate(web.url("/doc?a=1", "me:pw@"), asked.form, asked.headers["X-Twilio-Signature"])


@pytest.mark.parametrize(
    ("dialect", "header"), [("twilio", "X-Twilio-Signature"), ("signalwire", "X-SignalWire-Signature")]
)
def test_a_request_is_signed_in_the_dialect_of_its_url(stage: Stage, web: Web, dialect: str, header: str) -> None:
    """And in no other; where the document leads to as well."""
    serve(web, doc=twiml("<Redirect>next</Redirect>"), next=twiml("<Pause/>"))
    stage.loader.load_program(Source(web.url("/doc"), "POST", PARAMETERS, ONE, dialect))

    signed = [[name.lower() for name in asked.headers if "signature" in name.lower()] for asked in web.asked]
    assert signed == [[header.lower()]] * 2


def test_a_get_carries_its_parameters_in_the_query_and_is_signed(stage: Stage, web: Web) -> None:
    """Behind the query that is there; a document that is redirected is signed for where it is."""
    serve(web, doc=Answer(302, {"Location": "/there?b=2"}), there=twiml(""))
    stage.load(web.url("/doc?a=1"), "GET", PARAMETERS)
    validator = RequestValidator(TOKEN)

    assert [asked.path for asked in web.asked] == [
        "/doc?a=1&CallSid=CA1&FriendlyName=%C3%9Cn%C3%AF+%26+co",
        "/there?b=2",
    ]
    for asked in web.asked:
        assert validator.validate(web.url(asked.path), {}, asked.headers["X-Twilio-Signature"])


def test_played_media_are_asked_for_plainly(stage: Stage, web: Web) -> None:
    """GET, no parameters, no signature."""
    serve(web, doc=twiml("<Play>a.mp3</Play>"))
    stage.load(web.url("/doc"), "POST", PARAMETERS)
    asked = web.asked[1]

    assert (asked.method, asked.path, asked.body) == ("GET", "/a.mp3", "")
    assert "X-Twilio-Signature" not in asked.headers


def test_userinfo_goes_to_its_own_server_only(stage: Stage, web: Web) -> None:
    """A relative URL keeps it, a redirect on the same server, too; another server never sees it."""
    other = Web(lambda asked: AUDIO)
    other.start()
    serve(web, doc=twiml(f"<Play>a.mp3</Play><Play>{other.url('/b.mp3')}</Play><Play>away</Play>"),
          away=Answer(302, {"Location": other.url("/c.mp3")}))  # fmt: skip
    stage.load(web.url("/doc", "me:pw@"))
    other.stop()

    assert all("Authorization" in asked.headers for asked in web.asked)
    assert [asked.headers.get("Authorization") for asked in other.asked] == [None, None]


# ------------------------------------------------------------ where it leads


def test_relative_urls_are_relative_to_where_the_document_was_found(stage: Stage, web: Web) -> None:
    """Behind a redirect that is another place."""
    pages: dict[str, Any] = {
        "doc": Answer(301, {"Location": "/deep/doc"}),
        "deep/doc": twiml("<Play>a.mp3</Play><Redirect/>"),
    }
    serve(web, **pages)
    program = stage.load(web.url("/doc"))

    assert [asked.path for asked in web.asked] == ["/doc", "/deep/doc", "/deep/a.mp3"]
    assert program.then == Source(web.url("/deep/doc"), "POST", (), ONE)


def test_an_empty_redirect_is_the_document_itself(stage: Stage, web: Web) -> None:
    """With its overrides, and without the parameters that a GET put into the query: they are added again."""
    serve(web, doc=twiml('<Pause/><Redirect method="GET"/>'))
    program = stage.load(web.url("/doc?a=1#tt=9000"), "GET", PARAMETERS)

    assert program.then == Source(web.url("/doc?a=1#tt=9000"), "GET", PARAMETERS, ONE)


def test_a_document_that_only_redirects_is_followed_at_once(stage: Stage, web: Web) -> None:
    """Nobody would hear it; a limited number in a row."""
    web.answer = lambda asked: (
        AUDIO if asked.path == f"/{MAX_SILENT_DOCUMENTS}" else twiml(f"<Redirect>/{int(asked.path[1:]) + 1}</Redirect>")
    )
    program = stage.load(web.url("/0"), "POST")

    assert durations(program) == [(True, 500, 1)]
    assert {asked.method for asked in web.asked} == {"POST"}


def test_the_same_audio_is_made_once(stage: Stage, web: Web) -> None:
    """Whatever its URL; whether it is fetched again is for its headers to say."""
    serve(web, doc=twiml("<Play>a.mp3</Play><Play>a.mp3</Play><Play>b.mp3</Play>"))
    clips = stage.load(web.url("/doc")).clips

    assert len({clip.media_id for clip in clips}) == 1


def test_accounts_share_nothing(stage: Stage, web: Web) -> None:
    """Neither what was fetched nor what was rendered."""
    serve(web, doc=twiml("<Say>Hello</Say><Play digits='1'/><Play>a.mp3</Play>", **{"Cache-Control": "max-age=60"}))
    one, two = stage.load(web.url("/doc"), account=ONE), stage.load(web.url("/doc"), account=TWO)

    assert not {clip.media_id for clip in one.clips} & {clip.media_id for clip in two.clips}
    assert len([asked for asked in web.asked if asked.path == "/doc"]) == 2


# ------------------------------------------------------------ speech


def test_speech_is_made_once(stage: Stage, web: Web) -> None:
    """For the same words, voice and language."""
    serve(web, doc=twiml("<Say>Hello</Say>"), other=twiml("<Say voice='man'>Hello</Say>"))
    again = [stage.load(web.url("/doc")).clips for _ in range(2)]

    assert again[0] == again[1]
    assert stage.load(web.url("/other")).clips != again[0]


@pytest.mark.parametrize(
    ("command", "event"),
    [
        ("no-such-engine {voice}", "speech_engine_missing"),
        ("false", "speech_engine_failed"),
        ("echo no wav", "media_failed"),
    ],
)
def test_without_a_speech_engine_the_log_says_so(client: redis.Redis, web: Web, command: str, event: str) -> None:
    """13520, and a line that names what the operator can change."""
    serve(web, doc=twiml("<Say>Hello</Say>"))
    stage = make_stage(client, loopback_pool(), command=command)
    with capture_logs() as logs:
        code = stage.code(web.url("/doc"))

    assert code == 13520
    assert event in [line["event"] for line in logs]


def test_a_strangers_text_is_never_part_of_the_command(client: redis.Redis, web: Web) -> None:
    """It comes on standard input; placeholders in it mean nothing."""
    serve(web, doc=twiml("<Say>--help {voice} $(id) `id`</Say>"))
    stage = make_stage(
        client, loopback_pool(), command="sh -c 'cat >&2; echo $0 >&2; exit 1' {language}/{gender}/{voice}"
    )
    with capture_logs() as logs:
        stage.code(web.url("/doc"))

    assert logs[0]["complaint"] == "--help {voice} $(id) `id`\nen-US/female/en-us+f2\n"


# ------------------------------------------------------------ what is logged


def test_a_failure_is_logged_without_secrets(stage: Stage, web: Web) -> None:
    """Its code, the URL without userinfo, query and fragment, the account and the time that it took."""
    web.answer = lambda asked: Answer(404)
    with capture_logs() as logs:
        stage.code(web.url("/doc?token=secret#tt=5000", "me:pw@"), "GET", PARAMETERS)
    (line,) = logs

    assert line == {
        "event": "media_failed", "log_level": "warning", "code": 11217, "error": "The server answered 404",
        "url": web.url("/doc"), "account_sid": ONE, "took_ms": line["took_ms"],
    }  # fmt: skip


def test_the_first_failure_of_a_document_is_its_failure(stage: Stage, web: Web) -> None:
    """In the document's order, with the URL that it was about."""
    serve(
        web,
        doc=twiml("<Play>one</Play><Play>two</Play>"),
        one=Answer(500),
        two=Answer(headers={"Content-Type": "a/b"}, body=b"x"),
    )
    with pytest.raises(MediaError) as refused:
        stage.load(web.url("/doc"))

    assert (refused.value.code, refused.value.url) == (11217, web.url("/one"))


def test_clips_that_made_room_are_made_again(client: redis.Redis, web: Web) -> None:
    """What the cache remembers of a clip that is gone does not count, whether it was fresh or revalidated."""
    etag = {"Content-Type": "audio/wav", "ETag": '"1"', "Cache-Control": "max-age=60"}

    def answer(asked: Asked) -> Answer:
        return Answer(304, etag) if "If-None-Match" in asked.headers else Answer(headers=etag, body=a_wav())

    web.answer = answer
    stage = make_stage(client, loopback_pool())
    (first,) = stage.load(web.url("/a")).clips
    client.delete(f"media:{{media}}:clip:{first.media_id}")
    (second,) = stage.load(web.url("/a")).clips

    assert first.media_id != second.media_id
    assert isinstance(second, Clip)
    assert stage.media.measure(second.media_id or "")
