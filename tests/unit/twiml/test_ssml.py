"""SSML in a <Say>: words stay words, and an engine is told nothing but what we know."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.twiml.document import parse_document
from orchestrator.twiml.ssml import ELEMENTS
from orchestrator.twiml.verbs import Say


def said(inside: str) -> Say:
    (verb,) = parse_document(f"<Response><Say>{inside}</Say></Response>".encode()).verbs
    assert isinstance(verb, Say)
    return verb


@pytest.mark.parametrize(
    ("inside", "text", "ssml"),
    [
        ("Hello<break/>there", "Hello, there", "Hello<break/>there"),
        ("Hello<break time='2s'/>there", "Hello, there", 'Hello<break time="2000ms"/>there'),
        ("a<break time='1.5s' strength='strong'/>b", "a, b", 'a<break time="1500ms" strength="strong"/>b'),
        ("a<break time='300ms'/>b", "a, b", 'a<break time="300ms"/>b'),
        ("a<break time='99999s'/>b", "a, b", 'a<break time="10000ms"/>b'),
        ("a<break strength='none'/>b", "a b", 'a<break strength="none"/>b'),
        ("<p>One</p><p>Two</p>", "One. Two.", "<p>One</p><p>Two</p>"),
        ("<s>One!</s><s>Two</s>", "One! Two.", "<s>One!</s><s>Two</s>"),
        ("One <emphasis level='strong'>two</emphasis>", "One two", 'One <emphasis level="strong">two</emphasis>'),
        ("<prosody rate='slow' pitch='+10%' volume='-6dB'>a</prosody>", "a",
         '<prosody rate="slow" pitch="+10%" volume="-6dB">a</prosody>'),
        ("<say-as interpret-as='digits'>123</say-as> go", "1 2 3 go", ""),
        ("<say-as interpret-as='spell-out'>a b</say-as>", "a b", '<say-as interpret-as="characters">a b</say-as>'),
        ("<say-as interpret-as='characters'>A&lt;1</say-as>x", "A < 1 x",
         '<say-as interpret-as="characters">A&lt;1</say-as> x'),
        ("<break time='2s'/>Hello", "Hello", '\u200b<break time="2000ms"/>Hello'),
        ("<p><break/></p>Hello", "Hello", "<p>\u200b<break/></p>Hello"),
        ("call <say-as interpret-as='telephone'>555</say-as>", "call 5 5 5", ""),
        ("<say-as interpret-as='date' format='mdy'>1/2/2020</say-as>", "1/2/2020", ""),
        ("<sub alias='World Wide Web'>WWW</sub> x", "World Wide Web x", ""),
        ("<phoneme alphabet='ipa' ph='x'>pecan</phoneme> pie", "pecan pie", ""),
        ("<w role='amazon:VB'>read</w>", "read", ""),
        ("<speak>a <p>b</p></speak>", "a. b.", "a <p>b</p>"),
        ("<lang xml:lang='de-DE'>zwei</lang> two", "zwei two", '<voice xml:lang="de-DE">zwei</voice> two'),
        ("<lang xml:lang='arb'>x</lang>", "x", '<voice xml:lang="ar-AE">x</voice>'),
        ("<lang xml:lang='en-gb-wls'>x</lang>", "x", '<voice xml:lang="en-GB-WLS">x</voice>'),
        ("<lang>x</lang>", "x", ""),
        ("a<break time='.5s'/>b", "a, b", 'a<break time="500ms"/>b'),
        ("a<break time='1.s'/>b", "a, b", 'a<break time="1000ms"/>b'),
        ("<prosody pitch='+2st'>a</prosody>", "a", '<prosody pitch="+2st">a</prosody>'),
        ("oh <say-as interpret-as='expletive'>dear</say-as> me", "oh, me", "oh <break/> me"),
        ("a &lt;break/&gt; &amp; b", "a <break/> & b", ""),
        ("<p>a &lt;audio src='x'/&gt;</p>", "a <audio src='x'/>.", "<p>a &lt;audio src='x'/&gt;</p>"),
        ("Wait... <![CDATA[1 < 2]]>", "Wait... 1 < 2", ""),
    ],
)  # fmt: skip
def test_markup_has_its_meaning(inside: str, text: str, ssml: str) -> None:
    """For an engine that reads SSML; the text is for one that does not, with a pause where one was meant."""
    verb = said(inside)

    assert (verb.text, verb.ssml) == (text, f"<speak>{ssml}</speak>" if ssml else "")


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("Hello<br/>there", "Hello there"), ("Hello<Break/>there", "Hello there"), ("a<Pause length='1'/>b", "a b"),
        ("a<amazon:breath/>b", "a b"), ("a<mark name='x'/>b", "a b"), ("<speak>a</speak><speak>b</speak>", "a b"),
        ("<w role='amazon:VB'>read</w><w role='amazon:DT'>it</w>", "read it"),
        ("<sub alias='mister'>Mr</sub><sub alias='smith'>S</sub>", "mister smith"),
        ("<say-as interpret-as='date'>1/2/2020</say-as><say-as interpret-as='time'>10:30</say-as>", "1/2/2020 10:30"),
        ("one<say-as interpret-as='cardinal'>2</say-as>three", "one 2 three"),
        ("<phoneme alphabet='ipa' ph='x'>pecan</phoneme>pie", "pecan pie"),
        ("<emphasis>one</emphasis><emphasis level='reduced'>two</emphasis>", "one two"),
        ("<prosody rate='slow'>one</prosody><prosody rate='fast'>two</prosody>", "one two"),
        ("<lang xml:lang='fr-FR'>Bonjour</lang>monde", "Bonjour monde"),
        ("<amazon:effect name='whispered'>psst</amazon:effect>you", "psst you"),
        ("<emphasis>Hi</emphasis>, <b>you</b>!", "Hi, you!"), ("(<b>a</b>)", "(a)"), ("<b>it</b>'s", "it's"),
        ("a<!-- c -->b<?x y?>c", "abc"), ("<b/>a<b><i/></b>b<b></b>", "a b"),
    ],
)  # fmt: skip
def test_a_word_ends_at_a_tag(inside: str, text: str) -> None:
    """Tokens do not span markup (SSML 1.1); punctuation stays where it is, and a comment is no tag."""
    verb = said(inside)

    assert verb.text == text
    assert not verb.ssml or " ".join(re.sub("<[^>]*>", " ", verb.ssml).split()).replace(" ,", ",") == text


@pytest.mark.parametrize(
    ("inside", "codes"),
    [
        ("<lang xml:lang='xx-XX'>a</lang>", [12200]),
        ("<prosody rate='very'>a</prosody>", [13513]), ("<prosody x='1'>a</prosody>", [12200]),
        ("<audio src='/etc/passwd'>a</audio>", [12200]), ("<voice name='x'>a</voice>", [12200]), ("<p>a</p>", []),
    ],
)  # fmt: skip
def test_markup_that_is_not_known_is_read_through(inside: str, codes: list[int]) -> None:
    """And warned of; the words are spoken."""
    document = parse_document(f"<Response><Say>{inside}</Say></Response>".encode())
    (verb,) = document.verbs

    assert isinstance(verb, Say)
    assert verb.text.strip(".") == "a"
    assert [warning.code for warning in document.warnings] == codes


_NAMES = st.sampled_from(["break", "p", "s", "prosody", "say-as", "sub", "audio", "mark", "voice", "lang", "emphasis"])
_KEYS = st.sampled_from(["time", "rate", "src", "alias", "interpret-as", "xml:lang", "level", "name"])
_TEXTS = st.text("abc 1.,&<>\"'/\n", max_size=8).map(lambda text: escape(text, {'"': "&#34;"}))


def _element(name: str, keys: dict[str, str], parts: list[str]) -> str:
    attributes = "".join(f' {key}="{value}"' for key, value in keys.items())
    return f"<{name}{attributes}>{''.join(parts)}</{name}>"


_INSIDE = st.recursive(
    _TEXTS,
    lambda inner: st.builds(_element, _NAMES, st.dictionaries(_KEYS, _TEXTS, max_size=2), st.lists(inner, max_size=3)),
    max_leaves=6,
)


@given(_INSIDE)
def test_an_engine_gets_no_other_element(inside: str) -> None:
    """Whatever a stranger writes: espeak-ng opens the file that an <audio> names."""
    for verb in parse_document(f"<Response><Say>{inside}</Say></Response>".encode()).verbs:
        assert isinstance(verb, Say)
        names = set(re.findall(r"<(/?[^ >/]*)", verb.ssml))
        assert {name.strip("/") for name in names} <= {*ELEMENTS, "say-as", "speak", "voice"}
