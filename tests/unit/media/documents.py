"""Sixty documents in the shapes that the world writes: SDKs, function templates, twimlets, template engines, people.

Each is a row: what it is, the header's media type, its bytes, and what is heard of it. A `Heard` is `play` and a path,
`say` and the words, `pause` and seconds, or `digits`; a loop behind it if there is one; `-> url` where it leads then;
a number alone is the code of what was passed over, `!` and a number that of what discards the document.
"""

from __future__ import annotations

from typing import Final

XML: Final = "text/xml"
HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>'

Row = tuple[str, str, str | bytes, list[str]]


def _r(inside: str, head: str = HEAD) -> str:
    return f"{head}<Response>{inside}</Response>"


SDKS: Final[list[Row]] = [
    # How each SDK prints the same: declarations, indentation, order of attributes, empty elements, quotation marks.
    ("Python", XML, '<?xml version="1.0" encoding="UTF-8"?><Response><Say voice="alice">Hold</Say><Play loop="2">/a</Play></Response>',
     ["say Hold", "play /a x2"]),
    ("Node", XML, '<?xml version="1.0" encoding="UTF-8"?><Response><Say>Hi &amp; hold</Say><Redirect method="GET">/n</Redirect></Response>',
     ["say Hi & hold", "-> GET /n"]),
    ("Ruby", XML, '<?xml version="1.0" encoding="UTF-8"?>\n<Response>\n<Play>/a</Play>\n<Pause length="1"/>\n</Response>\n',
     ["play /a", "pause 1"]),
    ("PHP", XML, '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Play>/a</Play><Redirect/></Response>\n', ["play /a", "-> POST "]),
    ("Java", XML, '<?xml version="1.0" encoding="UTF-8"?><Response><Play loop="0">/a</Play></Response>', ["play /a x0"]),
    ("C#", "application/xml", '<?xml version="1.0" encoding="utf-8"?>\r\n<Response>\r\n  <Play>/a</Play>\r\n</Response>', ["play /a"]),
    ("C#, UTF-16 as strings are", XML, '<?xml version="1.0" encoding="utf-16"?><Response><Say>Größe</Say></Response>'.encode("utf-16"),
     ["say Größe"]),
    ("Go", XML, '<?xml version="1.0" encoding="UTF-8"?>\n<Response>\n  <Say>Bye</Say>\n</Response>', ["say Bye"]),
    ("Go's encoding/xml, escapes", XML, _r("<Say>it&#39;s &#34;on&#34;&#xA;now</Say>"), ['say it\'s "on" now']),
    ("Elixir", XML, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Play>/a</Play></Response>", ["play /a"]),
    ("Rust, no declaration", XML, "<Response><Play>/a</Play><Play>/b</Play></Response>", ["play /a", "play /b"]),
    ("lxml, single quotation marks", XML, "<?xml version='1.0' encoding='utf8'?>\n<Response><Say>x</Say></Response>", ["say x"]),
    ("xmlbuilder, standalone", XML, _r("<Play>/a</Play>", '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'), ["play /a"]),
    ("XmlSerializer, schemas", XML,
     '<Response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><Play>/a</Play></Response>',
     ["play /a"]),
    ("JAXB, a default namespace", XML, '<Response xmlns="urn:x"><Play>/a</Play></Response>', ["play /a"]),
    ("Perl, Latin-1", "text/xml; charset=ISO-8859-1", "<Response><Say>Grüezi</Say></Response>".encode("latin-1"), ["say Grüezi"]),
    ("ColdFusion, windows-1252", 'text/xml; charset="windows-1252"', _r("<Say>5 €</Say>", '<?xml version="1.0" encoding="windows-1252"?>').encode("cp1252"),
     ["say 5 €"]),
    ("PowerShell, a mark", "application/xml; charset=utf-8", b"\xef\xbb\xbf" + _r("<Say>é</Say>").encode(), ["say é"]),
]  # fmt: skip

HOSTED: Final[list[Row]] = [
    ("function template, hold music", XML,
     _r('<Play loop="0">http://com.twilio.sounds.music.s3.amazonaws.com/MARKOVICHAMP-Borghestral.mp3</Play>'),
     ["play http://com.twilio.sounds.music.s3.amazonaws.com/MARKOVICHAMP-Borghestral.mp3 x0"]),
    ("function, async queue", XML, _r("<Say>You are number 1.</Say><Play>/a</Play><Redirect>/queue?n=1&amp;t=2</Redirect>"),
     ["say You are number 1.", "play /a", "-> POST /queue?n=1&t=2"]),
    ("TwiML bin", "text/xml; charset=utf-8", '<?xml version="1.0" encoding="UTF-8"?>\n<Response>\n    <Say>Please hold.</Say>\n    <Pause length="3"/>\n    <Redirect />\n</Response>',
     ["say Please hold.", "pause 3", "-> POST "]),
    ("twimlet, holdmusic", "application/xml",
     _r("<Play>http://s3.example/one.mp3</Play><Play>http://s3.example/two.mp3</Play><Play>http://s3.example/three.mp3</Play><Redirect></Redirect>"),
     ["play http://s3.example/one.mp3", "play http://s3.example/two.mp3", "play http://s3.example/three.mp3", "-> POST "]),
    ("twimlet, message", XML, _r("<Say>Hello</Say><Play>http://x.example/a.mp3</Play>"), ["say Hello", "play http://x.example/a.mp3"]),
    ("twimlet, echo", XML, '<Response><Say>echo</Say></Response>', ["say echo"]),
    ("Studio, JSON by mistake", "application/json", '{"say":"x"}', ["!12300"]),
    ("S3, served as HTML", "text/html", _r("<Play>/a</Play>"), ["play /a"]),
    ("GitHub pages, text", "text/plain; charset=utf-8", "Please hold the line.\n", ["say Please hold the line."]),
    ("a file server's guess", "text/xml; charset=us-ascii", _r("<Say>Größe</Say>"), ["say Größe"]),
    ("bin with a template left in", XML, _r("<Say>Hello {{Name}}</Say>"), ["say Hello {{Name}}"]),
    ("SignalWire bin", "application/xml", _r('<Play loop="2">/a</Play>'), ["play /a x2"]),
    ("Plivo by mistake", XML, "<Response><Speak>Hi</Speak><Play>/a</Play></Response>", ["12200", "play /a"]),
    ("VoiceXML by mistake", XML, '<vxml version="2.1"><form/></vxml>', ["!12102"]),
    ("an error page of a framework", "text/html; charset=utf-8", "<!DOCTYPE html><html><body>500</body></html>", ["!12100"]),
    ("an error page of a proxy", "text/html", "<html><head><title>502 Bad Gateway</title></head></html>", ["!12102"]),
]  # fmt: skip

WRITTEN: Final[list[Row]] = [
    ("comments and PIs", XML, "<?xml-stylesheet href='x'?><!-- a --><Response><!-- b --><Play><!-- c -->/a</Play></Response><!-- d -->", ["play /a"]),
    ("CDATA around a query", XML, _r("<Play><![CDATA[/a?x=1&y=2]]></Play>"), ["play /a?x=1&y=2"]),
    ("white space around a URL", XML, _r("<Play>\n\t /a \n</Play>"), ["play /a"]),
    ("text between verbs", XML, _r("please <Play>/a</Play> hold"), ["play /a"]),
    ("an ampersand that is not escaped", XML, _r("<Play>/a?x=1&y=2</Play>"), ["!12100"]),
    ("a declaration behind a line break", XML, "\n" + _r("<Play>/a</Play>"), ["!12100"]),
    ("nothing", XML, "<Response/>", []),
    ("an entity of HTML", XML, _r("<Say>a&nbsp;b</Say>"), ["!12100"]),
    ("a verb in small letters", XML, _r("<say>x</say><Play>/a</Play>"), ["12200", "play /a"]),
    ("an attribute in capitals", XML, _r('<Play Loop="5">/a</Play>'), ["12200", "play /a"]),
    ("a root in small letters", XML, "<response><Play>/a</Play></response>", ["!12102"]),
    ("Dial in hold music", XML, _r("<Play>/a</Play><Dial>1</Dial>"), ["!13238"]),
    ("Gather around a Say", XML, _r('<Gather numDigits="1"><Say>Press 1</Say></Gather>'), ["!13238"]),
    ("empty attributes", XML, _r('<Play loop="">/a</Play><Pause length=""/>'), ["13410", "play /a", "13910", "pause 1"]),
    ("numbers that are none", XML, _r('<Say loop="-1">x</Say><Pause length="0.5"/>'), ["13510", "say x", "13910", "pause 1"]),
    ("a language with an underscore", XML, _r('<Say language="en_US" voice="Woman">x</Say>'), ["13512", "13511", "say x"]),
    ("a voice of tomorrow", XML, _r('<Say voice="Polly.Zoe-Generative" language="fr-FR">x</Say>'), ["13511", "say x"]),
    ("voices of today", XML, _r('<Say voice="Polly.Vicki-Neural">x</Say><Say voice="Google.de-DE-Chirp3-HD-Aoede">y</Say>'), ["say x", "say y"]),
    ("digits with waits", XML, _r('<Play digits="wwww1928#"/>'), ["digits wwww1928#"]),
    ("digits that are none", XML, _r('<Play digits="12,34"/><Play>/a</Play>'), ["13430", "play /a"]),
    ("a Play of nothing", XML, _r("<Play/><Play>/a</Play>"), ["11100", "play /a"]),
    ("a Say of nothing", XML, _r("<Say></Say><Play>/a</Play>"), ["13520", "play /a"]),
    ("a Redirect by PUT", XML, _r('<Play>/a</Play><Redirect method="PUT">/n</Redirect>'), ["13710", "play /a", "-> POST /n"]),
    ("verbs behind a Redirect", XML, _r("<Redirect>/n</Redirect><Play>/a</Play>"), ["-> POST /n"]),
    ("SSML", XML, _r('<Say>Hello<break time="1s"/>there. <p>One</p><p>Two</p></Say>'), ["say Hello, there. One. Two."]),
    ("SSML of numbers", XML, _r('<Say>PIN <say-as interpret-as="digits">42</say-as></Say>'), ["say PIN 4 2"]),
    ("Japanese in Shift JIS", XML, _r("<Say>日本</Say>", '<?xml version="1.0" encoding="Shift_JIS"?>').encode("shift_jis"), ["say 日本"]),
    ("UTF-16 without a mark", "application/xml", _r("<Say>é</Say>", "").encode("utf-16-le"), ["say é"]),
]  # fmt: skip

ROWS: Final = [*SDKS, *HOSTED, *WRITTEN]
