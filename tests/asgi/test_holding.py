"""What is held for an exception that may follow, in a stack that hears errors, and what is not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import fastapi
import litestar
import pytest
from litestar.background_tasks import BackgroundTask as LitestarTask
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer, Policy, RateLimiter, Request
from tests.drive import drive_asgi, make_environ, make_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send

POLICIES = OutputSanitizer(), ErrorEnvelope(), RateLimiter("1000/minute")
DETAIL = "connection to db.internal refused"


def course(app: Any, happened: list[str], *, spec: str = "2.3") -> list[str]:
    """Run one exchange; return what happened in the app and at the server, in its order.

    The client stays until it has its whole response.
    """
    asgi = {"version": "3.0", "spec_version": spec}

    async def run() -> None:
        done = asyncio.Event()
        events = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> AsgiMessage:
            for event in events:
                return event
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(message: AsgiMessage) -> None:
            await asyncio.sleep(0)
            if message["type"] == "http.response.start":
                happened.append(f"head {message['status']}")
                return
            happened.append("chunk" if message.get("body") else "empty chunk")
            if not message.get("more_body", False):
                happened.append("end")
                done.set()

        await app(make_scope(headers=[("accept", "*/*")], scope={"asgi": asgi}), receive, send)

    asyncio.run(run())
    return happened


# -- what flows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 404, 429, 500, 503])
@pytest.mark.parametrize("policies", [(ErrorEnvelope(),), POLICIES], ids=["envelope", "all"])
def test_a_stream_flows_whatever_its_status(status: int, policies: tuple[Policy, ...]) -> None:
    """Each event is out before the app makes the next one."""
    happened: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for number in range(3):
            happened.append(f"event {number}")
            chunk = b"data: %d\n\n" % number
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    course(mantlet.asgi.Stack(app, policies), happened)
    flowing = [one for one in happened if one.startswith(("event", "chunk"))]
    assert flowing == ["event 0", "chunk", "event 1", "chunk", "event 2", "chunk"]
    assert f"head {status}" in happened


@pytest.mark.parametrize("policies", [[ErrorEnvelope()], POLICIES], ids=["envelope", "all"])
def test_a_wsgi_error_that_streams_is_not_read_ahead(policies: list[Policy]) -> None:
    """The server has each chunk before the next is made (PEP 3333, "Buffering and Streaming")."""
    made: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("500 Internal Server Error", [("content-type", "text/event-stream")])

        def chunks() -> Iterator[bytes]:
            for number in range(5):
                made.append(number)
                yield b"data: %d\n\n" % number

        return chunks()

    result: Any = mantlet.wsgi.Stack(app, policies)(make_environ(), lambda *_: list.append)  # type: ignore[arg-type]  # a server's write()
    read = []
    for chunk in result:
        if chunk:
            read.append(chunk)
            assert len(made) == len(read)
    result.close()  # or the exchange stays the current one of every later test
    assert len(read) == 5


def starlette(happened: list[str], status: int) -> Any:
    async def view(request: Any) -> Any:
        task = BackgroundTask(happened.append, "task")
        return JSONResponse({"detail": "no"}, status, background=task)

    return Starlette(routes=[Route("/", view)])


def fastapi_app(happened: list[str], status: int) -> Any:
    app = fastapi.FastAPI()

    async def session() -> Any:
        yield
        happened.append("torn down")

    @app.get("/", dependencies=[fastapi.Depends(session)])
    def view(tasks: fastapi.BackgroundTasks) -> fastapi.Response:
        tasks.add_task(happened.append, "task")
        return JSONResponse({"detail": "no"}, status, background=tasks)

    return app


def litestar_app(happened: list[str], status: int) -> Any:
    @litestar.get("/")
    async def view() -> litestar.Response[dict[str, str]]:
        task = LitestarTask(happened.append, "task")
        return litestar.Response({"detail": "no"}, status_code=status, background=task)

    return litestar.Litestar([view], logging_config=None)


def inside_middlewares(happened: list[str], status: int) -> Any:
    """A function middleware and compression between the stack and the app."""

    async def passes(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    return GZipMiddleware(BaseHTTPMiddleware(starlette(happened, status), passes), minimum_size=1)


@pytest.mark.parametrize("status", [200, 400, 404, 429, 499])
@pytest.mark.parametrize("make", [starlette, fastapi_app, litestar_app, inside_middlewares])
def test_a_response_is_out_before_its_background_task_runs(
    make: Callable[[list[str], int], Any], status: int
) -> None:
    """In the very order of the bare app."""
    bare, wrapped = list[str](), list[str]()
    course(make(bare, status), bare)
    course(mantlet.wrap(make(wrapped, status), *POLICIES), wrapped)
    assert wrapped == bare
    assert "task" in wrapped
    if make is not inside_middlewares:  # which end the response when the task has run
        assert wrapped.index("end") < wrapped.index("task")


def test_a_server_error_waits_for_its_own_background_task() -> None:
    """Since an exception may follow it: the price, stated in the architecture."""
    happened: list[str] = []
    course(mantlet.wrap(starlette(happened, 503), *POLICIES), happened)
    assert happened == ["task", "head 503", "chunk", "end"]
    happened.clear()
    course(mantlet.asgi.Stack(starlette(happened, 503), [RateLimiter("9/minute")]), happened)
    assert happened == ["head 503", "chunk", "end", "task"]


def test_a_client_error_made_by_a_handler_waits_for_its_own_background_task() -> None:
    """While an exception is handled it may be raised again, whatever the status."""
    happened: list[str] = []

    async def view(request: Any) -> Any:
        raise LookupError

    async def handler(request: Any, error: Exception) -> Any:
        return JSONResponse({}, 404, background=BackgroundTask(happened.append, "task"))

    app = Starlette(routes=[Route("/", view)], exception_handlers={LookupError: handler})
    course(mantlet.asgi.Stack(app, [ErrorEnvelope()]), happened)
    assert happened == ["task", "head 404", "chunk", "end"]


@pytest.mark.parametrize("declares_length", [True, False])
def test_an_error_in_two_chunks_is_not_held(declares_length: bool) -> None:
    """Unless the first is all of it, by its length; then until the app sends on."""
    happened: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/x-own")]
        if declares_length:
            headers.append((b"content-length", b"4"))
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        for chunk in (b"ab", b"cd"):
            happened.append("sends")
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        happened.append("sends")
        await send({"type": "http.response.body"})

    course(mantlet.asgi.Stack(app, [ErrorEnvelope()]), happened)
    flow = ["sends", "head 500", "chunk", "sends", "chunk", "sends", "empty chunk", "end"]
    assert happened == flow


@pytest.mark.parametrize("listens_first", [True, False])
def test_an_error_is_sent_while_the_app_listens_for_the_client_to_go(listens_first: bool) -> None:
    """In a task of its own, begun before the response or after it; the app ends with both."""
    happened: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

        async def listen() -> None:
            happened.append((await receive())["type"])

        async def answer() -> None:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"later"})

        steps = (listen, answer) if listens_first else (answer, listen)
        await asyncio.gather(*(step() for step in steps))

    course(mantlet.asgi.Stack(app, [ErrorEnvelope()]), happened)
    assert happened == ["head 503", "chunk", "end", "http.disconnect"]


# -- what is heard --------------------------------------------------------------------------------


def crashing() -> Any:
    async def view(request: Any) -> Any:
        raise ConnectionError(DETAIL)

    return Starlette(routes=[Route("/", view)], debug=True)


class Copies:
    """A middleware that copies the scope, as the specification tells it to."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


async def passes(request: Any, call_next: Any) -> Any:
    return await call_next(request)


@pytest.mark.parametrize(
    "between",
    [
        lambda app: app,
        Copies,
        lambda app: BaseHTTPMiddleware(app, passes),
        lambda app: GZipMiddleware(app, minimum_size=1),
        lambda app: BaseHTTPMiddleware(GZipMiddleware(app, minimum_size=1), passes),
        lambda app: Starlette(routes=[Mount("/", app)]),
    ],
    ids=["bare", "copies", "function", "gzip", "function, gzip", "mount"],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_an_exception_behind_a_response_is_heard(
    between: Callable[[Any], Any], accept: str, coding: str
) -> None:
    """Through middlewares that cut the response up in other ways; debug pages never get out."""
    app = mantlet.wrap(between(crashing()), ErrorEnvelope(), baseline=False)
    answer = drive_asgi(app, headers=[("accept", accept), ("accept-encoding", coding)])
    assert answer.status == 500
    assert answer.error is None
    assert answer.get("x-request-id")
    assert DETAIL not in answer.text()
    assert "Traceback" not in answer.text()
    assert answer.get("content-encoding") is None
    assert b"Internal Server Error" in answer.body


def own_page(*, raises: BaseException) -> AsgiApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/html"), (b"set-cookie", b"a=b")]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": b"<h1>Our page</h1>"})
        raise raises

    return app


def test_an_exception_behind_a_compressed_stream_comes_late() -> None:
    """A function middleware makes a stream of the response, and compression drops its length."""
    between = GZipMiddleware(BaseHTTPMiddleware(own_page(raises=ValueError("no")), passes), 1)
    app = mantlet.asgi.Stack(between, [ErrorEnvelope()])
    answer = drive_asgi(app, headers=[("accept-encoding", "gzip")])
    assert (answer.status, answer.get("content-encoding")) == (500, "gzip")
    assert str(answer.error) == "no"


def test_an_error_that_streams_is_left_to_stream() -> None:
    """A policy that hears errors costs it nothing."""

    async def view(request: Any) -> Any:
        async def chunks() -> Any:
            yield "one"
            yield "two"

        return StreamingResponse(chunks(), 500)

    class Hears(Policy):
        def on_error(self, request: Request, error: BaseException) -> None: ...

    answer = drive_asgi(mantlet.asgi.Stack(Starlette(routes=[Route("/", view)]), [Hears()]))
    assert (answer.status, answer.chunks) == (500, [b"one", b"two", b""])
