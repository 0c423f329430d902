"""Switches fetch clips from the API, by an id that nobody can guess."""

from __future__ import annotations

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from orchestrator.errors import ApiError
from orchestrator.media.serve import make_blueprint, media_path
from orchestrator.store.media import KEEP_SECONDS, MediaStore
from tests.unit.media.conftest import ONE


@pytest.fixture
def media(client: redis.Redis) -> MediaStore:
    return MediaStore(client, 128 * 1024**2)


@pytest.fixture
def api(media: MediaStore) -> FlaskClient:
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(make_blueprint(media))
    app.register_error_handler(ApiError, lambda error: (error.message, error.http_status))
    return app.test_client()


def test_a_clip_is_served_as_a_file_that_never_changes(media: MediaStore, api: FlaskClient) -> None:
    """With all that a cache needs to fetch it once."""
    media_id = media.save(b"RIFF\xff\x00", ONE)
    answer = api.get(media_path(media_id))

    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"RIFF\xff\x00", "audio/wav")
    assert answer.headers["Content-Length"] == "6"
    assert answer.headers["Cache-Control"] == f"max-age={KEEP_SECONDS}, immutable"
    assert answer.headers["ETag"] == f'"{media_id}"'


def test_head_says_the_same_without_the_clip(media: MediaStore, api: FlaskClient) -> None:
    """Its length among it."""
    path = media_path(media.save(b"RIFF\xff\x00", ONE))
    head, whole = api.head(path), api.get(path)

    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)


def test_a_switch_that_has_it_is_told_so(media: MediaStore, api: FlaskClient) -> None:
    """304 to a conditional request."""
    path = media_path(media.save(b"RIFF", ONE))
    answer = api.get(path, headers={"If-None-Match": api.get(path).headers["ETag"]})

    assert (answer.status_code, answer.data) == (304, b"")


@pytest.mark.parametrize(
    "path", [media_path("0" * 32), media_path("x"), "/media/..%2f..%2faccounts.wav", "/media/.wav"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_not_there_is_a_404(api: FlaskClient, method: str, path: str) -> None:
    """And what cannot be an id never reaches the store."""
    assert api.open(path, method=method).status_code == 404
