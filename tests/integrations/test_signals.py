"""Frameworks that answer their app's errors themselves: the envelope answers in their place."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Any

import flask
import pytest
import quart
from django.core.exceptions import PermissionDenied
from django.core.signals import request_finished
from django.http import Http404, HttpResponseBadRequest
from fastapi import FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

import mantlet
from mantlet import ErrorEnvelope, Problem
from tests.conformance.checkers import check_asgi
from tests.drive import (
    ADAPTERS,
    Answer,
    AsgiAdapter,
    WsgiAdapter,
    drive_asgi,
    drive_wsgi,
    make_scope,
)
from tests.integrations.django_site import django_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

SECRET = "s3cr3t-pa55w0rd-7f3a9c"
LOCAL = [("Host", "localhost"), ("X-Request-ID", "mine")]


class CanaryError(Exception):
    """What the apps raise."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Let frameworks log as they like, but not to the terminal."""
    loggers = [logging.getLogger(name) for name in ("django", "django.request")]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.propagate = False
    yield
    gc.collect()  # so that what an app left open is laid to this test and not to a later one
    for logger, propagate in zip(loggers, before, strict=True):
        logger.propagate = propagate


def check_enveloped(answer: Answer, caplog: pytest.LogCaptureFixture, status: int = 500) -> None:
    """Hold an answer against what an envelope's must be, and the log as well."""
    assert answer.error is None
    assert answer.status == status
    assert answer.get("content-type") == "application/problem+json"
    assert answer.get("content-length") == str(len(answer.body))
    assert answer.json()["request_id"] == answer.get("x-request-id") == "mine"
    told = answer.text()
    for needle in (SECRET, "CanaryError", "Traceback", ".py", "<html", "<!doctype", "RecursionErr"):
        assert needle.lower() not in told.lower()
    logged = [record for record in caplog.records if record.name == "mantlet.errors"]
    logged = [record for record in logged if record.levelno >= logging.ERROR]
    assert len(logged) == (1 if status >= 500 else 0)
    for record in logged:
        assert record.__dict__["request_id"] == "mine"
        if record.exc_info is None:  # its text was too long
            assert "CanaryError: s3cr3t" in (record.exc_text or "")
        else:
            assert record.exc_info[0] in (CanaryError, RecursionError)


def fail() -> Any:
    raise CanaryError(SECRET)


def fail_hugely() -> Any:
    raise CanaryError(SECRET * 10_000)


def fail_deeply() -> Any:
    return fail_deeply()


def teapot() -> Any:
    raise Problem(418, detail="Short and stout.")


# -- Flask ----------------------------------------------------------------------------------------


def flask_app(view: Callable[[], Any], **config: Any) -> flask.Flask:
    app = flask.Flask(__name__)
    app.config.update(config)
    app.add_url_rule("/", view_func=view, endpoint="index")

    @app.get("/gone")
    def gone() -> Any:
        flask.abort(410)

    @app.get("/own")
    def own() -> Any:
        return flask.Response("of the app", 503, {"X-Own": "1"})

    return app


def ask_flask(app: flask.Flask, path: str = "/", method: str = "GET") -> Answer:
    return drive_wsgi(
        mantlet.wrap(app, ErrorEnvelope(), baseline=False), method, path, headers=LOCAL
    )


@pytest.mark.parametrize("raiser", [fail, fail_hugely, fail_deeply], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "config",
    [{}, {"DEBUG": True}, {"TESTING": True}, {"PROPAGATE_EXCEPTIONS": False}],
    ids=["plain", "debug", "testing", "not propagating"],
)
def test_flasks_500_is_replaced(
    raiser: Any, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whether Flask answers the exception or lets it through."""
    logging.getLogger(__name__).disabled = True  # Flask's own log of it
    check_enveloped(ask_flask(flask_app(raiser, **config)), caplog)


def test_flasks_handler_of_500_does_not_get_the_exception_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A handler that puts the original exception into its page is overruled."""
    app = flask_app(fail)

    @app.errorhandler(500)
    def page(error: Any) -> Any:
        return f"<html>{error.original_exception}</html>", 500

    check_enveloped(ask_flask(app), caplog)


@pytest.mark.parametrize("path", ["/nothing", "/gone", "/own"])
def test_flasks_own_answers_are_left_alone(path: str) -> None:
    """Its 404, an abort() and a 503 that it made itself."""
    app = flask_app(fail)
    bare, wrapped = drive_wsgi(app, path=path, headers=LOCAL), ask_flask(app, path)
    assert (wrapped.status, wrapped.body) == (bare.status, bare.body)
    assert wrapped.headers == [*bare.headers, ("X-Request-ID", "mine")]


def test_an_exception_that_a_flask_handler_makes_a_4xx_is_left_to_it() -> None:
    """What the app expects is not an error."""
    app = flask_app(fail)

    @app.errorhandler(CanaryError)
    def page(error: Exception) -> Any:
        return "expected", 422

    answer = ask_flask(app)
    assert (answer.status, answer.body) == (422, b"expected")


def test_a_problem_raised_in_a_flask_view_is_answered_as_stated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Though Flask takes it for an unhandled exception."""
    answer = ask_flask(flask_app(teapot))
    check_enveloped(answer, caplog, 418)
    assert answer.json()["detail"] == "Short and stout."


def test_head_of_a_failing_flask_view_is_enveloped_without_a_body() -> None:
    """The status is the envelope's, and no byte follows."""
    answer = ask_flask(flask_app(fail), method="HEAD")
    assert (answer.status, answer.body) == (500, b"")
    assert answer.get("content-type") == "application/problem+json"


def test_one_failing_request_does_not_spoil_the_next() -> None:
    """What a signal left behind is of one exchange."""
    fails = [True, False]

    def view() -> str:
        if fails.pop(0):
            raise CanaryError(SECRET)
        return "hello"

    app = mantlet.wrap(flask_app(view), ErrorEnvelope(), baseline=False)
    assert [drive_wsgi(app).status for _ in range(2)] == [500, 200]


def test_an_unwrapped_flask_app_beside_a_wrapped_one_keeps_its_page() -> None:
    """Listening to a signal changes nothing for whom no envelope protects."""
    mantlet.wrap(flask_app(fail), ErrorEnvelope(), baseline=False)
    answer = drive_wsgi(flask_app(fail))
    assert answer.status == 500
    assert b"Internal Server Error" in answer.body
    assert answer.get("content-type") == "text/html; charset=utf-8"


# -- Quart ----------------------------------------------------------------------------------------


def quart_app(view: Callable[[], Any], **config: Any) -> quart.Quart:
    app = quart.Quart(__name__)
    app.config.update(config)

    async def index() -> Any:
        return view()

    app.add_url_rule("/", view_func=index, endpoint="index")

    @app.get("/gone")
    async def gone() -> Any:
        quart.abort(410)

    return app


def ask_quart(app: Any, path: str = "/") -> Answer:
    return drive_asgi(mantlet.wrap(app, ErrorEnvelope(), baseline=False), path=path, headers=LOCAL)


@pytest.mark.parametrize("raiser", [fail, fail_hugely, fail_deeply], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "config",
    [{}, {"DEBUG": True}, {"TESTING": True}, {"PROPAGATE_EXCEPTIONS": False}],
    ids=["plain", "debug", "testing", "not propagating"],
)
def test_quarts_500_is_replaced(
    raiser: Any, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whether Quart answers the exception or lets it through."""
    check_enveloped(ask_quart(quart_app(raiser, **config)), caplog)


def test_quarts_handler_of_500_does_not_get_the_exception_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A handler that puts the original exception into its page is overruled."""
    app = quart_app(fail)

    @app.errorhandler(500)
    async def page(error: Any) -> Any:
        return f"<html>{error.original_exception}</html>", 500

    check_enveloped(ask_quart(app), caplog)


@pytest.mark.parametrize("path", ["/nothing", "/gone"])
def test_quarts_own_answers_are_left_alone(path: str) -> None:
    """Its 404 and an abort()."""
    app = quart_app(fail)
    bare, wrapped = drive_asgi(app, path=path, headers=LOCAL), ask_quart(app, path)
    assert (wrapped.status, wrapped.body) == (bare.status, bare.body)
    assert wrapped.headers == [*bare.headers, ("x-request-id", "mine")]


def test_a_problem_raised_in_a_quart_view_is_answered_as_stated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Though Quart takes it for an unhandled exception."""
    check_enveloped(ask_quart(quart_app(teapot)), caplog, 418)


@pytest.mark.parametrize("accepts", [False, True], ids=["before accept", "after accept"])
def test_an_exception_in_a_quart_websocket_is_told_to_the_client(
    accepts: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Quart would close with 1000, as if all were well, or send a page of its own."""
    app = quart.Quart(__name__)

    @app.websocket("/")
    async def failing() -> None:
        if accepts:
            await quart.websocket.accept()
        raise CanaryError(SECRET)

    sent: list[Any] = []
    coming = [{"type": "websocket.connect"}]

    ended = asyncio.Event()

    async def receive() -> Any:
        if not coming:
            await ended.wait()
            return {"type": "websocket.disconnect", "code": 1006}
        return coming.pop()

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] in {"websocket.close", "websocket.http.response.body"}:
            ended.set()

    scope = make_scope(headers=LOCAL) | {
        "type": "websocket",
        "scheme": "ws",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }

    async def connect() -> None:
        await check_asgi(mantlet.asgi.wrap(app, ErrorEnvelope(), baseline=False))(
            scope, receive, send
        )

    asyncio.run(connect())
    if accepts:
        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
        assert sent[1] == {"type": "websocket.close", "code": 1011, "reason": "mine"}
    else:
        assert sent[0]["status"] == 500
        assert (b"content-type", b"application/problem+json") in sent[0]["headers"]
        assert SECRET.encode() not in sent[1]["body"]
    (record,) = [record for record in caplog.records if record.name == "mantlet.errors"]
    assert record.__dict__["request_id"] == "mine"
    assert record.exc_info is not None
    assert record.exc_info[0] is CanaryError


# -- Django ---------------------------------------------------------------------------------------

adapters = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)


def ask_django(
    adapter: Any, index: Callable[[Any], Any], path: str = "/", **options: Any
) -> Answer:
    with django_site(adapter.name, index=index, **options) as site:
        app = adapter.module.wrap(site, ErrorEnvelope(), baseline=False)
        answer: Answer = adapter.drive(app, path=path, headers=LOCAL)
        return answer


@pytest.mark.slow
@adapters
@pytest.mark.parametrize("raiser", [fail, fail_hugely, fail_deeply], ids=lambda f: f.__name__)
@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize(
    "middleware",
    [(), ("django.middleware.common.CommonMiddleware", "django.middleware.gzip.GZipMiddleware")],
    ids=["bare", "middleware"],
)
def test_djangos_500_is_replaced(
    adapter: AsgiAdapter | WsgiAdapter,
    raiser: Any,
    debug: bool,
    middleware: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its debug page as well, which shows settings, and through middleware that packs it."""
    answer = ask_django(adapter, lambda _: raiser(), debug=debug, middleware=middleware)
    check_enveloped(answer, caplog)


@adapters
@pytest.mark.parametrize("raiser", [fail, fail_hugely, fail_deeply], ids=lambda f: f.__name__)
def test_django_still_ends_its_request_when_its_page_is_replaced(adapter: Any, raiser: Any) -> None:
    """``request_finished`` is where Django gives its database connections back."""
    ended: list[object] = []

    def note(**_: object) -> None:
        ended.append(1)

    request_finished.connect(note)
    try:
        assert ask_django(adapter, lambda _: raiser(), debug=True).status == 500
    finally:
        request_finished.disconnect(note)
    assert len(ended) == 1


def not_found(request: Any) -> Any:
    raise Http404("no such thing")


def forbidden(request: Any) -> Any:
    raise PermissionDenied("no")


def bad_request(request: Any) -> Any:
    return HttpResponseBadRequest("of the app")


@adapters
@pytest.mark.parametrize("index", [not_found, forbidden, bad_request], ids=lambda f: f.__name__)
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_djangos_own_4xx_are_left_alone(adapter: Any, index: Any) -> None:
    """Whether raised or returned."""
    with django_site(adapter.name, index=index) as site:
        bare = adapter.drive(site, headers=LOCAL)
        wrapped = adapter.drive(
            adapter.module.wrap(site, ErrorEnvelope(), baseline=False), headers=LOCAL
        )
    assert bare.status in (400, 403, 404)
    assert (wrapped.status, wrapped.body) == (bare.status, bare.body)
    assert [(name.lower(), value) for name, value in wrapped.headers] == [
        *((name.lower(), value) for name, value in bare.headers),
        ("x-request-id", "mine"),
    ]


@adapters
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_djangos_404_for_an_unknown_path_is_left_alone(adapter: Any) -> None:
    """The app's own page."""
    answer = ask_django(adapter, not_found, path="/nothing")
    assert answer.status == 404
    assert b"Not Found" in answer.body


@adapters
def test_a_problem_raised_in_a_django_view_is_answered_as_stated(
    adapter: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Though Django takes it for an unhandled exception."""
    check_enveloped(ask_django(adapter, lambda _: teapot()), caplog, 418)


# -- Starlette and FastAPI ------------------------------------------------------------------------


def show(request: Request, error: Exception) -> PlainTextResponse:
    """Do what many apps do: put the exception's text into the answer."""
    return PlainTextResponse(f"{type(error).__name__}: {error}", 500)


def starlette_app(raiser: Callable[[], Any], **options: Any) -> Starlette:
    async def index(request: Request) -> PlainTextResponse:
        raiser()
        return PlainTextResponse("")

    async def gone(request: Request) -> PlainTextResponse:
        raise HTTPException(410)

    return Starlette(routes=[Route("/", index), Route("/gone", gone)], **options)


def fastapi_app(raiser: Callable[[], Any], **options: Any) -> FastAPI:
    api = FastAPI(openapi_url=None, **options)

    @api.get("/")
    def index() -> None:
        raiser()

    @api.get("/gone")
    def gone() -> None:
        raise HTTPException(410, detail={"of": "the app"})

    @api.get("/number/{number}")
    def number(number: int) -> int:
        return number

    return api


makes = pytest.mark.parametrize("make", [starlette_app, fastapi_app], ids=["starlette", "fastapi"])


def ask(app: Any, path: str = "/", method: str = "GET") -> Answer:
    return drive_asgi(
        mantlet.wrap(app, ErrorEnvelope(), baseline=False), method, path, headers=LOCAL
    )


@makes
@pytest.mark.parametrize("raiser", [fail, fail_hugely, fail_deeply], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "options",
    [{}, {"debug": True}, {"exception_handlers": {Exception: show}}],
    ids=["plain", "debug", "handler"],
)
def test_starlettes_500_is_replaced(
    make: Any, raiser: Any, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It sends its page, of whatever length, and then raises: the page must not get out."""
    check_enveloped(ask(make(raiser, **options)), caplog)


@makes
@pytest.mark.parametrize("key", [Exception, 500], ids=["Exception", "500"])
@pytest.mark.parametrize("status", [400, 404, 503], ids=str)
def test_a_handler_of_every_exception_does_not_get_it_out_with_another_status(
    make: Any, key: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Starlette raises behind whatever such a handler answers."""

    def handler(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status)

    check_enveloped(ask(make(fail, exception_handlers={key: handler})), caplog)


@makes
def test_an_exception_that_a_handler_of_its_own_class_answers_is_left_to_it(make: Any) -> None:
    """What the app expects is not an error, and Starlette raises nothing behind it."""

    def handler(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("expected", 422)

    answer = ask(make(fail, exception_handlers={CanaryError: handler}))
    assert (answer.status, answer.body) == (422, b"expected")


@makes
@pytest.mark.parametrize("path", ["/nothing", "/gone", "/number/x"])
def test_starlettes_own_4xx_are_left_alone(make: Any, path: str) -> None:
    """Its 404, an HTTPException, and FastAPI's 422."""
    app = make(fail)
    bare, wrapped = drive_asgi(app, path=path, headers=LOCAL), ask(app, path)
    assert bare.status in (404, 410, 422)
    assert (wrapped.status, wrapped.body) == (bare.status, bare.body)
    assert wrapped.headers == [*bare.headers, ("x-request-id", "mine")]


@makes
def test_a_problem_raised_in_an_endpoint_is_answered_as_stated(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Though Starlette takes it for an unhandled exception."""
    check_enveloped(ask(make(teapot)), caplog, 418)


def test_head_of_a_failing_endpoint_is_enveloped_without_a_body() -> None:
    """Starlette routes HEAD to a GET of its own."""
    answer = ask(starlette_app(fail), method="HEAD")
    assert (answer.status, answer.body) == (500, b"")
