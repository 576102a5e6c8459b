"""Event streams of frameworks flow through a stack as they do without it, in the same order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import falcon.asgi
import fastapi
import litestar
import litestar.response
import pytest
import quart
from django.http import StreamingHttpResponse
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import StreamingResponse
from starlette.routing import Route

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer, RateLimiter
from tests.asgi.test_holding import course, passes
from tests.integrations.django_site import django_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

EVENTS = "text/event-stream"
POLICIES = (
    OutputSanitizer(secrets=["s3cr3t-t0ken-9x8y7z-abc"]),
    ErrorEnvelope(stream_errors=True),
    RateLimiter("1000/minute"),
)


async def events(happened: list[str]) -> AsyncIterator[bytes]:
    for number in range(3):
        happened.append(f"makes {number}")
        yield b"data: %d\n\n" % number


def starlette(happened: list[str], status: int) -> Any:
    async def view(request: Any) -> Any:
        return StreamingResponse(events(happened), status, media_type=EVENTS)

    return Starlette(routes=[Route("/", view)])


def fastapi_app(happened: list[str], status: int) -> Any:
    app = fastapi.FastAPI()

    async def session() -> Any:
        yield
        happened.append("torn down")

    @app.get("/", dependencies=[fastapi.Depends(session)])
    async def view() -> fastapi.Response:
        return StreamingResponse(events(happened), status, media_type=EVENTS)

    return app


def quart_app(happened: list[str], status: int) -> Any:
    app = quart.Quart(__name__)

    @app.route("/")
    async def view() -> Any:
        return quart.Response(events(happened), status, content_type=EVENTS)

    return app


def litestar_app(happened: list[str], status: int) -> Any:
    @litestar.get("/")
    async def view() -> litestar.response.Stream:
        return litestar.response.Stream(events(happened), status_code=status, media_type=EVENTS)

    return litestar.Litestar([view], logging_config=None)


def falcon_app(happened: list[str], status: int) -> Any:
    class View:
        async def on_get(self, request: Any, response: Any) -> None:
            response.status = status
            response.content_type = EVENTS
            response.stream = events(happened)

    app = falcon.asgi.App()
    app.add_route("/", View())
    return app


def django_app(happened: list[str], status: int) -> Any:
    def view(request: Any) -> Any:
        return StreamingHttpResponse(events(happened), status=status, content_type=EVENTS)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with django_site("asgi", index=view) as site:
            await site(scope, receive, send)

    return app


def inside_a_function_middleware(happened: list[str], status: int) -> Any:
    return BaseHTTPMiddleware(starlette(happened, status), passes)


FRAMEWORKS: list[Callable[[list[str], int], Any]] = [
    starlette,
    fastapi_app,
    quart_app,
    litestar_app,
    falcon_app,
    django_app,
    inside_a_function_middleware,
]


@pytest.mark.parametrize("status", [200, 429, 503])
@pytest.mark.parametrize("make", FRAMEWORKS)
def test_an_event_stream_flows_as_it_does_bare(
    make: Callable[[list[str], int], Any], status: int
) -> None:
    """The head before the first event is made, and each event before the next one."""
    bare, wrapped = list[str](), list[str]()
    course(make(bare, status), bare)
    course(mantlet.wrap(make(wrapped, status), *POLICIES), wrapped)
    assert wrapped == bare
    assert wrapped[0] == f"head {status}" or make is not starlette
    assert [one for one in wrapped if one.startswith("makes")] == ["makes 0", "makes 1", "makes 2"]


def test_a_falcon_response_is_out_before_its_scheduled_work_runs() -> None:
    """A complete 404, whose work is done after it."""

    def app(happened: list[str]) -> Any:
        class View:
            async def on_get(self, request: Any, response: Any) -> None:
                async def work() -> None:
                    happened.append("work")

                response.status = 404
                response.media = {}
                response.schedule(work)

        made = falcon.asgi.App()
        made.add_route("/", View())
        return made

    bare, wrapped = list[str](), list[str]()
    course(app(bare), bare)
    course(mantlet.wrap(app(wrapped), *POLICIES), wrapped)
    assert wrapped == bare
    assert wrapped.index("end") < wrapped.index("work")


@pytest.mark.parametrize("make", [quart_app, litestar_app, falcon_app])
def test_an_error_page_of_a_framework_is_sent_with_its_head(
    make: Callable[[list[str], int], Any],
) -> None:
    """A 404 of the router, through all policies."""
    app = make([], 200)

    async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "path": "/nowhere", "raw_path": b"/nowhere"}, receive, send)

    happened: list[str] = []
    course(mantlet.wrap(elsewhere, *POLICIES), happened)
    assert happened[0] == "head 404"
    assert happened[-1] == "end"
