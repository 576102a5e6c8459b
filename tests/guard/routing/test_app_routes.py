"""Guards that know the routes of the app behind them, with the app in its place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import fastapi
import flask
import litestar
import pytest
from fastapi.security import APIKeyHeader
from litestar.params import FromPath  # noqa: TC002  # Litestar reads the annotations

import mantlet
from mantlet import SchemaGuard
from mantlet.guard.apps.documents import AppDocument
from mantlet.guard.routing.app_routes import AppRoute, AppRoutes
from tests.drive import drive_asgi, drive_wsgi
from tests.guard.asking import faults


def shop() -> fastapi.FastAPI:
    """Return an app whose first route hides a part of its second one."""
    app = fastapi.FastAPI()
    admin = APIKeyHeader(name="X-Admin")

    @app.get("/{tenant}/admin", dependencies=[fastapi.Depends(admin)])
    def secret(tenant: str) -> str:
        return f"secret of {tenant}"

    @app.get("/public/{x}")
    def public(x: str) -> str:
        return x

    @app.post("/public/admin")
    def post() -> str:
        return "posted"

    @app.get("/slash/")
    def slash() -> str:
        return "slash"

    @app.get("/hidden", include_in_schema=False)
    def hidden() -> str:
        return "hidden"

    return app


def routes_of(app: fastapi.FastAPI, *, passes: bool = False, **more: Any) -> AppRoutes:
    documented = app.openapi()["paths"]
    return AppRoutes(
        tuple(
            AppRoute(
                route.path,
                frozenset(route.methods),
                route.path if route.path in documented else None,
                passes=passes,
            )
            for route in list[Any](app.routes)
        ),
        **more,
    )


def guarded(app: fastapi.FastAPI, *, passes: bool = False, **more: Any) -> Any:
    options = {name: more.pop(name) for name in ("allow", "contracts", "security") if name in more}
    document: Any = AppDocument(app.openapi(), {}, (), routes_of(app, passes=passes, **more))
    guard = SchemaGuard(
        openapi=document,
        **{"security": {"APIKeyHeader": lambda _r, _c: False}, **options},
    )
    return mantlet.asgi.wrap(app, guard, baseline=False)


def test_the_first_declared_route_is_judged() -> None:
    """Not the more specific one, whose credentials and parameters are others."""
    app = guarded(shop())
    assert drive_asgi(app, "GET", "/public/x").json() == "x"
    assert drive_asgi(app, "GET", "/public/admin").status == 401
    key = [("X-Admin", "wrong")]
    assert drive_asgi(app, "GET", "/public/admin", headers=key).status == 401
    assert drive_asgi(app, "POST", "/public/admin").json() == "posted"
    assert drive_asgi(app, "PUT", "/public/admin").status == 405


def test_a_document_alone_refuses_what_two_of_its_operations_match() -> None:
    """Since the order of the app's routes is not known."""
    app = shop()
    guard = SchemaGuard(openapi=app.openapi(), security={"APIKeyHeader": lambda _r, _c: True})
    stack = mantlet.asgi.wrap(app, guard, baseline=False)
    assert drive_asgi(stack, "GET", "/public/x").status == 200
    assert drive_asgi(stack, "POST", "/public/admin").json() == "posted"  # it is narrower


def test_crossing_operations_are_told_at_start(caplog: pytest.LogCaptureFixture) -> None:
    """In the log, and all of them in the coverage report."""
    app = fastapi.FastAPI()

    @app.get("/{tenant}/admin")
    def secret(tenant: str) -> str:
        return "secret"

    @app.get("/public/{x}")
    def public(x: str) -> str:
        return x

    guard = SchemaGuard(openapi=app.openapi())
    stack = mantlet.asgi.wrap(app, guard, baseline=False)
    answer = drive_asgi(stack, "GET", "/public/admin")
    assert faults(answer) == [("path", "", "ambiguous_operation")]
    assert drive_asgi(stack, "GET", "/public/other").status == 200
    assert "some paths match two operations" in caplog.text
    assert "routers disagree about which one runs" in str(guard.coverage)


@pytest.mark.parametrize("path", ["/slash", "/public/admin/", "/public/x/"])
def test_a_path_that_the_app_redirects_passes(path: str) -> None:
    """It has no endpoint that could run."""
    app = guarded(shop(), slashes="both")
    answer = drive_asgi(app, "GET", path)
    assert answer.status == 307
    assert drive_asgi(guarded(shop()), "GET", path).status == 404


@pytest.mark.parametrize("path", ["/none", "/none/", "/slash/x", "/public/x/y", "/hidden/x/"])
def test_a_path_that_it_does_not_redirect_is_unknown(path: str) -> None:
    """Nor where it only adds slashes."""
    assert drive_asgi(guarded(shop(), slashes="both"), "GET", path).status == 404
    assert drive_asgi(guarded(shop(), slashes="append"), "GET", "/public/x/").status == 404


def test_a_route_that_was_added_later_is_not_taken_for_a_redirect() -> None:
    """It would run unjudged."""
    app = shop()
    known = len(app.router.routes)
    stack = guarded(app, slashes="both", is_current=lambda: len(app.router.routes) == known)
    assert drive_asgi(stack, "GET", "/slash").status == 307
    app.add_api_route("/slash", lambda: "unjudged")
    assert drive_asgi(stack, "GET", "/slash").status == 404


def test_routes_outside_of_the_document_are_closed_or_pass() -> None:
    """As the reader of the app says."""
    assert drive_asgi(guarded(shop()), "GET", "/hidden").status == 404
    assert drive_asgi(guarded(shop(), allow=["path"]), "GET", "/hidden").json() == "hidden"
    assert drive_asgi(guarded(shop(), passes=True), "GET", "/hidden").json() == "hidden"
    assert drive_asgi(guarded(shop(), passes=True), "GET", "/docs").status == 200
    assert drive_asgi(guarded(shop(), passes=True), "GET", "/none").status == 404
    assert drive_asgi(guarded(shop(), passes=True), "POST", "/hidden").status == 405


def test_a_contract_declares_a_route_outside_of_the_document() -> None:
    """In the order of the app's routes; and one that the app has no route for is judged alone."""
    app = guarded(
        shop(),
        security="app",
        contracts={"GET /hidden": None, "GET /{a}/admin": None, "GET /other": None},
    )
    assert drive_asgi(app, "GET", "/hidden").json() == "hidden"
    assert drive_asgi(app, "GET", "/hidden", scope={"query_string": b"a=1"}).status == 422
    # the contract has replaced the operation that needs credentials
    key = [("X-Admin", "x")]
    assert drive_asgi(app, "GET", "/public/admin", headers=key).json() == "secret of public"
    answer = drive_asgi(app, "GET", "/other")
    assert (answer.status, answer.get("content-type")) == (404, "application/json")


# -- Litestar -------------------------------------------------------------------------------------


@litestar.get("/{tenant:str}/admin", sync_to_thread=False)
def admin(tenant: FromPath[str]) -> str:
    return f"secret of {tenant}"


@litestar.get("/public/{number:int}", sync_to_thread=False)
def public_number(number: FromPath[int]) -> int:
    return number


@litestar.get("/hidden/{name:str}", include_in_schema=False, sync_to_thread=False)
def hidden_page(name: FromPath[str]) -> str:
    return name


def test_litestar_is_judged_by_its_own_trie() -> None:
    """It does not go back to a parameter after a literal."""
    app = litestar.Litestar([admin, public_number, hidden_page], logging_config=None)
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    assert drive_asgi(stack, "GET", "/public/5").json() == 5
    assert drive_asgi(stack, "GET", "/public/5/").json() == 5
    assert drive_asgi(stack, "GET", "/public/admin").status == 422  # the number
    assert drive_asgi(stack, "GET", "/a/admin").status == 200
    assert drive_asgi(stack, "GET", "/hidden/admin").status == 404
    assert drive_asgi(app, "GET", "/hidden/admin").status == 200


# -- flask-smorest --------------------------------------------------------------------------------


def smorest(app: Any, root: dict[str, Any]) -> Any:
    """Return what flask-smorest's ``Api`` has."""
    return SimpleNamespace(
        _app=app, spec=SimpleNamespace(openapi_version="3.0.3", to_dict=lambda: root)
    )


def test_flask_is_judged_by_the_weights_of_its_rules() -> None:
    """A literal, then a number, then text; and a slash that it adds."""
    app = flask.Flask("app")
    app.add_url_rule("/x/<name>", "name", lambda name: f"name {name}")
    app.add_url_rule("/x/<int:number>", "number", lambda number: f"number {number}")
    app.add_url_rule("/x/me", "me", lambda: "me", methods=["POST"])
    app.add_url_rule("/slash/", "slash", lambda: "slash")
    ok = {"responses": {"200": {"description": ""}}}

    def item(method: str, *names: str, kind: str = "string") -> dict[str, Any]:
        return {
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": kind}}
                for name in names
            ],
            method: ok,
        }

    root = {
        "openapi": "3.0.3",
        "info": {"title": "", "version": "1"},
        "paths": {
            "/x/{name}": {
                **item("get", "name"),
                "parameters": [
                    {
                        "name": "name",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "pattern": "^[a-z]+$"},
                    }
                ],
            },
            "/x/me": item("post"),
            "/slash/": item("get"),
        },
    }
    stack = mantlet.wsgi.wrap(app, SchemaGuard.from_app(smorest(app, root)), baseline=False)
    assert drive_wsgi(stack, "GET", "/x/a").body == b"name a"
    # The rule of a number is not in the document: not the other operation's.
    assert drive_wsgi(stack, "GET", "/x/5").status == 404
    assert drive_wsgi(stack, "POST", "/x/me").body == b"me"
    assert drive_wsgi(stack, "GET", "/x/me").body == b"name me"
    assert drive_wsgi(stack, "GET", "/slash").status == 308
    assert drive_wsgi(stack, "GET", "/x/a/").status == 404
    assert drive_wsgi(stack, "GET", "/static/x").status == 404
