"""The apps of frameworks are found inside anything that refers to them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import falcon.asgi
import flask
import litestar
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Host, Mount, Router
from werkzeug.local import LocalProxy
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import mantlet
from mantlet import ErrorEnvelope, Problem
from mantlet.integrations import app_search
from mantlet.integrations.app_search import find_apps, wrapped_apps
from tests.drive import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

GLOBAL = litestar.Litestar([], logging_config=None)


def found(app: Any) -> list[Any]:
    return [one for _, one in find_apps(app)]


class Attribute:
    def __init__(self, app: Any) -> None:
        self.app = app


class Slotted:
    __slots__ = ("app", "unset")

    def __init__(self, app: Any) -> None:
        self.app = app


class Calling:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await GLOBAL(scope, receive, send)

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve as a bound method."""


def as_middleware(app: Any) -> Any:
    return Attribute(app)


def closing_over(app: Any) -> Any:
    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return middleware


async def global_name(scope: Any, receive: Any, send: Any) -> None:
    await GLOBAL(scope, receive, send)


def bound(app: Any) -> Any:
    calling = Calling()
    calling.app = app  # type: ignore[attr-defined]  # set on the fly
    return calling.serve


def with_cycle(app: Any) -> Any:
    one, other = Attribute(app), Attribute(None)
    one.__dict__["other"], other.app = other, one
    return other


def litestar_mount(app: Any) -> Any:
    @litestar.asgi("/m", is_mount=True, copy_scope=True)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return litestar.Litestar([mounted], logging_config=None)


WAYS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda app: app,
    "attribute": Attribute,
    "slot": Slotted,
    "closure": closing_over,
    "partial": lambda app: partial(print, app=app),
    "positional partial": lambda app: partial(print, app),
    "dict and list": lambda app: Attribute({"a": [None, (app,)]}),
    "bound method": bound,
    "cycle": with_cycle,
    "proxy beside": lambda app: Attribute([LocalProxy(lambda: 1 / 0), app]),
    "mount": lambda app: Starlette(routes=[Mount("/m", app)]),
    "mount with middleware": lambda app: Starlette(
        routes=[Mount("/m", app, middleware=[Middleware(as_middleware)])]
    ),
    "host": lambda app: FastAPI(routes=[Host("x", Router([Mount("/m", app)]))]),
    "Litestar's mount": litestar_mount,
    "dispatcher": lambda app: DispatcherMiddleware(flask.Flask("outer"), {"/m": app}),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_app_is_found(way: str) -> None:
    """By each way in which objects refer to others."""
    app = falcon.asgi.App()
    assert app in found(WAYS[way](app))


@pytest.mark.parametrize("app", [global_name, Calling()], ids=["function", "object"])
def test_an_app_of_a_global_name_is_found(app: Any) -> None:
    """As a module of a single function has it."""
    assert GLOBAL in found(app)


def test_the_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the graph is."""
    monkeypatch.setattr(app_search, "_MAX_OBJECTS", 100)
    app = falcon.asgi.App()
    far: Any = app
    for _ in range(200):
        far = Attribute(far)
    assert found(far) == []


def test_a_wrapper_with_a_mapping_of_weak_references_is_looked_into() -> None:
    """It takes no text for a key."""

    class Caching(Attribute):
        def __init__(self, app: Any) -> None:
            super().__init__(app)
            self.cache: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

        def __call__(self, environ: Any, start_response: Any) -> Any:
            return self.app(environ, start_response)

    app = flask.Flask("shop")
    assert app in list(wrapped_apps(Caching(app)))
    assert drive_wsgi(mantlet.wrap(Caching(app))).status == 404


def test_an_app_is_found_beside_many_routes() -> None:
    """Whose endpoints, models and dependencies are not looked at."""
    outer = FastAPI()
    for number in range(1000):
        outer.get(f"/{number}")(lambda number=number: number)
    mounted = Starlette()
    outer.mount("/m", mounted)
    assert mounted in found(Attribute(outer))


def test_nothing_is_called_and_no_property_is_read() -> None:
    """They may have effects."""

    class Touchy:
        __slots__ = ()

        @property
        def app(self) -> Any:
            raise AssertionError

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]  # nor is it hashed

    assert found([Touchy(), Attribute(Touchy())]) == []


# -- what comes after the construction ------------------------------------------------------------


def refuse() -> None:
    raise Problem(409)


def test_an_app_that_is_mounted_after_wrapping_is_hooked() -> None:
    """Before the first request."""
    outer = Starlette()
    stack = mantlet.asgi.wrap(outer, ErrorEnvelope(), baseline=False)

    @litestar.get("/")
    async def index() -> None:
        refuse()

    mounted: Any = litestar.Litestar([index], logging_config=None)
    outer.mount("/m", mounted)
    assert drive_asgi(stack, path="/m/").status == 409


def test_a_handler_that_is_added_after_wrapping_is_heard() -> None:
    """As Flask's and Falcon's are."""
    app = falcon.App()
    stack = mantlet.wsgi.wrap(app, ErrorEnvelope(), baseline=False)

    class Page:
        def on_get(self, request: Any, response: Any) -> None:
            refuse()

    def answer(request: Any, response: Any, error: Any, params: Any) -> None:
        response.status = 418

    app.add_route("/", Page())
    app.add_error_handler(Problem, answer)
    assert drive_wsgi(stack).status == 418
