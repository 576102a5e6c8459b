"""Methods: an operation is judged as the one that runs, whatever else a request says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fastapi
import flask
import pytest
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel

import mantlet
from mantlet.guard import Contract, RouteOptions, SchemaGuard
from tests.drive import Adapter, both_adapters, drive_asgi, drive_wsgi
from tests.guard.asking import JSON, Guarded, faults
from tests.integrations.django_site import django_site, lower_case

if TYPE_CHECKING:
    from mantlet.core.modes import Mode
    from tests.drive import Fields


class Item(BaseModel):
    """A small body."""

    name: str


CONTRACTS: dict[str, Any] = {"GET /items": Contract(), "POST /items": Item, "DELETE /x": Contract()}
PREFLIGHT: Fields = [
    ("Origin", "https://a.example"),
    ("Access-Control-Request-Method", "POST"),
    ("Access-Control-Request-Headers", "content-type"),
]
#: Requests that are not preflights as browsers send them (Fetch, 4.8).
OTHERS: dict[str, tuple[Fields, bytes]] = {
    "nothing": ([], b""),
    "no method": (PREFLIGHT[:1], b""),
    "no origin": (PREFLIGHT[1:], b""),
    "a body": (PREFLIGHT, b'{"name": "evil"}'),
    "a chunked body": ([*PREFLIGHT, ("Transfer-Encoding", "chunked")], b""),
    "a cookie": ([*PREFLIGHT, ("Cookie", "session=1")], b""),
    "credentials": ([*PREFLIGHT, ("Authorization", "Bearer x")], b""),
    "an override": ([*PREFLIGHT, ("X-HTTP-Method-Override", "POST")], b""),
    "a second override": ([*PREFLIGHT, ("X-Method-Override", "POST")], b""),
    "a third override": ([*PREFLIGHT, ("X-HTTP-Method", "POST")], b""),
}


@both_adapters
def test_a_preflight_passes(adapter: Adapter) -> None:
    """The app answers it, or a CORS middleware in it."""
    app = Guarded(adapter, CONTRACTS)
    assert app.ask("OPTIONS", "/items", headers=PREFLIGHT).status == 200
    assert app.seen == [None]
    assert app.ask("OPTIONS", "/other", headers=PREFLIGHT).status == 404


@both_adapters
@pytest.mark.parametrize("case", OTHERS)
def test_any_other_options_request_is_an_undeclared_method(adapter: Adapter, case: str) -> None:
    """An app may do anything for it: a function view of Django takes it for a POST."""
    headers, body = OTHERS[case]
    app = Guarded(adapter, CONTRACTS)
    answer = app.ask("OPTIONS", "/items", headers=headers, body=body)
    assert answer.status == 405
    assert answer.get("allow") == "GET, HEAD, POST"
    assert faults(answer) == [("path", "", "undeclared_method")]
    assert not app.carriers


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_body_that_no_header_tells_of_is_one_all_the_same(version: str) -> None:
    """HTTP/2 needs no length for it (RFC 9113, 8.1), and some gateways have events alone."""
    (asgi, _) = both_adapters.args[1]
    app = Guarded(asgi, CONTRACTS)
    options: dict[str, Any] = {"headers": PREFLIGHT, "length": False, "http_version": version}
    assert app.ask("OPTIONS", "/items", body=b"x", **options).status == 405
    assert app.ask("OPTIONS", "/items", **options).status == 200
    # An operation without a body has none either.
    del options["headers"]
    assert app.ask("DELETE", "/x", body=b"x", **options).status == 400
    assert app.ask("DELETE", "/x", **options).status == 200
    assert len(app.carriers) == 2


@both_adapters
def test_options_requests_by_the_options_of_the_guard(adapter: Adapter) -> None:
    """Answered or refused, whatever they are; declared; undeclared methods allowed; reported."""
    headers, body = OTHERS["a body"]
    answering = Guarded(adapter, CONTRACTS, undeclared_options="answer")
    for sent in (PREFLIGHT, headers):
        assert answering.ask("OPTIONS", "/items", headers=sent, body=body).status == 204
    refusing = Guarded(adapter, CONTRACTS, undeclared_options="refuse")
    assert refusing.ask("OPTIONS", "/items", headers=PREFLIGHT).status == 405
    declaring = Guarded(adapter, {**CONTRACTS, "OPTIONS /items": Contract()})
    assert declaring.ask("OPTIONS", "/items").status == 200
    assert declaring.ask("OPTIONS", "/items", body=b"x").status == 400
    assert declaring.ask("OPTIONS", "/items?x=1", headers=PREFLIGHT).status == 422
    allowing = Guarded(adapter, CONTRACTS, allow=["method"])
    assert allowing.ask("OPTIONS", "/items", headers=headers, body=body).status == 200
    assert not answering.carriers
    assert not refusing.carriers
    reporting = Guarded(adapter, CONTRACTS, mode="report")
    assert reporting.ask("OPTIONS", "/items", headers=headers, body=body).status == 200
    assert reporting.bodies == [body]


@both_adapters
@pytest.mark.breaks_rules("the checkers know the methods of RFC 9110 and PATCH alone")
def test_other_methods_are_closed(adapter: Adapter) -> None:
    """Also those that no client of an API sends, and spellings that some apps take for another."""
    app = Guarded(adapter, CONTRACTS)
    for method in ("TRACE", "PUT", "PATCH", "post", "Options", "PROPFIND"):
        assert app.ask(method, "/items").status == 405
    assert app.ask("CONNECT", "example.com:443").status == 400
    assert app.ask("OPTIONS", "*", headers=PREFLIGHT).status == 400
    assert not app.carriers


# -- headers that replace the method --------------------------------------------------------------

OVERRIDES = ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method")


@both_adapters
@pytest.mark.parametrize("name", OVERRIDES)
def test_a_header_must_not_replace_the_method(adapter: Adapter, name: str) -> None:
    """A middleware of the app would run another operation than the one that was judged."""
    app = Guarded(adapter, CONTRACTS)
    for value in ("DELETE", "delete", "", "GET, POST"):
        answer = app.ask("POST", "/items", body='{"name": "a"}', headers=[*JSON, (name, value)])
        assert answer.status == 400
        assert faults(answer) == [("header", f"/{name}", "method_override")]
        assert app.ask("GET", "/items", headers=[(name, value)]).status == 400
    assert not app.carriers
    answer = app.ask("POST", "/items", body='{"name": "a"}', headers=[*JSON, (name, "POST")])
    assert answer.status == 200


@both_adapters
def test_outside_of_the_sample_a_header_must_not_replace_the_method_either(
    adapter: Adapter,
) -> None:
    """Else the credentials of another operation were checked."""
    app = Guarded(adapter, CONTRACTS, sample_rate=0)
    assert app.ask("GET", "/items", headers=[(OVERRIDES[0], "POST")]).status == 400
    assert app.ask("GET", "/items").status == 200
    off = Guarded(adapter, CONTRACTS, routes={"* /items": RouteOptions(mode="off")})
    assert off.ask("GET", "/items", headers=[(OVERRIDES[0], "POST")]).status == 200


@both_adapters
def test_a_declared_header_may_replace_the_method(adapter: Adapter) -> None:
    """The app says that it knows what it does."""

    class Headers(BaseModel):
        x_http_method_override: str

    app = Guarded(adapter, {"GET /items": Contract(headers=Headers)})
    assert app.ask("GET", "/items", headers=[(OVERRIDES[0], "PATCH")]).status == 200
    assert app.ask("GET", "/items", headers=[(OVERRIDES[1], "PATCH")]).status == 400


# -- frameworks -----------------------------------------------------------------------------------


@both_adapters
@pytest.mark.breaks_rules("Django writes header fields in both cases under ASGI")
def test_a_function_view_creates_nothing_by_options(adapter: Adapter) -> None:
    """It gets every method, and many know GET and the rest alone."""
    created: list[bytes] = []

    def view(request: Any) -> str:
        if request.method != "GET":
            created.append(request.body)
        return "done"

    with django_site(adapter.name, index=view) as site:
        app = lower_case(site) if adapter.name == "asgi" else site
        guard = SchemaGuard({"GET /": Contract(), "POST /": Item})
        stack = mantlet.wrap(app, guard, baseline=False)
        for case, (headers, body) in OTHERS.items():
            sent = [("Host", "localhost"), *JSON, *headers]
            answer = adapter.drive(stack, "OPTIONS", "/", headers=sent, body=body)
            assert answer.status == 405, case
        answer = adapter.drive(stack, "OPTIONS", "/", headers=[("Host", "a"), *PREFLIGHT])
        assert answer.status == 200
    assert created == [b""]


def test_preflights_are_answered_by_the_cors_middleware_of_an_app() -> None:
    """FastAPI's, within the guard."""
    app = fastapi.FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["https://a.example"], allow_methods=["*"])

    @app.post("/items")
    def create(item: Item) -> None:
        raise AssertionError

    stack = mantlet.wrap(app, SchemaGuard({"POST /items": Item}), baseline=False)
    answer = drive_asgi(stack, "OPTIONS", "/items", headers=PREFLIGHT)
    assert answer.status == 200
    assert answer.get("access-control-allow-origin") == "https://a.example"
    assert drive_asgi(stack, "OPTIONS", "/items").status == 405


def test_automatic_answers_to_options_are_given_to_preflights_alone() -> None:
    """Flask gives them for every route."""
    app = flask.Flask("automatic")
    app.add_url_rule("/items", "items", lambda: "", methods=["POST"])
    stack = mantlet.wrap(app, SchemaGuard({"POST /items": Item}), baseline=False)
    assert drive_wsgi(stack, "OPTIONS", "/items", headers=PREFLIGHT).status == 200
    assert drive_wsgi(stack, "OPTIONS", "/items").status == 405


@both_adapters
@pytest.mark.parametrize("by_options", [True, False])
@pytest.mark.parametrize("mode", ["off", "report"])
def test_the_mode_of_one_method_does_not_open_another_one(
    adapter: Adapter, mode: Mode, *, by_options: bool
) -> None:
    """Which a header puts in its place; where both have the mode, it holds."""
    contracts = {f"{method} {path}": None for method in ("POST", "DELETE") for path in ("/x", "/y")}
    modes: dict[str, Mode] = {"POST /x": mode, "* /y": mode}
    options: dict[str, Any] = {"mode": modes}
    if by_options:
        options = {"routes": {name: RouteOptions(mode=one) for name, one in modes.items()}}
    app = Guarded(adapter, contracts, **options)
    override = [("X-HTTP-Method-Override", "DELETE")]
    assert app.ask("POST", "/x?any=1").status == 200
    assert app.ask("POST", "/x", headers=override).status == 400
    assert app.ask("POST", "/y", headers=override).status == 200
    assert app.ask("DELETE", "/x?any=1").status == 422
