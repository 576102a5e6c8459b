"""The peers: the same app and request with other rate limiters, all in this process's memory.

Each is set up as its documentation says, counts by client address, and is shown to refuse under
a tiny rate before it is timed under one that refuses nothing. Where a peer can report the
remainder of the quota in header fields, as Mantlet always does, it is timed without and with
them.
"""

from collections.abc import Callable
from typing import Any

import flask_limiter
import flask_limiter.util
import limits
import slowapi
import throttled
import throttled.asyncio
import throttled.contrib.flask
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIASGIMiddleware
from slowapi.util import get_remote_address
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse

import mantlet
from benchmarks import names
from benchmarks.apps import flask_app, flask_endpoint, starlette_app, starlette_endpoint
from benchmarks.limiting import calling
from benchmarks.method import Contender
from benchmarks.plain_apps import asgi_app
from benchmarks.stacks import GENEROUS, two
from benchmarks.traffic import CLIENT, SMALL, AsgiServer, WsgiServer

TINY = "1/minute"

#: Makes an app that is limited to a rate.
Limited = Callable[[str], Any]


# -- around Starlette -----------------------------------------------------------------------------


async def _limited_endpoint(request: Request) -> JSONResponse:
    return await starlette_endpoint(request)


def slowapi_asgi(app: Starlette, rate: str, *, fields: bool = False) -> Starlette:
    """Limit an app by slowapi's ASGI middleware."""
    app.state.limiter = slowapi.Limiter(
        key_func=get_remote_address, default_limits=[rate], headers_enabled=fields
    )
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)
    app.add_middleware(SlowAPIASGIMiddleware)
    return app


def slowapi_decorator(make_app: Callable[[Any], Starlette], endpoint: Any, rate: str) -> Starlette:
    """Return an app whose endpoint is limited by slowapi's decorator."""
    limiter = slowapi.Limiter(key_func=get_remote_address)
    app = make_app(limiter.limit(rate)(endpoint))
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)
    return app


def _base_http_middleware(_rate: str) -> Any:
    async def dispatch(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    app = starlette_app()
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    return app


def _base_http_middleware_limits(rate: str) -> Any:
    limiter, item = FixedWindowRateLimiter(MemoryStorage()), limits.parse(rate)

    async def dispatch(request: Request, call_next: Any) -> Any:
        if not limiter.hit(item, request.client.host if request.client else ""):
            return PlainTextResponse("Too Many Requests", 429)
        return await call_next(request)

    app = starlette_app()
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    return app


def _plain_limits(rate: str) -> Any:
    app = starlette_app()
    limiter, item = FixedWindowRateLimiter(MemoryStorage()), limits.parse(rate)
    refusal = PlainTextResponse("Too Many Requests", 429)

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        answer = app if limiter.hit(item, scope["client"][0]) else refusal
        await answer(scope, receive, send)

    return wrapped


def _plain_throttled(rate: str) -> Any:
    app = starlette_app()
    throttle = throttled.asyncio.Throttled(quota=rate, store=throttled.asyncio.MemoryStore())
    refusal = PlainTextResponse("Too Many Requests", 429)

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        answer = refusal if (await throttle.limit(scope["client"][0])).limited else app
        await answer(scope, receive, send)

    return wrapped


STARLETTE: dict[str, Limited] = {
    names.TWO: lambda rate: mantlet.wrap(starlette_app(), *two(rate), baseline=False),
    names.LIMITER: lambda rate: mantlet.wrap(
        starlette_app(), mantlet.RateLimiter(rate), baseline=False
    ),
    names.SLOWAPI_ASGI: lambda rate: slowapi_asgi(starlette_app(), rate),
    f"{names.SLOWAPI_ASGI}, with headers": lambda rate: slowapi_asgi(
        starlette_app(), rate, fields=True
    ),
    names.SLOWAPI: lambda rate: slowapi_decorator(starlette_app, _limited_endpoint, rate),
    "BaseHTTPMiddleware: doing nothing": _base_http_middleware,
    "BaseHTTPMiddleware: limits": _base_http_middleware_limits,
    "plain function: limits": _plain_limits,
    "plain function: throttled-py": _plain_throttled,
}


# -- around Flask ---------------------------------------------------------------------------------


def limited_flask(rate: str, *, fields: bool = False) -> Any:
    app = flask_app()
    flask_limiter.Limiter(
        flask_limiter.util.get_remote_address,
        app=app,
        default_limits=[rate],
        storage_uri="memory://",
        headers_enabled=fields,
    )
    return app


def _throttled_flask(rate: str) -> Any:
    limiter = throttled.contrib.flask.Limiter(
        rate, key_func=throttled.contrib.flask.get_remote_address
    )
    app = flask_app(limiter.limit()(flask_endpoint))
    limiter.init_app(app)
    return app


def _flask_limits(rate: str) -> Any:
    app = flask_app()
    limiter, item = FixedWindowRateLimiter(MemoryStorage()), limits.parse(rate)

    def wrapped(environ: Any, start_response: Any) -> Any:
        if limiter.hit(item, environ["REMOTE_ADDR"]):
            return app(environ, start_response)
        start_response("429 Too Many Requests", [("Content-Type", "text/plain")])
        return [b"Too Many Requests"]

    return wrapped


FLASK: dict[str, Limited] = {
    names.TWO: lambda rate: mantlet.wsgi.wrap(flask_app(), *two(rate), baseline=False),
    names.LIMITER: lambda rate: mantlet.wsgi.wrap(
        flask_app(), mantlet.RateLimiter(rate), baseline=False
    ),
    names.FLASK_LIMITER: limited_flask,
    f"{names.FLASK_LIMITER}, with headers": lambda rate: limited_flask(rate, fields=True),
    "throttled-py: Flask decorator": _throttled_flask,
    "plain function: limits": _flask_limits,
}


async def contenders(framework: str) -> list[Contender]:
    """Return a framework's contenders, each shown to refuse, and to answer like the bare app."""
    starlette = framework == names.STARLETTE
    server = AsgiServer if starlette else WsgiServer
    bare: Any = starlette_app() if starlette else flask_app()
    timed = [Contender(names.BARE, server(bare, SMALL).serve)]
    expected = await server(bare, SMALL).answer()
    assert expected[0] == 200
    for name, limited in (STARLETTE if starlette else FLASK).items():
        if limited is not _base_http_middleware:
            refusing = server(limited(TINY), SMALL)
            statuses = [(await refusing.answer())[0] for _ in range(2)]
            assert statuses == [200, 429], f"{name} answers {statuses}"
        passing = server(limited(GENEROUS), SMALL)
        assert await passing.answer() == expected, name
        timed.append(Contender(name, passing.serve))
    return timed


# -- one check, without an app --------------------------------------------------------------------


class _Seen(mantlet.Policy):
    """Keeps the request, to show it to a policy outside of a stack."""

    request: mantlet.Request

    def on_request(self, request: mantlet.Request) -> None:
        self.request = request


async def checks() -> list[Contender]:
    """Return one rate-limit check of each library: no app, no request, no answer."""
    seen = _Seen()
    await AsgiServer(mantlet.wrap(asgi_app(SMALL), seen, baseline=False), SMALL).answer()
    address, item = CLIENT[0], limits.parse(GENEROUS)
    fixed = FixedWindowRateLimiter(MemoryStorage())
    sliding = SlidingWindowCounterRateLimiter(MemoryStorage())
    throttle = throttled.Throttled(quota=GENEROUS, store=throttled.MemoryStore())
    limiter = mantlet.RateLimiter(GENEROUS)
    return [
        calling(names.BARE, lambda: None),
        calling(names.LIMITER, lambda: limiter.on_request(seen.request)),
        calling("limits: fixed window", lambda: fixed.hit(item, address)),
        calling("limits: sliding window", lambda: sliding.hit(item, address)),
        calling("throttled-py: token bucket", lambda: throttle.limit(address)),
    ]
