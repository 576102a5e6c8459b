"""Tests of the app: with its policies, without its limits, and without any policy."""

import secrets
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

KEYS = {name: secrets.token_urlsafe() for name in ("NOTES_READER_KEY", "NOTES_WRITER_KEY")}
READER, WRITER = ({"X-API-Key": key} for key in KEYS.values())
NOTE = {"text": "Eggs"}


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TestClient]:
    """Return a function that makes the app, and a client of it."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setenv("NOTES_HOSTS", "testserver")
    from app import create_app  # it reads the keys

    return lambda **options: TestClient(create_app(**options))


def test_clients_may_do_what_their_keys_allow(start: Callable[..., TestClient]) -> None:
    client = start()

    assert client.get("/notes").status_code == 401
    assert client.get("/notes", headers=READER).json()[0]["text"] == "Buy milk"
    assert client.post("/notes", headers=READER, json=NOTE).status_code == 403
    assert client.post("/notes", headers=WRITER, json=NOTE).json()["author"] == "writer"


def test_malformed_notes_are_refused(start: Callable[..., TestClient]) -> None:
    assert start().post("/notes", headers=WRITER, json={"txt": "Eggs"}).status_code == 422


def test_keys_do_not_get_out(start: Callable[..., TestClient]) -> None:
    key = KEYS["NOTES_READER_KEY"]
    response = start().post("/notes", headers=WRITER, json={"text": f"The key is {key}"})

    assert response.json()["text"] == "The key is " + "*" * len(key)


@pytest.mark.parametrize(("limits", "last"), [("enforce", 429), ("off", 201)])
def test_notes_are_limited(start: Callable[..., TestClient], limits: str, last: int) -> None:
    client = start(limits=limits)
    statuses = [client.post("/notes", headers=WRITER, json=NOTE).status_code for _ in range(11)]

    assert statuses == [201] * 10 + [last]


def test_all_policies_can_be_off(
    start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANTLET_MODE", "off")
    response = start().post("/notes", json=NOTE)

    assert response.json()["author"] == "nobody"
    assert "X-Content-Type-Options" not in response.headers


def test_the_documentation_is_public(start: Callable[..., TestClient]) -> None:
    client = start()

    assert client.get("/docs").status_code == 200
    assert client.get("/notes").status_code == 401


def test_the_minimal_app_is_protected() -> None:
    from minimal import app

    assert TestClient(app).get("/").headers["X-Content-Type-Options"] == "nosniff"
