"""Which package covers which risk: each around the same app, with all that it offers."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import slowapi
import slowapi.util
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_talisman import Talisman
from pydantic import BaseModel
from secure import Secure
from secure.middleware import SecureWSGIMiddleware
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware

import mantlet
from guard import SecurityConfig, SecurityDecorator, SecurityMiddleware
from mantlet import (
    ApiKeys,
    Authenticator,
    Cors,
    CrossOrigin,
    ErrorEnvelope,
    Hosts,
    OutputSanitizer,
    RateLimiter,
    SchemaGuard,
)
from tests.docs.clients import send
from tests.docs.comparison.apps import (
    CLIENTS,
    DSN,
    INTERNAL,
    ORIGIN,
    fastapi_app,
    flask_app,
)
from tests.docs.comparison.declared_app import connexion_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Policy

QUOTA = "2/hour"
HOST = "api.example"
DIGEST = sha256(b"a-known-key").hexdigest()


class Item(BaseModel):
    """The body that the app declares."""

    name: str


def policies() -> list[Policy]:
    """Return the policies that answer for the rows."""
    return [
        OutputSanitizer(headers="api", secrets=[DSN]),
        ErrorEnvelope(),
        Cors(origins=[ORIGIN]),
        Hosts(allowed=[HOST], https=True),
        Authenticator(
            ApiKeys({DIGEST: "someone"}),
            public=[f"* {path}" for path in ("/", "/items", "/items/{id}", "/secret", "/crash")],
        ),
        CrossOrigin(),
        RateLimiter(QUOTA),
        SchemaGuard({"POST /items": Item}, allow=["path", "method", "query"]),
    ]


def with_slowapi() -> Any:
    """Return an app with slowapi, for all of its routes."""
    app = fastapi_app()
    app.state.limiter = slowapi.Limiter(
        key_func=slowapi.util.get_remote_address, default_limits=[QUOTA]
    )
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)  # type: ignore[arg-type]  # as its documentation says
    app.add_middleware(SlowAPIMiddleware)
    return app


def with_flask_limiter() -> Any:
    """Return an app with Flask-Limiter, for all of its routes."""
    app = flask_app()
    Limiter(get_remote_address, app=app, default_limits=[QUOTA], storage_uri="memory://")
    return app


def with_fastapi_guard() -> Any:
    """Return an app with fastapi-guard."""
    app = fastapi_app()
    config = SecurityConfig(
        enable_redis=False,
        rate_limit=2,
        rate_limit_window=3600,
        enforce_https=True,
        enable_cors=True,
        cors_allow_origins=[ORIGIN],
        auth_verifier=lambda _request, key: {} if key == "a-known-key" else None,
    )
    guard = SecurityDecorator(config)
    (route,) = [one for one in app.routes if getattr(one, "path", "") == "/private"]
    guard.require_auth(type="bearer")(route.endpoint)  # type: ignore[attr-defined]  # an APIRoute
    app.state.guard_decorator = guard
    app.add_middleware(SecurityMiddleware, config=config)
    return app


def with_talisman() -> Any:
    """Return an app with flask-talisman; not in debug mode, in which it does not redirect."""
    app = flask_app()
    app.config["DEBUG"] = False
    Talisman(app)
    return app


def with_secure() -> Any:
    """Return an app with the middleware of secure."""
    app = flask_app()
    secured = SecureWSGIMiddleware(app.wsgi_app, secure=Secure.with_default_headers())
    app.wsgi_app = secured  # type: ignore[method-assign]  # as Flask's documentation has it
    return app


#: For each column, the apps that have to agree.
PEERS: dict[str, tuple[Callable[[], Any], ...]] = {
    "Mantlet": (
        lambda: mantlet.wrap(fastapi_app(), *policies()),
        lambda: mantlet.install(flask_app(), *policies()),
    ),
    "slowapi": (with_slowapi,),
    "Flask-Limiter": (with_flask_limiter,),
    "fastapi-guard": (with_fastapi_guard,),
    "flask-talisman": (with_talisman,),
    "secure": (with_secure,),
    "connexion": (connexion_app,),
}


def rate(app: Any) -> bool:
    """Whether the third request is refused where two are allowed."""
    client = next(CLIENTS)
    statuses = [send(app, "GET /items/1", client=client).status_code for _ in range(3)]
    assert statuses[:2] == [200, 200]
    return statuses[2] == 429


def headers(app: Any) -> bool:
    """Whether an ordinary response has two of OWASP's headers."""
    found = send(app, client=next(CLIENTS)).headers
    return {"x-content-type-options", "strict-transport-security"} <= set(found)


def traceback(app: Any) -> bool:
    """Whether the response to an exception is a problem without its message."""
    answer = send(app, "GET /crash", client=next(CLIENTS))
    assert answer.status_code == 500
    return (
        "application/problem+json" in answer.headers["content-type"] and INTERNAL not in answer.text
    )


def secrets(app: Any) -> bool:
    """Whether a secret is missing from a response that has it."""
    answer = send(app, "GET /secret", client=next(CLIENTS))
    assert "dsn" in answer.text
    return DSN not in answer.text


def bodies(app: Any) -> bool:
    """Whether a body with one more member is refused."""
    client = next(CLIENTS)
    assert send(app, "POST /items", client=client, json={"name": "x"}).status_code == 200
    answer = send(app, "POST /items", client=client, json={"name": "x", "role": "admin"})
    return answer.status_code in {400, 422}


def credentials(app: Any) -> bool:
    """Whether a request without a credential gets a 401."""
    return send(app, "GET /private", client=next(CLIENTS)).status_code == 401


def preflights(app: Any) -> bool:
    """Whether a preflight of an allowed origin is answered."""
    answer = send(
        app,
        "OPTIONS /items",
        client=next(CLIENTS),
        headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"},
    )
    return bool(answer.headers.get("access-control-allow-origin") == ORIGIN)


def forgeries(app: Any) -> bool:
    """Whether a cross-site request with a cookie is refused."""
    answer = send(
        app,
        "POST /items",
        client=next(CLIENTS),
        json={"name": "x"},
        headers={"Cookie": "session=1", "Sec-Fetch-Site": "cross-site"},
    )
    return answer.status_code == 403


def hosts(app: Any) -> bool:
    """Whether a request for another host is refused."""
    answer = send(app, client=next(CLIENTS), url="https://evil.example")
    return answer.status_code in {400, 421}


def https(app: Any) -> bool:
    """Whether a page over http is redirected."""
    answer = send(app, client=next(CLIENTS), url="http://api.example")
    return bool(answer.headers.get("location", "").startswith("https://api.example"))


def attacks(app: Any) -> bool:
    """Whether a script in a member that may be any text is refused."""
    body = {"name": "<script>alert(1)</script>"}
    return send(app, "POST /items", client=next(CLIENTS), json=body).status_code == 400


ROWS: dict[str, Callable[[Any], bool]] = {
    "limits the rate of a client": rate,
    "sends security headers": headers,
    "answers a crash with a problem (RFC 9457), in debug mode too": traceback,
    "masks the app's secrets in responses": secrets,
    "refuses a JSON member that the API does not declare": bodies,
    "asks for a credential before a view runs": credentials,
    "answers CORS preflights": preflights,
    "refuses requests that another site makes with the user's cookies (CSRF)": forgeries,
    "refuses other `Host` names": hosts,
    "redirects http to https": https,
    "searches requests for the signs of attacks": attacks,
}


def measure() -> dict[str, dict[str, str]]:
    """Return the cells by row and peer."""
    apps = {peer: [make() for make in made] for peer, made in PEERS.items()}
    found: dict[str, dict[str, str]] = {}
    for row, probe in ROWS.items():
        for peer, several in apps.items():
            (answer,) = {probe(app) for app in several}
            found.setdefault(row, {})[peer] = "yes" if answer else "no"
    return found
