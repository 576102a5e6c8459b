"""Apps whose provider is in the environment: FastAPI under ASGI, Flask under WSGI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import fastapi
import flask

import mantlet
from mantlet import Authenticator, Health, Introspection, Jwt
from mantlet.authentication.keys import source

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER = os.environ["MANTLET_TEST_ISSUER"]
#: A test does not wait for half a minute.
source._UNKNOWN_INTERVAL = 0.0  # type: ignore[misc]  # a constant


def protect(app: Any) -> Any:
    """Wrap an app as the README does, with the keys and the introspection of the provider."""
    auth = Authenticator(
        Jwt(issuer=ISSUER, audience="https://api.example", algorithms=["ES256"]),
        Introspection(f"{ISSUER}/introspect", client=("api", "secret"), timeout=5.0),
        public=["GET /open"],
    )
    return mantlet.wrap(app, Health(), auth)


def show(request: Any) -> str:
    """Tell who it is, and in which process."""
    identity = mantlet.state(request).identity
    assert identity is not None
    return f"{identity.scheme} {identity.subject} {os.getpid()}"


def flask_app() -> Any:
    app = flask.Flask(__name__)
    app.add_url_rule("/", "whoami", lambda: show(flask.request))
    app.add_url_rule("/open", "open", lambda: "open")
    return app


def fastapi_app() -> Any:
    app = fastapi.FastAPI()

    @app.get("/", response_class=fastapi.responses.PlainTextResponse)
    async def whoami(request: fastapi.Request) -> str:
        return show(request)

    @app.get("/open", response_class=fastapi.responses.PlainTextResponse)
    async def is_open() -> str:
        return "open"

    return app


FRAMEWORKS: dict[str, Callable[[], Any]] = {"wsgi": flask_app, "asgi": fastapi_app}
app = protect(FRAMEWORKS[os.environ["MANTLET_TEST_PROTOCOL"]]())
