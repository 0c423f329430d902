"""Draws redis-schema.md, state.md and limits.md from the tables that the program runs on: `python docs/generate.py`."""

from __future__ import annotations

from pathlib import Path

from orchestrator.callbacks.plan import PLAN
from orchestrator.domain.conference import ParticipantStatus
from orchestrator.domain.transitions import EVENT_TABLE, STATE_TABLE
from orchestrator.jobs.wakeups import CALLBACKS, ITEMS_PER_JOB, MOST_READY, SOUNDS, WOKEN_SECONDS, Topic
from orchestrator.limits import TABLE
from orchestrator.store.keys import KEYS

HERE = Path(__file__).parent


def redis_schema() -> str:
    """One row for each key."""
    rows = [f"| `{key.pattern}` | {key.type} | {key.holds} | {key.lifetime} |" for key in KEYS]
    return "\n".join(
        [
            "# Redis keys",
            "",
            "Drawn from `orchestrator/store/keys.py` by `python docs/generate.py`. Keys of one conference share the",
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
            *(row for topic in (SOUNDS, CALLBACKS) for row in _topic_rows(topic)),
            "",
        ]
    )


def _topic_rows(topic: Topic) -> list[str]:
    taken = f"taken by jobs, {ITEMS_PER_JOB} each; at most {MOST_READY:,}"
    return [
        f"| `{topic.ready}` | list | what a job of `{topic.name}` has to look at, as text | {taken} |",
        f"| `{topic.woken}` | string | a job is on its way that will take them | with that job; {WOKEN_SECONDS} s |",
    ]


def state_tables() -> str:
    """The two tables of transitions.py and the plan of callbacks."""
    statuses = list(ParticipantStatus)
    lines = [
        "# State",
        "",
        "Drawn from `orchestrator/domain/transitions.py` and `orchestrator/callbacks/plan.py` by",
        "`python docs/generate.py`. A cell names the rule that an event triggers for a participant of that status;",
        "`-` is late news, and changes nothing.",
        "",
        "| Event | " + " | ".join(statuses) + " |",
        "|---|" + "---|" * len(statuses),
    ]
    for event, row in EVENT_TABLE.items():
        cells = [rule.__name__.removeprefix("_") if (rule := row[status]) else "-" for status in statuses]
        lines.append(f"| {event.__name__} | " + " | ".join(cells) + " |")
    lines += ["", "Then, in this order, what follows from the state:", ""]
    for rule in STATE_TABLE:
        lines.append(f"- **{rule.__name__.removeprefix('_')}**: {' '.join((rule.__doc__ or '').split())}")
    lines += ["", "What a client is told of it:", ""]
    lines += ["| Event | Lane | Subscribed by | Callback |", "|---|---|---|---|"]
    lines += [f"| {event.__name__} | {row.source} | `{row.word}` | `{row.kind}` |" for event, row in PLAN.items()]
    return "\n".join([*lines, ""])


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
            "",
        ]
    )


DOCUMENTS = {"redis-schema.md": redis_schema, "state.md": state_tables, "limits.md": limits}

if __name__ == "__main__":
    for name, draw in DOCUMENTS.items():
        (HERE / name).write_text(draw(), "utf-8")
