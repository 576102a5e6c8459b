"""The app's own response to an error, which a policy that hears the error may let stand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import flask
import pytest
import quart
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import mantlet
from mantlet import Policy, Reply, Request, Response, ResponseTooLarge
from mantlet.http.headers import TextHeaders
from tests.drive import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet._internal.asgi_types import AsgiApp, Receive, Scope, Send


def server_error() -> Starlette:
    async def view(request: Any) -> Any:
        return JSONResponse({"detail": "no"}, 500)

    return Starlette(routes=[Route("/", view)])


class Keeps(Policy):
    """Lets the app's own response answer the error, where it has made one."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int | None, bytes | None]] = []

    def on_error(self, request: Request, error: BaseException) -> Response | None:
        own = request.app_response
        if own is None:
            self.heard.append((type(error).__name__, None, None))
            return None
        self.heard.append((type(error).__name__, own.status, own.full_body))
        own.headers.set("X-Kept", "yes")
        return own


def own_page(*, raises: BaseException) -> AsgiApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/html"), (b"set-cookie", b"a=b")]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": b"<h1>Our page</h1>"})
        raise raises

    return app


def test_the_apps_own_response_may_answer_its_error() -> None:
    """The error is not raised to the server, and outer policies see the response."""

    class Sees(Policy):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def on_response(self, request: Request, response: Response) -> None:
            self.seen.append(f"response {response.status}")
            assert request.app_response is None

        def on_error(self, request: Request, error: BaseException) -> Reply:
            self.seen.append(f"error {error}")
            return Reply(500)

    keeps, sees = Keeps(), Sees()
    app = mantlet.asgi.Stack(own_page(raises=ValueError("no")), [sees, keeps])
    answer = drive_asgi(app)
    assert (answer.status, answer.body, answer.error) == (500, b"<h1>Our page</h1>", None)
    assert (answer.get("set-cookie"), answer.get("x-kept")) == ("a=b", "yes")
    assert keeps.heard == [("ValueError", 500, b"<h1>Our page</h1>")]
    assert sees.seen == ["response 500"]


def test_an_error_without_a_response_has_none_to_keep() -> None:
    """A head alone is not one, nor is what came before a policy's own failure."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        raise ValueError("no")

    class Fails(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            raise KeyError("own")

    keeps = Keeps()
    answer = drive_asgi(mantlet.asgi.Stack(app, [keeps]))
    assert (answer.status, str(answer.error)) == (None, "no")
    answer = drive_asgi(mantlet.asgi.Stack(server_error(), [keeps, Fails()]))
    assert isinstance(answer.error, KeyError)
    assert keeps.heard == [("ValueError", None, None), ("KeyError", None, None)]


def test_a_cancelled_app_is_not_answered_by_its_response() -> None:
    """Nor by any other."""
    keeps = Keeps()
    app = mantlet.asgi.Stack(own_page(raises=asyncio.CancelledError()), [keeps])
    answer = drive_asgi(app)
    assert isinstance(answer.error, asyncio.CancelledError)
    assert keeps.heard == [("CancelledError", 500, b"<h1>Our page</h1>")]


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(
    "returned", [Response(500, [], TextHeaders), "text", 5], ids=lambda v: type(v).__name__
)
def test_only_that_very_response_answers(returned: Any, waits: bool) -> None:
    """Anything else that a hook returns is an error of its own."""

    class Odd(Policy):
        def on_error(self, request: Request, error: BaseException) -> Any:
            return self.later() if waits else returned

        async def later(self) -> Any:
            return returned

    class OddLater(Policy):
        async def on_response(self, request: Request, response: Response) -> Any:
            return response

    answer = drive_asgi(mantlet.asgi.Stack(own_page(raises=ValueError("no")), [Odd()]))
    assert isinstance(answer.error, TypeError)
    answer = drive_asgi(mantlet.asgi.Stack(server_error(), [OddLater()]))
    assert isinstance(answer.error, TypeError)


def test_a_policy_that_only_reports_keeps_nothing() -> None:
    """It sees a copy, and the error goes on to the server."""
    keeps = Keeps()
    keeps.mode = "report"
    app = mantlet.asgi.Stack(own_page(raises=ValueError("no")), [keeps])
    answer = drive_asgi(app)
    assert (answer.status, answer.body) == (500, b"<h1>Our page</h1>")
    assert (answer.get("x-kept"), str(answer.error)) == (None, "no")
    assert keeps.heard == [("ValueError", 500, b"<h1>Our page</h1>")]


# -- signalled exceptions, under both protocols ---------------------------------------------------


def flask_app(*chunks: str) -> Any:
    app = flask.Flask(__name__)

    @app.route("/")
    def view() -> Any:
        raise ValueError("no")

    @app.errorhandler(500)
    def page(error: Any) -> Any:
        return flask.Response(iter(chunks) if len(chunks) > 1 else chunks[0], 500)

    return app


def quart_app(*chunks: str) -> Any:
    app = quart.Quart(__name__)

    @app.route("/")
    async def view() -> Any:
        raise ValueError("no")

    @app.errorhandler(500)
    async def page(error: Any) -> Any:
        async def stream() -> Any:
            for chunk in chunks:
                yield chunk

        return quart.Response(stream() if len(chunks) > 1 else chunks[0], 500)

    return app


def ask(app: Any, *policies: Policy) -> Any:
    if isinstance(app, flask.Flask):
        return drive_wsgi(mantlet.wsgi.Stack(app, policies))
    return drive_asgi(mantlet.asgi.Stack(app, policies))


frameworks = pytest.mark.parametrize("make", [flask_app, quart_app])


@frameworks
def test_a_page_for_a_signalled_exception_is_whole(make: Callable[..., Any]) -> None:
    """It is there before the response has begun."""
    keeps = Keeps()
    answer = ask(make("Our page"), keeps)
    assert keeps.heard == [("ValueError", 500, b"Our page")]
    assert (answer.status, answer.body, answer.get("x-kept")) == (500, b"Our page", "yes")
    assert answer.error is None


class Waits(Policy):
    """Waits for the body of the app's own response before it lets it stand."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.bodies: list[bytes | None] = []

    async def on_error(self, request: Request, error: BaseException) -> Response | None:
        own = request.app_response
        assert own is not None
        assert own.full_body is None
        try:
            self.bodies.append(await own.body(self.limit))
        except ResponseTooLarge:
            self.bodies.append(None)
        assert request.app_response is own
        return own


@frameworks
def test_a_page_that_streams_can_be_waited_for(make: Callable[..., Any]) -> None:
    """The error comes before its first chunk is sent."""
    waits = Waits()
    answer = ask(make("Our ", "page"), waits)
    assert (waits.bodies, answer.status, answer.body) == ([b"Our page"], 500, b"Our page")
    assert answer.error is None
    waits = Waits(limit=5)
    answer = ask(make("Our ", "page"), waits)
    assert (waits.bodies, answer.status, answer.body) == ([None], 500, b"Our page")


@frameworks
@pytest.mark.parametrize("chunks", [("secret page",), ("a secret", " page")], ids=["whole", "cut"])
@pytest.mark.parametrize("returns", [True, False])
def test_a_policy_that_hears_an_error_may_filter_the_page(
    make: Callable[..., Any], chunks: tuple[str, ...], returns: bool
) -> None:
    """Whether it lets the page answer the error, or leaves the error to others."""

    class Masks(Policy):
        def on_error(self, request: Request, error: BaseException) -> Response | None:
            own = request.app_response
            assert own is not None
            own.transform(lambda chunk, _: chunk.replace(b"secret", b"***"))
            return own if returns else None

    answer = ask(make(*chunks), Masks())
    assert answer.body == "".join(chunks).replace("secret", "***").encode()
    assert answer.get("content-length") in (None, str(len(answer.body)))


@frameworks
def test_an_error_that_is_answered_is_not_heard_further_out(make: Callable[..., Any]) -> None:
    """Neither in the same stack nor in one outside of it."""
    outer, keeps = Keeps(), Keeps()
    answer = ask(make("Our page"), outer, keeps)
    assert (len(keeps.heard), outer.heard) == (1, [])
    app = make("Our page")
    inner = (mantlet.wsgi if isinstance(app, flask.Flask) else mantlet.asgi).Stack(app, [Keeps()])
    if isinstance(app, flask.Flask):
        answer = drive_wsgi(mantlet.wsgi.Stack(inner.__call__, [outer]))
    else:

        async def apart(scope: Scope, receive: Receive, send: Send) -> None:
            await inner(scope, receive, send)

        answer = drive_asgi(mantlet.asgi.Stack(apart, [outer]))
    assert (answer.status, outer.heard) == (500, [])
