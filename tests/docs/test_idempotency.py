"""The examples of the page on Idempotency, and what its table says."""

from __future__ import annotations

import base64
import os
from typing import Any

import flask
import pytest

import mantlet
from mantlet import Idempotency
from tests.docs.pages import blocks, run
from tests.drive import Answer, drive_wsgi

PAGE = "idempotency.md"


def shop() -> flask.Flask:
    """Return an app with payments."""
    app = flask.Flask(__name__)
    app.payments = 0  # type: ignore[attr-defined]

    @app.post("/payments")
    def pay() -> tuple[str, int]:
        app.payments += 1  # type: ignore[attr-defined]
        return f"payment {app.payments}", 201  # type: ignore[attr-defined]

    return app


@pytest.mark.parametrize("block", blocks(PAGE), ids=range(len(blocks(PAGE))))
def test_a_block_runs(block: str) -> None:
    """With the names that the page has."""
    names: dict[str, Any] = {
        name: base64.b64encode(os.urandom(32)).decode() for name in ("new_key", "old_key")
    }
    assert run(PAGE, block, app=shop(), Idempotency=Idempotency, mantlet=mantlet, **names)


def test_the_first_example() -> None:
    """As the table says."""
    app = run(PAGE, blocks(PAGE)[0], app=shop())["app"]

    def pay(*keys: str, body: bytes = b"5") -> Answer:
        headers = [("Idempotency-Key", key) for key in keys]
        return drive_wsgi(app, "POST", "/payments", headers=headers, body=body)

    assert pay('"8e03978e-40d5"').get("idempotency-replayed") is None
    repeat = pay("8e03978e-40d5")
    assert (repeat.body, repeat.get("idempotency-replayed")) == (b"payment 1", "true")
    assert pay('"8e03978e-40d5"', body=b"6").status == 422
    assert pay('"a"', '"b"').status == 400
    assert pay().status == 400
    assert pay("b", body=b"x" * 1_048_577).status == 413


def test_the_app_looks_first() -> None:
    """If the outcome of the request is unknown."""
    (block,) = [one for one in blocks(PAGE) if "previous_outcome_unknown" in one]
    pay = run(PAGE, block, mantlet=mantlet)["pay"]
    assert pay({}) is None
