"""Modes for all operations and for some, and the route patterns that name them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pydantic import BaseModel

from mantlet import SchemaGuard
from mantlet.guard import BodyLimits, Contract, RouteOptions
from mantlet.guard.options import OperationPattern
from tests.drive import Adapter, both_adapters
from tests.guard.asking import JSON, Guarded


class Item(BaseModel):
    name: str


CONTRACTS: dict[str, Any] = {
    "POST /items": Contract(body=Item, response=Item),
    "POST /items/{item_id}": Item,
    "GET /search": Contract(),
}
WRONG = '{"name": 5}'
SPACED = '{ "name": "a" }'


def statuses(app: Guarded) -> tuple[int | None, ...]:
    """Send an invalid request to each operation, and to an undeclared path."""
    return (
        app.ask("POST", "/items", body=WRONG, headers=JSON).status,
        app.ask("POST", "/items/5", body=WRONG, headers=JSON).status,
        app.ask("GET", "/search?page=1").status,
        app.ask("GET", "/nothing").status,
    )


@both_adapters
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (422, 422, 422, 404)),
        ({"mode": "report"}, (200, 200, 200, 200)),
        ({"mode": "off"}, (200, 200, 200, 200)),
        ({"mode": {"POST /items": "report", "* /search": "off"}}, (200, 422, 200, 404)),
        ({"mode": {"* /*": "report", "POST /items": "enforce"}}, (422, 200, 200, 200)),
        ({"routes": {"POST /items": RouteOptions(mode="off")}}, (200, 422, 422, 404)),
        ({"routes": {"POST /items/*": RouteOptions(mode="report")}}, (422, 200, 422, 404)),
        (
            {"mode": "report", "routes": {"GET /search": RouteOptions(mode="enforce")}},
            (200, 200, 422, 200),
        ),
        (
            {"mode": "off", "routes": {"* /search": RouteOptions(mode="enforce")}},
            (200, 200, 422, 200),
        ),
    ],
)
def test_modes_apply_to_all_operations_or_to_some(
    adapter: Adapter, options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    """Undeclared paths have the mode of the whole guard."""
    assert statuses(Guarded(adapter, CONTRACTS, **options)) == expected


@both_adapters
@pytest.mark.parametrize(
    ("options", "counted"),
    [
        ({"mode": "report"}, True),
        ({"mode": "off"}, False),
        ({"mode": {"POST /items": "report"}}, True),
        ({"routes": {"POST /items": RouteOptions(mode="report")}}, True),
        ({"routes": {"POST /items": RouteOptions(mode="off")}}, False),
    ],
)
def test_report_counts_and_logs_and_off_does_not(
    adapter: Adapter, options: dict[str, Any], counted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """One record names the operation and the error."""
    app = Guarded(adapter, CONTRACTS, **options)
    with caplog.at_level(logging.WARNING, "mantlet.guard"):
        app.ask("POST", "/items", body=WRONG, headers=JSON)
    assert dict(app.guard.counts) == ({("POST /items", "string_type"): 1} if counted else {})
    assert [record.getMessage() for record in caplog.records if "guard" in record.name] == (
        ["SchemaGuard: POST /items, invalid request, request -: string_type in body"]
        if counted
        else []
    )


@both_adapters
@pytest.mark.parametrize(
    "options",
    [
        {"mode": "report"},
        {"mode": {"POST /items": "report"}},
        {"routes": {"POST /items": RouteOptions(mode="report")}},
    ],
    ids=["guard", "mapping", "route"],
)
def test_report_changes_neither_body_nor_response(
    adapter: Adapter, options: dict[str, Any]
) -> None:
    """A canonical body is not forwarded, and an invalid response is sent."""
    wrong = (200, [("content-type", "application/json")], b"{}")
    app = Guarded(
        adapter, CONTRACTS, forward="canonical", responses="enforce", answer=wrong, **options
    )
    answer = app.ask("POST", "/items", body=SPACED, headers=JSON)
    assert (answer.status, answer.body) == (200, b"{}")
    assert app.bodies == [SPACED.encode()]
    assert app.guard.counts["POST /items", "missing"] == 1


@both_adapters
def test_report_does_not_answer_options(adapter: Adapter) -> None:
    """The app does, whether the mode is the guard's or that of routes."""
    route = {"GET /search": RouteOptions(mode="enforce")}
    for routes in ({}, route):
        app = Guarded(adapter, CONTRACTS, mode="report", undeclared_options="answer", routes=routes)
        assert app.ask("OPTIONS", "/search").status == 200


@both_adapters
def test_the_environment_overrides_the_modes_of_routes(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``MANTLET_MODE`` counts for all of them."""
    monkeypatch.setenv("MANTLET_MODE", "report")
    options: dict[str, Any] = {"routes": {"POST /items": RouteOptions(mode="enforce")}}
    assert statuses(Guarded(adapter, CONTRACTS, **options)) == (200, 200, 200, 200)


def test_modes_by_route_are_given_once() -> None:
    """Either by ``mode``, or by ``routes``."""
    with pytest.raises(ValueError, match="not by both"):
        SchemaGuard(
            CONTRACTS,
            mode={"POST /items": "report"},
            routes={"POST /items": RouteOptions(mode="off")},
        )


@pytest.mark.parametrize("pattern", ["GET|POST /items", "post /items", "ANY /items", "GET items"])
@pytest.mark.parametrize("option", ["contracts", "routes", "mode"])
def test_a_malformed_pattern_is_an_error_that_shows_a_correct_one(
    option: str, pattern: str
) -> None:
    """Contracts, routes and modes have the one language of patterns."""
    values: dict[str, Any] = {"contracts": Contract(), "routes": RouteOptions(), "mode": "report"}
    options: dict[str, Any] = {"contracts": CONTRACTS, option: {pattern: values[option]}}
    with pytest.raises(ValueError, match='; write "'):
        SchemaGuard(**options)


def test_a_contract_names_its_methods() -> None:
    """There is no contract for every method."""
    with pytest.raises(ValueError, match="must name its methods"):
        SchemaGuard({"* /items": Contract()})


@pytest.mark.parametrize(
    ("pattern", "method", "template", "expected"),
    [
        ("GET /items/{id}", "GET", "/items/{id}", True),
        ("GET /items/{id}", "GET", "/items/{name}", False),
        ("GET,POST /items", "POST", "/items", True),
        ("* /items/*", "PATCH", "/items/{id}", True),
        ("* /items/*", "PATCH", "/items", False),
        ("WS /live", "WS", "/live", True),
        ("GET /live", "WS", "/live", False),
    ],
)
def test_a_pattern_matches_operations_by_method_and_template(
    pattern: str, method: str, template: str, expected: bool
) -> None:
    """A template is compared as it is written."""
    assert OperationPattern(pattern, RouteOptions()).matches(method, template) is expected


@both_adapters
def test_the_most_specific_pattern_counts(adapter: Adapter) -> None:
    """One that names the path, then the longest, then one that names the method."""
    app = Guarded(
        adapter,
        CONTRACTS,
        routes={
            "* /*": RouteOptions(limits=BodyLimits(body=5)),
            "POST /items/*": RouteOptions(limits=BodyLimits(body=50)),
            "* /items/{item_id}": RouteOptions(limits=BodyLimits(body=500)),
        },
    )
    body = '{"name": "a"}' + " " * 100
    assert app.ask("POST", "/items", body=body, headers=JSON).status == 413
    assert app.ask("POST", "/items/5", body=body, headers=JSON).status == 200
