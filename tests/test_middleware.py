"""`Stack` as a conventional middleware, in both protocols and through frameworks' own ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
import pytest
from fastapi import FastAPI
from litestar import Litestar, get
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet
from mantlet import ErrorEnvelope, RateLimiter
from tests.drive import Adapter, Said, both_adapters, drive_asgi, drive_wsgi, hello

if TYPE_CHECKING:
    from starlette.requests import Request


def failing(carrier: Any) -> Said:
    raise ValueError("s3cr3t")


@both_adapters
def test_a_stack_takes_its_policies_by_keyword(adapter: Adapter) -> None:
    """The app comes first, as a framework passes it."""
    module: Any = adapter.module
    limiter = RateLimiter("2/hour", clock=lambda: 0)
    stack = module.Stack(adapter.app(hello), policies=[limiter])
    assert stack.policies == (limiter,)
    assert [adapter.drive(stack).status for _ in range(3)] == [200, 200, 429]


@both_adapters
def test_an_envelope_in_a_stack_takes_its_options(adapter: Adapter) -> None:
    """Each policy is configured by its own constructor."""
    module: Any = adapter.module
    stack = module.Stack(
        adapter.app(failing), policies=[ErrorEnvelope(exceptions={ValueError: 409})]
    )
    answer = adapter.drive(stack)
    assert answer.status == 409
    assert b"s3cr3t" not in answer.body


@both_adapters
def test_stacks_around_each_other_fuse(adapter: Adapter) -> None:
    """As a framework builds them, from the inside out."""
    module: Any = adapter.module
    app = adapter.app(hello)
    stack = module.Stack(
        module.Stack(app, policies=[RateLimiter("2/hour")]), policies=[ErrorEnvelope()]
    )
    assert [type(policy) for policy in stack.policies] == [ErrorEnvelope, RateLimiter]
    assert stack.app is app


@both_adapters
@pytest.mark.parametrize("odd", [None, "ErrorEnvelope", ErrorEnvelope], ids=str)
def test_a_wrong_policy_by_keyword_is_a_type_error(adapter: Adapter, odd: Any) -> None:
    """At construction, as by position."""
    module: Any = adapter.module
    with pytest.raises(TypeError, match="a policy must be a mantlet"):
        module.Stack(adapter.app(hello), policies=[odd])


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(mantlet.state(request).rate_limit.remaining))


async def failing_page(request: Request) -> PlainTextResponse:
    raise ValueError("s3cr3t")


def limited(app: Any) -> list[tuple[int | None, bytes]]:
    answers = [drive_asgi(app) for _ in range(3)]
    return [(answer.status, answer.body if answer.status == 200 else b"") for answer in answers]


LIMITED = [(200, b"1"), (200, b"0"), (429, b"")]


def test_starlettes_add_middleware_takes_them() -> None:
    """By keyword, as Starlette documents it."""
    app = Starlette(routes=[Route("/", page), Route("/fails", failing_page)])
    app.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter("2/hour", clock=lambda: 0)])
    app.add_middleware(mantlet.asgi.Stack, policies=[ErrorEnvelope()])
    assert limited(app) == LIMITED
    answer = drive_asgi(app, path="/")
    assert answer.get("x-request-id") == answer.json()["request_id"]


def test_starlettes_list_of_middleware_takes_them() -> None:
    """The outermost first."""
    app = Starlette(
        routes=[Route("/", page)],
        middleware=[
            Middleware(mantlet.asgi.Stack, policies=[ErrorEnvelope()]),
            Middleware(mantlet.asgi.Stack, [RateLimiter("2/hour", clock=lambda: 0)]),
        ],
    )
    assert limited(app) == LIMITED


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
def test_an_envelope_inside_starlette_answers_before_starlette_does(debug: bool) -> None:
    """Nothing reaches the server, and no debug page is made."""
    app = Starlette(routes=[Route("/", failing_page)], debug=debug)
    app.add_middleware(mantlet.asgi.Stack, policies=[ErrorEnvelope()])
    answer = drive_asgi(app)
    assert answer.error is None
    assert answer.status == 500
    assert answer.get("content-type") == "application/problem+json"
    assert b"s3cr3t" not in answer.body


def test_fastapis_add_middleware_takes_them() -> None:
    """By keyword, as FastAPI documents it."""
    api = FastAPI(routes=[Route("/", page)])
    api.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter("2/hour", clock=lambda: 0)])
    api.add_middleware(mantlet.asgi.Stack, policies=[ErrorEnvelope()])
    assert limited(api) == LIMITED


def test_the_manuals_own_line_for_fastapi_works() -> None:
    """The one that a reader copies first."""
    api = FastAPI(routes=[Route("/", page)])
    api.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter("5/s")])
    assert drive_asgi(api).status == 200


def test_litestars_middleware_list_takes_them() -> None:
    """As factories that take the app."""

    @get("/", sync_to_thread=False)
    def index() -> str:
        return "hello"

    def limiting(app: Any) -> Any:  # Any: Litestar's own types of ASGI
        return mantlet.asgi.Stack(app, policies=[RateLimiter("2/hour", clock=lambda: 0)])

    app = Litestar(
        [index],
        middleware=[limiting],
        openapi_config=None,
        logging_config=None,
    )
    assert [drive_asgi(app).status for _ in range(3)] == [200, 200, 429]


def test_flasks_wsgi_app_takes_them() -> None:
    """As any WSGI middleware."""
    app = flask.Flask(__name__)
    app.get("/")(lambda: "hello")
    app.wsgi_app = mantlet.wsgi.Stack(  # type: ignore[method-assign]  # Flask's way
        app.wsgi_app, policies=[RateLimiter("2/hour", clock=lambda: 0)]
    )
    assert [drive_wsgi(app).status for _ in range(3)] == [200, 200, 429]
