"""The exchange's state, as an app finds it: really asked for inside each framework's handler."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import falcon
import falcon.asgi
import flask
import pytest
import quart
from fastapi import FastAPI
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import mantlet
from mantlet import ErrorEnvelope, Policy, RateLimiter
from tests.drive import ADAPTERS, drive_asgi, drive_wsgi, make_environ, make_scope
from tests.integrations.django_site import django_site

REQUEST_ID = "from-the-client"


def told(source: Any) -> str:
    """Return what an app's handler learns from the state."""
    state = mantlet.state(source)
    return f"{state.request_id} {state.rate_limit.remaining}"


def flask_app() -> Any:
    app = flask.Flask(__name__)

    @app.get("/")
    def index() -> str:
        return told(flask.request)

    return app


def quart_app() -> Any:
    app = quart.Quart(__name__)

    @app.get("/")
    async def index() -> str:
        return told(quart.request)

    return app


def starlette_app() -> Any:
    async def index(request: Request) -> PlainTextResponse:
        return PlainTextResponse(told(request))

    return Starlette(routes=[Route("/", index)])


def mounted_app() -> Any:
    async def index(request: HTTPConnection) -> PlainTextResponse:
        return PlainTextResponse(told(request))

    return Starlette(routes=[Mount("/", routes=[Mount("/", routes=[Route("/", index)])])])


def fastapi_app() -> Any:
    app = FastAPI()

    @app.get("/", response_class=PlainTextResponse)
    def index(request: Request) -> str:
        return told(request)

    index.__globals__["Request"] = Request
    return app


def litestar_app() -> Any:
    @get("/")
    async def index(request: LitestarRequest[Any, Any, Any]) -> str:
        return told(request)

    return Litestar([index], openapi_config=None, logging_config=None)


class FalconResource:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.text = told(req)


class AsyncFalconResource:
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.text = told(req)


def falcon_app() -> Any:
    app = falcon.App()
    app.add_route("/", FalconResource())
    return app


def async_falcon_app() -> Any:
    app = falcon.asgi.App()
    app.add_route("/", AsyncFalconResource())
    return app


def policies() -> tuple[Policy, ...]:
    return ErrorEnvelope(), RateLimiter("7/hour", clock=lambda: 0)


@pytest.mark.parametrize("make", [flask_app, falcon_app], ids=["flask", "falcon"])
def test_a_wsgi_frameworks_request_gives_the_state(make: Any) -> None:
    """The handler's own request object is enough."""
    app = mantlet.wsgi.wrap(make(), *policies(), baseline=False)
    answer = drive_wsgi(app, headers=[("X-Request-ID", REQUEST_ID)])
    assert (answer.status, answer.body) == (200, b"from-the-client 6")


@pytest.mark.parametrize(
    "make",
    [starlette_app, mounted_app, fastapi_app, quart_app, litestar_app, async_falcon_app],
    ids=["starlette", "starlette mounts", "fastapi", "quart", "litestar", "falcon"],
)
def test_an_asgi_frameworks_request_gives_the_state(make: Any) -> None:
    """The handler's own request object is enough."""
    app = mantlet.asgi.wrap(make(), *policies(), baseline=False)
    answer = drive_asgi(app, headers=[("X-Request-ID", REQUEST_ID), ("Host", "localhost")])
    assert (answer.status, answer.body) == (200, b"from-the-client 6")


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_djangos_request_gives_the_state(adapter: Any) -> None:
    """Under WSGI and under ASGI."""
    with django_site(adapter.name, index=told) as site:
        app = adapter.module.wrap(site, *policies(), baseline=False)
        answer = adapter.drive(app, headers=[("X-Request-ID", REQUEST_ID), ("Host", "localhost")])
    assert (answer.status, answer.body) == (200, b"from-the-client 6")


@pytest.mark.parametrize(
    "carrier",
    [make_environ(), make_scope(), make_scope(scope={"type": "websocket"})],
    ids=["environ", "scope", "websocket scope"],
)
def test_outside_a_stack_the_state_is_empty_and_stays_the_same_object(carrier: Any) -> None:
    """An app that runs unwrapped, in a test for instance, finds nothing and does not fail."""
    state = mantlet.state(carrier)
    assert vars(state) == {}
    state.extra["mine"] = 1
    assert mantlet.state(carrier) is state
    assert mantlet.state(SimpleNamespace(scope=carrier)) is state
    assert mantlet.state(SimpleNamespace(environ=carrier)) is state
    assert mantlet.state(SimpleNamespace(env=carrier)) is state


def test_an_object_whose_scope_is_none_gives_its_environ() -> None:
    """A request class may have both attributes, and fill one."""
    environ = make_environ()
    assert mantlet.state(SimpleNamespace(scope=None, environ=environ)) is mantlet.state(environ)


@pytest.mark.parametrize(
    "source",
    [None, 5, "text", [], SimpleNamespace(scope="x"), object()],
    ids=lambda s: type(s).__name__,
)
def test_what_has_no_environ_and_no_scope_is_a_type_error(source: Any) -> None:
    """The message says what is taken and what was given."""
    with pytest.raises(TypeError, match="WSGI environ, an ASGI scope") as refused:
        mantlet.state(source)
    assert type(source).__name__ in str(refused.value)


def test_what_the_app_leaves_in_the_state_reaches_the_policies() -> None:
    """It is one object, for both directions."""
    seen: list[Any] = []

    class Looks(Policy):
        def on_response(self, request: mantlet.Request, response: mantlet.Response) -> None:
            seen.append(request.state.extra["mine"])

    def handler(carrier: Any) -> Any:
        mantlet.state(carrier).extra["mine"] = carrier
        return 200, [], b""

    for adapter in ADAPTERS:
        assert adapter.drive(adapter.wrap(handler, Looks())).status == 200
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("request_id", "ErrorEnvelope"),
        ("rate_limit", "RateLimiter"),
        ("validated", "SchemaGuard"),
        ("secrets", "SecretLoader"),
        ("csp_nonce", "OutputSanitizer"),
    ],
)
def test_an_attribute_that_no_policy_has_set_names_the_policy(name: str, policy: str) -> None:
    """A user who forgot a policy learns which; ``getattr()`` with a default asks quietly."""
    state = mantlet.state(make_environ())
    with pytest.raises(AttributeError, match=rf"no {name}: no {policy}"):
        getattr(state, name)
    assert getattr(state, name, None) is None
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        getattr(state, "other")  # noqa: B009  # a type checker refuses the plain form
    assert (state.identity, state.problem) == (None, None)


def test_one_policys_entries_are_its_own() -> None:
    """`Request.local()` gives each policy a dict that no other policy sees."""
    seen: list[tuple[str, Any]] = []

    class Keeps(Policy):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_request(self, request: mantlet.Request) -> None:
            assert request.local(self) == {}
            request.local(self)["name"] = self.name

        def on_finish(self, request: mantlet.Request) -> None:
            seen.append((self.name, request.local(self)))

    for adapter in ADAPTERS:
        seen.clear()
        assert (
            adapter.drive(adapter.wrap(lambda _: (200, [], b""), Keeps("a"), Keeps("b"))).status
            == 200
        )
        assert sorted(seen) == [("a", {"name": "a"}), ("b", {"name": "b"})]
