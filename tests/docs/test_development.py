"""The examples of docs/development.md."""

from __future__ import annotations

import inspect
from typing import Any

import flask
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import mantlet
from mantlet import RateLimiter, Rule, SchemaGuard, testing
from tests.docs.pages import blocks, run

PAGE = "development.md"
FLASK, FASTAPI, APP, POLICIES = blocks(PAGE)
NAMES: dict[str, Any] = {"mantlet": mantlet, "pytest": pytest}


def test_flasks_test_client_sees_exceptions() -> None:
    run(PAGE, FLASK, flask=flask, **NAMES)


def test_fastapis_test_client_sees_exceptions() -> None:
    app = FastAPI()

    @app.get("/orders/{number}")
    async def order(number: int) -> None:
        raise LookupError(f"no order {number}")

    run(PAGE, FASTAPI, fastapi_app=app, TestClient=TestClient, **NAMES)


def test_each_test_of_an_app_has_full_buckets() -> None:
    """Without the fixture, the second one has none left."""
    app = flask.Flask(__name__)
    app.post("/login")(lambda: "")
    limiter = RateLimiter(rules=[Rule("POST /login", "2/hour")])
    mantlet.install(app, limiter)
    names = run(PAGE, APP, limiter=limiter, client=app.test_client(), **NAMES)
    for number in (1, 2):
        inspect.unwrap(names["full_buckets"])()
        names["test_the_third_login_is_refused"](number)


def test_a_policy_that_is_off_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view can find that out, or gets an error that names the policy."""
    monkeypatch.setenv("MANTLET_MODE", "off")
    app = flask.Flask(__name__)
    app.config["TESTING"] = True

    @app.get("/")
    def view() -> str:
        assert getattr(mantlet.state(flask.request), "validated", None) is None
        return str(mantlet.state(flask.request).validated)

    mantlet.install(app, SchemaGuard({"GET /": None}))
    with pytest.raises(AttributeError, match="no SchemaGuard has set it"):
        app.test_client().get("/")


@pytest.mark.parametrize("protocol", testing.PROTOCOLS)
def test_a_policy_is_tested_under_both_protocols(protocol: str) -> None:
    names = run(PAGE, POLICIES, RateLimiter=RateLimiter, **NAMES)
    names["test_the_third_login_is_refused"](protocol)
