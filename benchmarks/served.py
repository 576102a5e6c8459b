"""The app that a server serves: FastAPI's or Flask's, bare, in Mantlet's policies, or in a peer.

``SERVED`` in the environment names its contender.
"""

import os
from collections.abc import Callable
from typing import Any

import flask_talisman
import starlette_problem.handler
from fastapi import FastAPI, Request
from secure import Preset, Secure
from secure.middleware import SecureASGIMiddleware

import mantlet
from benchmarks import names
from benchmarks.apps import fastapi_app, fastapi_endpoint, flask_app
from benchmarks.hot_path import CASES
from benchmarks.peers import limited_flask, slowapi_asgi, slowapi_decorator
from benchmarks.stacks import GENEROUS
from benchmarks.traffic import Order
from guard import SecurityConfig, SecurityMiddleware


# slowapi looks for an argument of this name.
async def _limited(request: Request, order: Order) -> dict[str, object]:  # noqa: ARG001
    return await fastapi_endpoint(order)


def _fastapi_guard() -> FastAPI:
    config = SecurityConfig(
        rate_limit=1_000_000,
        rate_limit_window=1,
        enable_ip_banning=False,
        enable_penetration_detection=False,
        enable_redis=False,
    )
    app = fastapi_app()
    app.add_middleware(SecurityMiddleware, config=config)
    return app


def _starlette_problem() -> FastAPI:
    app = fastapi_app()
    starlette_problem.handler.add_exception_handler(app)
    return app


def _secure() -> FastAPI:
    app = fastapi_app()
    app.add_middleware(SecureASGIMiddleware, secure=Secure.from_preset(Preset.BASIC))
    return app


def _talisman() -> Any:
    app = flask_app()
    flask_talisman.Talisman(app, force_https=False)
    return app


_PEERS: dict[str, dict[str, Callable[[], Any]]] = {
    "FastAPI": {
        names.SLOWAPI_ASGI: lambda: slowapi_asgi(fastapi_app(), GENEROUS),
        names.SLOWAPI: lambda: slowapi_decorator(fastapi_app, _limited, GENEROUS),
        names.FASTAPI_GUARD: _fastapi_guard,
        names.STARLETTE_PROBLEM: _starlette_problem,
        names.SECURE: _secure,
    },
    "Flask": {
        names.FLASK_LIMITER: lambda: limited_flask(GENEROUS),
        names.TALISMAN: _talisman,
    },
}


def _app(framework: str, name: str) -> Any:
    if name in _PEERS[framework]:
        return _PEERS[framework][name]()
    app: Any = fastapi_app() if framework == "FastAPI" else flask_app()
    policies = CASES[names.SERVED[name]]()
    return mantlet.wrap(app, *policies, baseline=False) if policies else app


app = _app(os.environ["FRAMEWORK"], os.environ["SERVED"])
