"""Draws redis-schema, state, limits and media from the tables that the program runs on: `python docs/generate.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.callbacks.plan import PLAN
from orchestrator.domain.conference import ConferenceStatus, ParticipantStatus
from orchestrator.domain.events import Event
from orchestrator.domain.transitions import CONFERENCE_TABLE, EVENT_TABLE, STATE_TABLE
from orchestrator.jobs.wakeups import ITEMS_PER_JOB, MOST_READY, TOPICS, WOKEN_SECONDS, Topic
from orchestrator.limits import TABLE
from orchestrator.media.content import BARE, WRITTEN
from orchestrator.media.decode import CODECS, FORMATS
from orchestrator.media.errors import MEANINGS
from orchestrator.services.pacing import REFUSAL_SECONDS
from orchestrator.store.keys import PROCESS_SECONDS
from orchestrator.store.schema import KEYS
from orchestrator.twiml.document import FORBIDDEN, VERBS
from orchestrator.twiml.ssml import ELEMENTS, SPELT, UNSPOKEN
from orchestrator.twiml.voices import LANGUAGES

HERE = Path(__file__).parent


QUESTIONS = {
    "Which conferences are open?": """\
redis-cli ZREVRANGE conferences:open 0 -1
1) "CF…"
""",
    "Who is in this one, and what is known of one of them (all of it: `HGETALL`)?": """\
redis-cli ZRANGE conference:{CF…}:participants 0 -1
1) "CA…"
redis-cli HMGET conference:{CF…}:participant:CA… label status muted hold
1) "anna"
2) "connected"
3) "0"
4) "0"
""",
    "Which lanes of callbacks wait, and when does a sweep look at each next (ms)?": """\
redis-cli ZRANGE lanes:callbacks:due 0 9 WITHSCORES
1) "CF…:conference"
2) "1795977666460"
""",
    "What is at the head of this lane, since when does it wait (ms), and what became of it so far?": """\
redis-cli LRANGE outbox:{CF…}:conference 0 0
1) "TOKEN"
redis-cli HMGET callback:{CF…}:TOKEN state since_ms attempts reason
1) "waiting"
2) "1795977664483"
3) "0"
4) ""
""",
    "Which of its receivers fail, how many dead letters are there?": """\
redis-cli HGETALL account:{AC…}:receivers
1) "app.example:443"
2) "{\\"host\\":\\"app.example:443\\",\\"failing_since_ms\\":1795977664483,\
\\"paused_until_ms\\":0,\\"failures\\":1,\\"pauses\\":0,\\"paused_at_ms\\":0}"
redis-cli ZCARD account:{AC…}:dead
(integer) 1
""",
    "Does somebody follow the node, and which processes live, by when they said so last (ms)?": """\
redis-cli HMGET node:{fs1} connected listener problem
1) "1"
2) "host:71:3fa9"
3) (nil)
redis-cli ZRANGE processes 0 -1 WITHSCORES
1) "host:71:3fa9"
2) "1795977664483"
""",
}
"""What operators ask at night, and what Redis answers. tests/unit/test_operators.py asks one."""


def redis_schema() -> str:
    """One row for each key."""
    rows = [f"| `{key.pattern}` | {key.type} | {key.holds} | {key.lifetime} |" for key in KEYS]
    return "\n".join(
        [
            "# Redis keys",
            "",
            "Drawn from `orchestrator/store/schema.py` by `python docs/generate.py`. Keys of one conference share the",
            "hash tag `{CF…}`, those of one account `{AC…}`, all media `{media}`: every Lua script stays in one slot",
            "of a Redis Cluster.",
            "",
            "| Key | Type | Holds | Ends |",
            "|---|---|---|---|",
            *rows,
            "",
            "In QUEUE_REDIS_URL, beside RQ's own keys (`rq:…`), drawn from `orchestrator/jobs/wakeups.py`:",
            "",
            "| Key | Type | Holds | Ends |",
            "|---|---|---|---|",
            *(row for topic in TOPICS for row in _topic_rows(topic)),
            "",
            "`rq info` is not where to look: one job stands for many lanes, and a worker that died with its machine is",
            "listed for up to eight minutes. `orchestrator check`, the console and `/metrics` count lanes, and know of",
            f"a process's death after {PROCESS_SECONDS} s.",
            "",
            "## By hand",
            "",
            "In compose: `docker compose exec redis redis-cli …`. SIDs stand in braces as written here; in a shell put",
            "the key in quotes. Nothing here changes anything. Below each line is what a terminal shows, with",
            "other SIDs and numbers.",
            *(line for question, lines in QUESTIONS.items() for line in ("", question, "", *_indented(lines))),
            "",
        ]
    )


def _indented(lines: str) -> list[str]:
    return [f"    {line}" for line in lines.splitlines()]


def _topic_rows(topic: Topic) -> list[str]:
    taken = f"taken by jobs, {ITEMS_PER_JOB} each; at most {MOST_READY:,}"
    return [
        f"| `{topic.ready}` | list | what a job of `{topic.name}` has to look at, as text | {taken} |",
        f"| `{topic.woken}` | string | a job is on its way that will take them | with that job; {WOKEN_SECONDS} s |",
    ]


def _event_rows(statuses: Sequence[str], table: Mapping[type[Event], Mapping[Any, Any]]) -> list[str]:
    rows = ["| Event | " + " | ".join(statuses) + " |", "|---|" + "---|" * len(statuses)]
    for event, row in table.items():
        cells = [rule.__name__.removeprefix("_") if (rule := row[status]) else "-" for status in statuses]
        rows.append(f"| {event.__name__} | " + " | ".join(cells) + " |")
    return rows


def state_tables() -> str:
    """The tables of transitions.py and the plan of callbacks."""
    lines = [
        "# State",
        "",
        "Drawn from `orchestrator/domain/transitions.py` and `orchestrator/callbacks/plan.py` by",
        "`python docs/generate.py`. A cell names the rule that an event triggers for a subject of that status; `-` is",
        "late news, and changes nothing. Events about a call:",
        "",
        *_event_rows(list(ParticipantStatus), EVENT_TABLE),
        "",
        "Events about a conference:",
        "",
        *_event_rows(list(ConferenceStatus), CONFERENCE_TABLE),
    ]
    lines += ["", "Then, in this order, what follows from the state:", ""]
    for rule in STATE_TABLE:
        lines.append(f"- **{rule.__name__.removeprefix('_')}**: {' '.join((rule.__doc__ or '').split())}")
    lines += ["", "What a client is told of it:", ""]
    lines += ["| Event | Lane | Subscribed by | Callback |", "|---|---|---|---|"]
    lines += [f"| {event.__name__} | {row.source} | `{row.word}` | `{row.kind}` |" for event, row in PLAN.items()]
    return "\n".join([*lines, ""])


_QUOTA_NOTES = f"""\
Who is over a quota is told so {REFUSAL_SECONDS:g} s after the request: asking again at once gains nothing.

## What they sum to

Measured in Redis 7: a kept participant takes 1.2 kB, or 4.2 kB with both callbacks configured, its conference 0.6 kB,
a remembered callback 2 kB, or 8.9 kB with the longest URLs. So one account at all its defaults keeps 100,000
participants (480 MB with a conference each), 256 MB of parameters and 50,000 callbacks (450 MB): 1.2 GB. Callbacks
that wait for a receiver that is away come on top, up to 10,000 in each lane. Two such accounts fill nine tenths of
the compose file's 2 GB, and then nobody is added any more. Where tenants do not trust each other,
`--kept-participants`, `--kept-parameter-bytes` and `--kept-callbacks` of all accounts together have to stay below
nine tenths of `maxmemory`; `orchestrator check` says how much is used.

What is kept grows with traffic and time: for a rough size of Redis take, of a day, calls x 1.2 to 4.2 kB x
`CALL_RETENTION_DAYS` and callbacks x 2 kB x `RETENTION_DAYS`, twice that for the rewrite of the append-only file, and
`MEDIA_MEGABYTES`. Less time makes it smaller; calls go into an archive before, by `orchestrator calls export`.
""".splitlines()


def limits() -> str:
    """One row for each quota."""
    rows = [f"| `{row.option}` | {row.default:,} | {row.bounds} | {row.answer} |" for row in TABLE]
    return "\n".join(
        [
            "# What one account may take",
            "",
            "Drawn from `orchestrator/limits.py` by `python docs/generate.py`. An operator shows and changes them with",
            "`orchestrator account limits --account AC… [--live-participants N] …`; N is a number, of which 0 allows",
            "nothing, or `default`. Processes see it within a second.",
            "",
            "| Option | Default | Bounds | Over it |",
            "|---|---|---|---|",
            *rows,
            "",
            "What is live is counted by sets of calls, in the step in which a create is admitted; a call leaves them",
            "with the commit of its end. What a crash leaves there is found and removed by the account's next creates.",
            *_QUOTA_NOTES,
            "",
        ]
    )


IS = {
    "twiml": "TwiML",
    "text": "text, which is spoken",
    "ulaw": "audio; G.711 μ-law if it has no header of its own",
    "gsm": "audio; GSM 6.10 if it has no header of its own",
}


def media_tables() -> str:
    """Every verb, attribute, kind of answer and of audio, and code."""
    lines = [
        "# What a WaitUrl, HoldUrl or AnnounceUrl may answer",
        "",
        "Drawn from `orchestrator/twiml` and `orchestrator/media` by `python docs/generate.py`. Codes are Twilio's.",
        "What Twilio only warns of is logged as `twiml_warning`, and something else stands in; a verb that cannot be",
        "played is logged as `verb_passed_over`; a document that is discarded, or of which nothing can be played",
        "and that leads nowhere else, as `sound_failed`.",
        "",
        "## TwiML",
        "",
        "| Verb | | Takes | Otherwise | Code |",
        "|---|---|---|---|---|",
    ]
    for verb, syntax in VERBS.items():
        rows = {"its content": syntax.content} | {f"`{name}`": row for name, row in syntax.attributes.items()}
        lines += [
            f"| `<{verb}>` | {name} | {row.takes} | {row.otherwise} | {row.code or ''} |" for name, row in rows.items()
        ]
    lines += [
        "| any | another attribute | anything | as if it were not there | 12200 |",
        "| none | an element that is no verb of Twilio's, or in another case | anything | passed over | 12200 |",
        f"| {', '.join(f'`<{verb}>`' for verb in sorted(FORBIDDEN))} | | | the document is discarded | 13238 |",
        "",
        f"Languages: {', '.join(LANGUAGES)}.",
        "",
        "## SSML in a `<Say>`",
        "",
        "| Element | Attributes that an engine is told | Otherwise | Code |",
        "|---|---|---|---|",
    ]
    for name, told in ELEMENTS.items():
        known = ", ".join(f"`{key}`" for key in told)
        code = "13513 (`rate`), 12200" if "rate" in told else "12200"
        lines.append(f"| `<{name}>` | {known or 'none'} | the attribute is left out | {code} |")
    spelt, unspoken = (", ".join(f"`{way}`" for way in sorted(ways)) for ways in (SPELT, UNSPOKEN))
    lines += [
        f"| `<say-as>` | none: {spelt} are spelt out; {unspoken}: a pause | the text as it is | |",
        "| `<sub>` | none: its `alias` is spoken | the text as it is | |",
        "| `<phoneme>`, `<w>`, `<speak>` | none | the text as it is | |",
        "| any other | none | the text as it is | 12200 |",
        "",
        "espeak-ng reads this markup; another `TTS_COMMAND` gets plain text, with punctuation where a pause was meant.",
        "A word ends at a tag, whichever it is.",
        "",
        "## Kinds of answers",
        "",
        "| Content-Type | Is |",
        "|---|---|",
        *(f"| `{name}` | {IS[kind]} |" for name, kind in (WRITTEN | BARE).items()),
        "| any other, or none | audio, if it can be decoded |",
        "",
        "In a `<Play>` all is audio but what has a bare type above.",
        "An encoding is known by the byte order mark, then the header's charset, then the XML declaration (RFC 7303).",
        "",
        "## Kinds of audio",
        "",
        "Known by what they are, whatever the Content-Type; of any rate and number of channels.",
        "",
        "| | |",
        "|---|---|",
        f"| Files | {'; '.join(FORMATS.values())}; bare G.711 μ-law, by its Content-Type |",
        f"| Codecs | {', '.join(dict.fromkeys(name for name in CODECS.values() if name))} |",
        "| Any other | 13420 in a `<Play>`, 12300 as a document |",
        "",
        "## Errors",
        "",
        "| Code | |",
        "|---|---|",
        *(f"| {code} | {meaning} |" for code, meaning in sorted(MEANINGS.items())),
    ]
    return "\n".join([*lines, ""])


DOCUMENTS = {"media.md": media_tables, "limits.md": limits, "redis-schema.md": redis_schema, "state.md": state_tables}

if __name__ == "__main__":
    for name, draw in DOCUMENTS.items():
        (HERE / name).write_text(draw(), "utf-8")
