"""The app's own responses to its exceptions, in every framework: kept or replaced."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import flask
import litestar
import pytest
import quart
from django.http import HttpResponse
from django.test import override_settings
from fastapi import FastAPI
from flask_cors import CORS
from litestar.config.cors import CORSConfig
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import mantlet
from tests.drive import Answer, drive_asgi, drive_wsgi
from tests.integrations.django_site import django_site, lower_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from starlette.requests import Request

SECRET = "no row for customer 4711 in db-7.internal"
ORIGIN = [("Host", "shop.example"), ("Origin", "https://web.example")]
BRAND = b"<!doctype html><title>Sorry</title><h1>Our shop is closed for a moment</h1>"

#: The body and the media type of the app's own response to an exception.
Page = tuple[bytes, str]


class BackendError(Exception):
    """The exception that the apps raise."""


class OrderError(BackendError):
    """The exception that the apps have a handler for."""


def brand(_error: BaseException) -> Page:
    return BRAND, "text/html; charset=utf-8"


def own_json(_error: BaseException) -> Page:
    return b'{"error": "unavailable", "support": "help@shop.example"}', "application/json"


def as_text(error: BaseException) -> Page:
    return f"Sorry: {error}".encode(), "text/plain; charset=utf-8"


def cut(error: BaseException) -> Page:
    return f"Sorry: {str(error)[:40]}".encode(), "text/plain; charset=utf-8"


def as_json(error: BaseException) -> Page:
    return json.dumps({"error": error.args}).encode(), "application/json"


def as_html(error: BaseException) -> Page:
    return f"<p>{escape(str(error))}</p>".encode(), "text/html"


def as_base64(error: BaseException) -> Page:
    return base64.b64encode(f"trace={error}".encode()), "text/plain"


def of_the_cause(error: BaseException) -> Page:
    return f"Sorry: {error.__cause__}".encode(), "text/plain"


def traceback(_error: BaseException) -> Page:
    return b"<pre>Traceback (most recent call last):\n  ...</pre>", "text/html"


def file_of(error: BaseException) -> Page:
    assert error.__traceback__ is not None
    return error.__traceback__.tb_frame.f_code.co_filename.encode(), "text/plain"


def own_detail(_error: BaseException) -> Page:
    return b'{"detail": "Closed until nine o\'clock"}', "application/json"


KEPT = [brand, own_json, own_detail]
REPLACED = [as_text, cut, as_json, as_html, as_base64, of_the_cause, traceback, file_of]


#: The exception that was raised last: Django hands its handler none.
raised: list[BaseException] = []


def fail(path: str) -> Any:
    raised[:] = [OrderError(SECRET) if path == "/order" else BackendError(SECRET)]
    raise raised[0] from LookupError("replica 12 is gone")


# -- one app of each framework: "/" is unhandled, or handled as 500; "/order" has a handler -------


@contextmanager
def flask_app(page: Callable[[BaseException], Page] | None) -> Iterator[Any]:
    app = flask.Flask(__name__)
    app.secret_key = "of a test"
    CORS(app, origins=["https://web.example"], supports_credentials=True)

    @app.after_request
    def add(response: flask.Response) -> flask.Response:
        response.headers["X-App"] = "shop"
        response.set_cookie("seen", "1")
        return response

    for path in ("/", "/order"):
        app.add_url_rule(path, path, lambda: fail(flask.request.path))
    if page:

        def handler(error: Any) -> Any:
            body, kind = page(getattr(error, "original_exception", None) or error)
            return flask.Response(body, 503, content_type=kind)

        app.register_error_handler(500, handler)
        app.register_error_handler(OrderError, handler)
    yield app


@contextmanager
def quart_app(page: Callable[[BaseException], Page] | None) -> Iterator[Any]:
    app = quart.Quart(__name__)

    @app.after_request
    async def add(response: Any) -> Any:
        response.headers["X-App"] = "shop"
        response.headers["Access-Control-Allow-Origin"] = "https://web.example"
        response.set_cookie("seen", "1")
        return response

    async def view() -> Any:
        return fail(quart.request.path)

    for path in ("/", "/order"):
        app.add_url_rule(path, path, view)
    if page:

        async def handler(error: Any) -> Any:
            body, kind = page(getattr(error, "original_exception", None) or error)
            return quart.Response(body, 503, content_type=kind)

        app.register_error_handler(500, handler)
        app.register_error_handler(OrderError, handler)
    yield app


@contextmanager
def starlette_app(page: Callable[[BaseException], Page] | None, make: Any = None) -> Iterator[Any]:
    async def endpoint(request: Request) -> Response:
        fail(request.url.path)
        return Response()

    handlers: dict[Any, Any] = {}
    if page:

        async def handler(_request: Request, error: Exception) -> Response:
            body, kind = page(error)
            return Response(body, 503, media_type=kind, headers={"X-App": "shop"})

        handlers = {500: handler, OrderError: handler}
    routes = [Route("/", endpoint), Route("/order", endpoint)]
    cors = Middleware(CORSMiddleware, allow_origins=["https://web.example"])
    yield (make or Starlette)(routes=routes, exception_handlers=handlers, middleware=[cors])


@contextmanager
def fastapi_app(page: Callable[[BaseException], Page] | None) -> Iterator[Any]:
    with starlette_app(page, FastAPI) as app:
        yield app


@contextmanager
def litestar_app(page: Callable[[BaseException], Page] | None) -> Iterator[Any]:
    @litestar.get(["/", "/order"])
    async def endpoint(request: litestar.Request[Any, Any, Any]) -> None:
        fail(request.scope["path"])

    def handler(_request: Any, error: Exception) -> Any:
        assert page is not None
        body, kind = page(error)
        return litestar.Response(body, status_code=503, media_type=kind)

    handlers: dict[Any, Any] = {500: handler, OrderError: handler} if page else {}
    cors = CORSConfig(allow_origins=["https://web.example"])
    yield litestar.Litestar(
        [endpoint], logging_config=None, cors_config=cors, exception_handlers=handlers
    )


def _falcon(app: Any, page: Callable[[BaseException], Page] | None, *, waits: bool) -> Any:
    class Resource:
        def on_get(self, req: Any, resp: Any) -> None:
            fail(req.path)

    class AsyncResource:
        async def on_get(self, req: Any, resp: Any) -> None:
            fail(req.path)

    for path in ("/", "/order"):
        app.add_route(path, AsyncResource() if waits else Resource())

    def handle(_req: Any, resp: Any, error: Any, _params: Any) -> None:
        assert page is not None
        resp.data, resp.content_type = page(error)
        resp.status = 503

    async def handle_async(req: Any, resp: Any, error: Any, params: Any) -> None:
        handle(req, resp, error, params)

    if page:
        app.add_error_handler(Exception, handle_async if waits else handle)
    return app


@contextmanager
def falcon_app(page: Callable[[BaseException], Page] | None) -> Iterator[Any]:
    yield _falcon(falcon.App(cors_enable=True), page, waits=False)


@contextmanager
def falcon_asgi_app(page: Callable[[BaseException], Page] | None) -> Iterator[Any]:
    yield _falcon(falcon.asgi.App(cors_enable=True), page, waits=True)


@contextmanager
def django_app(
    page: Callable[[BaseException], Page] | None, protocol: str = "wsgi"
) -> Iterator[Any]:
    def index(_request: Any) -> HttpResponse:
        fail("/")
        return HttpResponse()

    def handler500(_request: Any) -> HttpResponse:
        assert page is not None
        body, kind = page(raised[0])
        return HttpResponse(body, status=503, content_type=kind)

    middleware = ("corsheaders.middleware.CorsMiddleware",)
    with (
        django_site(protocol, index=index, middleware=middleware) as app,
        override_settings(CORS_ALLOWED_ORIGINS=["https://web.example"]),
    ):
        if page:
            from django.conf import settings

            urls: ModuleType = settings.ROOT_URLCONF
            urls.__dict__["handler500"] = handler500
        yield app


@contextmanager
def django_asgi_app(page: Callable[[BaseException], Page] | None) -> Iterator[Any]:
    with django_app(page, "asgi") as app:
        yield lower_case(app)


APPS: dict[str, tuple[Any, Callable[..., Answer]]] = {
    "flask": (flask_app, drive_wsgi),
    "quart": (quart_app, drive_asgi),
    "starlette": (starlette_app, drive_asgi),
    "fastapi": (fastapi_app, drive_asgi),
    "litestar": (litestar_app, drive_asgi),
    "falcon": (falcon_app, drive_wsgi),
    "falcon-asgi": (falcon_asgi_app, drive_asgi),
    "django": (django_app, drive_wsgi),
    "django-asgi": (django_asgi_app, drive_asgi),
}
every_framework = pytest.mark.parametrize("name", APPS)

#: Headers that describe the body, or that Mantlet itself sets.
OF_THE_BODY = {"content-type", "content-length", "server", "date"}


def others(answer: Answer) -> set[tuple[str, str]]:
    """Return the headers that a replaced body does not invalidate."""
    return {(n.lower(), v) for n, v in answer.headers if n.lower() not in OF_THE_BODY}


@every_framework
def test_a_replaced_500_keeps_the_apps_other_headers(name: str) -> None:
    """Without its CORS headers, a browser would see a network error in place of the problem."""
    make, drive = APPS[name]
    with make(None) as app:
        bare = drive(app, headers=ORIGIN)
    with make(None) as app:
        answer = drive(mantlet.wrap(app), headers=ORIGIN)
    assert (answer.status, answer.get("content-type")) == (500, "application/problem+json")
    if bare.error is None:
        assert others(bare) <= others(answer)
    if name not in ("starlette", "fastapi"):  # which send their 500 outside of CORSMiddleware
        assert answer.get("access-control-allow-origin") == "https://web.example" or (
            answer.get("access-control-allow-origin") == "*"
        )


@every_framework
@pytest.mark.parametrize("page", KEPT, ids=lambda page: page.__name__)
@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html"])
def test_a_handlers_own_response_stays(
    name: str, page: Callable[[BaseException], Page], accept: str
) -> None:
    make, drive = APPS[name]
    for path in ("/",) if name.startswith("django") else ("/", "/order"):
        with make(page) as app:
            bare = drive(app, path=path, headers=[*ORIGIN, ("Accept", accept)])
        with make(page) as app:
            answer = drive(mantlet.wrap(app), path=path, headers=[*ORIGIN, ("Accept", accept)])
        assert (answer.status, answer.body, answer.error) == (503, bare.body, None)
        assert answer.get("content-type") == bare.get("content-type")
        assert others(bare) <= others(answer)


@every_framework
@pytest.mark.parametrize("page", REPLACED, ids=lambda page: page.__name__)
def test_a_response_with_words_of_the_exception_is_replaced(
    name: str, page: Callable[[BaseException], Page]
) -> None:
    """The message, its arguments, the causes, in any encoding; a traceback; a file's name."""
    make, drive = APPS[name]
    paths = ["/"] if name.startswith("django") else ["/", "/order"]
    if page is file_of and name in ("starlette", "fastapi"):
        paths.remove("/order")  # Starlette clears the traceback after its handler
    for path in paths:
        with make(page) as app:
            bare = drive(app, path=path, headers=ORIGIN)
        assert bare.status == 503
        with make(page) as app:
            answer = drive(mantlet.wrap(app), path=path, headers=ORIGIN)
        assert answer.status in (500, 503)
        assert answer.get("content-type") == "application/problem+json"
        assert bare.body not in answer.body
        assert others(bare) <= others(answer)


def test_a_header_with_words_of_the_exception_is_dropped() -> None:
    """The other headers of the replaced response stay."""
    app = flask.Flask(__name__)
    app.add_url_rule("/", view_func=lambda: fail("/"))

    @app.errorhandler(500)
    def handler(error: Any) -> Any:
        return BRAND, 500, {"X-Error": str(error.original_exception), "X-App": "shop"}

    answer = drive_wsgi(mantlet.wrap(app))
    assert answer.get("content-type") == "application/problem+json"
    assert (answer.get("x-error"), answer.get("x-app")) == (None, "shop")


# -- deliberate responses of 500 and above ---------------------------------------------------------


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_an_apps_own_detail_document_stays(accept: str) -> None:
    """It has the form of FastAPI's own, but no exception stands behind it."""
    app = FastAPI()

    @app.get("/")
    async def closed() -> JSONResponse:
        return JSONResponse({"detail": "Closed until nine o'clock"}, 503, {"Retry-After": "60"})

    answer = drive_asgi(mantlet.wrap(app), headers=[("Accept", accept)])
    assert (answer.status, answer.json()) == (503, {"detail": "Closed until nine o'clock"})
    assert answer.get("retry-after") == "60"
