"""Composes the WSGI application of the API; what a request does is in the dialects."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import gevent
import orjson
import structlog
from flask import Blueprint, Flask, Request, Response, g, request
from flask_swagger_ui import get_swaggerui_blueprint
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from orchestrator import logs, metrics, tracing
from orchestrator.api.authentication import Authenticator, is_open
from orchestrator.api.connections import let_wait
from orchestrator.api.forms import MAX_BODY_BYTES, check_request, too_large
from orchestrator.api.request_log import RequestLog
from orchestrator.dialects import cors, openapi, routes
from orchestrator.dialects.base import Dialects
from orchestrator.dialects.own import routes as own
from orchestrator.dialects.registry import DIALECTS
from orchestrator.dialects.routes import current
from orchestrator.errors import ApiError, BadParameter, MethodNotAllowed, QuotaReached, Unavailable
from orchestrator.media import serve
from orchestrator.services.all_services import Services
from orchestrator.services.pacing import Pacing
from orchestrator.store.accounts import AccountStore
from orchestrator.store.media import MediaStore
from orchestrator.store.quotas import QuotaStore

ANSWER_SECONDS = 1.9
"""Every answer is due within 2 s, however many slow parts add up; whatever is not done by then is a 503."""

COUNTED: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that have metrics of their own; all others are counted as `other`: anybody may send any word as a method, and
a metric lasts as long as the process."""

log = structlog.get_logger("app")


class _App(Flask):
    """Flask, and what every request has: a name, a deadline, and headers that every answer has."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function as it is: none is async. Flask would look at each of them, for each request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Find resources by the path alone: hosts tell nothing here. Flask would read and check the Host header three
        times, which takes 25 calls."""
        if request is None:
            return None
        host, query = request.headers.get("Host", ""), request.query_string.decode("utf-8", "replace")
        known, at = host if host.isascii() else "", request.root_path
        return MapAdapter(self.url_map, known, at, "", request.scheme, request.path, request.method, query)

    def wsgi_app(self, environ: Any, start_response: Any) -> Any:
        """Answer a request in time, under a name that the client gets, and that every line of the log that the request
        causes has."""
        request_id = f"RQ{uuid.uuid4().hex}"

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # As Twilio does: support asks for it. Here, for werkzeug's way to add a header takes ten calls.
            return start_response(status, [*headers, *cors.HEADERS, ("Twilio-Request-Id", request_id)], *error)

        logs.start(request_id)
        deadline = gevent.Timeout(ANSWER_SECONDS, Unavailable("The switch or the data store is too slow"))
        try:
            with tracing.span("request", request_id), deadline:
                return super().wsgi_app(environ, start)
        finally:
            logs.start()


def create_app(
    services: Services,
    accounts: AccountStore,
    media: MediaStore,
    quotas: QuotaStore,
    dialects: Dialects = DIALECTS,
    problems: Callable[[], Sequence[str]] = tuple,
) -> Flask:
    """Make the WSGI application: all dialects, our own API, audio for the switches, and health paths. `problems`: what
    the deployment lacks."""
    app = _App(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    pacing = Pacing()
    _add_hooks(app, dialects, Authenticator(accounts), pacing)
    for prefix in dialects.prefixes:
        app.register_blueprint(routes.make_blueprint(prefix, services, pacing))
    app.register_blueprint(own.make_blueprint(services, pacing, quotas))
    app.register_blueprint(serve.make_blueprint(media))
    _add_description(app)
    _add_health(app, problems)
    _add_errors(app, pacing)
    return app


def _add_hooks(app: Flask, dialects: Dialects, authenticator: Authenticator, pacing: Pacing) -> None:
    """Add what is done for every request, before it and after it."""
    request_log = RequestLog()
    app.before_request(lambda: _admit(dialects, authenticator, pacing))
    app.after_request(lambda response: _account_for(response, request_log))


def _add_description(app: Flask) -> None:
    """Add the OpenAPI document and the page that shows it."""
    document = orjson.dumps(openapi.build_document())

    @app.get("/openapi.json")
    def describe() -> Response:
        return Response(document, mimetype="application/json")

    app.register_blueprint(_make_page())


def _add_health(app: Flask, problems: Callable[[], Sequence[str]]) -> None:
    """Add the paths that a load balancer asks."""

    @app.get("/healthz")
    def health() -> Response:
        """Say that this process answers; `/readyz` and `orchestrator check` look at what is behind it."""
        return Response("ok\n", mimetype="text/plain")

    @app.get("/readyz")
    def ready() -> Response:
        """Say whether the deployment can do its work, and what it lacks."""
        lacking = problems()
        return Response("\n".join(lacking or ("ready",)) + "\n", 503 if lacking else 200, mimetype="text/plain")


def _add_errors(app: Flask, pacing: Pacing) -> None:
    """Add the handlers that turn an exception into an answer."""
    app.register_error_handler(ApiError, _answer_error)

    @app.errorhandler(QuotaReached)
    def refuse_late(error: QuotaReached) -> Response:
        let_wait(request.environ)
        pacing.rest(g.asked_at)
        return _answer_error(error)

    @app.errorhandler(HTTPException)
    def translate(error: HTTPException) -> Response:
        """Put Werkzeug's own refusals into Twilio's words, and what was raised where Flask asks no handler of ours."""
        if error.code is None or error.code >= 500:
            cause = getattr(error, "original_exception", None)
            return _answer_error(cause if isinstance(cause, ApiError) else ApiError("An internal error has occurred"))
        if error.code == 404:
            return _answer_error(routes.no_such_path())
        if error.code == 405:
            return _answer_error(MethodNotAllowed("Method not allowed"))
        if error.code == 413:
            return _answer_error(too_large())
        return _answer_error(BadParameter(error.description or error.name))

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        """Log a defect of ours as a whole; the client learns nothing of the inside."""
        log.exception("request_crashed")
        return _answer_error(ApiError("An internal error has occurred"))


def _make_page() -> Blueprint:
    """Make the page with Swagger UI at /openapi/, its files from the package: a browser asks nobody but us. The
    redirect is named here, or it would be made of the request's Host."""
    config = {"app_name": "Conference orchestrator", "oauth2RedirectUrl": "/openapi/oauth2-redirect.html"}
    page: Blueprint = get_swaggerui_blueprint("/openapi", "/openapi.json", config=config)
    return page


def _admit(dialects: Dialects, authenticator: Authenticator, pacing: Pacing) -> Response | None:
    """Find out what is asked for, in which dialect, and whose request it is, and count it; returns the whole answer to
    a preflight. Raises AuthenticationFailed, AccountSuspended, QuotaReached, BadParameter, BodyTooLarge."""
    asking, known = current(request), current(g)
    known.asked_at = time.monotonic()
    known.asked = dialects.asked(asking.method, asking.path, asking.headers.get("Accept", ""))
    if asking.method == "OPTIONS":
        return cors.answer_preflight()
    if not is_open(asking):
        known.account = account = authenticator.authenticate(asking, known.asked)
        logs.bind(account.account_sid)
        logs.bind_asker(asking.authorization.username if asking.authorization else None)
        pacing.take_request(account.account_sid, account.limits)
    check_request(asking)
    return None


def _answer_error(error: ApiError) -> Response:
    """Answer an error in the words of the request's dialect."""
    g.refusal = error
    return routes.to_response(g.asked.dialect.render_error(g.asked, error))


def _account_for(response: Response, request_log: RequestLog) -> Response:
    """Count the request, and log it if it was refused. Wrong credentials have lines of their own, by address."""
    asking, known, status = current(request), current(g), response.status_code
    route = str(asking.url_rule.endpoint) if asking.url_rule else "none"
    route = route.rpartition(".")[2].removesuffix("json")
    method = asking.method if asking.method in COUNTED else "other"
    metrics.REQUESTS.labels(route, method, status).inc()
    metrics.REQUEST_SECONDS.labels(route).observe(time.monotonic() - known.asked_at)
    tracing.describe({"http.route": route, "http.response.status_code": status})
    if status >= 400 and status != 401 and route != "ready":
        account, error = known.get("account"), known.get("refusal")
        who = account.account_sid if account else asking.remote_addr or ""
        details = {"code": error.code, "error": error.message[:300]} if error else {}
        request_log.refused(who, asking.method, asking.path, status, address=asking.remote_addr, **details)
    return response
