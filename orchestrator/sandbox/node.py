"""One run of a FreeSWITCH: its channels, conferences and tasks, and the events that tell of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping

import gevent
import structlog
from gevent.pool import Group

from orchestrator.sandbox.conference import NO_PROFILE, PROFILES, Conference
from orchestrator.sandbox.events import Event, EventStamp
from orchestrator.sandbox.http_cache import HttpCache
from orchestrator.sandbox.not_simulated import NotSimulated
from orchestrator.sandbox.recorded import API_COMMANDS
from orchestrator.sandbox.scheduler import Scheduler
from orchestrator.sandbox.session import Session
from orchestrator.sandbox.throttle import Throttle

log = structlog.get_logger(__name__)


class Node:
    """Everything that a restart forgets. `sinks` get every event; a new run has a new Core-UUID."""

    def __init__(
        self,
        commands: Mapping[str, Callable[[Node, str], str]],
        applications: Mapping[str, Callable[[Session, str], None]],
        modules: Iterable[str],
    ) -> None:
        """A node that has just been started. It is given the commands and applications that it runs: they know it."""
        self._commands = commands
        self.applications = applications
        self.core_uuid = str(uuid.uuid4())
        self.started_at = time.time()
        self.sessions: dict[str, Session] = {}
        self.conferences: dict[str, Conference] = {}
        self.sinks: set[Callable[[Event], None]] = set()
        self.sessions_since_startup = 0
        self.sessions_peak = 0
        self.throttle = Throttle()
        self.scheduler = Scheduler(self.fire, self.spawn_later)
        self.http_cache = HttpCache()
        self.modules = set(modules)
        self.freeze: Callable[[float], None] = lambda seconds: None
        self._stamp = EventStamp(self.core_uuid)
        self._last_member_id = 0
        self._greenlets = Group()

    # --- greenlets -----------------------------------------------------------------------------------------------

    def spawn(self, function: Callable[..., None], *arguments: object) -> gevent.Greenlet[..., object]:
        """Start a greenlet that dies with this run."""
        return self.spawn_later(0, function, *arguments)

    def spawn_later(
        self, seconds: float, function: Callable[..., None], *arguments: object
    ) -> gevent.Greenlet[..., object]:
        """Start a greenlet that dies with this run, so many seconds later."""
        greenlet: gevent.Greenlet[..., object] = gevent.Greenlet(function, *arguments)
        self._greenlets.add(greenlet)
        if seconds:
            greenlet.start_later(seconds)
        else:
            greenlet.start()
        return greenlet

    def end(self) -> None:
        """End the run as if the process were gone: no event, no BYE, nothing remembered."""
        self.sinks.clear()
        self._greenlets.kill(block=False)
        self.http_cache.end()

    # --- events --------------------------------------------------------------------------------------------------

    def fire(self, name: str, headers: dict[str, str], subclass: str | None = None, body: str | None = None) -> None:
        """switch_event_fire: stamp it and hand it to every listener."""
        event = Event(self._stamp.headers(name, subclass) | headers, body)
        for sink in tuple(self.sinks):
            sink(event)

    # --- commands ------------------------------------------------------------------------------------------------

    def api(self, command: str, argument: str) -> str:
        """switch_api_execute: the reply as it goes over the wire, and an API event that says so."""
        function = self._commands.get(command.lower())
        if function is None and command.lower() in API_COMMANDS:
            return self.refuse(command)
        if function is None:
            return f"-ERR {command} Command not found!\n"
        try:
            reply = function(self, argument)
        except NotSimulated as refused:
            return self.refuse(str(refused))
        headers = {"API-Command": command}
        self.fire("API", headers | ({"API-Command-Argument": argument} if argument else {}))
        return reply

    # --- what it holds -------------------------------------------------------------------------------------------

    def add_session(self, session: Session) -> None:
        """Note that a channel has been made."""
        self.sessions[session.channel.channel_uuid] = session
        self.sessions_since_startup += 1
        self.sessions_peak = max(self.sessions_peak, len(self.sessions))

    def session_there(self, channel_uuid: str) -> Session | None:
        """switch_core_session_locate: one that has been hung up is not found, though its last events are to come."""
        session = self.sessions.get(channel_uuid)
        return None if session is None or session.channel.hung_up.is_set() else session

    def refuse(self, what: str) -> str:
        """Return the reply to what the real one does and this one does not, and log it."""
        log.error("sandbox_does_not_simulate", what=what)
        return f"-ERR not simulated: {what}\n"

    def forget_session(self, session: Session) -> None:
        """Forget a channel that has been destroyed."""
        self.sessions.pop(session.channel.channel_uuid, None)

    def find_conference(self, name: str) -> Conference | None:
        """conference_find: one that is ending is not found any more, even if members are still in it."""
        conference = self.conferences.get(name)
        if conference is not None and conference.ending.is_set():
            self.forget_conference(conference)
            return None
        return conference

    def join_conference(self, name: str, profile_name: str) -> Conference:
        """Return the conference of that name, made if there is none (conference_new)."""
        conference = self.find_conference(name)
        if conference is None:
            conference = Conference(self, name, profile_name if profile_name in PROFILES else NO_PROFILE)
            self.conferences[name] = conference
            conference.create()
        return conference

    def forget_conference(self, conference: Conference) -> None:
        """Forget a conference by its name; one of the same name that was made since is left alone."""
        if self.conferences.get(conference.name) is conference:
            del self.conferences[conference.name]

    def next_member_id(self) -> int:
        """Member ids are unique on the node, not in the conference."""
        self._last_member_id += 1
        return self._last_member_id
