"""Renders the pages' parts as HTML, by Jinja, which escapes whatever comes from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flask import Response
from jinja2 import Environment

from orchestrator.console.reader import PEOPLE_SHOWN, Reader
from orchestrator.console.views import conference_row, moment_row, person_row
from orchestrator.domain.conference import Conference, Participant
from orchestrator.domain.recording import Recording
from orchestrator.errors import NotFound
from orchestrator.outgoing.addressing import without_password
from orchestrator.services.all_services import Services
from orchestrator.sids import is_sid
from orchestrator.store.callbacks import CallbackFilter
from orchestrator.store.history import timeline

CONFERENCES_SHOWN: Final = 100
CALLBACKS_SHOWN: Final = 200
RECORDINGS_SHOWN: Final = 50
CALLS_ASKED_FOR_RECORDINGS: Final = 1_000
"""Of a conference's people, how many are asked for recordings: the last ones."""

SECTIONS: Final = ("nodes", "queues", "accounts", "conferences", "recordings", "trouble")


class Pages:
    """Reads and renders; needs no request, so that one greenlet can do it for all who watch."""

    def __init__(self, reader: Reader, services: Services, templates: Environment) -> None:
        self._reader = reader
        self._services = services
        self._templates = templates

    def _html(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(**values)

    def live(self) -> dict[str, str]:
        """Return all that lives: section -> HTML."""
        reader = self._reader
        conferences = reader.overview.conferences()
        nodes = [(node, _seen_at(node.facts)) for node in reader.nodes(conferences)]
        people = reader.people_of(conferences)
        recordings, watched = reader.recordings.list_running()
        values: dict[str, dict[str, Any]] = {
            "nodes": {"nodes": nodes, "kinds": sorted(reader.processes.count_kinds().items())},
            "queues": {
                "lanes": reader.backlog.lanes(),
                "retrying": reader.backlog.retrying(),
                "ready": reader.ready(),
                "dead": reader.backlog.dropped(),
            },
            "accounts": {"accounts": reader.accounts()},
            "conferences": {
                "conferences": conferences[:CONFERENCES_SHOWN],
                "number": len(conferences),
                "people_number": sum(row.people for row in conferences),
                "people": people,
                "people_shown": PEOPLE_SHOWN,
            },
            "recordings": {
                "recordings": [(one, _second(one.created_at.timestamp())) for one in recordings[:RECORDINGS_SHOWN]],
                "watched": watched,
            },
            "trouble": {"trouble": [(one, clock(one.line.at_ms)) for one in reader.trouble()]},
        }
        return {name: self._html(f"_{name}.html", **values[name]) for name in SECTIONS}

    def conferences(self, sids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows of those conferences that are still known."""
        found = (self._reader.history.load_conference(sid) for sid in sids[:CONFERENCES_SHOWN])
        return [conference_row(one) for one in found if one is not None]

    def conference(self, sid: str) -> str:
        """Return all of one conference, also after its end. Raises NotFound."""
        conference = self._reader.history.load_conference(sid)
        if conference is None:
            raise NotFound("Nothing is known of this conference any more")
        people, are_more = self._reader.history.list_last_people(conference)
        return self._html(
            "_conference.html",
            conference=conference_row(conference),
            people=[(person_row(call), call.is_live) for call in people],
            are_more=are_more,
            moments=[moment_row(moment) for moment in timeline(conference, people)],
            callbacks=self._callbacks(conference),
            recordings=self._recordings(conference, people),
        )

    def _callbacks(self, conference: Conference) -> list[dict[str, Any]]:
        wanted = CallbackFilter(conference_sid=conference.conference_sid)
        page = self._services.callback_log.list_callbacks(conference.account_sid, wanted, CALLBACKS_SHOWN)
        return [
            {
                "at": clock(row.planned_ms),
                "row": row,
                "url": without_password(row.url),
                "attempts": [(clock(attempt.at_ms), attempt) for attempt in row.attempts],
            }
            for row in page.callbacks
        ]

    def _recordings(self, conference: Conference, people: Sequence[Participant]) -> list[Recording]:
        """Return the conference's last recordings, and those of its last people, whoever asked for them."""
        calls = [call.call_sid for call in people[-CALLS_ASKED_FOR_RECORDINGS:]]
        return self._reader.recordings.list_last([conference.conference_sid, *calls], RECORDINGS_SHOWN)

    def recording(self, sid: str) -> Response:
        """Return the sound of a recording, whoever's it is. Raises NotFound."""
        known = self._reader.recordings.find(sid) if is_sid("RE", sid) else None
        if known is None:
            raise NotFound("The recording was not found")
        media = self._services.recordings.media(known.recording.account_sid, sid, "wav")
        headers = {"Content-Length": str(media.size)}
        return Response(media.read(0, media.size), mimetype="audio/wav", headers=headers)


def _seen_at(facts: Mapping[str, str]) -> str:
    """Return when a node's listener said something last."""
    return _second(float(facts["seen_at"])) if "seen_at" in facts else ""


def _second(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clock(at_ms: int) -> str:
    """Return a moment as operators read it, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
