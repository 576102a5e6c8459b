"""`wrap()` around the middleware that real apps come in: its protocol, and what it answers."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

import a2wsgi
import pytest
from asgi_correlation_id import CorrelationIdMiddleware
from asgiref.wsgi import WsgiToAsgi
from channels.routing import ProtocolTypeRouter
from flask import Flask
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as AsgiTelemetry
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as WsgiTelemetry
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette_exporter import PrometheusMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

import mantlet
from mantlet import RateLimiter
from tests.drive import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable


def starlette() -> Any:
    """Return an app that says hello."""
    return Starlette(routes=[Route("/", lambda _request: PlainTextResponse("hello"))])


def flask() -> Any:
    """Return an app that says hello."""
    app = Flask(__name__)
    app.add_url_rule("/", "index", lambda: "hello")
    return app


def to_asgi(app: Any, adapter: Any = WsgiToAsgi) -> Any:
    """Return an app in the adapter of asgiref, which has no types."""
    return adapter(app)


def forwarding(app: Any) -> Any:
    """Return a function that takes any arguments, as decorators of both protocols do."""

    def inner(*args: Any) -> Any:
        return app(*args)

    return inner


class Forwarding:
    """An object that takes any arguments."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.on_error = lambda _status, _error: None

    def __call__(self, *args: Any) -> Any:
        """Call the app."""
        return self.app(*args)


def with_an_extra(environ: Any, start_response: Any, extra: Any = None) -> Any:
    """Say hello; the third argument is the app's own."""
    return flask()(environ, start_response)


ASGI: dict[str, Callable[[], Any]] = {
    "sentry": lambda: SentryAsgiMiddleware(starlette()),
    "sentry in sentry": lambda: SentryAsgiMiddleware(SentryAsgiMiddleware(starlette())),
    "partial of sentry": lambda: functools.partial(SentryAsgiMiddleware(starlette())),
    "opentelemetry": lambda: AsgiTelemetry(starlette()),
    "proxy headers": lambda: ProxyHeadersMiddleware(starlette()),
    "correlation id": lambda: CorrelationIdMiddleware(starlette()),
    "prometheus": lambda: PrometheusMiddleware(starlette()),
    "gzip": lambda: GZipMiddleware(starlette()),
    "channels": lambda: ProtocolTypeRouter({"http": starlette()}),
    "a2wsgi": lambda: a2wsgi.WSGIMiddleware(flask()),
    "asgiref": lambda: to_asgi(flask()),
    "any arguments": lambda: forwarding(starlette()),
    "an object of any arguments": lambda: Forwarding(starlette()),
    "any arguments twice": lambda: Forwarding(forwarding(starlette())),
    "any arguments around an adapter": lambda: forwarding(a2wsgi.WSGIMiddleware(flask())),
}
WSGI: dict[str, Callable[[], Any]] = {
    "sentry": lambda: SentryWsgiMiddleware(flask()),
    "opentelemetry": lambda: WsgiTelemetry(flask()),
    "proxy fix": lambda: ProxyFix(flask()),
    "dispatcher": lambda: DispatcherMiddleware(flask(), {}),
    "a2wsgi": lambda: a2wsgi.ASGIMiddleware(starlette()),
    "any arguments": lambda: forwarding(flask()),
    "an object of any arguments": lambda: Forwarding(flask()),
    "any arguments around an adapter": lambda: Forwarding(a2wsgi.ASGIMiddleware(starlette())),
    "a third argument": lambda: with_an_extra,
}


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Sentry advises against its own middleware."""
    caplog.set_level(logging.CRITICAL, "sentry_sdk.errors")


@pytest.mark.parametrize("make", ASGI.values(), ids=ASGI)
def test_asgi_middleware_is_recognized(make: Callable[[], Any]) -> None:
    """It is wrapped as ASGI, and the app answers through it."""
    app = mantlet.wrap(make())
    assert isinstance(app, mantlet.asgi.Stack)
    assert drive_asgi(app, headers=[("Host", "localhost")]).body == b"hello"


@pytest.mark.parametrize("make", WSGI.values(), ids=WSGI)
def test_wsgi_middleware_is_recognized(make: Callable[[], Any]) -> None:
    """It is wrapped as WSGI, and the app answers through it."""
    app = mantlet.wrap(make())
    assert isinstance(app, mantlet.wsgi.Stack)
    assert drive_wsgi(app, headers=[("Host", "localhost")]).body == b"hello"


# -- lists of policies ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, tuple, set])
@pytest.mark.parametrize("baseline", [True, False])
def test_a_list_of_policies_is_a_type_error_that_says_to_unpack_it(
    kind: Any, *, baseline: bool
) -> None:
    """``wrap(app, [policies])``, and the same for an app that exists."""
    policies = kind([RateLimiter("9/minute")])
    hint = r"unpack it with an asterisk: wrap\(app, \*policies\)"
    with pytest.raises(TypeError, match=hint):
        mantlet.wrap(starlette(), policies, baseline=baseline)
    with pytest.raises(TypeError, match=hint):
        mantlet.install(flask(), policies, baseline=baseline)


@pytest.mark.parametrize("stack", [mantlet.asgi.Stack, mantlet.wsgi.Stack])
def test_one_policy_in_place_of_a_list_is_a_type_error_that_shows_a_list(stack: Any) -> None:
    """As in ``add_middleware(mantlet.asgi.Stack, policies=policy)``."""
    with pytest.raises(TypeError, match=r"policies must be a list, such as policies=\[<.*RateLi"):
        stack(starlette(), policies=RateLimiter("9/minute"))
