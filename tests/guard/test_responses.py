"""Answers of the app: what is found wrong with them, and what becomes of it."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, field_validator

from mantlet import Problem
from mantlet.guard import BodyLimits, Contract
from tests.drive import Adapter, AsgiAdapter, WsgiAdapter, both_adapters
from tests.guard.asking import Guarded

if TYPE_CHECKING:
    from tests.drive import Said


class Item(BaseModel):
    name: str


CONTRACTS: dict[str, Any] = {
    "GET /items": Contract(response={200: list[Item], "4XX": Item, 204: None}),
    "GET /free": Contract(),
}
JSON = ("Content-Type", "application/json")
GOOD = b'[{"name": "a"}]'

WRONG: list[tuple[Said, str]] = [
    ((200, [JSON], b'[{"name": 5}]'), "string_type"),
    ((200, [JSON], b'[{"name": "a", "hash": "x"}]'), "extra_forbidden"),
    ((200, [JSON], b"[NaN]"), "json_"),
    ((200, [JSON], b"not json"), "json_"),
    ((201, [JSON], GOOD), "undeclared_status"),
    ((200, [("Content-Type", "text/html")], b"<p>"), "media_type"),
    ((200, [], GOOD), "media_type"),
    ((200, [JSON, ("X-Debug", "1")], GOOD), "undeclared_header"),
    ((404, [JSON], b"{}"), "missing"),
    (
        (200, [JSON, ("Content-Encoding", "gzip")], gzip.compress(b'[{"name": 5}]', mtime=0)),
        "string_type",
    ),
    ((200, [JSON, ("Content-Encoding", "gzip")], b"no gzip"), "undecodable"),
]
RIGHT: list[Said] = [
    (200, [JSON], GOOD),
    (200, [JSON, ("Cache-Control", "no-store"), ("Set-Cookie", "a=b")], GOOD),
    (404, [JSON], b'{"name": "nothing"}'),
    (204, [], b""),
    (200, [JSON, ("Content-Encoding", "gzip")], gzip.compress(GOOD, mtime=0)),
    (500, [("Content-Type", "text/plain")], b"an error is the envelope's"),
]


@both_adapters
@pytest.mark.parametrize(("said", "code"), WRONG)
def test_a_wrong_answer_becomes_a_clean_500(
    adapter: Adapter, said: Said, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was wrong with it is in the log alone, without a value."""
    app = Guarded(adapter, CONTRACTS, responses="enforce", answer=said)
    answer = app.ask("GET", "/items")
    assert answer.status == 500
    assert answer.get("content-type") == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status"}
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert code in record.getMessage()
    ((operation, counted),) = app.guard.counts
    assert operation == "GET /items"
    assert counted.startswith(code)


@both_adapters
@pytest.mark.parametrize(("said", "code"), WRONG)
def test_a_wrong_answer_is_reported(
    adapter: Adapter, said: Said, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And goes out as it is."""
    app = Guarded(adapter, CONTRACTS, responses="report", answer=said)
    answer = app.ask("GET", "/items")
    assert (answer.status, answer.body) == (said[0], said[2])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert code in record.getMessage()


@both_adapters
@pytest.mark.parametrize("said", RIGHT)
def test_a_right_answer_goes_out_as_it_is(
    adapter: Adapter, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    """Byte for byte."""
    app = Guarded(adapter, CONTRACTS, responses="enforce", answer=said)
    answer = app.ask("GET", "/items")
    assert (answer.status, answer.body) == (said[0], said[2])
    assert not caplog.records


@both_adapters
def test_answers_are_not_looked_at_unless_that_is_wanted(adapter: Adapter) -> None:
    """Nor those of operations that declare none."""
    assert Guarded(adapter, CONTRACTS, answer=WRONG[0][0]).ask("GET", "/items").status == 200
    app = Guarded(adapter, CONTRACTS, responses="enforce", answer=WRONG[0][0])
    assert app.ask("GET", "/free").status == 200


@both_adapters
def test_an_answer_that_is_longer_than_is_looked_at_goes_out(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """It streams on, and the log says that it was not looked at."""
    long = b'[{"name": 5}]' + b" " * 100
    app = Guarded(
        adapter,
        CONTRACTS,
        responses="enforce",
        answer=(200, [JSON], long),
        limits=BodyLimits(decoded=50),
    )
    answer = app.ask("GET", "/items")
    assert (answer.status, answer.body) == (200, long)
    assert "unchecked" in caplog.text


@both_adapters
def test_the_answer_to_head_is_judged_by_its_head(adapter: Adapter) -> None:
    """It has no body to look at."""
    app = Guarded(adapter, CONTRACTS, responses="enforce", answer=(200, [JSON], b""))
    assert app.ask("HEAD", "/items").status == 200
    app = Guarded(adapter, CONTRACTS, responses="enforce", answer=(201, [JSON], b""))
    assert app.ask("HEAD", "/items").status == 500


@both_adapters
def test_a_problem_of_the_guards_is_not_judged(adapter: Adapter) -> None:
    """It is no answer of the app's."""
    app = Guarded(adapter, CONTRACTS, responses="enforce")
    assert app.ask("GET", "/items?page=1").status == 422
    assert Problem(422).status == 422


@both_adapters
def test_a_share_of_answers_is_looked_at(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the requests that are."""
    app = Guarded(adapter, CONTRACTS, responses="enforce", sample_rate=0.5, answer=WRONG[0][0])
    monkeypatch.setattr("mantlet.guard.operation_validator.random", lambda: 0.7)
    assert app.ask("GET", "/items").status == 200
    monkeypatch.setattr("mantlet.guard.operation_validator.random", lambda: 0.3)
    assert app.ask("GET", "/items").status == 500


@pytest.mark.parametrize("coded", [False, True])
def test_a_long_response_is_validated_in_a_thread(coded: bool) -> None:
    threads: list[int] = []

    class Noted(BaseModel):
        text: str

        @field_validator("text")
        @classmethod
        def _text(cls, value: str) -> str:
            threads.append(threading.get_ident())
            return value

    for adapter in (AsgiAdapter(), WsgiAdapter()):
        for size in (1_000, 200_000):
            body = json.dumps({"text": "x" * size}).encode()
            fields = [("content-type", "application/json")]
            if coded:
                body = gzip.compress(body)
                fields.append(("content-encoding", "gzip"))
            app = Guarded(
                adapter,
                {"GET /": Contract(response=Noted)},
                responses="enforce",
                limits=BodyLimits(ratio=1000),
                answer=(200, fields, body),
            )
            assert app.ask().status == 200
    own = threading.get_ident()
    assert [thread == own for thread in threads] == [True, False, True, True]
