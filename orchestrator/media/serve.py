"""Serves /media/<id>.wav to switches. Nobody is asked who they are: an id is 128 random bits."""

from __future__ import annotations

from flask import Blueprint, Response, request

from orchestrator.errors import NotFound
from orchestrator.store.media import KEEP_SECONDS, MediaStore


def media_path(media_id: str) -> str:
    """Return the path of a clip behind Settings.media_url."""
    return f"/media/{media_id}.wav"


def make_blueprint(media: MediaStore) -> Blueprint:
    """Make the one route. A clip never changes, so its id is its ETag and it may be kept for as long as it is kept
    here."""
    blueprint = Blueprint("media", __name__)

    @blueprint.get("/media/<media_id>.wav")
    def get_clip(media_id: str) -> Response:
        if request.method == "HEAD":
            return _answer(media_id, media.measure(media_id), b"")
        wav = media.load(media_id)
        return _answer(media_id, None if wav is None else len(wav), wav or b"")

    return blueprint


def _answer(media_id: str, size: int | None, body: bytes) -> Response:
    if size is None:
        raise NotFound("There is no such clip")
    response = Response(body, mimetype="audio/wav")
    response.content_length = size
    response.headers["Cache-Control"] = f"max-age={KEEP_SECONDS}, immutable"
    response.set_etag(media_id)
    response.make_conditional(request)
    return response
