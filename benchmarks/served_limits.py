"""What the servers load to limit by a Valkey: one Starlette app, made when it is asked for.

The server is named by the environment variable ``VALKEY``, as ``host:port``.
"""

import os
from typing import Any

import slowapi
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIASGIMiddleware
from slowapi.util import get_remote_address
from starlette.requests import Request
from starlette.responses import JSONResponse

import mantlet
from benchmarks.apps import starlette_app, starlette_endpoint
from benchmarks.stacks import GENEROUS
from mantlet import RateLimiter

#: Admits the one request that shows that the server is up.
TINY = "1/day"


def bare() -> Any:
    return starlette_app()


def memory(rate: str = GENEROUS) -> Any:
    return mantlet.wrap(starlette_app(), RateLimiter(rate), baseline=False)


def valkey(rate: str = GENEROUS, prefetch: int | None = None) -> Any:
    limiter = RateLimiter(
        rate, store=f"valkey://{os.environ['VALKEY']}", prefetch=prefetch, timeout=1
    )
    return mantlet.wrap(starlette_app(), limiter, baseline=False)


def leased() -> Any:
    return valkey(prefetch=50)


def memory_refusing() -> Any:
    return memory(TINY)


def valkey_refusing() -> Any:
    return valkey(TINY)


def slowapi_asgi() -> Any:
    app = starlette_app()
    app.state.limiter = _slowapi([GENEROUS])
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)
    app.add_middleware(SlowAPIASGIMiddleware)
    return app


def slowapi_decorator() -> Any:
    limiter = _slowapi([])

    @limiter.limit(GENEROUS)
    async def endpoint(request: Request) -> JSONResponse:
        return await starlette_endpoint(request)

    app = starlette_app(endpoint)
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)
    return app


def _slowapi(defaults: list[Any]) -> slowapi.Limiter:
    uri = f"redis://{os.environ['VALKEY']}"
    return slowapi.Limiter(get_remote_address, default_limits=defaults, storage_uri=uri)
