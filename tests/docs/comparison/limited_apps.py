"""The apps of `limits`: the same limits by each package, set up as its documentation says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fastapi
import flask
import flask_cors
import flask_limiter
import flask_limiter.util
import slowapi
import slowapi.util
from fastapi.middleware.cors import CORSMiddleware
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware

import guard
import mantlet
from mantlet import RateLimiter, Rule, on_status
from tests.docs.comparison.apps import ORIGIN, fastapi_app, flask_app

if TYPE_CHECKING:
    from collections.abc import Callable


def asgi(*policies: Any) -> Any:
    """Return the FastAPI app with policies of Mantlet."""
    return mantlet.wrap(fastapi_app(), *policies, baseline=False)


def with_slowapi(app: Any = None, **options: Any) -> Any:
    """Return an app whose routes all have the default limits of slowapi."""
    app = app or fastapi_app()
    settings: dict[str, Any] = {
        "key_func": slowapi.util.get_remote_address,
        "default_limits": ["2/hour"],
    }
    app.state.limiter = slowapi.Limiter(**settings | options)
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)
    app.add_middleware(SlowAPIMiddleware)
    return app


def with_flask_limiter(app: Any = None, **options: Any) -> Any:
    """Return an app whose routes all have the default limits of Flask-Limiter."""
    app = app or flask_app()
    settings: dict[str, Any] = {
        "key_func": flask_limiter.util.get_remote_address,
        "default_limits": ["2/hour"],
        "storage_uri": "memory://",
    }
    flask_limiter.Limiter(app=app, **settings | options)
    return app


def with_guard(**options: Any) -> Any:
    """Return an app with the middleware of fastapi-guard."""
    app = fastapi_app()
    config = guard.SecurityConfig(
        **{"enable_redis": False, "rate_limit": 2, "rate_limit_window": 3600} | options
    )
    app.add_middleware(guard.SecurityMiddleware, config=config)
    return app


def slowapi_after_cors() -> Any:
    """Return an app to which slowapi is added last."""
    app = fastapi_app()
    app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN])
    return with_slowapi(app)


def flask_limiter_after_cors() -> Any:
    """Return an app to which Flask-Limiter is added last."""
    app = flask_app()
    flask_cors.CORS(app, origins=[ORIGIN])
    return with_flask_limiter(app)


def _by_user(request: fastapi.Request) -> str:
    return request.headers["x-user"]


def slowapi_of_two(*, user_first: bool) -> Any:
    """Limit an address, and a user."""
    app = fastapi.FastAPI()
    limiter = slowapi.Limiter(key_func=slowapi.util.get_remote_address)
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)  # type: ignore[arg-type]  # as its documentation says
    decorators = [limiter.limit("1/hour", key_func=_by_user), limiter.limit("4/hour")]

    async def home(request: fastapi.Request) -> dict[str, Any]:
        return {}

    for decorate in decorators if user_first else reversed(decorators):
        home = decorate(home)
    app.get("/")(home)
    return app


def flask_limiter_of_two(*, user_first: bool) -> Any:
    """Limit an address, and a user."""
    app = flask.Flask("two")
    limiter = flask_limiter.Limiter(
        flask_limiter.util.get_remote_address, app=app, storage_uri="memory://"
    )
    by_user = limiter.limit("1/hour", key_func=lambda: flask.request.headers["x-user"])
    decorators = [by_user, limiter.limit("4/hour")]

    def home() -> dict[str, Any]:
        return {}

    for decorate in decorators if user_first else reversed(decorators):
        home = decorate(home)
    app.get("/")(home)
    return app


def mantlet_login(guess: Callable[[], int]) -> Any:
    """Count failed logins by a status."""
    app = flask.Flask("login")
    app.add_url_rule("/login", view_func=lambda: ("", guess()), methods=["POST"])
    rule = Rule("POST /login", "1/hour", count_if=on_status(401))
    return mantlet.install(app, RateLimiter(rules=[rule]), baseline=False)


def flask_limiter_login(guess: Callable[[], int]) -> Any:
    """Count failed logins by a status."""
    app = flask.Flask("login")
    limiter = flask_limiter.Limiter(
        flask_limiter.util.get_remote_address, app=app, storage_uri="memory://"
    )
    limit = limiter.limit("1/hour", deduct_when=lambda answer: answer.status_code == 401)
    app.add_url_rule("/login", view_func=limit(lambda: ("", guess())), methods=["POST"])
    return app


def guarded_socket() -> Any:
    """Return an app with a WebSocket that fastapi-guard protects."""
    config = guard.SecurityConfig(enable_redis=False, rate_limit=2, rate_limit_window=3600)
    app = fastapi.FastAPI()
    app.add_middleware(guard.SecurityMiddleware, config=config)

    @app.websocket("/ws", dependencies=[fastapi.Depends(guard.guard_websocket)])
    async def echo(socket: fastapi.WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)

    return app
