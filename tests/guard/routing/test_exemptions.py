"""Requests that pass unchecked, and those that only look like them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import mantlet
from mantlet import Contract, SchemaGuard
from mantlet.core.preflight import METHOD_OVERRIDES
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

EXEMPT = ["GET /docs", "* /static/*", "GET,POST /files/{name:path}", "GET /{name}.ico"]


def app(adapter: Adapter, **options: Any) -> Guarded:
    return Guarded(
        adapter,
        {"POST /items": dict[str, int]},
        exempt=EXEMPT,
        undeclared_options="refuse",
        **options,
    )


@both_adapters
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/docs"),
        ("HEAD", "/docs"),
        ("GET", "/docs?a=1&a=2"),
        ("DELETE", "/static/"),
        ("GET", "/static/css/a.css"),
        ("OPTIONS", "/static/a-b"),
        ("POST", "/files/a/b"),
        ("GET", "/favicon.ico"),
    ],
)
def test_an_exempt_request_passes_with_its_body_untouched(
    adapter: Adapter, method: str, target: str
) -> None:
    """Nothing of it is checked."""
    guarded = app(adapter)
    body = b"" if method in ("GET", "HEAD") else b"\xff{not json"
    assert guarded.ask(method, target, body=body).status == 200
    assert guarded.bodies == [body]
    assert guarded.seen == [None]


@both_adapters
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/docs"),
        ("get", "/docs"),
        ("GET", "/docs/"),
        ("GET", "/Docs"),
        ("GET", "//docs"),
        ("GET", "/docs\n"),
        ("GET", "/static"),
        ("GET", "/static/../items"),
        ("GET", "/static//a"),
        ("GET", "/static/./a"),
        ("GET", "/static/a;b"),
        ("GET", "/static/a\\..\\b"),
        ("GET", "/static/%2e%2e/items"),
        ("PUT", "/files/a"),
        ("GET", "/files/"),
        ("GET", "/a/b.ico"),
        ("GET", "/.ico"),
    ],
)
@pytest.mark.breaks_rules("a method in lower case")
@pytest.mark.parametrize("paths", ["refuse", "normalize", "raw"])
def test_another_spelling_is_not_exempt(
    adapter: Adapter, method: str, target: str, paths: str
) -> None:
    """An app may take it for another path."""
    guarded = app(adapter, paths=paths)
    assert guarded.ask(method, target).status in (400, 404, 405, 415)
    assert not guarded.seen


@both_adapters
def test_every_reading_of_the_path_must_be_exempt(adapter: Adapter) -> None:
    """Apps differ in how they remove a root path."""
    guarded = app(adapter)
    if adapter.name == "wsgi":
        mounted: Any = {"SCRIPT_NAME": "/api", "PATH_INFO": "/docs"}
        assert guarded.ask("GET", "/docs", **mounted).status == 200
        return
    mounted = {"root_path": "/api", "path": "/api/docs", "raw_path": b"/api/docs"}
    assert guarded.ask("GET", "/docs", **mounted).status == 200
    path = "/static/x/items"  # Litestar's reading under this root path is "/items"
    several: Any = {"root_path": "/x", "path": path, "raw_path": path.encode()}
    assert guarded.ask("POST", path, **several).status != 200


@pytest.mark.parametrize(
    ("exempt", "error", "words"),
    [
        ("GET /docs", TypeError, "must be a list"),
        (["/docs"], ValueError, "has no method"),
        (["GET /<int:id>"], ValueError, 'write "GET /{id}"'),
        (["GET /a/*/b"], ValueError, "after its rest"),
        ([5], TypeError, "must be text"),
    ],
)
def test_malformed_patterns_are_refused(exempt: Any, error: type[Exception], words: str) -> None:
    """At construction; the message says what to write."""
    with pytest.raises(error, match=words):
        SchemaGuard({"GET /": Contract()}, exempt=exempt)


@pytest.mark.parametrize(
    ("exempt", "passes"), [(["WS /live"], True), (["* /live"], True), (["GET /live"], False)]
)
def test_exempt_websockets_have_the_method_ws(exempt: list[str], passes: bool) -> None:
    """A star is every method, and theirs."""

    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    guard = SchemaGuard({"GET /": Contract()}, exempt=exempt)
    starlette = Starlette(routes=[WebSocketRoute("/live", live)])
    client = TestClient(mantlet.asgi.wrap(starlette, guard, baseline=False))
    if passes:
        with client.websocket_connect("/live") as socket:
            socket.send_text("{not json")
            assert socket.receive_text() == "{not json"
        return
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/live"):
        pass


@both_adapters
@pytest.mark.parametrize("name", METHOD_OVERRIDES)
def test_a_header_must_not_replace_an_exempt_method_by_another_one(
    adapter: Adapter, name: str
) -> None:
    """Which a middleware inside the app would run."""
    guarded = Guarded(
        adapter,
        {"DELETE /items": None, "DELETE /static/a": None},
        exempt=["GET,POST /items", "* /static/*"],
    )
    assert guarded.ask("POST", "/items").status == 200
    assert guarded.ask("POST", "/items", headers=[(name, "GET")]).status == 200
    assert guarded.ask("POST", "/static/a", headers=[(name, "DELETE")]).status == 200
    assert guarded.ask("POST", "/items", headers=[(name, "DELETE")]).status == 405


@both_adapters
@pytest.mark.parametrize("name", METHOD_OVERRIDES)
def test_a_header_must_not_replace_a_method_that_is_let_through(
    adapter: Adapter, name: str
) -> None:
    """By a declared one."""
    guarded = Guarded(adapter, {"DELETE /items": None}, allow=["method"])
    assert guarded.ask("POST", "/items").status == 200
    assert guarded.ask("POST", "/items", headers=[(name, "DELETE")]).status == 400
