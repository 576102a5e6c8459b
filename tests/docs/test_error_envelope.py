"""The examples of the pages on the error envelope and on introspection."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import fastapi
import pydantic
import pytest
from fastapi.testclient import TestClient

import mantlet
from mantlet import ErrorEnvelope, Problem
from mantlet.testing import PROTOCOLS, PolicyClient, Protocol, ReceivedResponse
from tests.docs.pages import blocks, run

PAGE = "error-envelope.md"
FIRST, RAISED, CATALOGUE = blocks(PAGE)
BEFORE, RAISE, AFTER = CATALOGUE.partition("raise ")


class OrderNotFound(Exception):
    """An exception of the page."""


class OutOfStock(Exception):
    """An exception of the page."""


class Overloaded(Exception):
    """An exception of the page."""

    seconds = 7


class Person(pydantic.BaseModel):
    """A body that the page shows the errors of."""

    age: int = pydantic.Field(gt=0)
    name: str

    @pydantic.field_validator("name")
    @classmethod
    def refuse(cls, _: str) -> str:
        """Refuse any name."""
        raise ValueError("not sent")


NAMES: dict[str, Any] = {
    "document": {"components": {}},
    "mantlet": mantlet,
    "Problem": Problem,
    "ErrorEnvelope": ErrorEnvelope,
    "OrderNotFound": OrderNotFound,
    "OutOfStock": OutOfStock,
    "Overloaded": Overloaded,
    "sentry_sdk": SimpleNamespace(capture_exception=str),
}


def app(environ: Any, start_response: Any) -> list[bytes]:
    """Respond with nothing."""
    start_response("200 OK", [("Content-Length", "0")])
    return []


def answer(envelope: ErrorEnvelope, error: Exception, protocol: Protocol) -> ReceivedResponse:
    """Return the response to an exception of the app."""

    def fail(_: object) -> Any:
        raise error

    return PolicyClient(envelope, protocol=protocol, app=fail).get("/")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("error", "status"), [(OrderNotFound, 404), (OutOfStock, 409), (Overloaded, 503)]
)
def test_mapped_exceptions(error: type[Exception], status: int, protocol: Protocol) -> None:
    """Have the responses that the first example gives them."""
    names = run(PAGE, FIRST, app=app, **NAMES)
    response = answer(names["envelope"], error(), protocol)
    assert response.status == status
    if error is Overloaded:
        assert response.headers["retry-after"] == "7"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_raised_problems(protocol: Protocol) -> None:
    """Are the responses."""
    with pytest.raises(Problem) as shipped:
        run(PAGE, RAISED, **NAMES)
    response = answer(ErrorEnvelope(), shipped.value, protocol)
    assert response.status == 409
    assert response.json()["order"] == "A-17"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_catalogue(protocol: Protocol) -> None:
    """Its problems have a type, and the type a page."""
    raised, _, rest = AFTER.partition("\n")
    names = run(PAGE, BEFORE, rest, app=app, **NAMES)
    with pytest.raises(Problem) as gone:
        run(PAGE, RAISE + raised, **names)
    envelope = ErrorEnvelope(catalogue=names["problems"])
    response = answer(envelope, gone.value, protocol)
    assert response.json()["type"].endswith("/problems/out-of-stock")
    assert response.json()["left"] == 2
    page = PolicyClient(envelope, protocol=protocol).get("/problems/out-of-stock")
    assert page.status == 200
    assert "Somebody was faster" in page.text


def test_the_errors_of_a_validation() -> None:
    """Are those that the page shows, for the body of a FastAPI app."""
    (shown,) = blocks(PAGE, "json")

    api = fastapi.FastAPI()

    def create(person: Person) -> None:
        raise AssertionError(person)

    api.post("/")(create)
    mantlet.install(api, ErrorEnvelope(convert="always"))
    response = TestClient(api).post("/", json={"age": 0, "name": "x"})
    expected = json.loads(shown)
    assert {name: response.json()[name] for name in expected} == expected


def test_the_example_of_introspection() -> None:
    """It wraps an app, and asks nobody before a token comes."""
    page = "authenticator/introspection.md"
    secrets = SimpleNamespace(introspection="not-a-secret")
    names = run(page, *blocks(page), app=app, secrets=secrets)
    assert isinstance(names["auth"], mantlet.Authenticator)
