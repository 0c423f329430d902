"""create_app: HTTP composition only."""

from __future__ import annotations

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from orchestrator.dialects.twilio.errors import error_response
from orchestrator.dialects.twilio.routes import make_blueprint, no_such_path
from orchestrator.errors import ApiError, BadParameter, BodyTooLarge, MethodNotAllowed
from orchestrator.handlers import Handlers
from orchestrator.store.accounts import AccountStore

MAX_BODY_BYTES = 64 * 1024

log = structlog.get_logger("app")


def create_app(handlers: Handlers, accounts: AccountStore) -> Flask:
    """The WSGI application: Twilio's dialect and a health path."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.register_blueprint(make_blueprint(handlers, accounts))

    @app.get("/healthz")
    def health() -> Response:
        """This process answers; `orchestrator check` looks at what is behind it."""
        return Response("ok\n", mimetype="text/plain")

    @app.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        if error.http_status >= 500:
            log.warning("request_failed", status=error.http_status, code=error.code, error=error.message)
        return error_response(error)

    @app.errorhandler(HTTPException)
    def translate(error: HTTPException) -> Response:
        """Werkzeug's own refusals in Twilio's words."""
        if error.code == 404:
            return error_response(no_such_path())
        if error.code == 405:
            return error_response(MethodNotAllowed("Method not allowed"))
        if error.code == 413:
            return error_response(BodyTooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes"))
        return error_response(BadParameter(error.description or error.name))

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        """A defect of ours: the log has it whole, the client learns nothing of the inside."""
        log.exception("request_crashed")
        return error_response(ApiError("An internal error has occurred"))

    return app
