"""Tests of the app: with its policies, without its limits, and without any policy."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from quart import Quart
from werkzeug.datastructures import Headers

KEYS = {name: secrets.token_urlsafe() for name in ("NOTES_READER_KEY", "NOTES_WRITER_KEY")}
READER, WRITER = ({"X-API-Key": key} for key in KEYS.values())
NOTE = {"text": "Eggs"}


class Answer(NamedTuple):
    """A response, with its body."""

    status_code: int
    headers: Headers
    json: Any


class Client:
    """Quart's test client, without ``await``."""

    def __init__(self, app: Quart) -> None:
        self._client = app.test_client()

    def get(self, path: str, **options: Any) -> Answer:
        return asyncio.run(self._send(path, "GET", options))

    def post(self, path: str, **options: Any) -> Answer:
        return asyncio.run(self._send(path, "POST", options))

    async def _send(self, path: str, method: str, options: dict[str, Any]) -> Answer:
        response = await self._client.open(path, method=method, **options)
        return Answer(response.status_code, response.headers, await response.get_json(silent=True))


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Client]:
    """Return a function that makes the app, and a client of it."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setenv("NOTES_HOSTS", "localhost")
    from app import create_app  # it reads the keys

    return lambda **options: Client(create_app(**options))


def test_clients_may_do_what_their_keys_allow(start: Callable[..., Client]) -> None:
    client = start()

    assert client.get("/notes").status_code == 401
    assert client.get("/notes", headers=READER).json[0]["text"] == "Buy milk"
    assert client.post("/notes", headers=READER, json=NOTE).status_code == 403
    assert client.post("/notes", headers=WRITER, json=NOTE).json["author"] == "writer"


def test_malformed_notes_are_refused(start: Callable[..., Client]) -> None:
    assert start().post("/notes", headers=WRITER, json={"txt": "Eggs"}).status_code == 422


def test_keys_do_not_get_out(start: Callable[..., Client]) -> None:
    key = KEYS["NOTES_READER_KEY"]
    response = start().post("/notes", headers=WRITER, json={"text": f"The key is {key}"})

    assert response.json["text"] == "The key is " + "*" * len(key)


@pytest.mark.parametrize(("limits", "last"), [("enforce", 429), ("off", 201)])
def test_notes_are_limited(start: Callable[..., Client], limits: str, last: int) -> None:
    client = start(limits=limits)
    statuses = [client.post("/notes", headers=WRITER, json=NOTE).status_code for _ in range(11)]

    assert statuses == [201] * 10 + [last]


def test_all_policies_can_be_off(
    start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANTLET_MODE", "off")
    response = start().post("/notes", json=NOTE)

    assert response.json["author"] == "nobody"
    assert "X-Content-Type-Options" not in response.headers


def test_the_minimal_app_is_protected() -> None:
    from minimal import app

    assert Client(app).get("/").headers["X-Content-Type-Options"] == "nosniff"
