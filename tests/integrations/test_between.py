"""Exceptions are heard through whatever stands between the stack and the framework's app."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import warnings
from threading import Thread
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import flask
import litestar
import pytest
import quart
import starlette.requests  # noqa: TC002  # FastAPI reads the annotations
from a2wsgi import WSGIMiddleware as A2WsgiMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from django.http import Http404
from django.urls import path as django_path
from fastapi import FastAPI
from litestar.exceptions import HTTPException as LitestarHTTPException
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import mantlet
from mantlet import ErrorEnvelope, Policy, Problem
from tests.drive import Answer, drive_asgi, drive_wsgi
from tests.integrations.django_site import django_site
from tests.protocol_adapters import A2Wsgi, asgiref_adapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mantlet import Request, Response

pytestmark = pytest.mark.slow

SECRET = "s3cr3t-pa55w0rd-7f3a9c"


class CanaryError(Exception):
    """What the apps raise."""


class ConflictError(LookupError):
    """What the envelope has an entry for."""


def werkzeug_500() -> None:
    flask.abort(500, SECRET)


def starlette_500() -> None:
    raise HTTPException(500, SECRET)


def litestar_500() -> None:
    raise LitestarHTTPException(SECRET, status_code=500)


def falcon_500() -> None:
    raise falcon.HTTPInternalServerError(description=SECRET)


def act(kind: str, not_found: Exception, fail_with_words: Callable[[], None]) -> None:
    """Raise the exception of a kind, as a view does."""
    if kind == "crash":
        raise CanaryError(SECRET)
    if kind == "problem":
        raise Problem(409, detail="Sold out.")
    if kind == "mapped":
        raise ConflictError(SECRET)
    if kind == "missing":
        raise not_found
    fail_with_words()


# -- the frameworks' apps -------------------------------------------------------------------------


def flask_app(debug: bool) -> Any:
    app = flask.Flask(__name__)
    app.debug = debug

    @app.get("/")
    def index() -> str:
        act(flask.request.headers["X-Kind"], NotFound("no such page"), werkzeug_500)
        return ""

    return app


def quart_app(debug: bool) -> Any:
    app = quart.Quart(__name__)
    app.debug = debug

    @app.get("/")
    async def index() -> str:
        act(quart.request.headers["X-Kind"], NotFound("no such page"), werkzeug_500)
        return ""

    return app


def starlette_app(debug: bool) -> Any:
    async def index(request: starlette.requests.Request) -> Any:
        act(request.headers["X-Kind"], HTTPException(404, "no such page"), starlette_500)

    return Starlette(debug=debug, routes=[Route("/", index)])


def fastapi_app(debug: bool) -> Any:
    app = FastAPI(debug=debug)

    @app.get("/")
    def index(request: starlette.requests.Request) -> None:
        act(request.headers["X-Kind"], HTTPException(404, "no such page"), starlette_500)

    return app


def litestar_app(debug: bool) -> Any:
    @litestar.get("/")
    async def index(request: litestar.Request[Any, Any, Any]) -> None:
        not_found = LitestarHTTPException("no such page", status_code=404)
        act(request.headers["X-Kind"], not_found, litestar_500)

    return litestar.Litestar([index], debug=debug, logging_config=None)


class FalconResource:
    def on_get(self, request: Any, response: Any) -> None:
        act(request.get_header("X-Kind"), falcon.HTTPNotFound(), falcon_500)


class FalconAsgiResource:
    async def on_get(self, request: Any, response: Any) -> None:
        act(request.get_header("X-Kind"), falcon.HTTPNotFound(), falcon_500)


def falcon_app(debug: bool) -> Any:
    app = falcon.App()
    app.add_route("/", FalconResource())
    return app


def falcon_asgi_app(debug: bool) -> Any:
    app = falcon.asgi.App()
    for path in ("/", "/m/"):  # Falcon does not take off the path of a mount
        app.add_route(path, FalconAsgiResource())
    return app


def django_index(request: Any) -> str:
    def fail_with_words() -> None:
        raise CanaryError(SECRET)  # Django has no such HTTP exception

    act(request.headers["X-Kind"], Http404("no such page"), fail_with_words)
    return ""


MAKES: dict[str, Callable[[bool], Any]] = {
    "flask": flask_app,
    "falcon": falcon_app,
    "quart": quart_app,
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "litestar": litestar_app,
    "falcon-asgi": falcon_asgi_app,
}
WSGI = ("flask", "falcon", "django-wsgi")
ASGI = ("quart", "starlette", "fastapi", "litestar", "falcon-asgi", "django-asgi")


@contextlib.contextmanager
def made(framework: str, debug: bool, middleware: tuple[str, ...] = ()) -> Iterator[Any]:
    """Give the app of a framework, with middleware where that is Django."""
    if framework.startswith("django"):
        protocol = framework.removeprefix("django-")
        with django_site(protocol, index=django_index, debug=debug, middleware=middleware) as app:
            yield app
    else:
        yield MAKES[framework](debug)


# -- what stands between --------------------------------------------------------------------------


def copying_environ(app: Any) -> Any:
    return lambda environ, start_response: app(dict(environ), start_response)


def run_in_thread(call: Callable[[], object]) -> None:
    """Call a function in a thread that does not get the context; raise its exception."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    for error in raised:
        raise error


def in_wsgi_thread(app: Any) -> Any:
    """Call the app in a thread that does not get the context."""

    def middleware(environ: Any, start_response: Any) -> Any:
        chunks: list[bytes] = []

        def call() -> None:
            result = app(environ, start_response)
            try:
                chunks.extend(result)
            finally:
                getattr(result, "close", lambda: None)()

        run_in_thread(call)
        return chunks

    return middleware


def copying_scope(app: Any) -> Any:
    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await app(dict(scope), receive, send)

    return middleware


def in_asgi_thread(app: Any) -> Any:
    """Call the app in the event loop of another thread that does not get the context."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        run_in_thread(lambda: asyncio.run(app(scope, receive, send)))

    return middleware


def asgi_mount(app: Any) -> Any:
    return Starlette(routes=[Mount("/m", app)])


def litestar_mount(app: Any) -> Any:
    @litestar.asgi("/m", is_mount=True, copy_scope=True)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return litestar.Litestar([mounted], logging_config=None)


def channels_router(app: Any) -> Any:
    return ProtocolTypeRouter({"http": URLRouter([django_path("", app)])})


def wsgi_mount(app: Any) -> Any:
    return DispatcherMiddleware(flask.Flask("outer"), {"/m": app})


def starlette_wsgi(app: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter = importlib.import_module("starlette.middleware.wsgi").WSGIMiddleware
        return adapter(app)


def same(app: Any) -> Any:
    return app


#: By name: what is put between, the protocol that comes out of it, and the path to the page.
WSGI_BETWEEN: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "nothing": (same, "wsgi", "/"),
    "copying": (copying_environ, "wsgi", "/"),
    "thread": (in_wsgi_thread, "wsgi", "/"),
    "mount": (wsgi_mount, "wsgi", "/m/"),
    "a2wsgi": (A2WsgiMiddleware, "asgi", "/"),
    "asgiref": (asgiref_adapter, "asgi", "/"),
    "starlette": (starlette_wsgi, "asgi", "/"),
    "mounted a2wsgi": (lambda app: asgi_mount(A2WsgiMiddleware(app)), "asgi", "/m/"),
    "mounted asgiref": (lambda app: asgi_mount(asgiref_adapter(app)), "asgi", "/m/"),
    "there and back": (lambda app: A2Wsgi(A2WsgiMiddleware(app)), "wsgi", "/"),
}
ASGI_BETWEEN: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "nothing": (same, "asgi", "/"),
    "copying": (copying_scope, "asgi", "/"),
    "thread": (in_asgi_thread, "asgi", "/"),
    "mount": (asgi_mount, "asgi", "/m/"),
    "litestar mount": (litestar_mount, "asgi", "/m/"),
    "channels": (channels_router, "asgi", "/"),
    "a2wsgi": (A2Wsgi, "wsgi", "/"),
    "there and back": (lambda app: A2WsgiMiddleware(A2Wsgi(app)), "asgi", "/"),
}
CASES = [
    pytest.param(framework, between, id=f"{framework}-{name}")
    for frameworks, table in ((WSGI, WSGI_BETWEEN), (ASGI, ASGI_BETWEEN))
    for framework in frameworks
    for name, between in table.items()
]
EXPECTED = {"crash": 500, "problem": 409, "mapped": 402, "missing": 404, "words": 500}


def ask(stack: Any, protocol: str, path: str, kind: str) -> Answer:
    drive = drive_asgi if protocol == "asgi" else drive_wsgi
    headers = [("Host", "localhost"), ("X-Request-ID", "mine"), ("X-Kind", kind)]
    return drive(stack, path=path, headers=headers)


@pytest.mark.breaks_rules("adapters between, and names in upper case from Django under ASGI")
@pytest.mark.parametrize("kind", EXPECTED)
@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize(("framework", "between"), CASES)
def test_errors_are_heard_through_anything(
    framework: str, between: Any, debug: bool, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No words of an exception, no debug page; a refusal as stated; one record under one id."""
    caplog.set_level(logging.INFO)
    put, protocol, path = between
    module = mantlet.asgi if protocol == "asgi" else mantlet.wsgi
    envelope = ErrorEnvelope(exceptions={ConflictError: 402})
    middleware = ("mantlet.integrations.django.ProblemMiddleware",) if debug else ()
    with made(framework, debug, middleware) as app:
        stack = module.wrap(put(app), envelope, baseline=False)
        for _ in range(2):  # the first request may find what the construction did not
            caplog.clear()
            answer = ask(stack, protocol, path, kind)
            assert answer.error is None
            assert answer.status == EXPECTED[kind]
            assert SECRET not in answer.text()
            assert "Traceback" not in answer.text()
            assert answer.get("x-request-id") == "mine"
            if kind in ("crash", "problem", "mapped"):
                assert answer.get("content-type") == "application/problem+json"
                assert answer.json()["request_id"] == "mine"
                (record,) = [record for record in caplog.records if record.exc_info]
                assert record.name == "mantlet.errors"
                assert record.__dict__["request_id"] == "mine"
                assert record.levelno == {"crash": 40, "problem": 20, "mapped": 30}[kind]


class Heard(Policy):
    """Keeps the exceptions that the state has when the response comes."""

    handled: Any = None
    raised: Any = None

    def on_response(self, request: Request, response: Response) -> None:
        self.handled, self.raised = request.state._handled, request.state._raised


NOT_FOUND = {
    "flask": NotFound,
    "quart": NotFound,
    "starlette": HTTPException,
    "fastapi": HTTPException,
    "litestar": LitestarHTTPException,
    "falcon": falcon.HTTPNotFound,
    "falcon-asgi": falcon.HTTPNotFound,
    "django-wsgi": Http404,
    "django-asgi": Http404,
}


@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
@pytest.mark.parametrize("framework", NOT_FOUND)
def test_an_http_exception_of_the_framework_is_noted_as_handled(framework: str) -> None:
    """A crash is not."""
    protocol = "wsgi" if framework in WSGI else "asgi"
    module = mantlet.wsgi if protocol == "wsgi" else mantlet.asgi
    middleware = ("mantlet.integrations.django.ProblemMiddleware",)
    with made(framework, debug=False, middleware=middleware) as app:
        heard = Heard()
        stack = module.wrap(app, ErrorEnvelope(convert="never"), heard, baseline=False)
        assert ask(stack, protocol, "/", "missing").status == 404
        assert type(heard.handled) is NOT_FOUND[framework]
        raised: Any = heard.raised
        assert raised is None
        assert ask(stack, protocol, "/", "crash").status == 500
        assert type(heard.raised) is CanaryError


@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
@pytest.mark.parametrize("framework", NOT_FOUND)
def test_an_exception_of_an_app_without_a_stack_is_not_stored(framework: str) -> None:
    """Nor does the app fail for the want of a state."""
    protocol = "wsgi" if framework in WSGI else "asgi"
    module = mantlet.wsgi if protocol == "wsgi" else mantlet.asgi
    with made(framework, debug=False) as app:
        bare = ask(app, protocol, "/", "crash")
        module.wrap(app, ErrorEnvelope(), baseline=False)
        still = ask(app, protocol, "/", "crash")
    assert (still.status, still.body) == (bare.status, bare.body)
    assert type(still.error) is type(bare.error)


@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
@pytest.mark.parametrize("framework", NOT_FOUND)
def test_an_envelope_that_only_reports_changes_nothing(framework: str) -> None:
    """A refusal is a crash to the framework, as without it."""
    protocol = "wsgi" if framework in WSGI else "asgi"
    module = mantlet.wsgi if protocol == "wsgi" else mantlet.asgi
    middleware = ("mantlet.integrations.django.ProblemMiddleware",)
    with made(framework, debug=False, middleware=middleware) as app:
        for kind in ("crash", "problem", "missing"):
            bare = ask(app, protocol, "/", kind)
            stack = module.wrap(app, ErrorEnvelope(mode="report"), baseline=False)
            reported = ask(stack, protocol, "/", kind)
            assert (reported.status, reported.body) == (bare.status, bare.body)
            assert reported.headers == bare.headers
            assert type(reported.error) is type(bare.error)
