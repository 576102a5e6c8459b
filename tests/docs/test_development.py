"""The examples of docs/development.md."""

from __future__ import annotations

from typing import Any

import flask
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import mantlet
from mantlet import RateLimiter, testing
from tests.docs.pages import blocks, run

PAGE = "development.md"
FLASK, FASTAPI, POLICIES = blocks(PAGE)
NAMES: dict[str, Any] = {"mantlet": mantlet, "pytest": pytest}


def test_flasks_test_client_sees_exceptions() -> None:
    run(PAGE, FLASK, flask=flask, **NAMES)


def test_fastapis_test_client_sees_exceptions() -> None:
    app = FastAPI()

    @app.get("/orders/{number}")
    async def order(number: int) -> None:
        raise LookupError(f"no order {number}")

    run(PAGE, FASTAPI, fastapi_app=app, TestClient=TestClient, **NAMES)


@pytest.mark.parametrize("protocol", testing.PROTOCOLS)
def test_a_policy_is_tested_under_both_protocols(protocol: str) -> None:
    names = run(PAGE, POLICIES, RateLimiter=RateLimiter, **NAMES)
    names["test_the_third_login_is_refused"](protocol)
