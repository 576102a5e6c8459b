"""The examples of docs/schema-guard/errors.md run, and do what the page says."""

from __future__ import annotations

import json
from datetime import date, timedelta
from html import escape
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, field_validator

import mantlet
from mantlet import ErrorEnvelope, Problem, Request, SchemaGuard
from tests.docs.pages import block_with, blocks, run
from tests.drive import both_adapters
from tests.guard.asking import JSON, Guarded

if TYPE_CHECKING:
    from tests.drive import Adapter

PAGE = "schema-guard/errors.md"
HTML = [("Accept", "text/html")]


class Item(BaseModel):
    name: str
    price: float


@both_adapters
def test_the_messages_of_validators(adapter: Adapter) -> None:
    """A constant reaches the client, and the input doesn't."""
    given = {"BaseModel": BaseModel, "field_validator": field_validator, "__name__": __name__}
    given |= {"SchemaGuard": SchemaGuard, "date": date}
    names = run(PAGE, block_with(PAGE, "class Booking"), **given)
    app = Guarded(adapter, names["guard"])
    past = date.today() - timedelta(days=3)
    sunday = date.today() + timedelta(days=(6 - date.today().weekday()) % 7 + 7)
    for day, detail in {past: "Must be in the future", sunday: "Invalid value"}.items():
        answer = app.post("/bookings", {"day": str(day)})
        assert answer.json()["errors"][0]["detail"] == detail


@both_adapters
def test_the_page_in_the_sites_own_words(adapter: Adapter) -> None:
    """Of each error's code."""
    wraps = SimpleNamespace(wrap=lambda *policies: policies[-1])
    names = run(
        PAGE,
        block_with(PAGE, "WORDS"),
        Problem=Problem,
        Request=Request,
        escape=escape,
        app=None,
        guard=None,
        mantlet=wraps,
        ErrorEnvelope=ErrorEnvelope,
    )
    app = Guarded(adapter, {"POST /items": Item}, policies=[names["app"]])
    answer = app.ask("POST", "/items", body='{"price": 1}', headers=[*JSON, *HTML])
    assert answer.body.decode().endswith("<ul><li>Please fill this in.</ul>")


def test_fastapis_shape_is_that_of_the_page() -> None:
    """Byte for byte."""
    app = FastAPI()

    @app.post("/items")
    def create(item: Item) -> None:
        pass

    names = run(PAGE, block_with(PAGE, "shape="), SchemaGuard=SchemaGuard, app=app)
    client = TestClient(mantlet.wrap(app, names["guard"]))
    answer = client.post("/items", json={"price": 1})
    shown = block_with(PAGE, '"loc"', "http").partition("\n\n")[2]
    assert answer.json() == json.loads(shown)


@both_adapters
def test_a_limit_says_what_the_page_shows(adapter: Adapter) -> None:
    """With its default."""
    app = Guarded(adapter, {"POST /items": Item})
    answer = app.ask("POST", "/items", body="[" * 99 + "]" * 99, headers=JSON)
    assert answer.json()["errors"] == [json.loads(blocks(PAGE, "json")[0])]
