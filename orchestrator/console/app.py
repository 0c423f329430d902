"""Composes the operators' web application."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from flask import Flask, Response, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from orchestrator import logs
from orchestrator.api.connections import tell_client
from orchestrator.console import admin, metrics
from orchestrator.console.actions import ACTIONS, Action, Hands
from orchestrator.console.live import Live, LivePages
from orchestrator.console.pages import Pages
from orchestrator.console.reader import Reader
from orchestrator.console.security import HEADERS, Door
from orchestrator.errors import ApiError, BadParameter, NotFound
from orchestrator.outgoing.networks import Network
from orchestrator.services.account_operations import AccountOperations
from orchestrator.services.all_services import Services
from orchestrator.services.node_operations import NodeOperations
from orchestrator.store.account_removal import AccountRemoval
from orchestrator.store.audit import AuditStore, Deed

log = structlog.get_logger("console")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the console is made of. `problems`: what the deployment lacks."""

    reader: Reader
    services: Services
    removal: AccountRemoval
    audit: AuditStore
    problems: Callable[[], Sequence[str]]


def create_console(parts: Parts, token: str, trusted: Sequence[Network] = ()) -> Flask:
    """Make the WSGI application. `trusted`: networks of the proxies that are believed about who asks."""
    app = Flask(__name__)
    app.wsgi_app = partial(_ask_as_client, app.wsgi_app, trusted)  # type: ignore[method-assign]  # Flask's own way
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    reader = parts.reader
    door, pages = Door(token), Pages(reader, parts.services, app.jinja_env)
    accounts = AccountOperations(reader.account_store, parts.removal)
    nodes = NodeOperations(reader.registry, reader.node_store)
    hands = Hands(parts.services, reader.history, accounts, nodes)

    app.before_request(lambda: _let_in(door))
    app.after_request(_harden)
    app.teardown_request(lambda _: logs.start())
    _add_pages(app, parts, pages)
    _add_actions(app, hands, parts.audit)
    _add_health(app, parts, door)
    app.register_blueprint(admin.make_blueprint(reader, accounts, nodes))
    app.after_request(partial(_note_admin, parts.audit))
    _add_errors(app)
    return app


def _let_in(door: Door) -> ResponseReturnValue | None:
    """Ask the door who it is; returns its refusal, or None."""
    refused = door.check(request)
    g.is_in = refused is None
    return refused


def _add_pages(app: Flask, parts: Parts, pages: Pages) -> None:
    """Add the pages that show something, and the streams that keep two of them up to date."""
    live, conferences = Live(pages.live), LivePages(lambda sid: {"conference": pages.conference(sid)})

    @app.get("/")
    def home() -> str:
        return render_template("live.html", sections=pages.live())

    @app.get("/events")
    def events() -> Response:
        return _stream(live.watch())

    @app.get("/conferences/<sid>")
    def conference(sid: str) -> str:
        return render_template("conference.html", sid=sid, body=pages.conference(sid))

    @app.get("/conferences/<sid>/events")
    def conference_events(sid: str) -> Response:
        pages.conference(sid)  # or NotFound
        return _stream(conferences.watch(sid))

    @app.get("/recordings/<sid>.wav")
    def recording(sid: str) -> Response:
        return pages.recording(sid)

    @app.get("/search")
    def search() -> ResponseReturnValue:
        wanted = request.args.get("q", "")[:200]
        found = parts.reader.history.find(wanted) if wanted.strip() else []
        if len(found) == 1:
            return redirect(f"/conferences/{found[0]}", 303)
        return render_template("search.html", wanted=wanted, found=pages.conferences(found))

    @app.get("/audit")
    def audit() -> str:
        return render_template("audit.html", deeds=parts.audit.list())


def _add_actions(app: Flask, hands: Hands, audit: AuditStore) -> None:
    """Add the operators' actions. Each asks first, on a page of its own: that works without scripts, by keyboard, and
    nobody hits it by accident."""

    @app.get("/ask/<name>")
    def ask(name: str) -> str:
        action, given = _read(name, request.args)
        question = action.question.format(**given)
        return render_template("ask.html", name=name, action=action, given=given, question=question, back=_back())

    @app.post("/do/<name>")
    def do(name: str) -> ResponseReturnValue:
        action, given = _read(name, request.form)
        target = " ".join(given.values())
        try:
            outcome = action.do(hands, given)
        except ApiError as error:
            _note(audit, name, target, f"failed: {error.message}")
            raise
        _note(audit, name, target, outcome)
        return redirect(_back(), 303)


def _back() -> str:
    """Return where the question was asked: a path of ours."""
    path = request.values.get("back", "/")
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _read(name: str, values: Mapping[str, str]) -> tuple[Action, dict[str, str]]:
    action = ACTIONS.get(name)
    if action is None:
        raise NotFound("There is no such action")
    given = {need: values.get(need, "")[:200] for need in action.needs}
    if not all(given.values()):
        raise BadParameter(f"{', '.join(action.needs)}: needed")
    return action, given


def _add_health(app: Flask, parts: Parts, door: Door) -> None:
    """Add what is no page for operators: health, figures and the login."""

    @app.get("/healthz")
    def health() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @app.get("/readyz")
    def ready() -> Response:
        lacking = parts.problems()
        return Response("\n".join(lacking or ("ready",)) + "\n", 503 if lacking else 200, mimetype="text/plain")

    @app.get("/metrics")
    def exposed() -> Response:
        return Response(metrics.exposition(parts.reader), mimetype="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/login")
    def ask_token() -> str:
        return render_template("login.html")

    @app.post("/login")
    def login() -> Response:
        return door.login(request.form.get("token", ""))


def _add_errors(app: Flask) -> None:
    """Add the handlers that turn an exception into an answer."""

    @app.errorhandler(ApiError)
    def refuse(error: ApiError) -> ResponseReturnValue:
        return _said(error.message, error.code, error.http_status)

    @app.errorhandler(HTTPException)
    def translate(error: HTTPException) -> ResponseReturnValue:
        status = error.code or 500
        return _said(error.name, 20_000 + status, status)

    @app.errorhandler(Exception)
    def fail(error: Exception) -> ResponseReturnValue:
        log.exception("request_crashed", path=request.path[:200])
        return _said("An internal error has occurred", 20_500, 500)


def _said(message: str, code: int, status: int) -> ResponseReturnValue:
    """Answer an error: to a person as a page, to a program as JSON."""
    if "text/html" in request.headers.get("Accept", ""):
        return render_template("error.html", message=message, status=status), status
    return {"code": code, "message": message, "status": status}, status


def _note(audit: AuditStore, action: str, target: str, outcome: str) -> None:
    """Note what an operator did: a line of the log, and a row of the last thousand for the page."""
    address = request.remote_addr or ""
    log.info("operator_action", address=address, action=action, target=target, outcome=outcome)
    audit.add(Deed.now(address, action, target, outcome))


def _note_admin(audit: AuditStore, response: Response) -> Response:
    """Note what the operators' API has changed in the audit log, too; what the door refused is no deed of theirs."""
    if g.get("is_in") and request.path.startswith("/v1/") and request.method not in ("GET", "HEAD"):
        target = " ".join((request.path[:200], *g.get("fields", ())))
        _note(audit, request.method, target, str(response.status_code))
    return response


def _ask_as_client(application: Any, trusted: Sequence[Network], environ: dict[str, Any], start_response: Any) -> Any:
    tell_client(environ, trusted)
    return application(environ, start_response)


def _harden(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "max-age=3600"
    return response


def _stream(events: Iterator[str]) -> Response:
    return Response(events, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
