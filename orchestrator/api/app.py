"""Composes the WSGI application of the API; what a request does is in the dialects."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

import gevent
import orjson
import structlog
from flask import Blueprint, Flask, Response, g, request
from flask_swagger_ui import get_swaggerui_blueprint
from werkzeug.exceptions import HTTPException

from orchestrator import logs, metrics, tracing
from orchestrator.api.authentication import Authenticator, is_open
from orchestrator.api.connections import let_wait
from orchestrator.api.forms import MAX_BODY_BYTES, check_request, too_large
from orchestrator.api.request_log import RequestLog
from orchestrator.dialects import cors, openapi, routes
from orchestrator.dialects.base import Dialects
from orchestrator.dialects.own import routes as own
from orchestrator.dialects.registry import DIALECTS
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
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function as it is: none is async. Flask would look at each of them, for each request."""
        return func


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
    """Add what is done for every request. Flask runs what is before one in this order, what is after it in reverse."""
    app.before_request(_name_request)
    app.before_request(_start_deadline)
    app.before_request(lambda: _read_path(dialects))
    app.before_request(lambda: cors.answer_preflight(request))
    app.before_request(lambda: _admit(authenticator, pacing))
    app.before_request(lambda: check_request(request))
    request_log = RequestLog()
    app.after_request(cors.allow)
    app.after_request(_tell_name)
    app.after_request(lambda response: _account_for(response, request_log))
    app.teardown_request(_stop_deadline)
    app.teardown_request(lambda _: logs.start())
    app.teardown_request(lambda _: g.pop("trace", ExitStack()).close())


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
        """Put Werkzeug's own refusals into Twilio's words."""
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


def _admit(authenticator: Authenticator, pacing: Pacing) -> None:
    """Find out whose request it is, and count it. Raises AuthenticationFailed, AccountSuspended, QuotaReached."""
    if not is_open(request):
        g.account = authenticator.authenticate(request, g.asked)
        logs.bind(g.account.account_sid)
        logs.bind_asker(request.authorization.username if request.authorization else None)
        pacing.take_request(g.account.account_sid, g.account.limits)


def _read_path(dialects: Dialects) -> None:
    """Find the dialect and the resource that the path names."""
    g.asked = dialects.asked(request.method, request.path, request.headers.get("Accept", ""))


def _answer_error(error: ApiError) -> Response:
    """Answer an error in the words of the request's dialect."""
    g.refusal = error
    return routes.to_response(g.asked.dialect.render_error(g.asked, error))


def _name_request() -> None:
    """Give the request a name: the client gets it, and every line of the log that the request causes has it."""
    g.request_id = f"RQ{uuid.uuid4().hex}"
    logs.start(g.request_id)
    g.trace = ExitStack()
    g.span = g.trace.enter_context(tracing.span("request", g.request_id))


def _account_for(response: Response, request_log: RequestLog) -> Response:
    """Count the request, and log it if it was refused. Wrong credentials have lines of their own, by address."""
    route = str(request.url_rule.endpoint) if request.url_rule else "none"
    route = route.rpartition(".")[2].removesuffix("json")
    method = request.method if request.method in COUNTED else "other"
    metrics.REQUESTS.labels(route, method, response.status_code).inc()
    metrics.REQUEST_SECONDS.labels(route).observe(time.monotonic() - g.asked_at)
    if g.span is not None:
        g.span.set_attributes({"http.route": route, "http.response.status_code": response.status_code})
    if response.status_code >= 400 and response.status_code != 401 and route != "ready":
        account, error = g.get("account"), g.get("refusal")
        who = account.account_sid if account else request.remote_addr or ""
        details = {"code": error.code, "error": error.message[:300]} if error else {}
        request_log.refused(
            who, request.method, request.path, response.status_code, address=request.remote_addr, **details
        )
    return response


def _tell_name(response: Response) -> Response:
    """Add the request's name to the response, as Twilio does: support asks for it."""
    response.headers["Twilio-Request-Id"] = g.request_id
    return response


def _start_deadline() -> None:
    g.asked_at = time.monotonic()
    g.deadline = gevent.Timeout.start_new(ANSWER_SECONDS, Unavailable("The switch or the data store is too slow"))


def _stop_deadline(_: BaseException | None) -> None:
    deadline = g.pop("deadline", None)
    if deadline is not None:
        deadline.close()
