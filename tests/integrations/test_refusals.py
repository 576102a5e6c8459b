"""A refusal on purpose is no crash to what watches the framework, and the app's headers stay."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import django
import falcon
import flask
import litestar
import pytest
from django.core import mail
from django.test import override_settings
from fastapi import FastAPI
from litestar.config.cors import CORSConfig
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_flask_exporter import PrometheusMetrics  # type: ignore[import-untyped]  # no types
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette_exporter import PrometheusMiddleware

import mantlet
from mantlet import ErrorEnvelope, Policy, Problem
from tests.drive import Answer, both_adapters, drive_asgi, drive_wsgi, hello
from tests.integrations.django_site import django_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request
    from tests.drive import Adapter

LOCAL = [("Host", "localhost"), ("X-Request-ID", "mine")]
MIDDLEWARE = "mantlet.integrations.django.ProblemMiddleware"


#: Django's setting ``ADMINS`` has addresses alone since 6.0.
ADMIN = "admin@example.com" if django.VERSION >= (6,) else ("Admin", "admin@example.com")


class ConflictError(LookupError):
    """What the envelope has an entry for."""


def envelope() -> ErrorEnvelope:
    return ErrorEnvelope(exceptions={ConflictError: 402})


def refuse(kind: str) -> None:
    if kind == "problem":
        raise Problem(409, detail="Sold out.")
    if kind == "mapped":
        raise ConflictError("secret words")


KINDS = {"problem": 409, "mapped": 402}
kinds = pytest.mark.parametrize("kind", KINDS)


# -- watchers -------------------------------------------------------------------------------------


@pytest.mark.few_cases(1)
@pytest.mark.slow
@pytest.mark.parametrize("watcher", ["sentry", "opentelemetry"])
def test_a_watcher_sees_a_crash_and_no_refusal(watcher: str) -> None:
    """One event for a crash, and for an HTTP exception of 500 with words; none for a refusal."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integrations.watched", watcher],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    results = json.loads(done.stdout)
    assert len(results) == 9
    for name, told in results.items():
        assert told["problem"] == [409, []], name
        assert told["mapped"] == [402, []], name
        for kind in ("crash", "words"):
            assert told[kind][0] == 500, name
            assert told[kind][1], name
            if watcher == "sentry":
                assert len(told[kind][1]) == 1, name


@kinds
def test_prometheus_inside_flask_counts_no_500(kind: str) -> None:
    """prometheus-flask-exporter counts the status that the client gets."""
    app = flask.Flask(__name__)
    registry = CollectorRegistry()
    PrometheusMetrics(app, registry=registry, path=None)
    app.add_url_rule("/<kind>", view_func=_refuse, endpoint="index")
    assert drive_wsgi(mantlet.wrap(app, envelope()), path=f"/{kind}").status == KINDS[kind]
    metrics = generate_latest(registry).decode()
    assert f'status="{KINDS[kind]}"' in metrics
    assert 'status="500"' not in metrics


@kinds
def test_prometheus_inside_starlette_counts_no_500(kind: str) -> None:
    """starlette-exporter counts the status that the client gets."""

    async def index(request: Any) -> Any:
        refuse(request.path_params["kind"])

    app = Starlette(routes=[Route("/{kind}", index)])
    app.add_middleware(PrometheusMiddleware, app_name=f"refusing_{kind}", prefix=f"of_{kind}")
    assert drive_asgi(mantlet.wrap(app, envelope()), path=f"/{kind}").status == KINDS[kind]
    lines = generate_latest(REGISTRY).decode().splitlines()
    metrics = [line for line in lines if f'app_name="refusing_{kind}"' in line]
    assert any(f'status_code="{KINDS[kind]}"' in line for line in metrics)
    assert not any('status_code="500"' in line for line in metrics)


DJANGO_PROMETHEUS = (
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
)


@both_adapters
@kinds
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_prometheus_inside_django_counts_no_exception(adapter: Adapter, kind: str) -> None:
    """django-prometheus counts neither an exception nor a 500."""

    def count(status: int) -> float:
        name = "django_http_responses_total_by_status_total"
        return REGISTRY.get_sample_value(name, {"status": str(status)}) or 0.0

    def exceptions() -> str:
        lines = generate_latest(REGISTRY).decode().splitlines()
        return "\n".join(line for line in lines if line.startswith("django_http_exceptions"))

    middleware = (*DJANGO_PROMETHEUS, MIDDLEWARE)
    with django_site(adapter.name, index=lambda _: _refuse(kind), middleware=middleware) as site:
        stack = adapter.module.wrap(site, envelope(), baseline=False)
        assert adapter.drive(stack, headers=LOCAL).status == KINDS[kind]
        before = count(KINDS[kind]), count(500), exceptions()
        assert adapter.drive(stack, headers=LOCAL).status == KINDS[kind]
        assert (count(KINDS[kind]), count(500), exceptions()) == (
            before[0] + 1,
            before[1],
            before[2],
        )


def _refuse(kind: str) -> str:
    refuse(kind)
    if kind == "crash":
        raise ValueError("crash")
    if kind == "gone":
        raise_gone()
    return ""


# -- Django ---------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("middleware", [(), (MIDDLEWARE,)], ids=["fallback", "middleware"])
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_django_mails_its_admins_of_a_crash_and_of_no_refusal(
    adapter: Adapter, middleware: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """One mail for each crash, also without the middleware."""
    with django_site(
        adapter.name, index=lambda request: _refuse(request.GET["kind"]), middleware=middleware
    ) as site:
        mail.outbox = []
        stack = adapter.module.wrap(site, envelope(), baseline=False)
        with override_settings(
            ADMINS=[ADMIN],
            EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
        ):
            for kind, status in {**KINDS, "crash": 500}.items():
                query = f"kind={kind}"
                if adapter.name == "asgi":
                    scope = {"query_string": query.encode()}
                    answer = drive_asgi(stack, headers=LOCAL, scope=scope)
                else:
                    answer = drive_wsgi(stack, headers=LOCAL, environ={"QUERY_STRING": query})
                assert answer.status == status
                mails = [message.subject for message in mail.outbox]
                assert len(mails) == (1 if kind == "crash" else 0), mails
    (crash,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert crash.name == "mantlet.errors"
    if middleware:
        assert not [one for one in caplog.records if one.exc_info and one.name != "mantlet.errors"]


@both_adapters
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_the_session_cookie_of_django_stays_on_a_problem(adapter: Adapter) -> None:
    """As on any other response."""

    def index(request: Any) -> str:
        request.session["seen"] = 1
        raise Problem(409)

    middleware = ("django.contrib.sessions.middleware.SessionMiddleware", MIDDLEWARE)
    engine = "django.contrib.sessions.backends.signed_cookies"
    with (
        django_site(adapter.name, index=index),  # so that there are settings
        override_settings(SESSION_ENGINE=engine),
        django_site(adapter.name, index=index, middleware=middleware) as site,
    ):
        stack = adapter.module.wrap(site, ErrorEnvelope(), baseline=False)
        answer = adapter.drive(stack, headers=LOCAL)
    assert answer.status == 409
    assert "sessionid=" in (answer.get("Set-Cookie") or "")


# -- the app's headers, cookies and handlers ------------------------------------------------------


def flask_site(handlers: dict[type, Any]) -> Any:
    app = flask.Flask(__name__)
    app.secret_key = "of a test"
    for kind, handler in handlers.items():
        app.register_error_handler(kind, handler)

    @app.get("/<kind>")
    def index(kind: str) -> str:
        flask.session["seen"] = 1
        return _refuse(kind)

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return app


def plain(handler: Any) -> Any:
    """Return a handler in the form of Starlette."""

    def answer(request: Any, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(*handler(error))

    return answer


def starlette_site(handlers: dict[type, Any]) -> Any:
    async def index(request: Any) -> Any:
        _refuse(request.path_params["kind"])

    app = Starlette(
        routes=[Route("/{kind}", index)],
        exception_handlers={kind: plain(one) for kind, one in handlers.items()},
    )
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    return app


def fastapi_site(handlers: dict[type, Any]) -> Any:
    app = FastAPI(exception_handlers={kind: plain(one) for kind, one in handlers.items()})

    @app.get("/{kind}")
    def index(kind: str) -> str:
        return _refuse(kind)

    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    return app


def litestar_site(handlers: dict[type, Any]) -> Any:
    @litestar.get("/{kind:str}")
    async def index(request: litestar.Request[Any, Any, Any]) -> str:
        return _refuse(request.path_params["kind"])

    def answering(handler: Any) -> Any:
        def answer(request: Any, error: Exception) -> Any:
            body, status = handler(error)
            return litestar.Response(body, status_code=status, media_type="text/plain")

        return answer

    return litestar.Litestar(
        [index],
        logging_config=None,
        cors_config=CORSConfig(allow_origins=["*"]),
        exception_handlers={kind: answering(one) for kind, one in handlers.items()},
    )


class Page:
    def on_get(self, request: Any, response: Any, kind: str) -> None:
        _refuse(kind)


def falcon_site(handlers: dict[type, Any]) -> Any:
    app = falcon.App(cors_enable=True)
    app.add_route("/{kind}", Page())

    def register(kind: type[Exception], handler: Any) -> None:
        def answer(request: Any, response: Any, error: Any, params: Any) -> None:
            response.text, response.status = handler(error)

        app.add_error_handler(kind, answer)

    for kind, handler in handlers.items():
        register(kind, handler)
    return app


SITES: dict[str, tuple[Callable[[dict[type, Any]], Any], Callable[..., Answer]]] = {
    "flask": (flask_site, drive_wsgi),
    "starlette": (starlette_site, drive_asgi),
    "fastapi": (fastapi_site, drive_asgi),
    "litestar": (litestar_site, drive_asgi),
    "falcon": (falcon_site, drive_wsgi),
}
sites = pytest.mark.parametrize("site", SITES)
BROWSER = [*LOCAL, ("Origin", "https://example.com")]


@sites
@kinds
def test_the_headers_of_the_app_stay_on_a_refusal(site: str, kind: str) -> None:
    """Those of CORS, and Flask's session."""
    make, drive = SITES[site]
    answer = drive(mantlet.wrap(make({}), envelope()), path=f"/{kind}", headers=BROWSER)
    assert answer.status == KINDS[kind]
    assert answer.get("content-type") == "application/problem+json"
    assert answer.get("access-control-allow-origin") == "*"
    assert (answer.get("set-cookie") is not None) == (site == "flask")


@sites
@kinds
@pytest.mark.parametrize("base", [False, True], ids=["class", "base"])
def test_the_apps_own_handler_answers_a_refusal(site: str, kind: str, base: bool) -> None:
    """One for its class, or for a base of it below `Exception`."""
    make, drive = SITES[site]
    own = {"problem": Problem, "mapped": ConflictError}[kind]
    handled = own.__mro__[1] if base else own
    app = make({handled: lambda _: ("of the app", 418)})
    answer = drive(mantlet.wrap(app, envelope()), path=f"/{kind}", headers=BROWSER)
    assert (answer.status, answer.body) == (418, b"of the app")


@sites
@kinds
def test_a_handler_for_every_exception_leaves_refusals_to_the_envelope(
    site: str, kind: str
) -> None:
    """As it leaves redirections to the framework; it answers crashes."""
    make, drive = SITES[site]
    stack = mantlet.wrap(make({Exception: lambda _: ("of the app", 418)}), envelope())
    assert drive(stack, path=f"/{kind}", headers=BROWSER).status == KINDS[kind]


@sites
@kinds
def test_outside_of_an_envelope_a_refusal_is_what_it_was(site: str, kind: str) -> None:
    """The app has more handlers, and is the same otherwise."""
    make, drive = SITES[site]
    bare = drive(make({}), path=f"/{kind}", headers=BROWSER)
    app = make({})
    mantlet.wrap(app, envelope())
    still = drive(app, path=f"/{kind}", headers=BROWSER)
    assert (still.status, still.body) == (bare.status, bare.body)
    assert type(still.error) is type(bare.error)


# -- what the app's handlers answer ---------------------------------------------------------------


class Handled(Policy):
    """Keeps the exception that was handled, when the response comes."""

    seen: BaseException | None = None

    def on_response(self, request: Request, response: Any) -> None:
        self.seen = request.state._handled


@sites
def test_an_exception_that_a_handler_of_the_app_answers_is_noted(site: str) -> None:
    """Before its response comes."""
    make, drive = SITES[site]
    policy = Handled()
    stack = mantlet.wrap(make({ValueError: lambda _: ("of the app", 503)}), policy, envelope())
    answer = drive(stack, path="/crash", headers=BROWSER)
    assert (answer.status, answer.body) == (503, b"of the app")
    assert type(policy.seen) is ValueError


# -- one problem for many requests ----------------------------------------------------------------

GONE = Problem(410)


def traceback_length(error: BaseException) -> int:
    length, traceback = 0, error.__traceback__
    while traceback is not None:
        length, traceback = length + 1, traceback.tb_next
    return length


class Big:
    """An object of a view, to be freed with it."""


def raise_gone(_: object = None) -> Any:
    big = Big()
    try:
        raise LookupError(big)
    except LookupError as error:
        raise GONE from error


@both_adapters
def test_a_problem_that_is_raised_for_each_request_keeps_nothing(adapter: Adapter) -> None:
    """No frames, no cause, no context."""
    stack = adapter.wrap(raise_gone, ErrorEnvelope())
    for _ in range(3):
        assert adapter.drive(stack).status == 410
        assert traceback_length(GONE) == 0
        assert GONE.__context__ is None
        assert GONE.__cause__ is None
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is Big]


@both_adapters
def test_a_problem_of_a_policy_keeps_nothing(adapter: Adapter) -> None:
    """Raised on the way in, and on the way out."""

    class Refuse(Policy):
        def __init__(self, hook: str) -> None:
            self.hook = hook

        def on_request(self, request: Request) -> None:
            if self.hook == "on_request":
                raise_gone()

        def on_response(self, request: Request, response: Any) -> None:
            if self.hook == "on_response":
                raise_gone()

    for hook in ("on_request", "on_response"):
        answer = adapter.drive(adapter.wrap(hello, ErrorEnvelope(), Refuse(hook)))
        assert answer.status == 410
        assert traceback_length(GONE) == 0
        assert GONE.__context__ is None


@sites
def test_a_problem_raised_in_a_framework_keeps_nothing(site: str) -> None:
    """Also where requests raise it at the same time."""
    make, drive = SITES[site]
    app = make({})
    stack = mantlet.wrap(app, ErrorEnvelope(), baseline=False)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(drive, stack, path="/gone", headers=LOCAL) for _ in range(20)]
        assert [one.result().status for one in asked] == [410] * 20
    drive(stack, path="/gone", headers=LOCAL)
    assert traceback_length(GONE) == 0
    assert GONE.__context__ is None


class ContextFirst(flask.Flask):
    """Hands the context of the request to its handlers of exceptions, as Quart does since 0.23."""

    def full_dispatch_request(self, *_context: Any) -> Any:
        try:
            result = self.dispatch_request()
        except LookupError as error:
            result = self.handle_user_exception(self, error)
        return self.finalize_request(result)

    def handle_user_exception(self, _context: Any, error: Exception) -> Any:  # type: ignore[override]
        return super().handle_user_exception(error)


@pytest.mark.parametrize(("raised", "status"), [(KeyError, 404), (IndexError, 409)])
def test_the_context_of_the_request_may_come_before_the_exception(
    raised: type[Exception], status: int
) -> None:
    """For refusals, and for the handlers of the app."""
    app = ContextFirst("context_first")

    @app.get("/")
    def view() -> str:
        raise raised

    app.register_error_handler(IndexError, lambda _: ("taken", 409))
    envelope = mantlet.ErrorEnvelope(exceptions={KeyError: 404})
    answer = drive_wsgi(mantlet.wrap(app, envelope))
    assert answer.status == status
    assert answer.get("Content-Type") == (
        "application/problem+json" if status == 404 else "text/html; charset=utf-8"
    )
